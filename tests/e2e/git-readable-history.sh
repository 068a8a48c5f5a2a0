#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A git sink: each backup is a commit that shows who changed what, and the artifact is an object that git and tar alone give
# back bit for bit. Retention removes objects and leaves the history.
. "$(dirname "$0")/lib.sh"
needs git
export HOME=$T # nobody's own configuration of git
REPO=$T/config.git
mkdir -p "$DATA/config/feeds" "$DATA/config/empty"
printf 'log_level: info\n' >"$DATA/config/omen.yaml"
printf 'port: 1\n' >"$DATA/config/feeds/ais.yaml"
printf '#!/bin/sh\n' >"$DATA/config/run" && chmod 755 "$DATA/config/run"
ln -s omen.yaml "$DATA/config/link"
ln "$DATA/config/omen.yaml" "$DATA/config/second-name"
profile config <<END
[profile]
name = config
[source]
plugin = files
path = $DATA/config
[stage compress]
plugin = gzip
[sink history]
plugin = git
path = $REPO
author = Ops Team <ops@example.org>
END
g() { git -C "$REPO" "$@"; }

json 8 backup config # a disk that is not mounted is noticed
says "$REPO" 'git init --bare'
absent "$REPO"
sed -i 's/^author.*/&\ncreate = yes/' "$ETC/conf.d/config.ini"
expect 0 check config
absent "$REPO"
expect 0 list config
absent "$REPO"

first=$(backup config)
listing "$DATA/config" >"$T/first.listing"
cp -a "$DATA/config" "$T/first"
printf 'log_level: debug\n' >"$DATA/config/omen.yaml"
second=$(backup config)
rm "$DATA/config/feeds/ais.yaml"
printf 'new: yes\n' >"$DATA/config/new.yaml"
third=$(backup config)

# The history, by git alone.
equal 'messages' "$third $second $first" "$(g log --format=%s holdfast/config | paste -sd' ')"
equal 'author' 'Ops Team <ops@example.org>' "$(g log -1 --format='%an <%ae>' holdfast/config)"
equal 'date' "$(sed -E 's/.*_(....)(..)(..)_(..)(..)(..)$/\1-\2-\3 \4:\5:\6 +0000/' <<<"$third")" "$(g log -1 --format=%ai holdfast/config)"
g log -p holdfast/config >"$T/log"
for line in '-log_level: info' '+log_level: debug' '-port: 1' '+new: yes' 'new file mode 100755' 'new file mode 120000'; do
    grep -qF -- "$line" "$T/log" || fail "git log -p does not show '$line'"
done
g fsck --strict --no-dangling >"$T/fsck" 2>&1 || fail "git fsck: $(cat "$T/fsck")"
equal 'git fsck' '' "$(cat "$T/fsck")"
git clone -q "$REPO" "$T/clone"
mkdir "$T/clone$DATA/config/empty" "$T/clone$DATA/config/feeds" # which are empty, and git does not keep such
same_tree "$DATA/config" "$T/clone$DATA/config"
exists "$T/clone$DATA/config/run"

# The artifact, by git, sha256sum, tar alone.
mkdir "$T/by-hand" && cd "$T/by-hand"
for name in $(g for-each-ref --format='%(refname:lstrip=2)' "refs/holdfast/$first*"); do
    g show "refs/holdfast/$name:$name" >"$name"
done
sha256sum -c "$first.sha256" >/dev/null
mkdir restored && tar -xzf "$first.tar.gz" -C restored
diff "$T/first.listing" <(listing "restored$DATA/config") || fail 'not what was backed up'
cd "$T"

# By Holdfast.
json 0 verify config --all
expect 0 restore "$first" --to "$T/restored"
same_metadata "$T/first" "$T/restored$DATA/config"
json 0 list config
equal 'listed' "$first $second $third" "$(j '[.results[].backups[].id] | sort | join(" ")')"
json 0 show config
json 0 backup config --dry-run

