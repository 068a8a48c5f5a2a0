#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What every behaviour test begins with:   . "$(dirname "$0")/lib.sh"
#
# A test has a folder of its own, $T, with etc (configuration), data (what is protected), backups (the sink `local`), state
# and tmp; all of it goes when the test ends. A command that fails ends the test with its line, unless a helper expects it.
# Run one by hand with: HOLDFAST_BUILD=build/dev bash tests/e2e/NAME.sh      (HOLDFAST_KEEP=1 keeps the folder)
set -Eeuo pipefail
export LC_ALL=C.UTF-8 TZ=UTC

SOURCE=${HOLDFAST_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
BUILD=$(cd "${HOLDFAST_BUILD:-$SOURCE/build/release}" && pwd)
HOLDFAST=$BUILD/bin/holdfast
LEDGER_GEN=$(find "$BUILD" -maxdepth 3 -name holdfast-ledger-gen -type f -print -quit)
# What is measured and traced must not be changed by a sanitizer.
SANITIZED=$(grep -c -- '-fsanitize=' "$BUILD/CMakeCache.txt" || true)
unset HOLDFAST_CONFIG HOLDFAST_PLUGIN_PATH
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1} TSAN_OPTIONS=${TSAN_OPTIONS:-second_deadlock_stack=1}

T=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-e2e.XXXXXX")
ETC=$T/etc BACKUPS=$T/backups DATA=$T/data OUT=$T/out ERR=$T/err
RC=0
mkdir "$T/etc" "$T/etc/conf.d" "$T/state" "$T/tmp" "$BACKUPS" "$DATA"
printf '[holdfast]\nstate_dir = %s/state\ntemp_dir = %s/tmp\n' "$T" "$T" >"$ETC/holdfast.ini"

clean_up() {
    local status=$? job
    trap - ERR EXIT
    set +e
    for job in $(jobs -p); do
        kill "$job" 2>/dev/null && kill -CONT "$job" 2>/dev/null && wait "$job" 2>/dev/null
    done
    if [[ -n ${HOLDFAST_OWN_MOUNTS:-} ]]; then
        for job in "$T"/*; do umount "$job" 2>/dev/null; done
    fi
    if [[ -n ${HOLDFAST_KEEP:-} ]]; then
        echo "kept: $T"
    else
        chmod -R u+rwX "$T" 2>/dev/null
        rm -rf "$T"
    fi
    exit "$status"
}
trap clean_up EXIT
trap 'echo "$0: line $LINENO: failed: $BASH_COMMAND" >&2' ERR

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    printf '  at %s\n' "$(caller 1 2>/dev/null || caller 0)" >&2
    if [[ -e $OUT ]]; then
        printf '%s\n' '--- its stdout' >&2
        head -c 3000 "$OUT" >&2
        printf '%s\n' '--- its stderr' >&2
        head -c 3000 "$ERR" >&2
    fi
    trap - ERR
    exit 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

# Tools that the test cannot do without.
needs() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || skip "needs $tool (scripts/deps.sh --test installs it)"
    done
}
needs jq sqlite3

not_sanitized() { [[ $SANITIZED == 0 ]] || skip "does not work under a sanitizer: $*"; }
root() { ((EUID == 0)); }

# A test that mounts file systems runs again in a mount namespace of its own, where it may, and its mounts go with it.
own_mounts() {
    if [[ -z ${HOLDFAST_OWN_MOUNTS:-} ]]; then
        local flags=(-m)
        root || flags=(-r -m)
        unshare "${flags[@]}" sh -c "mount -t tmpfs -o size=1m none '$T/tmp'" 2>/dev/null || skip 'may not mount here'
        rm -rf "$T"
        HOLDFAST_OWN_MOUNTS=1 exec unshare "${flags[@]}" bash "$0"
    fi
}
small_disk() { mount -t tmpfs -o "size=$2" holdfast-test "$1"; }

may_trace() { strace -o /dev/null true 2>/dev/null || skip 'may not trace processes here'; }

# profile NAME <<'END': a profile, with $DATA and $BACKUPS filled in by the shell when END is not quoted.
profile() { cat >"$ETC/conf.d/$1.ini"; }

# simple_profile NAME SOURCE PATH [EXTRA LINES OF THE SOURCE]: gzip, one sink in $BACKUPS.
simple_profile() {
    profile "$1" <<END
[profile]
name = $1

[source]
plugin = $2
path = $3
${4:-}

[stage compress]
plugin = gzip

[sink local]
plugin = dir
path = $BACKUPS
END
}

# hf ARGUMENTS: runs it; what it says is in $OUT and $ERR, its exit code in $RC.
hf() {
    RC=0
    ${HF_UNDER:-} "$HOLDFAST" --config "$ETC" "$@" >"$OUT" 2>"$ERR" </dev/null || RC=$?
}

# expect EXIT ARGUMENTS
expect() {
    local code=$1
    shift
    hf "$@"
    [[ $RC == "$code" ]] || fail "'holdfast $*' ended with exit code $RC, expected $code"
}

# json EXIT ARGUMENTS: the same with --json; its output must be one valid document that names the same exit code.
json() {
    local code=$1
    shift
    expect "$code" "$@" --json
    jq -e -s 'length == 1' "$OUT" >/dev/null || fail "'holdfast $* --json' did not print one JSON document"
    jq -e --argjson code "$code" '.schema == 1 and .exit == $code and (.command | type == "string")' "$OUT" >/dev/null ||
        fail "'holdfast $* --json' has not the members schema, command, and exit $code"
}

j() { jq -r "$1" "$OUT"; }

# backup PROFILE: expects success; prints the id. TIME in ids has seconds, so successive backups never share one.
backup() {
    json 0 backup "$@"
    j '.results[0].id'
}

equal() { [[ $2 == "$3" ]] || fail "$1: expected '$2', found '$3'"; }
holds() { jq -e "$1" "$OUT" >/dev/null || fail "not true of the report: $1"; }
# says TEXT…: each occurs in what the last run printed, by either way.
says() {
    local text
    for text in "$@"; do
        grep -qF -- "$text" "$OUT" "$ERR" || fail "it does not say '$text'"
    done
}
exists() { [[ -e $1 || -L $1 ]] || fail "'$1' does not exist"; }
absent() { [[ ! -e $1 && ! -L $1 ]] || fail "'$1' exists"; }
same_tree() { diff -r --no-dereference "$1" "$2" >"$T/diff" || fail "'$1' and '$2' differ: $(head -5 "$T/diff")"; }

# Two folders by type, mode, owner, time, link target and content.
listing() { (cd "$1" && find . -printf '%P %y %m %U:%G %T@ %l %s\n' | sed 's/\(^\S* d .*\) [0-9]*$/\1/' | sort); }
# The same without the folder itself, whose time changes with every name that comes and goes in it.
contents() { listing "$1" | sed '/^ d /d'; }
same_metadata() {
    diff <(listing "$1") <(listing "$2") >"$T/diff" || fail "'$1' and '$2' differ in metadata: $(head -6 "$T/diff")"
}

# Nothing of a backup is visible in a sink's folder.
nothing_visible() {
    local found
    found=$(find "${1:-$BACKUPS}" -mindepth 1 -not -name '.*')
    [[ -z $found ]] || fail "visible after a failed run: $found"
}

# Everything in the sink belongs to a backup with a manifest; no scratch files, records or temporary folders are left.
nothing_left_over() {
    local sink=${1:-$BACKUPS} file name id aside found
    for file in "$sink"/* "$sink"/.[!.]*; do
        [[ -e $file ]] || continue
        name=${file##*/}
        [[ $name =~ ^([a-z0-9-]+_(.*_)?[0-9]{8}_[0-9]{6})\. && $name != *.commit.json && $name != *.removing.json ]] ||
            fail "left over in the sink: $name"
        id=$(sed -E 's/^([a-z0-9-]+)_(.*_)?([0-9]{8}_[0-9]{6}).*/\1_\3/' <<<"$name")
        aside=$(sed -E 's/^[^_]+_([a-z0-9-]+_[0-9]{8}_[0-9]{6}).*/\1/' <<<"$name")
        [[ -e $sink/$id.manifest.json || -e $sink/$aside.manifest.json ]] || fail "left over in the sink, without a manifest: $name"
    done
    found=$(find "$T/tmp" -mindepth 1)
    [[ -z $found ]] || fail "left over in the temporary folder: $found"
}

