#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ${env:NAME} and ${file:PATH} are filled in; config show prints effective values and where each comes from.
. "$(dirname "$0")/lib.sh"

make_files "$DATA/config"
printf '%s\n' "$BACKUPS" >"$T/path"
profile config <<'END'
[profile]
name = config
[source]
plugin = files
path = ${env:WHAT}
[sink local]
plugin = dir
END
printf 'path = ${file:%s/path}\n' "$T" >>"$ETC/conf.d/config.ini"
export WHAT=$DATA/config
id=$(backup config)
json 0 config show config
option() { j ".results[0].sections[] | select(.section | startswith(\"$1\")) | .options[] | select(.key == \"$2\") | .$3"; }
equal 'path of the source' "$DATA/config" "$(option source path value)"
equal 'its origin' "$ETC/conf.d/config.ini:5" "$(option source path origin)"
equal 'path of the sink' "$BACKUPS" "$(option sink path value)"
equal 'origin of when' default "$(option source when origin)"
expect 0 config show config
says "$BACKUPS"

# A relative path is relative to the profile's folder.
sed -i 's,^path = ${file.*,path = ../../backups,' "$ETC/conf.d/config.ini"
expect 0 verify "$id"
