#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# A network and a server that do harm in the middle: what may go well the next time is tried again and ends whole; what does not
# leaves nothing visible, and earlier backups as they were.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../tools/s3/lib.sh"
gateway
proxy

make_files "$DATA/config"
head -c 12000000 /dev/urandom >"$DATA/config/big"
ENDPOINT=$S3_PROXY s3_profile config files "$DATA/config" 'stall_timeout = 2s
retries = 2'
first=$(backup config)

rules() { # each replaces the former
    : >"$T/requests"
    printf '%s\n' "$@" >"$RULES"
}
harmed() { # COUNT KIND: the proxy did its harm at least so often; libcurl repeats some requests by itself
    local count
    count=$(grep -c " $2\$" "$T/requests" || true)
    ((count >= $1)) || fail "$count requests met with '$2', expected $1"
}
survives() { # WHAT COUNT KIND
    json 0 backup config
    harmed "$2" "$3"
    id=$(j '.results[0].id')
    bucket_whole
    no_uploads
}
fails() { # WHAT EXIT TEXT…
    json "$2" backup config
    says "${@:3}"
    rules
    bucket_whole
    no_uploads
    expect 0 verify "$first" --level digest
}
error_xml() { printf '<?xml version=\\"1.0\\"?><Error><Code>%s</Code><Message>so it is</Message></Error>' "$1"; }

# --- on the way up
rules '{"method": "PUT", "match": "partNumber=2", "do": "break", "after": 100000, "times": 2}'
survives 'a part that is reset twice' 2 break
says 'trying again'
rules '{"method": "PUT", "match": "partNumber=", "do": "answer", "status": "503 Slow Down", "body": "'"$(error_xml SlowDown)"'", "times": 2}'
survives 'throttling' 2 answer
rules '{"method": "PUT", "match": "partNumber=1", "do": "lose-answer", "times": 1}'
survives 'the lost answer to a part' 1 lose-answer
rules '{"method": "POST", "match": "uploadId=", "do": "lose-answer", "times": 1}'
survives 'the lost answer to the last request' 1 lose-answer
rules '{"method": "POST", "match": "uploadId=", "do": "lose-answer"}'
survives 'all answers to the last request' 3 lose-answer
rules '{"method": "POST", "match": "uploadId=", "do": "answer", "status": "200 OK", "body": "'"$(error_xml InternalError)"'", "times": 1}'
survives 'a 200 with an error inside' 1 answer
rules '{"method": "POST", "match": "uploadId=", "do": "answer", "status": "200 OK", "body": "<html>welcome</html>", "times": 1}'
survives 'a 200 of somebody else' 1 answer
rules '{"method": "PUT", "match": ".manifest.json", "do": "lose-answer", "times": 1}'
survives 'the lost answer to the manifest' 1 lose-answer
rules '{"method": "HEAD", "match": ".tar", "do": "answer", "status": "503 Service Unavailable", "times": 2}'
survives 'a look that fails' 2 answer
rules '{"method": "PUT", "match": "", "header": "if-none-match", "do": "answer", "status": "501 Not Implemented", "body": "'"$(error_xml NotImplemented)"'"}'
survives 'a server without If-None-Match' 1 answer
says 'does not know If-None-Match'

rules '{"method": "PUT", "match": "partNumber=", "do": "answer", "status": "503 Slow Down"}'
fails 'throttling without end' 8 '503'
rules '{"method": "POST", "match": "uploadId=", "do": "answer", "status": "200 OK", "body": "'"$(error_xml InternalError)"'"}'
fails 'an error inside each 200' 8 InternalError
rules '{"method": "PUT", "match": "partNumber=2", "do": "answer", "status": "507 Insufficient Storage"}'
fails 'a full server' 1 '507' 'hint:'
rules '{"method": "PUT", "match": "partNumber=2", "do": "answer", "status": "403 Forbidden"}'
fails 'permission withdrawn' 1 '403'
rules '{"method": "PUT", "match": ".manifest.json", "do": "answer", "status": "500 Oops"}'
fails 'no manifest' 8 '500'

