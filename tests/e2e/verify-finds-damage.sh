#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Damage of every kind, put into a good backup, is found at the level that promises to find it, with exit 5 and the object's name.
. "$(dirname "$0")/lib.sh"
needs python3

make_ledger "$DATA/ledger" 3 4000 --seal
rm -f "$DATA"/ledger/*/_LOCK
simple_profile ledger ledger "$DATA/ledger"
first=$(backup ledger)
sleep 1
second=$(backup ledger)
mkdir "$T/good"
cp -a "$BACKUPS"/. "$T/good"
artifact=$BACKUPS/$second.tar.gz

# tamper 'PYTHON': m is the manifest, a its first artifact, data the artifact's bytes; all are written back. restate() makes
# sizes and digests of the stored object right again, as a careful forger would.
tamper() {
    python3 - "$BACKUPS/$second" "$1" <<'END'
import hashlib, json, sys
base, code = sys.argv[1:]
m = json.load(open(base + ".manifest.json")); a = m["artifacts"][0]
data = bytearray(open(base + ".tar.gz", "rb").read())
def restate():
    a["bytes"], a["sha256"] = len(data), hashlib.sha256(data).hexdigest()
    open(base + ".sha256", "w").write(f"{a['sha256']}  {a['key']}\n")
exec(code)
json.dump(m, open(base + ".manifest.json", "w"), indent=1)
open(base + ".tar.gz", "wb").write(data)
END
}

# found LEVEL WHAT [TEXT]: not a level below sees it (that is why there are levels), this one does.
found() {
    local level=$1 name=${3:-$second} below
    case $level in
    quick) below='' ;;
    digest) below=quick ;;
    content) below=digest ;;
    esac
    if [[ -n $below ]]; then expect 0 verify "$second" --level "$below"; fi
    json 5 verify "$second" --level "$level"
    says "$name"
    holds '.results[0].checks[0].whole == false'
    expect 0 verify "$first" --level content
    # The damage is on record, and nothing restores it silently.
    json 0 list ledger
    holds '.results[0].backups[] | select(.id == "'"$second"'") | .verified == false'
    hf restore "$second" --to "$T/restored"
    # What it does restore is what was there: a part is only handed out when its digest is right.
    if [[ $RC == 0 ]]; then same_tree "$DATA/ledger" "$T/restored/ledger"; fi
    rm -rf "$T/restored" "${BACKUPS:?}"/*
    cp -a "$T/good"/. "$BACKUPS"
}
key=$second.tar.gz

rm "$artifact"
found quick 'missing object' "$key"
: >"$artifact"
found quick 'empty object' "$key"
truncate -s -1 "$artifact"
found quick 'truncated by one byte' "$key"
rm "$BACKUPS/$second.sha256"
found quick 'missing checksum file' "$second.sha256"

tamper 'data[len(data) // 2] ^= 1'
found digest 'bit flip' "$key"
tamper 'data[-6] ^= 1'
found digest 'bit flip in the trailer' "$key"
cp "$T/good/$first.tar.gz" "$artifact"
# Same ledger, same bytes: a swap is no damage then. With another ledger in the first backup it is:
cmp -s "$T/good/$first.tar.gz" "$T/good/$second.tar.gz" && tamper 'data[40:400] = data[400:760]'
found digest 'artifact of another backup' "$key"

tamper 'data[len(data) // 2] ^= 1; restate()'
found content 'bit flip with a forged digest' "$key"
tamper 'del data[a["parts"][-1]["stored"][0]:]; restate()'
found quick 'cut at a part, with forged sizes' "$second"
tamper 'p, q = a["parts"][1], a["parts"][2]; p["name"], q["name"] = q["name"], p["name"]'
found content 'parts swapped in the manifest' "$second"
tamper 'a["parts"].pop()'
found quick 'part missing in the manifest' "$second"
tamper 'a["raw_bytes"] += 1'
found quick 'wrong raw size' "$second"
tamper 'm["facts"]["2026-01-30"]["records"] += 1'
found content 'facts: wrong count' 2026-01-30
tamper 'del m["facts"]["2026-01-30"]'
found content 'facts: one missing' 2026-01-30
tamper 'm["facts"]["2026-03-01"] = m["facts"]["2026-01-30"]'
found content 'facts: one too many' 2026-03-01

# A manifest that is none.
for text in '' '{' '{"schema": 1}' '[]' 'null'; do
    printf '%s' "$text" >"$BACKUPS/$second.manifest.json"
    found quick "manifest '$text'" "$second"
done
cp "$BACKUPS/$first.manifest.json" "$BACKUPS/$second.manifest.json"
found quick 'manifest of another backup' "$second"
tamper 'a["key"] = "../../etc/passwd"'
found quick 'key that leads out' "$second"
tamper 'm["schema"] = 99'
hf verify "$second"
[[ $RC == 5 || $RC == 1 ]] || fail "a manifest of schema 99 gave exit code $RC"
says "$second"
