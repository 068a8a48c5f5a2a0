/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of a restore. Pure: no threads, no clock; the crew holds a lock around it.
 *
 * Within an artifact, parts of phase 0 come before all else and those of phase 3 after all else, in order, one at a
 * time. In between, a part of phase 2 waits for the phase 1 of its own group only, and one without a group for all of
 * phase 1. Parts of different artifacts do not wait for each other.
 *
 * Of the parts that may begin, the one with the longest way behind it begins: a part of phase 1 has before it what is
 * left of its group, shared among the threads, and then the costliest part of phase 2 that waits for it; a part of
 * phase 2 has itself. So the group whose index takes longest is loaded first, and the index is built while other groups
 * load.
 *
 * Every call takes time logarithmic in the number of parts, in the mean.
 */
#ifndef HF_PIPELINE_SCHEDULE_H
#define HF_PIPELINE_SCHEDULE_H

#include "catalog/manifest.h"

struct hf_task {
    const struct hf_manifest_artifact *artifact;
    const struct hf_manifest_part *part; /* NULL: the artifact as a whole */
};

struct hf_schedule;

/* Tasks with parts, in the manifest's order; they are copied. */
struct hf_schedule *hf_schedule_new(const struct hf_task *tasks, size_t count, int threads);
void hf_schedule_free(struct hf_schedule *);
/* Tasks that were not yet handed out. */
size_t hf_schedule_left(const struct hf_schedule *);
/* The next one to begin; NULL when there is none, or none may begin before one that was handed out is done. */
const struct hf_task *hf_schedule_next(struct hf_schedule *);
/* `task` is one that hf_schedule_next gave. */
void hf_schedule_done(struct hf_schedule *, const struct hf_task *);

#endif
