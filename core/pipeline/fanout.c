/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/fanout.h"

#include "base/cancel.h"
#include "base/memory.h"
#include "base/thread.h"

#include <string.h>
#include <time.h>

enum item_kind { ITEM_BEGIN, ITEM_DATA, ITEM_END };

struct item {
    struct item *next;
    enum item_kind kind;
    struct hf_buffer *buffer; /* ITEM_DATA  */
    char *key, *media, *owner; /* ITEM_BEGIN */
};

struct outlet {
    struct hf_fanout *fanout;
    struct hf_instance *sink;
    pthread_t thread;
    bool started;
    void **puts; /* prepared, in order; the last one may still be open */
    size_t put_count, put_room;
    bool open;   /* the last put is not prepared yet: the outlet's thread only */
    /* guarded by the fanout's lock */
    struct item *first, *last;
    size_t backlog; /* bytes queued */
    bool busy;      /* the thread works on an item */
    bool dropped;
    struct hf_error error;
};

struct hf_fanout {
    struct hf_services *services;
    struct hf_cancel *cancel;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closing;
    struct outlet *outlets;
    size_t count;
};

static struct hf_ctx make_ctx(const struct hf_fanout *fanout)
{
    return (struct hf_ctx){.cancel = fanout->cancel, .services = fanout->services};
}

static void item_free(struct item *item)
{
    hf_buffer_unref(item->buffer);
    free(item->key);
    free(item->media);
    free(item->owner);
    free(item);
}

static bool stopped(const struct hf_fanout *fanout)
{
    return fanout->closing || hf_cancel_raised(fanout->cancel);
}

static void wait_changed(struct hf_fanout *fanout)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    until.tv_nsec = until.tv_nsec < 750000000 ? until.tv_nsec : 750000000;
    pthread_cond_timedwait(&fanout->changed, &fanout->lock, &until);
}

static void abort_puts(struct outlet *outlet)
{
    struct hf_ctx ctx = make_ctx(outlet->fanout);

    for (size_t i = outlet->put_count; i-- > 0;) {
        hf_instance_enter(outlet->sink, &ctx);
        outlet->sink->loaded->sink.put_abort(outlet->puts[i], &ctx);
        (void)hf_instance_leave(outlet->sink, &ctx, HF_OK);
    }
    outlet->put_count = 0;
    outlet->open = false;
    hf_error_clear(&ctx.error);
}

static void discard_queue(struct outlet *outlet)
{
    struct item *item;

    pthread_mutex_lock(&outlet->fanout->lock);
    item = outlet->first;
    outlet->first = outlet->last = NULL;
    outlet->backlog = 0;
    pthread_cond_broadcast(&outlet->fanout->changed);
    pthread_mutex_unlock(&outlet->fanout->lock);
    while (item != NULL) {
        struct item *next = item->next;

        item_free(item);
        item = next;
    }
}

static int put_begin(struct outlet *outlet, struct hf_ctx *ctx, const struct item *item)
{
    struct hf_put_request request = {
        .size = sizeof(request), .key = item->key, .media = item->media, .owner = item->owner};
    void *put = NULL;
    int rc;

    hf_instance_enter(outlet->sink, ctx);
    rc = outlet->sink->loaded->sink.put_begin(outlet->sink->self, ctx, &request, &put);
    rc = hf_instance_leave(outlet->sink, ctx, rc);
    if (rc != HF_OK)
        return rc;
    if (outlet->put_count == outlet->put_room) {
        outlet->put_room = outlet->put_room ? 2 * outlet->put_room : 8;
        outlet->puts = hf_realloc_array(outlet->puts, outlet->put_room, sizeof(*outlet->puts));
    }
    outlet->puts[outlet->put_count++] = put;
    outlet->open = true;
    return HF_OK;
}

static int serve(struct outlet *outlet, struct hf_ctx *ctx, const struct item *item)
{
    const struct hf_sink *ops = &outlet->sink->loaded->sink;
    void *put;
    int rc = HF_OK;

    if (item->kind == ITEM_BEGIN)
        return put_begin(outlet, ctx, item);
    put = outlet->puts[outlet->put_count - 1];
    hf_instance_enter(outlet->sink, ctx);
    if (item->kind == ITEM_DATA) {
        struct hf_block block = {.size = sizeof(block), .data = item->buffer->data, .used = item->buffer->used};

        rc = ops->put_write(put, ctx, &block);
    } else {
        if (ops->put_prepare != NULL)
            rc = ops->put_prepare(put, ctx);
        outlet->open = false;
    }
    return hf_instance_leave(outlet->sink, ctx, rc);
}

