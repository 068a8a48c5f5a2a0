#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A secret is refused in a file that others can read, and is masked in everything that is printed or stored.
. "$(dirname "$0")/lib.sh"
needs "${CC:-cc}"

mkdir "$T/plugins"
"${CC:-cc}" -std=c11 -shared -fPIC -I "$SOURCE/include" -DODD_SOUND -o "$T/plugins/source-odd.so" \
    "$SOURCE/tests/plugin/odd/source-odd.c"
export HOLDFAST_PLUGIN_PATH=$T/plugins
secret=correct-horse-battery
unmentioned() {
    if grep -qrF "$secret" "$OUT" "$ERR" "$BACKUPS"; then fail "the secret is to be seen after: $*"; fi
}

simple_profile odd odd /nowhere "token = $secret"
chmod 644 "$ETC/conf.d/odd.ini"
expect 2 config validate
says odd.ini:7 chmod
unmentioned 'config validate'
chmod 600 "$ETC/conf.d/odd.ini"
expect 0 config validate
json 0 config show odd
unmentioned 'config show'
holds '[.results[0].sections[].options[] | select(.key == "token")][0] | .secret == true'
expect 0 backup odd --verbose # the plugin logs its token, and puts it into a finding
unmentioned 'backup'
json 0 show odd
unmentioned 'show'

chmod 644 "$ETC/conf.d/odd.ini"
sed -i 's/^token = .*/token = ${env:ODD_TOKEN}/' "$ETC/conf.d/odd.ini"
expect 2 config validate
says ODD_TOKEN
ODD_TOKEN=$secret expect 0 config validate
echo "$secret" >"$T/token"
sed -i "s,^token = .*,token = \${file:$T/token}," "$ETC/conf.d/odd.ini"
chmod 644 "$T/token"
expect 2 config validate
chmod 600 "$T/token"
sleep 1
expect 0 backup odd
unmentioned 'backup with a file'
