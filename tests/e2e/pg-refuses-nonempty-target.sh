#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# A target that holds anything is refused; an empty one is taken, with what it is; --replace keeps the old one each time.
. "$(dirname "$0")/lib_pg.sh"

pg_start
createdb src
q src 'create table t (i int primary key)' 'insert into t select generate_series(1, 100)'
pg_profile postgres src
id=$(backup postgres)

createdb full
remember
while IFS='|' read -r content undo; do
    q full "$content" >/dev/null
    json 4 restore postgres --to full
    says full 'not empty'
    q full "$undo" >/dev/null
done <<'END'
create table x ()|drop table x
create schema x|drop schema x
create view x as select 1|drop view x
create type x as enum ()|drop type x
create function x() returns int language sql as 'select 1'|drop function x
create sequence x|drop sequence x
select lo_create(77)|select lo_unlink(77)
create publication x|drop publication x
alter default privileges grant select on tables to public|alter default privileges revoke select on tables from public
create cast (int as json) with inout|drop cast (int as json)
create text search configuration x (copy = simple)|drop text search configuration x
END
databases_as_they_were
json 0 restore postgres --to full

# An empty one, made by hand with another owner: taken, and its properties stay.
q postgres 'create role somebody' "create database waiting owner somebody template template0 connection limit 7"
json 0 restore postgres --to waiting
equal 'owner and limit' 'somebody 7' "$(q postgres "select pg_get_userbyid(datdba) || ' ' || datconnlimit from pg_database where datname = 'waiting'")"
equal 'rows' 100 "$(q waiting 'select count(*) from t')"
equal 'databases that look like it' 1 "$(q postgres "select count(*) from pg_database where datname like 'waiting%'")"

# --replace, twice: both old ones are kept.
q src 'delete from t where i > 50'
json 0 restore postgres --replace
q src 'delete from t where i > 70'
json 0 restore postgres --replace
equal 'rows' '100 50 70' "$(for name in src "src_before_$id" "src_before_${id}_2"; do q "$name" 'select count(*) from t'; done | paste -sd' ')"

# A dry run changes nothing.
remember
json 0 restore postgres --replace --dry-run
databases_as_they_were

# A long name is cut, and still tells one from another.
long=$(printf 'a%.0s' {1..63})
createdb "$long"
q "$long" 'create table x ()'
json 0 restore postgres --to "$long" --replace
equal 'rows' 100 "$(q "$long" 'select count(*) from t')"
equal 'the old one' 1 "$(q postgres "select count(*) from pg_database where datname like 'aaaa%before%'")"
expect 2 restore postgres --to "${long}b"

# The database that one connects to when one has to connect to something.
createdb -T template0 x && dropdb postgres && psql -X -q -d x -c "create database postgres"
PGDATABASE=x expect 0 restore postgres --to postgres
equal 'rows' 100 "$(q postgres 'select count(*) from t')"

# A role that may not make databases is told so.
q postgres 'create role small login' 'grant all on database src to small'
sed -i 's/user=postgres/user=small/' "$ETC/conf.d/postgres.ini"
json 1 restore postgres --to another
says small CREATEDB
