#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The password is in no process's arguments, no log, no manifest, no finding, and in no file that others can read, at any moment
# of a backup and a restore; nor in the environment of programs that are not PostgreSQL's.
. "$(dirname "$0")/lib_pg.sh"
needs python3

secret='pa ss'\''word-\x-zq7w'
encoded=pa%20ss%27word-%5Cx-zq7w
mark=zq7w
echo "$mark" >"$T/mark" # tests that look for it must not show it either
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
make_big src 60000
q src "create role app login superuser password '${secret//\'/\'\'}'"
pg_profile postgres src
sed -i "s,^url = .*,url = postgresql://app:$encoded@127.0.0.1:$port/src," "$ETC/conf.d/postgres.ini"
slowly postgres
# The passphrase that it is encrypted with is none of PostgreSQL's programs' business.
printf '\n[stage encrypt]\nplugin = age\npassphrase = ${env:BACKUP_PASSPHRASE}\nwork_factor = 10\n' >>"$ETC/conf.d/postgres.ini"
export BACKUP_PASSPHRASE='open sesame zq7w'

# What every process shows of itself, and every file in our reach, again and again.
cat >"$T/watch.py" <<'END'
import os, sys, time
mark, folder, out = sys.argv[1].encode(), sys.argv[2], sys.argv[3]
seen, dumps = set(), 0
while not os.path.exists(folder + "/stop"):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = open(f"/proc/{pid}/cmdline", "rb").read()
            if b"pg_dump" in line:
                dumps += 1
                if b"BACKUP_PASSPHRASE" in open(f"/proc/{pid}/environ", "rb").read():
                    seen.add("environment: " + line.decode(errors="replace"))
            if mark in line and b"watch.py" not in line and b"psql" not in line:
                seen.add("arguments: " + line.decode(errors="replace"))
        except OSError:
            pass
    for base in (folder + "/tmp", folder + "/state", folder + "/backups"):
        for path, _, files in os.walk(base):
            for name in files:
                try:
                    full = os.path.join(path, name)
                    data = open(full, "rb").read(1 << 20)
                    if mark in data and (os.stat(full).st_mode & 0o077 or os.stat(path).st_mode & 0o077):
                        seen.add("readable: " + full)
                    if mark in data and not full.startswith(folder + "/tmp"):
                        seen.add("stored: " + full)
                except OSError:
                    pass
    time.sleep(0.002)
open(out, "w").write("".join(s + "\n" for s in sorted(seen)) + f"pg_dump was seen {dumps > 0}\n")
END
python3 "$T/watch.py" "$mark" "$T" "$T/seen" &
watcher=$!
for command in 'check postgres' 'backup postgres --verbose' 'show postgres' 'list' 'config show postgres' 'audit postgres' 'restore postgres --to other --verbose'; do
    for json in '' --json; do
        # shellcheck disable=SC2086
        hf $command $json
        if [[ $json == --json && $command == restore* ]]; then ((RC == 4)) || fail "exit code $RC of $command"; else ((RC == 0)) || fail "exit code $RC of $command"; fi
        if grep -qFf "$T/mark" "$OUT" "$ERR"; then fail "the password is shown by '$command $json'"; fi
        [[ $command != backup* ]] || sleep 1
    done
done
# A failure has the best chances to show it.
q postgres "alter role app password 'another'"
hf backup postgres --json --verbose
((RC == 1)) || fail "exit code $RC"
if grep -qFf "$T/mark" "$OUT" "$ERR"; then fail 'the password is shown in an error'; fi
touch "$T/stop"
wait "$watcher"
equal 'what was seen' 'pg_dump was seen True' "$(cat "$T/seen")"
if grep -rqFf "$T/mark" "$BACKUPS" "$T/state" "$T/tmp"; then fail 'the password is stored'; fi
equal 'left in the temporary folder' '' "$(left_in "$T/tmp")"
