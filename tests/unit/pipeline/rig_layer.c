/* SPDX-License-Identifier: Apache-2.0
 *
 * A chunk stage that is easy to check: "{L}" in front; each chunk is its number (8 bytes), whether it is the last (1),
 * and its bytes, changed by the number.
 */
#include "rig.h"

#include "base/memory.h"

#include <string.h>

enum { CHUNK_SIZE = 4096, PREFIX = 9, HEAD = 3, STORED = CHUNK_SIZE + PREFIX };

static int recognise(const void *head, size_t size)
{
    return size >= HEAD && memcmp(head, "{L}", HEAD) == 0 ? 60 : 0;
}

static size_t bound(void *self, size_t size)
{
    (void)self;
    return size + PREFIX;
}

static int frame_open(void *self, struct hf_ctx *ctx, void **ret_frame)
{
    (void)ctx;
    *ret_frame = self;
    return HF_OK;
}

static int header(void *frame, struct hf_ctx *ctx, void *out, size_t *out_size)
{
    (void)frame, (void)ctx;
    memcpy(out, "{L}", HEAD);
    *out_size = HEAD;
    return HF_OK;
}

static int encode_chunk(void *frame, struct hf_ctx *ctx, uint64_t index, int last, const void *in, size_t size,
                        void *out, size_t *out_size)
{
    const unsigned char *from = in;
    unsigned char *to = out;

    if (index == ((struct rig *)frame)->layer_fails_at)
        return hf_fail(ctx, HF_E_IO, "the layer tore");
    if ((size < CHUNK_SIZE && !last) || size > CHUNK_SIZE || (size == 0 && index > 0))
        return hf_fail(ctx, HF_E_FAIL, "a chunk of %zu bytes", size);
    memcpy(to, &index, 8);
    to[8] = (unsigned char)last;
    for (size_t i = 0; i < size; i++)
        to[PREFIX + i] = (unsigned char)(from[i] + index);
    *out_size = size + PREFIX;
    return HF_OK;
}

static int trailer(void *frame, struct hf_ctx *ctx, void *out, size_t *out_size)
{
    (void)frame, (void)ctx, (void)out;
    *out_size = 0;
    return HF_END;
}

static void frame_close(void *frame)
{
    (void)frame;
}

struct stream {
    uint64_t index, stop; /* stop UINT64_MAX: to the end */
    size_t head_left;
    unsigned char held[STORED], plain[CHUNK_SIZE];
    size_t used, plain_at, plain_used;
    bool ended;
};

static int decode_open(void *self, struct hf_ctx *ctx, int mode, void **ret_stream)
{
    struct stream *stream = hf_alloc(sizeof(*stream));

    (void)self, (void)ctx, (void)mode;
    stream->stop = UINT64_MAX;
    stream->head_left = HEAD;
    *ret_stream = stream;
    return HF_OK;
}

static int open_chunk(struct stream *stream, struct hf_ctx *ctx)
{
    size_t plain = stream->used - PREFIX;
    uint64_t index;
    bool last;

    if (stream->used < PREFIX)
        return hf_fail(ctx, HF_E_CORRUPT, "chunk %llu is cut short", (unsigned long long)stream->index);
    memcpy(&index, stream->held, 8);
    last = stream->held[8];
    if (index != stream->index || (!last && plain < CHUNK_SIZE))
        return hf_fail(ctx, HF_E_CORRUPT, "chunk %llu is another", (unsigned long long)stream->index);
    for (size_t i = 0; i < plain; i++)
        stream->plain[i] = (unsigned char)(stream->held[PREFIX + i] - index);
    stream->plain_used = plain;
    stream->plain_at = stream->used = 0;
    stream->ended = last || ++stream->index == stream->stop;
    return HF_OK;
}

static int step(void *opaque, struct hf_ctx *ctx, const void *in, size_t *in_used, void *out, size_t *out_used,
                int last)
{
    struct stream *stream = opaque;
    size_t have = *in_used, skip = have < stream->head_left ? have : stream->head_left, take = 0, give;
    int rc = HF_OK;

    stream->head_left -= skip;
    if (stream->plain_at == stream->plain_used && !stream->ended) {
        take = have - skip < STORED - stream->used ? have - skip : STORED - stream->used;
        memcpy(stream->held + stream->used, (const char *)in + skip, take);
        stream->used += take;
        if (stream->used == STORED || (last && skip + take == have))
            rc = open_chunk(stream, ctx);
    }
    *in_used = skip + take;
    give = stream->plain_used - stream->plain_at;
    give = give < *out_used ? give : *out_used;
    memcpy(out, stream->plain + stream->plain_at, give);
    stream->plain_at += give;
    *out_used = give;
    return rc < 0 ? rc : stream->ended && stream->plain_at == stream->plain_used ? HF_END : HF_OK;
}

struct seek {
    struct rig *rig;
    uint64_t object_size;
};

/* Where the chunks lie follows from the size. */
static int seek_open(void *self, struct hf_ctx *ctx, const void *head, size_t head_size, uint64_t object_size,
                     uint64_t *ret_size, void **ret_seek)
{
    uint64_t chunks = (object_size - HEAD + STORED - 1) / STORED;
    struct seek *seek;

    if (head_size < HEAD)
        return HF_END;
    if (!recognise(head, head_size))
        return hf_fail(ctx, HF_E_CORRUPT, "no layer");
    seek = hf_alloc(sizeof(*seek));
    *seek = (struct seek){self, object_size};
    *ret_size = object_size - HEAD - chunks * PREFIX;
    *ret_seek = seek;
    atomic_fetch_add(&seek->rig->seeks_open, 1);
    atomic_fetch_add(&seek->rig->seeks_made, 1);
    return HF_OK;
}

static int seek_range(void *opaque, struct hf_ctx *ctx, uint64_t offset, uint64_t length, struct hf_extent *ret_extent,
                      void **ret_stream)
{
    uint64_t first = offset / CHUNK_SIZE, end = (offset + length + CHUNK_SIZE - 1) / CHUNK_SIZE;
    uint64_t stop = HEAD + end * STORED;
    struct stream *stream = hf_alloc(sizeof(*stream));
    const struct seek *seek = opaque;

    (void)ctx;
    stream->index = first;
    stream->stop = end;
    ret_extent->offset = HEAD + first * STORED;
    ret_extent->length = (stop < seek->object_size ? stop : seek->object_size) - ret_extent->offset;
    ret_extent->skip = offset % CHUNK_SIZE;
    *ret_stream = stream;
    return HF_OK;
}

static void seek_close(void *opaque)
{
    struct seek *seek = opaque;

    atomic_fetch_sub(&seek->rig->seeks_open, 1);
    free(seek);
}

const struct hf_stage rig_layer = {
    .size = sizeof(struct hf_stage),
    .suffix = ".lay",
    .block_size = CHUNK_SIZE,
    .recognise = recognise,
    .block_bound = bound,
    .frame_open = frame_open,
    .header = header,
    .trailer = trailer,
    .frame_close = frame_close,
    .decode_open = decode_open,
    .step = step,
    .decode_close = free,
    .encode_chunk = encode_chunk,
    .seek_open = seek_open,
    .seek_range = seek_range,
    .seek_close = seek_close,
};
