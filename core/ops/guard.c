/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/guard.h"

#include "base/cancel.h"
#include "base/log.h"
#include "base/thread.h"

#include <time.h>

enum { GRACE_MS = 2000 }; /* for work that is told to stop: plugins look once a second */

struct guard {
    hf_guarded *what;
    void *arg;
    struct hf_instance *sink;
    struct hf_run run;
    struct hf_world world;
    struct hf_cancel cancel;
    struct hf_watch watch; /* passes on to the world's, as long as the work is not left behind */
    struct hf_watch *watched;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct hf_ctx ctx; /* the thread's, until done */
    int rc;
    bool done, left, watching;
};

static struct guard *guard_of(struct hf_watch *watch)
{
    return (struct guard *)(void *)((char *)watch - offsetof(struct guard, watch));
}

static void watch_begin(struct hf_watch *watch, const char *what, struct hf_services *services)
{
    struct guard *self = guard_of(watch);

    pthread_mutex_lock(&self->lock);
    if (!self->left && self->watched->begin != NULL) {
        self->watched->begin(self->watched, what, services);
        self->watching = true;
    }
    pthread_mutex_unlock(&self->lock);
}

/* With the lock held. */
static void unwatch(struct guard *self)
{
    if (self->watching && self->watched->end != NULL)
        self->watched->end(self->watched);
    self->watching = false;
}

static void watch_end(struct hf_watch *watch)
{
    struct guard *self = guard_of(watch);

    pthread_mutex_lock(&self->lock);
    unwatch(self);
    pthread_mutex_unlock(&self->lock);
}

static void *work(void *arg)
{
    struct guard *self = arg;
    int rc = self->what(&self->run, &self->ctx, self->sink, self->arg);

    pthread_mutex_lock(&self->lock);
    self->rc = rc;
    self->done = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

static int guard_new(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, hf_guarded *what, void *arg,
                     struct guard **ret_guard)
{
    struct guard *self = hf_alloc(sizeof(*self));

    self->what = what;
    self->arg = arg;
    self->sink = sink;
    self->watched = run->world->watch;
    self->watch = (struct hf_watch){.begin = watch_begin, .end = watch_end};
    self->world = *run->world;
    self->world.cancel = &self->cancel;
    self->world.watch = self->watched ? &self->watch : NULL;
    self->run.world = &self->world;
    self->run.profile = run->profile;
    self->run.source = run->source;
    self->run.stages = run->stages;
    self->run.seal = run->seal;
    self->run.sinks = run->sinks;
    self->run.sink_count = run->sink_count;
    self->run.lock_fd = self->run.read_fd = -1;
    self->run.jobs = run->jobs;
    self->run.workers = run->workers;
    hf_services_init(&self->run.services, run->services.temp_root);
    self->run.services.profile = run->services.profile;
    self->ctx = (struct hf_ctx){.services = &self->run.services};
    pthread_mutex_init(&self->lock, NULL);
    hf_cond_init(&self->changed);
    *ret_guard = self;
    return hf_cancel_init_below(&self->cancel, ctx, ctx->cancel);
}

static void guard_free(struct guard *self)
{
    hf_services_clear(&self->run.services);
    hf_cancel_clear(&self->cancel);
    hf_error_clear(&self->ctx.error);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* Whether the work has ended; *ret_stalled: it was told to, since the sink did not answer. */
static bool wait_for(struct guard *self, bool *ret_stalled)
{
    int64_t until = INT64_MAX;
    bool done;

    pthread_mutex_lock(&self->lock);
    while (!self->done && hf_time_steady_ms() < until) {
        if (until == INT64_MAX && hf_instance_stalled(self->sink)) {
            *ret_stalled = true;
            atomic_store(&self->sink->given_up, true);
            until = hf_time_steady_ms() + GRACE_MS;
            hf_cancel_raise(&self->cancel, HF_CANCEL_FAILURE);
        }
        hf_cond_wait(&self->changed, &self->lock);
    }
    done = self->done;
    self->left = !done;
    if (!done)
        unwatch(self);
    pthread_mutex_unlock(&self->lock);
    return done;
}

int hf_guard(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, hf_guarded *what, void *arg)
{
    struct guard *self = NULL;
    pthread_t thread;
    bool stalled = false;
    int rc;

    if (hf_instance_check(sink, ctx) != HF_OK)
        return ctx->error.code;
    if (sink->timeout_ms == 0)
        return what(run, ctx, sink, arg);
    rc = guard_new(run, ctx, sink, what, arg, &self);
    self->ctx.cancel = ctx->cancel ? &self->cancel : NULL;
    if (rc == HF_OK)
        rc = hf_thread_start(ctx, &thread, work, self);
    if (rc != HF_OK) {
        guard_free(self);
        return rc;
    }
    if (!wait_for(self, &stalled)) {
        atomic_store(&sink->lost, true);
        pthread_detach(thread);
        hf_keep(self);
        return hf_instance_fail_stalled(sink, ctx);
    }
    pthread_join(thread, NULL);
    rc = self->rc;
    if (stalled && rc < 0)
        rc = hf_instance_fail_stalled(sink, ctx);
    else
        hf_error_merge(&ctx->error, &self->ctx.error);
    hf_services_merge(&run->services, &self->run.services);
    guard_free(self);
    return rc;
}
