#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures the s3 sink against the AWS client and one bare PUT by curl: 1 GiB that does not compress, into a Ceph gateway in memory
# on this machine; and the s3 sink together with a dir sink against each alone. The commands take turns; before each, the machine is
# waited for to be idle.
# usage: tests/bench/s3.sh [DIR]       DIR: for the data set, 4 GiB free; default: build/bench
#   RUNS=3     how often each command runs (its median counts)
#   BUILD=…    the build to measure; default: build/release
# Needs what scripts/deps.sh --test installs. Whatever the figures are, the exit code is 0; a command that fails ends it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
RUNS=${RUNS:-3}
BUILD=${BUILD:-$root/build/release}
mkdir -p "${1:-$root/build/bench}"
W=$(cd "${1:-$root/build/bench}" && pwd)
S3=$root/tests/tools/s3
port=$((10000 + RANDOM % 400 * 50))
export AWS_ACCESS_KEY_ID=testaccess AWS_SECRET_ACCESS_KEY=testsecret0123456789 AWS_DEFAULT_REGION=us-east-1
endpoint=http://127.0.0.1:$port
holdfast=("$BUILD/bin/holdfast" --config "$W/s3/etc" --no-progress --quiet)
aws() { /usr/bin/aws --endpoint-url "$endpoint" "$@"; }

gateway() { RGW_MEM_BYTES=8589934592 bash "$S3/rgw.sh" "$1" "$W/s3/rgw" "$port" >/dev/null; }
trap 'gateway stop; rm -rf "$W/s3"' EXIT
rm -rf "$W/s3"
mkdir -p "$W/s3/etc/conf.d" "$W/s3/data" "$W/s3/state" "$W/s3/tmp" "$W/s3/stored"
head -c 1073741824 /dev/urandom >"$W/s3/data/noise"
printf '[holdfast]\nstate_dir = %s/state\ntemp_dir = %s/tmp\n' "$W/s3" "$W/s3" >"$W/s3/etc/holdfast.ini"
dir_sink="[sink here]
plugin = dir
path = $W/s3/stored"
s3_sink="[sink away]
plugin = s3
bucket = backups
endpoint = $endpoint"
profile() { # NAME SINK…
    printf '[profile]\nname = %s\n[source]\nplugin = files\npath = %s\n' "$1" "$W/s3/data"
    printf '%s\n' "${@:2}"
}
profile away "$s3_sink" >"$W/s3/etc/conf.d/away.ini"
profile here "$dir_sink" >"$W/s3/etc/conf.d/here.ini"
profile both "$dir_sink" "$s3_sink" >"$W/s3/etc/conf.d/both.ini"

# A URL by which curl may put one object, without knowing how to sign.
presigned() {
    python3 - "$endpoint" <<'END'
import datetime, hashlib, hmac, os, sys, urllib.parse
host = sys.argv[1].split("//")[1]
now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
scope = f"{now[:8]}/us-east-1/s3/aws4_request"
query = urllib.parse.urlencode(sorted({
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": os.environ["AWS_ACCESS_KEY_ID"] + "/" + scope, "X-Amz-Date": now,
    "X-Amz-Expires": "3600", "X-Amz-SignedHeaders": "host"}.items()), quote_via=urllib.parse.quote)
request = f"PUT\n/backups/curl\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
for word in scope.split("/"):
    key = hmac.new(key, word.encode(), hashlib.sha256).digest()
print(f"http://{host}/backups/curl?{query}&X-Amz-Signature={hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}")
END
}

wait_for_idle() {
    local before after idle_before idle_after
    for _ in {1..60}; do
        read -r before idle_before < <(awk '/^cpu /{ print $2 + $3 + $4 + $5 + $6 + $7 + $8, $5 }' /proc/stat)
        sleep 1
        read -r after idle_after < <(awk '/^cpu /{ print $2 + $3 + $4 + $5 + $6 + $7 + $8, $5 }' /proc/stat)
        (((idle_after - idle_before) * 100 / (after - before) < 85)) || return 0
    done
    echo '(the machine is not idle)' >&2
}
declare -A seconds rss
measure() { # LABEL COMMAND…
    local figures took peak command
    printf -v command '%q ' "${@:2}"
    wait_for_idle
    figures=$(python3 "$here/measure.py" "$command") # a command that fails ends the benchmark
    read -r took _ peak <<<"$figures"
    seconds[$1]+=" $took"
    ((peak > ${rss[$1]:-0})) && rss[$1]=$peak
    printf '.' >&2
}
median() { tr ' ' '\n' <<<"$1" | grep . | sort -n | sed -n "$((($(wc -w <<<"$1") + 1) / 2))p"; }

# Each upload meets an empty gateway: one that has already taken some GiB needs fresh memory for more, and takes twice as long.
with_gateway() { # FUNCTION
    gateway start
    aws s3 mb s3://backups >/dev/null
    "$1"
    gateway stop
    rm -rf "$W/s3/restored" "$W/s3/fetched" "${W:?}/s3/stored"/*
}
by_holdfast() {
    measure 'up: holdfast' "${holdfast[@]}" backup away --level none
    measure 'down: holdfast' "${holdfast[@]}" restore away --to "$W/s3/restored"
}
by_aws() {
    measure 'up: aws s3 cp' /usr/bin/aws --endpoint-url "$endpoint" s3 cp --quiet "$W/s3/data/noise" s3://backups/aws
    measure 'down: aws s3 cp' /usr/bin/aws --endpoint-url "$endpoint" s3 cp --quiet s3://backups/aws "$W/s3/fetched"
}
by_curl() { measure 'up: curl' curl -sS --fail -T "$W/s3/data/noise" "$(presigned)"; }
to_both() { measure 'both: holdfast' "${holdfast[@]}" backup both --level none; }

for ((run = 0; run < RUNS; run++)); do
    cat "$W/s3/data/noise" >/dev/null
    with_gateway by_holdfast
    with_gateway by_aws
    with_gateway by_curl
    with_gateway to_both
    measure 'both: dir alone' "${holdfast[@]}" backup here --level none
    rm -rf "${W:?}/s3/stored"/*
done
seconds['both: s3 alone']=${seconds['up: holdfast']}
rss['both: s3 alone']=${rss['up: holdfast']}
echo >&2
for label in 'up: holdfast' 'up: aws s3 cp' 'up: curl' 'down: holdfast' 'down: aws s3 cp' 'both: holdfast' 'both: s3 alone' \
    'both: dir alone'; do
    awk -v label="$label" -v took="$(median "${seconds[$label]}")" -v ours="$(median "${seconds[${label%%:*}: holdfast]}")" \
        -v peak="${rss[$label]}" 'BEGIN { printf "%-16s %6.2f s  %4.0f MiB  holdfast takes %.2f of it\n", label, took, peak / 1024, ours / took }'
done
