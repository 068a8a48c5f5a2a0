#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a backup writes, and what a verification and a restore read of it, does not stay in the page cache.
. "$(dirname "$0")/lib.sh"
needs fincore

[[ $(stat -f -c %T "$BACKUPS") != tmpfs ]] || skip 'the folder for temporary files is in memory'
head -c 67108864 /dev/urandom >"$DATA/noise"
simple_profile noise files "$DATA/noise"
sed -i '/^\[stage/,/^$/d' "$ETC/conf.d/noise.ini"

left_alone() { # AFTER WHAT
    local bytes
    bytes=$(fincore --bytes --noheadings --output RES "$BACKUPS/$id.tar")
    ((bytes < 33554432)) || fail "$1: $bytes bytes of 64 MiB are in the page cache"
}
id=$(backup noise --level none)
left_alone 'backup'
expect 0 verify noise
left_alone 'verify'
expect 0 restore noise --to "$T/restored"
left_alone 'restore'
cmp "$DATA/noise" "$T/restored$DATA/noise"
