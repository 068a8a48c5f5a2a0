#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A database that cannot be read fails the backup with its name, or with on_error = skip makes it partial; never a raw copy.
. "$(dirname "$0")/lib.sh"
needs python3

make_db "$DATA/good.db" 500
bad=$DATA/bad.db

refused() { # WHAT
    simple_profile sqlite sqlite "$DATA/*.db"
    json 1 backup sqlite
    says bad.db
    nothing_visible
    nothing_left_over
    simple_profile sqlite sqlite "$DATA/*.db" 'on_error = skip'
    json 3 backup sqlite
    says bad.db
    equal "$1: artifacts" 1 "$(j '.results[0].artifacts | length')"
    holds '.results[0].outcome == "partial"'
    id=$(j '.results[0].id')
    expect 0 restore "$id" --to "$T/$1"
    equal "$1: rows of the good one" 500 "$(rows "$T/$1/good.db")"
    absent "$T/$1/bad.db"
    rm -f "$BACKUPS"/* "$bad" "$bad"-*
}

echo 'this is no database, only some text that is long enough to be looked at' >"$bad"
refused not-a-database

head -c 40960 /dev/urandom >"$bad" # what an encrypted one looks like
refused encrypted

make_db "$bad" 3000
python3 - "$bad" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(4096 * 5); f.write(b"\xa5" * 4096 * 20)
END
refused corrupt

if ! root; then
    make_db "$bad" 10
    chmod 0 "$bad"
    refused unreadable
fi

# Locked for longer than busy_timeout; a rollback-journal database, since WAL readers are never locked out.
sqlite3 "$bad" 'create table t (x); insert into t values (1)'
{
    echo 'begin exclusive; insert into t values (2);'
    while [[ ! -e $T/released ]]; do sleep 0.1; done
} | sqlite3 "$bad" &
holder=$!
wait_for 5 bash -c "! sqlite3 '$bad' 'select 1 from t'"
simple_profile sqlite sqlite "$DATA/*.db" 'busy_timeout = 300ms'
start=$SECONDS
expect 1 backup sqlite
says bad.db
((SECONDS - start < 10)) || fail 'busy_timeout = 300ms was not kept'
nothing_visible
touch "$T/released"
wait "$holder" || true
rm -f "$bad"*

simple_profile sqlite sqlite "$DATA/good.db $DATA/missing.db"
expect 1 backup sqlite
says missing.db
nothing_visible
