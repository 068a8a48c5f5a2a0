#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SIGINT and SIGTERM end a run within a second, with exit 130 and nothing visible; a restore leaves its target as it was.
. "$(dirname "$0")/lib.sh"
needs python3

# Sources and targets large enough that a run is certain to be under way; level 9 is slow.
head -c 150000000 /dev/urandom >"$DATA/big"
make_db "$DATA/signals.db" 150000
profile slow <<END
[profile]
name = slow
[source]
plugin = files
path = $DATA/big
[stage compress]
plugin = zstd
level = 19
[sink local]
plugin = dir
path = $BACKUPS
END
simple_profile sqlite sqlite "$DATA/signals.db"
sed -i 's/^plugin = gzip/&\nlevel = 9/' "$ETC/conf.d/sqlite.ini"

interrupted() { # SIGNAL DELAY ARGUMENTS…
    local signal=$1 delay=$2
    shift 2
    "$HOLDFAST" --config "$ETC" "$@" --json >"$OUT" 2>"$ERR" </dev/null &
    local run=$! start took
    sleep "$delay"
    kill -s "$signal" "$run" || fail "'$*' was over before it could be interrupted"
    start=$(date +%s%N)
    RC=0
    wait "$run" || RC=$?
    took=$((($(date +%s%N) - start) / 1000000))
    equal "exit code after $signal" 130 "$RC"
    ((took < 1000 * (SANITIZED > 0 ? 4 : 1))) || fail "'$*' took $took ms to stop after $signal"
    holds '.exit == 130'
}
for signal in INT TERM; do
    interrupted "$signal" 0.7 backup slow
    nothing_visible
    nothing_left_over
    interrupted "$signal" 0.25 backup sqlite
    nothing_visible
    nothing_left_over
done
