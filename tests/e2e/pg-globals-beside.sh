#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Roles and tablespaces: an artifact of its own, which the runbook's pattern does not find, without passwords unless asked.
. "$(dirname "$0")/lib_pg.sh"

pg_start
q postgres "create role app login password 'hunter2-app'" "create role reader" 'grant reader to app' "comment on role app is 'the application''s'"
createdb omen_db -O app
q omen_db 'create table t (i int)' 'alter table t owner to app' 'grant select on t to reader'
pg_profile postgres omen_db 'globals = yes'
id=$(backup postgres)
time=${id#postgres_}
exists "$BACKUPS/globals_postgres_$time.sql.gz"
equal 'what the runbook finds' "$BACKUPS/$id.sql.gz" "$(ls -t "$BACKUPS"/postgres_*.sql.gz | head -1)"
equal 'what it could find' 1 "$(ls "$BACKUPS"/postgres_*.sql.gz | wc -l)"
equal 'lines of the checksums' 2 "$(wc -l <"$BACKUPS/$id.sha256")"
(cd "$BACKUPS" && sha256sum --quiet -c "$id.sha256")
gunzip -c "$BACKUPS/globals_postgres_$time.sql.gz" >"$T/globals.sql"
grep -q 'CREATE ROLE app' "$T/globals.sql" || fail 'the role is not there'
if grep -qE 'SCRAM|md5|PASSWORD|hunter2' "$T/globals.sql"; then fail 'a password is there that nobody asked for'; fi
json 0 verify postgres
json 0 list
equal 'backups' 1 "$(j '.results[0].backups | length')"

# Into a new server, by hand and then by Holdfast.
pg_make second
pg_run second
PGPORT=$(pg_port second) psql -X -q -d postgres <"$T/globals.sql" >/dev/null 2>&1 # postgres itself is there already
equal 'roles' 'app reader' "$(PGPORT=$(pg_port second) q postgres "select string_agg(rolname, ' ' order by 1) from pg_roles where rolname in ('app', 'reader')")"
sed "s/port=$PGPORT/port=$(pg_port second)/" -i "$ETC/conf.d/postgres.ini"
json 0 restore "$id"
PG_OTHER_PORT=$(pg_port second) pg_same omen_db omen_db
equal 'owner' app "$(PGPORT=$(pg_port second) q postgres "select pg_get_userbyid(datdba) from pg_database where datname = 'omen_db'")"
sed "s/port=$(pg_port second)/port=$PGPORT/" -i "$ETC/conf.d/postgres.ini"

# With passwords, when asked.
echo 'role_passwords = yes' >"$T/more"
sed "/^globals = /r $T/more" -i "$ETC/conf.d/postgres.ini"
sleep 1
id=$(backup postgres)
gunzip -c "$BACKUPS/globals_postgres_${id#postgres_}.sql.gz" | grep -qE "PASSWORD 'SCRAM" || fail 'the password is not there'
# Retention takes both artifacts, or neither.
printf '[retention]\nkeep_last = 1\n' >>"$ETC/conf.d/postgres.ini"
json 0 prune postgres
equal 'artifacts' 2 "$(find "$BACKUPS" -name '*.sql.gz' | wc -l)"
# A role that may not read them is told which right it lacks.
q omen_db 'create role small login' 'grant select on t to small'
sed -i 's/user=postgres/user=small/' "$ETC/conf.d/postgres.ini"
remember
json 1 backup postgres
says pg_authid
sink_as_it_was
