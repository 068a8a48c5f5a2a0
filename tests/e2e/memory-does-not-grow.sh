#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# Peak memory of backup, verify and restore does not grow with the data, and stays below the bound of docs/memory.md. The
# data does not compress, so that encoded blocks are as large as they get; the smaller set already fills every buffer.
. "$(dirname "$0")/lib.sh"
needs python3
not_sanitized 'measures memory'

cat >"$T/peak.py" <<'END'
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
END
peak() { python3 "$T/peak.py" "$HOLDFAST" --config "$ETC" "$@"; }
piece() { head -c 25000000 /dev/urandom; }
measure() { # MIB STAGE: KiB of backup, verify, restore
    rm -rf "${BACKUPS:?}"/* "$DATA/files" "$DATA/ledger" "$T/restored"
    mkdir "$DATA/files"
    for ((i = 0; i < $1 / 50; i++)); do piece >"$DATA/files/$i.$RANDOM" && piece >"$DATA/files/$i.x"; done
    simple_profile config files "$DATA/files"
    sed -i "s/^plugin = gzip/plugin = $2/" "$ETC/conf.d/config.ini"
    echo "$(peak backup config --level none) $(peak verify config) $(peak restore config --to "$T/restored")"
}
for stage in gzip zstd; do
    bound=64
    [[ $stage == gzip ]] || bound=100 # blocks of 4 MiB
    read -r -a small < <(measure 150 "$stage")
    read -r -a large < <(measure 450 "$stage")
    echo "$stage: backup, verify, restore: ${small[*]} KiB for 150 MiB, ${large[*]} KiB for 450 MiB"
    for i in 0 1 2; do
        # How many of the blocks that may be in flight ever are depends on timing; a tenth of the data more would be growth.
        ((large[i] < small[i] + 30 * 1024)) || fail "$stage: memory grows with the data"
        ((large[i] < bound * 1024)) || fail "$stage: ${large[i]} KiB is above $bound MiB"
    done
done

# Many small files, and many rows: the other ways to be large.
rm -rf "${BACKUPS:?}"/* "$DATA/files"
mkdir -p "$DATA/files"/{1..40}
python3 - "$DATA/files" <<'END'
import sys
for folder in range(1, 41):
    for name in range(500):
        open(f"{sys.argv[1]}/{folder}/{name}", "w").write(f"{folder} {name}\n")
END
many=$(peak backup config)
echo "20 000 small files: $many KiB"
((many < 64 * 1024)) || fail 'many files take too much memory'
make_db "$DATA/signals.db" 500000
simple_profile sqlite sqlite "$DATA/signals.db"
database=$(peak backup sqlite)
echo "a database of $(($(stat -c %s "$DATA/signals.db") >> 20)) MiB: $database KiB"
((database < 96 * 1024)) || fail 'a database takes too much memory'
