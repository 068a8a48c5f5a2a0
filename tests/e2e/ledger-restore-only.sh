#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# One day goes back into a ledger that has others; the others are not touched.
. "$(dirname "$0")/lib.sh"

make_ledger "$DATA/ledger" 4 150 --seal
simple_profile ledger ledger "$DATA/ledger"
cp -a "$DATA/ledger" "$T/original"
expect 0 backup ledger
echo 'written after the backup' >"$DATA/ledger/2026-01-29/note"
chmod -R u+w "$DATA/ledger/2026-01-30" && rm -rf "$DATA/ledger/2026-01-30"

json 0 restore ledger --only 2026-01-30 --dry-run
equal 'what would be restored' 2026-01-30 "$(j '.results[0].selected[].part')"
absent "$DATA/ledger/2026-01-30"
expect 0 restore ledger --only 2026-01-30
same_tree "$T/original/2026-01-30" "$DATA/ledger/2026-01-30"
exists "$DATA/ledger/2026-01-29/note"

expect 4 restore ledger --only 2026-01-29
exists "$DATA/ledger/2026-01-29/note"
expect 0 restore ledger --only 2026-01-29 --replace
absent "$DATA/ledger/2026-01-29/note"
same_tree "$T/original/2026-01-29" "$DATA/ledger/2026-01-29"

expect 6 restore ledger --only 2020-01-01 --to "$T/elsewhere"
says 2020-01-01
expect 0 restore ledger --only 2026-01-31 --only 2026-02-01 --to "$T/elsewhere"
equal 'days restored elsewhere' '2026-01-31 2026-02-01' "$(cd "$T/elsewhere/ledger" && echo 20*)"
