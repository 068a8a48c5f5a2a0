#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# PostgreSQL with the shipped profile, as the runbook has it: backup, list, show, verify, restore elsewhere and in place, and
# the runbook's own commands.
. "$(dirname "$0")/lib_pg.sh"
needs pgbench

pg_start
createdb omen_db
pgbench -i -q -s 1 omen_db 2>/dev/null
sql omen_db <<'END'
create table omen_signals (id bigserial primary key, signal_id text not null unique, payload jsonb not null);
insert into omen_signals (signal_id, payload) select 'OMEN-' || i, jsonb_build_object('n', i) from generate_series(1, 2000) i;
create index on omen_signals using gin (payload);
create role app login; create role reader;
alter database omen_db owner to app;
alter database omen_db set work_mem = '9MB';
alter database omen_db set search_path = "$user", public;
alter role reader in database omen_db set statement_timeout = '5s';
alter database omen_db connection limit 40;
revoke connect on database omen_db from public;
grant connect, temporary on database omen_db to reader with grant option;
comment on database omen_db is 'the runbook''s';
END
cp "$SOURCE/conf.d/postgres.ini" "$ETC/conf.d/"
chmod 640 "$ETC/conf.d/postgres.ini"
sed -i -E "s,^( *path *= *)/backups,\1$BACKUPS," "$ETC/conf.d/postgres.ini"
expect 2 config validate
says DATABASE_URL
export DATABASE_URL="postgresql:///omen_db?host=$PGHOST&port=$PGPORT"
expect 0 config validate
setting() { # SECTION KEY
    json 0 config show postgres
    j ".results[0].sections[] | select(.section == \"$1\") | .options[] | select(.key == \"$2\") | .value"
}
equal 'every' 6h "$(setting profile every)"
equal 'keep' 30d "$(setting retention keep)"

json 0 check postgres
holds '[.. | strings] | any(contains("15.") or contains("16.") or contains("17."))'

id=$(backup postgres)
[[ $id =~ ^postgres_[0-9]{8}_[0-9]{6}$ ]] || fail "an odd id: '$id'"
equal outcome stored "$(j '.results[0].outcome')"
equal 'verification after the backup' 'content true' "$(j '.results[0].verification[0] | "\(.level) \(.whole)"')"
for file in "$id.sql.gz" "$id.sha256" "$id.manifest.json"; do exists "$BACKUPS/$file"; done
nothing_left_over
no_sessions
(cd "$BACKUPS" && sha256sum --quiet -c "$id.sha256")

json 0 list
equal 'backups in the list' "$id" "$(j '.results[].backups[].id')"
json 0 show postgres
equal 'rows among the facts' '100000 2000 0' \
    "$(j '.results[0].manifest.facts.tables | "\(."public.pgbench_accounts".rows) \(."public.omen_signals".rows) \(."public.pgbench_history".rows)"')"
holds '.results[0].manifest.facts.tables["public.omen_signals"].sum | test("^[0-9a-f]{16}$")'
holds '.results[0].manifest.facts.sequences["public.omen_signals_id_seq"] == [2000, true]'
holds '.results[0].manifest.context | .server.number >= 130000 and .server.standby == false and (.snapshot.lsn | test("^[0-9A-F]+/[0-9A-F]+$"))'
holds '.results[0].manifest.context.database.encoding == "UTF8"'
holds '.results[0].manifest.context.extensions.plpgsql == "1.0"'
json 0 verify --all
equal 'the check' "$id local content true" "$(j '.results[0].checks[0] | "\(.id) \(.sink) \(.level) \(.whole)"')"

# The runbook, scenario 1: into an empty database. Word for word, but for the folder and what is not there by then.
LATEST_PG=$(ls -t "$BACKUPS"/postgres_*.sql.gz | head -1)
equal 'what ls -t finds' "$BACKUPS/$id.sql.gz" "$LATEST_PG"
gunzip -t "$LATEST_PG"
createdb by_hand
gunzip -c "$LATEST_PG" | psql -X -q -v ON_ERROR_STOP=1 "${DATABASE_URL/omen_db/by_hand}" >"$T/log" 2>&1 || fail "$(tail -5 "$T/log")"
pg_same omen_db by_hand

# Elsewhere.
json 0 restore postgres --to elsewhere
pg_same omen_db elsewhere
diff <(pg_properties omen_db) <(pg_properties elsewhere) || fail 'properties of the database differ'

# In its place: refused, then beside and swapped; the old one stays under another name.
remember
json 4 restore postgres
says omen_db 'not empty' hint: --replace
databases_as_they_were
q omen_db 'delete from omen_signals where id > 5' "comment on database omen_db is 'changed since'"
json 0 restore postgres --replace
equal 'databases' "by_hand elsewhere omen_db omen_db_before_$id" "$(databases)"
equal 'rows' 2000 "$(q omen_db 'select count(*) from omen_signals')"
equal 'rows in the old one' 5 "$(q "omen_db_before_$id" 'select count(*) from omen_signals')"
pg_same elsewhere omen_db
diff <(pg_properties elsewhere | grep -v ^COMMENT) <(pg_properties omen_db | grep -v ^COMMENT) || fail 'properties of the database differ'
no_sessions
equal 'was it analyzed?' t "$(q omen_db "select bool_and(reltuples > 0) from pg_class where relname in ('omen_signals', 'pgbench_accounts')")"

# The database is gone altogether.
dropdb omen_db
expect 0 restore postgres
pg_same elsewhere omen_db
diff <(pg_properties elsewhere) <(pg_properties omen_db) || fail 'properties of the database differ'
