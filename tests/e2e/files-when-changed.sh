#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# when = changed: nothing is stored while the content is what the last backup holds, whatever the times say.
. "$(dirname "$0")/lib.sh"

make_files "$DATA/config"
simple_profile config files "$DATA/config" 'when = changed'
objects() { find "$BACKUPS" -type f | wc -l; }

first=$(backup config)
count=$(objects)
unchanged() { # WHAT
    json 0 backup config
    equal "outcome after $1" unchanged "$(j '.results[0].outcome')"
    equal "objects after $1" "$count" "$(objects)"
}
stored() { # WHAT
    json 0 backup config
    equal "outcome after $1" stored "$(j '.results[0].outcome')"
    ((count < $(objects))) || fail "nothing was stored after $1"
    count=$(objects)
}
unchanged 'doing nothing'
touch -d 2031-01-01 "$DATA/config/omen.yaml"
unchanged 'touching a file'
expect 0 backup config
says changed
printf 'log_level: debug\n' >"$DATA/config/omen.yaml"
stored 'an edit'
chmod 600 "$DATA/config/omen.yaml"
stored 'a chmod'
mv "$DATA/config/feeds/ais.yaml" "$DATA/config/feeds/ais2.yaml"
stored 'a rename'
unchanged 'doing nothing again'

# The comparison is with a backup that is whole: if the last one is gone, a new one is stored.
rm "$BACKUPS"/config_*
count=0
stored 'losing all backups'
[[ $(j '.results[0].id') != "$first" ]] || fail 'the same id twice'
