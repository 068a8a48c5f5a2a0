/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/memory_codec.h"

#include "pipeline/layers.h"
#include "pipeline/pull.h"

static int collect(void *arg, struct hf_buffer *buffer)
{
    hf_text_add_bytes(arg, buffer->data, buffer->used);
    return HF_OK;
}

int hf_memory_encode(struct hf_ctx *ctx, struct hf_instance *stage, const void *data, size_t size, struct hf_text *out)
{
    struct hf_layers *layers = hf_layers_new(&stage, 1);
    int rc = hf_layers_begin(layers, ctx, collect, out);

    if (rc == HF_OK)
        rc = hf_layers_write(layers, ctx, data, size);
    if (rc == HF_OK)
        rc = hf_layers_end(layers, ctx);
    hf_layers_free(layers, false);
    return rc;
}

int hf_memory_decode(struct hf_ctx *ctx, struct hf_instance *stage, const void *data, size_t size, size_t max_bytes,
                     const char *subject, struct hf_text *out)
{
    char piece[16 * 1024];
    struct hf_pull *pull = NULL;
    int rc = hf_pull_decode(ctx, stage, HF_DECODE_OBJECT, hf_pull_memory(data, size), subject, &pull);
    int64_t got = 1;

    while (rc == HF_OK && got > 0) {
        got = hf_pull_read(pull, ctx, piece, sizeof(piece));
        if (got > 0 && (uint64_t)got > max_bytes - out->length)
            rc = hf_fail(ctx, HF_E_CORRUPT, "%s decodes to more than %zu bytes", subject, max_bytes);
        else if (got > 0)
            hf_text_add_bytes(out, piece, (size_t)got);
    }
    hf_pull_free(pull);
    return rc != HF_OK ? rc : got < 0 ? (int)got : HF_OK;
}
