#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two runs of one profile that do not share a state folder, as of two users or machines, write to one sink: the second is
# told to wait, and takes nothing away from the first.
. "$(dirname "$0")/lib.sh"

make_files "$DATA/config"
simple_profile config files "$DATA/config"
cp -a "$ETC" "$T/etc2"
mkdir "$T/state2" "$T/tmp2"
sed -i "s#$T/state#$T/state2#; s#$T/tmp#$T/tmp2#" "$T/etc2/holdfast.ini"

# The first is stopped as soon as it is at work in the sink: its lock is there, and taken.
is_locked() {
    local lock
    for lock in "$BACKUPS"/.holdfast-lock.*; do
        if [[ -e $lock ]] && ! flock -n "$lock" true; then return 0; fi
    done
    return 1
}
"$HOLDFAST" --config "$ETC" backup config >"$T/out1" 2>&1 &
first=$!
kill -STOP "$first"
for _ in {1..200}; do
    kill -CONT "$first" 2>/dev/null || fail 'the first run was over before it could be stopped'
    sleep 0.002
    kill -STOP "$first"
    if is_locked; then break; fi
done
exists "$BACKUPS/.holdfast-lock.config_"
before=$(find "$BACKUPS" | sort)
ETC=$T/etc2
json 7 backup config
says 'another run is writing' state_dir
expect 7 prune config
equal 'the files of the first run' "$before" "$(find "$BACKUPS" | sort)"
kill -CONT "$first"
wait "$first" || fail "the first run failed: $(cat "$T/out1")"
nothing_left_over
sleep 1
expect 0 backup config
json 0 list config
holds '.results[0].backups | length == 2'
nothing_left_over
