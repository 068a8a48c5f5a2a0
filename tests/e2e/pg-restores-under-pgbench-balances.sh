#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# Backups while pgbench runs: each restores to one moment, in which the books balance, and holds as many rows as it says.
. "$(dirname "$0")/lib_pg.sh"
needs pgbench

pg_start
createdb bank
pgbench -i -q -s 3 bank 2>/dev/null
pg_profile postgres bank 'part_size = 1M'
pgbench -n -c 2 -R 400 -T 200 bank >/dev/null 2>&1 &
bench=$!
wait_for 20 eval "((\$(q bank 'select count(*) from pgbench_history') > 200))"

previous=0
for round in 1 2 3; do
    id=$(backup postgres)
    kill -0 "$bench" || fail 'pgbench ended too early'
    if ((round % 2)); then
        expect 0 restore "$id" --to restored --replace
    else
        by_hand "$BACKUPS/$id.sql.gz" restored
    fi
    read -r accounts tellers branches history < <(q restored 'select sum(abalance) from pgbench_accounts' 'select sum(tbalance) from pgbench_tellers' \
        'select sum(bbalance) from pgbench_branches' 'select sum(delta) from pgbench_history' | paste -sd' ')
    equal "tellers in round $round" "$accounts" "$tellers"
    equal "branches in round $round" "$accounts" "$branches"
    equal "history in round $round" "$accounts" "$history"
    for table in accounts tellers branches history; do
        equal "rows of $table in round $round" "$(jq ".facts.tables[\"public.pgbench_$table\"].rows" "$BACKUPS/$id.manifest.json")" \
            "$(q restored "select count(*) from pgbench_$table")"
    done
    rows=$(q restored 'select count(*) from pgbench_history')
    ((rows > previous)) || fail "nothing happened between two backups: $rows rows"
    previous=$rows
    while IFS= read -r old; do dropdb "$old"; done < <(q postgres "select datname from pg_database where datname like 'restored%'")
done
echo "$previous transactions"

# In place, under those who write to it: their sessions end, nobody is asked to stop first.
expect 0 restore "$id" --replace
equal 'the books' t "$(q bank "select (select sum(abalance) from pgbench_accounts) = (select sum(bbalance) from pgbench_branches)")"
kill "$bench" 2>/dev/null || true
