#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What an administrator has set for the role changes neither what is read nor how it is restored.
. "$(dirname "$0")/lib_pg.sh"

pg_start
createdb src
q src 'create table t (id serial primary key, i interval, f float8, a text[], b bytea, x xml, "Q" int)' \
    "insert into t (i, f, a, b, x) values ('-1 day -2:03:04', 0.1::float8 + 0.2, '{NULL,\"NULL\",a}', '\\x00ff', '<a/>'),
     ('1 year -3 days 4:05', 'NaN', '{}', '', 'no document')" 'create index on t (f)' 'create materialized view v as select * from t'
pg_profile postgres src
for setting in "default_transaction_read_only = on" "array_nulls = off" "intervalstyle = sql_standard" "datestyle = 'SQL, DMY'" \
    "bytea_output = escape" "extra_float_digits = -5" "xmloption = document" "statement_timeout = 200" "lock_timeout = 1" \
    "default_transaction_isolation = serializable" "default_transaction_deferrable = on" "idle_in_transaction_session_timeout = 10" \
    "idle_session_timeout = 300" "quote_all_identifiers = on" "standard_conforming_strings = off" "client_encoding = LATIN1" \
    "row_security = on" "exit_on_error = on" "session_replication_role = replica"; do
    q postgres "alter role postgres set $setting"
    rm -f "$BACKUPS"/*
    hf backup postgres
    ((RC == 0)) || fail "no backup with $setting"
    hf restore postgres --to again
    ((RC == 0)) || fail "no restore with $setting"
    hf audit postgres
    ((RC == 0)) || fail "no audit with $setting"
    PGOPTIONS='-c default_transaction_read_only=off -c exit_on_error=off -c statement_timeout=0' q postgres 'alter role postgres reset all'
    pg_same src again
    dropdb again
done
