/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoding: each block is a frame. After them comes the seek table: a skippable frame with the sizes of all.
 */
#include "stage.h"

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
    SKIPPABLE_MAGIC = 0x184d2a5e,
    SKIPPABLE_HEADER = 8,
    ENTRY_SIZE = 8,  /* compressed and decompressed size; the checksums are in the frames */
    FOOTER_SIZE = 9, /* number of frames, descriptor, magic */
    ENTRIES_MAX = 0x8000000,
    STEPS_FROM_LEVEL = 13, /* from here on a block may take more than a quarter of a second */
    STEP_SIZE = 128 * 1024
};
#define SEEKABLE_MAGIC 0x8f92eab1u

struct worker {
    ZSTD_CCtx *cctx;
    int level;
};

struct entry {
    uint32_t stored, raw;
};

enum trailer_place { EMPTY_FRAME, TABLE_HEADER, TABLE_ENTRIES, TABLE_FOOTER, TABLE_END };

struct frame {
    struct entry *entries; /* 8 bytes for up to 4 MiB of data */
    size_t count, room;
    enum trailer_place place;
    size_t entry_at;
};

static void put_le32(unsigned char *out, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (unsigned char)(value >> 8 * i & 0xff);
}

/* The library's own levels, but for two places:
 * - level 3's tables are halved, so that they stay in the second-level cache: a fifth faster, as small on ledgers and
 *   databases and 1 % larger on executables;
 * - from level 10 on the tables are kept to 12 MiB: up to 60 MiB otherwise, for 0.5 % of size in frames of 4 MiB. */
static size_t set_parameters(ZSTD_CCtx *cctx, int level)
{
    static const struct {
        ZSTD_cParameter name;
        int value, from_level, to_level;
    } parameters[] = {
        {ZSTD_c_checksumFlag, 1, 1, 19}, {ZSTD_c_contentSizeFlag, 1, 1, 19}, {ZSTD_c_hashLog, 16, 3, 3},
        {ZSTD_c_chainLog, 15, 3, 3},     {ZSTD_c_windowLog, 22, 10, 19},     {ZSTD_c_hashLog, 20, 10, 19},
        {ZSTD_c_chainLog, 21, 10, 19},
    };
    size_t status = ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, level);
    for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters) && !ZSTD_isError(status); i++) {
        if (level >= parameters[i].from_level && level <= parameters[i].to_level)
            status = ZSTD_CCtx_setParameter(cctx, parameters[i].name, parameters[i].value);
    }
    return status;
}

