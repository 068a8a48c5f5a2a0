#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A copying that was interrupted in the middle of a backup of several artifacts goes on with those that it had not brought; what
# waits for it is no backup, is left alone for two days, and is read back like the rest.
. "$(dirname "$0")/lib_sinks.sh"

for name in four one three two; do make_db "$DATA/$name.db" 500; done
base_profile sqlite sqlite "$DATA/*.db"
sink sqlite a dir
id=$(backup sqlite)
time=${id#sqlite_}
sink sqlite b odd "at = nothing
what = stall
time = 30s
key = _three_$time.db.gz"
artifact() { echo "$T/b/sqlite_$1_$time.db.gz"; }
# They are listed by name: the third does not end, the first two have come.
stop_with() { # SIGNAL
    rm -f "$T/b/"* "$T/b/".odd.*
    sed -i 's/^at = .*/at = begin/' "$ETC/conf.d/sqlite.ini"
    "$HOLDFAST" --config "$ETC" copy sqlite --to b --jobs 1 --quiet >"$T/copy.out" 2>&1 &
    wait_for 20 test -e "$(artifact one)"
    kill "-$1" $!
    wait $! 2>/dev/null || true
    sed -i 's/^at = .*/at = nothing/' "$ETC/conf.d/sqlite.ini"
    exists "$(artifact four)"
    exists "$T/b/$id.commit.json"
    absent "$(artifact three)"
    absent "$T/b/$id.manifest.json"
}
there() { find "$T/b" -name '*.db.gz' | wc -l; }

for signal in INT KILL TERM; do
    stop_with "$signal"
    inodes=$(stat -c %i "$(artifact four)" "$(artifact one)")
    json 0 list sqlite
    holds '.results[0] | [.backups[].sinks[].name] == ["a"] and .orphans == []'
    json 0 prune sqlite
    json 6 restore sqlite --sink b --to "$T/restored"
    json 0 copy sqlite --to b
    equal 'outcome' 'copied digest' "$(j '.results[0].copies[] | "\(.outcome) \(.verification.level)"')"
    equal "those that were there, after $signal" "$inodes" "$(stat -c %i "$(artifact four)" "$(artifact one)")"
    for file in "$T/a/"*; do [[ $file == *.verified.json ]] || cmp "$file" "$T/b/${file##*/}"; done
    nothing_left_over "$T/b"
    json 0 verify sqlite --sink b
done

# It is read back: what was damaged meanwhile is found, and does not stay.
stop_with INT
printf 'yyy' | dd of="$(artifact one)" bs=1 seek=300 conv=notrunc status=none
json 5 copy sqlite --to b
says 'read back other than it was written'
nothing_visible "$T/b"
json 0 copy sqlite --to b

# What fails leaves nothing, whatever had come before.
stop_with INT
gz=$T/a/sqlite_three_$time.db.gz
cp "$gz" "$T/three.gz"
printf 'yyy' | dd of="$gz" bs=1 seek=300 conv=notrunc status=none
json 5 copy sqlite --to b
nothing_visible "$T/b"
cp "$T/three.gz" "$gz"

# Nobody goes on with it: other runs leave it alone, and take it back when it is old.
stop_with KILL
sleep 1
backup sqlite >/dev/null
equal 'artifacts of both' 6 "$(there)"
touch -d '-49 hours' "$T/b/$id.commit.json"
json 0 prune sqlite
equal 'artifacts of the other' 4 "$(there)"
nothing_left_over "$T/b"
json 0 copy --all --to b
json 0 verify --all sqlite

