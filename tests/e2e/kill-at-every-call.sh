#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# kill -9 before every single call of a backup and its retention that changes a file, whichever thread makes it: what is
# visible afterwards is whole, nothing is unaccounted for, and the next run succeeds and sweeps.
[[ ! -w /dev/shm ]] || TMPDIR=/dev/shm # where fsync costs nothing
. "$(dirname "$0")/lib.sh"
not_sanitized 'a library is preloaded'
die_at=$(find "$BUILD" -maxdepth 3 -name die-at.so -print -quit)

make_db "$DATA/signals.db" 100
simple_profile sqlite sqlite "$DATA/signals.db"
printf '\n[retention]\nkeep_last = 1\n' >>"$ETC/conf.d/sqlite.ini"
# An hour for the run before, the one that is killed, and the next, so that none waits for a second of its own.
HF_UNDER="env LD_PRELOAD=$die_at DIE_AT_CLOCK=-7200" backup sqlite >/dev/null
cp -a "$BACKUPS" "$T/before"
killable() { env LD_PRELOAD="$die_at" DIE_AT_CLOCK=-3600 "$@" "$HOLDFAST" --config "$ETC" backup sqlite; }

killable DIE_AT_LOG="$T/calls" >/dev/null 2>&1
points=$(wc -l <"$T/calls")
((points >= 60)) || fail "only $points calls were counted"
grep -q 'unlinkat.*\.db\.gz$' "$T/calls" || fail 'the run removed no earlier backup'
for ((point = 1; point <= points; point++)); do
    rm -rf "$BACKUPS"
    cp -a "$T/before" "$BACKUPS"
    { killable DIE_AT="$point" || true; } >/dev/null 2>&1
    what=$(sed -n "${point}p" "$T/calls")
    json 0 list sqlite
    holds '[.results[].backups[].sinks[] | select(.whole | not)] == []'
    holds '[.results[].backups[]] | length >= 1'
    holds '[.results[].orphans[]?] == []'
    expect 0 verify sqlite --all --level digest
    expect 0 backup sqlite
    equal "backups after one was killed at $what" 1 "$(find "$BACKUPS" -name '*.manifest.json' | wc -l)"
    nothing_left_over
done
echo "$points points"
