#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# Schemas, tables and tables' data, by pg_dump's patterns; owner and acl: what is backed up is what pg_dump would dump.
. "$(dirname "$0")/lib_pg.sh"

pg_start
createdb src
q src 'create role own' 'create schema keep' 'create schema "Drop it"' 'create table public.logs_2023 (i int primary key)' 'create table public.logs_2024 (i int)' \
    'create table public."Upper" (i int)' 'create table keep.a (i int)' 'create table keep.b (i int)' 'create table "Drop it".x (i int)' \
    'create table public.root (i int) partition by range (i)' 'create table public.leaf1 partition of public.root for values from (0) to (10)' \
    'create table public.leaf2 partition of public.root for values from (10) to (20)' 'insert into root select generate_series(0, 19)'
for table in public.logs_2023 public.logs_2024 'public."Upper"' keep.a keep.b '"Drop it".x'; do q src "insert into $table select generate_series(1, 30)"; done
q src 'alter table keep.a owner to own' 'grant select on keep.b to own' 'select lo_from_bytea(777, '"'\\x01'"')' >/dev/null

number=0
# same_as_pg_dump LINES PG_DUMP-OPTIONS: the artifact holds what pg_dump's output with these options does.
same_as_pg_dump() {
    local id
    number=$((number + 1))
    pg_profile "p$number" src "$1"
    shift
    id=$(backup "p$number")
    holds '.results[0].verification[0].whole'
    # As psql restores both.
    createdb -T template0 "a$number"
    createdb -T template0 "b$number"
    # pg_dump -t dumps no schemas.
    if [[ $* == *-t\ keep* ]]; then q "a$number" 'create schema keep' && q "b$number" 'create schema keep'; fi
    pg_dump "$@" src | psql -X -q -v ON_ERROR_STOP=1 -d "a$number" >/dev/null
    gunzip -c "$BACKUPS/$id.sql.gz" | psql -X -q -v ON_ERROR_STOP=1 -d "b$number" >/dev/null
    pg_same "a$number" "b$number"
    expect 0 restore "$id" --to "c$number"
    pg_same "a$number" "c$number"
}
same_as_pg_dump 'exclude_table = public.logs_*' -T 'public.logs_*'
same_as_pg_dump 'table = keep.*' -t 'keep.*'
same_as_pg_dump $'schema = keep\nexclude_table = keep.b' -n keep -T keep.b
same_as_pg_dump 'exclude_schema = """Drop it"""' -N '"Drop it"'
same_as_pg_dump $'exclude_table_data = public.logs_202?\n    leaf1' --exclude-table-data 'public.logs_202?' --exclude-table-data leaf1
same_as_pg_dump 'table = logs_2023 """Upper"""' -t logs_2023 -t '"Upper"'
same_as_pg_dump 'owner = no' -O
same_as_pg_dump 'acl = no' -x

# A pattern that finds nothing is a mistake, not an empty backup.
for line in 'table = nothing.*' 'schema = nothing'; do
    pg_profile none src "$line"
    json 1 backup none
    says 'no matching'
done
