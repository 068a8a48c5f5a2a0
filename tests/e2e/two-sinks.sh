#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One read feeds two sinks. An optional one that fails makes the run partial; a required one, nothing visible anywhere.
. "$(dirname "$0")/lib.sh"

make_files "$DATA/config"
mkdir "$T/second"
two() { # REQUIRED
    simple_profile config files "$DATA/config"
    printf '\n[sink second]\nplugin = dir\npath = %s/second\nrequired = %s\n' "$T" "$1" >>"$ETC/conf.d/config.ini"
}
two yes
id=$(backup config)
equal 'sinks' 'local true second true' "$(j '[.results[0].sinks[] | "\(.name) \(.stored)"] | join(" ")')"
cmp "$BACKUPS/$id.tar.gz" "$T/second/$id.tar.gz"
cmp "$BACKUPS/$id.manifest.json" "$T/second/$id.manifest.json"
json 0 verify config
equal 'copies verified' 'local second' "$(j '[.results[0].checks[].sink] | join(" ")')"

# A copy that is damaged in one sink is restored from the other.
printf 'x' | dd of="$BACKUPS/$id.tar.gz" bs=1 seek=5000 conv=notrunc status=none
json 5 verify config
json 0 verify config --sink second
json 0 restore config --to "$T/restored"
equal 'the sink it was read from' second "$(j '.results[0].sink')"
same_tree "$DATA/config" "$T/restored$DATA/config"
rm -f "$BACKUPS"/* "$T/second"/*

rmdir "$T/second"
two no
json 3 backup config
equal 'outcome' partial "$(j '.results[0].outcome')"
equal 'stored in' 'local true second false' "$(j '[.results[0].sinks[] | "\(.name) \(.stored)"] | join(" ")')"
holds '.results[0].sinks[1].error | test("second")'
expect 0 verify config --sink local
rm -f "$BACKUPS"/*

two yes
json 8 backup config
says second
nothing_visible
nothing_left_over

# An unreachable sink does not keep the others from being listed, and the exit code says that something is missing.
mkdir "$T/second"
id=$(backup config)
mv "$T/second" "$T/gone"
json 3 list
equal 'listed' "$id" "$(j '.results[0].backups[].id')"
holds '.results[0].unreachable == ["second"]'