int zstd_worker_open(void *self, struct hf_ctx *ctx, void **ret_worker)
{
    const struct zstd *zstd = self;
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    if (!cctx)
        return zstd_host->fail(ctx, HF_E_NOMEM, "out of memory");
    size_t status = set_parameters(cctx, zstd->level);
    if (ZSTD_isError(status)) {
        (void)ZSTD_freeCCtx(cctx);
        return zstd_host->fail(ctx, HF_E_FAIL, "zstd: level %d: %s", zstd->level, ZSTD_getErrorName(status));
    }
    struct worker *worker = malloc(sizeof(*worker));
    if (!worker) {
        (void)ZSTD_freeCCtx(cctx);
        return zstd_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    *worker = (struct worker){.cctx = cctx, .level = zstd->level};
    *ret_worker = worker;
    return HF_OK;
}

void zstd_worker_close(void *opaque)
{
    struct worker *worker = opaque;
    if (!worker)
        return;
    (void)ZSTD_freeCCtx(worker->cctx);
    free(worker);
}

size_t zstd_block_bound(void *self, size_t size)
{
    (void)self;
    return ZSTD_compressBound(size);
}

/* As ZSTD_compress2, in steps: at the high levels a block takes seconds, and a run must stop within one. 0 when told to. */
static size_t compress_in_steps(ZSTD_CCtx *cctx, struct hf_ctx *ctx, const void *in, size_t size, void *out, size_t room)
{
    ZSTD_inBuffer input = {in, 0, 0};
    ZSTD_outBuffer output = {out, room, 0};
    size_t left = ZSTD_CCtx_reset(cctx, ZSTD_reset_session_only);
    if (!ZSTD_isError(left))
        left = ZSTD_CCtx_setPledgedSrcSize(cctx, size);
    do {
        if (zstd_host->cancelled(ctx))
            return 0;
        if (ZSTD_isError(left))
            return left;
        input.size = size - input.pos > STEP_SIZE ? input.pos + STEP_SIZE : size;
        left = ZSTD_compressStream2(cctx, &output, &input, input.size == size ? ZSTD_e_end : ZSTD_e_continue);
    } while (ZSTD_isError(left) || left > 0 || input.pos < size);
    return output.pos;
}

int zstd_encode_block(void *opaque, struct hf_ctx *ctx, const void *in, size_t size, void *out, size_t *out_size,
                      uint64_t *ret_tag)
{
    struct worker *worker = opaque;
    size_t used = worker->level < STEPS_FROM_LEVEL ? ZSTD_compress2(worker->cctx, out, *out_size, in, size)
                                                   : compress_in_steps(worker->cctx, ctx, in, size, out, *out_size);
    if (used == 0)
        return HF_E_CANCELLED;
    if (ZSTD_isError(used))
        return zstd_host->fail(ctx, ZSTD_getErrorCode(used) == ZSTD_error_memory_allocation ? HF_E_NOMEM : HF_E_FAIL,
                               "zstd: compress a block of %zu bytes: %s", size, ZSTD_getErrorName(used));
    *out_size = used;
    *ret_tag = 0;
    return HF_OK;
}

int zstd_frame_open(void *self, struct hf_ctx *ctx, void **ret_frame)
{
    (void)self;
    struct frame *frame = calloc(1, sizeof(*frame));
    if (!frame)
        return zstd_host->fail(ctx, HF_E_NOMEM, "out of memory");
    *ret_frame = frame;
    return HF_OK;
}

int zstd_header(void *frame, struct hf_ctx *ctx, void *out, size_t *out_size)
{
    (void)frame, (void)ctx, (void)out;
    *out_size = 0;
    return HF_OK;
}

int zstd_join(void *opaque, struct hf_ctx *ctx, uint64_t tag, size_t raw_size, size_t stored_size)
{
    struct frame *frame = opaque;
    (void)tag;
    if (frame->count == ENTRIES_MAX || raw_size > UINT32_MAX || stored_size > UINT32_MAX)
        return zstd_host->fail(ctx, HF_E_UNSUPPORTED, "zstd: more than %d frames do not fit into a seek table",
                               ENTRIES_MAX);
    if (frame->count == frame->room) {
        size_t room = frame->room ? 2 * frame->room : 512;
        struct entry *entries = reallocarray(frame->entries, room, sizeof(*entries));
        if (!entries)
            return zstd_host->fail(ctx, HF_E_NOMEM, "out of memory");
        frame->entries = entries;
        frame->room = room;
    }
    frame->entries[frame->count++] = (struct entry){(uint32_t)stored_size, (uint32_t)raw_size};
    return HF_OK;
}

/* An artifact without blocks: a frame of nothing, so that zstd -d makes an empty file of it. */
static int empty_frame(struct frame *frame, struct hf_ctx *ctx, unsigned char *out, size_t *out_size)
{
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    if (!cctx)
        return zstd_host->fail(ctx, HF_E_NOMEM, "out of memory");
    size_t used = set_parameters(cctx, 1);
    if (!ZSTD_isError(used))
        used = ZSTD_compress2(cctx, out, *out_size, "", 0);
    (void)ZSTD_freeCCtx(cctx);
    if (ZSTD_isError(used))
        return zstd_host->fail(ctx, HF_E_FAIL, "zstd: compress an empty block: %s", ZSTD_getErrorName(used));
    *out_size = used;
    return zstd_join(frame, ctx, 0, 0, used);
}

static size_t table_header(const struct frame *frame, unsigned char *out)
{
    put_le32(out, SKIPPABLE_MAGIC);
    put_le32(out + 4, (uint32_t)(frame->count * ENTRY_SIZE + FOOTER_SIZE));
    return SKIPPABLE_HEADER;
}

static size_t table_footer(const struct frame *frame, unsigned char *out)
{
    put_le32(out, (uint32_t)frame->count);
    out[4] = 0; /* no checksums in the table */
    put_le32(out + 5, SEEKABLE_MAGIC);
    return FOOTER_SIZE;
}

static size_t table_entries(struct frame *frame, unsigned char *out, size_t room)
{
    size_t used = 0;
    for (; frame->entry_at < frame->count && room - used >= ENTRY_SIZE; frame->entry_at++) {
        put_le32(out + used, frame->entries[frame->entry_at].stored);
        put_le32(out + used + 4, frame->entries[frame->entry_at].raw);
        used += ENTRY_SIZE;
    }
    return used;
}

int zstd_trailer(void *opaque, struct hf_ctx *ctx, void *out, size_t *out_size)
{
    struct frame *frame = opaque;
    if (*out_size < 64)
        return zstd_host->fail(ctx, HF_E_FAIL, "zstd: no room for the trailer");
    switch (frame->place) {
    case EMPTY_FRAME:
        frame->place = TABLE_HEADER;
        if (frame->count == 0)
            return empty_frame(frame, ctx, out, out_size);
        *out_size = 0;
        return HF_OK;
    case TABLE_HEADER:
        frame->place = TABLE_ENTRIES;
        *out_size = table_header(frame, out);
        return HF_OK;
    case TABLE_ENTRIES:
        *out_size = table_entries(frame, out, *out_size);
        if (frame->entry_at == frame->count)
            frame->place = TABLE_FOOTER;
        return HF_OK;
    case TABLE_FOOTER:
        frame->place = TABLE_END;
        *out_size = table_footer(frame, out);
        return HF_OK;
    default:
        *out_size = 0;
        return HF_END;
    }
}

void zstd_frame_close(void *opaque)
{
    struct frame *frame = opaque;
    if (!frame)
        return;
    free(frame->entries);
    free(frame);
}
