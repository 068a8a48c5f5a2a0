/* SPDX-License-Identifier: Apache-2.0
 *
 * Threads that work through the parts of a backup, for verification and restore.
 */
#ifndef HF_PIPELINE_CREW_H
#define HF_PIPELINE_CREW_H

#include "pipeline/schedule.h"
#include "plugin/host.h"

struct hf_crew {
    struct hf_task *tasks;
    size_t count;
    int threads; /* at least 1 */
    /* Restore order, as hf_schedule has it. Otherwise the tasks' own order. */
    bool phased;
    /* With keep_going a failure of one task does not stop the others: the first is still what hf_crew_run returns. */
    bool keep_going;
    struct hf_services *services;
    struct hf_cancel *cancel;
    int (*work)(void *arg, struct hf_ctx *, const struct hf_task *);
    void *arg;
};

/* Returns when no thread works any more. The first failure is in the ctx. */
int hf_crew_run(struct hf_crew *, struct hf_ctx *);

#endif
