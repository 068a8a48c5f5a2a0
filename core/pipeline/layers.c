/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/layers.h"

#include "base/memory.h"

#include <string.h>

enum { FRAME_ROOM = 64 * 1024 }; /* for headers and trailers, as stage.h promises */

struct layer {
    struct hf_instance *stage;
    struct hf_pool *pool;
    void *frame;
    unsigned char *chunk; /* waits until it is known whether it is the last */
    size_t used;
    uint64_t index;
};

struct hf_layers {
    struct layer *items;
    size_t count;
    hf_lay_fn *lay;
    void *arg;
};

static int write_level(struct hf_layers *, struct hf_ctx *, size_t level, const unsigned char *data, size_t size);

struct hf_layers *hf_layers_new(struct hf_instance *const *stages, size_t count)
{
    struct hf_layers *self = count > 0 ? hf_alloc(sizeof(*self)) : NULL;

    if (self == NULL)
        return NULL;
    self->items = hf_alloc_array(count, sizeof(*self->items));
    self->count = count;
    for (size_t i = 0; i < count; i++) {
        struct layer *layer = &self->items[i];
        const struct hf_stage *ops = &stages[i]->loaded->stage;
        size_t bound;

        hf_instance_hold(stages[i]);
        bound = ops->block_bound(stages[i]->self, ops->block_size);
        hf_instance_release(stages[i]);
        layer->stage = stages[i];
        layer->pool = hf_pool_new(bound > FRAME_ROOM ? bound : FRAME_ROOM, 0);
    }
    return self;
}

void hf_layers_free(struct hf_layers *self, bool leave)
{
    if (self == NULL)
        return;
    hf_layers_abandon(self);
    for (size_t i = 0; i < self->count; i++) {
        (leave ? hf_pool_leave : hf_pool_free)(self->items[i].pool);
        free(self->items[i].chunk);
    }
    free(self->items);
    free(self);
}

void hf_layers_add_suffixes(const struct hf_layers *self, struct hf_text *text)
{
    for (size_t i = 0; self != NULL && i < self->count; i++)
        hf_text_add(text, self->items[i].stage->loaded->stage.suffix);
}

/* What a layer made goes to the next, or is laid down. */
static int emit(struct hf_layers *self, struct hf_ctx *ctx, size_t level, struct hf_buffer *buffer)
{
    if (buffer->used == 0)
        return HF_OK;
    if (level + 1 < self->count)
        return write_level(self, ctx, level + 1, buffer->data, buffer->used);
    return self->lay(self->arg, buffer);
}

static int take_buffer(struct layer *layer, struct hf_ctx *ctx, struct hf_buffer **ret_buffer)
{
    bool nomem;

    *ret_buffer = hf_pool_take(layer->pool, 0, &nomem);
    return *ret_buffer ? HF_OK : hf_fail(ctx, HF_E_NOMEM, "out of memory");
}

/* Encodes `size` bytes as the layer's next chunk. */
static int encode(struct hf_layers *self, struct hf_ctx *ctx, size_t level, const void *data, size_t size, bool last)
{
    struct layer *layer = &self->items[level];
    const struct hf_stage *ops = &layer->stage->loaded->stage;
    struct hf_buffer *buffer;
    int rc = take_buffer(layer, ctx, &buffer);

    if (rc != HF_OK)
        return rc;
    buffer->used = buffer->room;
    hf_instance_enter(layer->stage, ctx);
    rc = ops->encode_chunk(layer->frame, ctx, layer->index++, last, data, size, buffer->data, &buffer->used);
    rc = hf_instance_leave(layer->stage, ctx, rc);
    if (rc >= 0 && buffer->used > buffer->room)
        rc = hf_fail(ctx, HF_E_FAIL, "%s: a chunk became larger than its bound", layer->stage->who);
    if (rc >= 0)
        rc = emit(self, ctx, level, buffer);
    hf_buffer_unref(buffer);
    return rc < 0 ? rc : HF_OK;
}

