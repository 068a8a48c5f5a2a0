#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Copies that do not all fit: one that does is there, whole (the newest, unless several begin at once), and what has no room is
# refused before it is written.
. "$(dirname "$0")/lib_sinks.sh"
own_mounts

make_files "$DATA/config"
head -c 6000000 /dev/urandom >"$DATA/config/large"
base_profile config files "$DATA/config"
sink config a dir
outcomes() { # WHAT JOBS
    if (($2 == 1)); then
        equal "$1" '["failed","failed","copied"]' "$(j '[.results[0].copies[].outcome] | tojson')"
    else
        equal "$1, $2 at once" '["copied","failed","failed"]' "$(j '[.results[0].copies[].outcome] | sort | tojson')"
    fi
}
ids=()
for _ in 1 2 3; do ids+=("$(backup config)"); done
sink config b dir
small_disk "$T/b" 10m
for jobs in 1 2 4; do
    rm -f "$T/b/"*
    json 3 copy --all --from a --to b --jobs $jobs
    outcomes 'full' $jobs
    says 'make room for' 'hint:' 'are free'
    nothing_left_over "$T/b"
    json 0 verify --all config --sink b
done

# A reserve is kept from the first byte on.
sed -i "s|^path = $T/b\$|&\nreserve = 30%|" "$ETC/conf.d/config.ini"
for jobs in 1 2 4; do
    rm -f "$T/b/"*
    json 3 copy --all --from a --to b --jobs $jobs
    outcomes 'with a reserve' $jobs
    says 'reserve of 3 MiB'
    nothing_left_over "$T/b"
    json 0 verify --all config --sink b
done
rm -f "$T/b/"*
json 0 copy config --from a --to b
json 4 copy "${ids[0]}" --from a --to b
says 'as many as the backup is expected to have' 'reserve of 3 MiB'
nothing_left_over "$T/b"
