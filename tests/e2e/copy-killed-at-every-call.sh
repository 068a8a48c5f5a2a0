#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# kill -9 before every single call of a copying that changes a file: what is visible in the target is whole, the source is
# untouched, and the next copying goes on with what is missing.
. "$(dirname "$0")/lib_sinks.sh"
not_sanitized 'a library is preloaded'
die_at=$(find "$BUILD" -maxdepth 3 -name die-at.so -print -quit)

make_db "$DATA/one.db" 300
make_db "$DATA/two.db" 100
base_profile sqlite sqlite "$DATA/*.db"
sink sqlite a dir
backup sqlite >/dev/null
backup sqlite >/dev/null
sink sqlite b dir
(cd "$T/a" && sha256sum -- *) >"$T/sums"
killable() { env LD_PRELOAD="$die_at" "$@" "$HOLDFAST" --config "$ETC" copy --all --from a --to b --jobs 1; }

killable DIE_AT_LOG="$T/calls" >/dev/null 2>&1
points=$(wc -l <"$T/calls")
((points >= 40)) || fail "only $points calls were counted"
resumed=0
for ((point = 1; point <= points; point++)); do
    rm -rf "$T/b"
    mkdir "$T/b"
    { killable DIE_AT="$point" || true; } >/dev/null 2>&1
    what=$(sed -n "${point}p" "$T/calls")
    json 0 list sqlite
    holds '[.results[].backups[].sinks[] | select(.whole | not)] == []' # also of b
    holds '[.results[].backups[]] | length == 2'
    json 0 copy --all --from a --to b
    if [[ $(j '[.results[0].copies[] | select(.outcome == "there")] | length') != 0 ]]; then resumed=$((resumed + 1)); fi
    expect 0 verify --all sqlite --sink b --level digest
    nothing_left_over "$T/b"
    equal "manifests after it was killed at $what" 2 "$(find "$T/b" -name '*.manifest.json' | wc -l)"
done
(cd "$T/a" && sha256sum -c --quiet "$T/sums") || fail 'the source has changed'
((resumed > points / 4)) || fail "only $resumed of $points went on where they were"
echo "$points points, $resumed of them with something to go on from"
