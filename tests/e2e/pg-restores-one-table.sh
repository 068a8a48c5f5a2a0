#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Single tables: into a new database, or into the one that is there when they are not; with their indexes, data and sequences,
# and with nothing else.
. "$(dirname "$0")/lib_pg.sh"

pg_start
createdb shop
sql shop <<'END'
create schema "S p";
create table customers (id serial primary key, name text unique);
create table orders (id bigint generated always as identity primary key, customer int references customers, note text);
create table "S p"."odd ""name"".;" (a int primary key, b text default E'\\');
insert into customers (name) select 'c' || i from generate_series(1, 100) i;
insert into orders (customer, note) select 1 + i % 100, E'\\.\n' || i from generate_series(1, 20000) i;
insert into "S p"."odd ""name"".;" select i, '\.' from generate_series(1, 10) i;
create index on orders (note);
create index on orders (lower(note)) where customer > 50;
comment on table orders is 'o';
grant select on orders to public;
create table parts (i int primary key) partition by range (i);
create index on parts ((i + 1));
create table parts_1 partition of parts for values from (0) to (50);
create table parts_2 partition of parts for values from (50) to (100);
insert into parts select generate_series(0, 99);
END
pg_profile postgres shop 'part_size = 1M'
backup postgres >"$T/id"
tables() { q "$1" "select string_agg(format('%I.%I', schemaname, tablename), ' ' order by schemaname, tablename) from pg_tables where schemaname !~ '^(pg_|inf)'"; }

# Into a new database.
json 0 restore postgres --only public.customers --to one
equal 'tables' public.customers "$(tables one)"
pg_same shop one -t public.customers
equal 'the next id' 101 "$(q one "insert into customers (name) values ('new') returning id")"
json 0 restore postgres --only '"S p"."odd ""name"".;"' --to two
equal 'rows' 10 "$(q two 'select count(*) from "S p"."odd ""name"".;"')"

# A partitioned table has its rows in its partitions: named together they come together, alone it says so.
json 0 restore postgres --only public.parts --only public.parts_1 --only public.parts_2 --only public.parts --to three
pg_same shop three -t 'public.parts*'
equal 'invalid indexes' 0 "$(q three 'select count(*) from pg_index where not indisvalid')"
holds '.results[0].findings == []'
json 0 restore postgres --only public.parts --to four
holds '.results[0].findings | any(.code == "no-partitions")'
json 0 restore postgres --only public.parts_2 --to five
equal 'rows of a partition alone' 50 "$(q five 'select count(*) from parts_2')"

# Into the one that is there.
expect 4 restore postgres --only public.orders
says orders exists hint:
equal 'rows' 20000 "$(q shop 'select count(*) from orders')"
pg_schema shop >"$T/schema.before"
pg_data shop >"$T/data.before"
q shop 'drop table orders'
json 0 restore postgres --only public.orders
pg_data shop | diff -q - "$T/data.before" >/dev/null || fail 'data differ'
diff "$T/schema.before" <(pg_schema shop) || fail 'the schema differs'
equal 'the next id' 20001 "$(q shop "insert into orders (customer) values (1) returning id")"
equal 'databases' 'five four one shop three two' "$(databases)"

# One whose name was given away is renamed; several at once; what there is not.
q shop 'alter table customers rename to customers_old' 'alter table orders drop constraint orders_customer_fkey'
q shop 'alter table customers_old rename constraint customers_pkey to old_pkey' 'alter table customers_old rename constraint customers_name_key to old_key' \
    'alter sequence customers_id_seq rename to old_seq'
q shop 'drop table "S p"."odd ""name"".;"'
json 0 restore postgres --only public.customers --only '"S p"."odd ""name"".;"'
equal 'rows' '100 100 10' "$(q shop 'select count(*) from customers' 'select count(*) from customers_old' 'select count(*) from "S p"."odd ""name"".;"' | paste -sd' ')"
remember
json 6 restore postgres --only public.nothing --to six
says nothing hint:
databases_as_they_were
expect 2 restore postgres --only nothing --to six
databases_as_they_were

# A failure in the middle takes back everything: another relation has the name of its index.
q shop 'drop table orders' 'create table orders_note_idx (i int)'
json 1 restore postgres --only public.orders
says orders_note_idx
equal 'relations called orders' 0 "$(q shop "select count(*) from pg_class where relname in ('orders', 'orders_id_seq', 'orders_pkey')")"
databases_as_they_were
