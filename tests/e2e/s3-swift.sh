#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Another server than Ceph: OpenStack Swift, which allows 1000 parts, cannot refuse to overwrite, and passes over or refuses
# what it does not know. Backups are whole, wishes that cannot be granted are told, and nothing is left.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../tools/s3/lib.sh"
swift

make_files "$DATA/config"
head -c 12000000 /dev/urandom >"$DATA/config/big"
s3_profile config files "$DATA/config" 'part_size = 5M'
json 1 check config
says 'max_parts'
sed -i '/^part_size/amax_parts = 1000' "$ETC/conf.d/config.ini"
json 0 check config
holds '[.results[0].findings[] | select(.code == "no-clobber-by-look")] | length == 1'
equal 'left by the check' '' "$(keys)"
no_uploads
first=$(backup config)
bucket_whole
no_uploads
expect 0 restore config --to "$T/restored"
same_metadata "$DATA/config" "$T/restored$DATA/config"
rclone copy ceph:backups/omen/prod "$T/rclone"
(cd "$T/rclone" && sha256sum -c --quiet "$first.sha256")

# A killed run, whose upload the next one takes back; retention.
printf '[retention]\nkeep_last = 1\n' >>"$ETC/conf.d/config.ini"
sed -i '/^part_size/arate = 10M' "$ETC/conf.d/config.ini"
"$HOLDFAST" --config "$ETC" backup config >/dev/null 2>&1 &
run=$!
uploading() { uploads | grep -q .; }
wait_for 10 uploading
kill -9 "$run"
wait "$run" 2>/dev/null || true
uploading || fail 'the run was over before it was killed'
sed -i '/^rate/d' "$ETC/conf.d/config.ini"
second=$(backup config)
bucket_whole
no_uploads
equal 'kept' "$second" "$(keys | sed -n 's,^omen/prod/\(.*\).manifest.json,\1,p')"

wish() { # LINE TEXT: neither the check nor a backup takes it
    s3_profile config files "$DATA/config" "part_size = 5M
max_parts = 1000
$1"
    json 1 check config
    json 1 backup config
    says "$2"
}
wish 'lock = 1d' 'did not lock it'
wish 'tags = a=b' 'NotImplemented'
wish 'storage_class = STANDARD_IA' 'InvalidStorageClass'
wish 'sse = s3' 'NotImplemented'
s3_profile config files "$DATA/config" 'max_parts = 1000'
AWS_SECRET_ACCESS_KEY=wrong json 1 backup config
says 'SignatureDoesNotMatch'
bucket_whole
no_uploads
expect 0 verify "$second"
