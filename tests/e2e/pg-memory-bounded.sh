#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# Peak memory of backup, verification and restore does not grow with the database or the longest table, and stays below
# 128 MiB; also with values of many megabytes in a row.
. "$(dirname "$0")/lib_pg.sh"
needs python3
not_sanitized 'measures memory'

pg_start
pg_profile postgres src
peak() { python3 "$SOURCE/tests/bench/measure.py" "$HOLDFAST --config $ETC $*" | awk '{ print $3 }'; }
measure() {
    rm -rf "${BACKUPS:?}"/*
    dropdb --if-exists other 2>/dev/null
    echo "$(peak backup postgres --level none) $(peak verify postgres) $(peak restore postgres --to other)"
}
make_big src 600000 # more than may wait in memory
read -r -a small < <(measure)
q src 'insert into big select id + 1000000, v from big' 'insert into big select id + 2000000, v from big where id < 1000000'
size=$(q src "select pg_size_pretty(pg_total_relation_size('big'))")
read -r -a large < <(measure)
echo "backup, verify, restore: ${small[*]} KiB; with $size: ${large[*]} KiB"
# How much of what may wait does wait depends on timing; what may is in docs/memory.md.
for i in 0 1 2; do
    ((large[i] < 112 * 1024)) || fail "${large[i]} KiB: memory grows with the table"
done
for i in 1 2; do
    ((large[i] < small[i] + 4 * 1024)) || fail 'memory grows with the table'
done
q src 'truncate big' 'alter table big alter v set storage external' "insert into big select i, repeat(md5(i::text), 320000) from generate_series(1, 12) i"
read -r -a wide < <(measure)
echo "with rows of 10 MB: ${wide[*]} KiB"
((wide[0] < 192 * 1024 && wide[1] < 192 * 1024 && wide[2] < 192 * 1024)) || fail 'wide rows take too much memory'
