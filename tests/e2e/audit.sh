#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An audit holds the live component against the newest whole backup, says what it finds, and its exit code says how bad it is.
. "$(dirname "$0")/lib.sh"
needs "${CC:-cc}"

mkdir "$T/plugins"
"${CC:-cc}" -std=c11 -shared -fPIC -I "$SOURCE/include" -DODD_SOUND -o "$T/plugins/source-odd.so" \
    "$SOURCE/tests/plugin/odd/source-odd.c"
export HOLDFAST_PLUGIN_PATH=$T/plugins
simple_profile odd odd /nowhere
codes() { j '.results[0].findings | map("\(.severity):\(.code):\(.subject)") | join(" ")'; }

# Without a backup there is nothing to compare with, and that is said.
json 0 audit odd
equal 'findings' 'info:no-backup:odd info:made:it' "$(codes)"
holds '.results[0].id == null and .results[0].audited'
says 'was made never'

id=$(backup odd)
json 0 audit
equal 'findings' 'info:made:it' "$(codes)"
equal 'the backup' "$id" "$(j '.results[0].id')"
says 'was made \"oddly\"'

# What is asked for reaches the source; warnings are no error.
json 0 audit odd --with warning=orders
equal 'findings' 'info:made:it warning:fewer:orders' "$(codes)"
json 5 audit odd --with error --with warning
expect 5 audit odd --with error=orders
says 'SOMETHING IS WRONG' "against $id" 'error: orders: is gone'
expect 5 audit odd --with error=orders --quiet
says 'orders: is gone'
json 8 audit odd --with unreachable
says 'nobody answers'
holds '.results[0].audited == false'
json 1 audit odd --with missing
json 2 audit odd --with nonsense
says "cannot look at 'nonsense'"
json 2 audit odd --with 'A B'
json 6 audit other

# It leaves nothing behind, and changes nothing.
cp -r "$BACKUPS" "$T/before"
expect 0 audit odd
same_tree "$T/before" "$BACKUPS"
nothing_left_over

# One whose backup is damaged is passed over, as restore would.
sleep 1.1
second=$(backup odd)
rm "$BACKUPS"/"$second"*.txt.gz
json 0 audit odd
equal 'the backup' "$id" "$(j '.results[0].id')"
says 'passed over'

# Without the key nobody can tell what was recorded: the component is looked at by itself, and that is said to be less.
if [[ -e $BUILD/plugins/stage-age.so ]]; then
    expect 0 key new --out "$T/key"
    public=$(cat "$OUT")
    mkdir "$T/sealed"
    profile sealed <<END
[profile]
name = sealed

[source]
plugin = odd

[stage encrypt]
plugin = age
identity = $T/key

[sink local]
plugin = dir
path = $T/sealed
END
    sealed=$(backup sealed)
    json 0 audit sealed
    equal 'findings with the key' 'info:made:it' "$(codes)"
    says 'was made \"oddly\"'
    sed -i "s,^identity = .*,recipient = $public," "$ETC/conf.d/sealed.ini"
    json 3 audit sealed
    equal 'findings without the key' "warning:previous-sealed:$sealed info:made:it" "$(codes)"
    holds '.results[0].audited and .results[0].id == null'
    says 'was made never'
    expect 3 audit sealed
    says 'nothing wrong as far as that can be told' 'nothing is compared with this newest backup' 'audit where the key is'
    expect 5 audit sealed --with error
    says 'SOMETHING IS WRONG'
    expect 8 audit sealed --with unreachable
    sed -i "s,^recipient = .*,identity = $T/none," "$ETC/conf.d/sealed.ini" # one that is told, and is not there
    expect 2 audit sealed
    rm "$ETC/conf.d/sealed.ini"
fi

# A source that cannot do it: refused alone, left out of all.
make_files "$DATA/config"
simple_profile config files "$DATA/config"
expect 4 audit config
says "source 'files' has no audit" 'holdfast verify config'
json 3 audit config odd
json 0 audit --all
holds '[.results[] | {(.profile): .audited}] | add == {"config": false, "odd": true}'
json 5 audit --all --with error

# The backups are away: nobody can tell what is gone.
mv "$BACKUPS" "$T/away"
json 8 audit odd
