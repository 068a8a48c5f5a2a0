#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The rules of the tree: dependencies run one way, the core names no plugin, plugins keep to the public headers, and every
# file has its licence line.
. "$(dirname "$0")/lib.sh"

cd "$SOURCE"
problems=$T/problems
: >"$problems"

# core/: base ← config ← plugin ← catalog ← pipeline ← ops ← cli.
declare -A rank=([base]=0 [config]=1 [plugin]=2 [catalog]=3 [pipeline]=4 [ops]=5 [cli]=6)
while IFS=: read -r file include; do
    room=${file#core/} && room=${room%%/*}
    target=${include#*\"} && target=${target%%/*}
    [[ -n ${rank[$room]:-} && -n ${rank[$target]:-} ]] || { echo "$file: $include: an unknown room" >>"$problems" && continue; }
    ((rank[$target] <= rank[$room])) || echo "$file: $include: an arrow that runs back up" >>"$problems"
done < <(grep -o '^#include "[^"]*/[^"]*"' -r core --include='*.[ch]')

names=$(find plugins/sources plugins/stages plugins/sinks -mindepth 1 -maxdepth 1 -printf '%f\n' | grep -v '^CMake' | paste -sd'|')
grep -rnE "\"($names)\"" core --include='*.c' | grep -vE '\.h"|json_(object_get|set)|/\*' | sed 's/$/: the core names a plugin/' |
    grep -vE 'core/cli/(command|examples)' >>"$problems" || true
grep -rnE '#include "(base|config|plugin|pipeline|catalog|ops|cli)/' plugins >>"$problems" || true

# libs3 calls gmtime(), whose result any other caller in the process overwrites.
grep -rnE '\b(gmtime|localtime|ctime|asctime)\(' core plugins --include='*.c' | sed 's/$/: use the _r form/' >>"$problems" || true

git ls-files --cached --others --exclude-standard >"$T/files" 2>/dev/null ||
    find . \( -path ./build -o -path ./demo -o -path ./.git \) -prune -o -type f -printf '%P\n' >"$T/files"
while read -r file; do
    [[ -f $file ]] || continue
    case $file in
    LICENSE | *.json | */fixtures/* | */corpus/* | .gitignore) continue ;;
    esac
    head -5 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$file: no SPDX line" >>"$problems"
done <"$T/files"

# Unfinished work has no place in the tree. The words are split so that this line does not find itself.
xargs -a "$T/files" grep -nE "TO""DO|FIX""ME|XX""X:" -- 2>/dev/null >>"$problems" || true
[[ ! -s $problems ]] || { cat "$problems" >&2 && fail "$(wc -l <"$problems") breaches of the rules"; }
