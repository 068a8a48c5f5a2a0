# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For behaviour tests of the libs3 sink, after tests/tools/s3/lib.sh.
[[ -e $BUILD/plugins/sink-libs3.so ]] || skip 'built without libs3'

# libs3_profile NAME SOURCE PATH [LINES OF THE SINK]: one sink in the bucket. ENDPOINT stands for another endpoint.
libs3_profile() {
    profile "$1" <<END
[profile]
name = $1

[source]
plugin = $2
path = $3

[sink away]
plugin = libs3
bucket = backups
prefix = omen/prod
endpoint = ${ENDPOINT:-$S3_ENDPOINT}
access_key = \${env:AWS_ACCESS_KEY_ID}
secret_key = \${env:AWS_SECRET_ACCESS_KEY}
sweep_after = ${SWEEP_AFTER:-0}
${4:-}
END
}

# Whatever is in the bucket belongs to a backup with a manifest, and each segment to an index.
libs3_whole() {
    local key id all
    all=$(keys omen/prod/ | sed 's,^omen/prod/,,')
    while read -r key; do
        [[ -n $key ]] || continue
        [[ $key =~ ^([a-z0-9-]+_[0-9]{8}_[0-9]{6})\. && $key != *.commit.json && $key != *.removing.json ]] ||
            fail "left over in the bucket: $key"
        id=${BASH_REMATCH[1]}
        grep -qxF "$id.manifest.json" <<<"$all" || fail "in the bucket without a manifest: $key"
        if [[ $key =~ \.segment-([0-9a-f]{12})-[0-9]+$ ]]; then
            grep -q "\.segments-${BASH_REMATCH[1]}-" <<<"$all" || fail "in the bucket without an index: $key"
        fi
    done <<<"$all"
}
