#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An encrypted database comes back by the guide's own lines, with age, gunzip and psql alone; and where age finds damage in the
# middle, or has another key, those lines fail and leave no half of a database.
. "$(dirname "$0")/lib_pg.sh"
needs age age-keygen gunzip

pg_start
make_big src 60000
age-keygen -o "$BACKUPS/backup.key" 2>/dev/null
pg_profile postgres src
printf '\n[stage encrypt]\nplugin = age\nidentity = %s/backup.key\n' "$BACKUPS" >>"$ETC/conf.d/postgres.ini"
id=$(backup postgres)
artifact=$BACKUPS/$id.sql.gz.age
chmod 600 "$artifact"
cp "$artifact" "$T/whole"

guide=$SOURCE/docs/guide.md
create=$(grep '^createdb .*omen_new$' "$guide")
load=$(grep '^age -d .* | psql .*omen_new$' "$guide")
load=${load//postgres_20260201_120000/$id}
lines() { (cd "$BACKUPS" && bash -c "set -o pipefail; $create && $load") >"$OUT" 2>"$ERR"; }

lines || fail "the guide's lines do not restore"
pg_same src omen_new
dropdb omen_new

fails() { # WHY…: the message that is to be seen
    if lines && database_exists omen_new; then fail "a half is left of what was damaged: $(q omen_new 'select count(*) from big')"; fi
    database_exists omen_new && fail 'the half is not taken away'
    grep -qF "$1" "$ERR" || fail "it is not said: $1"
    cp "$T/whole" "$artifact"
}
size=$(stat -c %s "$artifact")
((size > 1000000)) || fail 'the artifact is too small for this test'
printf x | dd of="$artifact" bs=1 seek=$((size / 2)) conv=notrunc status=none
fails 'failed to decrypt and authenticate payload chunk'
truncate -s $((size / 2)) "$artifact"
fails 'failed to decrypt and authenticate payload chunk'
cp "$BACKUPS/backup.key" "$T/right.key"
age-keygen 2>/dev/null >"$BACKUPS/backup.key"
fails 'no identity matched'
cp "$T/right.key" "$BACKUPS/backup.key"

# Without them: half of a table, by which the guide's warning stands.
createdb half
(cd "$BACKUPS" && truncate -s $((size / 2)) "$artifact" &&
    age -d -i backup.key "$artifact" | gunzip | psql -X -q -1 -v ON_ERROR_STOP=1 half) >"$OUT" 2>&1 && fail 'pipefail does not tell'
((0 < $(q half 'select count(*) from big') && $(q half 'select count(*) from big') < 60000)) || fail 'psql keeps nothing of a half'
cp "$T/whole" "$artifact"

# The machine has the public key alone: its restore is refused, and its audit looks at the server by itself.
public=$(age-keygen -y "$BACKUPS/backup.key")
sed -i "s,^identity = .*,recipient = $public," "$ETC/conf.d/postgres.ini"
expect 4 restore postgres --to other
says 'does not say with which key'
database_exists other && fail 'a database was made'
q src 'truncate small' 'create unique index on small (i)' >/dev/null
json 3 audit postgres
holds '[.results[0].findings[] | select(.severity != "info") | .code] == ["previous-sealed"]'
q src "update pg_index set indisvalid = false where indexrelid = 'small_i_idx'::regclass" >/dev/null
json 5 audit postgres
holds '[.results[0].findings[].code] | contains(["index-invalid"])'
sed -i "s,^recipient = .*,identity = $BACKUPS/backup.key," "$ETC/conf.d/postgres.ini"
json 5 audit postgres
holds '[.results[0].findings[].code] | contains(["table-emptied"])'
