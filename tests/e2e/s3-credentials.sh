#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# Keys from the profile, the files of the AWS tools, a token service, and the metadata services of containers and machines;
# temporary ones are renewed in the middle of an upload. None is ever to be seen.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../tools/s3/lib.sh"
gateway

make_files "$DATA/config"
access=$AWS_ACCESS_KEY_ID secret=$AWS_SECRET_ACCESS_KEY
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
works() { # ORIGIN: and nothing is to be seen of the keys
    json 0 check config
    says "the keys come from $1"
    expect 0 backup config --verbose
    if grep -qF "$secret" "$OUT" "$ERR"; then fail 'a key is to be seen'; fi
    hf config show config
    if grep -qF "$secret" "$OUT" "$ERR"; then fail 'a key is to be seen'; fi
}

printf '%s' "$secret" >"$T/secret"
chmod 600 "$T/secret"
s3_profile config files "$DATA/config" "access_key = $access
secret_key = \${file:$T/secret}"
works 'the profile'

mkdir "$T/aws"
cat >"$T/aws/credentials" <<END
[default]
aws_access_key_id = wrong
aws_secret_access_key = wrong

[omen]
aws_access_key_id = $access
aws_secret_access_key = $secret
END
printf '[profile omen]\nregion = eu-test-1\n' >"$T/aws/config"
export AWS_SHARED_CREDENTIALS_FILE=$T/aws/credentials AWS_CONFIG_FILE=$T/aws/config
s3_profile config files "$DATA/config" 'aws_profile = omen'
works 'a file of the AWS tools'
s3_profile config files "$DATA/config"
hf backup config
[[ $RC != 0 ]] || fail 'the wrong profile works'
AWS_PROFILE=omen works 'a file of the AWS tools'
export AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_CONFIG_FILE=/dev/null

# The metadata services of containers and machines.
free_ports 1
port=$PORTS
printf '{"AccessKeyId": "%s", "SecretAccessKey": "%s"}' "$access" "$secret" >"$T/keys"
python3 "$S3_TOOLS/metadata.py" "$port" "$T/keys" "$T/asked" 2>"$T/metadata.err" &
wait_for 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
echo container-token >"$T/token"
AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:$port/container AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=$T/token \
    works "the container's metadata service"
export AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:$port/ AWS_EC2_METADATA_DISABLED=false
works "the machine's metadata service"

# A role, for a token that Kubernetes keeps new in a file; by the environment, and by a profile.
export AWS_ENDPOINT_URL_STS=http://127.0.0.1:$port/ AWS_EC2_METADATA_DISABLED=true
role=arn:aws:iam::123456789012:role/backup
echo web/token+1 >"$T/web-token"
AWS_WEB_IDENTITY_TOKEN_FILE=$T/web-token AWS_ROLE_ARN=$role works 'a role, for the token in a file'
printf '[profile k8s]\nrole_arn = %s\nweb_identity_token_file = %s\n' "$role" "$T/web-token" >"$T/aws/config"
AWS_CONFIG_FILE=$T/aws/config AWS_PROFILE=k8s works 'a file of the AWS tools'
AWS_WEB_IDENTITY_TOKEN_FILE=$T/web-token AWS_ROLE_ARN=$role-of-others json 1 backup config
says AccessDenied 'hint:' "$T/web-token"
echo stale-token >"$T/web-token"
AWS_WEB_IDENTITY_TOKEN_FILE=$T/web-token AWS_ROLE_ARN=$role json 1 backup config
says InvalidIdentityToken 'renewed'
if grep -qF stale-token "$OUT" "$ERR"; then fail 'the token is to be seen'; fi
AWS_WEB_IDENTITY_TOKEN_FILE=$T/none AWS_ROLE_ARN=$role json 1 backup config
says "$T/none"
AWS_ENDPOINT_URL_STS=http://sts.example.org AWS_WEB_IDENTITY_TOKEN_FILE=$T/web-token AWS_ROLE_ARN=$role json 2 backup config
says 'neither https nor an address of this machine'
export AWS_EC2_METADATA_DISABLED=false

# A session token is sent along; when the server says that it has run out, new keys are fetched, once.
proxy
printf '{"AccessKeyId": "%s", "SecretAccessKey": "%s", "Token": "a-session-token"}' "$access" "$secret" >"$T/keys"
cat >"$T/renew.sh" <<END
printf '{"AccessKeyId": "%s", "SecretAccessKey": "%s"}' '$access' '$secret' >'$T/keys'
END
expired='<Error><Code>ExpiredToken</Code><Message>too old</Message></Error>'
cat >"$RULES" <<END
{"header": "x-amz-security-token", "do": "answer", "status": "400 Bad Request", "body": "$expired", "command": "bash $T/renew.sh"}
END
ENDPOINT=$S3_PROXY s3_profile config files "$DATA/config"
expect 0 backup config
grep -q ' answer$' "$T/requests" || fail 'no request had the session token'
printf '{"AccessKeyId": "%s", "SecretAccessKey": "%s", "Token": "a-session-token"}' "$access" "$secret" >"$T/keys"
sed -i 's/, "command.*/}/' "$RULES"
json 1 backup config
says ExpiredToken 'session token'
if grep -qF a-session-token "$OUT" "$ERR"; then fail 'a token is to be seen'; fi

# Keys that run out while an upload goes on: the first pair is taken away in the middle.
admin key create --uid=test --access-key=first-pair --secret-key=first-pair-secret >/dev/null
admin key create --uid=test --access-key=second-pair --secret-key=second-pair-secret >/dev/null
echo '{"AccessKeyId": "first-pair", "SecretAccessKey": "first-pair-secret", "lives": 4}' >"$T/keys"
head -c 50000000 /dev/urandom >"$DATA/config/big"
s3_profile config files "$DATA/config" 'rate = 10M'
start=$SECONDS
"$HOLDFAST" --config "$ETC" backup config --level none >"$OUT" 2>"$ERR" </dev/null &
run=$!
uploading() { AWS_ACCESS_KEY_ID=$access AWS_SECRET_ACCESS_KEY=$secret uploads | grep -q .; }
wait_for 10 uploading
echo '{"AccessKeyId": "second-pair", "SecretAccessKey": "second-pair-secret"}' >"$T/keys"
wait_for 10 eval '(($(grep -c "^GET.*backup-role" "$T/asked") >= 3))'
sleep 1 # what was signed with the first pair has reached the server
admin key rm --uid=test --access-key=first-pair >/dev/null
RC=0
wait "$run" || RC=$?
equal 'exit code of the backup whose keys ran out' 0 "$RC"
((SECONDS - start >= 4)) || fail "50 MB at 10 MiB/s took $((SECONDS - start)) s"
sed -i '/^rate/d' "$ETC/conf.d/config.ini"
expect 0 verify config