void hf_fanout_drop(struct hf_fanout *fanout, size_t sink, struct hf_ctx *ctx)
{
    struct outlet *outlet = &fanout->outlets[sink];

    pthread_mutex_lock(&fanout->lock);
    outlet->dropped = true;
    hf_error_merge(&outlet->error, &ctx->error);
    pthread_cond_broadcast(&fanout->changed);
    pthread_mutex_unlock(&fanout->lock);
}

static struct item *next_item(struct outlet *outlet)
{
    struct hf_fanout *fanout = outlet->fanout;
    struct item *item = NULL;

    pthread_mutex_lock(&fanout->lock);
    while (outlet->first == NULL && !stopped(fanout))
        wait_changed(fanout);
    if (!stopped(fanout)) {
        item = outlet->first;
        outlet->first = item->next;
        if (outlet->first == NULL)
            outlet->last = NULL;
        outlet->busy = true;
    }
    pthread_mutex_unlock(&fanout->lock);
    return item;
}

static void *outlet_run(void *arg)
{
    struct outlet *outlet = arg;
    struct hf_fanout *fanout = outlet->fanout;
    struct hf_ctx ctx = make_ctx(fanout);
    struct item *item;

    while ((item = next_item(outlet)) != NULL) {
        size_t bytes = item->kind == ITEM_DATA ? item->buffer->used : 0;
        int rc = serve(outlet, &ctx, item);

        item_free(item);
        if (rc != HF_OK) {
            hf_fanout_drop(fanout, (size_t)(outlet - fanout->outlets), &ctx);
            abort_puts(outlet);
            discard_queue(outlet);
        }
        pthread_mutex_lock(&fanout->lock);
        outlet->busy = false;
        outlet->backlog -= rc == HF_OK ? bytes : 0;
        pthread_cond_broadcast(&fanout->changed);
        pthread_mutex_unlock(&fanout->lock);
        if (rc != HF_OK)
            break;
    }
    hf_error_clear(&ctx.error);
    return NULL;
}

struct hf_fanout *hf_fanout_new(struct hf_services *services, struct hf_cancel *cancel, struct hf_instance *const *sinks,
                                size_t count)
{
    struct hf_fanout *fanout = hf_alloc(sizeof(*fanout));
    pthread_condattr_t attr;

    fanout->services = services;
    fanout->cancel = cancel;
    fanout->count = count;
    fanout->outlets = hf_alloc_array(count, sizeof(*fanout->outlets));
    pthread_mutex_init(&fanout->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&fanout->changed, &attr);
    pthread_condattr_destroy(&attr);
    for (size_t i = 0; i < count; i++) {
        struct outlet *outlet = &fanout->outlets[i];
        struct hf_ctx ctx = make_ctx(fanout);

        outlet->fanout = fanout;
        outlet->sink = sinks[i];
        outlet->started = hf_thread_start(&ctx, &outlet->thread, outlet_run, outlet) == HF_OK;
        if (!outlet->started) {
            hf_wrap(&ctx, "%s", outlet->sink->who);
            hf_fanout_drop(fanout, i, &ctx);
        }
    }
    return fanout;
}

void hf_fanout_stop(struct hf_fanout *fanout)
{
    pthread_mutex_lock(&fanout->lock);
    fanout->closing = true;
    pthread_cond_broadcast(&fanout->changed);
    pthread_mutex_unlock(&fanout->lock);
    for (size_t i = 0; i < fanout->count; i++) {
        struct outlet *outlet = &fanout->outlets[i];

        if (outlet->started)
            pthread_join(outlet->thread, NULL);
        outlet->started = false;
        abort_puts(outlet);
        discard_queue(outlet);
    }
}

void hf_fanout_free(struct hf_fanout *fanout)
{
    if (fanout == NULL)
        return;
    hf_fanout_stop(fanout);
    for (size_t i = 0; i < fanout->count; i++) {
        free(fanout->outlets[i].puts);
        hf_error_clear(&fanout->outlets[i].error);
    }
    pthread_cond_destroy(&fanout->changed);
    pthread_mutex_destroy(&fanout->lock);
    free(fanout->outlets);
    free(fanout);
}

