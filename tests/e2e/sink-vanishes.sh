#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A sink's folder that is not there, is no folder, or goes away in the middle of a run is an error, and is never made anew.
. "$(dirname "$0")/lib.sh"

make_files "$DATA/config"
simple_profile config files "$DATA/config"
rmdir "$BACKUPS"
hf check config --json
[[ $RC != 0 ]] || fail 'check does not miss the folder'
json 8 backup config # perhaps its disk is not mounted
says "$BACKUPS" 'hint:'
absent "$BACKUPS"
echo file >"$BACKUPS"
json 1 backup config
rm "$BACKUPS"
mkdir "$BACKUPS"
earlier=$(backup config)

head -c 120000000 /dev/urandom >"$DATA/config/big"
sed -i 's/^plugin = gzip/plugin = zstd\nlevel = 12/' "$ETC/conf.d/config.ini"
for replacement in none another; do
    "$HOLDFAST" --config "$ETC" backup config --json >"$OUT" 2>"$ERR" &
    run=$!
    until compgen -G "$BACKUPS/.holdfast-partial.*" >/dev/null; do # it writes by now
        kill -0 "$run" || fail 'the run was over before it began to write'
        sleep 0.02
    done
    mv "$BACKUPS" "$T/moved"
    if [[ $replacement == another ]]; then mkdir "$BACKUPS"; fi
    RC=0
    wait "$run" || RC=$?
    equal "exit code with $replacement in its place" 8 "$RC"
    says "$BACKUPS"
    if [[ $replacement == another ]]; then
        nothing_visible
        rmdir "$BACKUPS"
    fi
    mv "$T/moved" "$BACKUPS"
    equal 'artifacts' "$earlier.tar.gz" "$(cd "$BACKUPS" && echo config_*.tar.*)"
    expect 0 verify "$earlier"
done

# One that the run can do without, and that cannot be reached, is asked once: each time takes as long as all its retries.
cat >>"$ETC/conf.d/config.ini" <<END

[sink far]
plugin = s3
bucket = backups
endpoint = http://127.0.0.1:1
access_key = nobody
secret_key = nothing
retries = 1
required = no
END
chmod 600 "$ETC/conf.d/config.ini"
json 3 backup config
equal 'attempts' 1 "$(grep -c 'trying again' "$ERR")"
holds '.results[0].sinks[] | select(.name == "far") | (.stored | not) and (.error | test("onnect"))'
