#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every kind of object that pg_dump carries, with the nastiest names and values: what is restored is what was there, by
# Holdfast and by gunzip | psql alike.
. "$(dirname "$0")/lib_pg.sh"

pg_start
mkdir "$T/space"
if root; then chown nobody "$T/space"; fi
echo 'a;b' >"$T/file.csv"
createdb nasty
sql nasty -v tablespace="$T/space" -v file="$T/file.csv" <"$SOURCE/tests/fixtures/postgres/nasty.sql"
# Small parts, so that every table of more than a page or two is split.
pg_profile postgres nasty 'part_size = 1M'
expect 0 check
id=$(backup postgres)
holds '.results[0].verification[0] | .whole'
nothing_left_over
by_hand "$BACKUPS/$id.sql.gz" by_hand
pg_same nasty by_hand

json 0 restore postgres --to restored
holds '[.results[0].findings[]? | select(.severity == "error")] == []'
pg_same nasty restored
# What was restored can be backed up and restored again, and be replaced.
json 0 restore postgres --to restored --replace
pg_same nasty restored
equal 'large objects among the facts' 104 "$(jq .facts.large_objects.count "$BACKUPS/$id.manifest.json")"
