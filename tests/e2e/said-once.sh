#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is wrong is said once, with what to do about it; and the check knows a sink that a backup can do without.
. "$(dirname "$0")/lib.sh"

# once TEXT…: each occurs in what the last run printed, in one line.
once() {
    local text
    for text in "$@"; do
        equal "how often it says '$text'" 1 "$(cat "$OUT" "$ERR" | grep -cF -- "$text")"
    done
}

make_files "$DATA/config"
simple_profile config files "$DATA/config"
cat >>"$ETC/conf.d/config.ini" <<END

[sink second]
plugin = dir
path = $T/second
required = no
END
gone="the folder '$T/second' does not exist" remedy="mkdir -p '$T/second'"

# Missing: no reason not to make backups, but one to say so, to people and to scripts.
expect 3 check config
says 'config  ready in part' 'warning: sink second: '
once "$gone" "$remedy"
json 3 check config
holds '[.results[0].findings[] | select(.severity == "error")] == []'
expect 3 backup config --dry-run
once "$gone" "$remedy"
expect 3 backup config
once "$gone" "$remedy"
expect 3 backup config --quiet
once "$gone" "$remedy"
json 3 backup config
holds '.results[0].sinks[1].error != null and (.results[0].sinks[1].hint | contains("mkdir"))'
for command in list verify prune; do
    expect 3 "$command" config
    once "$gone" "$remedy"
done
expect 0 show config
once "$gone" "$remedy"
expect 0 restore config --to "$T/restored"
once "$gone" "$remedy"

# With nothing to store either, and nobody claims to know what it holds.
sed -i '/^plugin = files/a when = changed' "$ETC/conf.d/config.ini"
expect 3 backup config
says 'unchanged since'
once "$gone" "$remedy"
if grep -q 'it does not hold' "$ERR" "$OUT"; then fail 'it claims to know what is in a sink that it could not read'; fi

# With none left it is no backup, each is named, and nobody claims that there are no backups.
mv "$BACKUPS" "$BACKUPS.gone"
expect 8 check config
says 'config  not ready'
once "the folder '$BACKUPS' does not exist" "$gone"
expect 8 backup config
once "the folder '$BACKUPS' does not exist"
expect 8 list config
once "the folder '$BACKUPS' does not exist" "$gone" 'not listed: sink local' 'not listed: sink second'
if grep -q 'has no backups' "$OUT"; then fail 'it says that there are none'; fi
mv "$BACKUPS.gone" "$BACKUPS"

# A quorum counts.
sed -i 's/^required = no//; /^name = /a quorum = 1' "$ETC/conf.d/config.ini"
expect 3 check config
sed -i 's/^quorum = 1/quorum = 2/' "$ETC/conf.d/config.ini"
expect 8 check config
says '1 of 2 sinks are ready, and the quorum is 2'
mkdir "$T/second"
expect 0 check config
says 'config  ready'

# What was refused is not a failure upon a failure.
make_db "$DATA/signals.db" 10
simple_profile sqlite sqlite "$DATA/*.db"
backup sqlite >"$T/id"
expect 4 restore sqlite
if grep -q 'after the failure' "$ERR"; then fail 'it fails twice'; fi

# The wrong key, with a copy in each of two sinks; and none.
expect 0 key new --out "$T/right.key"
expect 0 key new --out "$T/wrong.key"
profile sealed <<END
[profile]
name = sealed

[source]
plugin = files
path = $DATA/config

[stage encrypt]
plugin = age
identity = $T/right.key

[sink local]
plugin = dir
path = $BACKUPS

[sink second]
plugin = dir
path = $T/second
END
backup sealed >"$T/id"
sed -i 's/right.key/wrong.key/' "$ETC/conf.d/sealed.ini"
expect 1 restore sealed --to "$T/sealed"
once 'can read this' "set 'identity' to the file with the right key"
sed -i 's/wrong.key/no.key/' "$ETC/conf.d/sealed.ini"
expect 2 restore sealed --to "$T/sealed"
once "$T/no.key" 'put the secret key there'
absent "$T/sealed"

# A verification that cannot be made names the backup once.
sed -i "s,^identity = .*,recipient = $("$HOLDFAST" key show "$T/right.key")," "$ETC/conf.d/sealed.ini"
expect 4 verify sealed --level content --sink local
hf restore sealed --to "$T/sealed"
((RC != 0)) || fail 'restored without a key'
once 'does not say with which key' 'hint: where the key is, say so in [stage encrypt]'
expect 4 verify sealed --level content --sink local
equal 'how often it names it' 1 "$(grep -o "$(cat "$T/id")" "$ERR" | wc -l)"
