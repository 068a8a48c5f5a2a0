#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An optional sink that does not answer, at whatever call, holds up neither the backup nor the end of the program.
. "$(dirname "$0")/lib_sinks.sh"

make_files "$DATA/config"
head -c 12000000 /dev/urandom >"$DATA/config/big"

# run_with LINES: the second sink stalls for 30 s so, and may for 1 s.
run_with() {
    rm -rf "${T:?}/good" "$T/slow"
    base_profile config files "$DATA/config"
    sink config good dir
    sink config slow odd "required = no
timeout = 1s
what = stall
time = 30s
$1"
    SECONDS=0
    json 3 backup config
    id=$(j '.results[0].id')
    if ((SECONDS >= 15)); then fail "a sink that stalls ($1) held the run up for $SECONDS s"; fi
}

for at in begin write prepare commit sweep list; do
    for stubborn in yes no; do
        run_with "at = $at
stubborn = $stubborn"
        equal "stored, with a stall at $at" 'good true slow false' "$(stored_in)"
        holds '.results[0].sinks[1].error | test("no answer for 1s")'
        equal "the manifest's sinks" '["good"]' "$(jq -c .sinks "$T/good/$id.manifest.json")"
        sed -i '/^at = /d' "$ETC/conf.d/config.ini"
        hf backup config # sweeps what was left
        expect 0 verify --all config --sink good --level digest
        nothing_left_over "$T/good"
        nothing_left_over "$T/slow"
    done
done

# The manifest is the last thing: when it cannot be put into one sink, the other's says so.
run_with 'at = commit
key = .manifest.json
stubborn = yes'
equal 'stored' 'good true slow false' "$(stored_in)"
equal "the manifest's sinks" '["good"]' "$(jq -c .sinks "$T/good/$id.manifest.json")"
nothing_left_over "$T/good"

# Reading back from it stalls: it is stored, and not verified.
run_with 'at = read
key = .tar.gz'
equal 'stored' 'good true slow true' "$(stored_in)"
holds '.results[0].verification[] | select(.sink == "slow") | .error | test("no answer")'

# One that is slow, but answers in time, gives backpressure and is not dropped.
base_profile config files "$DATA/config"
sink config good dir
sink config slow odd 'required = no
timeout = 2s
at = write
what = stall
time = 20ms'
json 0 backup config
