#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures the s3 sink against the AWS client and one bare PUT by curl: 1 GiB that does not compress, into a Ceph gateway in memory
# on this machine. The commands take turns; before each, the machine is waited for to be idle.
# usage: tests/bench/s3.sh [DIR]       DIR: for the data set, 4 GiB free; default: build/bench
#   RUNS=3     how often each command runs (its median counts)
#   BUILD=…    the build to measure; default: build/release
# Needs what scripts/deps.sh --test installs. Whatever the figures are, the exit code is 0.
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
mkdir -p "$W/s3/etc/conf.d" "$W/s3/data" "$W/s3/state" "$W/s3/tmp"
head -c 1073741824 /dev/urandom >"$W/s3/data/noise"
printf '[holdfast]\nstate_dir = %s/state\ntemp_dir = %s/tmp\n' "$W/s3" "$W/s3" >"$W/s3/etc/holdfast.ini"
cat >"$W/s3/etc/conf.d/noise.ini" <<END
[profile]
name = noise
[source]
plugin = files
path = $W/s3/data
[sink away]
plugin = s3
bucket = backups
endpoint = $endpoint
END

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
    local took peak command
    printf -v command '%q ' "${@:2}"
    wait_for_idle
    read -r took _ peak < <(python3 "$here/measure.py" "$command")
    seconds[$1]+=" $took"
    ((peak > ${rss[$1]:-0})) && rss[$1]=$peak
    printf '.' >&2
}
median() { tr ' ' '\n' <<<"$1" | grep . | sort -n | sed -n "$((($(wc -w <<<"$1") + 1) / 2))p"; }

for ((run = 0; run < RUNS; run++)); do
    gateway start
    aws s3 mb s3://backups >/dev/null
    cat "$W/s3/data/noise" >/dev/null
    measure 'up: holdfast' "${holdfast[@]}" backup noise --level none
    measure 'up: aws s3 cp' /usr/bin/aws --endpoint-url "$endpoint" s3 cp --quiet "$W/s3/data/noise" s3://backups/aws
    measure 'up: curl' curl -sS --fail -T "$W/s3/data/noise" "$(presigned)"
    measure 'down: holdfast' "${holdfast[@]}" restore noise --to "$W/s3/restored"
    rm -rf "$W/s3/restored"
    measure 'down: aws s3 cp' /usr/bin/aws --endpoint-url "$endpoint" s3 cp --quiet s3://backups/aws "$W/s3/fetched"
    rm -f "$W/s3/fetched"
    gateway stop
done
echo >&2
for label in 'up: holdfast' 'up: aws s3 cp' 'up: curl' 'down: holdfast' 'down: aws s3 cp'; do
    awk -v label="$label" -v took="$(median "${seconds[$label]}")" -v ours="$(median "${seconds[${label%%:*}: holdfast]}")" \
        -v peak="${rss[$label]}" 'BEGIN { printf "%-16s %6.2f s  %4.0f MiB  holdfast takes %.2f of it\n", label, took, peak / 1024, ours / took }'
done
