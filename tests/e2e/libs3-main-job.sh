#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The libs3 sink against a Ceph gateway: backups small and large come back, by Holdfast and by other clients; retention, many
# keys, refusals, two machines at once; beside the s3 sink, which brings another libcurl, in one process.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../tools/s3/lib.sh"
. "$(dirname "$0")/../tools/s3/libs3.sh"
gateway

make_files "$DATA/config"
libs3_profile config files "$DATA/config" 'segment = 1M'
expect 0 check config
equal 'left by check' '' "$(keys)"
first=$(backup config) # in one piece
libs3_whole
equal 'segments' 0 "$(keys | grep -c segment || true)"
head -c 5300000 /dev/urandom >"$DATA/config/big"
second=$(backup config)
libs3_whole
equal 'segments' 6 "$(keys | grep -c '\.segment-')"
equal 'indexes' 1 "$(keys | grep -c '\.segments-')"
json 0 list config
equal 'listed' "$first $second" "$(j '[.results[].backups[].id] | sort | join(" ")')"
json 0 show "$second"
json 0 verify config --all
expect 0 restore "$second" --to "$T/restored"
same_metadata "$DATA/config" "$T/restored$DATA/config"
expect 0 restore "$second" --only "$DATA/config/omen.yaml" --to "$T/one" # a range
equal 'one file' 'log_level: info' "$(cat "$T/one$DATA/config/omen.yaml")"

# By hand: pieces laid end to end are the artifact.
mkdir "$T/by-hand"
rclone copy -q "ceph:backups/omen/prod" "$T/by-hand" --include "$second*"
(
    cd "$T/by-hand"
    cat "$second".tar.segment-* >"$second.tar"
    sha256sum -c "$second.sha256" >/dev/null
    tar -xf "$second.tar"
)
same_tree "$DATA/config" "$T/by-hand$DATA/config"
# And an object that another client put is read.
rclone copyto -q "$T/by-hand/$second.tar" "ceph:backups/omen/prod/$second.tar"
rclone delete -q "ceph:backups/omen/prod" --include "$second.tar.segment*"
expect 0 verify "$second" --level content
rm -rf "$T/restored"
expect 0 restore "$second" --to "$T/restored"
same_metadata "$DATA/config" "$T/restored$DATA/config"

# Retention takes every piece.
third=$(backup config)
printf '\n[retention]\nkeep_last = 1\n' >>"$ETC/conf.d/config.ini"
sleep 1
fourth=$(backup config)
libs3_whole
equal 'backups' "$fourth" "$(keys | sed -n 's,^omen/prod/\(.*\)\.manifest\.json$,\1,p')"
equal 'segments' 6 "$(keys | grep -c '\.segment-')"
sed -i '/retention/,$d' "$ETC/conf.d/config.ini"

# A piece that is missing, of another size, or of other bytes is damage.
piece=$(keys | grep '\.segment-.*-000002$')
rclone copyto -q "ceph:backups/$piece" "$T/piece"
head -c 1048576 /dev/urandom | rclone rcat -q "ceph:backups/$piece"
json 5 verify "$fourth" --level digest
head -c 1000 "$T/piece" | rclone rcat -q "ceph:backups/$piece"
json 5 verify "$fourth" --level digest
says 'of another size'
rclone deletefile -q "ceph:backups/$piece"
json 5 verify "$fourth" --level digest
says 'missing'
rclone copyto -q "$T/piece" "ceph:backups/$piece"
expect 0 verify "$fourth" --level digest

# More keys than one answer holds, and names beside ours.
mkdir "$T/many"
for ((i = 0; i < 2300; i++)); do : >"$T/many/x_$i.unrelated"; done
rclone copy -q --transfers 16 "$T/many" ceph:backups/omen/prod
rclone copy -q "$T/piece" ceph:backups/omen/prod/config_below
json 0 list config
equal 'listed' "$fourth" "$(j '[.results[].backups[].id] | join(" ")')"
rclone delete -q ceph:backups/omen/prod --include 'x_*'
rclone purge -q ceph:backups/omen/prod/config_below

