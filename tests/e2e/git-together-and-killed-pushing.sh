#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# Two profiles write to one repository, and to its remote, at once. A run that is killed while it pushes leaves nothing half
# visible in either, and the next brings both in step.
. "$(dirname "$0")/lib.sh"
needs git
own_mounts
small_disk "$BACKUPS" 128m # where fsync costs nothing
export HOME=$T
mkdir "$DATA/a" "$DATA/b"
git init -q --bare "$BACKUPS/remote.git"
for name in a b; do
    seq 2000 >"$DATA/$name/file"
    profile $name <<END
[profile]
name = $name
[source]
plugin = files
path = $DATA/$name
[stage compress]
plugin = gzip
[sink history]
plugin = git
path = $BACKUPS/local.git
create = yes
remote = file://$BACKUPS/remote.git
END
done
refs() { git -C "$BACKUPS/$1.git" for-each-ref --format='%(refname) %(objectname)'; }
in_step() { diff <(refs local) <(refs remote) || fail "the two repositories are not in step $1"; }

backup a >/dev/null
for ((round = 0; round < 3; round++)); do
    "$HOLDFAST" --config "$ETC" backup a >"$T/a.out" 2>&1 &
    a=$!
    "$HOLDFAST" --config "$ETC" backup b >"$T/b.out" 2>&1 &
    b=$!
    wait $a || fail "a: $(cat "$T/a.out")"
    wait $b || fail "b: $(cat "$T/b.out")"
    sleep 1
done
equal 'commits' '4 3' "$(git -C "$BACKUPS/remote.git" rev-list --count holdfast/a) $(git -C "$BACKUPS/remote.git" rev-list --count holdfast/b)"
in_step 'after runs at once'
expect 0 verify --all
# One profile at once, of two users with a state of their own each.
cp -r "$ETC" "$T/other"
sed -i "s|^state_dir.*|state_dir = $T/other-state|" "$T/other/holdfast.ini"
codes=
"$HOLDFAST" --config "$ETC" backup a >"$T/a.out" 2>&1 &
a=$!
"$HOLDFAST" --config "$T/other" backup a >"$T/b.out" 2>&1 &
b=$!
wait $a || codes+=$?
wait $b || codes+=$?
[[ $codes == '' || $codes == 7 ]] || fail "runs of one profile at once: $codes: $(cat "$T/a.out" "$T/b.out")"
in_step 'after runs of one profile at once'
sleep 1

((SANITIZED == 0)) || exit 0
die_at=$(find "$BUILD" -maxdepth 3 -name die-at.so -print -quit)
cp -a "$BACKUPS/local.git" "$T/local" && cp -a "$BACKUPS/remote.git" "$T/remote"
# Half an hour later each, so that none waits for a second of its own.
env LD_PRELOAD="$die_at" DIE_AT_CLOCK=1800 DIE_AT_LOG="$T/calls" "$HOLDFAST" --config "$ETC" backup a >/dev/null 2>&1
points=$(wc -l <"$T/calls")
for ((point = 3; point <= points; point++)); do
    what=$(sed -n "${point}p" "$T/calls")
    ((point % 40 == 0)) || [[ $what == *manifest* || $what == *heads* ]] || continue
    rm -rf "$BACKUPS"/*.git
    cp -a "$T/local" "$BACKUPS/local.git" && cp -a "$T/remote" "$BACKUPS/remote.git"
    { env LD_PRELOAD="$die_at" DIE_AT_CLOCK=1800 DIE_AT="$point" "$HOLDFAST" --config "$ETC" backup a || true; } >/dev/null 2>&1
    json 0 list a
    holds '[.results[].backups[].sinks[] | select(.whole | not)] == []'
    git clone -q --mirror "$BACKUPS/remote.git" "$T/mirror"
    for manifest in $(git -C "$T/mirror" for-each-ref --format='%(refname)' refs/holdfast | grep 'a_.*manifest.json$'); do
        git -C "$T/mirror" rev-parse -q --verify "${manifest%.manifest.json}.tar.gz" >/dev/null || fail "half in the remote, killed at $what"
    done
    rm -rf "$T/mirror"
    HF_UNDER="env LD_PRELOAD=$die_at DIE_AT_CLOCK=3600" hf backup a
    [[ $RC == 0 ]] || fail "the next run fails after a kill at $what"
    in_step "after a kill at $what"
    expect 0 verify a --all --level digest
done
