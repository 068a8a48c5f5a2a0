/* SPDX-License-Identifier: Apache-2.0
 *
 * Counted buffers: what flows through the pipeline. A buffer is written by one owner, then only read; the last one to let go
 * puts it back into its pool, so that memory is bounded by what is in flight.
 */
#ifndef HF_PIPELINE_BUFFER_H
#define HF_PIPELINE_BUFFER_H

#include "base/error.h"
#include <pthread.h>
#include <stdatomic.h>

struct hf_pool;

struct hf_buffer {
    unsigned char *data;
    size_t room, used;
    atomic_int references;
    struct hf_pool *pool;
    struct hf_buffer *next; /* in the pool's list of free ones */
};

/* A pool of buffers of one size. `limit`: how many there may be; 0: as many as are asked for. */
struct hf_pool *hf_pool_new(size_t buffer_size, size_t limit);
void hf_pool_free(struct hf_pool *); /* asserts that every buffer came back */
/* Frees it as soon as every buffer has come back, which may be never: somebody who has one does not answer. */
void hf_pool_leave(struct hf_pool *);

/* Called whenever a buffer comes back, with no lock held. */
void hf_pool_on_return(struct hf_pool *, void (*wake)(void *), void *arg);

/* Never waits. NULL with *ret_nomem false: the limit is reached, or fewer than `leave` would be left. */
struct hf_buffer *hf_pool_take(struct hf_pool *, size_t leave, bool *ret_nomem);

struct hf_buffer *hf_buffer_ref(struct hf_buffer *);
void hf_buffer_unref(struct hf_buffer *); /* NULL is fine */

#endif
