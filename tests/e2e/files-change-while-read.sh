#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A file that changes, vanishes or cannot be opened while it is read is reported, and the rest is backed up.
. "$(dirname "$0")/lib.sh"
needs strace
not_sanitized 'tracing'
may_trace

make_files "$DATA/config"
head -c 20000000 /dev/urandom >"$DATA/config/big"
simple_profile config files "$DATA/config"

# Vanishes between the listing and the opening.
HF_UNDER="strace -f -qq -o $T/trace -P ${DATA#/}/config/omen.yaml -e trace=openat,openat2 -e inject=openat,openat2:error=ENOENT"
json 0 backup config
holds '[.results[0].findings[] | select(.code == "file-vanished" and .severity == "warning")] | length == 1'
says omen.yaml
HF_UNDER=

# Grows and shrinks while it is read.
for size in 30000000 1000000; do
    HF_UNDER="strace -f -qq -o $T/trace -P $DATA/config/big -e inject=read,pread64:delay_enter=40000"
    rm -f "$T/trace"
    (
        wait_for 20 grep -qE '(read|pread64)\(' "$T/trace" # the first piece is read, many are to come
        truncate -s "$size" "$DATA/config/big"
        echo x >>"$DATA/config/big"
    ) &
    json 0 backup config
    wait $!
    holds '[.results[0].findings[] | select(.code == "file-changed")] | length == 1'
    id=$(j '.results[0].id')
    HF_UNDER=
    expect 0 verify "$id"
    head -c 20000000 /dev/urandom >"$DATA/config/big"
done