# Refusals.
refused() { # EXIT LINE-EXPRESSION TEXT…
    cp "$ETC/conf.d/config.ini" "$T/config.ini"
    sed -i "$2" "$ETC/conf.d/config.ini"
    json "$1" backup config
    says "${@:3}"
    if grep -qF "$AWS_SECRET_ACCESS_KEY" "$OUT" "$ERR"; then fail 'the secret key is shown'; fi
    cp "$T/config.ini" "$ETC/conf.d/config.ini"
}
refused 2 's,^endpoint.*,endpoint = https://localhost:1,' 'verifies no TLS certificate' 'use the sink s3'
refused 2 's,^prefix.*,prefix = with space,' 'prefix'
refused 2 's,^bucket.*,bucket = x,' 'bucket'
export WRONG=wrong
refused 1 's,^secret_key.*,secret_key = ${env:WRONG},' 'SignatureDoesNotMatch' 'version 4'
refused 8 's,^bucket.*,bucket = nothing-here,' 'NoSuchBucket' 'make the bucket'
refused 8 "s,^endpoint.*,endpoint = http://127.0.0.1:1," 'FailedToConnect'

# Beside the sink s3, over https: two libcurls and two TLS libraries in one process.
profile both <<END
[profile]
name = both
[source]
plugin = files
path = $DATA/config
[sink old]
plugin = libs3
bucket = backups
prefix = old
endpoint = $S3_ENDPOINT
access_key = \${env:AWS_ACCESS_KEY_ID}
secret_key = \${env:AWS_SECRET_ACCESS_KEY}
[sink new]
plugin = s3
bucket = backups
prefix = new
endpoint = $S3_TLS_ENDPOINT
ca_file = $S3_CA
END
for _ in 1 2 3; do
    id=$(backup both)
    json 0 verify "$id"
    equal 'verified in' 'new old' "$(j '[.results[0].checks[].sink] | sort | join(" ")')"
done
for sink in old new; do
    expect 0 restore "$id" --sink "$sink" --to "$T/from-$sink"
    same_metadata "$DATA/config" "$T/from-$sink$DATA/config"
done
: "$third"

# Two machines that write one profile at the same moment: at most one succeeds, and what it says it stored is there.
rm "$ETC/conf.d/both.ini"
cp -r "$ETC" "$T/other"
mkdir "$DATA/other"
head -c 900000 /dev/urandom >"$DATA/other/file"
sed -i "s|^state_dir.*|state_dir = $T/other-state|" "$T/other/holdfast.ini"
sed -i "s|^path = .*|path = $DATA/other|" "$T/other/conf.d/config.ini"
succeeded() { # EXIT REPORT DATA
    local id
    [[ $1 == [0457] ]] || fail "exit code $1 of two runs at once: $(cat "$2" "$2.err")"
    [[ $1 == 0 ]] || return 0
    id=$(jq -r '.results[0].id' "$2")
    rm -rf "$T/raced"
    expect 0 restore "$id" --to "$T/raced"
    same_tree "$3" "$T/raced$3"
}
for _ in 1 2 3 4; do
    codes=()
    "$HOLDFAST" --config "$ETC" backup config --json >"$T/raced-1" 2>"$T/raced-1.err" &
    one=$!
    "$HOLDFAST" --config "$T/other" backup config --json >"$T/raced-2" 2>"$T/raced-2.err" &
    two=$!
    for run in $one $two; do
        code=0
        wait "$run" || code=$?
        codes+=("$code")
    done
    succeeded "${codes[0]}" "$T/raced-1" "$DATA/config"
    succeeded "${codes[1]}" "$T/raced-2" "$DATA/other"
done
expect 0 backup config
