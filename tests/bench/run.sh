#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measures Holdfast against what one would use instead, on the same data and in the same run.
# usage: tests/bench/run.sh [DIR]       DIR: for data sets and results, 8 GiB free; default: build/bench
#   RUNS=3     how often each command runs (its median counts); the commands take turns
#   BUILD=…    the build to measure; default: build/release
# Prints a table, and writes it to DIR/results.json. Where there is a PostgreSQL server, postgres.sh follows. Whatever the figures
# are, the exit code is 0.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
RUNS=${RUNS:-3}
BUILD=${BUILD:-$root/build/release}
mkdir -p "${1:-$root/build/bench}"
W=$(cd "${1:-$root/build/bench}" && pwd)
O=$W/peers
HF="$BUILD/bin/holdfast --config $W/etc --no-progress --quiet"
generator=$(find "$BUILD" -maxdepth 3 -name holdfast-ledger-gen -type f -print -quit)
log=$W/log
. "$here/lib.sh"

for tool in sqlite3 gzip pigz zstd tar python3 age; do
    command -v "$tool" >/dev/null || { echo "run.sh: $tool is missing; scripts/deps.sh --bench installs it" >&2 && exit 1; }
done
[[ -x $BUILD/bin/holdfast && -n $generator ]] || { echo "run.sh: build first: scripts/test.sh release" >&2 && exit 1; }

# --- data sets, kept from run to run
[[ -d $W/ledger ]] || { "$generator" "$W/ledger.new" --days 8 --records-per-day 100000 --seal && mv "$W/ledger.new" "$W/ledger"; }
[[ -d $W/small ]] || { "$generator" "$W/small.new" --days 8 --records-per-day 10000 --seal && mv "$W/small.new" "$W/small"; }
if [[ ! -e $W/signals.db ]]; then
    rm -f "$W/signals.new"
    sqlite3 "$W/signals.new" <"$here/sqlite-dataset.sql" >/dev/null
    mv "$W/signals.new" "$W/signals.db"
fi

# --- our profiles
rm -rf "${W:?}/etc" "$W/key" "$W/recipient" "$W/state" "$W/tmp" "$W/sink" "$W/sink2" "$O"
mkdir -p "$W/etc/conf.d" "$W/state" "$W/tmp" "$W/sink" "$W/sink2" "$O"
printf '[holdfast]\nstate_dir = %s/state\ntemp_dir = %s/tmp\n' "$W" "$W" >"$W/etc/holdfast.ini"
profile() { # NAME SOURCE PATH STAGE LEVEL [SECOND SINK]
    printf '[profile]\nname = %s\n[source]\nplugin = %s\npath = %s\n[stage compress]\nplugin = %s\nlevel = %s\n' \
        "$1" "$2" "$3" "$4" "$5" >"$W/etc/conf.d/$1.ini"
    printf '[sink one]\nplugin = dir\npath = %s/sink\n' "$W" >>"$W/etc/conf.d/$1.ini"
    if [[ -n ${6:-} ]]; then printf '[sink two]\nplugin = dir\npath = %s\n' "$6" >>"$W/etc/conf.d/$1.ini"; fi
}
profile ledger-gzip ledger "$W/ledger" gzip 2
profile ledger-gzip6 ledger "$W/ledger" gzip 6
profile ledger-zstd ledger "$W/ledger" zstd 3
profile ledger-two ledger "$W/ledger" gzip 2 "$W/sink2"
profile small-gzip ledger "$W/small" gzip 2
profile sqlite-gzip sqlite "$W/signals.db" gzip 2
profile sqlite-gzip6 sqlite "$W/signals.db" gzip 6
profile ledger-age ledger "$W/ledger" gzip 2
printf '[stage encrypt]\nplugin = age\nidentity = %s\n' "$W/key" >>"$W/etc/conf.d/ledger-age.ini"
$HF key new --out "$W/key" >"$W/recipient"

tar -C "$W" -cf - ledger | gzip -1 >"$O/h"
cat "$W/signals.db" "$W"/ledger/*/* >/dev/null # all peers and we read from the page cache alike
for ((run = 0; run < RUNS; run++)); do
    time_one 'tar | gzip' "$O/g" "tar -C $W -cf - ledger | gzip > $O/g"
    time_one 'ledger gzip 2' sink "$HF backup ledger-gzip --level none"
    time_one 'tar | zstd -T2' "$O/g" "tar -C $W -cf - ledger | zstd -q -T2 > $O/g"
    time_one 'tar | gzip -1 | age' "$O/g" "tar -C $W -cf - ledger | gzip -1 | age -R $W/recipient > $O/g"
    time_one 'ledger gzip 2, age' sink "$HF backup ledger-age --level none"
    time_one 'verify, age' "$O/none" "$HF verify ledger-age --level content"
    time_one 'ledger zstd 3' sink "$HF backup ledger-zstd --level none"
    time_one '.backup + gzip' "$O/f" "sqlite3 $W/signals.db \".backup $O/t\" && gzip -c $O/t > $O/f; rm -f $O/t"
    time_one 'sqlite gzip 2' sink "$HF backup sqlite-gzip --level none"
    time_one '.backup + zstd -T2' "$O/f" "sqlite3 $W/signals.db \".backup $O/t\" && zstd -q -T2 -c $O/t > $O/f; rm -f $O/t"
    time_one 'ledger, two sinks' sink "$HF backup ledger-two --level none"
    time_one 'gzip -t' "$O/none" "gzip -t $O/h"
    time_one 'pigz -dc | tar -x' "$O/x" "mkdir -p $O/x; pigz -dc $O/h | tar -C $O/x -xf -"
    rm -rf "$O/x"
    time_one 'ledger gzip 2 again' sink "$HF backup ledger-gzip --level none"
    time_one 'verify' "$O/none" "$HF verify ledger-gzip --level content"
    time_one 'restore' "$W/restored" "$HF restore ledger-gzip --to $W/restored"
    rm -rf "$W/restored"
done
time_one 'small gzip 2' sink "$HF backup small-gzip --level none"
time_one 'small verify' "$O/none" "$HF verify small-gzip --level content"
time_one 'small restore' "$W/restored" "$HF restore small-gzip --to $W/restored"
time_one 'ledger gzip 6' sink "$HF backup ledger-gzip6 --level none"
time_one 'sqlite gzip 6' sink "$HF backup sqlite-gzip6 --level none"
time_one 'tar | zstd -3' "$O/g" "tar -C $W -cf - ledger | zstd -q -3 > $O/g"
rm -rf "$W/restored" "$O" "$W"/sink/* "$W"/sink2/*
echo >&2

# --- the table, as text and as JSON
faster 'ledger 1.0 GiB, gzip 2' 'ledger gzip 2' 'tar | gzip' 0.11
faster 'ledger 1.0 GiB, gzip 2' 'ledger gzip 2' 'tar | zstd -T2' 0.9
faster 'ledger 1.0 GiB, zstd 3' 'ledger zstd 3' 'tar | zstd -T2' 1.0
faster 'sqlite 0.8 GiB, gzip 2' 'sqlite gzip 2' '.backup + gzip' 0.15
faster 'sqlite 0.8 GiB, gzip 2' 'sqlite gzip 2' '.backup + zstd -T2' 0.9
faster 'verify content, ledger' verify 'gzip -t' 0.3
faster 'restore, ledger' restore 'pigz -dc | tar -x' 0.6
faster 'ledger 1.0 GiB, gzip 2, age' 'ledger gzip 2, age' 'ledger gzip 2' 1.15
faster 'ledger 1.0 GiB, gzip 2, age' 'ledger gzip 2, age' 'tar | gzip -1 | age' 0.5
faster 'verify content, age' 'verify, age' verify 1.3
faster 'two dir sinks' 'ledger, two sinks' 'ledger gzip 2' 1.15
for pair in 'ledger gzip 2:backup, ledger:65536' 'ledger zstd 3:backup, ledger, zstd:65536' 'verify:verify, ledger:65536' \
    'restore:restore, ledger:65536' 'sqlite gzip 2:backup, sqlite:73728'; do
    IFS=: read -r label work bound <<<"$pair"
    row "peak RSS, $work" "${rss[$label]}" "$bound" 1.0 KiB 'the bound'
done
row 'peak RSS, backup, 1 GiB' "${rss['ledger gzip 2']}" "${rss['small gzip 2']}" 1.15 KiB 'at 100 MiB'
row 'peak RSS, verify, 1 GiB' "${rss[verify]}" "${rss['small verify']}" 1.15 KiB 'at 100 MiB'
row 'peak RSS, restore, 1 GiB' "${rss[restore]}" "${rss['small restore']}" 1.15 KiB 'at 100 MiB'
row 'size, ledger, gzip 2' "${bytes['ledger gzip 2']}" "${bytes['tar | gzip']}" 1.13 bytes 'gzip -6'
row 'size, sqlite, gzip 2' "${bytes['sqlite gzip 2']}" "${bytes['.backup + gzip']}" 1.0 bytes 'gzip -6'
row 'size, ledger, gzip 6' "${bytes['ledger gzip 6']}" "${bytes['tar | gzip']}" 1.01 bytes 'gzip -6'
row 'size, sqlite, gzip 6' "${bytes['sqlite gzip 6']}" "${bytes['.backup + gzip']}" 1.01 bytes 'gzip -6'
row 'size, ledger, zstd 3' "${bytes['ledger zstd 3']}" "${bytes['tar | zstd -3']}" 1.03 bytes 'zstd -3'

print_table "$W/results.json"
cat <<END

Medians of $RUNS runs that took turns, $(nproc) cores, files in the page cache. Ours are durable: file and folder are synced before
the command ends, and SHA-256 of stored and of raw bytes are included. The peers leave their output in the page cache; the last
column is theirs with a sync. All is in $W/results.json.
END

if compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
    echo
    "$here/postgres.sh" "$W"
fi
