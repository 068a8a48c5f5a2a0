#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# No space for the artifact, or for scratch files: exit 1 with a reason, nothing visible, no session left in the server.
. "$(dirname "$0")/lib_pg.sh"
own_mounts

pg_start
make_big src 60000
pg_profile postgres src
small_disk "$BACKUPS" 3m
json 1 backup postgres
says 'No space left' "$BACKUPS"
nothing_visible
no_sessions
umount "$BACKUPS"
earlier=$(backup postgres)
small_disk "$T/tmp" 4k
hf backup postgres --json
# It may do without scratch files, or say that it cannot.
[[ $RC == 0 ]] || says 'space'
umount "$T/tmp"
expect 0 verify "$earlier"
