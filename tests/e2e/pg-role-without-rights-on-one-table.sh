#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A role that may read all but one thing: check and backup name it and the grant that is missing; nothing is stored. With
# pg_read_all_data it works.
. "$(dirname "$0")/lib_pg.sh"

pg_start
createdb src
sql src <<'END'
create role backup login;
create schema "S; p";
create table open (i int);
create table "S; p"."secret ""one""" (i int);
create sequence numbers;
insert into open values (1);
insert into "S; p"."secret ""one""" values (2);
grant usage on schema "S; p" to backup;
grant select on open, numbers to backup;
END
PGUSER=backup pg_profile postgres src
refused() { # WORD…: neither checks nor backs up, and says so
    hf check postgres --json
    ((RC != 0)) || fail 'the check finds nothing'
    says "$@"
    json 1 backup postgres
    says "$1" hint: # the first word at least, and who knows the rest
    nothing_visible
    no_sessions
}
refused secret 'GRANT SELECT' 'S; p'
q src 'grant select on "S; p"."secret ""one""" to backup'
expect 0 check postgres
expect 0 backup postgres
rm "$BACKUPS"/*

q src 'revoke usage on schema "S; p" from backup'
refused 'S; p' 'USAGE'
q src 'grant usage on schema "S; p" to backup' 'create sequence hidden'
refused hidden
q src 'drop sequence hidden' 'alter table open enable row level security'
refused open 'row'
q src 'alter table open disable row level security' "select lo_from_bytea(42, 'x')" >/dev/null
refused 42
q src 'grant select on large object 42 to backup' 'revoke select on all tables in schema public, "S; p" from backup' 'revoke usage on schema "S; p" from backup'
q src 'grant pg_read_all_data to backup'
sleep 1
expect 0 check postgres
id=$(backup postgres)
equal 'rows of the secret one' 1 "$(jq '.facts.tables["\"S; p\".\"secret \"\"one\"\"\""].rows' "$BACKUPS/$id.manifest.json")"
