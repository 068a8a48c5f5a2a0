/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoding any row of zstd frames. The library skips skippable ones and checks checksums.
 */
#include "stage.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { WINDOW_LOG_MAX = 27 }; /* 128 MiB, as zstd -d without --long */

struct stream {
    ZSTD_DCtx *dctx;
    int mode;
    bool between_frames;
    uint64_t offset; /* input taken so far, for messages */
};

void zstd_decode_close(void *opaque)
{
    struct stream *stream = opaque;
    if (!stream)
        return;
    (void)ZSTD_freeDCtx(stream->dctx);
    free(stream);
}

int zstd_decode_open(void *self, struct hf_ctx *ctx, int mode, void **ret_stream)
{
    (void)self;
    if (mode != HF_DECODE_OBJECT && mode != HF_DECODE_BLOCKS)
        return zstd_host->fail(ctx, HF_E_UNSUPPORTED, "zstd: decode mode %d is not known", mode);
    struct stream *stream = calloc(1, sizeof(*stream));
    if (stream)
        stream->dctx = ZSTD_createDCtx();
    if (!stream || !stream->dctx ||
        ZSTD_isError(ZSTD_DCtx_setParameter(stream->dctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
        zstd_decode_close(stream);
        return zstd_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    stream->mode = mode;
    stream->between_frames = true;
    *ret_stream = stream;
    return HF_OK;
}

static int decode_failed(const struct stream *stream, struct hf_ctx *ctx, size_t status)
{
    switch (ZSTD_getErrorCode(status)) {
    case ZSTD_error_memory_allocation:
        return zstd_host->fail(ctx, HF_E_NOMEM, "out of memory");
    case ZSTD_error_frameParameter_windowTooLarge:
        return zstd_host->fail(ctx, HF_E_UNSUPPORTED, "zstd data needs a window of more than %d MiB",
                               (1 << WINDOW_LOG_MAX) >> 20);
    case ZSTD_error_dictionary_wrong:
        return zstd_host->fail(ctx, HF_E_UNSUPPORTED, "zstd data needs a dictionary");
    default:
        return zstd_host->fail(ctx, HF_E_CORRUPT, "zstd data is damaged near byte %llu: %s",
                               (unsigned long long)stream->offset, ZSTD_getErrorName(status));
    }
}

int zstd_step(void *opaque, struct hf_ctx *ctx, const void *in, size_t *in_used, void *out, size_t *out_used, int last)
{
    struct stream *stream = opaque;
    ZSTD_inBuffer input = {in, *in_used, 0};
    ZSTD_outBuffer output = {out, *out_used, 0};
    bool moved = true;
    *in_used = *out_used = 0;
    /* Between frames without input there is nothing to be had, and the library would begin to wait for a frame. */
    while (moved && !(stream->between_frames && input.pos == input.size)) {
        size_t in_before = input.pos, out_before = output.pos;
        size_t status = ZSTD_decompressStream(stream->dctx, &output, &input);
        stream->offset += input.pos - in_before;
        moved = input.pos > in_before || output.pos > out_before;
        if (ZSTD_isError(status))
            return decode_failed(stream, ctx, status);
        stream->between_frames = status == 0;
    }
    *in_used = input.pos;
    *out_used = output.pos;
    if (!last || input.pos < input.size)
        return HF_OK;
    if (stream->between_frames && (stream->offset > 0 || stream->mode == HF_DECODE_BLOCKS))
        return HF_END;
    if (!stream->between_frames && output.pos == output.size)
        return HF_OK; /* more may be held back for want of room */
    return zstd_host->fail(ctx, HF_E_CORRUPT, "zstd data is damaged near byte %llu: the data ends too early",
                           (unsigned long long)stream->offset);
}
