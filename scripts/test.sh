#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what the tests need, builds, and runs all of them.
# usage: scripts/test.sh [PRESET] [CTEST ARGUMENTS…]      (presets: release, dev, asan, tsan; default: release)
#   scripts/test.sh dev -R e2e/main-job      only some tests, by name
#   scripts/test.sh asan -LE heavy           without those that take long under a sanitizer
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=release
case ${1:-} in
release | dev | asan | tsan)
    preset=$1
    shift
    ;;
-h | --help)
    sed -n '4,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
'' | -*) ;;
*)
    echo "test.sh: there is no preset '$1' (release, dev, asan, tsan)" >&2
    exit 2
    ;;
esac

scripts/deps.sh --test
cmake --preset "$preset"
cmake --build --preset "$preset"
# More at once than there are processors: many of them wait for a server, a timeout or a kill most of the time.
exec ctest --preset "$preset" --parallel $(($(nproc) * 2)) --no-tests=error "$@"
