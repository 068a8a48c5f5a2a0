#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# A restore that is interrupted or killed: the target is the old or the new state, whole; the next restore succeeds and sweeps.
. "$(dirname "$0")/lib.sh"

make_ledger "$DATA/ledger" 3 8000 --seal
make_db "$DATA/signals.db" 60000
mkdir "$DATA/config"
for i in 1 2 3 4; do head -c 8000000 /dev/urandom >"$DATA/config/$i"; done
rm -f "$DATA"/ledger/*/_LOCK
simple_profile ledger ledger "$DATA/ledger"
simple_profile sqlite sqlite "$DATA/signals.db"
simple_profile config files "$DATA/config"
expect 0 backup --all
cp -a "$DATA" "$T/new"

# The old state differs from the new one in every component.
chmod -R u+w "$DATA"
rm -r "$DATA/ledger/2026-01-30"
sqlite3 "$DATA/signals.db" 'delete from signals where id > 100; vacuum' 'pragma wal_checkpoint(truncate)' >/dev/null
rm "$DATA/config/3"
rm -f "$DATA"/*-wal "$DATA"/*-shm
cp -a "$DATA" "$T/old"

same() { # NAME, "old" or "new"; a database by what is in it, since a copy's header counts its own changes
    case $1 in
    *.db) cmp -s <(sqlite3 "$DATA/$1" .dump) <(sqlite3 "$T/$2/$1" .dump) ;;
    *) diff -rq "$DATA/$1" "$T/$2/$1" >/dev/null 2>&1 ;;
    esac
}
# old_or_new NAME AFTER-WHAT: one of them, entirely.
old_or_new() {
    same "$1" old || same "$1" new || {
        ls -la "$DATA" >&2
        fail "'$1' is neither the old state nor the new one after: $2"
    }
}
put_old_back() {
    chmod -R u+w "$DATA"
    rm -rf "${DATA:?}"/{*,.[!.]*}
    cp -a "$T/old/." "$DATA"
}

for pair in ledger:ledger sqlite:signals.db config:config; do
    profile=${pair%%:*} name=${pair##*:}
    expect 0 restore "$profile" --replace
    put_old_back
    start=$(date +%s%N)
    expect 0 restore "$profile" --replace
    whole=$((($(date +%s%N) - start) / 1000000))
    put_old_back
    killed=0
    for ((point = 0; point < 14; point++)); do
        signal=KILL
        if ((point % 4 == 3)); then signal=INT; fi
        "$HOLDFAST" --config "$ETC" restore "$profile" --replace >/dev/null 2>&1 &
        run=$!
        sleep "$(awk "BEGIN { print ($whole * 1.1 * ($point + 0.5) / 14) / 1000 }")"
        if kill -s "$signal" "$run" 2>/dev/null; then killed=$((killed + 1)); fi
        wait "$run" 2>/dev/null || true
        old_or_new "$name" "SIG$signal at point $point"
        # Every other time the next restore finds what this one left.
        if ((point % 2)); then put_old_back; fi
    done
    put_old_back
    echo "$profile: $killed of 14 restores of about $whole ms were stopped"
    expect 0 restore "$profile" --replace
    same "$name" new || fail "$name was not restored"
    equal 'scratch beside the target' '' "$(find "$DATA" -maxdepth 1 -name '.*holdfast*')"
    put_old_back
done
