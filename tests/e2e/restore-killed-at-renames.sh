#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A restore that is killed exactly at one of its renames: what was there before is in place, or kept, whatever the restores
# after it do; and those are neither refused for what it left, nor leave that behind.
. "$(dirname "$0")/lib.sh"
needs strace
not_sanitized 'tracing'
may_trace

# killed_at N ARGUMENTS: false when there is no N-th rename.
killed_at() {
    HF_UNDER="strace -f -qq -o $T/trace -e trace=renameat2 -e inject=renameat2:signal=SIGKILL:when=$1"
    hf "${@:2}"
    HF_UNDER=
    [[ $RC == 137 ]]
}
scratch() { find "$1" -name '.holdfast-*' -o -name '.*.holdfast-*' -o -name '_holdfast-*'; }

make_ledger "$DATA/ledger" 3 50
simple_profile ledger ledger "$DATA/ledger"
id=$(backup ledger)
sleep 1
newer=$(backup ledger)

# The whole ledger: the former one is never among what the next restore sweeps.
points=0
for ((n = 1; n < 10; n++)); do
    rm -rf "$T/to"
    mkdir "$T/to"
    cp -a "$DATA/ledger" "$T/to/ledger"
    echo mine >"$T/to/ledger/2026-01-30/note"
    killed_at "$n" restore "$id" --to "$T/to" --replace || break
    points=$((points + 1))
    equal "days after a kill at rename $n" 3 "$(find "$T/to/ledger" -maxdepth 1 -name '2026-*' | wc -l)"
    expect 0 restore "$id" --to "$T/to" --replace
    expect 0 restore "$newer" --to "$T/to" --replace
    equal "kept after a kill at rename $n" 1 "$(find "$T/to" -path "*.before-*/note" | wc -l)"
    equal 'scratch' '' "$(scratch "$T/to")"
done
((points >= 2)) || fail "only $points renames"

# A single day: it is there at every moment.
points=0
for ((n = 1; n < 10; n++)); do
    rm -rf "$T/to"
    mkdir "$T/to"
    cp -a "$DATA/ledger" "$T/to/ledger"
    echo mine >"$T/to/ledger/2026-01-30/note"
    killed_at "$n" restore "$id" --to "$T/to" --replace --only 2026-01-30 || break
    points=$((points + 1))
    exists "$T/to/ledger/2026-01-30/signals-001.wal"
    expect 0 restore "$newer" --to "$T/to" --replace --only 2026-01-30
    equal "kept after a kill at rename $n" 1 "$(find "$T/to/ledger" -path '*/_before-*/note' | wc -l)"
    equal 'scratch' '' "$(scratch "$T/to")"
done
((points >= 2)) || fail "only $points renames"

# What is left of one backup's restore goes with the next one's, and an empty folder still counts as empty.
rm -rf "$T/to"
killed_at 1 restore "$id" --to "$T/to" || fail 'was not killed'
expect 0 restore "$newer" --to "$T/to"
equal 'scratch' '' "$(scratch "$T/to")"
make_files "$DATA/app"
simple_profile app files "$DATA/app"
id=$(backup app)
sleep 1
newer=$(backup app)
for ((n = 1; n <= 2; n++)); do
    rm -rf "$T/to"
    mkdir "$T/to"
    killed_at 1 restore "$id" --to "$T/to" || fail 'was not killed'
    if ((n == 1)); then expect 0 restore "$id" --to "$T/to"; else expect 0 restore "$newer" --to "$T/to"; fi
    same_tree "$DATA/app" "$T/to$DATA/app"
    equal 'scratch' '' "$(scratch "$T/to")"
done
