#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# Damage to encrypted backups is found wherever it is: flipped bits, cut ends, chunks that changed places; by digests, and by
# reading alone where digests are not looked at.
. "$(dirname "$0")/lib.sh"
needs age python3 jq

make_ledger "$DATA/ledger" 3 3000
expect 0 key new --out "$T/key"
public=$(cat "$OUT")
write_profile() {
    profile ledger <<END
[profile]
name = ledger

[source]
plugin = ledger
path = $DATA/ledger

[stage compress]
plugin = gzip

[stage encrypt]
plugin = age
$(printf '%s\n' "$@")

[sink local]
plugin = dir
path = $BACKUPS
END
}
write_profile "recipient = $public" "identity = $T/key"
id=$(backup ledger)
artifact=$BACKUPS/$id.tar.gz.age
chmod 600 "$BACKUPS"/*
cp -p "$artifact" "$T/whole"
header=$(python3 -c '
import sys
data = open(sys.argv[1], "rb").read()
print(data.index(b"\n", data.index(b"\n---") + 1) + 1 + 16)' "$artifact")
size=$(stat -c %s "$artifact")
((size > header + 4 * 65552)) || fail 'the artifact is too small for this test'

flip() { # FILE OFFSET
    python3 -c '
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)[0]
    file.seek(int(sys.argv[2]))
    file.write(bytes([byte ^ 0x10]))' "$1" "$2"
}
# flip_letter FILE OFFSET: of base64, which it stays.
flip_letter() {
    python3 -c '
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)
    assert byte.isalnum() or byte in b"+/"
    file.seek(int(sys.argv[2]))
    file.write(b"B" if byte == b"A" else b"A")' "$1" "$2"
}
mend() { cp -p "$T/whole" "$artifact"; }

# By digest with and without the key, and by reading.
places=(0 30 "$((header - 60))" "$((header - 1))" "$header" "$((header + 65551))" "$((header + 65552))" "$((size / 2))" "$((size - 17))" "$((size - 1))")
for place in "${places[@]}"; do
    flip "$artifact" "$place"
    expect 5 verify ledger
    says sha256
    expect 5 verify ledger --level digest
    hf restore ledger --to "$T/target"
    [[ $RC != 0 ]] || fail "restored in spite of a bit flipped at $place"
    absent "$T/target/ledger"
    hf restore --artifact "$artifact" --to "$T/target"
    [[ $RC == 5 || $RC == 1 ]] || fail "restored the artifact in spite of a bit flipped at $place, or exit code $RC"
    absent "$T/target/ledger"
    if age -d -i "$T/key" "$artifact" >/dev/null 2>&1; then fail "age does not see the bit at $place either"; fi
    mend
done
expect 0 verify ledger --level content

# The place is named.
flip "$artifact" "$((header + 2 * 65552 + 5))"
expect 5 verify ledger --level content
says 'chunk 2 (bytes' 'does not authenticate'
mend

# Cut: anywhere, and between two chunks, where what is left looks whole.
for left in $((size - 1)) $((size - 16)) $((header + 3 * 65552)) $((header + 65552 + 100)) $((header + 16)) "$header" $((header - 20)) 0; do
    truncate -s "$left" "$artifact"
    expect 5 verify "$id"
    expect 5 verify "$id" --level quick
    hf restore "$id" --to "$T/target"
    [[ $RC != 0 ]] || fail "restored from $left of $size bytes"
    absent "$T/target/ledger"
    expect 5 restore --artifact "$artifact" --to "$T/target"
    absent "$T/target/ledger"
    mend
done
truncate -s $((header + 3 * 65552)) "$artifact"
expect 5 restore --artifact "$artifact" --to "$T/target"
says 'the file was cut short'
mend

# Two chunks that changed places, one that is there twice, one from another backup of the same: also where somebody made the
# digests right again.
cp "$BACKUPS/$id.manifest.json" "$T/manifest"
sleep 1
other=$(backup ledger)
for how in swapped twice foreign; do
    python3 - "$how" "$artifact" "$BACKUPS/$other.tar.gz.age" "$header" <<'END'
import sys
how, path, other, header = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
data = bytearray(open(path, "rb").read())
chunk = lambda i: slice(header + i * 65552, header + (i + 1) * 65552)
first, second = bytes(data[chunk(0)]), bytes(data[chunk(1)])
if how == "swapped":
    data[chunk(0)], data[chunk(1)] = second, first
elif how == "twice":
    data[chunk(1)] = first
else:
    data[chunk(1)] = open(other, "rb").read()[chunk(1)]
open(path, "wb").write(data)
END
    expect 5 verify "$id"
    hf restore "$id" --to "$T/target"
    [[ $RC == 5 ]] || fail "restored with chunks $how: exit code $RC"
    says 'does not authenticate'
    absent "$T/target/ledger"
    mend
done

# The sealed manifest: a bit of it, another's, and one whose outside does not go with its inside.
sealed=$(grep -bo '"sealed": "' "$BACKUPS/$id.manifest.json" | cut -d: -f1)
chmod 600 "$BACKUPS/$id.manifest.json"
flip_letter "$BACKUPS/$id.manifest.json" $((sealed + 1500))
expect 5 verify "$id" --level content
says "the manifest of"
expect 5 restore "$id" --to "$T/target"
cp "$T/manifest" "$BACKUPS/$id.manifest.json"
jq --slurpfile other "$BACKUPS/$other.manifest.json" '.sealed = $other[0].sealed' "$T/manifest" >"$BACKUPS/$id.manifest.json"
expect 5 restore "$id" --to "$T/target"
says 'what is sealed in it'
jq '.artifacts[0].raw_bytes += 1' "$T/manifest" >"$BACKUPS/$id.manifest.json"
expect 5 restore "$id" --to "$T/target"
says 'says something else'
absent "$T/target/ledger"
cp "$T/manifest" "$BACKUPS/$id.manifest.json"
expect 0 verify --all --level content
nothing_left_over

# A second sink has it whole: then that is restored, whatever became of the seal in the first; and once a check has found
# it, the first one's copy is the one that is not counted.
mkdir "$T/second"
printf '\n[sink second]\nplugin = dir\npath = %s\n' "$T/second" >>"$ETC/conf.d/ledger.ini"
expect 0 copy "$id" --from local --to second
sealed=$(grep -bo '"sealed": "' "$BACKUPS/$id.manifest.json" | cut -d: -f1)
for place in 120 1500; do # the wrapped key, the text
    flip_letter "$BACKUPS/$id.manifest.json" $((sealed + place))
    json 0 restore "$id" --to "$T/target"
    holds '.results[0] | .sink == "second" and ([.findings[].code] == ["read-elsewhere"])'
    same_tree "$DATA/ledger" "$T/target/ledger"
    rm -rf "$T/target"
    hf restore "$id" --sink local --to "$T/target"
    [[ $RC != 0 ]] || fail 'restored by a manifest that is damaged'
    absent "$T/target/ledger"
    cp "$T/manifest" "$BACKUPS/$id.manifest.json"
done
flip_letter "$BACKUPS/$id.manifest.json" $((sealed + 1500))
json 5 verify "$id"
holds '[.results[0].checks[].whole] == [false, true]'
expect 0 restore "$id" --to "$T/target"
if grep -qF 'is not whole' "$ERR"; then fail 'the copy that is whole counts as none'; fi
expect 0 copy "$id" --from second --to local --replace
expect 0 verify "$id" --level content
nothing_left_over
