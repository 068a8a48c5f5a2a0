#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Databases of the same name in different folders become artifacts of different names, and go back to their own places.
. "$(dirname "$0")/lib.sh"

mkdir -p "$DATA/a/x" "$DATA/b/x"
make_db "$DATA/a/x/signals.db" 10
make_db "$DATA/b/x/signals.db" 20
make_db "$DATA/a/other.db" 30
simple_profile sqlite sqlite "$DATA/**/*.db"

id=$(backup sqlite)
equal 'artifacts' 3 "$(j '.results[0].artifacts | map(.key) | unique | length')"
equal 'objects' 3 "$(find "$BACKUPS" -name '*.db.gz' | wc -l)"
exists "$BACKUPS/sqlite_other_${id#sqlite_}.db.gz"
names=$(j '.results[0].artifacts[].key' | sed "s/${id#sqlite_}//" | sort)

rm -rf "$DATA"/[ab]
expect 0 restore "$id"
equal 'rows of a' 10 "$(rows "$DATA/a/x/signals.db")"
equal 'rows of b' 20 "$(rows "$DATA/b/x/signals.db")"
expect 0 restore "$id" --to "$T/both"
equal 'files restored side by side' 3 "$(find "$T/both" -type f | wc -l)"

id=$(backup sqlite)
equal 'names the next time' "$names" "$(j '.results[0].artifacts[].key' | sed "s/${id#sqlite_}//" | sort)"
