#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The server's disk fills up in a restore: exit 1 with a reason, what was half restored is dropped, the old database serves on.
. "$(dirname "$0")/lib_pg.sh"
own_mounts
root || skip 'the small disk must belong to the server: needs root'

# The disk of a tablespace, which a new database shares with the one that it is to replace.
mkdir "$T/space"
small_disk "$T/space" 48m
chown nobody "$T/space"
pg_start
q postgres "create tablespace small location '$T/space'" 'create database src tablespace small'
fill_big src 70000
pg_profile postgres src 'part_size = 1M'
id=$(backup postgres)
q src 'delete from big where id > 100'
remember
json 1 restore postgres --replace
says 'No space left' hint:
databases_as_they_were
equal 'rows' 100 "$(q src 'select count(*) from big')"
no_sessions
q src 'vacuum full big'
expect 0 restore "$id" --replace
equal 'rows' 70000 "$(q src 'select count(*) from big')"