static int write_level(struct hf_layers *self, struct hf_ctx *ctx, size_t level, const unsigned char *data, size_t size)
{
    struct layer *layer = &self->items[level];
    size_t full = layer->stage->loaded->stage.block_size;
    int rc = HF_OK;

    while (rc == HF_OK && size > 0) {
        size_t piece = full - layer->used;

        if (piece == 0) { /* there is more, so it was not the last */
            layer->used = 0;
            rc = encode(self, ctx, level, layer->chunk, full, false);
            continue;
        }
        if (layer->used == 0 && size > full) { /* straight from where it lies */
            rc = encode(self, ctx, level, data, full, false);
            piece = full;
        } else {
            piece = piece < size ? piece : size;
            memcpy(layer->chunk + layer->used, data, piece);
            layer->used += piece;
        }
        data += piece;
        size -= piece;
    }
    return rc;
}

/* What a stage puts around its chunks: `make` is its header or trailer. */
static int frame_piece(struct hf_layers *self, struct hf_ctx *ctx, size_t level,
                       int (*make)(void *, struct hf_ctx *, void *, size_t *), bool *ret_more)
{
    struct layer *layer = &self->items[level];
    struct hf_buffer *buffer;
    int rc = take_buffer(layer, ctx, &buffer);

    if (rc != HF_OK)
        return rc;
    buffer->used = buffer->room;
    hf_instance_enter(layer->stage, ctx);
    rc = hf_instance_leave(layer->stage, ctx, make(layer->frame, ctx, buffer->data, &buffer->used));
    *ret_more = rc == HF_OK;
    if (rc >= 0 && buffer->used > buffer->room)
        rc = hf_fail(ctx, HF_E_FAIL, "%s: wrote more than there was room", layer->stage->who);
    if (rc >= 0)
        rc = emit(self, ctx, level, buffer);
    hf_buffer_unref(buffer);
    return rc < 0 ? rc : HF_OK;
}

int hf_layers_begin(struct hf_layers *self, struct hf_ctx *ctx, hf_lay_fn *lay, void *arg)
{
    int rc = HF_OK;

    self->lay = lay;
    self->arg = arg;
    /* The outermost first: an inner header goes through it. */
    for (size_t level = self->count; rc == HF_OK && level-- > 0;) {
        struct layer *layer = &self->items[level];
        const struct hf_stage *ops = &layer->stage->loaded->stage;
        bool more;

        layer->used = 0;
        layer->index = 0;
        if (layer->chunk == NULL && (layer->chunk = malloc(ops->block_size)) == NULL)
            return hf_fail(ctx, HF_E_NOMEM, "out of memory");
        hf_instance_enter(layer->stage, ctx);
        rc = hf_instance_leave(layer->stage, ctx, ops->frame_open(layer->stage->self, ctx, &layer->frame));
        if (rc >= 0)
            rc = frame_piece(self, ctx, level, ops->header, &more);
    }
    return rc;
}

int hf_layers_write(struct hf_layers *self, struct hf_ctx *ctx, const void *data, size_t size)
{
    return write_level(self, ctx, 0, data, size);
}

int hf_layers_end(struct hf_layers *self, struct hf_ctx *ctx)
{
    int rc = HF_OK;

    for (size_t level = 0; rc == HF_OK && level < self->count; level++) {
        struct layer *layer = &self->items[level];
        bool more = true;

        rc = encode(self, ctx, level, layer->chunk, layer->used, true);
        while (rc == HF_OK && more)
            rc = frame_piece(self, ctx, level, layer->stage->loaded->stage.trailer, &more);
    }
    hf_layers_abandon(self);
    return rc;
}

void hf_layers_abandon(struct hf_layers *self)
{
    for (size_t i = 0; self != NULL && i < self->count; i++) {
        struct layer *layer = &self->items[i];

        if (layer->frame == NULL)
            continue;
        hf_instance_hold(layer->stage);
        layer->stage->loaded->stage.frame_close(layer->frame);
        hf_instance_release(layer->stage);
        layer->frame = NULL;
    }
}
