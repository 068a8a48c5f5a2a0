#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What was loaded is compared before privileges, policies and materialized views can be in the way: an owner who may not read a
# table of its own restores it, and a REFRESH that calls nextval() is no damage. Facts that are gone, or are no names, are.
. "$(dirname "$0")/lib_pg.sh"

pg_start
q postgres 'create role own login createdb' 'create database src owner own'
PGUSER=own q src 'create schema s' 'create table s.n as select generate_series(1, 50) as i' \
    'create sequence s.q' "select setval('s.q', 5)" \
    "create materialized view s.m as select nextval('s.q') as n from generate_series(1, 5)" 'revoke all on s.n from own' >/dev/null
pg_profile postgres src
id=$(backup postgres)
sed -i 's/user=postgres/user=own/' "$ETC/conf.d/postgres.ini"
PGUSER=own hf restore "$id" --to again
((RC == 0)) || fail 'not restored by its owner'
equal 'rows' 50 "$(q again 'select count(*) from s.n')"
manifest=$BACKUPS/$id.manifest.json
cp "$manifest" "$T/manifest"
for edit in 'del(.facts.tables["s.n"])' '.facts.tables["s.n; drop table s.n"] = .facts.tables["s.n"]' \
    '.context.layout["s.n"].columns = "(i) TO PROGRAM $$touch /tmp/x$$ --"'; do
    jq "$edit" "$T/manifest" >"$manifest"
    json 5 restore "$id" --to bad
    equal 'databases' 0 "$(q postgres "select count(*) from pg_database where datname like 'bad%'")"
done
