#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Measuring and the table, for the benchmarks beside this file. They set W (where all lies), O (output of the peers), log and
# RUNS before.
# shellcheck disable=SC2034,SC2154
declare -A seconds=() synced=() rss=() bytes=()
size_of() { find "$@" -type f -not -name '*.json' -not -name '*.sha256' -printf '%s\n' 2>/dev/null | awk '{ s += $1 } END { print s + 0 }'; }
# time_one LABEL OUTPUT COMMAND: OUTPUT is removed before, and its size recorded.
time_one() {
    local label=$1 out=$2 took settled peak
    if [[ $out == sink ]]; then rm -rf "${W:?}"/sink/* "$W"/sink2/*; else rm -rf "$out"; fi
    sync
    read -r took settled peak < <(python3 "${BASH_SOURCE[0]%/*}/measure.py" "$3" 2>"$log" || echo failed failed failed)
    [[ -n $peak && $peak != failed ]] || { echo "${0##*/}: '$label' failed: $(tail -3 "$log")" >&2 && exit 1; }
    seconds[$label]+=" $took"
    synced[$label]+=" $settled"
    ((peak > ${rss[$label]:-0})) && rss[$label]=$peak
    if [[ $out == sink ]]; then bytes[$label]=$(size_of "$W/sink"); elif [[ -f $out ]]; then bytes[$label]=$(size_of "$out"); fi
    printf '.' >&2
}
median() { tr ' ' '\n' <<<"$1" | grep . | sort -n | sed -n "$((($(wc -w <<<"$1") + 1) / 2))p"; }

rows=()
row() { # WORK OURS PEER BAR WHAT(s, bytes or KiB) PEER'S-NAME [PEER SYNCED]
    rows+=("$(awk -v work="$1" -v ours="$2" -v peer="$3" -v bar="$4" -v unit="$5" -v name="$6" -v synced="${7:-}" 'BEGIN {
        ratio = ours / peer
        printf "%s\t%s\t%s\t%s\t%s\t%.3f\t%s\t%s\t%s", work, name, unit, ours, peer, ratio, bar, (ratio <= bar ? "yes" : "NO"), synced }')")
}
faster() { row "$1" "$(median "${seconds[$2]}")" "$(median "${seconds[$3]}")" "$4" s "$3" "$(median "${synced[$3]}")"; }
# print_table JSON-FILE
print_table() { printf '%s\n' "${rows[@]}" | python3 "${BASH_SOURCE[0]%/*}/table.py" "$1" "$RUNS"; }
