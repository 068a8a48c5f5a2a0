# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
#
# For behaviour tests with an S3 server, after tests/e2e/lib.sh:   . "$SOURCE/tests/tools/s3/lib.sh"
# Starts a Ceph gateway in $T/rgw with a bucket `backups`; all of it goes when the test ends.
#   S3_ENDPOINT, S3_TLS_ENDPOINT, S3_CA, and AWS_* for the independent clients
S3_TOOLS=$SOURCE/tests/tools/s3
unset "${!AWS_@}"
export AWS_ACCESS_KEY_ID=testaccess AWS_SECRET_ACCESS_KEY=testsecret0123456789 AWS_DEFAULT_REGION=us-east-1 \
    AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
S3_GATEWAY='' S3_PROXY='' PORT_LOCKS=()

s3_clean_up() {
    local status=$?
    trap - ERR
    set +e
    [[ -z $S3_GATEWAY ]] || bash "$S3_TOOLS/rgw.sh" stop "$S3_GATEWAY"
    rm -f "${PORT_LOCKS[@]}"
    (exit "$status")
    clean_up
}
trap s3_clean_up EXIT

# free_ports COUNT: PORTS is the first of so many that nobody listens at, below those the kernel gives away. Tests that run
# beside this one leave them alone as long as it, or what it started, is there.
free_ports() {
    local port lock file
    for _ in {1..50}; do
        PORTS=$((10000 + RANDOM % 400 * 50))
        file=${TMPDIR:-/tmp}/holdfast-test-ports-$PORTS
        exec {lock}>"$file"
        if flock -n "$lock"; then
            for ((port = PORTS; port < PORTS + $1; port++)); do
                ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
            done
            if ((port == PORTS + $1)); then
                PORT_LOCKS+=("$file")
                return
            fi
        fi
        exec {lock}>&-
    done
    fail 'no free ports'
}

# gateway: starts it. A port that somebody takes at the same moment is a reason to try another.
gateway() {
    local base
    needs ceph-mon ceph-osd radosgw radosgw-admin openssl rclone
    S3_GATEWAY=$T/rgw
    for _ in {1..5}; do
        free_ports 50
        base=$PORTS
        if RGW_TLS_PORT=$((base + 48)) bash "$S3_TOOLS/rgw.sh" start "$S3_GATEWAY" "$base" >"$T/rgw.out" 2>&1; then
            S3_PORT=$base S3_ENDPOINT=http://127.0.0.1:$base S3_TLS_ENDPOINT=https://localhost:$((base + 48))
            S3_CA=$S3_GATEWAY/tls/ca.pem
            export RCLONE_CONFIG_CEPH_TYPE=s3 RCLONE_CONFIG_CEPH_PROVIDER=Ceph RCLONE_CONFIG_CEPH_ENV_AUTH=true \
                RCLONE_CONFIG_CEPH_ENDPOINT=$S3_ENDPOINT RCLONE_CONFIG=/dev/null
            rclone mkdir ceph:backups
            return
        fi
    done
    fail "the gateway does not start: $(tail -3 "$T/rgw.out")"
}
gateway_kill() { bash "$S3_TOOLS/rgw.sh" kill "$S3_GATEWAY"; }
gateway_revive() { bash "$S3_TOOLS/rgw.sh" revive "$S3_GATEWAY"; }

# swift: another server, OpenStack Swift, instead of the gateway, with a bucket `backups`.
swift() {
    local port
    needs rclone
    /usr/bin/python3 -c 'import swift.common' 2>/dev/null || skip 'needs python3-swift (scripts/deps.sh --test installs it)'
    free_ports 4
    port=$PORTS
    /usr/bin/python3 "$S3_TOOLS/swift-s3.py" "$T/swift" "$port" >"$T/swift.out" 2>&1 &
    S3_ENDPOINT=http://127.0.0.1:$port
    export AWS_ACCESS_KEY_ID=test:tester AWS_SECRET_ACCESS_KEY=testing RCLONE_CONFIG_CEPH_TYPE=s3 RCLONE_CONFIG=/dev/null \
        RCLONE_CONFIG_CEPH_PROVIDER=Other RCLONE_CONFIG_CEPH_REGION=us-east-1 RCLONE_CONFIG_CEPH_ENV_AUTH=true \
        RCLONE_CONFIG_CEPH_ENDPOINT=$S3_ENDPOINT
    wait_for 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
    rclone mkdir ceph:backups
}

# proxy: harm by the rules in $RULES, at $S3_PROXY; what was asked for is in $T/requests.
proxy() {
    local port
    free_ports 1
    port=$PORTS
    RULES=$T/rules
    : >"$RULES"
    python3 "$S3_TOOLS/faulty-proxy.py" "$port" "$S3_PORT" "$RULES" "$T/requests" >"$T/proxy.out" 2>&1 &
    S3_PROXY=http://127.0.0.1:$port
    wait_for 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
}

# One client of the same kind as people use; it takes its time to start, so that rclone does what is no test of it.
aws() {
    [[ -x /usr/bin/aws ]] || skip 'needs awscli (scripts/deps.sh --test installs it)'
    /usr/bin/aws --endpoint-url "$S3_ENDPOINT" "$@" </dev/null
}
admin() { radosgw-admin -c "$S3_GATEWAY/ceph.conf" "$@"; }

# s3_profile NAME SOURCE PATH [LINES OF THE SINK]: gzip-less, one sink in the bucket, which no other machine
# writes to. ENDPOINT stands for another endpoint, SWEEP_AFTER for another age.
s3_profile() {
    profile "$1" <<END
[profile]
name = $1

[source]
plugin = $2
path = $3

[sink away]
plugin = s3
bucket = backups
prefix = omen/prod
endpoint = ${ENDPOINT:-$S3_ENDPOINT}
sweep_after = ${SWEEP_AFTER:-0}
${4:-}
$([[ ${4:-} == *part_size* ]] || echo 'part_size = 8M')
END
    chmod 600 "$ETC/conf.d/$1.ini"
}

# keys [PREFIX]: of the objects in the bucket that begin with it.
keys() { rclone lsf -R --files-only ceph:backups | sed -n "s,^${1:-},&,p"; }
uploads() { rclone backend list-multipart-uploads ceph:backups | jq -r '.backups[]?.Key'; }
no_uploads() { equal 'unfinished uploads' '' "$(uploads)"; }
# Whatever is in the bucket belongs to a backup with a manifest.
bucket_whole() {
    local key id all
    all=$(keys)
    while read -r key; do
        key=${key##*/}
        [[ -z $key ]] && continue
        [[ $key =~ ^([a-z0-9-]+_[0-9]{8}_[0-9]{6})\. && $key != *.commit.json && $key != *.removing.json ]] ||
            fail "left over in the bucket: $key"
        id=${BASH_REMATCH[1]}
        grep -qxF "omen/prod/$id.manifest.json" <<<"$all" || fail "in the bucket without a manifest: $key"
    done <<<"$all"
}