# What git has packed is read as well.
g gc -q --prune=now
json 0 verify config --all --level content
expect 0 restore "$second" --only "$DATA/config/omen.yaml" --to "$T/one"
equal 'the file of the second' 'log_level: debug' "$(cat "$T/one$DATA/config/omen.yaml")"

# Retention: objects go, the history stays.
printf '\n[retention]\nkeep_last = 1\n' >>"$ETC/conf.d/config.ini"
sleep 1
fourth=$(backup config)
equal 'refs' "$fourth" "$(g for-each-ref --format='%(refname:lstrip=2)' refs/holdfast | sed 's/\..*//' | sort -u)"
equal 'commits' 4 "$(g rev-list --count holdfast/config)"
g fsck --strict >/dev/null 2>&1
equal 'refs of no object' '' "$(g for-each-ref refs/holdfast-pending refs/holdfast-partial refs/holdfast-fetched)"
equal 'locks' '' "$(find "$REPO" -name '*.lock' -not -name holdfast.lock; find "$REPO" -name 'holdfast-run*')"

# Objects that are too large, damage, and a place that is no repository.
head -c 3000000 /dev/urandom >"$DATA/config/large"
sed -i 's/^create = yes/&\nmax_object = 2M/' "$ETC/conf.d/config.ini"
json 4 backup config
says 'max_object' 'hint:'
json 0 verify config --all
sed -i 's/^max_object.*/max_object = 64M/' "$ETC/conf.d/config.ini"
large=$(backup config)
object=$(g rev-parse "refs/holdfast/$large.tar.gz:$large.tar.gz")
chmod u+w "$REPO/objects/${object:0:2}/${object:2}"
printf 'xxxx' | dd of="$REPO/objects/${object:0:2}/${object:2}" bs=1 seek=1500000 conv=notrunc status=none
json 5 verify config
json 5 restore config --to "$T/damaged"
absent "$T/damaged$DATA/config/omen.yaml"
# What is damaged or strange keeps nobody from the others.
rm "$DATA/config/large"
sound=$(backup config)
for name in "$large.tar.gz" "$large.manifest.json"; do
    object=$(g rev-parse "refs/holdfast/$name")
    mv "$REPO/objects/${object:0:2}/${object:2}" "$T/lost"
    json 0 list config
    says "$name" 'damaged'
    json 5 verify config --all
    rm -rf "$T/one"
    expect 0 restore "$sound" --to "$T/one"
    json 0 backup config --dry-run
    mv "$T/lost" "$REPO/objects/${object:0:2}/${object:2}"
done
g update-ref refs/holdfast/config_20200101_000000.tar.gz "$(echo x | g hash-object -w --stdin)"
expect 0 restore "$sound" --to "$T/two"
backup config >/dev/null
g update-ref -d refs/holdfast/config_20200101_000000.tar.gz

sed -i "s|^path = $REPO|path = $T/first|" "$ETC/conf.d/config.ini"
json 8 backup config
says 'not a bare repository'

# A making that was killed leaves nothing for long.
sed -i "s|^path = $T/first|path = $T/again.git|" "$ETC/conf.d/config.ini"
sleep 1000 & gone=$!
kill -9 $gone
wait $gone 2>/dev/null || true
mkdir -p "$T/again.git.making-$gone/objects" "$T/again.git.making-1"
backup config >/dev/null
absent "$T/again.git.making-$gone"
exists "$T/again.git.making-1"

# Copies come in the order of their times, however many are wanted at once: the history reads as if it had grown here.
profile copied <<END
[profile]
name = copied
[source]
plugin = files
path = $DATA/config
[sink local]
plugin = dir
path = $BACKUPS
END
ids=()
for n in 1 2 3 4; do
    echo "$n" >"$DATA/config/new.yaml"
    ids+=("$(backup copied)")
done
printf '[sink history]\nplugin = git\npath = %s\n' "$REPO" >>"$ETC/conf.d/copied.ini"
json 0 copy --all copied --to history --jobs 4
equal 'commits' "${ids[*]}" "$(g log --reverse --format=%s holdfast/copied | paste -sd' ')"
