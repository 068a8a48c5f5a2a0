#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures the postgres source against pg_dump, pg_restore and psql, on the same server and in the same run.
# usage: tests/bench/postgres.sh [DIR]       DIR: for the cluster and results, 12 GiB free; default: build/bench
#   RUNS=3       how often each backup runs (its median counts); the commands take turns
#   RESTORES=1   the same for restores, which take long
#   BUILD=…      the build to measure; default: build/release
# The server is Debian's with its own settings, but for where it lies; it is made once, kept, and runs only meanwhile. Prints a
# table, and writes it to DIR/postgres.json. Whatever the figures are, the exit code is 0.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
RUNS=${RUNS:-3}
RESTORES=${RESTORES:-1}
BUILD=${BUILD:-$root/build/release}
mkdir -p "${1:-$root/build/bench}/pg"
W=$(cd "${1:-$root/build/bench}/pg" && pwd)
O=$W/peers
log=$W/log
. "$here/lib.sh"

bin=$(find /usr/lib/postgresql/*/bin -name initdb 2>/dev/null | sort -V | tail -1)
[[ -n $bin ]] || { echo "postgres.sh: no PostgreSQL server is here; scripts/deps.sh --bench installs it" >&2 && exit 1; }
PATH=${bin%/*}:$PATH
for tool in psql pg_dump pgbench gzip zstd python3; do
    command -v "$tool" >/dev/null || { echo "postgres.sh: $tool is missing; scripts/deps.sh --bench installs it" >&2 && exit 1; }
done
[[ -x $BUILD/bin/holdfast ]] || { echo "postgres.sh: build first: scripts/test.sh release" >&2 && exit 1; }

# --- the server
as=(env -C "$W" setpriv)
if ((EUID == 0)); then
    as+=(--reuid=nobody --regid=nogroup --clear-groups)
    chmod 711 "$W"
    mkdir -p "$W/cluster"
    chown nobody "$W/cluster"
fi
sockets=$(mktemp -d)
chmod 777 "$sockets"
export PGHOST=$sockets PGPORT=5432 PGUSER=postgres PSQLRC=/dev/null
if [[ ! -e $W/cluster/data/PG_VERSION ]]; then
    "${as[@]}" initdb -D "$W/cluster/data" -A trust -U postgres --locale=C.UTF-8 -E UTF8 >"$log"
fi
"${as[@]}" --pdeathsig INT postgres -D "$W/cluster/data" -c listen_addresses= -c unix_socket_directories="$sockets" >"$W/server.log" 2>&1 &
server=$!
trap 'kill -INT "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -rf "$sockets"' EXIT
until pg_isready -q; do
    kill -0 "$server" 2>/dev/null || { echo "postgres.sh: the server did not start: $(tail -3 "$W/server.log")" >&2 && exit 1; }
    sleep 0.1
done
has() { [[ $(psql -X -A -t -d postgres -c "select count(*) from pg_database where datname = '$1'") == 1 ]]; }

# --- data sets: several tables with indexes, and one large table with nothing else
for name in making omen_db_r one_r; do dropdb --if-exists "$name" 2>/dev/null; done
if ! has omen_db; then
    createdb making
    pgbench -i -q -s 50 making 2>/dev/null
    psql -X -q -d making -f "$here/pg-dataset.sql"
    psql -X -q -d postgres -c 'alter database making rename to omen_db'
fi
if ! has one; then
    createdb making
    psql -X -q -d making -c 'create table one (id bigint, category text, probability double precision, payload text, emitted_at timestamptz)' -c "insert into one
        select i, (array['GEOPOLITICAL', 'WEATHER', 'LABOR'])[1 + i % 3], random(), md5(i::text) || repeat(' port congestion at node ' || i % 500, 6) ||
            encode(sha256(i::text::bytea), 'hex') || encode(sha256((i * 3)::text::bytea), 'hex'), timestamptz '2026-01-01' + i * interval '1 second'
        from generate_series(1, 2200000) i" -c 'vacuum analyze' -c checkpoint
    psql -X -q -d postgres -c 'alter database making rename to one'
fi

# --- our profiles
rm -rf "${W:?}/etc" "$W/state" "$W/tmp" "$W/sink" "$W/sink2" "$O"
mkdir -p "$W/etc/conf.d" "$W/state" "$W/tmp" "$W/sink" "$W/sink2" "$O"
printf '[holdfast]\nstate_dir = %s/state\ntemp_dir = %s/tmp\n' "$W" "$W" >"$W/etc/holdfast.ini"
for name in omen-db one; do
    printf '[profile]\nname = %s\n[source]\nplugin = postgres\nurl = dbname=%s\njobs = 2\n[stage compress]\nplugin = gzip\nlevel = 2\n[sink one]\nplugin = dir\npath = %s/sink\n' \
        "$name" "${name//-/_}" "$W" >"$W/etc/conf.d/$name.ini"
    chmod 600 "$W/etc/conf.d/$name.ini"
done
HF="$BUILD/bin/holdfast --config $W/etc --no-progress"

# loaded LABEL: until the last constraint was there, before rows are compared and ANALYZE runs, as the restore itself says.
loaded() {
    local took
    took=$(sed -n "s/.*loaded in \([0-9.]*\) s.*/\1/p" "$W/restore.log" | tail -1)
    [[ -n $took ]] || { echo "postgres.sh: the restore does not say how long it took: $(tail -3 "$W/restore.log")" >&2 && exit 1; }
    seconds[$1]+=" $took"
    synced[$1]+=" $took"
}
quiet_server() { psql -X -q -d postgres -c checkpoint; }

