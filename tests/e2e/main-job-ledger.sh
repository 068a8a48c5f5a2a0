#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Backup, list, verify and restore of a ledger, as the runbook does it and as holdfast does.
. "$(dirname "$0")/lib.sh"

make_ledger "$DATA/ledger" 3 400 --seal
simple_profile ledger ledger "$DATA/ledger"
cp -a "$DATA/ledger" "$T/original"
rm -f "$T/original"/*/_LOCK

expect 0 check ledger
id=$(backup ledger)
json 0 show "$id"
equal 'records among the facts' 400 "$(j '.results[0].manifest.facts["2026-01-30"].records')"
equal 'sealed days among the facts' 2 "$(j '[.results[0].manifest.facts[] | objects | select(.sealed == true)] | length')"
json 0 verify ledger

# The runbook's commands.
LATEST_LEDGER=$(ls -t "$BACKUPS"/ledger_*.tar.gz | head -1)
equal 'what ls -t finds' "$BACKUPS/$id.tar.gz" "$LATEST_LEDGER"
gunzip -t "$LATEST_LEDGER"
tar -tzf "$LATEST_LEDGER" >"$T/names"
grep -qx 'ledger/2026-01-29/signals-001.wal' "$T/names"
mkdir "$T/by-hand"
tar -xzf "$LATEST_LEDGER" -C "$T/by-hand"
same_tree "$T/original" "$T/by-hand/ledger"
[[ $(grep -c _LOCK "$T/names") == 0 ]] || fail '_LOCK is in the backup'

rm -rf "$DATA/ledger"
expect 0 restore ledger
same_tree "$T/original" "$DATA/ledger"
same_metadata "$T/by-hand/ledger" "$DATA/ledger"
expect 0 restore ledger --to "$T/elsewhere"
same_tree "$T/original" "$T/elsewhere/ledger"
