#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Encrypted backups: the age tool reads them, a part comes back alone, nothing is told in the clear, and a machine with the
# public key alone can make, list, verify and remove them.
. "$(dirname "$0")/lib.sh"
needs age age-keygen

# profile_with NAME SOURCE PATH LINES…: the lines are the encrypting stage's.
profile_with() {
    local name=$1 source=$2 path=$3
    shift 3
    {
        printf '[profile]\nname = %s\n\n[source]\nplugin = %s\npath = %s\n\n' "$name" "$source" "$path"
        printf '[stage compress]\nplugin = gzip\n\n[stage encrypt]\nplugin = age\n'
        printf '%s\n' "$@"
        printf '\n[sink local]\nplugin = dir\npath = %s\n\n[retention]\nkeep_last = 2\n' "$BACKUPS"
    } >"$ETC/conf.d/$name.ini"
}

# Keys: made once, never over another, for nobody else to read.
expect 0 key new --out "$T/key"
public=$(cat "$OUT")
says "the secret key is in"
equal 'mode of the key' 600 "$(stat -c %a "$T/key")"
equal 'the public key, by the age tool' "$public" "$(age-keygen -y "$T/key")"
expect 4 key new --out "$T/key"
says 'is not overwritten'
expect 0 key show "$T/key"
equal 'the public key' "$public" "$(cat "$OUT")"
age-keygen -o "$T/other" 2>/dev/null
other=$(age-keygen -y "$T/other")
for mask in 0277 0777 0; do
    rm -f "$T/third"
    (umask "$mask" && expect 0 key new && mv "$ETC/age.key" "$T/third")
    equal "mode of the key with umask $mask" 600 "$(stat -c %a "$T/third")"
done
ln -s nowhere "$T/dangling"
expect 4 key new --out "$T/dangling"
says 'is not overwritten'
absent "$T/nowhere"
json 0 key show "$T/third"
holds '.results[0].public | length == 1'
expect 6 key show "$T/nothing"
expect 2 key show "$ETC/holdfast.ini"

# A round trip, and the same by hand.
make_ledger "$DATA/ledger" 4 3000
make_db "$DATA/signals.db" 3000
profile_with ledger ledger "$DATA/ledger" "recipient = $public $other" "identity = $T/key"
profile_with sqlite sqlite "$DATA/signals.db" "identity = $T/key"
expect 0 check
id=$(backup ledger)
holds '.results[0].verification[0] | .level == "content" and .whole'
expect 0 backup sqlite
says 'verified content'
exists "$BACKUPS/$id.tar.gz.age"
for key in "$T/key" "$T/other"; do
    rm -rf "$T/by-hand"
    mkdir "$T/by-hand"
    (
        cd "$BACKUPS"
        sha256sum --quiet -c "$id.sha256"
        age -d -i "$key" "$id.tar.gz.age" | gunzip | tar -x -C "$T/by-hand"
    )
    same_tree "$DATA/ledger" "$T/by-hand/ledger"
done
age -d -i "$T/key" "$BACKUPS"/sqlite_signals_*.db.gz.age | gunzip >"$T/by-hand/signals.db"
sound "$T/by-hand/signals.db"
equal 'rows' 3000 "$(rows "$T/by-hand/signals.db")"
expect 0 restore ledger --to "$T/back"
same_tree "$DATA/ledger" "$T/back/ledger"
expect 0 restore --artifact "$BACKUPS/$id.tar.gz.age" --to "$T/whole"
same_tree "$DATA/ledger" "$T/whole/ledger"

# One day alone; little more than that day is read of the artifact.
json 0 restore ledger --only 2026-01-30 --to "$T/day"
holds '.results[0].parts <= 3'
same_tree "$DATA/ledger/2026-01-30" "$T/day/ledger/2026-01-30"
absent "$T/day/ledger/2026-01-29"
if strace -o /dev/null true 2>/dev/null; then
    HF_UNDER="strace -f -qq -y -o $T/trace -e trace=read,pread64" hf restore ledger --only 2026-01-31 --to "$T/day2"
    fetched=$(grep -F "$id.tar.gz.age" "$T/trace" | awk '{ sum += $NF } END { print sum }')
    size=$(stat -c %s "$BACKUPS/$id.tar.gz.age")
    ((fetched < size / 2)) || fail "$fetched of $size bytes were read for a quarter"
fi

# What the age tool encrypts, we restore.
mkdir "$T/foreign"
tar -cC "$DATA" ledger | gzip | age -r "$public" >"$T/foreign/ledger_20260201_000000.tar.gz.age"
expect 0 restore --artifact "$T/foreign/ledger_20260201_000000.tar.gz.age" --to "$T/foreign/out"
same_tree "$DATA/ledger" "$T/foreign/out/ledger"

