/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoding: each block is a run of deflate blocks that ends with an empty stored one, as Z_FULL_FLUSH makes it, and
 * looks back no further than its own beginning.
 */
#include "gzip.h"

#include <isa-l.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    ISAL_TOP_LEVEL = 3,
    STORED_MAX = 65535,
    STORED_HEADER = 5,
    FLUSH_SIZE = 5, /* an empty stored block that begins on a byte's edge */
    /* More than any of ISA-L's ISAL_DEF_LVLx_DEFAULT: a longer list of tokens per deflate block is 1 % faster. */
    LEVEL_BUFFER_SIZE = 1 << 20
};

struct worker {
    struct isal_zstream isal; /* levels 1 to 3 */
    unsigned char *level_buffer;
    z_stream zlib; /* levels 4 to 9 */
    int level;
    bool zlib_ready;
};

struct frame {
    uint32_t crc;
    uint32_t raw_size; /* modulo 2^32, as the format has it */
    bool ended;
};

static void put_le16(unsigned char *out, unsigned value)
{
    out[0] = (unsigned char)(value & 0xff);
    out[1] = (unsigned char)(value >> 8 & 0xff);
}

static void put_le32(unsigned char *out, uint32_t value)
{
    put_le16(out, value & 0xffff);
    put_le16(out + 2, value >> 16);
}

void gzip_worker_close(void *opaque)
{
    struct worker *worker = opaque;
    if (!worker)
        return;
    if (worker->zlib_ready)
        (void)deflateEnd(&worker->zlib);
    free(worker->level_buffer);
    free(worker);
}

