#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Passwords, by TCP: right ones in the url, a service file, a passfile and the environment work; wrong and missing ones are an
# error that says so and shows none.
. "$(dirname "$0")/lib_pg.sh"
needs python3

port=$(free_port)
pg_make main
pg_set main <<END
listen_addresses = '127.0.0.1'
port = $port
END
printf 'local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n' >"$T/pg/main/pg_hba.conf"
PG_PORTS[main]=$port
pg_run main
export PGPORT=$port
createdb src
q src "create role app login superuser password 'right one'" 'create table t (i int)'
pg_profile postgres src
url() { sed -i "s,^\(url\|service\) = .*,$1," "$ETC/conf.d/postgres.ini"; }
refused() {
    local command
    for command in check backup; do
        json 1 "$command" postgres
        says password
        if grep -qE 'wrong-one|right one|right%20one' "$OUT" "$ERR"; then fail 'a password is shown'; fi
    done
    nothing_visible
}
url "url = postgresql://app:wrong-one@127.0.0.1:$port/src"
refused
url "url = postgresql://app@127.0.0.1:$port/src"
refused
url "url = postgresql://app:right%20one@127.0.0.1:$port/src"
expect 0 check postgres
expect 0 backup postgres
url "url = host=127.0.0.1 port=$port dbname=src user=app"
printf '127.0.0.1:%s:src:app:right one\n' "$port" >"$T/pgpass"
chmod 600 "$T/pgpass"
sleep 1
PGPASSFILE=$T/pgpass expect 0 backup postgres
sleep 1
PGPASSWORD='right one' expect 0 backup postgres
printf '[one]\nhost=127.0.0.1\nport=%s\ndbname=src\nuser=app\npassword=right one\n' "$port" >"$T/services"
url 'service = one'
sleep 1
PGSERVICEFILE=$T/services expect 0 backup postgres
hf check postgres
((RC == 2 || RC == 6)) || fail "a service that is not there: exit code $RC"
says one
# No url at all: the environment.
sed -i '/^service = /d' "$ETC/conf.d/postgres.ini"
sleep 1
PGHOST=127.0.0.1 PGUSER=app PGDATABASE=src PGPASSWORD='right one' expect 0 backup postgres
equal 'backups' 5 "$(find "$BACKUPS" -name '*.manifest.json' | wc -l)"
if grep -rqE 'right.one' "$BACKUPS" "$T/state"; then fail 'the password is stored'; fi
