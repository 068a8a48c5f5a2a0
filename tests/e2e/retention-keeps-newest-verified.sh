#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The newest verified backup stays, however unlucky the clock, and whatever newer but unverified or damaged ones there are.
. "$(dirname "$0")/lib.sh"
needs faketime
not_sanitized 'faketime is preloaded'

make_files "$DATA/config"
simple_profile config files "$DATA/config"
printf '\n[retention]\nkeep = 7d\n' >>"$ETC/conf.d/config.ini"
at() { HF_UNDER="faketime -f $1" && shift && "$@" && HF_UNDER=; }
left() { json 0 list config && j '[.results[0].backups[].id] | join(" ")'; }

good=$(backup config)
# Newer ones that nobody verified.
json 0 backup config --level none
sed -i '/^\[retention\]/i [verify]\nlevel = none\n' "$ETC/conf.d/config.ini"

# The clock jumps ten years ahead: all are old; then prunes, and backs up without verification.
at +3650d json 0 prune config
[[ $(left) == *"$good"* ]] || fail 'the newest verified backup was pruned'
at +3650d json 0 backup config
[[ $(left) == *"$good"* ]] || fail 'the newest verified backup was removed after an unverified one'

# The clock goes back: what lies in the future stays.
at -3650d json 0 prune config
[[ $(left) == *"$good"* ]] || fail 'the newest verified backup was pruned by a clock that went back'
equal 'removed by a clock that went back' 0 "$(j '[.results[].items[]? | select(.removed)] | length')"

# A newer verified one that was found damaged since is no reason to let the good one go.
sed -i '/^\[verify\]/,/^$/d' "$ETC/conf.d/config.ini"
at +20d json 0 backup config
json 0 list config
newest=$(j '.results[0].backups | map(select(.verified)) | last | .id')
printf 'x' | dd of="$BACKUPS/$newest.tar.gz" bs=1 seek=2000 conv=notrunc status=none
json 5 verify "$newest"
verified=$(json 0 list config && j '[.results[0].backups[] | select(.verified)] | length')
at +7300d json 0 prune config
if ((verified > 0)); then
    equal 'verified backups left' 1 "$(json 0 list config && j '[.results[0].backups[] | select(.verified)] | length')"
fi
