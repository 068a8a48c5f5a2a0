/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/belt.h"

#include "base/cancel.h"
#include "base/memory.h"
#include "base/thread.h"

struct item {
    struct item *next;
    struct hf_buffer *buffer;
};

struct hf_belt {
    struct hf_line *line;
    hf_belt_fn *work;
    void *arg;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t filled, emptied;
    struct item *first, *last;
    size_t bytes; /* not worked on yet; those of the buffer that is being worked on count */
    bool ending, failed;
};

/* With the lock held: true when nothing on it matters any more. */
static bool over(const struct hf_belt *self)
{
    return self->failed || self->ending || hf_cancel_raised(self->line->cancel);
}

static struct item *take(struct hf_belt *self)
{
    struct item *item;

    pthread_mutex_lock(&self->lock);
    while (self->first == NULL && !over(self))
        hf_cond_wait(&self->filled, &self->lock);
    item = over(self) ? NULL : self->first;
    if (item != NULL)
        self->first = item->next;
    if (self->first == NULL)
        self->last = NULL;
    pthread_mutex_unlock(&self->lock);
    return item;
}

/* The one who puts is woken when half of it is free, not for every buffer. */
static void done(struct hf_belt *self, size_t bytes)
{
    size_t before;

    pthread_mutex_lock(&self->lock);
    before = self->bytes;
    self->bytes -= bytes;
    if (self->bytes == 0 || (before > HF_BELT_BYTES / 2 && self->bytes <= HF_BELT_BYTES / 2))
        pthread_cond_signal(&self->emptied);
    pthread_mutex_unlock(&self->lock);
}

static void *run(void *arg)
{
    struct hf_belt *self = arg;
    struct hf_ctx ctx = hf_line_ctx(self->line);
    struct item *item;
    int rc = HF_OK;

    while (rc >= 0 && (item = take(self)) != NULL) {
        size_t bytes = item->buffer->used;

        rc = self->work(self->arg, &ctx, item->buffer);
        hf_buffer_unref(item->buffer);
        free(item);
        if (rc >= 0)
            done(self, bytes);
    }
    if (rc < 0) {
        hf_line_fail(self->line, &ctx);
        pthread_mutex_lock(&self->lock);
        self->failed = true;
        pthread_cond_signal(&self->emptied);
        pthread_mutex_unlock(&self->lock);
    }
    hf_error_clear(&ctx.error);
    return NULL;
}

int hf_belt_start(struct hf_ctx *ctx, struct hf_line *line, hf_belt_fn *work, void *arg, struct hf_belt **ret_belt)
{
    struct hf_belt *self = hf_alloc(sizeof(*self));
    int rc;

    self->line = line;
    self->work = work;
    self->arg = arg;
    pthread_mutex_init(&self->lock, NULL);
    hf_cond_init(&self->filled);
    hf_cond_init(&self->emptied);
    rc = hf_thread_start(ctx, &self->thread, run, self);
    if (rc != HF_OK) {
        pthread_cond_destroy(&self->filled);
        pthread_cond_destroy(&self->emptied);
        pthread_mutex_destroy(&self->lock);
        free(self);
        return rc;
    }
    *ret_belt = self;
    return HF_OK;
}

int hf_belt_put(struct hf_belt *self, struct hf_buffer *buffer)
{
    struct item *item = hf_alloc(sizeof(*item));
    bool stopped;

    item->buffer = hf_buffer_ref(buffer);
    pthread_mutex_lock(&self->lock);
    while (self->bytes >= HF_BELT_BYTES && !over(self))
        hf_cond_wait(&self->emptied, &self->lock);
    stopped = over(self);
    if (!stopped) {
        if (self->last != NULL)
            self->last->next = item;
        else
            self->first = item;
        self->last = item;
        self->bytes += buffer->used;
        pthread_cond_signal(&self->filled);
    }
    pthread_mutex_unlock(&self->lock);
    if (!stopped)
        return HF_OK;
    hf_buffer_unref(item->buffer);
    free(item);
    return HF_E_CANCELLED;
}

int hf_belt_drain(struct hf_belt *self)
{
    bool stopped;

    pthread_mutex_lock(&self->lock);
    while (self->bytes > 0 && !over(self))
        hf_cond_wait(&self->emptied, &self->lock);
    stopped = over(self);
    pthread_mutex_unlock(&self->lock);
    return stopped ? HF_E_CANCELLED : HF_OK;
}

void hf_belt_end(struct hf_belt *self)
{
    if (self == NULL)
        return;
    pthread_mutex_lock(&self->lock);
    self->ending = true;
    pthread_cond_broadcast(&self->filled);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    while (self->first != NULL) {
        struct item *item = self->first;

        self->first = item->next;
        hf_buffer_unref(item->buffer);
        free(item);
    }
    pthread_cond_destroy(&self->filled);
    pthread_cond_destroy(&self->emptied);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
