#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The server ends in the middle of a backup, tidily or not: the backup fails, is never shortened, and the next one works.
. "$(dirname "$0")/lib_pg.sh"

pg_start
make_big src 150000
pg_profile postgres src 'part_size = 4M'
slowly postgres
earlier=$(backup postgres)
remember
for signal in QUIT KILL INT; do
    in_background backup postgres --json
    while_it_copies
    pg_stop main "$signal"
    finished
    equal "exit code after SIG$signal" 8 "$RC"
    says hint: postgres
    sink_as_it_was
    json 8 backup postgres # it is not back yet
    says hint:
    sink_as_it_was
    pg_run main
done
expect 0 verify "$earlier"
backup postgres >/dev/null
nothing_left_over
no_sessions
