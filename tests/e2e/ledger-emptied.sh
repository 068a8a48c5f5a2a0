#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A ledger that had days and has none (its disk is not mounted) is not backed up as an empty one.
. "$(dirname "$0")/lib.sh"

mkdir "$DATA/ledger"
simple_profile ledger ledger "$DATA/ledger"
json 0 backup ledger # a new one may be empty
holds '[.results[0].findings[] | select(.code == "empty-ledger")] | length == 1'
rm -r "$DATA/ledger"
make_ledger "$DATA/ledger" 2 50 --seal
sleep 1
good=$(backup ledger)

mv "$DATA/ledger" "$T/unmounted"
mkdir "$DATA/ledger"
contents "$BACKUPS" >"$T/before"
json 8 backup ledger
says 'no partitions' mounted
diff "$T/before" <(contents "$BACKUPS") || fail 'something was stored'
rmdir "$DATA/ledger"
mv "$T/unmounted" "$DATA/ledger"
expect 0 backup ledger
expect 0 verify "$good"
