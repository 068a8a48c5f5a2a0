/* SPDX-License-Identifier: Apache-2.0
 *
 * Stages transform the stream between source and sink. A stage sees bytes only, never its neighbours.
 *
 * There are two kinds, and each encodes to one ordinary file of the stage's format:
 *
 * A block stage (compression) has encode_block. Blocks are encoded alone, by any of the core's workers, and laid end to end
 * between a header and a trailer. Every part begins with a new block. It can only stand first in a profile.
 *
 * A chunk stage (encryption) has encode_chunk. It knows nothing of parts: its input is cut into chunks of block_size bytes,
 * of which only the last may be shorter, and each is encoded by its number. It may stand anywhere, also after another of its
 * kind. What it makes is never shorter than what it was given. So that parts can still be read alone, it must be able to decode from the middle of its file: the seek operations.
 *
 * Decoding is by stream, of a whole object, of a run of blocks, or from the middle.
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

/* Where in an encoded file the bytes lie that decode to a range. */
struct hf_extent {
    uint32_t size, reserved;
    uint64_t offset, length; /* of the encoded file: what has to be read                                             */
    uint64_t skip;           /* decoded bytes in front of the range; the rest may go on behind it                    */
};

struct hf_stage {
    uint32_t size;
    uint32_t reserved;
    const char *suffix; /* ".gz"                                                                                     */
    size_t block_size;  /* raw bytes that a full block or chunk holds; 64 KiB to 16 MiB                               */

    /* 0..100: how sure is it that an object beginning with these bytes is of this format? No side effects. */
    int (*recognise)(const void *head, size_t size);

    /* Block stages only, as are encode_block and join. A worker's scratch memory. One thread uses it at a time; there is one per encoding thread. */
    int (*worker_open)(void *self, struct hf_ctx *, void **ret_worker);
    void (*worker_close)(void *worker);
    /* The most that a block or chunk of `size` raw bytes can become. */
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

    /* --- for all that follows, NULL is fine unless a comment says otherwise --- */

    /* Chunk stages. Encodes chunk `index` (from 0) of the frame; `last`: no more follow. Only the last may have less than
     * block_size bytes, and none only when it is the first, too. *out_size as above. With HF_PARALLEL calls for one frame
     * may overlap, between its header and its trailer; without, they do not, but may come from other threads than those. */
    int (*encode_chunk)(void *frame, struct hf_ctx *, uint64_t index, int last, const void *in, size_t size, void *out,
                        size_t *out_size);

    /* Decoding from the middle; a chunk stage must have all three. seek_open: `head` is how the file begins, `object_size`
     * how many bytes it has in all; *ret_size: how many it decodes to. HF_END when head_size is too little to tell (it is
     * then called again with more). Costly work, such as unwrapping keys, belongs here: one seek serves all threads.
     * seek_range: of the range [offset, offset + length), which does not go beyond *ret_size and is not empty, says what has
     * to be read, and opens a stream that is given exactly that (step and decode_close, as above). */
    int (*seek_open)(void *self, struct hf_ctx *, const void *head, size_t head_size, uint64_t object_size,
                     uint64_t *ret_size, void **ret_seek);
    int (*seek_range)(void *seek, struct hf_ctx *, uint64_t offset, uint64_t length, struct hf_extent *ret_extent,
                      void **ret_stream);
    void (*seek_close)(void *seek);

    /* For `holdfast check` and before a backup: could the stage encode, and decode as far as it is told how? Reads keys
     * and the like, and changes nothing. */
    int (*check)(void *self, struct hf_ctx *);
    /* 1: what this instance encodes it can decode; 0: it is not told how (it knows a public key alone). NULL: 1. */
    int (*can_decode)(void *self, struct hf_ctx *);

    /* Keys, for `holdfast key`; both or none. No instance is needed. key_new makes a secret key: *ret_secret is the text of
     * the file to be kept, *ret_public what goes into a profile. key_public tells *ret_public of such a text (`name`: the
     * file's, for messages). Both are malloc()ed and NUL-terminated, public ones one a line; the core wipes the secret. */
    int (*key_new)(struct hf_ctx *, char **ret_secret, char **ret_public);
    int (*key_public)(struct hf_ctx *, const char *name, const char *secret, size_t size, char **ret_public);
};

#ifdef __cplusplus
}
#endif
#endif
