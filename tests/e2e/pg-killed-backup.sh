#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holdfast is killed or interrupted in a backup: nothing visible, no session and no pg_dump is left, and the next one works.
. "$(dirname "$0")/lib_pg.sh"

pg_start
make_big src 150000
pg_profile postgres src $'part_size = 4M\nlock_timeout = 3s'
slowly postgres
for signal in KILL INT TERM; do
    in_background backup postgres
    while_it_copies
    kill -s "$signal" "$HF_PID"
    start=$SECONDS
    finished
    ((SECONDS - start < 5)) || fail "it does not stop after SIG$signal"
    [[ $signal == KILL ]] || equal "exit code after SIG$signal" 130 "$RC"
    no_sessions
    nothing_visible
done
# While pg_dump runs: it waits for a lock. Of one that is killed the server hears only when that ends, by lock_timeout.
psql -X -q -d src -c 'begin; lock table small in access exclusive mode; select pg_sleep(60)' >/dev/null 2>&1 &
wait_for 10 eval "[[ \$(q src \"select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted and relation = 'small'::regclass\") == 1 ]]"
for signal in KILL INT; do
    in_background backup postgres
    while_it_runs "select count(*) > 0 from pg_stat_activity where wait_event_type = 'Lock' and query like '%small%'"
    children=$(pgrep -P "$HF_PID" || true)
    kill -s "$signal" "$HF_PID"
    finished
    for child in $children; do wait_for 10 eval "! kill -0 $child"; done
    wait_for 10 eval "[[ \$(q postgres \"select count(*) from pg_stat_activity where wait_event_type = 'Lock'\") == 0 ]]"
    nothing_visible
done
q postgres "select pg_terminate_backend(pid) from pg_stat_activity where query like 'begin; lock%'" >/dev/null
wait_for 10 eval "[[ \$(q src \"select count(*) from pg_locks where mode = 'AccessExclusiveLock'\") == 0 ]]"
sed -i '/^level = 9/d' "$ETC/conf.d/postgres.ini"
backup postgres >/dev/null
nothing_left_over
