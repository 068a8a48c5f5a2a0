#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Modules that are none, that are too new, or that lie about themselves are refused with a sentence, and nothing else breaks.
. "$(dirname "$0")/lib.sh"
needs "${CC:-cc}"

mkdir "$T/plugins"
odd() { # CASE
    "${CC:-cc}" -std=c11 -shared -fPIC -I "$SOURCE/include" "-DODD_$1" -o "$T/plugins/source-odd.so" \
        "$SOURCE/tests/plugin/odd/source-odd.c"
}
make_files "$DATA/config"
simple_profile odd odd /nowhere
simple_profile good files "$DATA/config"
export HOLDFAST_PLUGIN_PATH=$T/plugins

odd SOUND
expect 0 plugin info odd
expect 0 config validate
for case in NO_SYMBOL SMALL_MODULE SMALL_PLUGIN NEWER_HOST UNKNOWN_CAP UNKNOWN_KIND OTHER_NAME NO_OPERATIONS INIT_FAILS \
    NULL_MODULE BAD_OPTION; do
    odd "$case"
    expect 2 config validate
    says odd
    hf backup odd
    [[ $RC == 2 ]] || fail "$case: exit code $RC"
    hf plugin info odd
    [[ $RC != 0 ]] || fail "$case: the plugin was loaded"
    says source-odd
    expect 0 plugin list
done
echo 'no shared object at all' >"$T/plugins/source-odd.so"
expect 2 config validate
odd SOUND
chmod o+w "$T/plugins/source-odd.so"
expect 2 config validate
says 'chmod o-w'
expect 0 backup good
