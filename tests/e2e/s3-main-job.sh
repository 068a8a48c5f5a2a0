#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Backups in a bucket, over http and https: whole, plain for other clients, and read back by us when they copied them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../tools/s3/lib.sh"
gateway

make_files "$DATA/config"
head -c 30000000 /dev/urandom >"$DATA/config/big" # four parts
s3_profile config files "$DATA/config" 'tags = team=omen "of=a b"'
json 0 check config
holds '[.results[0].findings[] | select(.code == "no-clobber-by-server")] | length == 1'
equal 'left by the check' '' "$(keys)"
id=$(backup config)
equal 'keys' "omen/prod/$id.manifest.json omen/prod/$id.sha256 omen/prod/$id.tar omen/prod/$id.verified.json" \
    "$(keys | sort | tr '\n' ' ' | sed 's/ $//')"
no_uploads
aws s3api get-object-tagging --bucket backups --key "omen/prod/$id.tar" >"$T/tags"
jq -e '.TagSet | map({(.Key): .Value}) | add == {"team": "omen", "of": "a b"}' "$T/tags" >/dev/null || fail "tags: $(cat "$T/tags")"
expect 0 verify config
expect 0 restore config --to "$T/restored"
same_metadata "$DATA/config" "$T/restored$DATA/config"
expect 0 restore config --only "${DATA#/}/config/omen.yaml" --to "$T/one"

# Without us: two other clients, sha256sum and tar.
mkdir "$T/aws" "$T/rclone"
aws s3 cp --quiet --recursive s3://backups/omen/prod "$T/aws"
rclone copy ceph:backups/omen/prod "$T/rclone"
same_tree "$T/aws" "$T/rclone"
(cd "$T/aws" && sha256sum -c --quiet "$id.sha256")
mkdir "$T/plain"
tar -xf "$T/aws/$id.tar" -C "$T/plain"
same_metadata "$DATA/config" "$T/plain$DATA/config"

# What they wrote: a copy by each, in buckets of their own.
rclone mkdir ceph:copied
aws s3 cp --quiet --recursive "$T/aws" s3://copied/omen/prod
sed -i 's/^bucket = .*/bucket = copied/' "$ETC/conf.d/config.ini"
json 0 list config
equal 'listed' "$id" "$(j '.results[0].backups[].id')"
expect 0 verify config
rclone copy "$T/rclone" ceph:cloned/flat
sed -i 's/^bucket = .*/bucket = cloned/; s/^prefix = .*/prefix = flat/' "$ETC/conf.d/config.ini"
expect 0 restore config --to "$T/from-rclone"
same_metadata "$DATA/config" "$T/from-rclone$DATA/config"

# https: the authority has to be known. The server keeps what it is given under a key that it forgets.
openssl rand -base64 32 >"$T/key"
chmod 600 "$T/key"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=another -keyout "$T/other.key" -out "$T/other.pem" 2>/dev/null
tls="prefix = tls
style = path
sse = customer
sse_customer_key = \${file:$T/key}"
ENDPOINT=$S3_TLS_ENDPOINT s3_profile secret files "$DATA/config"
sed -i '/^prefix/d' "$ETC/conf.d/secret.ini"
printf '%s\n' "$tls" >>"$ETC/conf.d/secret.ini"
hf backup secret
[[ $RC != 0 ]] || fail 'a certificate of an unknown authority is accepted'
says 'certificate' 'ca_file'
sed -i "\$aca_file = $T/other.pem" "$ETC/conf.d/secret.ini"
hf backup secret
[[ $RC != 0 ]] || fail 'a certificate of another authority is accepted'
sed -i "s,^ca_file.*,ca_file = $S3_CA," "$ETC/conf.d/secret.ini"
secret=$(backup secret)
expect 0 restore secret --to "$T/from-tls"
same_metadata "$DATA/config" "$T/from-tls$DATA/config"
if aws s3 cp --quiet "s3://backups/tls/$secret.tar" "$T/leak" 2>/dev/null; then fail 'readable without its key'; fi
if grep -rqF "$(cat "$T/key")" "$OUT" "$ERR"; then fail 'the key is to be seen'; fi

# The bucket's name in front of the host's.
ENDPOINT=${S3_ENDPOINT/127.0.0.1/localhost} s3_profile config files "$DATA/config" 'style = virtual'
expect 0 verify config

# Many artifacts of one backup, which wait for each other: in memory as long as they are few and small, then in the bucket.
for number in {1..9}; do
    head -c 900000 /dev/urandom >"$T/noise"
    sqlite3 "$DATA/$number.db" "create table t (x); insert into t values (readfile('$T/noise'))"
done
s3_profile databases sqlite "$DATA/*.db" 'part_size = 5M
sse = kms
sse_kms_key = holdfast-one'
json 0 check databases
json 0 backup databases
key=omen/prod/$(j '.results[0].id').manifest.json
aws s3api head-object --bucket backups --key "$key" >"$T/head"
jq -e '.ServerSideEncryption == "aws:kms" and .SSEKMSKeyId == "holdfast-one"' "$T/head" >/dev/null || fail "encrypted so: $(cat "$T/head")"
equal 'artifacts' 9 "$(j '.results[0].artifacts | length')"
no_uploads
expect 0 verify databases
expect 0 restore databases --to "$T/databases"
for number in {1..9}; do
    equal "content of database $number" "$(sqlite3 "$DATA/$number.db" 'select hex(x) from t' | sha256sum)" \
        "$(sqlite3 "$T/databases/$number.db" 'select hex(x) from t' | sha256sum)"
done

# What a listing shows to be unchanged is not fetched again; what was written anew is; and what is known of it may be lost.
proxy
ENDPOINT=$S3_PROXY s3_profile config files "$DATA/config"
fetched() { # COUNT: manifests and verification records in one run of list
    : >"$T/requests"
    json 0 list config
    equal 'fetched' "$1" "$(grep -c '^GET /[^?]*\.json ' "$T/requests" || true)"
}
rm -rf "$T/state/catalog"
fetched 2
cp "$OUT" "$T/list"
fetched 0
cmp "$OUT" "$T/list"
printf '#' | dd of="$T/state/catalog/config.away" bs=1 seek=300 conv=notrunc status=none
fetched 2
cmp "$OUT" "$T/list"
json 0 verify config --level quick
fetched 0
echo '{}' | rclone rcat "ceph:backups/omen/prod/$(j '.results[0].backups[-1].id').manifest.json"
fetched 1
holds '.results[0].backups[-1].sinks[0].whole | not'
