#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two of three sinks suffice: then a backup is partial, with fewer it is none, and nothing is left of it anywhere.
. "$(dirname "$0")/lib_sinks.sh"

make_files "$DATA/config"
# three BROKEN…: three sinks, of which these fail, at the call $at.
at='write'
three() {
    local name odd
    base_profile config files "$DATA/config" 'quorum = 2'
    rm -rf "${T:?}/a" "$T/b" "$T/c"
    for name in a b c; do
        odd=nothing
        [[ " $* " != *" $name "* ]] || odd=$at
        sink config $name odd "at = $odd
what = ${what:-fail}
key = ${key:-.gz}"
    done
}

three
json 0 backup config
equal 'stored' 'a true b true c true' "$(stored_in)"
for at in begin write prepare commit; do
    three b
    json 3 backup config
    equal "stored, with a failure at $at" 'a true b false c true' "$(stored_in)"
    equal 'outcome' partial "$(j '.results[0].outcome')"
    id=$(j '.results[0].id')
    equal "the manifest's sinks" '["a","c"]' "$(jq -c .sinks "$T/a/$id.manifest.json")"
    cmp "$T/a/$id.manifest.json" "$T/c/$id.manifest.json"
    nothing_visible "$T/b"
    three a c
    json 1 backup config
    says '1 of 3 sinks are left, and the quorum is 2'
    nothing_visible "$T/a"
    nothing_visible "$T/b"
    nothing_visible "$T/c"
done
# Even at the very last object.
at=commit key=.manifest.json
three a
json 3 backup config
id=$(j '.results[0].id')
equal "the manifest's sinks" '["b","c"]' "$(jq -c .sinks "$T/b/$id.manifest.json")"
cmp "$T/b/$id.manifest.json" "$T/c/$id.manifest.json"
nothing_visible "$T/a"
three b c
json 1 backup config
nothing_visible "$T/a"
nothing_visible "$T/b"
nothing_visible "$T/c"

# What a run takes back of its own is not told as what another left.
at=commit key=.gz
three a b
expect 1 backup config --verbose
if grep -E 'did not end|interrupted' "$ERR"; then fail 'it speaks of another run'; fi
nothing_left_over "$T/c"

# A sink that is required is required, quorum or not.
three
sed -i '/^\[sink b\]/a required = yes' "$ETC/conf.d/config.ini"
rm -rf "$T/b"
json 8 backup config
nothing_visible "$T/a"

# Away from the beginning, and back: a copy brings it up to date.
three
mv "$T/b" "$T/gone"
json 3 backup config
id=$(j '.results[0].id')
json 3 list
equal 'unreachable' b "$(j '.results[0].unreachable[]')"
equal 'listed' "$id" "$(j '.results[0].backups[].id')"
mv "$T/gone" "$T/b"
json 0 copy config --to b
cmp "$T/a/$id.manifest.json" "$T/b/$id.manifest.json"
json 0 list
equal 'sinks' 'a b c' "$(j '[.results[0].backups[].sinks[].name] | join(" ")')"

# Mistakes.
sed -i 's/^quorum = 2/quorum = 4/' "$ETC/conf.d/config.ini"
expect 2 backup config
says 'config.ini:3' "'quorum' is 4, but the profile has only 3 sinks" 'set it to 3 or less'
sed -i 's/^quorum = 4/quorum = 0/' "$ETC/conf.d/config.ini"
expect 2 backup config
says 'config.ini:3'

# A rehearsal knows what the run would come to, with sinks that do not answer.
three
printf '\n[retention]\nkeep_last = 1\n' >>"$ETC/conf.d/config.ini"
rm -rf "$T/b"
json 3 backup config --dry-run
equal 'outcome' would-store "$(j '.results[0].outcome')"
says "sink b: " 'No such file'
json 3 backup config
rm -rf "$T/c"
json 8 backup config --dry-run
says 'the quorum is 2'
json 8 backup config
