/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

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
