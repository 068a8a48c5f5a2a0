#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each sink by its own rules; [retention] is for those that have none. The newest verified backup of a sink stays there.
. "$(dirname "$0")/lib_sinks.sh"

make_files "$DATA/config"
base_profile config files "$DATA/config"
for name in near far third; do sink config $name dir; done
for _ in 1 2 3 4; do
    date +%N >"$DATA/config/stamp"
    last=$(backup config)
done
cat >>"$ETC/conf.d/config.ini" <<'END'

[retention]
keep_last = 3

[retention near]
keep_last = 1
END
count() { find "$T/$1" -name '*.manifest.json' | wc -l; }

expect 0 prune config --sink third --dry-run
says 'would remove'
expect 0 prune config --sink third
equal 'near, far, third' '4 4 3' "$(count near) $(count far) $(count third)"
expect 0 prune config
equal 'near, far, third' '1 3 3' "$(count near) $(count far) $(count third)"
exists "$T/near/$last.manifest.json"
for name in near far third; do nothing_left_over "$T/$name"; done

# A backup that only far holds verified is not removed there because near has a newer one.
date +%N >"$DATA/config/stamp"
json 0 backup config
newest=$(j '.results[0].id')
equal 'after the run' '1 3 3' "$(count near) $(count far) $(count third)"
rm "$T/far/$newest.verified.json"
sed -i 's/^keep_last = 3/keep_last = 1/' "$ETC/conf.d/config.ini"
expect 0 prune config --sink far
exists "$T/far/$newest.manifest.json"
exists "$T/far/$last.manifest.json"
json 0 list
equal 'sinks of the newest' 'near far third' "$(j '.results[0].backups[-1] | [.sinks[].name] | join(" ")')"

# A sink that is away keeps no other from being pruned.
mv "$T/far" "$T/gone"
json 8 prune config
equal 'near, third' '1 1' "$(count near) $(count third)"
sed -i '/^\[sink far\]/a required = no' "$ETC/conf.d/config.ini"
json 3 prune config
mv "$T/gone" "$T/far"

printf '\n[retention fra]\nkeep_last = 1\n' >>"$ETC/conf.d/config.ini"
expect 2 prune config
says 'config.ini:' 'of a sink that the profile does not have' 'did you mean [retention far]?'
sed -i 's/^\[retention fra\]/[retention far]/' "$ETC/conf.d/config.ini"
json 0 config show config
equal 'sections' 'retention retention near retention far' "$(j '[.results[0].sections[].section | select(startswith("retention"))] | join(" ")')"
expect 0 prune config
equal 'far' 2 "$(count far)"
