#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# Two machines, with a state folder and a name each, run one profile into one bucket at overlapping times: neither loses nor
# spoils what the other stores, and none tells a success that it had not.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../tools/s3/lib.sh"
. "$(dirname "$0")/../tools/s3/libs3.sh"
gateway
proxy
uts=()
if unshare --uts true 2>/dev/null; then uts=(unshare --uts bash -c 'hostname "$0" && exec "$@"'); fi

make_files "$DATA/config"
head -c 12000000 /dev/urandom >"$DATA/config/big"
HERE=$ETC THERE=$T/etc2 holds=0

# Both machines' profiles: this one's requests go through the proxy, which holds it up. SWEEP_AFTER is the default.
profiles() { # KIND
    ETC=$HERE
    ENDPOINT=$S3_PROXY SWEEP_AFTER=1d "$1_profile" config files "$DATA/config" "$2"
    printf '[retention]\nkeep_last = 2\n' >>"$ETC/conf.d/config.ini"
    rm -rf "$THERE"
    cp -a "$HERE" "$THERE"
    sed -i "s,$S3_PROXY,$S3_ENDPOINT," "$THERE/conf.d/config.ini"
    sed -i "s,$T/state,$T/state2," "$THERE/holdfast.ini"
}
here() { "${uts[@]+"${uts[@]}"}" ${uts:+here} "$HOLDFAST" --config "$HERE" "$@"; }

# hold METHOD MATCH COMMAND…: begins it here, and waits until it is about to make that request.
hold() {
    rm -f "$T/held" "$T/go"
    jq -nc --arg method "$1" --arg match "$2" --arg command ": $((++holds)); touch $T/held; while [ -e $RULES -a ! -e $T/go ]; do sleep 0.05; done" \
        '{method: $method, match: $match, do: "run", times: 1, command: $command}' >"$RULES"
    here "${@:3}" >"$T/here.out" 2>&1 &
    held=$!
    wait_for 30 test -e "$T/held"
    sleep 1 # the name of the next has another second
}
# let_go EXIT [TEXT]: it goes on, and ends so.
let_go() {
    local code=0
    touch "$T/go"
    wait "$held" || code=$?
    : >"$RULES"
    [[ $code == "$1" ]] || fail "the run that was held up ended with exit code $code, expected $1: $(cat "$T/here.out")"
    [[ -z ${2:-} ]] || grep -qF -- "$2" "$T/here.out" || fail "it does not say '$2': $(cat "$T/here.out")"
}
there() { ETC=$THERE expect "$@"; }
# all_whole COUNT: so many backups are listed, and each is what it was.
all_whole() {
    ETC=$THERE json 0 verify config --all --level content
    ETC=$THERE json 0 list config
    holds ".results[0].backups | length == $1"
    holds '[.results[].backups[].sinks[] | select(.whole | not)] == []'
}
records() { keys | grep -E '(commit|removing)\.json$' || true; }

# While one stores, the other makes a backup and prunes.
profiles s3 'part_size = 5M'
for request in 'POST uploadId=' 'PUT .sha256'; do
    hold "${request% *}" "${request#* }" backup config
    there 0 backup config -v
    [[ $request == POST* ]] || says 'is left alone'
    there 0 prune config
    let_go 0
    all_whole 2 # keep_last
    bucket_whole
    no_uploads
    equal 'records after both' '' "$(records)"
done

# Two prune at once.
sed -i 's/keep_last = 2/keep_last = 1/' "$HERE/conf.d/config.ini" "$THERE/conf.d/config.ini"
hold DELETE .manifest.json prune config
there 0 prune config
let_go 0
all_whole 1
bucket_whole
equal 'records after both' '' "$(records)"
sed -i 's/keep_last = 1/keep_last = 9/' "$HERE/conf.d/config.ini" "$THERE/conf.d/config.ini"

# One that stood still for so long that the other took it for dead, and took it back: it fails, and nothing of it is left. (No
# clock can be set six hours ahead here, where requests are signed with the time.)
for request in 'POST uploadId=' 'PUT .manifest.json'; do
    hold "${request% *}" "${request#* }" backup config
    id=$(records | sed -E 's,.*/(.*)\.commit\.json,\1,')
    rclone delete ceph:backups/omen/prod --include "$id*"
    let_go 1 "another run took backup '$id' back"
    all_whole 1
    bucket_whole
    no_uploads
    equal 'records after both' '' "$(records)"
done

# One verifies what the other removes: that is no damage, and no record of it stays.
there 0 backup config
sed -i 's/keep_last = 9/keep_last = 1/' "$THERE/conf.d/config.ini"
hold GET .tar verify config --all
there 0 prune config
says 'removed'
let_go 0
all_whole 1
bucket_whole

# The same by libs3, in segments.
rclone purge ceph:backups/omen
profiles libs3 'segment = 1M'
hold PUT .segments- backup config
there 0 backup config
there 0 prune config
let_go 0
all_whole 2
libs3_whole
