#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A partial last frame of the segment being written is left out, reported as info, and is no failure.
. "$(dirname "$0")/lib.sh"

make_ledger "$DATA/ledger" 1 100
simple_profile ledger ledger "$DATA/ledger"
segment=$DATA/ledger/2026-01-29/signals-001.wal
whole=$(stat -c %s "$segment")
chmod u+w "$segment"
printf '\x00\x00\x05\x00\x01\x02\x03\x04{"signal_id":"OM' >>"$segment"

id=$(backup ledger)
holds '[.results[0].findings[] | select(.code == "torn-tail" and .severity == "info")] | length == 1'
expect 0 verify "$id"
expect 0 restore "$id" --to "$T/restored"
restored=$T/restored/ledger/2026-01-29/signals-001.wal
equal 'size of the restored segment' "$whole" "$(stat -c %s "$restored")"
cmp -n "$whole" "$segment" "$restored"
json 0 show "$id"
equal 'records among the facts' 100 "$(j '.results[0].manifest.facts["2026-01-29"].records')"
