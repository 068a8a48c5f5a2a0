#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A damaged ledger is backed up byte for byte, as partial (exit 3) with findings; the backup itself then verifies.
. "$(dirname "$0")/lib.sh"
needs python3

make_ledger "$DATA/ledger" 3 200 --seal
simple_profile ledger ledger "$DATA/ledger"
cp -a "$DATA/ledger" "$T/sound"
segment=$DATA/ledger/2026-01-30/signals-001.wal

damaged() { # WHAT CODE: the finding's code
    json 3 backup ledger
    holds '.results[0].outcome == "partial"'
    holds "[.results[0].findings[] | select(.severity == \"error\" and .code == \"$2\")] | length >= 1"
    says 2026-01-30
    id=$(j '.results[0].id')
    expect 0 verify "$id"
    expect 0 restore "$id" --to "$T/$1"
    same_tree "$DATA/ledger" "$T/$1/ledger"
    chmod -R u+w "$DATA/ledger" && rm -rf "$DATA/ledger" && cp -a "$T/sound" "$DATA/ledger"
}
edit() { chmod u+w "$segment" && python3 -c "
import sys, struct
data = bytearray(open(sys.argv[1], 'rb').read())
$1
open(sys.argv[1], 'wb').write(data)" "$segment"; }

edit 'data[5000] ^= 1'
damaged bit-flip frame-crc
edit 'size = 8 + struct.unpack(">I", data[:4])[0]; del data[:size]'
damaged first-record-missing sequence-gap
edit 'del data[-40:]'
damaged torn-in-a-sealed-day torn-frame
python3 - "$DATA/ledger/2026-01-30/_manifest.json" <<'END'
import json, sys
path = sys.argv[1]; m = json.load(open(path)); m["segments"][0]["record_count"] += 1
json.dump(m, open(path, "w"))
END
damaged manifest-lies manifest-mismatch

rm -rf "$DATA/ledger/2026-01-30"
json 0 backup ledger
holds '[.results[0].findings[] | select(.code == "missing-day" and .severity == "warning")] | length == 1'