/* With the lock held: a failure that ends the run, put into the ctx. */
static int check_required(struct hf_fanout *fanout, struct hf_ctx *ctx)
{
    size_t alive = 0;

    for (size_t i = 0; i < fanout->count; i++) {
        struct outlet *outlet = &fanout->outlets[i];

        alive += !outlet->dropped;
        if (outlet->dropped && outlet->sink->required) {
            hf_fail(ctx, outlet->error.code, "%s", outlet->error.text);
            if (outlet->error.hint != NULL)
                hf_hint(ctx, "%s", outlet->error.hint);
            return outlet->error.code;
        }
    }
    if (hf_cancel_raised(fanout->cancel))
        return HF_E_CANCELLED;
    if (alive > 0)
        return HF_OK;
    hf_fail(ctx, fanout->outlets[0].error.code, "every sink failed; the first: %s", fanout->outlets[0].error.text);
    if (fanout->outlets[0].error.hint != NULL)
        hf_hint(ctx, "%s", fanout->outlets[0].error.hint);
    return fanout->outlets[0].error.code;
}

/* With the lock held: whether every live outlet has room (or, with `idle`, nothing left to do). */
static bool outlets_ready(const struct hf_fanout *fanout, bool idle)
{
    for (size_t i = 0; i < fanout->count; i++) {
        const struct outlet *outlet = &fanout->outlets[i];

        /* A dropped one is busy until it has let go of what it was given. */
        if (idle ? outlet->first != NULL || outlet->busy : !outlet->dropped && outlet->backlog >= HF_BACKLOG_MAX)
            return false;
    }
    return true;
}

static void queue_item(struct outlet *outlet, struct item *item)
{
    if (outlet->last != NULL)
        outlet->last->next = item;
    else
        outlet->first = item;
    outlet->last = item;
    if (item->kind == ITEM_DATA)
        outlet->backlog += item->buffer->used;
}

static int queue_for_all(struct hf_fanout *fanout, struct hf_ctx *ctx, enum item_kind kind, struct hf_buffer *buffer,
                         const struct hf_put_request *request)
{
    int rc;

    pthread_mutex_lock(&fanout->lock);
    while ((rc = check_required(fanout, ctx)) == HF_OK && !outlets_ready(fanout, false))
        wait_changed(fanout);
    for (size_t i = 0; rc == HF_OK && i < fanout->count; i++) {
        struct item *item;

        if (fanout->outlets[i].dropped)
            continue;
        item = hf_alloc(sizeof(*item));
        item->kind = kind;
        item->buffer = buffer ? hf_buffer_ref(buffer) : NULL;
        if (request != NULL) {
            item->key = hf_strdup(request->key);
            item->media = hf_strdup(request->media);
            item->owner = hf_strdup(request->owner);
        }
        queue_item(&fanout->outlets[i], item);
    }
    pthread_cond_broadcast(&fanout->changed);
    pthread_mutex_unlock(&fanout->lock);
    return rc;
}

int hf_fanout_begin(struct hf_fanout *fanout, struct hf_ctx *ctx, const struct hf_put_request *request)
{
    return queue_for_all(fanout, ctx, ITEM_BEGIN, NULL, request);
}

int hf_fanout_write(struct hf_fanout *fanout, struct hf_ctx *ctx, struct hf_buffer *buffer)
{
    return queue_for_all(fanout, ctx, ITEM_DATA, buffer, NULL);
}

int hf_fanout_end(struct hf_fanout *fanout, struct hf_ctx *ctx)
{
    return queue_for_all(fanout, ctx, ITEM_END, NULL, NULL);
}

int hf_fanout_finish(struct hf_fanout *fanout, struct hf_ctx *ctx)
{
    int rc;

    pthread_mutex_lock(&fanout->lock);
    while ((rc = check_required(fanout, ctx)) == HF_OK && !outlets_ready(fanout, true))
        wait_changed(fanout);
    pthread_mutex_unlock(&fanout->lock);
    return rc;
}

int hf_fanout_commit(struct hf_fanout *fanout, struct hf_ctx *ctx, size_t sink)
{
    struct outlet *outlet = &fanout->outlets[sink];
    size_t done = 0;
    int rc = HF_OK;

    while (rc == HF_OK && done < outlet->put_count) {
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
    struct outlet *outlet = &fanout->outlets[sink];
    bool dropped;

    pthread_mutex_lock(&fanout->lock);
    dropped = outlet->dropped;
    pthread_mutex_unlock(&fanout->lock);
    return dropped ? &outlet->error : NULL;
}
