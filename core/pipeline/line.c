/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/line.h"

#include "base/cancel.h"
#include "base/memory.h"
#include "base/thread.h"

#include <string.h>
#include <time.h>

static void wake(void *arg)
{
    struct hf_line *line = arg;

    pthread_mutex_lock(&line->lock);
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->lock);
}

int hf_line_init(struct hf_line *line, struct hf_ctx *ctx, size_t raw_blocks, size_t block_size)
{

    (void)ctx;
    pthread_mutex_init(&line->lock, NULL);
    pthread_mutex_init(&line->listing, NULL);
    hf_cond_init(&line->changed);
    line->raw_pool = hf_pool_new(block_size, raw_blocks);
    line->chunk_pool = hf_pool_new(HF_CHUNK_SIZE, 0);
    hf_pool_on_return(line->raw_pool, wake, line);
    return HF_OK;
}

void hf_pack_free(struct hf_pack *pack)
{
    hf_buffer_unref(pack->raw);
    for (size_t i = 0; i < pack->stored_count; i++)
        hf_buffer_unref(pack->stored[i]);
    free(pack->stored);
    free(pack);
}

void hf_line_clear(struct hf_line *line, bool leave)
{
    while (line->head != NULL) {
        struct hf_slot *slot = line->head;

        line->head = slot->next;
        while (slot->first != NULL) {
            struct hf_pack *pack = slot->first;

            slot->first = pack->next;
            hf_pack_free(pack);
        }
        free(slot);
    }
    (leave ? hf_pool_leave : hf_pool_free)(line->raw_pool);
    (leave ? hf_pool_leave : hf_pool_free)(line->chunk_pool);
    pthread_cond_destroy(&line->changed);
    pthread_mutex_destroy(&line->listing);
    pthread_mutex_destroy(&line->lock);
    hf_error_clear(&line->error);
}

void hf_line_fail(struct hf_line *line, struct hf_ctx *ctx)
{
    pthread_mutex_lock(&line->lock);
    /* What only says that it was stopped is no cause. */
    if (ctx->error.code == HF_E_CANCELLED && line->stopped)
        hf_error_clear(&ctx->error);
    else
        hf_error_merge(&line->error, &ctx->error);
    line->stopped = true;
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->lock);
    hf_cancel_raise(line->cancel, HF_CANCEL_FAILURE);
}

bool hf_line_stopped(struct hf_line *line)
{
    return line->stopped || hf_cancel_raised(line->cancel);
}

void hf_line_wait(struct hf_line *line)
{
    hf_cond_wait(&line->changed, &line->lock);
}

struct hf_ctx hf_line_ctx(struct hf_line *line)
{
    return (struct hf_ctx){.cancel = line->cancel, .services = line->services};
}