int gzip_worker_open(void *self, struct hf_ctx *ctx, void **ret_worker)
{
    const struct gzip *gzip = self;
    struct worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        return gzip_host->fail(ctx, HF_E_NOMEM, "out of memory");
    worker->level = gzip->level;
    if (worker->level <= ISAL_TOP_LEVEL) {
        worker->level_buffer = aligned_alloc(64, LEVEL_BUFFER_SIZE);
        if (worker->level_buffer)
            memset(worker->level_buffer, 0, LEVEL_BUFFER_SIZE);
    } else {
        worker->zlib_ready =
            deflateInit2(&worker->zlib, worker->level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    }
    if (!worker->level_buffer && !worker->zlib_ready) {
        gzip_worker_close(worker);
        return gzip_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    *ret_worker = worker;
    return HF_OK;
}

static size_t stored_size(size_t size)
{
    return size + (size + STORED_MAX - 1) / STORED_MAX * STORED_HEADER;
}

size_t gzip_block_bound(void *self, size_t size)
{
    (void)self;
    return stored_size(size) + FLUSH_SIZE + 16;
}

/* What compressing would not make smaller. Returns the size. */
static size_t store(const unsigned char *in, size_t size, unsigned char *out)
{
    unsigned char *at = out;
    while (size > 0) {
        unsigned length = size < STORED_MAX ? (unsigned)size : STORED_MAX;
        *at = 0;
        put_le16(at + 1, length);
        put_le16(at + 3, ~length & 0xffff);
        memcpy(at + STORED_HEADER, in, length);
        at += STORED_HEADER + length;
        in += length;
        size -= length;
    }
    return (size_t)(at - out);
}

/* Both set *ret_used to the size, or to 0 when the result does not fit. */
static int deflate_isal(struct worker *worker, struct hf_ctx *ctx, const unsigned char *in, size_t size,
                        unsigned char *out, size_t room, size_t *ret_used)
{
    struct isal_zstream *stream = &worker->isal;
    isal_deflate_stateless_init(stream);
    stream->level = (uint32_t)worker->level;
    stream->level_buf = worker->level_buffer;
    stream->level_buf_size = LEVEL_BUFFER_SIZE;
    stream->flush = FULL_FLUSH;
    stream->end_of_stream = 0;
    stream->next_in = (uint8_t *)in; /* the library's type lacks a const */
    stream->avail_in = (uint32_t)size;
    stream->next_out = out;
    stream->avail_out = (uint32_t)room;
    int status = isal_deflate_stateless(stream);
    if (status != STATELESS_OVERFLOW && (status != COMP_OK || stream->avail_in > 0))
        return gzip_host->fail(ctx, HF_E_FAIL, "gzip: isa-l cannot compress a block: code %d", status);
    *ret_used = status == COMP_OK ? stream->total_out : 0;
    return HF_OK;
}

static int deflate_zlib(struct worker *worker, struct hf_ctx *ctx, const unsigned char *in, size_t size,
                        unsigned char *out, size_t room, size_t *ret_used)
{
    z_stream *stream = &worker->zlib;
    int status = deflateReset(stream);
    stream->next_in = (Bytef *)in;
    stream->avail_in = (uInt)size;
    stream->next_out = out;
    stream->avail_out = (uInt)room;
    if (status == Z_OK)
        status = deflate(stream, Z_FULL_FLUSH);
    if (status != Z_OK)
        return gzip_host->fail(ctx, HF_E_FAIL, "gzip: zlib cannot compress a block: code %d", status);
    /* Room left is how zlib says that the flush is complete. */
    *ret_used = stream->avail_in == 0 && stream->avail_out > 0 ? room - stream->avail_out : 0;
    return HF_OK;
}

int gzip_encode_block(void *opaque, struct hf_ctx *ctx, const void *in, size_t size, void *out, size_t *out_size,
                      uint64_t *ret_tag)
{
    static const unsigned char flush[FLUSH_SIZE] = {0, 0, 0, 0xff, 0xff};
    struct worker *worker = opaque;
    if (size == 0 || size > UINT32_MAX / 2 || *out_size < gzip_block_bound(NULL, size))
        return gzip_host->fail(ctx, HF_E_FAIL, "gzip: a block of %zu bytes does not fit into %zu", size, *out_size);
    size_t room = gzip_block_bound(NULL, size) - FLUSH_SIZE;
    size_t used = 0;
    int status = worker->level <= ISAL_TOP_LEVEL ? deflate_isal(worker, ctx, in, size, out, room, &used)
                                                 : deflate_zlib(worker, ctx, in, size, out, room, &used);
    if (status != HF_OK)
        return status;
    if (used == 0)
        used = store(in, size, out);
    /* A run that stored its last bytes ends on a byte's edge without a marker; the decoder of a run looks for one. */
    if (used < 4 || memcmp((unsigned char *)out + used - 4, flush + 1, 4) != 0) {
        memcpy((unsigned char *)out + used, flush, FLUSH_SIZE);
        used += FLUSH_SIZE;
    }
    *out_size = used;
    *ret_tag = crc32_gzip_refl(0, in, size);
    return HF_OK;
}

int gzip_frame_open(void *self, struct hf_ctx *ctx, void **ret_frame)
{
    (void)self;
    struct frame *frame = calloc(1, sizeof(*frame));
    if (!frame)
        return gzip_host->fail(ctx, HF_E_NOMEM, "out of memory");
    *ret_frame = frame;
    return HF_OK;
}

int gzip_header(void *frame, struct hf_ctx *ctx, void *out, size_t *out_size)
{
    /* Deflate, no flags, no time, no level, Unix: the same data gives the same file. */
    static const unsigned char header[GZIP_HEADER_SIZE] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    (void)frame;
    if (*out_size < sizeof(header))
        return gzip_host->fail(ctx, HF_E_FAIL, "gzip: no room for the header");
    memcpy(out, header, sizeof(header));
    *out_size = sizeof(header);
    return HF_OK;
}

int gzip_join(void *opaque, struct hf_ctx *ctx, uint64_t tag, size_t raw_size, size_t stored)
{
    struct frame *frame = opaque;
    (void)ctx, (void)stored;
    frame->crc = (uint32_t)crc32_combine(frame->crc, (uLong)tag, (z_off_t)raw_size);
    frame->raw_size += (uint32_t)raw_size;
    return HF_OK;
}

int gzip_trailer(void *opaque, struct hf_ctx *ctx, void *out, size_t *out_size)
{
    struct frame *frame = opaque;
    unsigned char *at = out;
    if (frame->ended) {
        *out_size = 0;
        return HF_END;
    }
    if (*out_size < 2 + GZIP_TRAILER_SIZE)
        return gzip_host->fail(ctx, HF_E_FAIL, "gzip: no room for the trailer");
    at[0] = 3; /* the final block: empty, fixed codes */
    at[1] = 0;
    put_le32(at + 2, frame->crc);
    put_le32(at + 6, frame->raw_size);
    *out_size = 2 + GZIP_TRAILER_SIZE;
    frame->ended = true;
    return HF_OK;
}

void gzip_frame_close(void *frame)
{
    free(frame);
}
