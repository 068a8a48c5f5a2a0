/* SPDX-License-Identifier: Apache-2.0
 *
 * `holdfast copy`, between its files: copy_choose.c says what is to become of each backup, copy_one.c does it for one,
 * copy.c for all.
 */
#ifndef HF_OPS_COPYING_H
#define HF_OPS_COPYING_H

#include "ops/run.h"
#include "pipeline/crew.h"

/* One backup that may be copied. */
struct hf_copy_item {
    const struct hf_backup *backup;
    const struct hf_copy *there; /* in the target; NULL: nothing */
    const struct hf_copy *source;
    const char *outcome, *advice; /* advice: may be NULL */
    char *reason;
    bool todo;
    bool unwanted; /* by the target's own rules */
    bool unproven; /* it is there, whole by its size, and nobody has read it back: a copying was killed, maybe */
    uint64_t bytes;
    int64_t took_ms;
    int exit;
    json_t *check;
    struct hf_error error;
};

struct hf_copying {
    struct hf_run *run;
    const struct hf_copy_options *options;
    struct hf_world quiet;         /* without a watch: there is one for all */
    struct hf_instance *from, *to; /* from NULL: whichever has it */
    struct hf_catalog *catalog, *target;
    struct hf_strings away; /* sinks that might have been read from */
    struct hf_copy_item *items;
    size_t count;
    struct hf_task *tasks; /* one for each item in `order` */
    struct hf_copy_item **order;
    bool named;            /* one backup by its id, not the latest */
    atomic_int unanswered; /* backups in a row that failed since somebody could not be reached */
    int level, threads;    /* threads: artifacts of one backup at once */
};

/* Fills the items: each has its outcome, or is to do. */
int hf_copying_choose(struct hf_copying *, struct hf_ctx *);
/* The best copy to read that is not in the target, nor `but`; NULL: none is whole. */
const struct hf_copy *hf_copying_source(const struct hf_copying *, const struct hf_backup *, const struct hf_copy *but);
/* After the copying: what turned out to be damaged leaves its place in the target to others, that were unwanted.
 * Whether there is something to do again. */
bool hf_copying_reconsider(struct hf_copying *);
void hf_copy_decide(struct hf_copy_item *, const char *outcome, int exit, const char *reason);
/* It is not touched. another: what is in its place is another backup. */
void hf_copy_decide_in_the_way(struct hf_copy_item *, const char *reason, bool another);

/* Copies one that is to do, and reads it back. The item gets an outcome only when there was nothing to copy. */
int hf_copying_one(struct hf_copying *, struct hf_ctx *, struct hf_copy_item *);

#endif
