#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An artifact that stands aside belongs to its backup in every way, but no pattern that finds the profile's finds it; a run that
# is killed while it writes one leaves nothing for ever.
. "$(dirname "$0")/lib.sh"
needs "${CC:-cc}" sha256sum

mkdir "$T/plugins"
"${CC:-cc}" -std=c11 -shared -fPIC -I "$SOURCE/include" -DODD_SOUND -o "$T/plugins/source-odd.so" \
    "$SOURCE/tests/plugin/odd/source-odd.c"
export HOLDFAST_PLUGIN_PATH=$T/plugins
simple_profile odd odd /nowhere 'aside = yes'

id=$(backup odd)
time=${id#odd_}
exists "$BACKUPS/odd_$time.txt.gz"
exists "$BACKUPS/roles_odd_$time.txt.gz"
equal 'what the pattern finds' "odd_$time.txt.gz" "$(cd "$BACKUPS" && ls -t odd_*.txt.gz)"
(cd "$BACKUPS" && sha256sum --quiet -c "$id.sha256") || fail 'the checksums do not hold'
equal 'lines of checksums' 2 "$(wc -l <"$BACKUPS/$id.sha256")"
json 0 list odd
holds '.results[0].backups | length == 1 and .[0].sinks[0].whole and .[0].artifacts == 2'
holds '.results[0].orphans == []'
json 0 show odd
holds "[.results[0].manifest.artifacts[].key] == [\"odd_$time.txt.gz\", \"roles_odd_$time.txt.gz\"]"
json 0 verify odd
nothing_left_over

# A profile of that name sees nothing of its own in it, and its runs leave it alone.
simple_profile roles odd /nowhere
json 0 list roles
holds '.results[0].backups == [] and .results[0].orphans == []'
backup roles >/dev/null
json 0 prune roles
json 0 verify odd
holds '.results[0].checks[0].whole'
rm "$ETC/conf.d/roles.ini" "$BACKUPS"/roles_2*

# Damage to it is damage, and so is its absence.
cp "$BACKUPS/roles_odd_$time.txt.gz" "$T/kept"
printf x >>"$BACKUPS/roles_odd_$time.txt.gz"
json 5 verify "$id"
json 0 list odd
holds '.results[0].backups[0].sinks[0].whole == false'
rm "$BACKUPS/roles_odd_$time.txt.gz"
json 5 verify "$id"
says object-missing
cp "$T/kept" "$BACKUPS/roles_odd_$time.txt.gz"
json 0 verify odd

# Killed while it is being written: hidden, under the profile's own name, and gone with the next run.
sed -i 's/^aside = yes/aside = yes\npause = 1h/' "$ETC/conf.d/odd.ini"
"$HOLDFAST" --config "$ETC" backup odd >"$T/killed" 2>&1 &
pid=$!
disown "$pid" # no word about its end
for ((i = 0; i < 300; i++)); do
    partials=$(find "$BACKUPS" -name '.holdfast-partial.odd_roles_*' -type f)
    [[ -n $partials ]] && break
    sleep 0.1
done
[[ -n $partials ]] || fail 'it writes no partial object under a name of its own'
kill -KILL "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
equal 'visible' 1 "$(find "$BACKUPS" -name '*.manifest.json' | wc -l)"
sed -i '/^pause/d; s/^aside = yes/aside = no/' "$ETC/conf.d/odd.ini" # and even when there is none any more
sleep 1.1                                                            # ids have seconds
second=$(backup odd)
nothing_left_over
json 0 verify odd --all

# Restored alone, without its manifest: the name tells the backup by the profile that there is, or by the source named.
"${CC:-cc}" -std=c11 -shared -fPIC -I "$SOURCE/include" -o "$T/plugins/source-hello.so" \
    "$SOURCE/tests/plugin/example/source-hello.c"
echo good day >"$T/motd_hello_20260201_120000.txt"
mkdir "$T/a" "$T/b"
json 0 restore --artifact "$T/motd_hello_20260201_120000.txt" --source hello --to "$T/a"
equal 'its id' hello_20260201_120000 "$(j '.results[0].id')"
equal 'restored' 'good day' "$(cat "$T/a/hello.txt")"
sed 's/odd/hello/g; /^path = \/nowhere/d; /^aside/d' "$ETC/conf.d/odd.ini" >"$ETC/conf.d/hello.ini"
json 0 restore --artifact "$T/motd_hello_20260201_120000.txt" --to "$T/b"
equal 'its id' hello_20260201_120000 "$(j '.results[0].id')"
rm "$ETC/conf.d/hello.ini"

# Retention takes it along.
sed -i '/^\[retention\]/,$d' "$ETC/conf.d/odd.ini"
printf '\n[retention]\nkeep_last = 1\n' >>"$ETC/conf.d/odd.ini"
json 0 prune odd
absent "$BACKUPS/$id.manifest.json"
absent "$BACKUPS/roles_odd_$time.txt.gz"
absent "$BACKUPS/odd_$time.txt.gz"
exists "$BACKUPS/$second.manifest.json"
