#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A database in WAL mode whose writer never rests: each backup is a consistent state, equal to its facts.
. "$(dirname "$0")/lib.sh"

make_db "$DATA/signals.db" 20000
sqlite3 "$DATA/signals.db" 'create table pairs (a integer, b integer)'
simple_profile sqlite sqlite "$DATA/signals.db"

# Both inserts in one transaction: a state with one of them alone was never there.
touch "$T/writing"
(
    while [[ -e $T/writing ]]; do
        echo 'begin; insert into signals (signal_id, payload) values (hex(randomblob(8)), hex(randomblob(80)));
            insert into pairs select max(id), max(id) from signals; commit;'
        sleep 0.002
    done | sqlite3 -cmd '.timeout 5000' "$DATA/signals.db" >/dev/null
) &
writer=$!
wait_for 10 test -s "$DATA/signals.db-wal"

last=0
for round in 1 2 3; do
    id=$(backup sqlite)
    json 0 show "$id"
    facts=$(j '.results[0].manifest.facts.signals.tables | "\(.signals) \(.pairs)"')
    expect 0 restore "$id" --to "$T/round$round"
    sound "$T/round$round/signals.db"
    equal 'rows against the facts' "$facts" \
        "$(sqlite3 "$T/round$round/signals.db" "select (select count(*) from signals) || ' ' || (select count(*) from pairs)")"
    equal 'signals without their pair' 20000 \
        "$(sqlite3 "$T/round$round/signals.db" 'select count(*) from signals where id not in (select a from pairs)')"
    now=$(rows "$T/round$round/signals.db")
    ((now > last)) || fail 'the writer wrote nothing between two backups'
    last=$now
    sleep 0.3
done
kill -0 "$writer" || fail 'the writer did not survive the backups'
rm "$T/writing"
wait "$writer"
sound "$DATA/signals.db"
json 0 verify --all sqlite
equal 'whole backups' 3 "$(j '[.results[0].checks[] | select(.whole)] | length')"
