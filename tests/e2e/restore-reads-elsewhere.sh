#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What one sink cannot give, a restore reads from the next, part by part, and says so; with --sink only from that one.
. "$(dirname "$0")/lib_sinks.sh"

make_ledger "$DATA/ledger" 4 3000 --seal
make_files "$DATA/config"
head -c 9000000 /dev/urandom >"$DATA/config/big"
base_profile ledger ledger "$DATA/ledger"
base_profile config files "$DATA/config"
for profile in ledger config; do
    sink $profile a dir
    sink $profile b dir
done
flip() { # FILE OFFSET…: other bytes there
    local offset byte
    for offset in "${@:2}"; do
        byte=$(od -An -tu1 -j "$offset" -N 1 "$1")
        printf '%b' "\\x$(printf %02x $((byte ^ 85)))" | dd of="$1" bs=1 seek="$offset" conv=notrunc status=none
    done
}
# Where part N of an artifact lies in it.
part_at() { jq ".artifacts[0].parts[$2] | .stored[0] + (.stored[1] / 2 | floor)" "$T/a/$1.manifest.json"; }
whole_tree() { # PROFILE: as it was
    same_tree "$DATA/$1" "$T/out-$1$(if [[ $1 == config ]]; then echo "$DATA/config"; else echo /ledger; fi)"
    rm -rf "${T:?}/out-$1"
}

id=$(backup ledger)
flip "$T/a/$id.tar.gz" "$(part_at "$id" 1)"
json 0 restore ledger --to "$T/out-ledger"
whole_tree ledger
equal 'findings' "[\"read-elsewhere\"]" "$(j '[.results[0].findings[].code] | tojson')"
holds '.results[0].findings[0] | (.subject | test(":")) and (.text | test("read from sink .b.")) and .severity == "warning"'
expect 0 restore ledger --to "$T/out-ledger"
says "read from sink 'b'"
whole_tree ledger
json 5 restore ledger --to "$T/out-ledger" --sink a
absent "$T/out-ledger"
json 0 restore ledger --to "$T/out-ledger" --sink b
holds '.results[0].findings == []'
whole_tree ledger

# Each has damage, in different parts: neither is whole, and yet all is there.
flip "$T/b/$id.tar.gz" "$(part_at "$id" 2)"
json 0 restore ledger --to "$T/out-ledger"
whole_tree ledger
holds '[.results[0].findings[].text | capture("sink .(?<s>.)").s] | sort == ["a", "b"] or . == ["b"]'
for sink in a b; do json 5 verify ledger --sink $sink; done
json 0 restore ledger --to "$T/out-ledger"
whole_tree ledger
# The same part in both is lost, and the target stays as it was.
flip "$T/b/$id.tar.gz" "$(part_at "$id" 1)"
json 5 restore ledger --to "$T/out-ledger"
absent "$T/out-ledger"

# A part that is too large to be kept back: what was wrong had been given to the source, so all begins anew.
id=$(backup config)
flip "$T/a/$id.tar.gz" 3000000 7000000
json 0 restore config --to "$T/out-config"
says 'begins anew'
whole_tree config
holds '[.results[0].findings[] | select(.code == "read-elsewhere")] | length >= 1'

# The object is cut, or gone.
truncate -s 4000000 "$T/a/$id.tar.gz"
json 0 restore config --to "$T/out-config"
equal 'sink' b "$(j '.results[0].sink')"
whole_tree config
id=$(backup config)
rm "$T/a/$id.tar.gz"
json 0 restore config --to "$T/out-config"
whole_tree config

# A sink that goes away in the middle of it; the latest is the same whichever answers.
rm "$T/a/"* "$T/b/"*
sed -i '/^\[sink a\]/,/^path/s/plugin = dir/plugin = odd/' "$ETC/conf.d/config.ini" "$ETC/conf.d/ledger.ini"
id=$(backup config)
sed -i "/^\[sink a\]/a at = read\nwhat = away\nkey = .gz\nafter = 8" "$ETC/conf.d/config.ini" "$ETC/conf.d/ledger.ini"
json 0 restore config --to "$T/out-config"
equal 'sink' a "$(j '.results[0].sink')"
holds '[.results[0].findings[] | select(.code == "read-elsewhere" and (.text | test("nobody answers")))] | length == 1'
whole_tree config
sed -i 's/^after = 8/after = 0/; s/^at = read/at = list/; s/^key = .gz/key = _/' "$ETC/conf.d/config.ini"
json 0 restore config --to "$T/out-config"
equal 'read from' "b $id" "$(j '.results[0] | "\(.sink) \(.id)"')"
holds '[.results[0].findings[] | select(.code == "sink-away" and .subject == "a")] | length == 1'
whole_tree config
json 3 list config
equal 'unreachable' a "$(j '.results[0].unreachable[]')"
json 8 restore config --to "$T/out-config" --sink a
absent "$T/out-config"

