#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What every test with a PostgreSQL server begins with:   . "$(dirname "$0")/lib_pg.sh"
#
# Servers are made by the test and thrown away: their data lie in $T/pg, their sockets in $T/run, and unless the network is
# the point they listen nowhere else. They run as an unprivileged user when the test is root's. One that is named "b" is
# found at PGPORT=$(pg_port b). The first one is the default of psql and of holdfast's profiles: PGHOST, PGPORT and PGUSER
# are set to it.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Servers of other versions than Debian's, as tests/tools/more-postgres.sh brings them; they have neither psql nor pg_dump.
PG_MORE=${HOLDFAST_POSTGRES:-$BUILD/postgres}

# pg_versions: of all servers on this machine, "15 /usr/lib/postgresql/15/bin", the newest first.
pg_versions() {
    local bin
    for bin in /usr/lib/postgresql/*/bin "$PG_MORE"/*/native/bin; do
        [[ -x $bin/initdb ]] || continue
        printf '%s %s\n' "$("$bin/postgres" --version | grep -o '[0-9]*' | head -1)" "$bin"
    done | sort -rn | uniq
}
# The newest that has its tools.
PG_BIN=$(find /usr/lib/postgresql/*/bin -name pg_dump 2>/dev/null | sort -V | tail -1 | xargs -r dirname)
[[ -n $PG_BIN && -x $PG_BIN/initdb ]] || skip 'needs a PostgreSQL server (scripts/deps.sh --test installs it)'
needs psql
PATH=$PG_BIN:$PATH
unset PGDATABASE PGPASSWORD PGPASSFILE PGSERVICE PGSERVICEFILE PGOPTIONS PGSSLMODE PGHOSTADDR DATABASE_URL PGAPPNAME
# gcc 12's sanitizer takes the thread-local memory of libpq's many libraries for something else, by chance, and falls over it.
export ASAN_OPTIONS=$ASAN_OPTIONS:intercept_tls_get_addr=0
export PGCONNECT_TIMEOUT=20 PSQLRC=/dev/null PGCLIENTENCODING=UTF8

# Servers refuse to be root's.
PG_AS=(env -C "$T/pg" setpriv)
if root; then PG_AS+=(--reuid=nobody --regid=nogroup --clear-groups); fi
chmod 711 "$T"
mkdir -p "$T/pg" "$T/run"
if root; then chown nobody "$T/pg" "$T/run"; fi
((${#T} < 80)) || skip "the path of a socket would be too long: $T"
declare -A PG_PID=() PG_BINS=() PG_PORTS=()
export PGHOST=$T/run PGUSER=postgres

# Servers end at once, whatever their clients do; lib.sh's own end would wait for them.
pg_clean_up() {
    local status=$? pid
    set +e
    trap - ERR
    for pid in "${PG_PID[@]}"; do
        kill -CONT "$pid" 2>/dev/null
        kill -QUIT "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    if ((status != 0 && status != 77)); then tail -n 25 "$T"/pg-*.log >&2 2>/dev/null; fi
    (exit "$status")
    clean_up
}
trap pg_clean_up EXIT

pg_port() { echo "${PG_PORTS[$1]}"; }
pg_next_port() { echo $((5432 + ${#PG_PORTS[@]})); }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# pg_make NAME [BIN]: a cluster that does not run yet. Settings are what tests want: no waiting for disks.
pg_make() {
    local name=$1 bin=${2:-$PG_BIN}
    "${PG_AS[@]}" "$bin/initdb" -D "$T/pg/$name" -N -A trust -U postgres --locale="${PG_LOCALE:-C.UTF-8}" -E UTF8 \
        >"$T/initdb.log" 2>&1 || fail "initdb: $(cat "$T/initdb.log")"
    pg_known "$name" "$bin"
}
# A folder that holds a cluster, however it came there.
pg_known() {
    local name=$1 bin=${2:-$PG_BIN} port
    port=$(pg_next_port)
    PG_BINS[$name]=$bin
    PG_PORTS[$name]=$port
    cat >>"$T/pg/$name/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$T/run'
port = $port
fsync = off
shared_buffers = 32MB
max_wal_size = 256MB
max_connections = 60
autovacuum = off
log_min_messages = warning
log_min_error_statement = panic
END
}
pg_set() { cat >>"$T/pg/$1/postgresql.conf"; } # pg_set NAME <<END: more settings, before it runs

# pg_run NAME: starts it, and waits until it answers.
pg_run() {
    local name=$1
    # A test that is killed takes its servers with it.
    "${PG_AS[@]}" --pdeathsig QUIT "${PG_BINS[$name]}/postgres" -D "$T/pg/$name" >>"$T/pg-$name.log" 2>&1 </dev/null &
    PG_PID[$name]=$!
    local until=$((SECONDS + 60))
    until PGPORT=${PG_PORTS[$name]} pg_isready -q -d postgres; do
        kill -0 "${PG_PID[$name]}" 2>/dev/null || fail "the server '$name' did not start: $(tail -5 "$T/pg-$name.log")"
        ((SECONDS < until)) || fail "the server '$name' does not answer: $(tail -5 "$T/pg-$name.log")"
        sleep 0.05
    done
}
# pg_start [NAME [BIN]]: made and run; the first one is the default.
pg_start() {
    local name=${1:-main}
    pg_make "$name" "${2:-}"
    pg_run "$name"
    export PGPORT=${PGPORT:-${PG_PORTS[$name]}}
}
# pg_stop NAME [SIGNAL]: QUIT ends it at once (as a crash does to its clients), INT tidily, KILL without a word.
pg_stop() {
    local name=$1 pid=${PG_PID[$1]} children
    children=$(pgrep -P "$pid" || true)
    kill -s "${2:-INT}" "$pid"
    wait "$pid" 2>/dev/null || true
    unset "PG_PID[$name]"
    # Those that outlive a killed one end when they notice.
    for pid in $children; do
        wait_for 30 eval "! kill -0 $pid"
    done
}

# q DATABASE SQL…: what it answers, bare.
q() {
    local database=$1
    shift
    local arguments=() sql
    for sql in "$@"; do arguments+=(-c "$sql"); done
    psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$database" "${arguments[@]}"
}
# sql DATABASE [PSQL OPTIONS] <<END: a script.
sql() {
    local database=$1
    shift
    psql -X -q -v ON_ERROR_STOP=1 -d "$database" "$@" >"$T/sql.log" 2>&1 || fail "psql: $(tail -5 "$T/sql.log")"
}
database_exists() { [[ $(q postgres "select count(*) from pg_database where datname = '$1'") == 1 ]]; }
databases() { q postgres "select datname from pg_database where not datistemplate and datname <> 'postgres' order by 1" | paste -sd' '; }
# The bytes of a database's rows, cheaply: whether a fault left it as it was.
state_of() {
    q "$1" "select string_agg(format('%I.%I', n.nspname, c.relname), ' ' order by 1) from pg_class c
        join pg_namespace n on n.oid = c.relnamespace where c.oid >= 16384 and n.nspname <> 'pg_toast'"
    q "$1" "select pg_database_size(oid) > 0, datdba, datacl, datconnlimit from pg_database where datname = current_database()"
}

# pg_profile NAME DATABASE [LINES OF THE SOURCE]: gzip, one sink in $BACKUPS. An url may hold a password, so others may not
# read the file.
pg_profile() {
    rm -f "$ETC/conf.d/$1.ini"
    (umask 077 && profile "$1") <<END
[profile]
name = $1

[source]
plugin = postgres
url = postgresql:///$2?host=$PGHOST&port=$PGPORT&user=$PGUSER
jobs = 2
${3:-}

[stage compress]
plugin = gzip

[sink local]
plugin = dir
path = $BACKUPS
END
}
# in_profile NAME 'KEY = VALUE': another line of its source.
in_profile() { sed -i "/^plugin = postgres/a $2" "$ETC/conf.d/$1.ini"; }
# slowly NAME: its backups take a while, since the strongest compression is slow.
slowly() { sed -i 's/^plugin = gzip/plugin = gzip\nlevel = 9/' "$ETC/conf.d/$1.ini"; }

# ---- the oracle ----

# canonical: a dump of data, from standard input, in an order of its own: the rows of each COPY sorted, then everything else.
cat >"$T/canonical.py" <<'END'
import sys
copies, rest, rows = {}, [], None
for line in sys.stdin.buffer:
    if rows is not None:
        if line == b"\\.\n":
            rows = None
        else:
            rows.append(line)
    elif line.startswith(b"COPY ") and line.endswith(b" FROM stdin;\n"):
        assert line not in copies, line
        rows = copies[line] = []
    elif line.strip() and not line.startswith(b"--") and not line.startswith((b"\\restrict ", b"\\unrestrict ")):
        rest.append(line)
assert rows is None, "a COPY without an end"
for line in sorted(copies):
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.writelines(sorted(copies[line]))
sys.stdout.buffer.writelines(sorted(rest))
END
# Tokens are made anew by each dump, and servers may differ in version.
pg_schema() { pg_dump -s "$@" | sed -E '/^\\(un)?restrict /d; /^-- Dumped (from|by) /d'; }
pg_data() { pg_dump -a "$@" 2>/dev/null | python3 "$T/canonical.py"; }
# What no dump tells: is everything valid, and are the materialized views filled with the same?
pg_rest() {
    local view
    q "$1" "select 'index', c.oid::regclass, indisvalid, indisready, indislive, indcheckxmin from pg_index
        join pg_class c on c.oid = indexrelid where c.oid >= 16384 and relnamespace <> 'pg_toast'::regnamespace
        order by c.oid::regclass::text collate \"C\""
    q "$1" "select 'view', oid::regclass, relispopulated from pg_class where relkind = 'm' order by oid::regclass::text collate \"C\""
    q "$1" "select 'constraint', conrelid::regclass, conname, convalidated, condeferrable, condeferred from pg_constraint
        where oid >= 16384 order by conrelid::regclass::text collate \"C\", conname"
    while IFS= read -r view; do
        q "$1" "select row_to_json(v)::text collate \"C\" from $view v order by 1"
    done < <(q "$1" "select replace(oid::regclass::text, E'\n', ' ') from pg_class where relkind = 'm' and relispopulated
        and oid::regclass::text !~ E'\n' order by 1")
}
# pg_same A B [PG_DUMP OPTIONS]: the one database is the other: schema exactly, each table's rows as a sorted set, sequences,
# large objects. With PG_OTHER_PORT the second one is another server's.
pg_same() {
    local a=$1 b=$2 kind
    shift 2
    for kind in schema data rest; do
        if [[ $kind == rest ]] && (($#)); then continue; fi
        "pg_$kind" "$a" "$@" >"$T/a.$kind"
        PGPORT=${PG_OTHER_PORT:-$PGPORT} "pg_$kind" "$b" "$@" >"$T/b.$kind"
        [[ -s $T/a.$kind || $kind == rest ]] || fail "the oracle sees nothing of '$a'"
        cmp -s "$T/a.$kind" "$T/b.$kind" ||
            fail "the $kind of '$a' and '$b' differ:"$'\n'"$(diff -a "$T/a.$kind" "$T/b.$kind" | cut -c 1-300 | head -30)"
    done
}
# What a database is besides its content: owner, settings, privileges, encoding, comment; names of the databases aside.
pg_properties() { pg_dump -s --create "$1" | grep -aE "^(CREATE DATABASE|ALTER DATABASE|COMMENT ON DATABASE|GRANT .* ON DATABASE|REVOKE .* ON DATABASE|ALTER ROLE .* IN DATABASE)" | sed -E "s/DATABASE \"?$1\"?/DATABASE _/"; }

# by_hand ARTIFACT DATABASE: the runbook's way, into a new and empty one.
by_hand() {
    createdb -T template0 "$2"
    gunzip -c "$1" | psql -X -q -v ON_ERROR_STOP=1 -d "$2" >"$T/by-hand.log" 2>&1 ||
        fail "gunzip | psql: $(tail -5 "$T/by-hand.log")"
}

# ---- faults ----

# make_big DATABASE ROWS: a table of about 270 bytes a row that does not compress well, and a small one.
make_big() {
    createdb "$1"
    fill_big "$@"
}
fill_big() {
    q "$1" "create table small as select generate_series(1, 100) as i" \
        "create table big (id int primary key, v text)" \
        "insert into big select i, repeat(md5(i::text), 4) || md5((i * 3)::text) || md5((i * 7)::text) || md5((i * 11)::text) || md5((i * 13)::text)
            from generate_series(1, $2) i"
}
# slow_restore DATABASE: makes it one whose restore takes seconds, by a check that sleeps. It is a valid one, since others are
# added behind the rows; and it only sleeps once it was added.
slow_restore() {
    local slow='create or replace function public.slow(i int) returns boolean language plpgsql immutable as'
    q "$1" "$slow 'begin return true; end'" 'alter table big add check (public.slow(id))' \
        "$slow 'begin if i % 1000 = 0 then perform pg_sleep(0.1); end if; return true; end'"
}

# as_it_was: what a failed backup must leave of the sink, a failed restore of the server.
remember() {
    contents "$BACKUPS" >"$T/sink.before"
    q postgres "select datname, oid from pg_database order by 1" >"$T/databases.before"
}
sink_as_it_was() { diff "$T/sink.before" <(contents "$BACKUPS") >&2 || fail 'the sink is not as it was'; }
databases_as_they_were() {
    diff "$T/databases.before" <(q postgres "select datname, oid from pg_database order by 1") >&2 ||
        fail 'the databases are not as they were'
}
# No session of ours is left behind in the server, and no snapshot.
no_sessions() {
    wait_for 10 eval "[[ \$(q postgres \"select count(*) from pg_stat_activity where application_name like 'holdfast%'\") == 0 ]]"
}

# in_background ARGUMENTS: holdfast runs; $HF_PID. finished: waits for it, and its exit code is in $RC.
in_background() {
    "$HOLDFAST" --config "$ETC" "$@" >"$OUT" 2>"$ERR" </dev/null &
    HF_PID=$!
}
finished() {
    RC=0
    # shellcheck disable=SC2034 # what the tests look at
    wait "$HF_PID" || RC=$?
}
# while_it_runs SQL: waits until the query is true, as long as holdfast runs.
while_it_runs() {
    until [[ $(q "${2:-postgres}" "$1" 2>/dev/null) == t ]]; do
        kill -0 "$HF_PID" 2>/dev/null || fail "the run was over before: $1"
        sleep 0.02
    done
}
# while_it_copies: waits until it is in the midst of reading or writing rows.
while_it_copies() {
    while_it_runs "select count(*) > 0 from pg_stat_activity
        where application_name like 'holdfast%' and query ~* '^\s*COPY' and state = 'active'"
}