# Under a name that no profile has, nobody says with which key; what is named as encrypted and is not, is damaged.
cp "$T/foreign/ledger_20260201_000000.tar.gz.age" "$T/foreign/copy.tar.gz.age"
expect 2 restore --artifact "$T/foreign/copy.tar.gz.age" --source ledger --to "$T/none"
says "was made by stage 'age'" 'name the file as a backup of a profile'
cp "$ETC/conf.d/ledger.ini" "$T/once"
sed -i '/^\[stage encrypt/,/^$/d' "$ETC/conf.d/ledger.ini"
expect 2 restore --artifact "$T/foreign/ledger_20260201_000000.tar.gz.age" --to "$T/none"
says "was made by stage 'age'" "with plugin = age to profile 'ledger'"
cp "$T/once" "$ETC/conf.d/ledger.ini"
for name in empty.tar.gz.age empty.tar.gz; do
    : >"$T/foreign/$name"
    expect 5 restore --artifact "$T/foreign/$name" --source ledger --to "$T/none"
    says "'$T/foreign/$name' is named '.${name##*.}'" 'take'
done
age -d -i "$T/key" "$T/foreign/copy.tar.gz.age" | gunzip >"$T/foreign/ledger.tar.age"
expect 5 restore --artifact "$T/foreign/ledger.tar.age" --source ledger --to "$T/none"
says "take '.age' off its name"
absent "$T/none"
mv "$T/foreign/ledger.tar.age" "$T/foreign/ledger.tar"
expect 0 restore --artifact "$T/foreign/ledger.tar" --source ledger --to "$T/foreign/again"
same_tree "$DATA/ledger" "$T/foreign/again/ledger"

# Nothing is told: no days, no paths, no facts, no host.
for word in 2026-01-30 "$DATA" "$T" records segments raw_sha256 xxh128 '"host"' base; do
    if grep -qF -- "$word" "$BACKUPS/$id.manifest.json"; then fail "the manifest tells '$word'"; fi
done
jq -e '.schema == 2 and .artifacts[0].sha256 and .finding_counts.error == 0' "$BACKUPS/$id.manifest.json" >/dev/null
jq -r .sealed "$BACKUPS/$id.manifest.json" | base64 -d | age -d -i "$T/key" >"$T/manifest.json"
jq -e '.facts["2026-01-30"] and .options.source.path' "$T/manifest.json" >/dev/null
json 0 show ledger
holds '.results[0] | (.sealed | not) and .manifest.facts["2026-01-30"]'

# Only the public key: it works, is not compared with what cannot be read, and says how far it was verified.
profile_with ledger ledger "$DATA/ledger" "recipient = $public"
sleep 1
json 0 backup ledger
holds '.results[0].verification[0] | .level == "digest" and .whole and ([.findings[].code] | contains(["level-lowered"]))'
holds '[.results[0].findings[].code] | contains(["previous-sealed"])'
second=$(j '.results[0].id')
equal 'level in the record' digest "$(jq -r .level "$BACKUPS/$second.verified.json")"
expect 0 list
expect 0 show ledger
says 'with the key only' 'verified digest'
json 0 show ledger
holds '.results[0] | .sealed and (.manifest.facts | not) and .manifest.sealed == true'
json 0 verify ledger
holds '.results[0].checks[0] | .level == "digest" and .whole'
expect 4 verify ledger --level content
says 'level content cannot be reached'
expect 4 backup ledger --level content
says 'no key to read it'
printf '[verify]\nlevel = content\n' >>"$ETC/conf.d/ledger.ini"
expect 4 backup ledger
expect 4 backup ledger --dry-run
expect 4 check ledger
says 'cannot be verified at level content'
sed -i 's/^level = content/level = digest/' "$ETC/conf.d/ledger.ini"
sleep 1
expect 0 backup ledger
if grep -qF level-lowered "$OUT"; then fail 'digest was asked for, and is not less than that'; fi
equal 'backups kept' 2 "$(ls "$BACKUPS"/ledger_*.manifest.json | wc -l)"
expect 0 prune ledger
for how in '' --dry-run '--only 2026-01-30'; do
    # shellcheck disable=SC2086
    expect 4 restore ledger --to "$T/none" $how
    says 'is encrypted, and profile' 'does not say with which key'
    if grep -qF 'not read from' "$ERR" "$OUT"; then fail 'a sink is blamed for the key that is not here'; fi
    absent "$T/none"
