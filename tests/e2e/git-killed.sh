#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# kill -9 before every call of a backup into a git sink, and of its retention, that changes a ref or a lock, and before every
# fifth of the others: no backup is half visible,
# the repository is sound, and the next run succeeds, with a commit for each backup. Git's own locks stay in nobody's way.
. "$(dirname "$0")/lib.sh"
needs git
not_sanitized 'a library is preloaded'
own_mounts
small_disk "$BACKUPS" 64m # where fsync costs nothing
export HOME=$T
die_at=$(find "$BUILD" -maxdepth 3 -name die-at.so -print -quit)
REPO=$BACKUPS/config.git
mkdir "$DATA/config"
echo one >"$DATA/config/omen.yaml"
profile config <<END
[profile]
name = config
[source]
plugin = files
path = $DATA/config
[stage compress]
plugin = zstd
[sink history]
plugin = git
path = $REPO
create = yes
[retention]
keep_last = 1
END
g() { git -C "$REPO" "$@"; }
# An hour for the run before, the one that is killed, and the next, so that none waits for a second of its own.
HF_UNDER="env LD_PRELOAD=$die_at DIE_AT_CLOCK=-7200" backup config >/dev/null
g pack-refs --all # so that retention rewrites them
echo two >"$DATA/config/omen.yaml"
cp -a "$REPO" "$T/before"
killable() { env LD_PRELOAD="$die_at" DIE_AT_CLOCK=-3600 "$@" "$HOLDFAST" --config "$ETC" backup config; }

killable DIE_AT_LOG="$T/calls" >/dev/null 2>&1
grep -q "$REPO/packed-refs" "$T/calls" || fail 'the run did not rewrite packed-refs'
points=$(wc -l <"$T/calls")
((points >= 60)) || fail "only $points calls were counted"
for ((point = 1; point <= points; point++)); do
    what=$(sed -n "${point}p" "$T/calls")
    ((point % 5 == 0)) || [[ $what == *refs* || $what == *lock* || $what == *HEAD* ]] || continue
    rm -rf "$REPO"
    cp -a "$T/before" "$REPO"
    { killable DIE_AT="$point" || true; } >/dev/null 2>&1
    expect 0 list config --json
    seen=$(j '[.results[].backups[] | if all(.sinks[]; .whole) then .id else error("half visible") end] | join(" ")')
    [[ -n $seen ]] || fail "nothing is listed after a kill at $what"
    g fsck --strict >/dev/null 2>&1 || fail "git fsck after a kill at $what"
    expect 0 verify config --all --level digest
    expect 0 backup config --json
    last=$(j '.results[0].id')
    equal "objects after one was killed at $what" "$last" "$(g for-each-ref --format='%(refname:lstrip=2)' refs/holdfast | sed 's/\..*//' | sort -u)"
    equal "leftovers after one was killed at $what" '' \
        "$(g for-each-ref refs/holdfast-pending refs/holdfast-partial refs/holdfast-fetched)$(find "$REPO" -name '*.lock' -not -name holdfast.lock)"
    g log --format=%s holdfast/config >"$T/log"
    for id in $seen $last; do
        grep -qx "$id" "$T/log" || fail "no commit of $id after one was killed at $what"
    done
    equal "commits that are of one backup" '' "$(sort "$T/log" | uniq -d)"
    equal "left over in the temporary folder" '' "$(find "$T/tmp" -mindepth 1)"
done
