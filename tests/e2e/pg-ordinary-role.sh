#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Without a superuser: one role reads everything, another one, which may make databases, restores it; by Holdfast and by hand.
. "$(dirname "$0")/lib_pg.sh"

pg_start
q postgres 'create role app login createdb' 'create role reader' 'create role backup login' 'grant pg_read_all_data to backup' 'create database src owner app'
PGUSER=app sql src <<'END'
create schema s;
create table s.t (id int generated always as identity primary key, v text);
insert into s.t (v) select 'v' || i from generate_series(1, 5000) i;
create index on s.t (v);
grant usage on schema s to reader;
grant select on s.t to reader;
create materialized view s.m as select count(*) from s.t;
create function s.f() returns trigger language plpgsql as 'begin return new; end';
create trigger g before insert on s.t for each row execute function s.f();
create table s.refers (t int references s.t on delete cascade, note text);
insert into s.refers select i, 'n' from generate_series(1, 100) i;
create sequence s.numbers;
-- Written once and never changed: not even its owner may.
create table s.append_only (at timestamptz default '2024-01-01', what text);
insert into s.append_only (what) values ('one'), ('two');
revoke insert, update, delete, truncate on s.append_only from app;
comment on table s.t is 'mine';
END
PGUSER=backup pg_profile postgres src
expect 0 check postgres
id=$(backup postgres)
sed -i 's/user=backup/user=app/' "$ETC/conf.d/postgres.ini"

PGUSER=app createdb -T template0 by_hand
gunzip -c "$BACKUPS/$id.sql.gz" | PGUSER=app psql -X -q -v ON_ERROR_STOP=1 -d by_hand >"$T/log" 2>&1 || fail "gunzip | psql: $(tail -3 "$T/log")"
pg_same src by_hand
expect 0 restore "$id" --to restored
pg_same src restored
expect 0 restore "$id" --replace
pg_same restored src
equal 'owner' app "$(q postgres "select pg_get_userbyid(datdba) from pg_database where datname = 'src'")"

# Into another server, where the role that owned it is missing: it says so, unless owners were left out.
pg_make second
pg_run second
PGPORT=$(pg_port second) q postgres 'create role other login createdb'
sed -i "s/port=$PGPORT/port=$(pg_port second)/; s/user=app/user=other/" "$ETC/conf.d/postgres.ini"
json 1 restore "$id"
says role app hint:
sed -i "s/port=$(pg_port second)/port=$PGPORT/; s/user=other/user=backup/" "$ETC/conf.d/postgres.ini"
in_profile postgres 'owner = no'
in_profile postgres 'acl = no'
sleep 1
id=$(backup postgres)
sed -i "s/port=$PGPORT/port=$(pg_port second)/; s/user=backup/user=other/" "$ETC/conf.d/postgres.ini"
expect 0 restore "$id"
PG_OTHER_PORT=$(pg_port second) pg_same src src -O -x
