#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holdfast is killed or interrupted in a restore, at any moment: the database is the old one or the new one, whole; the next
# restore works and drops what was left.
. "$(dirname "$0")/lib_pg.sh"

pg_start
make_big src 30000
pg_profile postgres src $'part_size = 1M\nanalyze = no'
id=$(backup postgres)
q src 'delete from big where id > 17'
drop_others() { while IFS= read -r name; do dropdb --force "$name"; done < <(q postgres "select datname from pg_database where datname ~ '_before_'"); }
start=$(date +%s%N)
expect 0 restore postgres --replace --to other
whole_ms=$((($(date +%s%N) - start) / 1000000))
dropdb other
stopped=0
for point in 1 2 3 4 5 6 7 8; do
    signal=KILL
    if ((point % 4 == 3)); then signal=INT; fi
    in_background restore postgres --replace
    sleep "$(awk "BEGIN { print $whole_ms * ($point - 0.5) / 8 / 1000 }")"
    if kill -s "$signal" "$HF_PID" 2>/dev/null; then stopped=$((stopped + 1)); fi
    finished
    # The server ends what a killed one was doing.
    wait_for 20 eval "[[ \$(q postgres \"select count(*) from pg_stat_activity where application_name like 'holdfast%'\") == 0 ]]"
    rows=$(q src 'select count(*) from big')
    [[ $rows == 17 || $rows == 30000 ]] || fail "$rows rows after SIG$signal at point $point"
    if [[ $rows == 17 ]]; then
        equal "kept ones at point $point" 0 "$(q postgres "select count(*) from pg_database where datname ~ '_before_'")"
    else
        q src 'delete from big where id > 17'
        drop_others
    fi
    if [[ $signal == INT && $RC == 130 ]]; then equal 'databases after an interrupt' src "$(databases)"; fi
done
echo "$stopped of 8 restores of about $whole_ms ms were stopped"
json 0 restore postgres --replace
equal 'databases' "src src_before_$id" "$(databases)"
equal 'rows' 30000 "$(q src 'select count(*) from big')"

# Two at once: the second one is refused, and does not disturb the first one.
drop_others
slow_restore src
sleep 1
id=$(backup postgres)
in_background restore "$id" --to twice
while_it_copies
hf restore "$id" --to twice --json
((RC == 7)) || fail "the second restore ended with exit code $RC"
finished
equal 'exit code of the first' 0 "$RC"
equal 'rows' 30000 "$(q twice 'select count(*) from big')"
