#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two runs of one profile exclude each other (exit 7); other profiles and readers go on; a killed run leaves no lock.
. "$(dirname "$0")/lib.sh"

head -c 100000000 /dev/urandom >"$DATA/big"
make_files "$DATA/config"
simple_profile slow files "$DATA/big"
sed -i 's/^plugin = gzip/plugin = zstd\nlevel = 19/' "$ETC/conf.d/slow.ini"
simple_profile config files "$DATA/config"
id=$(backup config)

"$HOLDFAST" --config "$ETC" backup slow >"$T/slow.log" 2>&1 &
run=$!
sleep 0.5
json 7 backup slow
says slow
json 7 prune slow
expect 0 list
expect 0 verify "$id"
sleep 0.5
expect 0 backup config
kill -9 "$run"
wait "$run" 2>/dev/null || true
sed -i 's/^level = 19/level = 1/' "$ETC/conf.d/slow.ini"
expect 0 backup slow
nothing_left_over
