#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whatever a folder may hold comes back: links, modes, times, xattrs, ACLs, holes, long and non-UTF-8 names; sockets are named.
. "$(dirname "$0")/lib.sh"
needs python3

D=$DATA/tree
make_files "$D"
ln "$D/omen.yaml" "$D/feeds/hard"
ln -s /nowhere/at/all "$D/dangling"
mkfifo "$D/fifo"
long=$(printf 'n%.0s' {1..250})
mkdir -p "$D/$long/$long"
echo long >"$D/$long/$long/file"
touch "$D"/$'latin-\xe9' "$D"/$'new\nline' "$D/-dash" "$D/with space" "$D/ünïcode"
echo bytes >"$D"/$'latin-\xe9'
truncate -s 64M "$D/sparse"
printf 'middle' | dd of="$D/sparse" bs=1 seek=33554432 conv=notrunc status=none
chmod 0711 "$D/feeds/ais.yaml"
if root; then chmod 4711 "$D/feeds/ais.yaml"; fi # set-user-id comes back with the owner, which takes root
chmod 0700 "$D/feeds/deep"
chmod 0444 "$D/feeds/deep/er/empty"
mkdir -m 1777 "$D/sticky"
touch -d '1999-12-31T23:59:59.123456789Z' "$D/omen.yaml"
touch -h -d '2001-02-03T04:05:06Z' "$D/feeds/link"
xattrs=no
if setfattr -n user.origin -v $'a\nb' "$D/omen.yaml" 2>/dev/null; then xattrs=yes; fi
acls=no
if setfacl -m u:12345:r "$D/feeds/deep/model.bin" 2>/dev/null; then acls=yes; fi
if root; then chown 1234:5678 "$D/feeds/deep/model.bin"; fi
python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$DATA/s')" && mv "$DATA/s" "$D/socket"
touch -d 2020-01-01 "$D/feeds" "$D"
simple_profile config files "$D"

json 0 backup config
holds '[.results[0].findings[] | select(.subject | test("socket"))] | length == 1'
rm "$D/socket"
touch -d 2020-01-01 "$D"
expect 0 verify config
expect 0 restore config --to "$T/restored"
R=$T/restored$D
same_metadata "$D" "$R"
equal 'inode of the hard link' "$(stat -c %i "$R/omen.yaml")" "$(stat -c %i "$R/feeds/hard")"
[[ -p $R/fifo ]] || fail 'the fifo did not come back'
rm "$R/fifo" "$D/fifo" # two fifos are never the same to diff
same_tree "$D" "$R"
blocks=$(stat -c %b "$R/sparse")
((blocks < 8192)) || fail "the hole was filled: $blocks blocks"
if [[ $xattrs == yes ]]; then
    equal 'xattr' $'a\nb' "$(getfattr --only-values -n user.origin "$R/omen.yaml")"
fi
if [[ $acls == yes ]]; then
    equal 'ACL' "$(getfacl -cn "$D/feeds/deep/model.bin" 2>/dev/null)" "$(getfacl -cn "$R/feeds/deep/model.bin" 2>/dev/null)"
fi

# GNU tar reads the artifact, too.
mkdir "$T/tar"
tar -xzf "$(ls "$BACKUPS"/config_*.tar.gz)" -C "$T/tar" --same-permissions
rm "$T/tar$D/fifo"
same_tree "$D" "$T/tar$D"
