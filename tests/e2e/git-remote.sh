#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# labels: heavy
# A git sink with a remote: what is stored is in both, what is removed in neither; a remote that is away, or not who it should
# be, or stands still, fails the run with nothing visible; a machine that lost everything fetches it. By a folder, by ssh, and
# by https.
[[ ! -w /dev/shm ]] || TMPDIR=/dev/shm # where fsync costs nothing
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_git.sh"
needs git ssh-keygen python3
export HOME=$T/home
mkdir "$HOME" "$T/srv" "$DATA/config"
unset SSH_AUTH_SOCK
echo one >"$DATA/config/omen.yaml"
write_profile() { # REMOTE [EXTRA LINES]
    rm -rf "$T/local.git" "$T/srv/config.git"
    git init -q --bare "$T/srv/config.git"
    git -C "$T/srv/config.git" config http.receivepack true
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
path = $T/local.git
create = yes
remote = $1
${2:-}
[retention]
keep_last = 9
END
}
refs() { git -C "$1" for-each-ref --format='%(refname) %(objectname)' refs/holdfast 'refs/heads/holdfast/*'; }
in_step() { diff <(refs "$T/local.git") <(refs "$T/srv/config.git") || fail 'the two repositories are not in step'; }
other_refs() { git -C "$1" for-each-ref --format='%(refname)' | grep -v -e ^refs/holdfast/ -e ^refs/heads/holdfast/ || true; }

stands_still() { # TEXT: the run ends soon, and says so; nothing is visible
    local since=$SECONDS
    json 8 backup config
    says "$1" 'nothing came or went for 3 s' 'stall_timeout'
    ((SECONDS - since < 20)) || fail "it ended after $((SECONDS - since)) s"
    json 0 list config
    holds '[.results[].backups[].sinks[] | select(.whole | not)] == []'
}
# remotes_silent SCHEME LINES: one that takes connections, and never says a word; a run that waits for it can be stopped.
remotes_silent() {
    local silent since=$SECONDS
    python3 -c 'import socket, time
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True); time.sleep(60)' >"$T/silent-$1" &
    silent=$!
    wait_for 10 test -s "$T/silent-$1"
    write_profile "$1://127.0.0.1:$(cat "$T/silent-$1")/config.git" "$2
stall_timeout = 1s"
    json 8 backup config
    says 'cannot reach' 'nothing came or went for 1 s' 'stall_timeout'
    absent "$T/local.git"
    sed -i 's/^stall_timeout.*/stall_timeout = 30s/' "$ETC/conf.d/config.ini"
    timeout -s INT 0.5 "$HOLDFAST" --config "$ETC" check config >"$OUT" 2>"$ERR" || true
    ((SECONDS - since < 12)) || fail 'a run that waits for a silent remote cannot be stopped'
    kill "$silent"
    wait "$silent" 2>/dev/null || true
}

round_trip() {
    local first second third
    first=$(backup config)
    in_step
    echo two >"$DATA/config/omen.yaml"
    second=$(backup config)
    sed -i 's/^keep_last.*/keep_last = 2/' "$ETC/conf.d/config.ini"
    third=$(backup config)
    sed -i 's/^keep_last.*/keep_last = 9/' "$ETC/conf.d/config.ini" # each removal is a connection, and they take their time
    in_step
    equal 'objects' "$second $third" "$(refs "$T/srv/config.git" | sed -n 's/^refs.holdfast.\([^.]*\)\..*/\1/p' | sort -u | paste -sd' ')"
    equal 'history' "$third $second $first" "$(git -C "$T/srv/config.git" log --format=%s holdfast/config | paste -sd' ')"
    git -C "$T/srv/config.git" fsck --strict >/dev/null 2>&1
    equal 'other refs' '' "$(other_refs "$T/srv/config.git")$(other_refs "$T/local.git")"
    # The machine is lost.
    rm -rf "$T/local.git"
    expect 0 restore config --to "$T/restored"
    equal 'restored' two "$(cat "$T/restored$DATA/config/omen.yaml")"
    rm -rf "$T/restored"
    in_step
    expect 0 verify config --all
    # And by git and tar alone.
    git clone -q --mirror "$T/srv/config.git" "$T/mirror"
    git -C "$T/mirror" show "refs/holdfast/$third.tar.gz:$third.tar.gz" | tar -xzOf - --wildcards '*omen.yaml' >"$T/by-hand"
    equal 'by hand' two "$(cat "$T/by-hand")"
    rm -rf "$T/mirror"
}

write_profile "file://$T/srv/config.git"
round_trip

# The remote is away: nothing is visible, here neither. Back again, or new and empty, it gets what it lacks.
contents "$T/local.git" | grep refs/ >"$T/before"
mv "$T/srv/config.git" "$T/srv/away"
json 8 backup config
says "$T/srv/config.git" 'git ls-remote'
json 8 check config
diff "$T/before" <(contents "$T/local.git" | grep refs/) || fail 'something became visible'
json 0 list config
git init -q --bare "$T/srv/config.git"
backup config >/dev/null
in_step

