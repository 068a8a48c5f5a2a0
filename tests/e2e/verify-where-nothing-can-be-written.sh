#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A sink that may be read alone can be verified, restored and copied from; that the outcome is not recorded there is said, and
# damage stays damage.
. "$(dirname "$0")/lib_sinks.sh"
own_mounts

make_files "$DATA/config"
base_profile config files "$DATA/config"
sink config a dir
id=$(backup config)
mount --bind "$T/a" "$T/a"
mount -o remount,bind,ro "$T/a"
json 3 verify config
holds '.results[0].checks[0] | .whole and .level == "content" and .bytes > 0 and ([.findings[].code] == ["not-recorded"])'
says 'could not be recorded' 'Read-only file system'
json 0 verify config --level digest # says less than the record that is there, so that none is written
holds '.results[0].checks[0].findings == []'
json 0 restore config --to "$T/restored"
sink config b dir
json 0 copy config --from a --to b
json 3 verify config
equal 'whole' 'a true b true' "$(j '[.results[0].checks[] | "\(.sink) \(.whole)"] | join(" ")')"

umount "$T/a"
printf 'yyy' | dd of="$T/a/$id.tar.gz" bs=1 seek=3000 conv=notrunc status=none
mount --bind "$T/a" "$T/a"
mount -o remount,bind,ro "$T/a"
json 5 verify config
equal 'whole' 'a false b true' "$(j '[.results[0].checks[] | "\(.sink) \(.whole)"] | join(" ")')"
says 'the damage to' 'could not be recorded'
umount "$T/a"
