#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# Databases in other encodings than UTF-8, with names and values that are no UTF-8: backed up as they are, and restored.
. "$(dirname "$0")/lib_pg.sh"

pg_start
printf 'create table "caf\xe9" (i int primary key, "\xfc" text);\ninsert into "caf\xe9" values (1, %s\xe4\xf6\xfc\\n%s), (2, null);\n' "E'" "'" >"$T/latin.sql"
printf 'comment on table "caf\xe9" is %s\xe9\xe8%s;\ncreate table plain (v text);\ninsert into plain values (%s\xff\xfe%s);\n' "'" "'" "'" "'" >>"$T/latin.sql"
for encoding in LATIN1 SQL_ASCII; do
    name=src_${encoding,,}
    createdb -T template0 -E "$encoding" --locale C "$name"
    export PGCLIENTENCODING=$encoding
    psql -X -q -v ON_ERROR_STOP=1 -d "$name" -f "$T/latin.sql"
    pg_profile postgres "$name"
    sleep 1
    id=$(backup postgres)
    expect 0 verify "$id"
    equal "tables of $encoding" 2 "$(jq '.facts.tables | length' "$BACKUPS/$id.manifest.json")"
    equal "encoding of $encoding" "$encoding" "$(jq -r .context.database.encoding "$BACKUPS/$id.manifest.json")"
    createdb -T template0 -E "$encoding" --locale C "hand_$name"
    gunzip -c "$BACKUPS/$id.sql.gz" | psql -X -q -v ON_ERROR_STOP=1 -d "hand_$name" >"$T/log" 2>&1 || fail "$(tail -3 "$T/log")"
    pg_same "$name" "hand_$name"
    json 0 restore postgres --to "again_$name"
    pg_same "$name" "again_$name"
    equal "encoding of the restored one" "$encoding" "$(q "again_$name" 'show server_encoding')"
    json 0 audit postgres
done

export PGCLIENTENCODING=UTF8
# From LATIN1 into an empty UTF-8 database: the script says what it is in.
id=$(find "$BACKUPS" -name '*.manifest.json' -printf '%f\n' | sort | head -1)
createdb -T template0 -E UTF8 utf
json 0 restore "${id%.manifest.json}" --to utf
equal 'rows' 2 "$(q utf 'select count(*) from "café" where i > 0')"
equal 'a value' 'äöü' "$(q utf 'select trim(e'"'\\\\n'"' from "ü") from "café" where i = 1')"
