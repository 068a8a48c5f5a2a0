#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Without permission on the sink, the state folder or the source: a reason, an exit code, nothing visible.
. "$(dirname "$0")/lib.sh"

make_files "$DATA/config"
make_ledger "$DATA/ledger" 1 50
simple_profile config files "$DATA/config"
simple_profile ledger ledger "$DATA/ledger"
earlier=$(backup config)
if root; then
    needs setpriv
    chmod 755 "$T"
    chown -R nobody: "$T/state" "$T/tmp" "$BACKUPS" "$ETC" "$DATA"
    HF_UNDER='setpriv --reuid nobody --regid nogroup --clear-groups'
    ${HF_UNDER} test -x "$HOLDFAST" || skip "'nobody' cannot reach the program"
fi
expect 0 verify config

chmod 555 "$BACKUPS"
hf check config --json
[[ $RC != 0 ]] || fail 'check does not notice a sink that cannot be written to'
json 1 backup config
says 'ermission denied' "$BACKUPS"
equal 'artifacts' "$earlier.tar.gz" "$(cd "$BACKUPS" && echo config_*.tar.gz)"
chmod 755 "$BACKUPS"

chmod 0 "$DATA/config/omen.yaml"
sleep 1
json 3 backup config
says omen.yaml
holds '[.results[0].findings[] | select(.severity == "error")] | length == 1'
chmod 644 "$DATA/config/omen.yaml"

chmod 0 "$DATA/ledger"
json 1 backup ledger
says "$DATA/ledger"
chmod 755 "$DATA/ledger"
absent "$BACKUPS/ledger_*"

chmod 555 "$T/state"
rm -rf "$T/state"/* 2>/dev/null || true
printf '[holdfast]\nstate_dir = %s/state/sub\ntemp_dir = %s/tmp\n' "$T" "$T" >"$ETC/holdfast.ini"
hf backup config --json
[[ $RC != 0 ]] || fail 'a backup without a lock succeeded'
says 'ermission denied'
