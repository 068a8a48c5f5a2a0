#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# kill -9 at many moments of a run into a bucket by libs3, and a gateway that dies under it: what is listed is whole, and the
# next run takes back what was left.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../tools/s3/lib.sh"
. "$(dirname "$0")/../tools/s3/libs3.sh"
gateway

make_files "$DATA/config"
head -c 12000000 /dev/urandom >"$DATA/config/big"
libs3_profile config files "$DATA/config" 'segment = 1M
retries = 1'
first=$(backup config)
start=$(date +%s%N)
backup config >/dev/null
whole=$((($(date +%s%N) - start) / 1000000))
segments() { keys | grep -c '\.segment-' || true; }
before=$(segments) left=0
points=14
for ((point = 0; point < points; point++)); do
    "$HOLDFAST" --config "$ETC" backup config >/dev/null 2>&1 &
    run=$!
    sleep "$(awk "BEGIN { print ($whole * ($point + 0.5) / $points) / 1000 }")"
    kill -9 "$run" 2>/dev/null || true
    wait "$run" 2>/dev/null || true
    left=$((left + $(segments) - before))
    json 0 list config
    holds '[.results[].backups[].sinks[] | select(.whole | not)] == []'
done
((left > 0)) || fail 'no run was killed while it uploaded'
expect 0 backup config
libs3_whole
equal 'left in temp_dir' '' "$(left_in "$T/tmp")"
json 0 verify config --all --level digest

# The gateway dies in the middle.
head -c 90000000 /dev/urandom >"$DATA/config/big"
"$HOLDFAST" --config "$ETC" backup config --json >"$OUT" 2>"$ERR" &
run=$!
more() { (($(segments) > now)); }
now=$(segments)
wait_for 20 more
gateway_kill
RC=0
wait "$run" || RC=$?
equal 'exit code when the gateway dies' 8 "$RC"
json 8 list config
gateway_revive
json 0 list config
holds '[.results[].backups[].sinks[] | select(.whole | not)] == []'
expect 0 backup config
libs3_whole
expect 0 verify "$first" --level digest