# Bytes that are wrong only on their way.
sed -i 's/^what = away/what = flip/; s/^at = list/at = read/; s/^key = _/key = .gz/' "$ETC/conf.d/config.ini"
json 0 restore config --to "$T/out-config"
whole_tree config

# A manifest that can be read in one sink alone.
echo '{}' >"$T/a/$id.manifest.json"
sed -i 's/^at = read/at = nothing/' "$ETC/conf.d/config.ini"
json 0 restore config --to "$T/out-config"
equal 'sink' b "$(j '.results[0].sink')"
whole_tree config

# A manifest that can be read and says something else: whichever sink is first, most agree, or a check has found it wrong.
sink config c dir 'required = no'
for sink in a b; do
    mkdir -p "$T/c"
    rm -f "$T/a/"* "$T/b/"*
    id=$(backup config)
    rm "$T/c/"*
    python3 - "$T/$sink/$id.manifest.json" <<'END'
import re, sys
text = open(sys.argv[1]).read()
at = re.search(r'"xxh128":"(.)', text).start(1)
open(sys.argv[1], 'w').write(text[:at] + ('1' if text[at] == '0' else '0') + text[at + 1:])
END
    json 4 copy config --to c
    says 'different backups under this name' '--from'
    json 5 verify config
    json 0 restore config --to "$T/out-config"
    whole_tree config
    holds '[.results[0].findings[] | select(.code == "another-backup" and .subject == "'$sink'")] | length == 1'
    json 0 copy config --to c
done
cp "$T/a/$id.verified.json" "$T/b"
json 0 list config
equal 'whole' 'a c' "$(j '[.results[0].backups[].sinks[] | select(.whole) | .name] | join(" ")')"
json 5 verify config --level digest
equal 'set apart' 'b another-backup' "$(j '.results[0].checks[] | .sink as $sink | .findings[] | "\($sink) \(.code)"')"
json 0 verify config --level digest --sink a

# A manifest that cannot be read at all.
truncate -s 100 "$T/b/$id.manifest.json"
json 0 restore "$id" --to "$T/out-config"
whole_tree config
holds '[.results[0].findings[] | select(.code == "read-elsewhere" and (.text | test("sink .b. is read from only where no other can help")))] | length == 1'

# The artifact is damaged in one sink and the manifest in another, or lost there: what is read is held against the manifest that
# is right, so that both together are enough. What is in truth another backup cannot help, and never passes for this one.
sed -i '/^\[sink c\]/,$d' "$ETC/conf.d/config.ini"
rm -f "$T/a/"* "$T/b/"*
other=$(backup config)
date >"$DATA/config/stamp"
id=$(backup config)
cp "$T/b/$id.manifest.json" "$T/kept.json"
flip "$T/a/$id.tar.gz" 3000000 7000000
for harm in damaged lost sealed-off; do
    case $harm in
    damaged) truncate -s 100 "$T/b/$id.manifest.json" ;;
    lost) rm "$T/b/$id.manifest.json" ;;
    sealed-off) sed 's/"host": "/"host": "other-/' "$T/kept.json" >"$T/b/$id.manifest.json" ;;
    esac
    json 0 restore "$id" --to "$T/out-config"
    equal "the manifest, $harm in b, is that of" a "$(j '.results[0].sink')"
    holds '[.results[0].findings[] | select(.code == "read-elsewhere" and (.text | test("^read from sink .b.")))] | length >= 1'
    whole_tree config
    json 5 restore "$id" --to "$T/out-config" --sink a
    absent "$T/out-config"
done
cp "$T/b/$other.tar.gz" "$T/b/$id.tar.gz"
json 5 restore "$id" --to "$T/out-config"
absent "$T/out-config"
