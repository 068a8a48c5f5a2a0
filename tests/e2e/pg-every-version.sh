#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# Servers of every version on this machine: those that pg_dump can read are backed up and restored; those that are newer than
# it are refused with a word on what to install, and take what an older one had.
. "$(dirname "$0")/lib_pg.sh"

newest=$(pg_dump --version | grep -o '[0-9]*' | head -1)
schema() {
    cat <<'END'
create extension pg_trgm;
create table big (id bigint generated always as identity primary key, v text, at timestamptz default '2024-01-01');
insert into big (v) select md5(i::text) || E'\\.\n' from generate_series(1, 60000) i;
delete from big where id % 7 = 0;
create index on big using gin (v gin_trgm_ops);
create table parts (id int, at date, primary key (id, at)) partition by range (at);
create table parts_1 partition of parts for values from ('2024-01-01') to ('2025-01-01');
create table parts_2 partition of parts default;
insert into parts select i, date '2023-06-01' + i % 700 from generate_series(1, 3000) i;
create table refers (id int primary key, big bigint references big, twice int generated always as (id * 2) stored);
insert into refers select i, i * 7 + 1 from generate_series(1, 100) i;
create materialized view totals as select count(*) from big;
create sequence odd start 5 maxvalue 10 increment -1;
select lo_from_bytea(5000, '\x00ff5c2e') \g /dev/null
create function trigger_function() returns trigger language plpgsql as 'begin return new; end';
create trigger t before insert on big for each row execute function trigger_function();
create publication everything for all tables;
END
}
done_versions=''
while read -r version bin; do
    if ((version < 13)) || [[ " $done_versions " == *" $version "* ]]; then continue; fi
    done_versions+=" $version"
    pg_start "v$version" "$bin"
    PGPORT=$(pg_port "v$version")
    createdb source
    schema | sql source
    pg_profile "v$version" source 'part_size = 1M'
    if ((version > newest)); then
        json 1 check "v$version"
        json 1 backup "v$version"
        says pg_dump "postgresql-client-$version"
        nothing_visible
        continue
    fi
    id=$(backup "v$version")
    holds '.results[0].verification[0].whole'
    by_hand "$BACKUPS/$id.sql.gz" by_hand
    pg_same source by_hand
    expect 0 restore "$id" --to restored
    pg_same source restored
    rm "$BACKUPS"/*
done < <(pg_versions)
echo "versions:$done_versions"

# From the oldest into the newest.
read -r oldest newest < <(tr ' ' '\n' <<<"$done_versions" | grep . | sort -n | paste -sd' ' | awk '{ print $1, $NF }')
if [[ $oldest == "$newest" ]]; then
    echo "only version $oldest is here (tests/tools/more-postgres.sh brings others)"
    exit 0
fi
id=$(backup "v$oldest")
sed "s/port=$(pg_port "v$oldest")/port=$(pg_port "v$newest")/" -i "$ETC/conf.d/v$oldest.ini"
expect 0 restore "$id" --to upgraded
PGPORT=$(pg_port "v$newest")
equal 'rows in the newest version' "$((60000 - 60000 / 7)) 3000 100" \
    "$(q upgraded 'select count(*) from big' 'select count(*) from parts' 'select count(*) from refers' | paste -sd' ')"
expect 0 audit "v$oldest"
