#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# From a bare Debian 12 to a backup that was restored and compared: installs what is missing, builds a release, makes a small
# system under demo/, and shows the main job on it. May be run again at any time; touches nothing outside build/ and demo/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

demo=$PWD/demo
holdfast=build/release/bin/holdfast
writer=

bold='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' plain=$'\e[0m'; fi
say() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
run() {
    printf '$ %s\n' "$*"
    "$@"
}
quietly() { # what it prints is only of interest when it fails
    "$@" >demo-build.log 2>&1 || { cat demo-build.log >&2 && exit 1; }
    rm -f demo-build.log
}
stop_writer() {
    [[ -n $writer ]] || return 0
    rm -f "$demo/writing"
    wait "$writer" 2>/dev/null || true
    writer=
}
trap 'stop_writer; rm -f demo-build.log' EXIT
trap 'exit 130' INT TERM

say '1. What is missing is installed, and a release is built.'
scripts/deps.sh --build
echo '$ cmake --preset release && cmake --build --preset release'
quietly cmake --preset release
quietly cmake --build --preset release --target holdfast modules holdfast_manual holdfast-ledger-gen

say '2. A small system to protect is made under demo/: a database that is being written to, a ledger, a configuration folder.'
if [[ -e $demo && ! -e $demo/made-by-quickstart ]]; then
    echo "quickstart.sh: '$demo' exists, and this script did not make it; please move it away" >&2
    exit 1
fi
if [[ -e $demo ]]; then chmod -R u+rwX "$demo" && rm -rf "$demo"; fi
mkdir -p "$demo"/{data,config/feeds,backups,state,tmp,etc/conf.d}
touch "$demo/made-by-quickstart"

sqlite3 "$demo/data/signals.db" >/dev/null <<'END'
pragma journal_mode = wal;
create table signals (id integer primary key, signal_id text unique not null, category text, payload text not null);
create index signals_category on signals (category);
with recursive n(i) as (values (1) union all select i + 1 from n where i < 50000)
insert into signals (signal_id, category, payload)
select printf('OMEN-%012X', i * 2654435761), substr('WEATHERLABOR', 1 + i % 2 * 7, 7),
       '{"node":' || (i % 500) || ',"sha256":"' || hex(randomblob(32)) || '"}' from n;
END
touch "$demo/writing"
while [[ -e $demo/writing && $SECONDS -lt 3600 ]]; do
    echo "insert into signals (signal_id, category, payload) values ('LIVE-' || hex(randomblob(6)), 'LABOR', hex(randomblob(60)));"
    sleep 0.01
done | sqlite3 -cmd '.timeout 5000' "$demo/data/signals.db" >/dev/null &
writer=$!

"$(find build/release -maxdepth 3 -name holdfast-ledger-gen -type f -print -quit)" "$demo/data/ledger" \
    --days 4 --records-per-day 10000 --seal >/dev/null
printf 'log_level: info\nmarket: freight\n' >"$demo/config/omen.yaml"
for feed in ais weather ports; do printf 'feed: %s\ninterval: 60s\n' "$feed" >"$demo/config/feeds/$feed.yaml"; done
ln -s feeds/ais.yaml "$demo/config/primary.yaml"
(cd demo && du -sh data/signals.db data/ledger config)

say '3. Three profiles, one INI file each, say what to protect and how.'
printf '[holdfast]\nstate_dir = %s/state\ntemp_dir  = %s/tmp\n' "$demo" "$demo" >"$demo/etc/holdfast.ini"
profile() { # NAME EVERY KEEP SOURCE PATH [LINE]
    cat >"$demo/etc/conf.d/$1.ini" <<END
[profile]
name  = $1
every = $2

[source]
plugin = $4
path   = $5
${6:+$6
}
[stage compress]
plugin = gzip

[sink local]
plugin = dir
path   = $demo/backups

[retention]
keep      = $3
keep_last = 4

[verify]
level = content
END
}
profile sqlite 6h 30d sqlite "$demo/data/*.db"
profile ledger 6h 30d ledger "$demo/data/ledger"
profile config 1d 90d files "$demo/config" 'when   = changed'
run cat demo/etc/conf.d/config.ini
run "$holdfast" --config demo/etc config validate
run "$holdfast" --config demo/etc check

say '4. All three are backed up, while the database is being written to. Each backup is read back and verified at once.'
run "$holdfast" --config demo/etc backup --all

say '5. What there is now: ordinary files, which gunzip, tar and sqlite3 can read.'
run "$holdfast" --config demo/etc list
run ls -l demo/backups
run "$holdfast" --config demo/etc verify --all

say '6. The disaster: the writer is stopped, and the originals are deleted.'
stop_writer
sqlite3 "$demo/data/signals.db" 'select * from signals order by id' >"$demo/rows-before"
(cd demo && find data/ledger config \( -type f -o -type l \) -not -name _LOCK -print0 | sort -z | xargs -0 sha256sum) >"$demo/digests-before"
chmod -R u+w demo/data
run rm -rf demo/data demo/config
mkdir demo/data

say '7. They are restored to where they were.'
for profile in sqlite ledger config; do run "$holdfast" --config demo/etc restore "$profile"; done

say '8. What came back is compared with what was there.'
echo '$ sha256sum --check (the ledger and the configuration, file by file)'
(cd demo && sha256sum --quiet --check digests-before)
echo "all $(wc -l <"$demo/digests-before") files are the same"
run sqlite3 demo/data/signals.db 'pragma integrity_check' 'select count(*) from signals'
sqlite3 "$demo/data/signals.db" 'select * from signals order by id' >"$demo/rows-after"
restored=$(wc -l <"$demo/rows-after")
head -n "$restored" "$demo/rows-before" | cmp - "$demo/rows-after"
echo "all $restored rows that the database held at the moment of the backup are the same;" \
    "$(($(wc -l <"$demo/rows-before") - restored)) were written after it"

say "Done in $SECONDS seconds. What to try next:"
cat <<END
  $holdfast --config demo/etc show ledger
  $holdfast --config demo/etc restore ledger --only 2026-01-30 --to /tmp/one-day
  $holdfast --config demo/etc backup config          # nothing changed, so nothing is stored
  $holdfast --config demo/etc prune --all --dry-run
  $holdfast --config demo/etc list --json
  $holdfast plugin info sqlite
  tar -tzf demo/backups/ledger_*.tar.gz | head
  scripts/test.sh                                     # all tests
The guide is docs/guide.md; profiles to start from are in conf.d/.
END
