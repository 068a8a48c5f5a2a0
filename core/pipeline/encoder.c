/* SPDX-License-Identifier: Apache-2.0
 *
 * The workers that encode blocks. Each takes the oldest block waiting, whatever part it belongs to.
 */
#include "pipeline/line.h"

#include "base/memory.h"

#include <string.h>

static struct hf_pack *next_pack(struct hf_line *line)
{
    struct hf_pack *pack;

    pthread_mutex_lock(&line->lock);
    while (line->queue_first == NULL && !line->closed && !hf_line_stopped(line))
        hf_line_wait(line);
    pack = hf_line_stopped(line) ? NULL : line->queue_first;
    if (pack != NULL) {
        line->queue_first = pack->queue_next;
        if (line->queue_first == NULL)
            line->queue_last = NULL;
    }
    pthread_mutex_unlock(&line->lock);
    return pack;
}

/* Moves the encoded bytes into counted pieces, so that the scratch space can be used again. */
static int keep(struct hf_line *line, struct hf_ctx *ctx, struct hf_pack *pack, const unsigned char *data, size_t size)
{
    size_t count = (size + HF_CHUNK_SIZE - 1) / HF_CHUNK_SIZE;

    pack->stored = hf_alloc_array(count + 1, sizeof(*pack->stored));
    pack->stored_size = size;
    for (size_t i = 0; i < count; i++) {
        bool nomem;
        struct hf_buffer *chunk = hf_pool_take(line->chunk_pool, 0, &nomem);
        size_t piece = size < HF_CHUNK_SIZE ? size : HF_CHUNK_SIZE;

        if (chunk == NULL)
            return hf_fail(ctx, HF_E_NOMEM, "allocate an encoded block: out of memory");
        memcpy(chunk->data, data, piece);
        chunk->used = piece;
        pack->stored[pack->stored_count++] = chunk;
        data += piece;
        size -= piece;
    }
    return HF_OK;
}

static int encode(struct hf_line *line, struct hf_ctx *ctx, void *worker, struct hf_pack *pack, unsigned char *scratch,
                  size_t room)
{
    struct hf_instance *stage = line->stage;
    size_t size = room;
    int rc;

    hf_instance_enter(stage, ctx);
    rc = stage->loaded->stage.encode_block(worker, ctx, pack->raw->data, pack->raw->used, scratch, &size, &pack->tag);
    rc = hf_instance_leave(stage, ctx, rc);
    if (rc == HF_OK && size > room)
        rc = hf_fail(ctx, HF_E_FAIL, "%s: a block became larger than its bound", stage->who);
    if (rc == HF_OK)
        rc = keep(line, ctx, pack, scratch, size);
    return rc;
}

void *hf_encoder_run(void *arg)
{
    struct hf_line *line = arg;
    struct hf_ctx ctx = hf_line_ctx(line);
    const struct hf_stage *ops = &line->stage->loaded->stage;
    hf_auto_free unsigned char *scratch = NULL;
    struct hf_pack *pack;
    void *worker = NULL;
    size_t room;
    int rc;

    hf_instance_hold(line->stage);
    room = ops->block_bound(line->stage->self, ops->block_size);
    hf_instance_release(line->stage);
    scratch = malloc(room);
    if (scratch == NULL)
        rc = hf_fail(&ctx, HF_E_NOMEM, "allocate %zu bytes for encoding: out of memory", room);
    else {
        hf_instance_enter(line->stage, &ctx);
        rc = hf_instance_leave(line->stage, &ctx, ops->worker_open(line->stage->self, &ctx, &worker));
    }
    while (rc == HF_OK && (pack = next_pack(line)) != NULL) {
        rc = encode(line, &ctx, worker, pack, scratch, room);
        if (rc == HF_OK) {
            pthread_mutex_lock(&line->lock);
            pack->ready = true;
            pthread_cond_broadcast(&line->changed);
            pthread_mutex_unlock(&line->lock);
        }
    }
    if (rc != HF_OK)
        hf_line_fail(line, &ctx);
    if (worker != NULL) {
        hf_instance_hold(line->stage);
        ops->worker_close(worker);
        hf_instance_release(line->stage);
    }
    hf_error_clear(&ctx.error);
    return NULL;
}
