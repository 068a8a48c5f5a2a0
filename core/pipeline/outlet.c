/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/outlet.h"

#include "base/memory.h"
#include "base/thread.h"
#include "base/time.h"

#include <string.h>
#include <time.h>

enum { GRACE_MS = 2000 }; /* for a sink that is told to stop: plugins look once a second */

static struct hf_ctx make_ctx(struct hf_outlet *outlet)
{
    return (struct hf_ctx){.cancel = &outlet->cancel, .services = &outlet->services};
}

static void item_free(struct hf_item *item)
{
    hf_buffer_unref(item->buffer);
    free(item->key);
    free(item->media);
    free(item->owner);
    free(item);
}

/* With the lock held, but for the time in which buffers go back: that wakes whom they were taken from. */
static void discard_queue(struct hf_outlet *outlet)
{
    struct hf_item *item = outlet->first;

    outlet->first = outlet->last = NULL;
    outlet->backlog = 0;
    pthread_cond_broadcast(outlet->changed);
    pthread_mutex_unlock(outlet->lock);
    while (item != NULL) {
        struct hf_item *next = item->next;

        item_free(item);
        item = next;
    }
    pthread_mutex_lock(outlet->lock);
}

static void abort_puts(struct hf_outlet *outlet)
{
    struct hf_ctx ctx = make_ctx(outlet);

    for (size_t i = outlet->put_count; i-- > 0;) {
        hf_instance_enter(outlet->sink, &ctx);
        outlet->sink->loaded->sink.put_abort(outlet->puts[i], &ctx);
        (void)hf_instance_leave(outlet->sink, &ctx, HF_OK);
    }
    outlet->put_count = 0;
    outlet->open = false;
    hf_error_clear(&ctx.error);
}

static int put_begin(struct hf_outlet *outlet, struct hf_ctx *ctx, const struct hf_item *item)
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

static int serve(struct hf_outlet *outlet, struct hf_ctx *ctx, const struct hf_item *item)
{
    const struct hf_sink *ops = &outlet->sink->loaded->sink;
    void *put;
    int rc = HF_OK;

    if (item->kind == HF_ITEM_BEGIN)
        return put_begin(outlet, ctx, item);
    put = outlet->puts[outlet->put_count - 1];
    hf_instance_enter(outlet->sink, ctx);
    if (item->kind == HF_ITEM_DATA) {
        struct hf_block block = {.size = sizeof(block), .data = item->buffer->data, .used = item->buffer->used};

        rc = ops->put_write(put, ctx, &block);
    } else {
        if (ops->put_prepare != NULL)
            rc = ops->put_prepare(put, ctx);
        outlet->open = false;
    }
    return hf_instance_leave(outlet->sink, ctx, rc);
}

static bool is_over(const struct hf_outlet *outlet)
{
    return outlet->closing || outlet->dropped || hf_cancel_raised(&outlet->cancel);
}

/* With the lock held. NULL: there is nothing more to do. */
static struct hf_item *next_item(struct hf_outlet *outlet)
{
    struct hf_item *item;

    while (outlet->first == NULL && !is_over(outlet))
        hf_cond_wait(outlet->changed, outlet->lock);
    if (is_over(outlet))
        return NULL;
    item = outlet->first;
    outlet->first = item->next;
    if (outlet->first == NULL)
        outlet->last = NULL;
    return item;
}

