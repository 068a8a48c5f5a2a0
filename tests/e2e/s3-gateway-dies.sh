#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# The gateway is killed in the middle: a run ends whole when it comes back in time, and leaves nothing visible when it does not.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../tools/s3/lib.sh"
gateway

make_files "$DATA/config"
head -c 25000000 /dev/urandom >"$DATA/config/big"
s3_profile config files "$DATA/config" 'rate = 20M'
first=$(backup config)

uploading() { [[ -n $(uploads) ]]; }
begin() { # ARGUMENTS: runs it beside us
    "$HOLDFAST" --config "$ETC" "$@" --json >"$OUT" 2>"$ERR" </dev/null &
    run=$!
}
ends() { # EXIT
    RC=0
    wait "$run" || RC=$?
    equal 'exit code' "$1" "$RC"
}
begin backup config
wait_for 10 uploading
gateway_kill
sleep 1
gateway_revive
ends 0
says 'trying again'
bucket_whole
no_uploads

sed -i '$aretries = 2' "$ETC/conf.d/config.ini"
begin backup config
wait_for 10 uploading
gateway_kill
ends 8
says 'hint:'
gateway_revive
json 0 list config
bucket_whole
expect 0 verify "$first" --level digest

sed -i '/^retries/d' "$ETC/conf.d/config.ini"
begin restore "$first" --to "$T/restored"
sleep 0.7
gateway_kill
sleep 1
gateway_revive
ends 0
says 'going on at byte'
same_metadata "$DATA/config" "$T/restored$DATA/config"

rm -rf "$T/restored"
sed -i '$aretries = 2' "$ETC/conf.d/config.ini"
begin restore "$first" --to "$T/restored"
sleep 0.7
gateway_kill
ends 8
equal 'left of the restore' '' "$(left_in "$T/restored")"
gateway_revive
