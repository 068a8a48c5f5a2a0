/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/fanout.h"

#include "base/cancel.h"
#include "base/memory.h"
#include "base/thread.h"
#include "pipeline/outlet.h"

#include <string.h>

struct hf_fanout {
    struct hf_services *services;
    struct hf_cancel *cancel;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct hf_outlet *outlets;
    size_t count, quorum;
    bool stopped;
};

struct hf_fanout *hf_fanout_new(struct hf_services *services, struct hf_cancel *cancel,
                                struct hf_instance *const *sinks, size_t count, size_t quorum)
{
    struct hf_fanout *fanout = hf_alloc(sizeof(*fanout));

    fanout->services = services;
    fanout->cancel = cancel;
    fanout->count = count;
    fanout->quorum = quorum > 0 ? quorum : 1;
    fanout->outlets = hf_alloc_array(count, sizeof(*fanout->outlets));
    pthread_mutex_init(&fanout->lock, NULL);
    hf_cond_init(&fanout->changed);
    for (size_t i = 0; i < count; i++) {
        struct hf_outlet *outlet = &fanout->outlets[i];
        struct hf_ctx ctx = {.cancel = cancel, .services = services};

        outlet->lock = &fanout->lock;
        outlet->changed = &fanout->changed;
        outlet->sink = sinks[i];
        (void)hf_instance_check(sinks[i], &ctx);
        if (hf_outlet_start(outlet, &ctx, cancel, services) != HF_OK || ctx.error.code != 0)
            hf_fanout_drop(fanout, i, &ctx);
    }
    return fanout;
}

void hf_fanout_stop(struct hf_fanout *fanout)
{
    if (fanout->stopped)
        return;
    fanout->stopped = true;
    pthread_mutex_lock(&fanout->lock);
    for (size_t i = 0; i < fanout->count; i++) /* all at once */
        fanout->outlets[i].closing = true;
    for (size_t i = 0; i < fanout->count; i++) {
        struct hf_outlet *outlet = &fanout->outlets[i];
        bool ended = hf_outlet_end(outlet);

        pthread_mutex_unlock(&fanout->lock);
        if (ended) {
            hf_outlet_clear(outlet);
            hf_services_merge(fanout->services, &outlet->services);
        }
        pthread_mutex_lock(&fanout->lock);
    }
    pthread_mutex_unlock(&fanout->lock);
}

static bool somebody_is_left(const struct hf_fanout *fanout)
{
    for (size_t i = 0; i < fanout->count; i++)
        if (!fanout->outlets[i].ended || fanout->outlets[i].forsaken)
            return true;
    return false;
}

void hf_fanout_free(struct hf_fanout *fanout)
{
    bool left;

    if (fanout == NULL)
        return;
    hf_fanout_stop(fanout);
    pthread_mutex_lock(&fanout->lock);
    left = somebody_is_left(fanout);
    pthread_mutex_unlock(&fanout->lock);
    if (left) {
        hf_keep(fanout);
        return;
    }
    for (size_t i = 0; i < fanout->count; i++) {
        free(fanout->outlets[i].puts);
        hf_error_clear(&fanout->outlets[i].error);
        hf_cancel_clear(&fanout->outlets[i].cancel);
        hf_services_clear(&fanout->outlets[i].services);
    }
    pthread_cond_destroy(&fanout->changed);
    pthread_mutex_destroy(&fanout->lock);
    free(fanout->outlets);
    free(fanout);
}

static int pass_on(struct hf_ctx *ctx, const struct hf_error *error, const char *before)
{
    hf_fail(ctx, error->code, "%s%s", before, error->text);
    if (error->hint != NULL)
        hf_hint(ctx, "%s", error->hint);
    return error->code;
}

/* With the lock held: a failure that ends the run, put into the ctx. */
static int check_enough(struct hf_fanout *fanout, struct hf_ctx *ctx)
{
    hf_auto_free char *before = NULL;
    const struct hf_error *first = NULL;
    size_t alive = 0;

    for (size_t i = 0; i < fanout->count; i++) {
        struct hf_outlet *outlet = &fanout->outlets[i];

        alive += !outlet->dropped;
        if (outlet->dropped && outlet->sink->required)
            return pass_on(ctx, &outlet->error, "");
        if (outlet->dropped && first == NULL)
            first = &outlet->error;
    }
    if (alive >= fanout->quorum)
        return HF_OK;
    if (alive == 0)
        before = hf_strdup("every sink failed; the first: ");
    else
        before = hf_strf("%zu of %zu sinks are left, and the quorum is %zu; the first that failed: ", alive,
                         fanout->count, fanout->quorum);
    return pass_on(ctx, first, before);
}

int hf_fanout_check(struct hf_fanout *fanout, struct hf_ctx *ctx)
{
    int rc;

    pthread_mutex_lock(&fanout->lock);
    rc = check_enough(fanout, ctx);
    pthread_mutex_unlock(&fanout->lock);
    return rc;
}

/* With the lock held: whether every live outlet has room (or, with `idle`, nothing left to do). */
static bool outlets_ready(const struct hf_fanout *fanout, bool idle)
{
    for (size_t i = 0; i < fanout->count; i++) {
        const struct hf_outlet *outlet = &fanout->outlets[i];

        if (outlet->stalled || outlet->forsaken)
            continue;
        /* A dropped one is busy until it has let go of what it was given. */
        if (idle ? outlet->first != NULL || outlet->busy : !outlet->dropped && outlet->backlog >= HF_BACKLOG_MAX)
            return false;
    }
    return true;
}

