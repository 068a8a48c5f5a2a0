#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# What libs3 gets wrong, and servers that do harm: every one of its defects meets its counter-measure. What may go well the
# next time is tried again; what does not leaves nothing visible, and earlier backups as they were.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../tools/s3/lib.sh"
. "$(dirname "$0")/../tools/s3/libs3.sh"
gateway
proxy

make_files "$DATA/config"
head -c 3900000 /dev/urandom >"$DATA/config/big"
ENDPOINT=$S3_PROXY libs3_profile config files "$DATA/config" 'segment = 2M
stall_timeout = 4s
retries = 2'
first=$(backup config)
libs3_whole

rules() { # each replaces the former
    : >"$T/requests"
    printf '%s\n' "$@" >"$RULES"
}
harmed() {
    local count
    count=$(grep -c " $2\$" "$T/requests" || true)
    ((count >= $1)) || fail "$count requests met with '$2', expected $1"
}
survives() { # WHAT COUNT KIND
    json 0 backup config
    harmed "$2" "$3"
    rules
    libs3_whole
}
fails() { # WHAT EXIT TEXT…
    json "$2" backup config
    says "${@:3}"
    rules
    json 0 list config
    holds '[.results[].backups[].sinks[] | select(.whole | not)] == []'
    expect 0 verify "$first" --level digest
}
xml() { printf '<?xml version=\\"1.0\\"?><Error><Code>%s</Code><Message>so it is</Message></Error>' "$1"; }

# Defect 1: a PUT that fails without a word of XML. Defect 3 is that nothing else would tell.
whats=(.segment- .manifest.json .segments- .sha256)
turn=0
for status in '500 Oops' '502 Bad Gateway' '503 Slow Down' '504 Gateway Timeout' '403 Forbidden'; do
    what=${whats[turn++ % 4]}
    rules "{\"method\": \"PUT\", \"match\": \"$what\", \"do\": \"answer\", \"status\": \"$status\", \"times\": 1}"
    survives "one $status for $what" 1 answer
done
rules '{"method": "PUT", "match": ".segment-", "do": "answer", "status": "507 Insufficient Storage", "body": "<html>no</html>"}'
fails '507 for ever' 8 '.segment-'
rules '{"method": "PUT", "match": ".manifest.json", "do": "answer", "status": "403 Forbidden"}'
fails '403 for ever' 8 'manifest.json'
# The server takes something else than was sent.
rules '{"method": "HEAD", "match": ".segment-", "do": "answer", "status": "200 OK", "headers": {"ETag": "\"00000000000000000000000000000000\""}, "times": 1}'
survives 'another ETag' 1 answer
# Defect 2: answers that break off.
restored() { # WHAT COUNT KIND
    rm -rf "$T/restored"
    expect 0 restore "$first" --to "$T/restored"
    harmed "$2" "$3"
    same_metadata "$DATA/config" "$T/restored$DATA/config"
}
rules '{"method": "GET", "match": ".segment-", "do": "cut", "after": 300000, "times": 5}'
restored 'transfers that break off' 5 cut
says 'going on at byte'
rules '{"method": "GET", "match": ".segment-", "do": "cut", "after": 0}'
rm -rf "$T/restored"
json 8 restore "$first" --to "$T/restored"
absent "$T/restored"
expected=$(
    rules
    json 0 list config
    j '[.results[].backups[].id] | sort | join(" ")'
)
for after in 0 300 700 1500 3000; do
    rules "{\"method\": \"GET\", \"match\": \"max-keys\", \"do\": \"cut\", \"after\": $after, \"times\": 1}"
    json 0 list config
    harmed 1 cut
    equal "backups listed when the first answer ends after $after bytes" "$expected" "$(j '[.results[].backups[].id] | sort | join(" ")')"
done
rules '{"method": "GET", "match": "max-keys", "do": "answer", "status": "200 OK", "body": "<html/>"}'
hf list config
[[ $RC != 0 || $(jq -r . "$OUT" 2>/dev/null) == '' ]] || fail 'a page of somebody else is taken for a list'
# Defect 5: no "100 Continue".
rules '{"method": "PUT", "match": "segment", "do": "no-continue"}'
survives 'a server that never says "100 Continue"' 3 no-continue
# Defect 6: a wrong date.
rules '{"method": "PUT", "match": ".segment-", "do": "answer", "status": "403 Forbidden", "body": "'"$(xml RequestTimeTooSkewed)"'", "times": 1}'
survives 'a date of another thread' 1 answer
rules '{"method": "PUT", "match": ".segment-", "do": "answer", "status": "403 Forbidden", "body": "'"$(xml RequestTimeTooSkewed)"'"}'
fails 'a clock that is wrong' 1 'RequestTimeTooSkewed' "set this machine's clock"
# Defect 7: nothing is tried again, and resets are internal errors.
rules '{"method": "PUT", "match": ".segment-", "do": "break", "after": 100000, "times": 2}'
survives 'a PUT that is reset twice' 2 break
rules '{"method": "PUT", "match": ".segment-", "do": "lose-answer", "times": 2}'
survives 'lost answers' 2 lose-answer
rules '{"method": "PUT", "match": ".manifest.json", "do": "lose-answer"}'
survives 'all answers about the manifest lost' 1 lose-answer
rules '{"method": "HEAD", "match": ".segment-", "do": "answer", "status": "503 Slow Down", "times": 2}'
survives 'looks that fail' 2 answer
rules '{"method": "GET", "match": ".segment-", "do": "stall", "after": 200000, "seconds": 8, "times": 1}'
restored 'a transfer that stands still' 1 stall
rules '{"method": "DELETE", "match": "commit.json", "do": "answer", "status": "503 Slow Down", "times": 2}'
survives 'a removal that fails' 2 answer
rules '{"method": "PUT", "match": ".segment-", "do": "answer", "status": "403 Forbidden", "body": "'"$(xml AccessDenied)"'"}'
fails 'permission withdrawn' 1 AccessDenied

# The object is replaced in the middle.
rm -rf "$T/restored"
segment=$(keys | grep "$first.*segment-.*-000001\$")
rules '{"method": "GET", "match": "-000001", "do": "cut", "after": 300000, "times": 1}' \
    "{\"method\": \"GET\", \"match\": \"-000001\", \"do\": \"run\", \"command\": \"head -c 2097152 /dev/urandom | rclone rcat 'ceph:backups/$segment'\", \"times\": 1}"
hf restore "$first" --to "$T/restored"
[[ $RC != 0 ]] || fail 'two objects are read as one'
absent "$T/restored"
