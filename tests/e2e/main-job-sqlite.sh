#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Backup, list, show, verify and restore of an SQLite database, as the runbook does it and as holdfast does.
. "$(dirname "$0")/lib.sh"

make_db "$DATA/signals.db" 3000
simple_profile sqlite sqlite "$DATA/*.db"
before=$(sha256sum <"$DATA/signals.db")
expect 0 config validate
expect 0 check

id=$(backup sqlite)
[[ $id =~ ^sqlite_[0-9]{8}_[0-9]{6}$ ]] || fail "an odd id: '$id'"
equal outcome stored "$(j '.results[0].outcome')"
equal 'verification after the backup' 'content true' "$(j '.results[0].verification[0] | "\(.level) \(.whole)"')"
object=sqlite_signals_${id#sqlite_}.db.gz
for file in "$object" "$id.sha256" "$id.manifest.json"; do exists "$BACKUPS/$file"; done
nothing_left_over
equal 'the original' "$before" "$(sha256sum <"$DATA/signals.db")"
absent "$DATA/signals.db-wal"

json 0 list
equal 'backups in the list' "$id" "$(j '.results[].backups[].id')"
json 0 show sqlite
equal 'rows among the facts' 3000 "$(j '.results[0].manifest.facts.signals.tables.signals')"
json 0 verify --all
equal 'the check' "$id local content true" "$(j '.results[0].checks[0] | "\(.id) \(.sink) \(.level) \(.whole)"')"

# The runbook's commands, word for word but for the folders.
LATEST_SQLITE=$(ls -t "$BACKUPS"/sqlite_*.db.gz | head -1)
equal 'what ls -t finds' "$BACKUPS/$object" "$LATEST_SQLITE"
gunzip -t "$LATEST_SQLITE"
gunzip -c "$LATEST_SQLITE" >"$T/by-hand.db"
sound "$T/by-hand.db"
equal 'rows restored by hand' 3000 "$(rows "$T/by-hand.db")"

# Elsewhere, and to the original place.
json 0 restore sqlite --to "$T/elsewhere"
sound "$T/elsewhere/signals.db"
equal 'rows restored elsewhere' 3000 "$(rows "$T/elsewhere/signals.db")"
chmod 640 "$DATA/signals.db"
rm "$DATA/signals.db"
expect 0 restore sqlite
sound "$DATA/signals.db"
equal 'rows restored' 3000 "$(rows "$DATA/signals.db")"
cmp <(sqlite3 "$T/by-hand.db" .dump) <(sqlite3 "$DATA/signals.db" .dump)