static void *run(void *arg)
{
    struct hf_outlet *outlet = arg;
    struct hf_ctx ctx = make_ctx(outlet);
    struct hf_item *item;

    pthread_mutex_lock(outlet->lock);
    while ((item = next_item(outlet)) != NULL) {
        size_t bytes = item->kind == HF_ITEM_DATA ? item->buffer->used : 0;
        int rc;

        outlet->busy = true;
        pthread_mutex_unlock(outlet->lock);
        rc = serve(outlet, &ctx, item);
        item_free(item);
        pthread_mutex_lock(outlet->lock);
        if (rc != HF_OK)
            hf_outlet_drop(outlet, &ctx);
        outlet->backlog -= bytes <= outlet->backlog ? bytes : outlet->backlog;
        outlet->busy = outlet->dropped; /* then it has yet to let go */
        pthread_cond_broadcast(outlet->changed);
    }
    if (outlet->dropped && !outlet->forsaken) {
        outlet->busy = true;
        pthread_mutex_unlock(outlet->lock);
        abort_puts(outlet);
        pthread_mutex_lock(outlet->lock);
        discard_queue(outlet);
    }
    outlet->busy = false;
    outlet->ended = true;
    pthread_cond_broadcast(outlet->changed);
    pthread_mutex_unlock(outlet->lock);
    hf_error_clear(&ctx.error);
    return NULL;
}

int hf_outlet_start(struct hf_outlet *outlet, struct hf_ctx *ctx, const struct hf_cancel *cancel,
                    const struct hf_services *services)
{
    int rc;

    hf_services_init(&outlet->services, services->temp_root);
    outlet->services.profile = services->profile;
    rc = hf_cancel_init_below(&outlet->cancel, ctx, cancel);
    if (rc == HF_OK)
        rc = hf_thread_start(ctx, &outlet->thread, run, outlet);
    outlet->started = rc == HF_OK;
    if (rc == HF_OK)
        return HF_OK;
    outlet->ended = true;
    return hf_wrap(ctx, "%s", outlet->sink->who);
}

void hf_outlet_queue(struct hf_outlet *outlet, enum hf_item_kind kind, struct hf_buffer *buffer,
                     const struct hf_put_request *request)
{
    struct hf_item *item = hf_alloc(sizeof(*item));

    item->kind = kind;
    item->buffer = buffer ? hf_buffer_ref(buffer) : NULL;
    if (request != NULL) {
        item->key = hf_strdup(request->key);
        item->media = hf_strdup(request->media);
        item->owner = hf_strdup(request->owner);
    }
    if (outlet->last != NULL)
        outlet->last->next = item;
    else
        outlet->first = item;
    outlet->last = item;
    outlet->backlog += buffer ? buffer->used : 0;
}

void hf_outlet_drop(struct hf_outlet *outlet, struct hf_ctx *ctx)
{
    outlet->dropped = true;
    hf_error_merge(&outlet->error, &ctx->error);
    pthread_cond_broadcast(outlet->changed);
}

void hf_outlet_watch(struct hf_outlet *outlet)
{
    struct hf_ctx ctx = {0};

    if (outlet->stalled || (outlet->dropped && !outlet->busy) || !hf_instance_stalled(outlet->sink))
        return;
    hf_instance_fail_stalled(outlet->sink, &ctx);
    hf_outlet_drop(outlet, &ctx);
    hf_error_clear(&ctx.error);
    outlet->stalled = true;
    atomic_store(&outlet->sink->given_up, true);
    hf_cancel_raise(&outlet->cancel, HF_CANCEL_FAILURE);
    discard_queue(outlet);
}

bool hf_outlet_end(struct hf_outlet *outlet)
{
    int64_t until = 0;

    outlet->closing = true;
    pthread_cond_broadcast(outlet->changed);
    while (!outlet->ended) {
        hf_outlet_watch(outlet);
        if (outlet->stalled && until == 0)
            until = hf_time_steady_ms() + GRACE_MS;
        if (outlet->stalled && hf_time_steady_ms() > until) {
            atomic_store(&outlet->sink->lost, true);
            pthread_detach(outlet->thread);
            return false;
        }
        hf_cond_wait(outlet->changed, outlet->lock);
    }
    return true;
}

void hf_outlet_clear(struct hf_outlet *outlet)
{
    if (outlet->started)
        pthread_join(outlet->thread, NULL);
    outlet->started = false;
    if (!outlet->forsaken)
        abort_puts(outlet);
    pthread_mutex_lock(outlet->lock);
    discard_queue(outlet);
    pthread_mutex_unlock(outlet->lock);
}
