#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A table that another session has locked does not hang a backup: after lock_timeout it fails and names the table. The backup
# itself makes nobody wait who only reads and writes.
. "$(dirname "$0")/lib_pg.sh"

pg_start
make_big src 150000
q src 'create table "lo;cked" (i int)'
pg_profile postgres src 'lock_timeout = 1s'
psql -X -q -d src -c "begin; alter table \"lo;cked\" add j int; select pg_sleep(60)" >/dev/null 2>&1 &
holder=$!
wait_for 10 eval "[[ \$(q src \"select count(*) from pg_locks where mode = 'AccessExclusiveLock' and relation = '\\\"lo;cked\\\"'::regclass\") == 1 ]]"
start=$SECONDS
json 1 backup postgres
says 'lo;cked' hint:
((SECONDS - start < 12)) || fail 'it waited for too long'
nothing_visible
no_sessions
q postgres "select pg_terminate_backend(pid) from pg_stat_activity where query like '%lo;cked%' and pid <> pg_backend_pid()" >/dev/null
wait "$holder" 2>/dev/null || true

slowly postgres
in_background backup postgres --json
while_it_copies
q src "set lock_timeout = '1s'" 'insert into big values (-1)' 'update big set v = 1 where id = 5' 'delete from small'
# What would change a table under its snapshot waits for the backup, whether the table is being read, is still to be read, or
# was read already.
for sql in 'alter table big add k int' 'truncate small' 'truncate "lo;cked"' 'alter table "lo;cked" alter i type bigint'; do
    if q src "set lock_timeout = '50ms'" "$sql" 2>/dev/null; then fail "the backup has no lock against: $sql"; fi
done
kill -0 "$HF_PID" 2>/dev/null || fail 'the backup was over too soon'
finished
equal 'exit code' 0 "$RC"
q src "set lock_timeout = '1s'" 'alter table big add k int'
equal 'rows of the snapshot' '150000 100' "$(jq -r '"\(.facts.tables["public.big"].rows) \(.facts.tables["public.small"].rows)"' "$BACKUPS"/*.manifest.json)"