done
expect 4 restore --artifact "$BACKUPS/$second.tar.gz.age" --to "$T/none"
says 'is encrypted, and profile' 'does not say with which key'
absent "$T/none"

# The wrong key says so, before anything is made and when something is read.
profile_with ledger ledger "$DATA/ledger" "recipient = $public" "identity = $T/third"
expect 2 check ledger
says 'belongs to any'
expect 2 backup ledger
expect 1 restore ledger --to "$T/none"
says "no identity in '$T/third' can read this"
expect 1 verify "$second"
says "no identity in '$T/third' can read this"
expect 0 verify "$second" --level digest
chmod 640 "$T/third"
expect 2 check ledger
says 'can be read by others' 'chmod 600'

# A key that is not there is a mistake in the profile, and no backup that is not found; nothing else needs it.
profile_with ledger ledger "$DATA/ledger" "recipient = $public" "identity = $T/lost"
for what in check backup verify restore; do
    expect 2 $what ledger
    says "$T/lost" 'put the secret key there'
done
expect 0 verify ledger --level digest
expect 0 prune ledger
expect 0 list

# A new key: what the old one made is read as long as both are in the file.
cat "$T/other" "$T/key" >"$T/both"
chmod 600 "$T/both"
profile_with ledger ledger "$DATA/ledger" "recipient = $other" "identity = $T/both"
sleep 1
third=$(backup ledger)
earlier=$(cd "$BACKUPS" && printf '%s\n' ledger_*.manifest.json | sed 's/\.manifest\.json$//' | grep -vF "$third" | tail -1)
expect 0 verify --all --level content
for id in "$earlier" "$third"; do
    rm -rf "$T/rotated"
    expect 0 restore "$id" --to "$T/rotated"
    same_tree "$DATA/ledger" "$T/rotated/ledger"
done
if age -d -i "$T/key" "$BACKUPS/$third.tar.gz.age" >/dev/null 2>&1; then fail 'the old key reads what is encrypted to the new'; fi
age -d -i "$T/other" "$BACKUPS/$third.tar.gz.age" >/dev/null

# An open manifest; age alone, without compression; the stages' order; what cannot seal.
profile_with ledger ledger "$DATA/ledger" "identity = $T/key" 'manifest = open'
sleep 1
id=$(backup ledger)
jq -e '.schema == 1 and .facts["2026-01-30"]' "$BACKUPS/$id.manifest.json" >/dev/null
cp "$ETC/conf.d/ledger.ini" "$T/open"
profile_with ledger ledger "$DATA/ledger" "recipient = $public" 'manifest = open'
expect 4 restore ledger --to "$T/none"
says 'is encrypted, and profile' 'does not say with which key'
absent "$T/none"
cp "$T/open" "$ETC/conf.d/ledger.ini"
sed -i '/^\[stage compress/,/^$/d' "$ETC/conf.d/ledger.ini"
sleep 1
id=$(backup ledger)
exists "$BACKUPS/$id.tar.age"
age -d -i "$T/key" "$BACKUPS/$id.tar.age" | tar -t >/dev/null
expect 0 verify ledger --level content
expect 0 restore ledger --only 2026-02-01 --to "$T/plain"
same_tree "$DATA/ledger/2026-02-01" "$T/plain/ledger/2026-02-01"
# Encrypted once more, to another key: each stage is read with its own, by the manifest and without it.
cp "$ETC/conf.d/ledger.ini" "$T/once"
printf '\n[stage again]\nplugin = age\nidentity = %s\n' "$T/other" >>"$ETC/conf.d/ledger.ini"
sleep 1
id=$(backup ledger)
expect 0 restore ledger --only 2026-02-01 --to "$T/twice"
same_tree "$DATA/ledger/2026-02-01" "$T/twice/ledger/2026-02-01"
expect 0 restore --artifact "$BACKUPS/$id.tar.age.age" --to "$T/twice-whole"
same_tree "$DATA/ledger" "$T/twice-whole/ledger"
age -d -i "$T/other" "$BACKUPS/$id.tar.age.age" | age -d -i "$T/key" | tar -t >/dev/null
cp "$T/once" "$ETC/conf.d/ledger.ini"
printf '\n[stage late]\nplugin = gzip\n' >>"$ETC/conf.d/ledger.ini"
expect 2 config validate
says 'can only be the first stage' 'compress first, then encrypt'
sed -i '/^\[stage late/,$d' "$ETC/conf.d/ledger.ini"
sed -i 's/^plugin = age/plugin = gzip/; /^identity/d; s/^manifest = open/manifest = sealed/' "$ETC/conf.d/ledger.ini"
expect 2 config validate
says 'cannot seal manifests'
nothing_left_over
