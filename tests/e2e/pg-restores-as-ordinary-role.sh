#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A role that is no superuser, but may make databases, restores its own; what keeps a database from being renamed is told
# before anything is loaded, or ends the restore with the old one in place.
. "$(dirname "$0")/lib_pg.sh"

pg_make main
pg_set main <<'END'
max_prepared_transactions = 4
wal_level = logical
END
pg_run main
export PGPORT=${PG_PORTS[main]}
q postgres 'create role app login createdb'
createdb -O app shop
# As app: what it makes belongs to it.
PGUSER=app q shop 'create schema own' 'create table own.t (id int generated always as identity primary key, v text)' \
    "insert into own.t (v) select 'row ' || i from generate_series(1, 5000) i" 'create index on own.t (v)' \
    "select lo_from_bytea(4711, 'bytes')" >/dev/null
q postgres 'alter database shop connection limit 50' 'grant connect on database shop to app' "comment on database shop is 'of app'"
PGUSER=app pg_profile postgres shop
expect 0 check postgres
id=$(backup postgres)
pg_properties shop >"$T/properties"

PGUSER=app q shop 'delete from own.t where id > 10'
json 0 restore postgres --replace
equal 'rows' '5000 10' "$(for name in shop "shop_before_$id"; do q "$name" 'select count(*) from own.t'; done | paste -sd' ')"
diff "$T/properties" <(pg_properties shop) || fail 'the properties differ'
pg_drop_old() { dropdb "shop_before_$id"; }
pg_drop_old

# Sessions of its own are ended. Those of a superuser are not its to end: the old database stays in place.
PGUSER=app psql -X -q -d shop -c 'select pg_sleep(60)' >/dev/null 2>&1 &
session=$!
wait_for 10 eval "[[ \$(q postgres \"select count(*) from pg_stat_activity where query like '%pg_sleep(60)' and pid <> pg_backend_pid()\") == 1 ]]"
json 0 restore postgres --replace
wait "$session" && fail 'the session goes on'
pg_drop_old
psql -X -q -d shop -c 'select pg_sleep(60)' >/dev/null 2>&1 &
session=$!
wait_for 10 eval "[[ \$(q postgres \"select count(*) from pg_stat_activity where query like '%pg_sleep(60)' and pid <> pg_backend_pid()\") == 1 ]]"
remember
hf restore postgres --replace --json
((RC != 0)) || fail 'the session of a superuser was ended by another role'
says shop pg_signal_backend
databases_as_they_were
q postgres "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'shop'" >/dev/null
wait "$session" || true

# A prepared transaction would stop the renaming at the end.
q shop 'begin' 'insert into own.t (v) values (0)' "prepare transaction 'waits'"
remember
json 4 restore postgres --replace
says waits 'ROLLBACK PREPARED'
databases_as_they_were
q shop "rollback prepared 'waits'"

# Slots stay behind, which is told.
q shop "select pg_create_logical_replication_slot('feed', 'pgoutput')" >/dev/null
json 0 restore postgres --replace
holds '[.results[0].findings[] | select(.code == "replication-slot" and (.text | contains("feed")))] | length == 1'
q postgres "select pg_drop_replication_slot('feed')" >/dev/null
pg_drop_old

# A database that has what every new one gets from template1 is empty.
q template1 'create extension pg_trgm'
createdb -O app fresh
json 0 restore postgres --to fresh
equal 'rows' 5000 "$(q fresh 'select count(*) from own.t')"

# A table of a role that it is a member of, alone, in a database where that role may make none.
q postgres 'create role clerk' 'grant clerk to app'
q shop 'create table own.desk as select 1 as i' 'create table desk as select 2 as i' \
    'alter table own.desk owner to clerk' 'alter table desk owner to clerk'
backup postgres >"$T/id"
json 0 restore postgres --only own.desk --only public.desk --to alone
equal 'tables' 'own.desk clerk, public.desk clerk' \
    "$(q alone "select string_agg(schemaname || '.' || tablename || ' ' || tableowner, ', ' order by 1) from pg_tables where schemaname in ('own', 'public')")"
dropdb alone
q shop 'drop table own.desk, desk'

# What belongs to somebody else, it cannot give to them.
q shop 'create table own.theirs (i int)' 'grant select on own.theirs to app'
backup postgres >"$T/id"
remember
json 1 restore postgres --to another
says 'must be member of role "postgres"' 'restore as a superuser'
databases_as_they_were

# Without the right to make databases nothing is begun.
q postgres 'alter role app nocreatedb'
remember
hf restore postgres --to another --json
((RC != 0)) || fail 'a database was made'
says app CREATEDB
databases_as_they_were
