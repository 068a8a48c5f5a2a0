#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What would forbid the swap at the end is found before anything is done, and named. A session that comes back again and again does not stand in the way.
. "$(dirname "$0")/lib_pg.sh"

pg_make main
echo 'max_prepared_transactions = 5' | pg_set main
pg_run main
export PGPORT=5432
createdb src
q src 'create table t (i int)' 'insert into t select generate_series(1, 100)'
pg_profile postgres src
id=$(backup postgres)
q src 'delete from t where i > 7'
q src "begin; insert into t values (-1); prepare transaction 'it''s in the way'"
remember
json 4 restore postgres --replace
says src "in the way" hint:
databases_as_they_were
equal 'rows' 7 "$(q src 'select count(*) from t')"
q src "rollback prepared 'it''s in the way'"

# Somebody who connects anew whenever the session is ended.
touch "$T/go"
(while [[ -e $T/go ]]; do psql -X -q -d src -c 'select pg_sleep(10)' >/dev/null 2>&1 || true; done) &
wait_for 10 eval "[[ \$(q postgres \"select count(*) from pg_stat_activity where datname = 'src'\") == 1 ]]"
expect 0 restore "$id" --replace
rm "$T/go"
q postgres "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()" >/dev/null
equal 'rows' 100 "$(q src 'select count(*) from t')"
