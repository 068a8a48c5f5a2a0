/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/crew.h"

#include "base/cancel.h"
#include "base/memory.h"
#include "base/thread.h"

#include <pthread.h>
#include <time.h>

struct shift {
    struct hf_crew *crew;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    size_t next, working;
    uint32_t phase; /* of the tasks being worked on */
    bool stopped;
    struct hf_error error;
};

static int compare(const void *a, const void *b)
{
    const struct hf_task *x = a, *y = b;

    if (x->part->phase != y->part->phase)
        return x->part->phase < y->part->phase ? -1 : 1;
    if ((x->part->phase == 1 || x->part->phase == 2) && x->part->raw_size != y->part->raw_size)
        return x->part->raw_size > y->part->raw_size ? -1 : 1;
    /* Tasks of one artifact keep its order; the parts of an artifact are one array. */
    if (x->artifact != y->artifact)
        return x->artifact < y->artifact ? -1 : 1;
    return x->part < y->part ? -1 : x->part > y->part;
}

/* With the lock held: may the next task begin beside those that are being worked on? */
static bool may_begin(const struct shift *shift, const struct hf_task *task)
{
    if (!shift->crew->phased || shift->working == 0)
        return true;
    return task->part->phase == shift->phase && shift->phase != 3;
}

static const struct hf_task *next_task(struct shift *shift)
{
    struct hf_crew *crew = shift->crew;
    const struct hf_task *task = NULL;

    pthread_mutex_lock(&shift->lock);
    while (!shift->stopped && !hf_cancel_raised(crew->cancel) && shift->next < crew->count &&
           !may_begin(shift, &crew->tasks[shift->next])) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&shift->changed, &shift->lock, &until);
    }
    if (!shift->stopped && !hf_cancel_raised(crew->cancel) && shift->next < crew->count) {
        task = &crew->tasks[shift->next++];
        shift->working++;
        if (crew->phased)
            shift->phase = task->part->phase;
    }
    pthread_mutex_unlock(&shift->lock);
    return task;
}

static void task_done(struct shift *shift, struct hf_ctx *ctx, int rc)
{
    pthread_mutex_lock(&shift->lock);
    shift->working--;
    if (rc < 0) {
        if (ctx->error.code == 0)
            hf_fail(ctx, rc, "%s", hf_code_text(rc));
        shift->stopped = shift->stopped || !shift->crew->keep_going;
        hf_error_merge(&shift->error, &ctx->error);
    }
    pthread_cond_broadcast(&shift->changed);
    pthread_mutex_unlock(&shift->lock);
}

static void *work(void *arg)
{
    struct shift *shift = arg;
    const struct hf_task *task;

    while ((task = next_task(shift)) != NULL) {
        struct hf_ctx ctx = {.cancel = shift->crew->cancel, .services = shift->crew->services};
        int rc = shift->crew->work(shift->crew->arg, &ctx, task);

        task_done(shift, &ctx, rc);
        hf_error_clear(&ctx.error);
    }
    return NULL;
}

int hf_crew_run(struct hf_crew *crew, struct hf_ctx *ctx)
{
    struct shift shift = {.crew = crew};
    pthread_t *threads = hf_alloc_array((size_t)crew->threads, sizeof(*threads));
    struct hf_ctx start = {0};
    int started = 0;

    pthread_mutex_init(&shift.lock, NULL);
    pthread_cond_init(&shift.changed, NULL);
    if (crew->phased && crew->count > 1)
        qsort(crew->tasks, crew->count, sizeof(*crew->tasks), compare);
    for (; started < crew->threads && (size_t)started < crew->count; started++)
        if (hf_thread_start(&start, &threads[started], work, &shift) != HF_OK)
            break;
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    if (started == 0) /* fewer than wanted do the work, too */
        hf_error_merge(&ctx->error, &start.error);
    hf_error_clear(&start.error);
    hf_error_merge(&ctx->error, &shift.error);
    if (ctx->error.code == 0 && hf_cancel_raised(crew->cancel))
        hf_fail(ctx, HF_E_CANCELLED, "stopped");
    pthread_cond_destroy(&shift.changed);
    pthread_mutex_destroy(&shift.lock);
    return ctx->error.code;
}
