/* SPDX-License-Identifier: Apache-2.0
 *
 * Stages transform the stream between source and sink. A stage sees bytes only, never its neighbours.
 *
 * Encoding is by blocks: each is encoded alone, by any of the core's workers, and the encoded blocks laid end to end
 * between a header and a trailer must be one ordinary file of the stage's format. Every part begins with a new block.
 * Decoding is by stream, of a whole object or of a run of blocks.
 */
#ifndef HOLDFAST_STAGE_H
#define HOLDFAST_STAGE_H

#include "host.h"

#ifdef __cplusplus
extern "C" {
#endif

enum hf_decode_mode {
    HF_DECODE_OBJECT = 1, /* everything, header to trailer, also as the format's own tools write it (several members);
                           * checks what the format lets it check; input that ends early is HF_E_CORRUPT             */
    HF_DECODE_BLOCKS = 2  /* one or more whole encoded blocks, without header and trailer                            */
};

struct hf_stage {
    uint32_t size;
    uint32_t reserved;
    const char *suffix; /* ".gz"                                                                                     */
    size_t block_size;  /* raw bytes that a full block holds; 64 KiB to 16 MiB                                        */

    /* 0..100: how sure is it that an object beginning with these bytes is of this format? No side effects. */
    int (*recognise)(const void *head, size_t size);

    /* A worker's scratch memory. One thread uses it at a time; there is one per encoding thread. */
    int (*worker_open)(void *self, struct hf_ctx *, void **ret_worker);
    void (*worker_close)(void *worker);
    /* The most that a block of `size` raw bytes can become. */
    size_t (*block_bound)(void *self, size_t size);
    /* Encodes one block (size >= 1). *out_size: in: room, out: used. *ret_tag: anything join() needs, e.g. a CRC. The
     * result depends on the input and the options alone. */
    int (*encode_block)(void *worker, struct hf_ctx *, const void *in, size_t size, void *out, size_t *out_size,
                        uint64_t *ret_tag);

    /* One artifact's frame around the blocks; called in order on one thread. header, trailer: *out_size as above; the
     * room is at least 64 KiB. A trailer that needs more is asked for again while it returns 0, until HF_END. */
    int (*frame_open)(void *self, struct hf_ctx *, void **ret_frame);
    int (*header)(void *frame, struct hf_ctx *, void *out, size_t *out_size);
    int (*join)(void *frame, struct hf_ctx *, uint64_t tag, size_t raw_size, size_t stored_size);
    int (*trailer)(void *frame, struct hf_ctx *, void *out, size_t *out_size);
    void (*frame_close)(void *frame);

    /* Decoding. step: *in_used and *out_used: in: bytes at hand, out: bytes taken and made. `last`: no more input follows.
     * Returns 0, HF_END when all is decoded, or a failure; a call that neither takes nor makes anything with `last` set,
     * and is not HF_END, counts as truncation. */
    int (*decode_open)(void *self, struct hf_ctx *, int mode, void **ret_stream);
    int (*step)(void *stream, struct hf_ctx *, const void *in, size_t *in_used, void *out, size_t *out_used, int last);
    void (*decode_close)(void *stream);
};

#ifdef __cplusplus
}
#endif
#endif
