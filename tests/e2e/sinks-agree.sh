#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The latest, lists and --at are the same whichever sink answers; one that is half synced confuses nobody.
. "$(dirname "$0")/lib_sinks.sh"

make_files "$DATA/config"
base_profile config files "$DATA/config"
sink config a dir
ids=()
for _ in 1 2 3 4; do
    date +%N >"$DATA/config/stamp"
    ids+=("$(backup config)")
    sleep 1
done
sink config b dir
json 0 copy --all --to b
# b is half synced, as by another tool: of the second it has no artifact, of the third no manifest, of the fourth nothing.
rm "$T/b/${ids[1]}.tar.gz" "$T/b/${ids[2]}.manifest.json" "$T/b/${ids[3]}"*
stamp() { tar -xzOf "$T/a/$1.tar.gz" "${DATA#/}/config/stamp"; }
at=$(sed -E 's/config_(....)(..)(..)_(..)(..)(..)/\1-\2-\3T\4:\5:\6Z/' <<<"${ids[2]}")
names() { # EXIT: what latest, --at and an id mean
    json "$1" list config
    listed=$(j '[.results[0].backups[].id] | join(" ")')
    json 0 show config
    latest=$(j '.results[0].id')
    json 0 show config --at "$at"
    earlier=$(j '.results[0].id')
}
names 0
equal 'listed' "${ids[*]}" "$listed"
equal 'latest' "${ids[3]}" "$latest"
equal 'as of the third' "${ids[2]}" "$earlier"
json 0 list config
equal 'where each is' 'a b|a b(damaged)|a|a' \
    "$(j '[.results[0].backups[] | [.sinks[] | .name + (if .whole then "" else "(damaged)" end)] | join(" ")] | join("|")')"
equal 'orphans' "b: ${ids[2]}.tar.gz" "$(j '.results[0].orphans[]' | grep tar)"
json 4 copy "${ids[2]}" --to b # what is in the way stays
for id in "${ids[@]}"; do
    json 0 restore "$id" --to "$T/restored"
    equal "the stamp of $id" "$(stamp "$id")" "$(cat "$T/restored$DATA/config/stamp")"
    rm -rf "$T/restored"
done

# The latest of b alone is an older one, which is said.
json 0 restore config --sink b --to "$T/restored"
equal 'the latest of b' "${ids[0]}" "$(j '.results[0].id')"
holds '.results[0].findings | map(select(.code == "newer-elsewhere" and .subject == "a" and (.text | test("'"${ids[3]}"'")))) | length == 1'
rm -rf "$T/restored"
json 0 restore config --sink a --to "$T/restored"
holds '.results[0].findings == []'
rm -rf "$T/restored"

# a is back before b: the order of the sinks in the profile decides nothing.
python3 - "$ETC/conf.d/config.ini" <<'END'
import re, sys
text = open(sys.argv[1]).read()
head, a, b = re.split(r'(?=\[sink )', text)
open(sys.argv[1], 'w').write(head + b + a)
END
names 0
equal 'listed' "${ids[*]}" "$listed"
equal 'latest' "${ids[3]}" "$latest"
equal 'as of the third' "${ids[2]}" "$earlier"

# Without b all is as before; without a, what b has whole, and it is said that a is away.
mv "$T/b" "$T/gone"
names 3
equal 'listed' "${ids[*]}" "$listed"
equal 'latest' "${ids[3]}" "$latest"
equal 'as of the third' "${ids[2]}" "$earlier"
mv "$T/gone" "$T/b"
mv "$T/a" "$T/gone"
names 3
equal 'listed' "${ids[0]} ${ids[1]}" "$listed"
equal 'latest' "${ids[0]}" "$latest"
says 'passed over'
json 0 restore config --to "$T/restored"
holds '[.results[0].findings[] | select(.code == "sink-away" and .subject == "a")] | length == 1'
mv "$T/gone" "$T/a"
rm -rf "$T/b" && mv "$T/a" "$T/gone"
json 8 list config
json 8 restore config --to "$T/other"
mv "$T/gone" "$T/a"
mkdir "$T/b"

# Nothing has changed and one of them lacks the last: that is told, and a copy mends it.
sed -i "s|^path = $DATA/config|&\nwhen = changed|" "$ETC/conf.d/config.ini"
date +%N >"$DATA/config/stamp"
backup config >/dev/null
rm -f "$T/b/"*
json 3 backup config
equal 'outcome' unchanged "$(j '.results[0].outcome')"
holds '.results[0].findings[] | select(.code == "sink-behind" and .subject == "b")'
json 0 copy config --to b
json 0 backup config
