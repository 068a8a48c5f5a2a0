/* SPDX-License-Identifier: Apache-2.0
 *
 * Which profiles and backups a command line means.
 */
#ifndef HF_CLI_SELECT_H
#define HF_CLI_SELECT_H

#include "cli/command.h"
#include "config/profile.h"

/* One thing to do: an operation on a profile, or on one of its backups. */
struct hf_target {
    struct hf_profile *profile; /* borrowed                                              */
    char *backup;               /* as hf_catalog_find takes it; NULL: the profile itself */
};
struct hf_targets {
    struct hf_target *items;
    size_t count, room;
};
void hf_targets_clear(struct hf_targets *);

/* The profiles that the words name; all with --all. With neither: all when `all_by_default`, the only one when there is
 * only one, and otherwise a usage error that lists them. One named twice is taken once. */
int hf_select_profiles(struct hf_ctx *, const struct hf_settings *, const struct hf_arguments *, bool all_by_default,
                       struct hf_targets *);
/* The backup that `word` names: PROFILE, PROFILE/latest, PROFILE/PREFIX, ID, a unique prefix of an id, or `latest`
 * where there is only one profile. With --at only a profile's latest makes sense. */
int hf_select_backup(struct hf_ctx *, const struct hf_settings *, const struct hf_arguments *, const char *word,
                     struct hf_targets *);

#endif