for ((run = 0; run < RUNS; run++)); do
    for name in omen_db one; do
        profile=${name//_/-}
        quiet_server
        time_one "$name: pg_dump" "$O/none" "pg_dump $name > /dev/null"
        time_one "$name: pg_dump | gzip" "$O/$name.sql.gz" "pg_dump $name | gzip > $O/$name.sql.gz"
        time_one "$name: ours" sink "$HF --quiet backup $profile --level none"
        time_one "$name: pg_dump -Fd -j2" "$O/$name.dir" "pg_dump -Fd -j2 -f $O/$name.dir $name"
        time_one "$name: pg_dump | zstd -T2" "$O/$name.zst" "pg_dump $name | zstd -q -T2 > $O/$name.zst"
        rm -f "$O/$name.zst"
    done
    time_one 'omen_db: ours' sink "$HF --quiet backup omen-db --level none"
    time_one 'verify' "$O/none" "$HF --quiet verify omen-db"
    time_one 'gzip -t' "$O/none" "gzip -t $O/omen_db.sql.gz"
done
for ((run = 0; run < RESTORES; run++)); do
    for name in omen_db one; do
        profile=${name//_/-}
        rm -rf "${W:?}"/sink/*
        $HF --quiet backup "$profile" --level none
        for way in "gunzip -c $O/$name.sql.gz | psql -X -q -v ON_ERROR_STOP=1 ${name}_r" "pg_restore -j2 -d ${name}_r $O/$name.dir" \
            "$HF --verbose restore $profile --to ${name}_r > $W/restore.log 2>&1"; do
            dropdb --if-exists "${name}_r" 2>/dev/null
            if [[ $way != "$HF"* ]]; then createdb -T template0 "${name}_r"; fi
            quiet_server
            case $way in
            gunzip*) time_one "$name: gunzip | psql" "$O/none" "$way" ;;
            pg_restore*) time_one "$name: pg_restore -j2" "$O/none" "$way" ;;
            *)
                time_one "$name: restore, all" "$O/none" "$way"
                loaded "$name: restore"
                ;;
            esac
        done
        dropdb "${name}_r"
        if [[ $name == omen_db ]]; then
            quiet_server
            time_one 'one small table' "$O/none" "$HF --quiet restore omen-db --only public.pgbench_branches --to ${name}_r"
            dropdb "${name}_r"
        fi
    done
done
echo >&2

# --- the table
faster 'backup' 'omen_db: ours' 'omen_db: pg_dump' 0.95
faster 'backup' 'omen_db: ours' 'omen_db: pg_dump | gzip' 0.30
faster 'backup' 'omen_db: ours' 'omen_db: pg_dump -Fd -j2' 0.60
faster 'backup' 'omen_db: ours' 'omen_db: pg_dump | zstd -T2' 1.0
faster 'backup, one large table' 'one: ours' 'one: pg_dump' 0.95
faster 'backup, one large table' 'one: ours' 'one: pg_dump | gzip' 0.30
faster 'backup, one large table' 'one: ours' 'one: pg_dump -Fd -j2' 0.60
faster 'restore, loaded' 'omen_db: restore' 'omen_db: pg_restore -j2' 0.8
faster 'restore, loaded' 'omen_db: restore' 'omen_db: gunzip | psql' 0.65
faster 'restore, compared and analyzed' 'omen_db: restore, all' 'omen_db: pg_restore -j2' 1.5
faster 'restore, one large table' 'one: restore' 'one: pg_restore -j2' 0.8
faster 'restore, one large table' 'one: restore' 'one: gunzip | psql' 0.65
faster 'verify content' 'verify' 'gzip -t' 1.0
row 'restore, one small table' "$(median "${seconds['one small table']}")" 2 1.0 s 'the bound'
for pair in 'omen_db: ours:backup' 'one: ours:backup, one table' 'verify:verify' 'omen_db: restore, all:restore' 'one small table:restore, one table'; do
    row "peak RSS, ${pair##*:}" "${rss[${pair%:*}]}" 131072 1.0 KiB 'the bound'
done
row 'size' "${bytes['omen_db: ours']}" "${bytes['omen_db: pg_dump | gzip']}" 1.02 bytes 'gzip -6'
row 'size, one large table' "${bytes['one: ours']}" "${bytes['one: pg_dump | gzip']}" 1.02 bytes 'gzip -6'
print_table "$W/../postgres.json"
rm -rf "$O" "$W"/sink/* "$W"/sink2/*
cat <<END

Backups: medians of $RUNS runs that took turns; restores: of $RESTORES. $(nproc) cores, server $(postgres --version | grep -o '[0-9.]*' | head -1) with its own settings. Ours
are durable, hold exact counts and checksums of every table, and SHA-256 of stored and of raw bytes; the peers leave their
output in the page cache. "Loaded" is until the last constraint; all rows are then compared with the backup, and analyzed.
END
