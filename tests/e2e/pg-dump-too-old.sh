#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Without a pg_dump, or with one that is older than the server, backup and check say which package is missing. One that fails
# in the middle fails the backup, with what it said.
. "$(dirname "$0")/lib_pg.sh"

pg_start
createdb src
q src 'create table t (i int)'
pg_profile postgres src
mkdir "$T/bin"
in_profile postgres "pg_bin = $T/bin"
refused() { # WORD…
    local command
    for command in check backup; do
        json 1 "$command" postgres
        says "$@"
    done
    nothing_visible
    no_sessions
}
version=$(q postgres 'show server_version_num')
refused pg_dump "postgresql-client-$((version / 10000))"
printf '#!/bin/sh\necho "pg_dump (PostgreSQL) 12.22 (Debian 12.22-0)"\n' >"$T/bin/pg_dump"
chmod +x "$T/bin/pg_dump"
refused 12 "postgresql-client-$((version / 10000))"

fake() { # pg_dump, but for what follows
    printf '#!/bin/sh\ncase "$1" in --version|-V) exec %s/pg_dump --version;; esac\n%s\n' "$PG_BIN" "$1" >"$T/bin/pg_dump"
}
fails() { # WORD…
    json 1 backup postgres
    says "$@"
    nothing_visible
    no_sessions
}
fake 'echo "pg_dump: error: it is Monday" >&2; exit 1'
fails 'it is Monday'
fake "$PG_BIN/pg_dump \"\$@\" | head -c 700; exit 3"
fails pg_dump
fake 'kill -9 $$'
fails pg_dump
# One that ends early and says that all is well.
fake "$PG_BIN/pg_dump \"\$@\" | head -c 700; exit 0"
hf backup postgres --json
((RC != 0)) || fail 'half a schema was taken for a whole one'
nothing_visible
fake 'exit 0'
hf backup postgres --json
((RC != 0)) || fail 'no schema was taken for one'
nothing_visible
fake "exec $PG_BIN/pg_dump \"\$@\""
expect 0 check postgres
expect 0 backup postgres
