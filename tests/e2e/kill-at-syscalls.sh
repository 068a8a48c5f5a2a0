#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# kill -9 exactly at each rename, fsync, link, unlink and at many opens and writes of a run: either a whole backup or nothing
# is visible, and the next run sweeps what is left. Also of a prune.
. "$(dirname "$0")/lib.sh"
needs strace
not_sanitized 'tracing'
may_trace

make_files "$DATA/config"
simple_profile config files "$DATA/config"
printf '\n[retention]\nkeep_last = 1\n' >>"$ETC/conf.d/config.ini"
backup config >/dev/null
trace="strace -f -qq -o $T/trace"

calls() { # SYSCALLS…: how often the busiest thread makes the call in a whole run
    HF_UNDER="$trace -e trace=$1"
    json 0 backup config
    HF_UNDER=
    awk '{ print $1 }' "$T/trace" | sort | uniq -c | sort -rn | awk 'NR == 1 { print $1 }'
}
points=0
for call in renameat2 rename fsync fdatasync syncfs linkat unlink unlinkat openat write pwrite64; do
    count=$(calls "$call")
    step=$((${count:-0} / 12 + 1))
    for ((n = 1; n <= ${count:-0}; n += step)); do
        HF_UNDER="$trace -e trace=$call -e inject=$call:signal=SIGKILL:when=$n"
        hf backup config
        HF_UNDER=
        points=$((points + 1))
        json 0 list config
        holds '[.results[].backups[].sinks[] | select(.whole | not)] == []'
        holds '[.results[].backups[]] | length >= 1'
        expect 0 verify config --level content
        # Every artifact that is visible has its manifest, or the record from which the next run takes it back.
        for file in "$BACKUPS"/*.tar.gz; do
            id=$(basename "$file" .tar.gz)
            [[ -e $BACKUPS/$id.manifest.json || -e $BACKUPS/$id.commit.json || -e $BACKUPS/$id.removing.json ]] ||
                fail "killed at $call number $n: $file is visible and nothing knows about it"
        done
        if ((points % 5 == 0)); then
            expect 0 backup config
            nothing_left_over
        fi
    done
    echo "$call: $count"
done
((points >= 40)) || fail "only $points points"
expect 0 backup config
nothing_left_over
equal 'backups left' 1 "$(json 0 list config && j '.results[0].backups | length')"
