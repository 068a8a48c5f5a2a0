#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# Where a rename that must not replace is not supported, as over NFS, commits go by link(); lost answers are seen through, a
# kill at any of the calls leaves nothing half visible, and what the NFS client leaves is neither listed nor taken away.
[[ ! -w /dev/shm ]] || TMPDIR=/dev/shm # where fsync costs nothing
. "$(dirname "$0")/lib.sh"
not_sanitized 'a library is preloaded'
tool() { find "$BUILD" -maxdepth 3 -name "$1.so" -print -quit; }
nfs_like=$(tool nfs-like) die_at=$(tool die-at)

make_files "$DATA/config"
simple_profile config files "$DATA/config"
printf '\n[retention]\nkeep_last = 1\n' >>"$ETC/conf.d/config.ini"
: >"$BACKUPS/.nfs00000000000a1b2c00000001"

shift=-14400 # an hour for each run, so that none waits for a second of its own
for how in plain lost; do
    HF_UNDER="env LD_PRELOAD=$die_at:$nfs_like NFS_LIKE=$how DIE_AT_CLOCK=$((shift += 3600))" backup config >"$T/id"
    HF_UNDER="env LD_PRELOAD=$nfs_like NFS_LIKE=$how" expect 0 verify config
    equal 'backups' "$(cat "$T/id")" "$(cd "$BACKUPS" && echo *.manifest.json | sed 's/\.manifest\.json//g')"
    equal 'second names' '' "$(find "$BACKUPS" -type f -links +1)"
    equal 'leftovers' '' "$(find "$BACKUPS" -name '.holdfast-partial*')"
done
exists "$BACKUPS/.nfs00000000000a1b2c00000001"
HF_UNDER="env LD_PRELOAD=$nfs_like NFS_LIKE=bare" json 1 backup config
says 'can neither rename without replacing nor make hard links'
rm "$BACKUPS"/.nfs*
nothing_left_over

cp -a "$BACKUPS" "$T/before"
killable() { env LD_PRELOAD="$die_at:$nfs_like" DIE_AT_CLOCK=-3600 "$@" "$HOLDFAST" --config "$ETC" backup config; }
killable DIE_AT_LOG="$T/calls" >/dev/null 2>&1
grep -q 'linkat.*tar\.gz$' "$T/calls" || fail 'nothing was committed by link()'
points=$(wc -l <"$T/calls")
# From the first commit on; what is before is the same everywhere.
for ((point = $(grep -n -m1 linkat "$T/calls" | cut -d: -f1) - 1; point <= points; point++)); do
    rm -rf "$BACKUPS"
    cp -a "$T/before" "$BACKUPS"
    { killable DIE_AT="$point" || true; } >/dev/null 2>&1
    expect 0 list config --json
    holds '[.results[].backups[]] | length >= 1 and all(.[].sinks[]; .whole)'
    expect 0 verify config --all --level digest
    expect 0 backup config
    equal "backups after one was killed at $(sed -n "${point}p" "$T/calls")" 1 "$(find "$BACKUPS" -name '*.manifest.json' | wc -l)"
    equal 'second names' '' "$(find "$BACKUPS" -type f -links +1)"
    nothing_left_over
done
