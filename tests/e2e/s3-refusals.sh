#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a server or its absence refuses is said in a sentence with a way out, at once where waiting would not help, and earlier
# backups stay whole.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../tools/s3/lib.sh"
needs faketime
gateway

make_files "$DATA/config"
s3_profile config files "$DATA/config" 'retries = 2'
first=$(backup config)
whole() { expect 0 verify "$first" --level digest; }
quiet_says() { grep -qF -- "$1" "$ERR"; }
# refused EXIT TEXT…: a backup, and the check before it.
refused() {
    local code=$1
    shift
    json "$code" backup config
    says "$@" 'hint:'
    if quiet_says 'trying again'; then fail 'it tried again what cannot go well'; fi
    hf check config
    [[ $RC != 0 ]] || fail 'the check does not notice'
    says "$1"
}

AWS_SECRET_ACCESS_KEY=wrong-secret-wrong refused 1 SignatureDoesNotMatch 'secret key'
AWS_ACCESS_KEY_ID=nobody refused 1 InvalidAccessKeyId 'access key'
whole

# The clock: an hour slow, an hour fast. A sanitizer does not bear the library that pretends so.
shifts=(-3600 +3600)
[[ $SANITIZED == 0 ]] || shifts=()
for shift in "${shifts[@]}"; do
    RC=0
    faketime -f "$shift" "$HOLDFAST" --config "$ETC" backup config >"$OUT" 2>"$ERR" </dev/null || RC=$?
    equal "exit code with the clock at $shift" 1 "$RC"
    says 'the clock of this machine is 60 minutes' 'NTP'
done
whole

sed -i 's/^bucket = .*/bucket = nowhere/' "$ETC/conf.d/config.ini"
refused 8 'there is no such bucket' "'nowhere'"
json 8 list config
json 8 verify "$first"
sed -i 's/^bucket = .*/bucket = backups/' "$ETC/conf.d/config.ini"
whole

# A host that nobody knows stays one, however often it is tried.
endpoint=$(sed -n 's/^endpoint = //p' "$ETC/conf.d/config.ini")
sed -i 's,^endpoint = .*,endpoint = http://no-such-host.invalid,' "$ETC/conf.d/config.ini"
json 8 backup config
says 'Could not resolve host' 'the right endpoint'
sed -i "s,^endpoint = .*,endpoint = $endpoint," "$ETC/conf.d/config.ini"
whole

# Wishes that the server does not grant, or passes over without a word: this one does not know SSE-S3.
wish() {
    sed -i '/^\(sse\|storage_class\)/d' "$ETC/conf.d/config.ini"
    printf '%s\n' "$@" >>"$ETC/conf.d/config.ini"
}
wish 'sse = s3'
refused 1 'without the encryption' 'take sse out'
wish 'sse = kms' 'sse_kms_key = nobodys'
refused 1 'nobodys' 'sse_kms_key must be'
wish 'storage_class = NONE_SUCH'
json 1 backup config
json 1 check config
wish
bucket_whole
no_uploads
ENDPOINT=$S3_TLS_ENDPOINT s3_profile secret files "$DATA/config" "ca_file = $S3_CA
sse = customer
sse_customer_key = $(head -c 32 /dev/zero | base64)"
secret=$(backup secret)
sed -i 's/^sse_customer_key = .*/sse_customer_key = '"$(head -c 32 /dev/urandom | base64 | sed 's,/,\\/,g')/" "$ETC/conf.d/secret.ini"
json 1 verify "$secret"
says 'another sse_customer_key'
sed -i '/^sse/d' "$ETC/conf.d/secret.ini"
json 1 verify "$secret"
says 'sse = customer?'
rm "$ETC/conf.d/secret.ini"
whole

# Somebody else's bucket.
admin user create --uid=other --display-name=other --access-key=other --secret-key=othersecret >/dev/null
AWS_ACCESS_KEY_ID=other AWS_SECRET_ACCESS_KEY=othersecret refused 1 AccessDenied "'backups'"

# Nobody there; then TLS where none is spoken, and none where it is.
free_ports 1
sed -i "s,^endpoint = .*,endpoint = http://127.0.0.1:$PORTS," "$ETC/conf.d/config.ini"
json 8 backup config
says 'trying again' 'connect' 'hint:'
sed -i "s,^endpoint = .*,endpoint = ${S3_ENDPOINT/http:/https:}," "$ETC/conf.d/config.ini"
json 8 backup config
says 'http://'
sed -i "s,^endpoint = .*,endpoint = ${S3_TLS_ENDPOINT/https:/http:}," "$ETC/conf.d/config.ini"
hf backup config
[[ $RC != 0 ]] || fail 'http to a TLS port works'
sed -i "s,^endpoint = .*,endpoint = $S3_ENDPOINT," "$ETC/conf.d/config.ini"
unset AWS_ACCESS_KEY_ID
refused 1 'no credentials'
export AWS_ACCESS_KEY_ID=testaccess
whole

# A quota that is used up in the middle: nothing visible, nothing left.
head -c 60000000 /dev/urandom >"$DATA/config/big"
admin quota set --quota-scope=bucket --uid=test --max-size=20M >/dev/null
admin quota enable --quota-scope=bucket --uid=test >/dev/null
json 1 backup config
says QuotaExceeded 'quota' 'holdfast prune'
admin quota disable --quota-scope=bucket --uid=test >/dev/null
bucket_whole
no_uploads
whole
expect 0 backup config

# The bucket vanishes: said, and not taken for an empty one.
sed -i '$arate = 20M' "$ETC/conf.d/config.ini"
"$HOLDFAST" --config "$ETC" backup config --json >"$OUT" 2>"$ERR" </dev/null &
run=$!
uploading() { [[ -n $(uploads) ]]; }
wait_for 10 uploading
rclone purge ceph:backups
RC=0
wait "$run" || RC=$?
[[ $RC == 1 || $RC == 8 ]] || fail "a backup whose bucket vanishes ends with exit code $RC"
says 'hint:'
json 8 list config
says 'there is no such bucket'
