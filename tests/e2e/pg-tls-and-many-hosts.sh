#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# Encrypted connections with the server's certificate checked, a client certificate, and several hosts of which the right one is
# chosen: pg_dump is told all of it, too.
. "$(dirname "$0")/lib_pg.sh"
needs openssl python3

port=$(free_port)
pg_make main
mkdir "$T/keys"
cd "$T/keys"
openssl req -new -x509 -days 2 -nodes -subj '/CN=holdfast test' -keyout ca.key -out ca.crt 2>/dev/null
for name in server:localhost client:app other:nobody; do
    openssl req -new -nodes -subj "/CN=${name#*:}" -keyout "${name%:*}.key" -out "${name%:*}.csr" 2>/dev/null
    printf 'subjectAltName=DNS:%s\n' "${name#*:}" >extensions
    openssl x509 -req -in "${name%:*}.csr" -days 2 -CA ca.crt -CAkey ca.key -CAcreateserial -extfile extensions -out "${name%:*}.crt" 2>/dev/null
done
chmod 600 ./*.key
cp server.key server.crt ca.crt "$T/pg/main/"
if root; then chown nobody "$T"/pg/main/{server.key,server.crt,ca.crt}; fi
pg_set main <<END
listen_addresses = 'localhost'
port = $port
ssl = on
ssl_ca_file = 'ca.crt'
wal_level = replica
END
printf 'local all all trust\nlocal replication all trust\nhostssl all all all cert\n' >"$T/pg/main/pg_hba.conf"
PG_PORTS[main]=$port
pg_run main
export PGPORT=$port
createdb src
q src 'create role app login superuser' 'create table t (i int)' 'insert into t values (1)'
pg_profile postgres src
url() { sed -i "s|^url = .*|url = $1|" "$ETC/conf.d/postgres.ini"; }
keys="sslrootcert=$T/keys/ca.crt sslcert=$T/keys/client.crt sslkey=$T/keys/client.key"
url "host=localhost port=$port dbname=src user=app sslmode=verify-full $keys"
expect 0 check postgres
expect 0 backup postgres
expect 0 restore postgres --to restored
pg_same src restored
sleep 1
url "postgresql://app@localhost:$port/src?sslmode=verify-ca"
PGSSLROOTCERT=$T/keys/ca.crt PGSSLCERT=$T/keys/client.crt PGSSLKEY=$T/keys/client.key expect 0 backup postgres
remember
url "host=localhost port=$port dbname=src user=app sslmode=disable"
json 1 backup postgres
says encryption hint:
url "host=localhost port=$port dbname=src user=app sslmode=verify-full ${keys/client.crt/other.crt}"
sed -i "s,client.key,other.key," "$ETC/conf.d/postgres.ini"
json 1 backup postgres
says certificate
url "host=localhost port=$port dbname=src user=app sslmode=verify-full ${keys/ca.crt/server.crt}"
json 1 backup postgres
says certificate
sink_as_it_was

# A standby, and both as hosts: each kind is found, whichever comes first.
"${PG_AS[@]}" "$PG_BIN/pg_basebackup" -h "$PGHOST" -p "$port" -U postgres -D "$T/pg/standby" -R -X stream -c fast --no-sync
second=$(free_port)
pg_known standby
printf "port = %s\nlisten_addresses = 'localhost'\n" "$second" | pg_set standby
PG_PORTS[standby]=$second
pg_run standby
for kind in primary:false standby:true; do
    url "host=localhost,localhost,localhost port=1,$port,$second dbname=src user=app target_session_attrs=${kind%:*} sslmode=verify-full $keys"
    sleep 1
    id=$(backup postgres)
    equal "is it a standby, asked for a ${kind%:*}?" "${kind#*:}" "$(jq .context.server.standby "$BACKUPS/$id.manifest.json")"
done
