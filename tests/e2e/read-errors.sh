#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Read errors on the source or on the sink are failures that name the file; nothing is visible.
. "$(dirname "$0")/lib.sh"
needs strace
not_sanitized 'tracing'
may_trace

make_files "$DATA/config"
head -c 5000000 /dev/urandom >"$DATA/config/big"
make_ledger "$DATA/ledger" 2 2000 --seal
make_db "$DATA/signals.db" 20000
simple_profile config files "$DATA/config"
simple_profile ledger ledger "$DATA/ledger"
simple_profile sqlite sqlite "$DATA/signals.db"
broken() { HF_UNDER="strace -f -qq -o $T/trace -P $1 -e inject=${3:-read,pread64,preadv,mmap}:error=EIO:when=$2+"; }

broken "$DATA/config/big" 2
hf backup config --json
HF_UNDER=
[[ $RC == 1 || $RC == 3 ]] || fail "a read error in a file gave exit code $RC"
says big
if [[ $RC == 1 ]]; then nothing_visible; fi
rm -f "$BACKUPS"/*

broken "$DATA/ledger/2026-01-29/signals-001.wal" 2
hf backup ledger --json
HF_UNDER=
[[ $RC == 1 || $RC == 3 ]] || fail "a read error in a segment gave exit code $RC"
says signals-001.wal
if [[ $RC == 1 ]]; then nothing_visible; fi
rm -f "$BACKUPS"/*

broken "$DATA/signals.db" 20
json 1 backup sqlite
HF_UNDER=
says signals.db
nothing_visible
nothing_left_over

# Reading back from the sink: a verification that could not be made is a failure, and a later one can still succeed.
id=$(backup ledger)
broken "$BACKUPS/$id.tar.gz" 2
hf verify "$id" --json
HF_UNDER=
[[ $RC != 0 ]] || fail 'a verification that could not read the object succeeded'
says "$id.tar.gz"
expect 0 verify "$id"

# Write errors of the sink, at the data and at the moment of making it durable.
for what in write:error=EIO:when=3+ fsync:error=EIO fsync,fdatasync:error=ENOSPC renameat2:error=EROFS; do
    rm -f "$BACKUPS"/*
    HF_UNDER="strace -f -qq -o $T/trace -e inject=$what"
    [[ $what == write* ]] && HF_UNDER="strace -f -qq -o $T/trace -P $BACKUPS -e inject=renameat2:error=EIO"
    json 1 backup config
    HF_UNDER=
    nothing_visible
done
expect 0 backup config
