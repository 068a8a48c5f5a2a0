#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Objects that are locked cannot be removed, by nobody, and retention says until when; what passes is not locked.
. "$(dirname "$0")/lib_sinks.sh"
. "$(dirname "$0")/../tools/s3/lib.sh"
gateway

make_files "$DATA/config"
head -c 9000000 /dev/urandom >"$DATA/config/big" # in parts; the manifest goes whole
aws s3api create-bucket --bucket locked --object-lock-enabled-for-bucket >/dev/null
s3_profile config files "$DATA/config" 'lock = 30d
lock_mode = compliance'
printf '\n[retention]\nkeep_last = 1\n' >>"$ETC/conf.d/config.ini"

# A bucket that cannot lock is found by the check, and refuses.
hf check config
[[ $RC != 0 ]] || fail 'a bucket without object lock is taken'
says 'without object lock'
json 1 backup config
says 'did not lock it' 'hint:'
equal 'stored without a lock' '' "$(keys)"

s3_profile small files "$DATA/config/omen.yaml" 'lock = 30d'
json 1 backup small
says 'made with object lock'
equal 'stored without a lock' '' "$(keys)"
rm "$ETC/conf.d/small.ini"

sed -i 's/^bucket = .*/bucket = locked/' "$ETC/conf.d/config.ini"
json 0 check config
first=$(backup config)
equal 'what the check left' '' "$(rclone lsf -R --s3-versions ceph:locked | grep holdfast-check || true)"
second=$(backup config)
for key in "$first.tar" "$first.manifest.json"; do
    aws s3api get-object-retention --bucket locked --key "omen/prod/$key" >"$T/retention" || fail "'$key' is not locked"
    jq -e --arg day "$(date -u -d '+30 days' +%F)" '.Retention.Mode == "COMPLIANCE" and (.Retention.RetainUntilDate | startswith($day))' \
        "$T/retention" >/dev/null || fail "'$key' is locked so: $(cat "$T/retention")"
done
json 0 list config
equal 'listed' "$first $second" "$(j '[.results[0].backups[].id] | join(" ")')"

# Retention would take the first; it may not, and says so, with and without doing.
for flag in --dry-run ''; do
    json 0 prune config $flag
    holds ".results[0].items[] | select(.id == \"$first\") | .remove == false and (.reason | test(\"locked in the sink until\"))"
done
expect 0 verify "$first"
equal 'passing records' '' "$(rclone lsf -R ceph:locked | grep -E 'commit|removing' || true)"
equal 'their versions' '' "$(rclone lsf -R --s3-versions ceph:locked | grep -E 'commit|removing' || true)"

# Also when the profile locks no more.
cp "$ETC/conf.d/config.ini" "$T/locking.ini"
sed -i '/^lock/d' "$ETC/conf.d/config.ini"
json 0 prune config
holds ".results[0].items[] | select(.id == \"$first\") | .remove == false and (.reason | test(\"locked in the sink until\"))"
cp "$T/locking.ini" "$ETC/conf.d/config.ini"
expect 0 verify "$first"

# By the server's word, too: not even who has the keys can remove a version.
version=$(aws s3api list-object-versions --bucket locked --prefix "omen/prod/$first.tar" --query 'Versions[0].VersionId' --output text)
if aws s3api delete-object --bucket locked --key "omen/prod/$first.tar" --version-id "$version" >/dev/null 2>&1; then
    fail 'a locked version was removed'
fi
expect 0 verify "$first"

# A run that fails when its artifact is locked already: nothing is visible of it, and the next run is not kept from its work.
proxy
echo '{"method": "PUT", "match": ".manifest.json", "do": "answer", "status": "500 Oops"}' >"$RULES"
sed -i "s,^endpoint = .*,endpoint = $S3_PROXY," "$ETC/conf.d/config.ini"
sed -i '/^bucket/aretries = 1' "$ETC/conf.d/config.ini"
json 8 backup config
says 'stays for now' 'is locked until'
: >"$RULES"
third=$(backup config)
json 0 list config
equal 'listed' "$first $second $third" "$(j '[.results[0].backups[].id] | join(" ")')"

# Several sinks, and one fails at the last moment: a manifest that could not be taken back is written after the others, so that
# it names none that does not have the backup; and a run that fails leaves none that looks like one.
rm "$ETC/conf.d/config.ini"
for required in no yes; do
    base_profile config files "$DATA/config"
    printf '\n[sink vault]\nplugin = s3\nbucket = locked\nprefix = %s\nendpoint = %s\nlock = 1d\n' "$required" "$S3_ENDPOINT" \
        >>"$ETC/conf.d/config.ini"
    sink config b odd "required = $required
at = commit
what = fail
key = .manifest.json"
    chmod 600 "$ETC/conf.d/config.ini"
    if [[ $required == no ]]; then
        json 3 backup config
        equal 'stored in' 'vault true b false' "$(stored_in)"
        equal 'named' '["vault"]' "$(rclone cat "ceph:locked/no/$(j '.results[0].id').manifest.json" | jq -c .sinks)"
    else
        json 1 backup config
        json 0 list config
        equal 'backups' 0 "$(j '.results[0].backups | length')"
    fi
done