# A history there that does not continue ours: the backup is stored, and says so.
git clone -q "$T/srv/config.git" "$T/work" -b holdfast/config
git -C "$T/work" -c user.name=x -c user.email=x@x commit -q --allow-empty --amend -m 'rewritten elsewhere'
git -C "$T/work" push -q --force origin holdfast/config
json 0 backup config
says 'have parted'
git -C "$T/local.git" fetch -q "file://$T/srv/config.git" '+holdfast/config:holdfast/config' # as it says
backup config >/dev/null
in_step

# So does an object that is another there.
object=$(git -C "$T/srv/config.git" for-each-ref --format='%(refname)' refs/holdfast | head -1)
git -C "$T/srv/config.git" update-ref "$object" "$(git -C "$T/srv/config.git" rev-parse holdfast/config)"
json 0 backup config --dry-run
json 0 backup config
says "${object#refs/holdfast/}" 'is not what was stored there'

# ssh. libgit2 1.5 loses a few bytes of each connection's host and its known_hosts.
printf 'leak:libssh2\nleak:libgit2.so\n' >"$T/lsan"
export LSAN_OPTIONS=suppressions=$T/lsan:print_suppressions=0
start_sshd
write_profile "ssh://$(id -un)@127.0.0.1:$SSH_PORT$T/srv/config.git" "ssh_key = $T/ssh/id"
json 1 backup config
says 'known_hosts' 'hint:'
absent "$T/local.git"
fingerprint=$(ssh-keygen -lf "$T/ssh/host.pub" | awk '{print $2}')
sed -i "s|^ssh_key.*|&\nhost_key = ${fingerprint%?}x|" "$ETC/conf.d/config.ini"
json 1 backup config
says 'host_key'
sed -i "s|^host_key.*|host_key = $fingerprint|" "$ETC/conf.d/config.ini"
expect 0 check config
round_trip
sed -i "s|^ssh_key.*|ssh_key = $T/ssh/host|" "$ETC/conf.d/config.ini"
json 1 backup config
says 'does not accept the credentials' 'ssh_key'
sed -i "s|^ssh_key.*|ssh_key = $T/ssh/id|; /^host_key/d" "$ETC/conf.d/config.ini"
mkdir "$HOME/.ssh"
ssh-keyscan -p "$SSH_PORT" 127.0.0.1 >"$HOME/.ssh/known_hosts" 2>/dev/null
backup config >/dev/null
in_step
cat >"$T/srv/config.git/hooks/update" <<'END'
#!/bin/sh
case $1 in *.manifest.json) exit 1 ;; esac
END
chmod +x "$T/srv/config.git/hooks/update"
refs "$T/srv/config.git" >"$T/before"
json 1 backup config
says 'does not take' 'manifest.json'
rm "$T/srv/config.git/hooks/update"
refs "$T/local.git" >"$T/local-after"
[[ $(refs "$T/srv/config.git" | grep -c 'manifest.json') == $(grep -c 'manifest.json' "$T/before") ]] || fail 'half of it is visible'
backup config >/dev/null
in_step

# One that takes what is pushed, and then says nothing for long; it may have stored it for all that.
printf '#!/bin/sh\nsleep 5\n: >>%s/hook\n' "$T" >"$T/srv/config.git/hooks/pre-receive"
chmod +x "$T/srv/config.git/hooks/pre-receive"
sed -i 's|^ssh_key.*|&\nstall_timeout = 3s|' "$ETC/conf.d/config.ini"
stands_still 'cannot push to'
sed -i '/^stall_timeout/d' "$ETC/conf.d/config.ini"
wait_for 10 test -e "$T/hook"
rm "$T/srv/config.git/hooks/pre-receive"
backup config >/dev/null
in_step
expect 0 verify config --all
remotes_silent ssh "ssh_key = $T/ssh/id"

# https.
unset LSAN_OPTIONS
start_https "$T/srv" ops s3cret-Passw0rd
write_profile "https://localhost:$HTTPS_PORT/config.git" "username = ops
password = \${env:GIT_TOKEN}"
git -C "$T/srv/config.git" config receive.fsckObjects true
export GIT_TOKEN=s3cret-Passw0rd
json 1 backup config
says 'cannot prove who it is' 'ca_file'
sed -i "s|^username.*|&\nca_file = $T/tls/ca.pem|" "$ETC/conf.d/config.ini"
round_trip
if grep -rqF "$GIT_TOKEN" "$OUT" "$ERR" "$T/local.git" "$T/srv" "$T/state"; then fail 'the password stands in the open'; fi
remotes_silent https "username = ops
password = \${env:GIT_TOKEN}"
write_profile "https://localhost:$HTTPS_PORT/config.git" "username = ops
ca_file = $T/tls/ca.pem
password = \${env:GIT_TOKEN}"
GIT_TOKEN=wrong json 1 backup config
says 'does not accept the credentials'

# Addresses that are refused.
for remote in "https://ops:$GIT_TOKEN@localhost/x.git" "https://$GIT_TOKEN@localhost/x.git" http://localhost/x.git git://localhost/x.git "$T/srv/config.git"; do
    sed -i "s|^remote = .*|remote = $remote|" "$ETC/conf.d/config.ini"
    json 2 backup config
    if grep -qF "$GIT_TOKEN" "$OUT" "$ERR"; then fail 'the token is shown'; fi
done
