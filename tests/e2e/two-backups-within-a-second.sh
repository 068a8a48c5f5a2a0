#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs that follow each other within one second get ids of their own, in order.
. "$(dirname "$0")/lib.sh"

make_files "$DATA/config"
simple_profile config files "$DATA/config"
ids=()
for _ in 1 2 3 4; do ids+=("$(backup config)"); done
equal 'ids, sorted and without doubles' "${ids[*]}" "$(printf '%s\n' "${ids[@]}" | sort -u | xargs)"
json 0 list config
equal 'listed' "${ids[*]}" "$(j '[.results[0].backups[].id] | join(" ")')"
