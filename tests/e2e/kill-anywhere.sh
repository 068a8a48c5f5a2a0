#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# kill -9 at many moments of a run: what is there afterwards is whole, earlier backups are untouched, and the next run sweeps.
. "$(dirname "$0")/lib.sh"

make_ledger "$DATA/ledger" 3 8000 --seal
make_db "$DATA/signals.db" 40000
simple_profile ledger ledger "$DATA/ledger"
simple_profile sqlite sqlite "$DATA/signals.db"
printf '\n[retention]\nkeep_last = 2\n' | tee -a "$ETC/conf.d/ledger.ini" >>"$ETC/conf.d/sqlite.ini"
first=$(backup ledger)
backup sqlite >"$T/id"
whole=1000000
for _ in 1 2 3; do # the shortest of three: something else may slow one of them down
    sleep 1
    start=$(date +%s%N)
    backup ledger >"$T/id"
    backup sqlite >"$T/id"
    took=$((($(date +%s%N) - start) / 1000000 / 2))
    if ((took < whole)); then whole=$took; fi
done
echo "a run takes about $whole ms"

points=48
stored=0
for ((point = 0; point < points; point++)); do
    profile=ledger
    if ((point % 4 == 3)); then profile=sqlite; fi
    "$HOLDFAST" --config "$ETC" backup "$profile" >/dev/null 2>&1 &
    run=$!
    sleep "$(awk "BEGIN { print ($whole * 1.1 * ($point + 0.5) / $points) / 1000 }")"
    kill -9 "$run" 2>/dev/null || stored=$((stored + 1))
    wait "$run" 2>/dev/null || true
    json 0 list
    # Every backup that is listed is whole; a look at all bytes for the newest is enough, the others are older.
    holds '[.results[].backups[].sinks[] | select(.whole | not)] == []'
    newest=$(j ".results[] | select(.profile == \"$profile\") | .backups | last | .id")
    expect 0 verify "$newest" --level digest
done
echo "$stored of $points runs were faster than their killer"
((stored < points / 2)) || fail 'most runs were over before they could be killed'

expect 0 backup --all
nothing_left_over
json 0 verify --all --level content
holds '[.results[].checks[] | select(.whole | not)] == []'
[[ -n $first ]]
