#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Artifacts whose manifest is lost, and files that plain gzip, pigz and zstd wrote, are restored by restore --artifact.
. "$(dirname "$0")/lib.sh"
needs pigz zstd

make_db "$DATA/signals.db" 400
make_ledger "$DATA/ledger" 2 100 --seal
make_files "$DATA/config"
simple_profile sqlite sqlite "$DATA/signals.db"
simple_profile ledger ledger "$DATA/ledger"
simple_profile config files "$DATA/config"
expect 0 backup --all
rm "$BACKUPS"/*.manifest.json "$BACKUPS"/*.sha256
json 0 list
equal 'backups without manifests' 0 "$(j '[.results[].backups[]] | length')"
holds '[.results[].orphans[]] | length >= 3'

# The profile's name leads to the source plugin.
expect 0 restore --artifact "$(ls "$BACKUPS"/sqlite_*.db.gz)" --to "$T/a"
found=$(find "$T/a" -name '*.db*' -type f)
sound "$found"
equal 'rows' 400 "$(rows "$found")"
expect 0 restore --artifact "$(ls "$BACKUPS"/ledger_*.tar.gz)" --to "$T/b"
rm -f "$DATA"/ledger/*/_LOCK
same_tree "$DATA/ledger" "$T/b/ledger"
expect 0 restore --artifact "$(ls "$BACKUPS"/config_*.tar.gz)" --to "$T/c"
same_tree "$DATA/config" "$T/c$DATA/config"
expect 4 restore --artifact "$(ls "$BACKUPS"/config_*.tar.gz)" --to "$T/c"

# Written by others: one member, many members, no compression.
tar -C "$DATA" -cf "$T/plain.tar" config
gzip -c "$T/plain.tar" >"$T/gzip.tar.gz"
pigz -c "$T/plain.tar" >"$T/pigz.tar.gz"
{ head -c 100000 "$T/plain.tar" | gzip && tail -c +100001 "$T/plain.tar" | gzip; } >"$T/members.tar.gz"
zstd -qc "$T/plain.tar" >"$T/zstd.tar.zst"
{ head -c 100000 "$T/plain.tar" | zstd -q && tail -c +100001 "$T/plain.tar" | zstd -q; } >"$T/frames.tar.zst"
for file in plain.tar gzip.tar.gz pigz.tar.gz members.tar.gz zstd.tar.zst frames.tar.zst; do
    expect 0 restore --artifact "$T/$file" --source files --to "$T/from-$file"
    same_tree "$DATA/config" "$T/from-$file/config"
done
gzip -c "$DATA/signals.db" >"$T/x.db.gz"
expect 0 restore --artifact "$T/x.db.gz" --source sqlite --to "$T/x"
sound "$(find "$T/x" -type f)"

# Damage is no success here, either.
truncate -s -9 "$T/pigz.tar.gz"
hf restore --artifact "$T/pigz.tar.gz" --source files --to "$T/damaged"
[[ $RC != 0 ]] || fail 'a truncated artifact was restored'
equal 'left of it' '' "$(left_in "$T/damaged")"
expect 6 restore --artifact "$T/nowhere.tar.gz" --source files --to "$T/y"
