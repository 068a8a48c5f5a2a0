#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Large indexes are parts of their own, whatever they are called.
. "$(dirname "$0")/lib_pg.sh"

pg_start
createdb src
q src 'create table a (i int constraint "a key" primary key)' 'create table "b c" (i int constraint "the key" primary key)' \
    'create table "d key" (i int constraint key primary key)' 'insert into a select generate_series(1, 250000)' \
    'insert into "b c" table a' 'insert into "d key" table a' 'create index "x y" on a (i)' 'create index "y" on "b c" (i)'
pg_profile postgres src
id=$(backup postgres)
equal 'parts for indexes' 5 "$(jq '[.artifacts[].parts[] | select(.phase == 2)] | length' "$BACKUPS/$id.manifest.json")"
expect 0 restore postgres --to again
pg_same src again
