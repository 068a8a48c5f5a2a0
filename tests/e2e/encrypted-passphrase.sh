#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A passphrase: from a file or the environment, and nowhere to be seen; nor is a secret key.
. "$(dirname "$0")/lib.sh"
needs age strace
may_trace

secret='correct horse battery staple'
make_files "$DATA/config"
make_db "$DATA/signals.db" 500
printf '%s\n' "$secret" >"$T/passphrase"
chmod 600 "$T/passphrase"
for name in files sqlite; do
    path=$DATA/config
    [[ $name == files ]] || path="$DATA/*.db"
    profile "$name" <<END
[profile]
name = $name

[source]
plugin = $name
path = $path

[stage compress]
plugin = zstd

[stage encrypt]
plugin = age
passphrase = \${file:$T/passphrase}
work_factor = 12

[sink local]
plugin = dir
path = $BACKUPS
END
done

unmentioned() {
    if grep -qrF -- "$secret" "$OUT" "$ERR" "$BACKUPS" "$T/state" "$T/tmp" "$ETC"; then fail "the secret is to be seen after: $*"; fi
}
run() {
    local code=$1
    shift
    if [[ $SANITIZED == 0 ]]; then # leaks cannot be looked for under strace
        HF_UNDER="strace -f -qq -s 4096 -o $T/trace -e trace=execve" expect "$code" "$@"
    else
        expect "$code" "$@"
    fi
    if [[ -e $T/trace ]] && grep -qF -- "$secret" "$T/trace"; then fail "the secret is an argument of: $*"; fi
    unmentioned "$@"
}

run 0 config validate
run 0 config show files
says 'passphrase = ***'
run 0 check
run 0 backup --all --verbose
says 'verified content'
run 0 verify --all --verbose
run 0 show files --verbose
run 0 restore files --to "$T/back"
same_tree "$DATA/config" "$T/back/$DATA/config"
run 0 restore --artifact "$BACKUPS"/sqlite_signals_*.db.zst.age --to "$T/db"
sound "$T/db/signals.db"

# Nor is it in what is left of a process that crashes while it holds the passphrase.
mkfifo "$T/stuck"
(
    cd "$T/tmp"
    ulimit -c unlimited
    exec "$HOLDFAST" --config "$ETC" restore --artifact "$T/stuck" --source files --to "$T/none"
) >"$OUT" 2>"$ERR" </dev/null &
stuck=$!
for ((i = 0; i < 100; i++)); do
    grep -q '^Max core file size *1 ' "/proc/$stuck/limits" && break
    sleep 0.02
done
kill -ABRT "$stuck"
wait "$stuck" || true
[[ -z $(find "$T/tmp" -name 'core*') ]] || fail 'a process that held the passphrase left a core'

# From the environment; a wrong one says so, an open file is refused.
sed -i 's/^passphrase = .*/passphrase = ${env:BACKUP_PASSPHRASE}/' "$ETC/conf.d/files.ini"
run 2 check files
says BACKUP_PASSPHRASE
BACKUP_PASSPHRASE=$secret run 0 verify files
export BACKUP_PASSPHRASE='another one'
run 1 verify files
says 'the passphrase is not the one'
run 1 restore files --to "$T/none"
absent "$T/none"
run 0 verify files --level digest
run 0 list
unset BACKUP_PASSPHRASE
sed -i "s,^passphrase = .*,passphrase = \${file:$T/passphrase}," "$ETC/conf.d/files.ini"
chmod 644 "$T/passphrase"
run 2 check files
says chmod
chmod 600 "$T/passphrase"
sed -i "s/^passphrase = .*/passphrase = $secret/" "$ETC/conf.d/files.ini"
chmod 644 "$ETC/conf.d/files.ini"
expect 2 check files
says chmod

# A secret key: in no output, whatever is wrong with it.
expect 0 key new --out "$T/key"
secret=$(grep AGE-SECRET "$T/key")
sed -i "s,^passphrase = .*,identity = $T/key,; /^work_factor/d" "$ETC/conf.d/files.ini"
sleep 1
run 0 backup files --verbose
run 0 show files --verbose
run 0 key show "$T/key"
sed -i 's/AGE-SECRET-KEY-1\(.\)/AGE-SECRET-KEY-1\1Q/' "$T/key"
secret=$(grep AGE-SECRET "$T/key")
run 2 check files
says 'line 3 is no identity'
sed -i "s,^identity = .*,recipient = $secret," "$ETC/conf.d/files.ini"
expect 2 config validate
says 'is a secret key'
if grep -qF "$secret" "$OUT" "$ERR"; then fail 'a secret key in the wrong place is shown'; fi
printf '%s\n' "$secret" >"$T/secret"
chmod 600 "$T/secret"
sed -i "s,^recipient = .*,identity = \${file:$T/secret}," "$ETC/conf.d/files.ini" # its text, where its file's name belongs
for what in 'config show' 'config validate' check backup; do
    # shellcheck disable=SC2086
    expect 2 $what files
    says 'is a secret key itself' 'to a file of mode 0600'
    if grep -qF "$secret" "$OUT" "$ERR"; then fail "$what shows a secret key that stands in place of its file"; fi
done
nothing_left_over
