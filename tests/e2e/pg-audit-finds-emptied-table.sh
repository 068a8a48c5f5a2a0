#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The live server against the newest backup: tables emptied, shrunk, gone and new, indexes that are not valid, collations of
# another version, and damage that amcheck finds.
. "$(dirname "$0")/lib_pg.sh"

pg_start
createdb live
sql live <<'END'
create table kept (id int primary key, v text);
create table orders (id int primary key, v text);
create table shrinking (id int primary key, v text);
create table goes (id int);
create collation nd (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
create table collated (v text collate nd);
create index collated_v on collated (v);
create table "odd ""name""; x" (i int);
insert into kept select i, i::text from generate_series(1, 3000) i;
insert into orders select i, i::text from generate_series(1, 3000) i;
insert into shrinking select i, i::text from generate_series(1, 3000) i;
insert into goes select generate_series(1, 10);
insert into collated values ('a'), ('b');
insert into "odd ""name""; x" values (1);
create extension amcheck;
analyze;
END
pg_profile postgres live
json 0 audit postgres # alone
holds '[.results[0].findings[] | select(.code == "no-backup")] | length == 1'
backup postgres >/dev/null
json 0 audit postgres
found() { jq -r '[.. | objects | select(has("code") and has("severity")) | "\(.severity) \(.code) \(.subject)"] | unique | .[]' "$OUT"; }
equal 'findings about nothing' '' "$(found | grep -v ^info || true)"

finds() { # EXIT PATTERN SQL…: after the statements an audit finds it, and nothing when they are undone by a restore
    local code=$1 pattern=$2 statement
    shift 2
    for statement in "$@"; do q live "$statement" >/dev/null; done
    json "$code" audit postgres
    found | grep -qE "$pattern" || fail "the audit does not find '$pattern': $(found)"
}
q live "insert into kept select i, 'x' from generate_series(4000, 5000) i" 'delete from kept where id < 100'
json 0 audit postgres # life goes on
finds 5 '^error table-emptied public.orders$' 'truncate orders'
equal 'errors' 1 "$(found | grep -c ^error)"
finds 5 'table-emptied public."odd ""name""; x"' 'delete from "odd ""name""; x"'
hf audit postgres
says orders 3000
q live "insert into orders select i, '' from generate_series(1, 3000) i" "insert into \"odd \"\"name\"\"; x\" values (2)"
json 0 audit postgres
finds 0 '^warning rows-fell public.shrinking$' 'delete from shrinking where id > 30' 'analyze shrinking'
finds 5 '^error table-gone public.goes$' 'drop table goes'
finds 5 '^info table-new public.comes$' 'create table comes (i int)'
q live 'create table goes as select generate_series(1, 10) as id'

# A unique index that could not be built stays behind, not valid.
q live 'create table twice as select 1 as i union all select 1'
q live 'create unique index concurrently broken on twice (i)' 2>/dev/null || true
finds 5 '^error index-invalid public.broken$'
q live 'drop index broken'
finds 0 '^warning collation-version .*nd' "update pg_collation set collversion = '1.2.3' where collname = 'nd'"
q live 'alter collation nd refresh version'
json 0 audit postgres
if found | grep -q collation; then fail 'a collation that is right again is still told of'; fi
finds 0 '^warning collation-version live' "update pg_database set datcollversion = '0.1' where datname = 'live'" || true

# amcheck: an index without an entry that its table has, as a torn write leaves it.
file=$T/pg/main/$(q live "select pg_relation_filepath('kept_pkey')")
q live checkpoint
json 0 audit postgres
pg_stop main
dd if=/dev/zero of="$file" bs=1 seek=$((8192 + 200)) count=4000 conv=notrunc status=none
pg_run main
echo 'amcheck = yes' >"$T/more"
sed "/^jobs = /r $T/more" -i "$ETC/conf.d/postgres.ini"
json 5 audit postgres
found | grep -q 'error.*kept' || fail "amcheck found nothing: $(found)"

pg_stop main
json 8 audit postgres
