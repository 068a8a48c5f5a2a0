#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check and --dry-run look, and leave everything as it was.
. "$(dirname "$0")/lib.sh"

make_db "$DATA/signals.db" 100
make_ledger "$DATA/ledger" 2 50 --seal
make_files "$DATA/config"
simple_profile sqlite sqlite "$DATA/signals.db"
simple_profile ledger ledger "$DATA/ledger"
simple_profile config files "$DATA/config"
picture() { contents "$DATA" && contents "$BACKUPS" && find "$T/tmp"; }

picture >"$T/before"
expect 0 check
expect 0 backup --all --dry-run
diff "$T/before" <(picture) || fail 'a dry backup changed something'
expect 0 backup --all
picture >"$T/before"
rm -f "$DATA"/*-wal "$DATA"/*-shm
for profile in sqlite ledger config; do
    expect 4 restore "$profile" --dry-run
    expect 0 restore "$profile" --dry-run --to "$T/target"
    absent "$T/target"
done
expect 0 prune --all --dry-run
diff "$T/before" <(picture) || fail 'a dry run changed something'
