/* SPDX-License-Identifier: Apache-2.0
 *
 * The progress line: on a terminal one line, redrawn five times a second and wiped at the end; elsewhere, when asked
 * for, a line every ten seconds.
 */
#ifndef HF_CLI_PROGRESS_H
#define HF_CLI_PROGRESS_H

#include "ops/ops.h"
#include "plugin/host.h"

enum hf_progress_mode { HF_PROGRESS_NONE, HF_PROGRESS_REDRAW, HF_PROGRESS_LINES };

enum { HF_PROGRESS_SAMPLES = 25 };

struct hf_progress_sample {
    int64_t time_ms;
    uint64_t bytes;
};

/* How fast it goes, over the last few seconds. */
struct hf_rate {
    struct hf_progress_sample samples[HF_PROGRESS_SAMPLES];
    size_t count; /* ever taken */
};
void hf_rate_add(struct hf_rate *, int64_t time_ms, uint64_t bytes);
uint64_t hf_rate_per_second(const struct hf_rate *); /* 0: not known yet */

struct hf_progress {
    struct hf_watch watch;
    int mode;
    pthread_t thread;
    bool running;         /* of the thread that begins and ends */
    pthread_mutex_t lock; /* guards all below, and standard error while a line is drawn */
    pthread_cond_t wake;
    bool stop;
    struct hf_services *services; /* of the operation being watched */
    char *what;
    struct hf_rate rate;
    int64_t began_ms;
};

/* hf_world's `watch` is &progress->watch. A mode NONE watches nothing. */
int hf_progress_init(struct hf_progress *, struct hf_ctx *, int mode);
void hf_progress_clear(struct hf_progress *);

/* The line, without an end, at most `columns` wide. */
struct hf_progress_figures {
    uint64_t done, total;               /* bytes; total 0: not known                      */
    uint64_t done_extra, total_extra;   /* what parts cost beyond their bytes             */
    uint64_t done_parts, total_parts;   /* total_parts 0: there are none, or not yet any  */
    bool listed;                        /* the totals are final                           */
    uint64_t plugin_done, plugin_total; /* what the plugin counts by itself               */
    uint64_t per_second;                /* 0: not known                                   */
    int64_t elapsed_ms;
};
void hf_progress_line(struct hf_text *, const char *what, const struct hf_progress_figures *, size_t columns);

#endif
