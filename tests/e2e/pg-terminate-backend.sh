#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One or all of our sessions are ended by an administrator, in a backup or in a restore: it fails with the reason, and leaves
# nothing. A statement that is cancelled, too.
. "$(dirname "$0")/lib_pg.sh"

pg_start
make_big src 120000
pg_profile postgres src 'part_size = 4M'
slowly postgres
remember
ours="from pg_stat_activity where application_name like 'holdfast%'"
for sql in "select pg_terminate_backend(pid) $ours" \
    "select pg_terminate_backend(pid) $ours and query ~* '^\s*COPY' and state = 'active' limit 1" \
    "select pg_terminate_backend(pid) $ours and state like 'idle in transaction%' limit 1" \
    "select pg_cancel_backend(pid) $ours and query ~* '^\s*COPY' and state = 'active'"; do
    # One that had read its last row when it was ended is not missed: then once more.
    for attempt in 1 2 3 4 5; do
        in_background backup postgres --json
        while_it_copies
        [[ -n $(q postgres "$sql") ]] || true
        finished
        ((RC == 0)) || break
        expect 0 verify postgres
        rm "$BACKUPS"/*
        echo "attempt $attempt came too late for: $sql"
    done
    [[ $RC == 8 || ($RC == 1 && $sql == *cancel*) ]] || fail "exit code $RC after: $sql"
    says hint:
    sink_as_it_was
    nothing_visible
    no_sessions
done
sed -i 's/^level = 9/level = 2/' "$ETC/conf.d/postgres.ini"
slow_restore src
backup postgres >/dev/null
q src 'delete from big where id > 17'
remember
for sql in "select pg_terminate_backend(pid) $ours" "select pg_terminate_backend(pid) $ours and query ~* '^\s*COPY' limit 1"; do
    in_background restore postgres --replace --json
    while_it_copies
    [[ -n $(q postgres "$sql") ]] || fail "there is nobody to end: $sql"
    finished
    equal "exit code after: $sql" 8 "$RC"
    says hint:
    databases_as_they_were
    equal 'rows of the old database' 17 "$(q src 'select count(*) from big')"
    no_sessions
done
expect 0 restore postgres --replace
equal 'rows' 120000 "$(q src 'select count(*) from big')"
