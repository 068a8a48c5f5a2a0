#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# Ten thousand small tables do not become ten thousand slow parts: a backup takes not much longer than pg_dump, and the memory
# that it needs stays bounded.
. "$(dirname "$0")/lib_pg.sh"
needs python3
not_sanitized 'measures time and memory'

pg_make main
echo 'max_locks_per_transaction = 300' | pg_set main
pg_run main
export PGPORT=5432
createdb crowd
tables=10000
for ((from = 1; from <= tables; from += 1000)); do
    q crowd "do \$\$ begin for i in $from..$((from + 999)) loop
        execute format('create table t%s (id int primary key, v text)', i);
        if i % 2 = 0 then execute format('insert into t%s select g, g::text from generate_series(1, %s) g', i, i % 40); end if; end loop; end \$\$"
done
pg_profile postgres crowd
start=$(date +%s%N)
pg_dump crowd >/dev/null
pg_dump_ms=$((($(date +%s%N) - start) / 1000000))
start=$(date +%s%N)
peak=$(python3 "$SOURCE/tests/bench/measure.py" "$HOLDFAST --config $ETC backup postgres --level none" | awk '{ print $3 }')
ours_ms=$((($(date +%s%N) - start) / 1000000))
id=$(cd "$BACKUPS" && basename postgres_*.manifest.json .manifest.json)
parts=$(jq '.artifacts[0].parts | length' "$BACKUPS/$id.manifest.json")
echo "$tables tables: pg_dump $pg_dump_ms ms, backup $ours_ms ms in $parts parts, $peak KiB"
((parts < tables / 5)) || fail "$parts parts"
((ours_ms < pg_dump_ms * 3 + 3000)) || fail 'a backup takes too long'
((peak < 128 * 1024)) || fail 'a backup takes too much memory'
equal 'tables among the facts' "$tables" "$(jq '.facts.tables | length' "$BACKUPS/$id.manifest.json")"
start=$(date +%s%N)
json 0 verify "$id"
echo "verified in $((($(date +%s%N) - start) / 1000000)) ms"
# One of them, and quickly.
start=$(date +%s%N)
expect 0 restore "$id" --only public.t4998 --to one
echo "one restored in $((($(date +%s%N) - start) / 1000000)) ms"
equal 'rows' 38 "$(q one 'select count(*) from t4998')"
start=$(date +%s%N)
expect 0 restore "$id" --to all_of_them
echo "all restored in $((($(date +%s%N) - start) / 1000000)) ms"
equal 'tables' "$tables" "$(q all_of_them "select count(*) from pg_tables where schemaname = 'public'")"
