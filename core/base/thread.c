/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <time.h>

int hf_thread_start(struct hf_ctx *ctx, pthread_t *ret_thread, void *(*body)(void *), void *arg)
{
    int failure = pthread_create(ret_thread, NULL, body, arg);
    if (failure == 0)
        return HF_OK;
    hf_fail_errno(ctx, failure, "start a thread");
    ctx->error.code = HF_E_FAIL;
    hf_hint(ctx, "look at the limits on processes and memory, e.g. with: ulimit -u -v");
    return HF_E_FAIL;
}

void hf_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

void hf_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 250 * 1000 * 1000;
    if (until.tv_nsec >= 1000 * 1000 * 1000) {
        until.tv_nsec -= 1000 * 1000 * 1000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(cond, lock, &until);
}
