/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting threads.
 */
#ifndef HF_BASE_THREAD_H
#define HF_BASE_THREAD_H

#include "base/error.h"
#include <pthread.h>

/* As pthread_create. A failure is HF_E_FAIL: a machine at its limits is neither locked nor out of reach, whatever errno
 * says. */
int hf_thread_start(struct hf_ctx *, pthread_t *ret_thread, void *(*body)(void *), void *arg);

#endif
