#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# cmake --install puts everything in its place, and the installed program finds its plugins wherever that is.
. "$(dirname "$0")/lib.sh"

prefix=$T/prefix
"${CMAKE_COMMAND:-cmake}" --install "$BUILD" --prefix "$prefix" >/dev/null
exists "$prefix/bin/holdfast"
exists "$(find "$prefix" -path '*/pkgconfig/holdfast.pc')"
exists "$(find "$prefix" -path '*/man/man1/holdfast.1*')"
for name in source-postgres source-sqlite source-ledger source-files stage-gzip stage-zstd sink-dir; do
    exists "$(find "$prefix" -path "*/holdfast/plugins/$name.so")"
done
for name in types host plugin source stage sink notifier; do exists "$prefix/include/holdfast/$name.h"; done
for name in postgres sqlite ledger config; do exists "$(find "$prefix" -path "*/conf.d/$name.ini")"; done

HOLDFAST=$prefix/bin/holdfast
json 0 plugin list
holds "[.. | objects | select(has(\"path\")) | .path | select(contains(\"$prefix\") or (startswith(\"/\") and contains(\"..\")))] | length >= 7"

make_db "$DATA/signals.db" 20
simple_profile sqlite sqlite "$DATA/signals.db"
expect 0 backup sqlite
expect 0 verify sqlite

# The plugins export one symbol, and the program needs none of its own to be found in it.
for module in "$prefix"/lib*/holdfast/plugins/*.so "$prefix"/lib/*/holdfast/plugins/*.so; do
    [[ -e $module ]] || continue
    [[ $SANITIZED != 0 ]] || equal "symbols of $module" holdfast_module_v1 "$(nm -D --defined-only "$module" | awk '{ print $3 }')"
done

# Where the program says that there are examples, they are.
mkdir -p "$T/none/conf.d"
DESTDIR=$T/image "${CMAKE_COMMAND:-cmake}" --install "$BUILD" >/dev/null
folder=$({ "$prefix/bin/holdfast" --config "$T/none" check 2>&1 || true; } | sed -n "s/^hint: .*examples are in //p")
exists "$T/image$folder/postgres.ini"
