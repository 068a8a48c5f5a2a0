#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A ledger that is appended to, with segments rolling over: each backup holds a prefix of every segment, on a frame boundary.
. "$(dirname "$0")/lib.sh"
needs python3

make_ledger "$DATA/ledger" 2 9800 --seal
simple_profile ledger ledger "$DATA/ledger"
"$LEDGER_GEN" "$DATA/ledger" --append-for 60 --rate 2000 --no-fsync >"$T/writer.log" 2>&1 &
writer=$!
wait_for 10 test -e "$DATA/ledger/$(date +%F)/_CURRENT" -o -s "$T/writer.log" -o -e "$DATA/ledger/2026-01-30/_CURRENT"

ids=()
for _ in 1 2 3 4; do
    ids+=("$(backup ledger)")
    holds '[.results[0].findings[] | select(.severity == "error")] == []'
    sleep 0.7
done
kill "$writer"
wait "$writer" || true

# Every backed-up segment against the live one: a prefix, of whole frames; _CURRENT names a segment that is there.
for id in "${ids[@]}"; do
    expect 0 restore "$id" --to "$T/$id"
    python3 - "$DATA/ledger" "$T/$id/ledger" <<'END'
import pathlib, struct, sys, zlib
live, copy = map(pathlib.Path, sys.argv[1:])
segments = 0
for path in sorted(copy.glob("*/signals-*.wal")):
    data, whole = path.read_bytes(), (live / path.relative_to(copy)).read_bytes()
    assert whole.startswith(data), f"{path} is no prefix of the live segment"
    at = 0
    while at < len(data):
        size, crc = struct.unpack(">II", data[at:at + 8])
        assert at + 8 + size <= len(data), f"{path} ends within a frame"
        assert zlib.crc32(data[at + 8:at + 8 + size]) == crc, f"{path}: bad frame at {at}"
        at += 8 + size
    segments += 1
for current in copy.glob("*/_CURRENT"):
    assert (current.parent / current.read_text().strip()).exists(), f"{current} names a segment that is not there"
assert segments >= 2, "hardly any segments"
END
done
json 0 show "${ids[0]}"
first=$(j '[.results[0].manifest.facts[] | objects | .records // 0] | add')
json 0 show "${ids[3]}"
last=$(j '[.results[0].manifest.facts[] | objects | .records // 0] | add')
((last > first)) || fail "the writer appended nothing between the backups ($first, $last records)"
