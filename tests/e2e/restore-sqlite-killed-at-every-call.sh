#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# kill -9 before every single call of a restore that changes a file, over a database whose last rows are in its -wal alone, with
# and without an application that has it open: the place has the old rows, all of them, or the new ones.
. "$(dirname "$0")/lib.sh"
needs python3
not_sanitized 'a library is preloaded'
die_at=$(find "$BUILD" -maxdepth 3 -name die-at.so -print -quit)
db=$DATA/signals.db

make_db "$db" 500
simple_profile sqlite sqlite "$db"
backup sqlite >/dev/null
rows_of() { sqlite3 "$1" 'pragma integrity_check; select count(*), sum(id) from signals' | tr '\n' ' '; }
new=$(rows_of "$db")
rm "$db"*
python3 - "$db" <<'END'
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for sql in "pragma journal_mode = wal", "create table signals (id integer)", "pragma wal_checkpoint(truncate)":
    db.execute(sql)
for i in range(100):
    db.execute("insert into signals values (?)", (i,))
os._exit(0)
END
mkdir "$T/old" "$T/look"
cp "$db" "$db-wal" "$T/old"
cp "$T"/old/* "$T/look"
old=$(rows_of "$T/look/signals.db")
[[ $old == 'ok 100|4950 ' ]] || fail "the old database holds '$old'"

put_old_back() {
    rm -rf "${DATA:?}"/{*,.[!.]*}
    cp "$T"/old/* "$DATA"
    [[ $held == yes ]] || return 0
    rm -f "$T/ready"
    python3 -c 'import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1]); db.execute("select * from signals").fetchall(); open(sys.argv[2], "w"); time.sleep(100)' \
        "$db" "$T/ready" &
    holder=$!
    wait_for 20 test -e "$T/ready"
}
holder_dies() { [[ $held == no ]] || { kill -9 "$holder" && wait "$holder"; } 2>/dev/null || true; }
killable() { env LD_PRELOAD="$die_at" "$@" "$HOLDFAST" --config "$ETC" restore sqlite --replace; }

for held in no yes; do
    put_old_back
    rm -f "$T/calls"
    killable DIE_AT_LOG="$T/calls" >/dev/null 2>&1
    holder_dies
    equal 'the restored rows' "$new" "$(rows_of "$db")"
    points=$(wc -l <"$T/calls")
    grep -q 'rename.*/signals.db$' "$T/calls" || fail 'the swap was not seen'
    for ((point = 1; point <= points; point++)); do
        put_old_back
        { killable DIE_AT="$point" || true; } >/dev/null 2>&1
        holder_dies
        found=$(rows_of "$db")
        [[ $found == "$old" || $found == "$new" ]] ||
            fail "killed at '$(sed -n "${point}p" "$T/calls")' (held: $held): '$found' is neither '$old' nor '$new'"
        expect 0 restore sqlite --replace
        equal 'the rows of the next restore' "$new" "$(rows_of "$db")"
        equal 'scratch beside the target' '' "$(find "$DATA" -name '.*holdfast*')"
    done
    echo "held: $held, $points points"
done