/* With the lock held: waits until there is room, or nothing left to do. An optional one that does not answer is waited
 * for as long as its timeout says: its bytes must be somewhere until then. */
static int wait_ready(struct hf_fanout *fanout, struct hf_ctx *ctx, bool idle)
{
    int rc;

    while ((rc = check_enough(fanout, ctx)) == HF_OK && !hf_cancel_raised(fanout->cancel) &&
           !outlets_ready(fanout, idle)) {
        hf_cond_wait(&fanout->changed, &fanout->lock);
        for (size_t i = 0; i < fanout->count; i++)
            hf_outlet_watch(&fanout->outlets[i]);
    }
    return rc == HF_OK && hf_cancel_raised(fanout->cancel) ? HF_E_CANCELLED : rc;
}

static int queue_for_all(struct hf_fanout *fanout, struct hf_ctx *ctx, enum hf_item_kind kind, struct hf_buffer *buffer,
                         const struct hf_put_request *request)
{
    int rc;

    pthread_mutex_lock(&fanout->lock);
    rc = wait_ready(fanout, ctx, false);
    for (size_t i = 0; rc == HF_OK && i < fanout->count; i++)
        if (!fanout->outlets[i].dropped)
            hf_outlet_queue(&fanout->outlets[i], kind, buffer, request);
    pthread_cond_broadcast(&fanout->changed);
    pthread_mutex_unlock(&fanout->lock);
    return rc;
}

void hf_fanout_expect(struct hf_fanout *fanout, uint64_t bytes)
{
    for (size_t i = 0; i < fanout->count; i++) {
        struct hf_instance *sink = fanout->outlets[i].sink;
        struct hf_ctx ctx = {.cancel = fanout->cancel, .services = fanout->services};
        int rc;

        if (sink->loaded->sink.expect == NULL || fanout->outlets[i].dropped)
            continue;
        hf_instance_enter(sink, &ctx);
        rc = hf_instance_leave(sink, &ctx, sink->loaded->sink.expect(sink->self, &ctx, bytes));
        if (rc < 0)
            hf_fanout_drop(fanout, i, &ctx);
        hf_error_clear(&ctx.error);
    }
}

int hf_fanout_begin(struct hf_fanout *fanout, struct hf_ctx *ctx, const struct hf_put_request *request)
{
    return queue_for_all(fanout, ctx, HF_ITEM_BEGIN, NULL, request);
}

int hf_fanout_write(struct hf_fanout *fanout, struct hf_ctx *ctx, struct hf_buffer *buffer)
{
    return queue_for_all(fanout, ctx, HF_ITEM_DATA, buffer, NULL);
}

int hf_fanout_end(struct hf_fanout *fanout, struct hf_ctx *ctx)
{
    return queue_for_all(fanout, ctx, HF_ITEM_END, NULL, NULL);
}

int hf_fanout_finish(struct hf_fanout *fanout, struct hf_ctx *ctx)
{
    int rc;

    pthread_mutex_lock(&fanout->lock);
    rc = wait_ready(fanout, ctx, true);
    pthread_mutex_unlock(&fanout->lock);
    return rc;
}

int hf_fanout_commit(struct hf_fanout *fanout, struct hf_ctx *ctx, size_t sink)
{
    struct hf_outlet *outlet = &fanout->outlets[sink];
    size_t done = 0;
    int rc = HF_OK;

    while (rc == HF_OK && done < outlet->put_count && hf_fanout_dropped(fanout, sink) == NULL) {
        hf_instance_enter(outlet->sink, ctx);
        rc = outlet->sink->loaded->sink.put_commit(outlet->puts[done], ctx);
        rc = hf_instance_leave(outlet->sink, ctx, rc);
        done += rc == HF_OK;
    }
    memmove(outlet->puts, outlet->puts + done, (outlet->put_count - done) * sizeof(*outlet->puts));
    outlet->put_count -= done;
    return rc;
}

const struct hf_error *hf_fanout_dropped(struct hf_fanout *fanout, size_t sink)
{
    struct hf_outlet *outlet = &fanout->outlets[sink];
    bool dropped;

    pthread_mutex_lock(&fanout->lock);
    dropped = outlet->dropped;
    pthread_mutex_unlock(&fanout->lock);
    return dropped ? &outlet->error : NULL;
}

void hf_fanout_drop(struct hf_fanout *fanout, size_t sink, struct hf_ctx *ctx)
{
    struct hf_outlet *outlet = &fanout->outlets[sink];

    pthread_mutex_lock(&fanout->lock);
    outlet->forsaken = atomic_load(&outlet->sink->lost);
    hf_outlet_drop(outlet, ctx);
    while (!outlet->ended && !outlet->stalled) { /* what it has begun is aborted */
        hf_outlet_watch(outlet);
        hf_cond_wait(&fanout->changed, &fanout->lock);
    }
    pthread_mutex_unlock(&fanout->lock);
}

bool hf_fanout_stalled(struct hf_fanout *fanout)
{
    bool stalled = false;

    pthread_mutex_lock(&fanout->lock);
    for (size_t i = 0; i < fanout->count; i++)
        stalled = stalled || fanout->outlets[i].stalled;
    pthread_mutex_unlock(&fanout->lock);
    return stalled;
}
