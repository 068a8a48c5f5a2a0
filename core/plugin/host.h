/* SPDX-License-Identifier: Apache-2.0
 *
 * The host table, and what its services work on during one operation.
 */
#ifndef HF_PLUGIN_HOST_H
#define HF_PLUGIN_HOST_H

#include "base/error.h"
#include "base/json.h"
#include <holdfast/plugin.h>
#include <pthread.h>
#include <stdatomic.h>

const struct hf_host *hf_host_table(void);

struct hf_collected_finding {
    int severity;
    char *code, *subject, *text;
};

enum { HF_FINDINGS_MAX = 10000 }; /* later ones are counted, not kept */

/* One operation's collection. Shared by all of its threads. */
struct hf_services {
    pthread_mutex_t lock; /* guards everything below but the atomics */
    json_t *facts, *context;                    /* reported in this operation                        */
    const json_t *recorded_facts, *recorded_context; /* what get_fact and get_context answer; NULL: nothing */
    json_t *answers;                            /* their texts, kept so that pointers stay valid      */
    struct hf_collected_finding *findings;
    size_t finding_count, finding_room, findings_dropped;
    size_t severity_counts[4];                  /* by enum hf_severity                               */
    const char *profile;                        /* whose operation it is; NULL: nobody's                  */
    const char *temp_root;                      /* where temp folders are made                        */
    char *tempdir;                              /* NULL until asked for                              */
    int tempdir_lock;
    atomic_uint_fast64_t done_bytes, total_bytes; /* the pipeline's count, for progress               */
    atomic_uint_fast64_t done_parts, total_parts; /* likewise                                         */
    atomic_uint_fast64_t done_extra, total_extra; /* what parts cost beyond their bytes               */
    atomic_bool listed;                           /* the totals are final                             */
    atomic_uint_fast64_t plugin_done, plugin_total; /* what progress() says                           */
};

void hf_services_init(struct hf_services *, const char *temp_root);
void hf_services_clear(struct hf_services *); /* removes the tempdir */

/* Moves the findings of one to the other. */
void hf_services_merge(struct hf_services *to, struct hf_services *from);
/* Forgets the findings but the first `count`: those of an attempt that is made again. */
void hf_services_forget(struct hf_services *, size_t count);
/* Adds a finding of the core's own. */
void hf_services_finding(struct hf_services *, int severity, const char *code, const char *subject, const char *format, ...)
    HF_PRINTF(5, 6);


/* What stands behind the public writer and reader: the pipeline fills these in. */
struct hf_writer {
    int (*write)(struct hf_writer *, const void *, size_t);
    int (*reserve)(struct hf_writer *, void **, size_t *);
    int (*commit)(struct hf_writer *, size_t);
};
struct hf_reader {
    int64_t (*read)(struct hf_reader *, void *, size_t);
    int64_t (*borrow)(struct hf_reader *, const void **);
};

#endif
