/* SPDX-License-Identifier: Apache-2.0
 *
 * What a profile says about its sinks together: how many must hold a backup, and which rules apply in which.
 */
#ifndef HF_CONFIG_PLACES_H
#define HF_CONFIG_PLACES_H

#include "config/profile.h"

/* With the sections taken: fills in quorum and retention. What is wrong becomes diagnostics. */
void hf_profile_take_places(struct hf_profile *);
void hf_profile_clear_places(struct hf_profile *);

#endif
