#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --json: one valid document from every command, also when it fails; nothing else on stdout; the members that scripts rely on.
. "$(dirname "$0")/lib.sh"

make_db "$DATA/signals.db" 10
simple_profile sqlite sqlite "$DATA/signals.db"
members() { # EXIT MEMBERS ARGUMENTS…: the members of the (first) result that must be there
    local code=$1 members=$2 member
    shift 2
    json "$code" "$@"
    for member in $members; do holds "(.results[0] // .) | has(\"$member\")"; done
}
members 0 'profile exit findings' check
members 0 'profile exit outcome would_store' backup sqlite --dry-run
members 0 'profile exit id outcome start end seconds raw_bytes bytes artifacts sinks findings verification' backup sqlite
members 0 'profile exit backups orphans unreachable' list
members 0 'profile exit id time manifest sinks locations' show sqlite
members 0 'profile exit checks' verify --all
members 0 'profile exit id outcome selected' restore sqlite --to "$T/x" --dry-run
members 0 'profile exit id sink outcome parts bytes seconds findings' restore sqlite --to "$T/x"
members 0 'profile exit items skipped' prune sqlite
members 0 'profile exit id audited seconds findings' audit --all
members 4 'profile exit error' audit sqlite
members 0 'files diagnostics' config validate
members 0 'profile path sections' config show
members 0 'plugins' plugin list
members 0 'plugins' plugin info sqlite
members 4 'profile exit error' restore sqlite --to "$T/x"
members 6 'exit error' show sqlite_19990101_000000
members 2 'error' restore --nonsense
members 2 'error' nonsense

# Stable: the same question, the same answer.
json 0 list
cp "$OUT" "$T/once"
json 0 list
cmp "$T/once" "$OUT"
json 0 show sqlite
cp "$OUT" "$T/once"
json 0 show sqlite
cmp "$T/once" "$OUT"

# A name from outside that is no UTF-8, or would steer a terminal, breaks neither output.
mkdir "$DATA/tree"
touch "$DATA/tree"/$'bad-\xff\x1b[31m-name'
if command -v python3 >/dev/null; then
    python3 -c 'import os, socket, sys; os.chdir(os.fsencode(sys.argv[1])); socket.socket(socket.AF_UNIX).bind(b"sock-\xff\x1b[31m")' "$DATA/tree"
fi
simple_profile config files "$DATA/tree"
json 0 backup config
sleep 1
expect 0 backup config
if grep -q $'\x1b' "$OUT" "$ERR"; then fail 'an escape character went to the terminal'; fi
