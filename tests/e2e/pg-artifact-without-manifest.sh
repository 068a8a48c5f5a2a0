#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A script alone, its manifest lost, is restored from beginning to end; one that pg_dump made, too. One that is cut short is not.
. "$(dirname "$0")/lib_pg.sh"

pg_start
make_big src 3000
q src 'create index on big (v)' 'create view w as select * from big' "select lo_from_bytea(99, '\\x01')" >/dev/null
pg_profile postgres src
id=$(backup postgres)
mkdir "$T/alone"
cp "$BACKUPS/$id.sql.gz" "$T/alone/"
expect 0 restore --artifact "$T/alone/$id.sql.gz" --to one
pg_same src one
remember
json 4 restore --artifact "$T/alone/$id.sql.gz" --to one
databases_as_they_were
expect 0 restore --artifact "$T/alone/$id.sql.gz" --to one --replace
pg_same src one

pg_dump src | gzip >"$T/alone/postgres_20240101_000000.sql.gz"
expect 0 restore --artifact "$T/alone/postgres_20240101_000000.sql.gz" --to two
pg_same src two

gunzip -c "$T/alone/postgres_20240101_000000.sql.gz" >"$T/alone/postgres_20240101_000001.sql"
truncate -s 400000 "$T/alone/postgres_20240101_000001.sql"
remember
hf restore --artifact "$T/alone/postgres_20240101_000001.sql" --to three --json
((RC != 0)) || fail 'half a script was restored'
databases_as_they_were
gunzip -c "$T/alone/$id.sql.gz" | zstd -q >"$T/alone/postgres_20240101_000002.sql.zst"
expect 0 restore --artifact "$T/alone/postgres_20240101_000002.sql.zst" --to four
pg_same src four
