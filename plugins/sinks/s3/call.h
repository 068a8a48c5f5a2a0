/* SPDX-License-Identifier: Apache-2.0
 *
 * What one call of the core, or one worker thread of ours, brings along: how it is stopped, and where its failure goes.
 * Worker threads have no hf_ctx, so failures and notes are kept here and handed over by the thread that has one.
 */
#ifndef HOLDFAST_SINK_S3_CALL_H
#define HOLDFAST_SINK_S3_CALL_H

#include "s3.h"

/* Messages of worker threads, until the core's thread comes by. */
struct s3_notes {
    pthread_mutex_t lock;
    struct s3_text lines; /* each ends with a newline */
};

struct s3_problem {
    int code; /* 0: none */
    char text[900], hint[400];
};

struct s3_call {
    struct hf_ctx *ctx;     /* NULL on a worker thread */
    int cancel_fd, stop_fd; /* readable: stop. -1: none */
    unsigned attempts;      /* at most, for each request; 0: what the profile says */
    struct s3_notes *notes; /* when there is no ctx */
    struct s3_problem problem;
};

/* For the core's thread. */
struct s3_call s3_call_of(struct hf_ctx *ctx);
/* The same, but for cleaning up: a stopped run does not stop it, and it does not try long. */
struct s3_call s3_call_last(struct hf_ctx *ctx);

/* Records a failure; the first one stays. Returns its code. */
int s3_fail(struct s3_call *call, int code, const char *format, ...) HF_PRINTF(3, 4);
int s3_hint(struct s3_call *call, const char *format, ...) HF_PRINTF(2, 3);
int s3_fail_memory(struct s3_call *call);
void s3_forgive(struct s3_call *call);
/* Hands the failure, if there is one, to the core. Returns `status`. */
int s3_report(struct s3_call *call, int status);
int s3_report_problem(struct hf_ctx *ctx, const struct s3_problem *problem);

void s3_note(struct s3_call *call, const char *format, ...) HF_PRINTF(2, 3);
void s3_notes_flush(struct s3_notes *notes, struct hf_ctx *ctx);

/* HF_E_CANCELLED when the call is to stop, at once or within these milliseconds. */
int s3_sleep(struct s3_call *call, int64_t ms);

#endif
