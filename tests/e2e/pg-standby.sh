#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A backup from a hot standby, while the primary is written to; what a standby cannot do is said.
. "$(dirname "$0")/lib_pg.sh"

pg_make main
printf 'wal_level = replica\nmax_wal_senders = 5\nhot_standby = on\n' | pg_set main
pg_run main
export PGPORT=5432
createdb src
q src 'create table t (id int primary key, v text)' "insert into t select i, repeat(i::text, 20) from generate_series(1, 30000) i" \
    'create unlogged table u (i int)' 'insert into u values (1)' 'create sequence s' "select nextval('s')" "select lo_from_bytea(9, '\\x01')" >/dev/null
"${PG_AS[@]}" "$PG_BIN/pg_basebackup" -h "$PGHOST" -p "$PGPORT" -U postgres -D "$T/pg/standby" -R -X stream -c fast --no-sync
pg_known standby
pg_run standby
pg_profile postgres src 'part_size = 1M'
sed -i "s/port=$PGPORT/port=$(pg_port standby)/" "$ETC/conf.d/postgres.ini"
lsn=$(q src 'select pg_current_wal_lsn()')
wait_for 20 eval "[[ \$(PGPORT=$(pg_port standby) q src \"select pg_last_wal_replay_lsn() >= '$lsn'\") == t ]]"

(while true; do q src 'insert into t select max(id) + 1 from t' 2>/dev/null || exit 0; done) &
writer=$!
json 0 check postgres
id=$(backup postgres)
holds '.results[0].manifest.context.server.standby == true or (.results[0].verification[0].whole)'
equal 'from a standby' true "$(jq .context.server.standby "$BACKUPS/$id.manifest.json")"
kill "$writer"
wait "$writer" 2>/dev/null || true

sed -i "s/port=$(pg_port standby)/port=$PGPORT/" "$ETC/conf.d/postgres.ini"
expect 0 restore "$id" --to restored
rows=$(q restored 'select count(*) from t')
equal 'rows' "$(jq '.facts.tables["public.t"].rows' "$BACKUPS/$id.manifest.json")" "$rows"
((rows >= 30000)) || fail "$rows rows"
# Rows of unlogged tables are not there on a standby: the table is, and it is told.
equal 'unlogged' 0 "$(q restored 'select count(*) from u')"
by_hand "$BACKUPS/$id.sql.gz" by_hand
pg_same restored by_hand

# Into a standby nothing can be restored.
sed -i "s/port=$PGPORT/port=$(pg_port standby)/" "$ETC/conf.d/postgres.ini"
remember
hf restore "$id" --to another
((RC == 1 || RC == 4)) || fail "exit code $RC"
databases_as_they_were
