#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Several databases by pattern: an artifact each, restored all together or one by one; with excluded ones left out.
. "$(dirname "$0")/lib_pg.sh"

pg_start
for name in app_one app_two 'app "x"; y' app_cache other; do
    createdb "$name"
    q "$name" 'create table t (i int primary key, v text)' "insert into t select i, '$name' from generate_series(1, 500) i"
done
pg_profile postgres postgres $'databases = app*\nexclude_databases = *cache'
id=$(backup postgres)
artifact_of() { # DATABASE
    local name
    name=$(jq -r --arg db "$1" '.context.databases | to_entries[] | select(.value == $db) | .key' "$BACKUPS/$id.manifest.json")
    jq -r --arg name "$name" '.artifacts[] | select(.name == $name) | .key' "$BACKUPS/$id.manifest.json"
}
equal 'artifacts' 3 "$(j '.results[0].artifacts | length')"
equal 'objects' 3 "$(find "$BACKUPS" -name 'postgres_*.sql.gz' | wc -l)"
[[ $(artifact_of app_one) =~ ^postgres_app.one_${id#postgres_}\.sql\.gz$ ]] || fail "an odd name: $(artifact_of app_one)"
nothing_left_over
json 0 verify postgres
by_hand "$BACKUPS/$(artifact_of app_two)" by_hand
pg_same app_two by_hand

# All of them are needed, or nothing is done.
for name in app_one app_two 'app "x"; y'; do q "$name" 'delete from t where i > 10'; done
dropdb app_one
remember
json 4 restore postgres
databases_as_they_were
json 0 restore postgres --replace
for name in app_one app_two 'app "x"; y'; do
    equal "rows of $name" "500 $name" "$(q "$name" 'select count(*) from t' 'select max(v) from t' | paste -sd' ')"
done
equal 'rows of an old one' 10 "$(q "app_two_before_$id" 'select count(*) from t')"
equal 'old ones' 2 "$(q postgres "select count(*) from pg_database where datname like '%before%'")"

# One of them, elsewhere; one table of one.
json 0 restore postgres --only app_two --to elsewhere
pg_same app_two elsewhere
expect 4 restore postgres --to elsewhere2
says --to hint:
json 0 restore postgres --only app_one/public.t --to table_only
equal 'rows' 500 "$(q table_only 'select count(*) from t')"
json 6 restore postgres --only other
json 0 audit postgres
q app_two 'truncate t'
json 5 audit postgres
says app_two

# Everything there is but what nobody connects to. A pattern that finds nothing is an error.
q postgres "alter database other with allow_connections false"
sed -i 's/^databases = .*/databases = */' "$ETC/conf.d/postgres.ini"
sleep 1
id=$(backup postgres)
for name in app_one by_hand postgres; do
    [[ $(jq -r '.context.databases[]' "$BACKUPS/$id.manifest.json") == *"$name"* ]] || fail "'$name' is not in the backup"
done
if jq -r '.context.databases[]' "$BACKUPS/$id.manifest.json" | grep -qE '^(template[01]|other|app_cache)$'; then fail 'what was not asked for is in the backup'; fi
sed -i 's/^databases = .*/databases = nothing_*/' "$ETC/conf.d/postgres.ini"
json 1 backup postgres
says databases hint:
