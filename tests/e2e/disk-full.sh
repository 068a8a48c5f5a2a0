#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# No space on the sink or for scratch files: exit 1 with a reason, nothing visible, earlier backups untouched.
. "$(dirname "$0")/lib.sh"
own_mounts

make_files "$DATA/config"
make_db "$DATA/signals.db" 20000
simple_profile config files "$DATA/config"
simple_profile sqlite sqlite "$DATA/signals.db"
small_disk "$BACKUPS" 2m
earlier=$(backup config)
contents "$BACKUPS" >"$T/before"

head -c 4000000 /dev/urandom >"$DATA/config/large"
json 1 backup config
says 'No space left' "$BACKUPS"
expect 1 backup config
equal 'how often it is said' 1 "$(grep -c 'No space left' "$ERR")"
diff "$T/before" <(contents "$BACKUPS") || fail 'the sink is not as it was'
expect 0 verify "$earlier"
contents "$BACKUPS" >"$T/before"

# Full to the last byte: not even the manifest fits.
rm "$DATA/config/large"
avail=$(df --output=avail -B1 "$BACKUPS" | tail -1)
for spare in 0 4096 320000; do
    head -c $((avail - spare)) /dev/zero >"$BACKUPS/filler" || true
    json 1 backup config
    rm "$BACKUPS/filler"
    diff "$T/before" <(contents "$BACKUPS") || fail 'the sink is not as it was'
done
sleep 1
expect 0 backup config

# Scratch space.
umount "$BACKUPS"
small_disk "$T/tmp" 1m
json 1 backup sqlite
says 'no space left'
nothing_visible
nothing_left_over
umount "$T/tmp"
id=$(backup sqlite)
small_disk "$T/tmp" 1m
hf verify "$id"
[[ $RC == 1 ]] || fail "a verification without scratch space gave exit code $RC: that is no damage, and no success"
umount "$T/tmp"

# A restore that finds no room leaves the target as it was.
mkdir "$T/target"
small_disk "$T/target" 1m
json 1 restore sqlite --to "$T/target"
says 'No space left' "room in '$T/target'"
equal 'left in the target' '' "$(find "$T/target" -mindepth 1)"
umount "$T/target"
