#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A target that is not empty is refused with exit 4 and stays as it is; with --replace the new state is swapped in.
. "$(dirname "$0")/lib.sh"

make_db "$DATA/signals.db" 50
make_ledger "$DATA/ledger" 2 50
make_files "$DATA/config"
simple_profile sqlite sqlite "$DATA/signals.db"
simple_profile ledger ledger "$DATA/ledger"
simple_profile config files "$DATA/config"
expect 0 backup --all

sqlite3 "$DATA/signals.db" 'delete from signals where id > 7'
echo changed >"$DATA/config/omen.yaml"
rm -rf "$DATA/ledger/2026-01-29"
listing "$DATA" >"$T/before"
for profile in sqlite ledger config; do
    expect 4 restore "$profile"
    says 'hint:' --replace
    diff "$T/before" <(listing "$DATA") || fail "a refused restore of $profile changed the target"
done

expect 0 restore sqlite --replace
equal 'rows' 50 "$(rows "$DATA/signals.db")"
expect 0 restore ledger --replace
exists "$DATA/ledger/2026-01-29/signals-001.wal"
kept=$(find "$DATA" -maxdepth 1 -name 'ledger.before-*' -printf '%f\n')
[[ $kept == ledger.before-* ]] || fail "the old ledger was not kept as ledger.before-ID: '$kept'"
absent "$DATA/$kept/2026-01-29"
expect 0 restore config --replace
equal 'the file' 'log_level: info' "$(cat "$DATA/config/omen.yaml")"
found=$(find "$DATA" -name '.*holdfast*')
equal 'scratch left beside the targets' '' "$found"
