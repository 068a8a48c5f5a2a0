#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Help for every command, the version, and what plugins there are.
. "$(dirname "$0")/lib.sh"

expect 0 help
for command in check backup list show verify restore prune audit config key plugin help; do
    says "$command"
done
for command in check backup list show verify restore prune audit 'config show' 'config validate' 'key new' 'key show' 'plugin list' 'plugin info' help; do
    # shellcheck disable=SC2086
    expect 0 $command --help
    says "holdfast $command"
    # shellcheck disable=SC2086
    expect 0 help $command
done
expect 0 --version
[[ $(cat "$OUT") =~ ^holdfast\ [0-9]+\.[0-9]+\.[0-9]+ ]] || fail 'an odd version'
expect 2 help nonsense

json 0 plugin list
plugins=$(cd "$BUILD/plugins" && printf '%s\n' *-*.so | sed 's/\.so$//; s/-/\//' | sort | paste -sd' ')
equal 'plugins' "$plugins" \
    "$(j '[.. | objects | select(has("kind")) | "\(.kind)/\(.name)"] | sort | join(" ")')"
for plugin in $plugins; do
    expect 0 plugin info "$plugin"
    says "${plugin#*/}"
done
