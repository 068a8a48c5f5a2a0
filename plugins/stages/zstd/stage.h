/* SPDX-License-Identifier: Apache-2.0
 *
 * The zstd stage's rooms: zstd.c (the plugin's table), encode.c (frames and the seek table), decode.c.
 * The formats are RFC 8878 and zstd's contrib/seekable_format/zstd_seekable_compression_format.md.
 */
#ifndef HOLDFAST_STAGE_ZSTD_H
#define HOLDFAST_STAGE_ZSTD_H

#include <holdfast/plugin.h>

/* Raw bytes of a frame. */
#define ZSTD_STAGE_BLOCK_SIZE ((size_t)4 << 20)

/* An instance. */
struct zstd {
    int level;
};

extern const struct hf_host *zstd_host;

int zstd_worker_open(void *self, struct hf_ctx *ctx, void **ret_worker);
void zstd_worker_close(void *worker);
size_t zstd_block_bound(void *self, size_t size);
int zstd_encode_block(void *worker, struct hf_ctx *ctx, const void *in, size_t size, void *out, size_t *out_size,
                      uint64_t *ret_tag);

int zstd_frame_open(void *self, struct hf_ctx *ctx, void **ret_frame);
int zstd_header(void *frame, struct hf_ctx *ctx, void *out, size_t *out_size);
int zstd_join(void *frame, struct hf_ctx *ctx, uint64_t tag, size_t raw_size, size_t stored_size);
int zstd_trailer(void *frame, struct hf_ctx *ctx, void *out, size_t *out_size);
void zstd_frame_close(void *frame);

int zstd_decode_open(void *self, struct hf_ctx *ctx, int mode, void **ret_stream);
int zstd_step(void *stream, struct hf_ctx *ctx, const void *in, size_t *in_used, void *out, size_t *out_used, int last);
void zstd_decode_close(void *stream);

#endif
