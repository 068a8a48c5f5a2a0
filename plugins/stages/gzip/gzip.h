/* SPDX-License-Identifier: Apache-2.0
 *
 * The gzip stage's rooms: gzip.c (the plugin's table), encode.c (blocks and the member around them), decode.c.
 * The format is RFC 1952 around RFC 1951.
 */
#ifndef HOLDFAST_STAGE_GZIP_H
#define HOLDFAST_STAGE_GZIP_H

#include <holdfast/plugin.h>

/* Raw bytes of a block. Measured: 256 KiB costs 1 % of size, 4 MiB gains 0.3 % but leaves the second-level cache. */
#define GZIP_BLOCK_SIZE ((size_t)1 << 20)

enum { GZIP_HEADER_SIZE = 10, GZIP_TRAILER_SIZE = 8 };

/* An instance. */
struct gzip {
    int level;
};

extern const struct hf_host *gzip_host;

int gzip_worker_open(void *self, struct hf_ctx *ctx, void **ret_worker);
void gzip_worker_close(void *worker);
size_t gzip_block_bound(void *self, size_t size);
int gzip_encode_block(void *worker, struct hf_ctx *ctx, const void *in, size_t size, void *out, size_t *out_size,
                      uint64_t *ret_tag);

int gzip_frame_open(void *self, struct hf_ctx *ctx, void **ret_frame);
int gzip_header(void *frame, struct hf_ctx *ctx, void *out, size_t *out_size);
int gzip_join(void *frame, struct hf_ctx *ctx, uint64_t tag, size_t raw_size, size_t stored_size);
int gzip_trailer(void *frame, struct hf_ctx *ctx, void *out, size_t *out_size);
void gzip_frame_close(void *frame);

int gzip_decode_open(void *self, struct hf_ctx *ctx, int mode, void **ret_stream);
int gzip_step(void *stream, struct hf_ctx *ctx, const void *in, size_t *in_used, void *out, size_t *out_used, int last);
void gzip_decode_close(void *stream);

#endif
