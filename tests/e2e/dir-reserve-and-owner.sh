#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A dir sink keeps its reserve free: a run that would eat into it is refused before its source is read. Files have the mode
# and the owner that the profile says.
. "$(dirname "$0")/lib.sh"
own_mounts
root || skip 'only root may give files away'

mkdir "$DATA/config"
head -c 9000000 /dev/urandom >"$DATA/config/large"
simple_profile config files "$DATA/config"
printf 'reserve = 25%%\nowner = nobody:daemon\nmode = 0440\n' >>"$ETC/conf.d/config.ini"
small_disk "$BACKUPS" 32m

id=$(backup config)
equal 'mode and owner' '440 nobody daemon' "$(stat -c '%a %U %G' "$BACKUPS/$id.tar.gz" "$BACKUPS/$id.manifest.json" | sort -u)"
backup config >/dev/null
contents "$BACKUPS" >"$T/before"

# 18 of 32 MiB are used: another 9 would leave less than 8. Nothing is read for it, and nothing written.
mv "$DATA/config" "$DATA/away" # so that reading would fail otherwise
json 4 backup config
says 'reserve of 8 MiB' 'hint:' "$BACKUPS"
mv "$DATA/away" "$DATA/config"
json 4 backup config --dry-run
says 'reserve of 8 MiB'
diff "$T/before" <(contents "$BACKUPS") || fail 'the sink is not as it was'
expect 0 verify config --all

# One that grows into it fails, and leaves nothing.
rm "$BACKUPS"/* "$BACKUPS"/.[!.]* 2>/dev/null || true
head -c 26000000 /dev/urandom >"$DATA/config/large" # the first run of all: nobody knows how large it will be
json 1 backup config
says 'less than the reserve of 8 MiB' 'hint:'
nothing_visible
head -c 1000000 /dev/urandom >"$DATA/config/large"
id=$(backup config)
contents "$BACKUPS" >"$T/before"
head -c 26000000 /dev/urandom >"$DATA/config/large"
json 1 backup config
says 'less than the reserve of 8 MiB'
diff "$T/before" <(contents "$BACKUPS") || fail 'the sink is not as it was'

# Others fill the disk: check says so, and retention still removes.
sleep 1
rm "$DATA/config/large"
backup config >/dev/null
head -c 28000000 /dev/zero >"$BACKUPS/.filler"
json 4 check config
says 'less than the 8 MiB of its reserve'
json 4 backup config
printf '\n[retention]\nkeep_last = 1\n' >>"$ETC/conf.d/config.ini"
expect 0 prune config
equal 'backups' 1 "$(find "$BACKUPS" -name '*.manifest.json' | wc -l)"
expect 0 verify config

# An optional sink that refuses makes the run partial; all optional ones, refused.
printf '\n[sink second]\nplugin = dir\npath = %s/second\ncreate = yes\n' "$T" >>"$ETC/conf.d/config.ini"
sed -i 's/^reserve = .*/&\nrequired = no/' "$ETC/conf.d/config.ini"
json 3 backup config
equal 'stored in' 'local false second true' "$(j '[.results[0].sinks[] | "\(.name) \(.stored)"] | join(" ")')"
sed -i 's/^create = yes/create = yes\nrequired = no\nreserve = 1000T/' "$ETC/conf.d/config.ini"
json 4 backup config
says 'every sink failed'
