#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sealed days, gzipped segments, late partitions and the archive come back with their modes, times and markers.
. "$(dirname "$0")/lib.sh"

make_ledger "$DATA/ledger" 3 300 --seal
chmod u+w "$DATA"/ledger/*/
gzip -n "$DATA/ledger/2026-01-29/signals-001.wal"
cp -a "$DATA/ledger/2026-01-30" "$DATA/ledger/2026-01-30-late"
rm "$DATA/ledger/2026-01-30-late"/_{SEALED,manifest.json}
mkdir "$DATA/ledger/_archive"
echo old >"$DATA/ledger/_archive/notes.txt"
touch "$DATA/ledger/2026-01-31/_LOCK" "$DATA/ledger/2026-01-31/_CURRENT.tmp"
touch -d 2026-01-30T12:34:56Z "$DATA/ledger/2026-01-30/_SEALED" "$DATA/ledger/2026-01-30"
simple_profile ledger ledger "$DATA/ledger"

id=$(backup ledger)
json 0 show "$id"
equal 'records of the gzipped day' 300 "$(j '.results[0].manifest.facts["2026-01-29"].records')"
cp -a "$DATA/ledger" "$T/expected"
rm "$T/expected/2026-01-31/_LOCK" "$T/expected/2026-01-31/_CURRENT.tmp"
touch -r "$DATA/ledger/2026-01-31" "$T/expected/2026-01-31"
touch -r "$DATA/ledger" "$T/expected"
rm -rf "$DATA/ledger"
expect 0 restore ledger
same_tree "$T/expected" "$DATA/ledger"
same_metadata "$T/expected" "$DATA/ledger"
equal 'mode of a sealed segment' 444 "$(stat -c %a "$DATA/ledger/2026-01-30/signals-001.wal")"

# Damage inside a gzipped segment is found.
gzip -dc "$DATA/ledger/2026-01-29/signals-001.wal.gz" >"$T/plain"
printf 'X' | dd of="$T/plain" bs=1 seek=3000 conv=notrunc status=none
chmod u+w "$DATA/ledger/2026-01-29" "$DATA/ledger/2026-01-29/signals-001.wal.gz"
gzip -nc "$T/plain" >"$DATA/ledger/2026-01-29/signals-001.wal.gz"
json 3 backup ledger
says signals-001.wal.gz
