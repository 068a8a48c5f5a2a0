#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# No server, no such database, one that does not answer, one that is no PostgreSQL: the right exit code, a reason, and nothing
# visible; restores alike.
. "$(dirname "$0")/lib_pg.sh"
needs python3

pg_start
createdb src
q src 'create table t (i int)'
pg_profile postgres src
id=$(backup postgres)
remember
nowhere() { # EXIT URL WORD…
    local code=$1 command
    sed -i "s,^url = .*,url = $2," "$ETC/conf.d/postgres.ini"
    for command in 'check postgres' 'backup postgres' "restore $id --to x"; do
        # A restore makes its database, so it is no matter to it that there is none.
        if [[ $code == 1 && $command == restore* ]]; then continue; fi
        # shellcheck disable=SC2086
        json "$code" $command
        says "${@:3}"
        [[ $command == check* ]] || says hint:
        sink_as_it_was
    done
}
nowhere 1 "postgresql:///no_such_db?host=$PGHOST\&port=$PGPORT" no_such_db
nowhere 8 "postgresql:///src?host=$T/nowhere\&port=$PGPORT" "$T/nowhere"
nowhere 8 "postgresql://127.0.0.1:$(free_port)/src" 127.0.0.1
nowhere 8 'postgresql://no-such-host.invalid/src' no-such-host
databases_as_they_were

# One that accepts and says nothing; one that hangs up.
silent=$(free_port)
python3 - "$silent" <<'END' &
import socket, sys
s = socket.socket()
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
held = [s.accept() for _ in range(50)]
END
sleep 0.3
in_profile postgres 'connect_timeout = 1s'
start=$SECONDS
nowhere 8 "postgresql://127.0.0.1:$silent/src" 127.0.0.1
((SECONDS - start < 15)) || fail 'it waits for ever'

# Interrupted while it waits for one that is silent.
sed -i 's/^connect_timeout = .*/connect_timeout = 60s/' "$ETC/conf.d/postgres.ini"
in_background backup postgres
sleep 0.5
kill -INT "$HF_PID"
finished
equal 'exit code after an interrupt' 130 "$RC"
sink_as_it_was

# A server that is starting up, or takes no more.
sed -i "s,^url = .*,url = postgresql:///src?host=$PGHOST\&port=$PGPORT\&user=small," "$ETC/conf.d/postgres.ini"
q src 'create role small login connection limit 0' 'grant pg_read_all_data to small'
hf backup postgres --json
((RC == 8 || RC == 7)) || fail "too many connections: exit code $RC"
says 'too many connections' hint:
sink_as_it_was
