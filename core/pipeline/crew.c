/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/crew.h"

#include "base/cancel.h"
#include "base/memory.h"
#include "base/thread.h"

#include <assert.h>
#include <pthread.h>
#include <time.h>

struct shift {
    struct hf_crew *crew;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct hf_schedule *schedule; /* NULL: the tasks' own order */
    size_t next, working;
    bool stopped;
    struct hf_error error;
};

/* With the lock held: the next task, if it may begin beside those that are being worked on. */
static const struct hf_task *choose(struct shift *shift)
{
    if (shift->schedule != NULL)
        return hf_schedule_next(shift->schedule);
    return &shift->crew->tasks[shift->next++];
}

/* With the lock held: is there nothing left to begin? */
static bool over(const struct shift *shift)
{
    if (shift->stopped || hf_cancel_raised(shift->crew->cancel))
        return true;
    return shift->schedule != NULL ? hf_schedule_left(shift->schedule) == 0 : shift->next == shift->crew->count;
}

static const struct hf_task *next_task(struct shift *shift)
{
    const struct hf_task *task = NULL;

    pthread_mutex_lock(&shift->lock);
    while (!over(shift) && (task = choose(shift)) == NULL) {
        struct timespec until;

        assert(shift->working > 0); /* or it would wait for ever */
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++; /* a signal changes nothing here */
        pthread_cond_timedwait(&shift->changed, &shift->lock, &until);
    }
    shift->working += task != NULL;
    pthread_mutex_unlock(&shift->lock);
    return task;
}

static void task_done(struct shift *shift, struct hf_ctx *ctx, const struct hf_task *task, int rc)
{
    pthread_mutex_lock(&shift->lock);
    shift->working--;
    if (shift->schedule != NULL)
        hf_schedule_done(shift->schedule, task);
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

        task_done(shift, &ctx, task, rc);
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
    if (crew->phased)
        shift.schedule = hf_schedule_new(crew->tasks, crew->count, crew->threads);
    for (; started < crew->threads && (size_t)started < crew->count; started++)
        if (hf_thread_start(&start, &threads[started], work, &shift) != HF_OK)
            break;
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    hf_schedule_free(shift.schedule);
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
