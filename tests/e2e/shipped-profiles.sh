#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The shipped profiles are valid, follow the runbook's table, and work when only their paths are changed.
. "$(dirname "$0")/lib.sh"
needs git
export HOME=$T

cp "$SOURCE"/conf.d/{postgres,sqlite,ledger,config}.ini "$ETC/conf.d/"
chmod 640 "$ETC"/conf.d/*.ini
expect 2 config validate # where the database is, the environment has to say
says DATABASE_URL
DATABASE_URL=postgresql:///omen_db expect 0 config validate
rm "$ETC/conf.d/postgres.ini" # pg-main-job.sh has a server
setting() { # PROFILE SECTION KEY
    json 0 config show "$1"
    j ".results[0].sections[] | select(.section == \"$2\") | .options[] | select(.key == \"$3\") | .value"
}
equal 'sqlite: every' 6h "$(setting sqlite profile every)"
equal 'ledger: every' 6h "$(setting ledger profile every)"
equal 'sqlite: keep' 30d "$(setting sqlite retention keep)"
equal 'ledger: keep' 30d "$(setting ledger retention keep)"
equal 'config: keep' 90d "$(setting config retention keep)"
equal 'config: when' changed "$(setting config source when)"
grep -q '/backups' "$SOURCE"/conf.d/sqlite.ini

make_db "$DATA/signals.db" 10
make_ledger "$DATA/ledger" 2 20 --seal
make_files "$DATA/config"
sed -i -E "s,^( *path *= *)/backups,\1$BACKUPS," "$ETC"/conf.d/*.ini
sed -i -E "/^\[source\]/,/^\[/s,^( *path *=).*,\1 $DATA/signals.db," "$ETC/conf.d/sqlite.ini"
sed -i -E "/^\[source\]/,/^\[/s,^( *path *=).*,\1 $DATA/ledger," "$ETC/conf.d/ledger.ini"
sed -i -E "/^\[source\]/,/^\[/s,^( *path *=).*,\1 $DATA/config," "$ETC/conf.d/config.ini"
mv "$BACKUPS" "$T/away" # a disk that is not mounted is noticed
json 8 backup config
absent "$BACKUPS"
mv "$T/away" "$BACKUPS"
json 0 backup --all
equal 'outcomes' 'stored stored stored' "$(j '[.results[].outcome] | join(" ")')"
for name in 'sqlite_signals_*.db.gz' 'ledger_*.tar.gz' 'config_*.tar.gz'; do
    equal "$name" 1 "$(find "$BACKUPS" -maxdepth 1 -name "$name" | wc -l)"
done
sleep 1
json 0 backup config
equal 'commits' 1 "$(git -C "$BACKUPS/config.git" rev-list --count holdfast/config)"
equal 'outcome the second time' unchanged "$(j '.results[0].outcome')"
