#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# kill -9 at many moments of a run into a bucket: what is listed is whole, and the next run takes back what was left, but nobody
# else's uploads.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../tools/s3/lib.sh"
gateway

make_files "$DATA/config"
head -c 25000000 /dev/urandom >"$DATA/config/big"
s3_profile config files "$DATA/config"
s3_profile configuration files "$DATA/config"
first=$(backup config)
start=$(date +%s%N)
backup config >"$T/id"
whole=$((($(date +%s%N) - start) / 1000000))
echo "a run takes about $whole ms"

# Uploads of others in the same bucket: another prefix, a longer profile name, a folder below.
foreign=(other/config_20260101_000000.tar omen/prod/configuration_20260101_000000.tar omen/prod/config_x/y)
for key in "${foreign[@]}"; do
    aws s3api create-multipart-upload --bucket backups --key "$key" >/dev/null
done

points=14 left=0
for ((point = 0; point < points; point++)); do
    "$HOLDFAST" --config "$ETC" backup config >/dev/null 2>&1 &
    run=$!
    sleep "$(awk "BEGIN { print ($whole * ($point + 0.5) / $points) / 1000 }")"
    kill -9 "$run" 2>/dev/null || true
    wait "$run" 2>/dev/null || true
    left=$((left + $(uploads | grep -cx 'omen/prod/config_[0-9_]*\.tar' || true)))
    json 0 list
    holds '[.results[].backups[].sinks[] | select(.whole | not)] == []'
done
((left > 0)) || fail 'no run was killed while it uploaded'
expect 0 backup config
bucket_whole
equal 'uploads of others' "$(printf '%s\n' "${foreign[@]}" | sort)" "$(uploads | sort)"
json 0 verify config
expect 0 verify "$first"

# With sweep_after only those that are old enough are taken back.
sed -i 's/^sweep_after.*/sweep_after = 1h/' "$ETC/conf.d/config.ini"
ours() { uploads | grep -qx 'omen/prod/config_[0-9_]*\.tar'; }
sed -i '$arate = 4M' "$ETC/conf.d/config.ini" # so that it is still at it when it is killed
"$HOLDFAST" --config "$ETC" backup config >/dev/null 2>&1 &
run=$!
wait_for 10 ours
kill -9 "$run"
wait "$run" 2>/dev/null || true
sed -i '/^rate/d' "$ETC/conf.d/config.ini"
ours || fail 'no run was killed while it uploaded'
expect 0 backup config
ours || fail 'a young upload was taken back'
sed -i 's/^sweep_after.*/sweep_after = 0/' "$ETC/conf.d/config.ini"
expect 0 backup config
! ours || fail 'an upload was left'
