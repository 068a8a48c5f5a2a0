#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A plugin that knows nothing but the installed headers, found through pkg-config, is loaded and backs up.
. "$(dirname "$0")/lib.sh"
needs pkg-config "${CC:-cc}"

DESTDIR=$T/root "${CMAKE_COMMAND:-cmake}" --install "$BUILD" >/dev/null
pc=$(find "$T/root" -name holdfast.pc -printf '%h\n')
mkdir "$T/plugins"
export PKG_CONFIG_PATH=$pc PKG_CONFIG_SYSROOT_DIR=$T/root PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1
read -ra flags < <(pkg-config --cflags holdfast)
"${CC:-cc}" -std=c11 -Wall -Wextra -Werror -shared -fPIC "${flags[@]}" -o "$T/plugins/source-hello.so" \
    "$SOURCE/tests/plugin/example/source-hello.c"
unset PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR

printf 'plugin_path = %s/plugins\n' "$T" >>"$ETC/holdfast.ini"
json 0 plugin info hello
holds '.. | objects | select(.name? == "hello" and .kind? == "source")'
profile hello <<END
[profile]
name = hello
[source]
plugin = hello
[stage compress]
plugin = gzip
[sink local]
plugin = dir
path = $BACKUPS
END
id=$(backup hello)
expect 0 verify "$id"
gzip -t "$BACKUPS"/hello_*.gz

# By the environment, too.
sed -i '/^plugin_path/d' "$ETC/holdfast.ini"
expect 2 config validate
HOLDFAST_PLUGIN_PATH=$T/plugins expect 0 config validate
