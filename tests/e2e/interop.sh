#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Ordinary tools accept what is stored: gzip, pigz, zstd, tar, sha256sum, sqlite3, and Python's gzip and tarfile.
. "$(dirname "$0")/lib.sh"
needs python3 pigz zstd

make_db "$DATA/signals.db" 20000
make_ledger "$DATA/ledger" 3 3000 --seal
rm -f "$DATA"/ledger/*/_LOCK
make_files "$DATA/config"
simple_profile sqlite sqlite "$DATA/signals.db"
simple_profile ledger ledger "$DATA/ledger"
simple_profile config files "$DATA/config"

for level in 1 2 3 6 9; do
    sed -i "/^plugin = gzip/,/^\$/{/^level/d}; s/^plugin = gzip/&\nlevel = $level/" "$ETC"/conf.d/*.ini
    expect 0 backup --all
    for file in "$BACKUPS"/*.gz; do
        gzip -t "$file"
        pigz -t "$file"
        python3 -c 'import gzip, shutil, sys; shutil.copyfileobj(gzip.open(sys.argv[1]), open("/dev/null", "wb"))' "$file"
    done
    (cd "$BACKUPS" && sha256sum --quiet --strict -c ./*.sha256)
    for file in "$BACKUPS"/*.tar.gz; do
        tar -tzf "$file" >"$T/by-tar"
        python3 -c 'import sys, tarfile; print(*tarfile.open(sys.argv[1]).getnames(), sep="\n")' "$file" >"$T/by-python"
        diff <(sed 's,/$,,' "$T/by-tar") "$T/by-python"
    done
    gunzip -c "$BACKUPS"/sqlite_*.db.gz >"$T/signals.db"
    sound "$T/signals.db"
    [[ $level == 9 ]] || rm "$BACKUPS"/*
done
mkdir "$T/python"
python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$BACKUPS"/ledger_*.tar.gz "$T/python"
same_tree "$DATA/ledger" "$T/python/ledger"
rm "$BACKUPS"/*

sed -i '/^level/d; s/^plugin = gzip/plugin = zstd/' "$ETC"/conf.d/*.ini
expect 0 backup --all
for file in "$BACKUPS"/*.zst; do
    zstd -qt "$file"
    zstd --list "$file" >/dev/null
done
mkdir "$T/zstd"
zstd -dqc "$BACKUPS"/ledger_*.tar.zst | tar -xf - -C "$T/zstd"
same_tree "$DATA/ledger" "$T/zstd/ledger"
expect 0 verify --all
expect 0 restore ledger --to "$T/ours"
same_tree "$DATA/ledger" "$T/ours/ledger"
rm "$BACKUPS"/*

# Without a stage, the artifact is the file itself.
sed -i '/^\[stage/,/^$/d' "$ETC"/conf.d/*.ini
expect 0 backup --all
sound "$(ls "$BACKUPS"/sqlite_*.db)"
tar -tf "$BACKUPS"/config_*.tar >/dev/null
expect 0 verify --all
