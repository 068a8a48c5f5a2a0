#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A hash that is taken from OIDs comes out otherwise in the restored database, and rows belong into other partitions there.
. "$(dirname "$0")/lib_pg.sh"

pg_start
createdb src
sql src <<'END'
create type e as enum ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
create domain de as e;
create type pair as (x e, y int);
create table plain (k e, n int) partition by hash (k);
create table domains (k de, n int) partition by hash (k);
create table expressions (k e, n int) partition by hash ((coalesce(k, 'a')));
create table arrays (k e[], n int) partition by hash (k);
create table pairs (k pair, n int) partition by hash (k);
create table names (k regclass, n int) partition by hash (k);
select format('create table %1$I partition of %2$I for values with (modulus 3, remainder %3$s)', t || r, t, r)
    from unnest(array['plain', 'domains', 'expressions', 'arrays', 'pairs', 'names']) t, generate_series(0, 2) r \gexec
insert into plain select v, n from unnest(enum_range(null::e)) v, generate_series(1, 10) n;
insert into domains table plain;
insert into expressions table plain;
insert into arrays select array[k], n from plain;
insert into pairs select (k, n)::pair, n from plain;
insert into names select oid, n from pg_class, generate_series(1, 3) n where relname ~ '^(plain|names|arrays|pairs)';
END
pg_profile postgres src
id=$(backup postgres)
expect 0 restore postgres --to by_holdfast
by_hand "$BACKUPS/$id.sql.gz" by_hand
for table in plain domains expressions arrays pairs names; do
    for database in by_holdfast by_hand; do
        equal "rows of $table" "$(q src "select k, n from $table order by k::text, n")" "$(q "$database" "select k, n from $table order by k::text, n")"
    done
done

# One of its partitions alone has no rows of its own in the artifact.
q src 'drop table plain0'
expect 4 restore postgres --only public.plain0
says public.plain0 public.plain hint:
equal 'tables of this name' 0 "$(q src "select count(*) from pg_class where relname = 'plain0'")"
q src 'drop table plain'
expect 0 restore postgres --only public.plain --only public.plain0 --only public.plain1 --only public.plain2
equal 'rows' 80 "$(q src 'select count(*) from plain')"

# A partitioned table without its partitions has no rows, and that is said.
q src 'create table r (i int primary key, n int) partition by range (i)' 'create table r1 partition of r for values from (0) to (10)' \
    'create table r2 partition of r for values from (10) to (20)' 'create index on r (n)' 'insert into r select i, i from generate_series(0, 19) i'
backup postgres >/dev/null
json 0 restore postgres --only public.r --to shell
holds '.results[0].findings | any(.code == "no-partitions" and .subject == "public.r")'
json 0 restore postgres --only public.r --only public.r1 --only public.r2 --to whole
holds '.results[0].findings | length == 0'
pg_same src whole -t r -t r1 -t r2
equal 'rows' 20 "$(q whole 'select count(*) from r')"

# One that was dropped comes back to where it was, with its indexes as those of the whole table.
pg_schema src >"$T/schema.before"
q src 'drop table r1'
json 0 restore postgres --only public.r1
holds '.results[0].findings | length == 0'
diff "$T/schema.before" <(pg_schema src) || fail 'the schema differs'
equal 'rows' 20 "$(q src 'select count(*) from r')"
# Alone it is a table like any other.
json 0 restore postgres --only public.r1 --to alone
holds '.results[0].findings | all(.code == "left-out")'
equal 'rows' 10 "$(q alone 'select count(*) from r1')"
