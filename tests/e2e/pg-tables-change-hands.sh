#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# SQL names tables, and a name may go to another table between the snapshot and the moment in which the rows are read. The
# snapshot would see that one without its rows, or with others: such a backup is taken again, or fails.
. "$(dirname "$0")/lib_pg.sh"

pg_start
createdb src
q src 'create schema live' 'create table live.t (id int primary key, v text)' \
    "insert into live.t select i, 'first ' || i from generate_series(1, 1000) i" 'create table live.other (i int)'

# A pg_dump before or after which things happen once, when a snapshot was taken, and nobody has locked the tables.
mkdir "$T/bin"
cat >"$T/bin/pg_dump" <<END
#!/bin/sh
case "\$*" in *--version*) exec "$PG_BIN/pg_dump" "\$@" ;; esac
echo run >>"$T/runs"
if mv "$T/first.sql" "$T/done.sql" 2>/dev/null || cp "$T/always.sql" "$T/done.sql" 2>/dev/null; then
    psql -X -q -v ON_ERROR_STOP=1 -d src -f "$T/done.sql" >&2
fi
"$PG_BIN/pg_dump" "\$@" || exit
if mv "$T/then.sql" "$T/done.sql" 2>/dev/null; then psql -X -q -v ON_ERROR_STOP=1 -d src -f "$T/done.sql" >&2; fi
END
chmod +x "$T/bin/pg_dump"
pg_profile postgres src "pg_bin = $T/bin"
recorded() { jq -r ".facts.tables[\"$1\"].rows" "$BACKUPS/$id.manifest.json"; }

# Made anew.
echo "begin; drop table live.t; create table live.t (id int primary key, v text);
    insert into live.t select i, 'second ' || i from generate_series(1, 900) i; commit" >"$T/then.sql"
id=$(backup postgres)
absent "$T/then.sql"
equal 'rows of the table that was made anew' 900 "$(recorded live.t)"

# One put in the place of another.
echo "create table live.t_new (id int primary key, v text); insert into live.t_new select i, 'third' from generate_series(1, 800) i;
    begin; alter table live.t rename to t_old; alter table live.t_new rename to t; commit" >"$T/then.sql"
id=$(backup postgres)
equal 'rows of the table that took its place' 800 "$(recorded live.t)"
equal 'rows of the one whose place it was' 900 "$(recorded live.t_old)"

# Two that exchange their names, and a schema that does.
echo "begin; alter table live.t rename to x; alter table live.t_old rename to t; alter table live.x rename to t_old; commit" >"$T/then.sql"
id=$(backup postgres)
equal 'rows' '900 800' "$(recorded live.t) $(recorded live.t_old)"
echo "create schema green; create table green.t (id int primary key, v text); create table green.t_old (id int); create table green.other (i int);
    insert into green.t select i, 'green' from generate_series(1, 700) i;
    begin; alter schema live rename to blue; alter schema green rename to live; commit" >"$T/then.sql"
id=$(backup postgres)
equal 'rows' '700 900' "$(recorded live.t) $(recorded blue.t)"

# One that is gone.
echo "drop table live.other" >"$T/then.sql"
id=$(backup postgres)
equal 'what was recorded of it' null "$(recorded live.other)"
expect 0 restore "$id" --to again
pg_same src again

# One that is gone before pg_dump comes to it, and what else it would have the server describe. It fails, and is run again.
q src 'create table live.passing (i int check (i > 0))' 'create view live.on_it as select * from live.passing' \
    'create function live.count_it() returns bigint language sql as $$ select count(*) from live.t $$'
for gone in 'view live.on_it' 'function live.count_it()' 'table live.passing'; do
    echo "drop $gone" >"$T/first.sql"
    : >"$T/runs"
    id=$(backup postgres)
    absent "$T/first.sql"
done
equal 'runs of pg_dump when a table goes' 2 "$(wc -l <"$T/runs")"
equal 'what was recorded of it' null "$(recorded live.passing)"

# No end of it; and a failure that has nothing to do with that.
q src 'create table live.passing (i int)' 'create table live.number (i serial)'
cat >"$T/always.sql" <<'END'
select 'drop table live.passing' from pg_class where oid = to_regclass('live.passing') \gexec
create table live.passing (i int);
END
: >"$T/runs"
json 1 backup postgres
says 'dropped, renamed, truncated or rewritten' 'hint:'
equal 'runs of pg_dump' 5 "$(wc -l <"$T/runs")"
rm "$T/always.sql"
printf '#!/bin/sh\ncase "$*" in *--version*) exec "%s/pg_dump" "$@" ;; esac\necho run >>"%s"\nexit 3\n' "$PG_BIN" "$T/runs" >"$T/bin/pg_dump"
: >"$T/runs"
json 1 backup postgres
equal 'runs of a pg_dump that fails for another reason' 1 "$(wc -l <"$T/runs")"

# The tables are locked then, but not the names of their schemas.
createdb far
q far 'create schema live' 'create table live.t (id int primary key, v text)' \
    "insert into live.t select i, repeat(md5(i::text), 8) from generate_series(1, 150000) i"
pg_profile far far 'part_size = 1M'
slowly far
remember
in_background backup far --json
while_it_copies
q far 'create schema green' 'create table green.t (id int primary key, v text)' \
    'begin; alter schema live rename to blue; alter schema green rename to live; commit'
finished
# Sessions that have read from the table before may go on with it, and whoever comes to it now must not take the other one.
if ((RC != 0)); then
    equal 'exit code' 1 "$RC"
    says live.t
    sink_as_it_was
else
    equal 'rows' 150000 "$(jq -r '.facts.tables["live.t"].rows' "$BACKUPS"/far_*.manifest.json)"
fi
