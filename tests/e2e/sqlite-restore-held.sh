#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Restoring over a database that a process holds needs --replace, and never leaves the old one's WAL beside the new one.
. "$(dirname "$0")/lib.sh"

make_db "$DATA/signals.db" 100
simple_profile sqlite sqlite "$DATA/signals.db"
id=$(backup sqlite)

# A writer with a WAL that is not checkpointed.
{
    echo 'pragma wal_autocheckpoint = 0; delete from signals where id > 10; begin immediate; delete from signals;'
    touch "$T/held"
    while [[ -e $T/held ]]; do sleep 0.1; done
} | sqlite3 "$DATA/signals.db" >/dev/null &
holder=$!
wait_for 5 test -s "$DATA/signals.db-wal"
sleep 0.2

expect 4 restore "$id"
says "$DATA/signals.db"
equal 'rows after the refusal' 10 "$(rows "$DATA/signals.db")"

expect 0 restore "$id" --replace
[[ ! -s $DATA/signals.db-wal ]] || fail "the old database's WAL lies beside the new one"
sound "$DATA/signals.db"
equal 'rows after the swap' 100 "$(rows "$DATA/signals.db")"
rm "$T/held"
wait "$holder" || true
equal 'rows after the old holder went' 100 "$(rows "$DATA/signals.db")"
# The old one is kept, with what its holder had not checkpointed.
exists "$DATA/signals.db.before-$id"
