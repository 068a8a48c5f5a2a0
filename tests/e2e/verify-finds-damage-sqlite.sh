#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The content check of databases and files: a copy that is consistently forged is still held against its facts.
. "$(dirname "$0")/lib.sh"
needs python3

make_db "$DATA/signals.db" 300
make_files "$DATA/config"
simple_profile sqlite sqlite "$DATA/signals.db"
simple_profile config files "$DATA/config"
sed -i '/^\[stage/,/^$/d' "$ETC"/conf.d/*.ini
expect 0 backup --all

forge() { # FILE CODE: changes the plain artifact's `data`, and its digests in the manifest
    python3 - "$1" "$2" <<'END'
import glob, hashlib, json, os, re, sys
path, code = sys.argv[1:]
data = bytearray(open(path, "rb").read()); before = bytes(data); exec(code); assert data != before
open(path, "wb").write(data)
key = os.path.basename(path); profile = key.split("_")[0]; stamp = re.search(r"\d{8}_\d{6}", key)[0]
mpath = f"{os.path.dirname(path)}/{profile}_{stamp}.manifest.json"
m = json.load(open(mpath)); a = [a for a in m["artifacts"] if a["key"] == key][0]
a["sha256"] = a["raw_sha256"] = hashlib.sha256(data).hexdigest()
json.dump(m, open(mpath, "w"))
open(mpath.replace(".manifest.json", ".sha256"), "w").write(f"{a['sha256']}  {key}\n")
END
}
forge "$(ls "$BACKUPS"/sqlite_*.db)" 'data[4096 * 3 + 2000] ^= 0xff'
expect 0 verify sqlite --level digest
json 5 verify sqlite
says sqlite_signals
forge "$(ls "$BACKUPS"/config_*.tar)" 'i = data.index(b"log_level: info"); data[i:i+15] = b"log_level: evil"'
expect 0 verify config --level digest
json 5 verify config

# A forger who knows the parts' digests, too, still has the facts against him: a table with one row less.
rm "$BACKUPS"/*
expect 0 backup --all
tamper_fact() { sed -i -E "$2" "$BACKUPS"/"$1"_*.manifest.json; }
tamper_fact sqlite 's/("signals" *: *)300/\1301/'
json 5 verify sqlite
says signals
tamper_fact config 's/("entries" *: *)([0-9]+)/\11\2/'
json 5 verify config
