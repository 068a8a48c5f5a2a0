/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/buffer.h"

#include "base/memory.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>

struct hf_pool {
    pthread_mutex_t lock; /* guards free, made, out, waking, left */
    struct hf_buffer *free;
    size_t made, out;
    size_t buffer_size, limit;
    void (*wake)(void *);
    void *wake_arg;
    size_t waking; /* calls of wake() going on */
    bool left;     /* the last buffer that comes back takes the pool with it */
};

struct hf_pool *hf_pool_new(size_t buffer_size, size_t limit)
{
    struct hf_pool *pool = hf_alloc(sizeof(*pool));

    pthread_mutex_init(&pool->lock, NULL);
    pool->buffer_size = buffer_size;
    pool->limit = limit;
    return pool;
}

static void destroy(struct hf_pool *pool)
{
    while (pool->free != NULL) {
        struct hf_buffer *buffer = pool->free;

        pool->free = buffer->next;
        free(buffer->data);
        free(buffer);
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

void hf_pool_free(struct hf_pool *pool)
{
    if (pool == NULL)
        return;
    assert(pool->out == 0);
    destroy(pool);
}

void hf_pool_leave(struct hf_pool *pool)
{
    bool last;

    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->left = true;
    pool->wake = NULL;
    while (pool->waking > 0) { /* whom it wakes must still be there */
        pthread_mutex_unlock(&pool->lock);
        sched_yield();
        pthread_mutex_lock(&pool->lock);
    }
    last = pool->out == 0;
    pthread_mutex_unlock(&pool->lock);
    if (last)
        destroy(pool);
}

void hf_pool_on_return(struct hf_pool *pool, void (*wake)(void *), void *arg)
{
    pool->wake = wake;
    pool->wake_arg = arg;
}

static struct hf_buffer *buffer_new(struct hf_pool *pool)
{
    struct hf_buffer *buffer = calloc(1, sizeof(*buffer));

    if (buffer != NULL && (buffer->data = malloc(pool->buffer_size)) == NULL) {
        free(buffer);
        return NULL;
    }
    if (buffer != NULL) {
        buffer->room = pool->buffer_size;
        buffer->pool = pool;
    }
    return buffer;
}

struct hf_buffer *hf_pool_take(struct hf_pool *pool, size_t leave, bool *ret_nomem)
{
    struct hf_buffer *buffer = NULL;

    *ret_nomem = false;
    pthread_mutex_lock(&pool->lock);
    if (pool->limit == 0 || pool->limit - pool->out > leave) {
        if (pool->free != NULL) {
            buffer = pool->free;
            pool->free = buffer->next;
        } else {
            buffer = buffer_new(pool);
            *ret_nomem = buffer == NULL;
            pool->made += buffer != NULL;
        }
        pool->out += buffer != NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    if (buffer != NULL) {
        buffer->used = 0;
        buffer->next = NULL;
        atomic_store(&buffer->references, 1);
    }
    return buffer;
}

struct hf_buffer *hf_buffer_ref(struct hf_buffer *buffer)
{
    atomic_fetch_add(&buffer->references, 1);
    return buffer;
}

void hf_buffer_unref(struct hf_buffer *buffer)
{
    struct hf_pool *pool;
    void (*wake)(void *);
    void *wake_arg;
    bool last;

    if (buffer == NULL || atomic_fetch_sub(&buffer->references, 1) != 1)
        return;
    pool = buffer->pool;
    pthread_mutex_lock(&pool->lock);
    buffer->next = pool->free;
    pool->free = buffer;
    assert(pool->out > 0);
    pool->out--;
    last = pool->left && pool->out == 0;
    wake = pool->wake;
    wake_arg = pool->wake_arg;
    pool->waking += wake != NULL;
    pthread_mutex_unlock(&pool->lock);
    if (wake != NULL) {
        wake(wake_arg);
        pthread_mutex_lock(&pool->lock);
        pool->waking--;
        pthread_mutex_unlock(&pool->lock);
    }
    if (last)
        destroy(pool);
}
