#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# 2500 backups in a bucket, far more objects than the server lists at once: all are found, in order, and the right one is taken.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../tools/s3/lib.sh"
gateway

make_files "$DATA/config"
rm "$DATA/config/feeds/deep/model.bin"
s3_profile config files "$DATA/config"
last=$(backup config)
rclone copy ceph:backups/omen/prod "$T/one"
mkdir "$T/many"
python3 - "$T/one" "$T/many" "$last" <<'END'
import datetime, os, sys
source, target, last = sys.argv[1:]
files = {name[len(last):]: open(os.path.join(source, name), "rb").read() for name in os.listdir(source)}
when = datetime.datetime(2026, 1, 1)
for i in range(2499):
    when += datetime.timedelta(hours=1)
    made = "config_" + when.strftime("%Y%m%d_%H%M%S")
    for suffix, data in files.items():
        text = data if suffix.endswith(".tar") else data.replace(last.encode(), made.encode())
        with open(os.path.join(target, made + suffix), "wb") as out:
            out.write(text)
END
rclone copy --transfers 16 --checkers 16 --s3-no-check-bucket --no-traverse "$T/many" ceph:backups/omen/prod
json 0 list config
equal 'backups' 2500 "$(j '.results[0].backups | length')"
holds '[.results[0].backups[].id] | . == sort'
holds '[.results[0].backups[].sinks[] | select(.whole | not)] == []'
equal 'the newest' "$last" "$(j '.results[0].backups | last | .id')"
json 0 verify config --at '2026-02-01 12:30' --level quick
equal 'the newest not later' config_20260201_120000 "$(j '.results[0].checks[0].id')"
printf '\n[retention]\nkeep_last = 2490\n' >>"$ETC/conf.d/config.ini"
json 0 prune config --dry-run
equal 'to be removed' 10 "$(j '[.results[0].items[] | select(.remove)] | length')"
json 0 prune config
json 0 list config
equal 'backups after pruning' 2490 "$(j '.results[0].backups | length')"
