/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting threads, and waiting for each other.
 */
#ifndef HF_BASE_THREAD_H
#define HF_BASE_THREAD_H

#include "base/error.h"
#include <pthread.h>

/* As pthread_create. A failure is HF_E_FAIL: a machine at its limits is neither locked nor out of reach, whatever errno
 * says. */
int hf_thread_start(struct hf_ctx *, pthread_t *ret_thread, void *(*body)(void *), void *arg);

/* For hf_cond_wait. */
void hf_cond_init(pthread_cond_t *);
/* With the lock held: waits for a change, a quarter of a second at most, since a signal to the process changes nothing
 * here. */
void hf_cond_wait(pthread_cond_t *, pthread_mutex_t *lock);

#endif
