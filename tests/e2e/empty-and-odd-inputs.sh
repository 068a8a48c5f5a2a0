#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Empty and odd inputs make ordinary backups, or are refused with a reason.
. "$(dirname "$0")/lib.sh"

# An empty folder, an empty file, an empty database, a ledger without partitions.
mkdir "$DATA/config" "$DATA/ledger"
simple_profile config files "$DATA/config"
id=$(backup config)
gzip -t "$BACKUPS/$id.tar.gz"
expect 0 verify "$id"
expect 0 restore "$id" --to "$T/a"
[[ -d $T/a$DATA/config ]] || fail 'the empty folder did not come back'

sqlite3 "$DATA/empty.db" 'create table t (x); drop table t; vacuum'
simple_profile sqlite sqlite "$DATA/empty.db"
id=$(backup sqlite)
expect 0 restore "$id" --to "$T/b"
sound "$T/b/empty.db"

simple_profile ledger ledger "$DATA/ledger"
hf backup ledger --json
if [[ $RC == 0 ]]; then expect 0 verify ledger; else [[ -s $ERR || -s $OUT ]] || fail 'no reason'; fi

# What is not there.
simple_profile config files "$DATA/nowhere"
hf check config
[[ $RC != 0 ]] || fail 'check does not miss the source'
expect 1 backup config
says "$DATA/nowhere"
simple_profile ledger ledger "$DATA/config/../nowhere"
expect 1 backup ledger
says nowhere

# A ledger whose path no manifest can hold is refused by name, not after the work is done.
make_ledger "$DATA"/$'led\xff' 1 5
simple_profile odd-name ledger "$DATA"/$'led\xff'
expect 2 backup odd-name
says 'is not UTF-8'
