#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Backup, verify and restore of files and folders, with excludes, to another place and to the original one.
. "$(dirname "$0")/lib.sh"

make_files "$DATA/config"
printf 'x\n' >"$DATA/config/scratch.tmp"
simple_profile config files "$DATA/config" 'exclude = *.tmp'
rm -rf "$T/original" && cp -a "$DATA/config" "$T/original" && rm "$T/original/scratch.tmp"
touch -r "$DATA/config" "$T/original"

id=$(backup config)
json 0 verify "$id"
tar -tzf "$BACKUPS/$id.tar.gz" >"$T/names"
grep -qx "${DATA#/}/config/omen.yaml" "$T/names"
if grep -q scratch.tmp "$T/names"; then fail 'an excluded file is in the backup'; fi

expect 0 restore config --to "$T/elsewhere"
same_tree "$T/original" "$T/elsewhere$DATA/config"
same_metadata "$T/original" "$T/elsewhere$DATA/config"

rm -rf "$DATA/config"
expect 0 restore config
same_tree "$T/original" "$DATA/config"
same_metadata "$T/original" "$DATA/config"

expect 0 restore config --to "$T/one" --only "$DATA/config/omen.yaml"
equal 'what --only restored' 1 "$(find "$T/one" -type f | wc -l)"
