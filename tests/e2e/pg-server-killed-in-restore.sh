#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The server ends in the middle of a restore: the restore fails, the old database is in its place with all that it had, and the
# next restore works and sweeps.
. "$(dirname "$0")/lib_pg.sh"

pg_start
make_big src 40000
slow_restore src
pg_profile postgres src 'part_size = 1M'
id=$(backup postgres)
q src 'delete from big where id > 17'
before=$(state_of src)
for signal in QUIT KILL; do
    in_background restore postgres --replace --json
    while_it_copies
    pg_stop main "$signal"
    finished
    equal "exit code after SIG$signal" 8 "$RC"
    says hint:
    pg_run main
    equal 'the old database' "$before" "$(state_of src)"
    equal 'its rows' 17 "$(q src 'select count(*) from big')"
    equal 'finished ones' 0 "$(q postgres "select count(*) from pg_database where datname like '%before%'")"
done
json 0 restore postgres --replace
equal 'databases' "src src_before_$id" "$(databases)"
equal 'rows' 40000 "$(q src 'select count(*) from big')"
