#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What acts by itself when statements run does not act on a restore: event triggers that log or refuse DDL, triggers that fire
# always, rules, partitions on servers that do not answer.
. "$(dirname "$0")/lib_pg.sh"

pg_start
createdb src
sql src <<'END'
create table log (tag text);
create table t (i int primary key);
insert into t select generate_series(1, 1000);
create materialized view counted as select count(*) from t;
create extension postgres_fdw;
create server far foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1');
create table spread (i int) partition by range (i);
create table spread_here partition of spread for values from (0) to (100);
create foreign table spread_far partition of spread for values from (100) to (200) server far;
insert into spread select generate_series(0, 99);
create function count_rows() returns trigger language plpgsql as 'begin insert into public.log values (tg_op); return new; end';
create trigger counting after insert on t for each row execute function count_rows();
alter table t enable always trigger counting;
create function log_ddl() returns event_trigger language plpgsql as $$ begin insert into public.log values (tg_tag); end $$;
create event trigger log_ddl on ddl_command_end execute function log_ddl();
alter event trigger log_ddl enable always;
truncate log;
insert into log values ('before');
END
pg_profile postgres src
id=$(backup postgres)
json 0 restore postgres --to restored
pg_same src restored
equal 'rows of the log' before "$(q restored 'select * from log')"
json 0 restore postgres --replace
equal 'rows of the log' before "$(q src 'select * from log')"
exists "$BACKUPS/$id.sql.gz"
