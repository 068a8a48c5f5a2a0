/* SPDX-License-Identifier: Apache-2.0
 *
 * The frames that a segment is made of:
 *
 *   u32 big-endian payload length | u32 big-endian CRC-32 (zlib's) of the payload | payload: one JSON object, UTF-8
 *
 * The walker takes a segment's bytes in pieces of any size and calls back once for each whole frame. It keeps no more
 * than FRAME_GATHER_MAX bytes, whatever the input claims.
 */
#ifndef LEDGER_FRAME_H
#define LEDGER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEAD 8u
/* The smallest JSON object is "{}". A segment rolls over at 10 MiB; a length above 64 MiB can only be damage. */
#define FRAME_PAYLOAD_MIN 2u
#define FRAME_PAYLOAD_MAX (64u << 20)
/* Of a payload that arrives in several pieces, only this many last bytes are shown to the callback. */
#define FRAME_GATHER_MAX (1u << 20)

struct frame {
    uint64_t offset; /* of the frame's head in the segment                                                       */
    uint32_t length; /* of the payload                                                                           */
    bool crc_ok;
    const unsigned char *payload; /* its last `payload_size` bytes; all of it when payload_size equals length    */
    size_t payload_size;
};

/* How the bytes seen so far end. */
enum frame_end {
    FRAME_END_WHOLE = 0, /* at a frame's boundary                                                                */
    FRAME_END_TORN,      /* within a frame                                                                       */
    FRAME_END_LOST       /* a length that cannot be; where the next frame begins is not known                    */
};

struct frame_walk {
    void (*frame)(void *arg, const struct frame *);
    void *arg;
    uint64_t boundary; /* end of the last whole frame                                                            */
    uint64_t offset;   /* bytes seen                                                                             */
    unsigned char head[FRAME_HEAD];
    uint32_t head_have;
    uint32_t length, crc_want, crc;
    uint32_t left; /* of the payload                                                                             */
    bool lost;
    unsigned char *gather;
    size_t gather_room, gather_have;
};

void frame_walk_init(struct frame_walk *walk, void (*frame)(void *arg, const struct frame *), void *arg);
/* 0, or HF_E_NOMEM. */
int frame_walk_feed(struct frame_walk *walk, const void *data, size_t size);
enum frame_end frame_walk_end(const struct frame_walk *walk);
void frame_walk_clear(struct frame_walk *walk);

/* Reads a head; false when its length cannot be. */
bool frame_head_parse(const unsigned char head[FRAME_HEAD], uint32_t *ret_length, uint32_t *ret_crc);

/* CRC-32 as zlib's crc32(), an order of magnitude faster. */
uint32_t frame_crc(uint32_t crc, const void *data, size_t size);

/* A quick look for the last "ledger_sequence" in a payload, without parsing it as JSON. */
bool frame_sequence(const unsigned char *payload, size_t size, uint64_t *ret_sequence);

#endif
