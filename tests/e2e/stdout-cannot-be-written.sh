#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Output that cannot be written is a failure, not a silent success.
. "$(dirname "$0")/lib.sh"
[[ -w /dev/full ]] || skip 'needs /dev/full'

make_db "$DATA/signals.db" 10
simple_profile sqlite sqlite "$DATA/signals.db"
expect 0 backup sqlite
for arguments in list 'list --json' 'show sqlite' help --version 'plugin list' 'config show'; do
    RC=0
    # shellcheck disable=SC2086
    "$HOLDFAST" --config "$ETC" $arguments >/dev/full 2>"$ERR" || RC=$?
    equal "exit code of '$arguments' into a full device" 1 "$RC"
done
RC=0
"$HOLDFAST" --config "$ETC" list >&- 2>"$ERR" || RC=$?
equal 'exit code with a closed stdout' 1 "$RC"
