#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# copy brings a sink up to date: the same bytes, checked at both ends, whole or not at all, and never over what is there.
. "$(dirname "$0")/lib_sinks.sh"

make_db "$DATA/one.db" 2000
make_db "$DATA/two.db" 500
base_profile config sqlite "$DATA/one.db $DATA/two.db"
sed -i "s|^path = .*|path = $DATA/*.db|" "$ETC/conf.d/config.ini"
sink config a dir
ids=()
for _ in 1 2 3; do
    make_db "$DATA/one.db" 10
    ids+=("$(backup config)")
done
sink config b dir
equal "b's backups before" '["a"]' "$(
    json 0 list
    j '[.results[0].backups[].sinks[].name] | unique | tojson'
)"

# The latest; then once more.
json 0 copy config --from a --to b --dry-run
equal 'dry run' "would-copy ${ids[2]}" "$(j '.results[0].copies[] | "\(.outcome) \(.id)"')"
nothing_visible "$T/b"
json 0 copy config --from a --to b
equal 'copied' "copied ${ids[2]} digest" "$(j '.results[0].copies[] | "\(.outcome) \(.id) \(.verification.level)"')"
for file in "$T/a/"*"${ids[2]#config_}"*; do
    [[ $file == *.verified.json ]] || cmp "$file" "$T/b/${file##*/}"
done
nothing_left_over "$T/b"
json 0 copy config --to b
equal 'there' 'there' "$(j '.results[0].copies[].outcome')"

# All of them, in parallel; what is there is left alone, to the last attribute.
stat -c '%i %y %n' "$T/b/"* >"$T/before"
json 0 copy --all --to b --jobs 4
equal 'outcomes' '["copied","copied","there"]' "$(j '[.results[0].copies[].outcome] | tojson')"
stat -c '%i %y %n' "$T/b/"* >"$T/after"
grep -qF -f "$T/before" "$T/after" || fail 'what was there has been changed'
equal 'lines that stayed' "$(wc -l <"$T/before")" "$(grep -cFx -f "$T/before" "$T/after")"
json 0 verify --all config --level content
equal 'sinks of each' '["a","b"]' "$(
    json 0 list
    j '[.results[0].backups[] | [.sinks[].name]] | unique | .[] | tojson'
)"

