#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# For tests of several sinks:   . "$(dirname "$0")/lib_sinks.sh"
. "$(dirname "$0")/lib.sh"
needs "${CC:-cc}"

# The sink plugin that goes wrong when it is told to.
mkdir "$T/plugins"
"${CC:-cc}" -std=gnu11 -D_FILE_OFFSET_BITS=64 -Wall -Werror -Wno-format-truncation -shared -fPIC -I "$SOURCE/include" \
    -o "$T/plugins/sink-odd.so" "$SOURCE/tests/plugin/odd/sink-odd.c"
printf 'plugin_path = %s/plugins\n' "$T" >>"$ETC/holdfast.ini"

# base_profile NAME SOURCE PATH [LINES OF ITS [profile]]: without any sink.
base_profile() {
    profile "$1" <<END
[profile]
name = $1
${4:-}

[source]
plugin = $2
path = $3

[stage compress]
plugin = gzip
END
}

# sink PROFILE NAME PLUGIN [LINES]: one in $T/NAME.
sink() {
    mkdir -p "$T/$2"
    printf '\n[sink %s]\nplugin = %s\npath = %s/%s\n%s\n' "$2" "$3" "$T" "$2" "${4:-}" >>"$ETC/conf.d/$1.ini"
}

# What each sink of the last report says: "a true b false".
stored_in() { j '[.results[0].sinks[] | "\(.name) \(.stored)"] | join(" ")'; }