# A bit that is flipped on the way up, of parts that are signed over their SHA-256, and of those with a Content-MD5: the server
# takes neither, and both are sent again. An upload that begins slowly makes parts wait, however slow the machine.
rules '{"method": "PUT", "match": "partNumber=1", "do": "alter", "after": 4000000, "times": 1}'
survives 'a bit of a part' 1 alter
says 'trying again'
expect 0 verify "$id" --level digest
mkdir "$DATA/large"
head -c 60000000 /dev/urandom >"$DATA/large/noise"
for signing in no yes; do
    ENDPOINT=$S3_PROXY s3_profile large files "$DATA/large" "part_size = 5M
payload_signing = $signing"
    rules '{"method": "PUT", "match": "partNumber=", "header": "content-md5", "do": "alter", "after": 2000000, "times": 2}' \
        '{"method": "POST", "match": "uploads=", "do": "run", "command": "sleep 4"}'
    json 0 backup large
    id=$(j '.results[0].id')
    if [[ $signing == no ]]; then
        harmed 2 alter
        says 'trying again'
    elif grep -q ' alter$' "$T/requests"; then
        fail 'parts with a Content-MD5, although they are to be signed'
    fi
    expect 0 verify "$id" --level digest
done
ENDPOINT=$S3_PROXY s3_profile large files "$DATA/large" 'part_size = 5M'
rules '{"method": "PUT", "match": "partNumber=", "header": "content-md5", "do": "answer", "status": "403 Forbidden"}' \
    '{"method": "POST", "match": "uploads=", "do": "run", "command": "sleep 4"}'
json 1 backup large
says '403' 'payload_signing = yes'
no_uploads

# --- on the way back
restored() { # WHAT COUNT KIND
    rm -rf "$T/restored"
    expect 0 restore "$first" --to "$T/restored"
    harmed "$2" "$3"
    same_metadata "$DATA/config" "$T/restored$DATA/config"
}
rules '{"method": "GET", "match": ".tar", "do": "cut", "after": 300000, "times": 2}'
restored 'transfers that break off' 2 cut
grep -q -e 'at byte' -e 'trying again' "$ERR" || fail 'the cuts went unnoticed'
rules '{"method": "GET", "match": ".tar", "do": "stall", "after": 200000, "seconds": 5, "times": 1}'
restored 'a transfer that stands still' 1 stall
rules '{"method": "GET", "match": ".tar", "do": "answer", "status": "503 Slow Down", "times": 2}'
restored 'throttling' 2 answer
rules '{"method": "GET", "match": ".tar", "do": "cut", "after": 0}'
rm -rf "$T/restored"
json 8 restore "$first" --to "$T/restored"
says 'reset' 'hint:'
rules '{"method": "GET", "match": ".tar", "do": "spoil-answer", "status": "200 OK", "body": "short"}'
hf verify "$first" --level digest
[[ $RC != 0 ]] || fail 'another content is taken for ours'
rules '{"method": "GET", "match": "list-type", "do": "answer", "status": "200 OK", "body": "<html/>"}'
hf list config
[[ $RC != 0 ]] || fail 'a page of somebody else is taken for a list'

# The same as a proxy, which sees nothing of what it tunnels.
rules
s3_profile through files "$DATA/config" "proxy = $S3_PROXY"
expect 0 backup through
grep -q '^PUT /backups/omen/prod/through_' "$T/requests" || fail 'the proxy was not used'
echo proxyword >"$T/proxyword"
chmod 600 "$T/proxyword"
ENDPOINT=$S3_TLS_ENDPOINT s3_profile through files "$DATA/config" "ca_file = $S3_CA
proxy = $S3_PROXY
proxy_user = somebody
proxy_password = \${file:$T/proxyword}"
expect 0 verify through
grep -q "^CONNECT ${S3_TLS_ENDPOINT#https://} Basic $(printf 'somebody:proxyword' | base64)" "$T/requests" ||
    fail "not through the proxy: $(grep CONNECT "$T/requests")"

# The object is replaced in the middle of the restore.
cat >"$T/replace.sh" <<END
head -c 20000000 /dev/urandom | rclone rcat 'ceph:backups/omen/prod/$first.tar'
END
rules '{"method": "GET", "match": ".tar", "do": "cut", "after": 300000, "times": 1}' \
    "{\"method\": \"GET\", \"match\": \".tar\", \"do\": \"run\", \"command\": \"bash $T/replace.sh\", \"times\": 1}"
rm -rf "$T/restored"
hf restore "$first" --to "$T/restored"
[[ $RC != 0 ]] || fail 'two objects are read as one'
absent "$T/restored"