# Damage where it is read from: nothing of it arrives, and the other goes on. Without --from, another copy is taken.
rm "$T/b/"*
gz=$T/a/config_one_${ids[0]#config_}.db.gz
printf 'x' | dd of="$gz" bs=1 seek=5000 conv=notrunc status=none
json 5 copy --all --from a --to b
equal 'outcomes' '["failed","copied","copied"]' "$(j '[.results[0].copies[].outcome] | tojson')"
holds '.results[0].copies[0].error | test("sha256")'
[[ -z $(compgen -G "$T/b/*${ids[0]#config_}*") ]] || fail 'something of the damaged one is there'
nothing_left_over "$T/b"
sink config c dir
rm "$T/b/"*
printf 'x' | dd of="$gz" bs=1 seek=5000 conv=notrunc status=none
json 5 copy "${ids[0]}" --from a --to c
expect 0 copy "${ids[1]}" --from a --to c
rm "$T/a/"*"${ids[1]#config_}"*
json 0 copy "${ids[1]}" --to b
equal 'from' c "$(j '.results[0].copies[].from')"

# Damage where it is written to is seen at once, and does not stay; a damaged copy makes way when told to.
printf 'y' | dd of="$T/b/config_two_${ids[1]#config_}.db.gz" bs=1 seek=300 conv=notrunc status=none
json 5 verify "${ids[1]}" --sink b
json 4 copy "${ids[1]}" --to b
says 'in-the-way' 'found damaged' '--replace'
json 0 copy "${ids[1]}" --to b --replace
json 0 verify "${ids[1]}" --sink b
rm "$T/b/"*
sed -i "s|^path = $T/b\$|&\nat = read\nwhat = flip\nkey = .gz|; /^\[sink b\]/,/^path/s/plugin = dir/plugin = odd/" "$ETC/conf.d/config.ini"
json 5 copy "${ids[1]}" --to b
says 'read back other than it was written'
[[ -z $(compgen -G "$T/b/*") ]] || fail 'what arrived damaged has stayed'
sed -i 's/^at = read/at = nothing/' "$ETC/conf.d/config.ini"
json 0 copy "${ids[1]}" --to b

# As long as what is to take its place is not known to be right, a damaged copy stays: each may have what the other lacks.
for file in one two; do cp "$T/b/config_${file}_${ids[1]#config_}.db.gz" "$T/$file.gz"; done
printf 'yyy' | dd of="$T/b/config_two_${ids[1]#config_}.db.gz" bs=1 seek=300 conv=notrunc status=none
printf 'yyy' | dd of="$T/c/config_one_${ids[1]#config_}.db.gz" bs=1 seek=300 conv=notrunc status=none
json 5 verify "${ids[1]}" --sink b
json 5 copy "${ids[1]}" --from c --to b --replace
says 'is damaged, too, so that the copy in sink' stays 'holdfast restore'
exists "$T/b/${ids[1]}.manifest.json"
json 0 restore "${ids[1]}" --to "$T/from-both"
cp "$T/one.gz" "$T/c/config_one_${ids[1]#config_}.db.gz"
json 0 verify "${ids[1]}" --sink c

# One that nobody has read back, as when the copying was killed before it could, is read back now.
cp "$T/two.gz" "$T/b/config_two_${ids[1]#config_}.db.gz"
rm "$T/b/${ids[1]}.verified.json"
json 0 copy "${ids[1]}" --to b
equal 'read back' 'there digest' "$(j '.results[0].copies[] | "\(.outcome) \(.verification.level)"')"
rm "$T/b/${ids[1]}.verified.json"
printf 'yyy' | dd of="$T/b/config_two_${ids[1]#config_}.db.gz" bs=1 seek=300 conv=notrunc status=none
json 4 copy "${ids[1]}" --to b
says 'in-the-way' 'found damaged' '--replace'
json 0 copy "${ids[1]}" --to b --replace
json 0 verify "${ids[1]}" --sink b

# Another backup under the same name is never touched, and counts as no copy.
sed -i 's/"host": "/"host": "other-/' "$T/b/${ids[1]}.manifest.json"
json 4 copy "${ids[1]}" --from c --to b --replace
says 'another backup of the same name' 'never touches another backup'
mv "$T/b/${ids[1]}.sha256" "$T/b.sha256" # nor when something of it is missing, unless a verification says so
json 4 copy "${ids[1]}" --from c --to b --replace
says 'another backup of the same name'
mv "$T/b.sha256" "$T/b/${ids[1]}.sha256"
json 4 copy "${ids[1]}" --to b
json 4 copy "${ids[1]}" --to c
json 0 list
holds '[.results[0].backups[] | select(.id == "'"${ids[1]}"'") | .sinks[] | select(.name == "c").problem | test("another backup")] == [true]'

# Mistakes.
expect 2 copy config
says 'must be told the sink' '--to NAME'
expect 2 copy config --from a --to a
says 'are the same sink'
expect 6 copy config --to d
says "its sinks are: a, b, c"
expect 2 copy config --to b --level none
rm -rf "${T:?}/c"
expect 8 copy config --from a --to c
expect 8 copy config --from c --to a

# What the rules of the target would remove at once is left out, else every prune would be undone.
rm -rf "$T/b"
mkdir "$T/b" "$T/c"
rm "$T/a/"*
for _ in 1 2 3; do ids+=("$(json 0 backup config >&2; j '.results[0].id')"); done
rm -f "$T/b/"* "$T/c/"*
printf '\n[retention b]\nkeep_last = 1\n' >>"$ETC/conf.d/config.ini"
json 0 copy --all --from a --to b
equal 'outcomes' '["unwanted","unwanted","copied"]' "$(j '[.results[0].copies[].outcome] | tojson')"
json 0 prune config --sink b
equal 'pruned' '[]' "$(j '[.results[0].items[] | select(.remove)] | tojson')"
expect 0 copy config --to b
says 'there already'

# What is damaged stands in for no other: neither where it is read from, found out before or only now, nor where it is.
newest=${ids[-1]} before=${ids[-2]}
rm -f "$T/b/"*
cp "$T/a/config_two_${newest#config_}.db.gz" "$T/two.gz"
printf 'yyy' | dd of="$T/a/config_two_${newest#config_}.db.gz" bs=1 seek=300 conv=notrunc status=none
json 5 copy --all --from a --to b
equal 'outcomes' '["unwanted","copied","failed"]' "$(j '[.results[0].copies[].outcome] | tojson')"
rm -f "$T/b/"*
json 5 verify "$newest" --sink a
json 5 copy --all --from a --to b
equal 'outcomes' '["unwanted","copied","failed"]' "$(j '[.results[0].copies[].outcome] | tojson')"
printf 'yyy' | dd of="$T/b/config_two_${before#config_}.db.gz" bs=1 seek=300 conv=notrunc status=none
json 5 verify "$before" --sink b
mkdir "$T/aside"
mv "$T/a/"*"${newest#config_}"* "$T/a/"*"${before#config_}"* "$T/aside"
json 0 copy --all --from a --to b
equal 'outcomes' '["copied"]' "$(j '[.results[0].copies[].outcome] | tojson')"
json 0 prune config --sink b
equal 'pruned' '[]' "$(j '[.results[0].items[] | select(.remove)] | tojson')"
mv "$T/aside/"* "$T/a"
cp "$T/two.gz" "$T/a/config_two_${newest#config_}.db.gz"
rm "$T/b/"*
json 0 verify "$newest" --sink a
json 0 copy config --from a --to b

# A sink that does not answer may have more to copy.
rm -rf "${T:?}/c"
json 3 copy config --to b
equal 'away' '["c"]' "$(j '.results[0].unreachable | tojson')"
json 3 copy --all --to b
mv "$T/a" "$T/gone"
json 8 copy --all --to b
says 'none of the sinks to copy from answers'

# One that goes away in the middle is not tried for each backup anew.
mv "$T/gone" "$T/a"
mkdir "$T/c"
for _ in 4 5; do backup config >/dev/null; done
sink config d odd $'at = begin\nwhat = away\nkey = .gz'
json 8 copy --all --from a --to d --jobs 1
equal 'not tried' 3 "$(j '[.results[0].copies[] | select(.error | test("not tried"))] | length')"
sed -i 's/^what = away/what = fail/' "$ETC/conf.d/config.ini"
json 1 copy --all --from a --to d --jobs 1
holds '[.results[0].copies[] | select(.error | test("not tried"))] == []'
