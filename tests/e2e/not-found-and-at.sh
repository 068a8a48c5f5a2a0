#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How a backup is named: latest, an id, a unique prefix, a time. What is not there is exit 6, never something else instead.
. "$(dirname "$0")/lib.sh"

make_files "$DATA/config"
simple_profile config files "$DATA/config"
json 6 show config
json 6 restore config --to "$T/x"
absent "$T/x"

first=$(backup config)
sleep 1.1
second=$(backup config)
shown() { # EXPECTED ARGUMENTS…
    local expected=$1
    shift
    json 0 show "$@"
    equal "show $*" "$expected" "$(j '.results[0].id')"
}
time_of() { sed -E 's/.*_(....)(..)(..)_(..)(..)(..)/\1-\2-\3T\4:\5:\6Z/' <<<"$1"; }
shown "$second" config
shown "$first" "$first"
shown "$second" config --at "$(time_of "$second")"
shown "$first" config --at "$(time_of "$first")"
shown "$second" config --at 2099-01-01
json 6 show config --at 2001-01-01
says 2001
json 6 show config_19990101
json 6 show "${first}x"
hf show "${first%_*}" --json
[[ $RC == 2 || $RC == 6 ]] || fail "an ambiguous prefix gave exit code $RC"
says "$first" "$second"
expect 6 show nosuchprofile
expect 6 verify config --sink nosuchsink
expect 6 plugin info nosuchplugin
expect 2 show config --at yesterdayish

json 0 restore config --at "$(time_of "$first")" --to "$T/restored"
equal 'restored' "$first" "$(j '.results[0].id')"

# latest passes over what is damaged, and says so.
rm "$BACKUPS/$second.tar.gz"
shown "$first" config
says "$second"