manifest() { cat "$BACKUPS/$1.manifest.json"; }

# left_in DIR: what lies in it; nothing when it is not there.
left_in() { [[ ! -e $1 ]] || find "$1" -mindepth 1; }

# make_db FILE ROWS: a WAL database with a table, an index and rows of about 200 bytes.
make_db() {
    sqlite3 "$1" >/dev/null <<END
pragma journal_mode = wal;
create table if not exists signals (id integer primary key, signal_id text unique, payload text);
create index if not exists signals_payload on signals (substr(payload, 1, 8));
with recursive n(i) as (values (1) union all select i + 1 from n where i < $2)
insert into signals (signal_id, payload) select 'OMEN-' || lower(hex(randomblob(6))), hex(randomblob(80)) from n where $2 > 0;
END
}
rows() { sqlite3 "file:$1?mode=ro" 'select count(*) from signals'; }
sound() { equal "integrity of $1" ok "$(sqlite3 "file:$1?mode=ro" 'pragma integrity_check')"; }

# make_ledger DIR DAYS RECORDS-PER-DAY [OPTIONS]
make_ledger() { "$LEDGER_GEN" "$1" --days "$2" --records-per-day "$3" "${@:4}" >/dev/null; }

# make_files DIR: a small tree with text and binary files.
make_files() {
    mkdir -p "$1/feeds/deep/er"
    printf 'log_level: info\n' >"$1/omen.yaml"
    printf 'key: value %s\n' {1..2000} >"$1/feeds/ais.yaml"
    head -c 300000 /dev/urandom >"$1/feeds/deep/model.bin"
    : >"$1/feeds/deep/er/empty"
    ln -s ../omen.yaml "$1/feeds/link"
}

# wait_for SECONDS COMMAND…: until it succeeds.
wait_for() {
    local until=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < until)) || fail "waited in vain for: $*"
        sleep 0.05
    done
}
