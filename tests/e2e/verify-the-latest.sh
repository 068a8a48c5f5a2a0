#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whoever verifies the latest backup learns of that one: if it is damaged, an older one that is whole does not answer for it.
. "$(dirname "$0")/lib.sh"

make_db "$DATA/a.db" 500
simple_profile db sqlite "$DATA/a.db"
first=$(backup db)
sleep 1
second=$(backup db)
artifact=$(jq -r '.artifacts[0].key' "$BACKUPS/$second.manifest.json")
cp "$BACKUPS/$artifact" "$T/good"
for level in quick digest content; do
    truncate -s -20 "$BACKUPS/$artifact"
    for name in db latest; do
        json 5 verify "$name" --level "$level"
        holds ".results[0].checks | length == 1 and .[0].id == \"$second\" and (.[0].whole | not)"
    done
    json 0 verify "$first" --level "$level"
    rm "$BACKUPS/$artifact"
    json 5 verify db --level "$level"
    cp "$T/good" "$BACKUPS/$artifact"
    json 0 verify db --level "$level"
done
: >"$BACKUPS/$second.manifest.json"
json 5 verify db
says "$second"
