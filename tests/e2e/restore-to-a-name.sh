#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --to is a path, seen from where the command is run, unless the source takes it for a name.
. "$(dirname "$0")/lib.sh"
needs "${CC:-cc}"

mkdir "$T/plugins" "$T/here" "$T/here/out" "$T/here/more"
export HOLDFAST_PLUGIN_PATH=$T/plugins
hello() { # the capabilities it declares
    sed "s/^    \.kind = HF_SOURCE,/&\n    .caps = $1,/" "$SOURCE/tests/plugin/example/source-hello.c" >"$T/source-hello.c"
    grep -q "caps = $1" "$T/source-hello.c" || fail 'the example has changed'
    "${CC:-cc}" -std=c11 -shared -fPIC -I "$SOURCE/include" -o "$T/plugins/source-hello.so" "$T/source-hello.c"
}
profile hello <<END
[profile]
name = hello
[source]
plugin = hello
[sink local]
plugin = dir
path = $BACKUPS
END
cd "$T/here"
hello 0
id=$(backup hello)
json 0 restore hello --to out
equal 'where' "$T/here/out" "$(j '.results[0].to')"
exists "$T/here/out/hello.txt"
json 0 restore --artifact "../backups/$id.txt" --to more
equal 'where' "$T/here/more" "$(j '.results[0].to')"
rm out/hello.txt more/hello.txt

hello HF_CAP_TO_IS_NAME
json 0 restore hello --to out
equal 'where' out "$(j '.results[0].to')"
exists "$T/here/out/hello.txt"
json 0 restore --artifact "../backups/$id.txt" --to more
equal 'where' more "$(j '.results[0].to')"
