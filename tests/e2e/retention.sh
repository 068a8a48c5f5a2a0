#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Retention: what each rule keeps and why; --dry-run; foreign, orphaned and unreadable objects are left alone.
. "$(dirname "$0")/lib.sh"
needs python3

make_files "$DATA/config"
simple_profile config files "$DATA/config"
rules() {
    sed -i '/^\[retention/,$d' "$ETC/conf.d/config.ini"
    printf '%s\n' '[retention]' "$@" >>"$ETC/conf.d/config.ini"
}
newest=$(backup config)

# age DAYS…: copies of the newest backup, dated so many days ago.
age() {
    python3 - "$BACKUPS" "$newest" "$@" <<'END'
import datetime, pathlib, sys
folder, newest = pathlib.Path(sys.argv[1]), sys.argv[2]
stamp = newest.split("_", 1)[1]; at = datetime.datetime.strptime(stamp, "%Y%m%d_%H%M%S")
for days in map(float, sys.argv[3:]):
    then = at - datetime.timedelta(days=days); old = then.strftime("%Y%m%d_%H%M%S")
    for path in folder.glob(f"*_{stamp}.*"):
        data = path.read_bytes()
        if path.name.endswith((".json", ".sha256")):
            data = data.replace(stamp.encode(), old.encode())
            data = data.replace(at.strftime("%Y-%m-%dT").encode(), then.strftime("%Y-%m-%dT").encode())
        (folder / path.name.replace(stamp, old)).write_bytes(data)
END
}
ids() { json 0 list config && j '.results[0].backups | length'; }

age 1 2 10 29 31 40 100 400
equal 'backups' 9 "$(ids)"
json 0 verify config --all --level digest

# Without rules, nothing ever goes.
json 0 prune config
equal 'removed without rules' 0 "$(j '[.results[].items[] | select(.remove)] | length')"

rules 'keep = 30d' 'keep_last = 4'
listing "$BACKUPS" >"$T/before"
json 0 prune config --dry-run
equal 'would be removed' 4 "$(j '[.results[].items[] | select(.remove)] | length')"
equal 'removed by a dry run' 0 "$(j '[.results[].items[] | select(.removed)] | length')"
holds '[.results[].items[] | select(.reason == "" or .reason == null)] == []'
diff "$T/before" <(listing "$BACKUPS") || fail 'a dry run changed the sink'

# Strangers.
echo mine >"$BACKUPS/notes.txt"
echo mine >"$BACKUPS/config_notes.tar.gz"
echo mine >"$BACKUPS/config_20200101_000000.tar.gz"
echo mine >"$BACKUPS/other_20200101_000000.tar.gz"
echo '{"schema"' >"$BACKUPS/config_20190101_000000.manifest.json"
echo mine >"$BACKUPS/config_20190101_000000.tar.gz"
mkdir "$BACKUPS/folder"
json 0 prune config
equal 'removed' 4 "$(j '[.results[].items[] | select(.removed)] | length')"
for file in notes.txt config_notes.tar.gz {config,other}_20200101_000000.tar.gz config_20190101_000000.{manifest.json,tar.gz} folder; do
    exists "$BACKUPS/$file"
done
says config_20190101_000000
rm -r "$BACKUPS"/{notes.txt,config_notes.tar.gz,{config,other}_20200101_000000.tar.gz,folder} "$BACKUPS"/config_20190101*
equal 'left' 5 "$(ids)"
nothing_left_over
json 0 verify config --all --level digest

# Daily, weekly, monthly: the newest of each.
age 0.001 1.001 2.001 60 61
rules 'keep_daily = 3'
json 0 prune config --dry-run
holds '[.results[].items[] | select(.remove | not)] | length == 3'
holds '[.results[].items[] | select(.reason | test("daily"))] | length >= 2'

# A backup applies the rules when it was verified, and only then.
rules 'keep_last = 1'
count=$(ids)
json 0 backup config --level none
equal 'backups after an unverified one' $((count + 1)) "$(ids)"
sleep 1
json 0 backup config
holds '[.results[0].retention[] | select(.removed)] | length >= 1'
equal 'backups after a verified one' 1 "$(ids)"
nothing_left_over
