#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Mistakes in the configuration: all of them in one run, each with file, line and the nearest right word; exit 2.
. "$(dirname "$0")/lib.sh"

make_files "$DATA/config"
simple_profile good files "$DATA/config"
profile bad <<END
[profile]
name = bad
evry = 6h
rpo = soon

[source]
plugin = flies
path = $DATA/config

[stage compress]
plugin = gzip
level = 12

[sink local]
plugin = dir
pth = $BACKUPS
path = $BACKUPS
path = $BACKUPS

[retentoin]
keep = 30d

[verify]
level = everything
END
json 2 config validate
bad=$ETC/conf.d/bad.ini
at() { # LINE TEXT
    jq -e --arg file "$bad" --argjson line "$1" --arg text "$2" '[.. | objects | select(.file? == $file and .line? == $line)
        | select((.text + " " + (.hint // "")) | contains($text))] | length >= 1' "$OUT" >/dev/null ||
        fail "no diagnostic at line $1 that says '$2'"
}
at 3 every
at 4 soon
at 7 files
at 12 level
at 16 path
at 18 path
at 20 retention
at 24 content
expect 2 config validate
says "$bad:3: " "$bad:7: " 'did you mean'
json 2 backup bad
nothing_visible

# The others still run.
json 3 backup --all
exists "$(ls "$BACKUPS"/good_*.manifest.json)"
rm "$bad"

wrong() { # TEXT…: the profile on standard input is refused, and each text is said
    profile bad
    expect 2 config validate
    says "$@"
}
printf '[profile]\nname = good\n[source]\nplugin = files\npath = /x\n[sink a]\nplugin = dir\npath = /x\n' | wrong good.ini bad.ini
printf '[profile]\nname = under_score\n[source]\nplugin = files\npath = /x\n[sink a]\nplugin = dir\npath = /x\n' | wrong under_score
printf '[profile]\nname = bad\n[source]\nplugin = files\n[sink a]\nplugin = dir\npath = /x\n' | wrong path
printf '[profile]\nname = bad\n[source]\nplugin = files\npath = /x\n' | wrong sink
printf '[profile]\nname = bad\n[source]\nplugin = files\npath = ${env:NO_SUCH_VARIABLE}\n[sink a]\nplugin = dir\npath = /x\n' |
    wrong NO_SUCH_VARIABLE bad.ini:5
printf 'no section here\n' | wrong bad.ini:1
head -c 3000 /dev/urandom | wrong bad.ini
rm "$bad"

printf '[holdfast]\nstate_dri = /x\n' >"$ETC/holdfast.ini"
expect 2 config validate
says holdfast.ini:2 state_dir

# Usage.
printf '[holdfast]\nstate_dir = %s/state\n' "$T" >"$ETC/holdfast.ini"
expect 2 bakcup
says backup
expect 2 backup --dryrun
says --dry-run
expect 2 verify --level everything
expect 2 restore
expect 2
RC=0
"$HOLDFAST" --config "$T/nowhere" list >"$OUT" 2>"$ERR" || RC=$?
equal 'exit code without a configuration' 2 "$RC"
says "$T/nowhere"
expect 6 backup nosuchprofile
says nosuchprofile
