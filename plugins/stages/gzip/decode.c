/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoding what gzip, pigz or this stage wrote. The wrapper is read here, byte by byte, as little of it as there is;
 * the deflate data goes to ISA-L in the largest pieces at hand, because that library writes straight into the caller's
 * memory except for 32 KiB at the beginning of each call.
 */
#include "gzip.h"

#include <isa-l.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum place {
    AT_FIXED,     /* the header's ten bytes                                     */
    AT_EXTRA_LEN, /* the optional fields, in this order                         */
    AT_EXTRA,
    AT_NAME,
    AT_COMMENT,
    AT_HEADER_CRC,
    AT_BODY,
    AT_TRAILER,
    AT_NEXT,   /* after a member: another one, padding, or the end              */
    AT_PADDING /* zeros to the end, as tapes and block devices add them         */
};

enum { FLAG_HEADER_CRC = 2, FLAG_EXTRA = 4, FLAG_NAME = 8, FLAG_COMMENT = 16, FLAGS_RESERVED = 0xe0 };
enum { PIECE_MAX = 1 << 30 };

struct stream {
    struct inflate_state inflate;
    enum place place;
    int mode;
    unsigned char field[GZIP_HEADER_SIZE]; /* bytes of the fixed field that is being read */
    unsigned field_used, flags, extra_left;
    uint32_t header_crc, crc, raw_size;
    uint64_t offset;        /* input taken so far, for messages                                       */
    uint32_t tail;          /* the last four bytes of input, in BLOCKS mode                           */
    unsigned char carry[8]; /* what the inflater took and did not use; read before any further input */
    unsigned carry_at, carry_used;
};

struct input {
    const unsigned char *at;
    size_t left;
};

static uint32_t get_le32(const unsigned char *in)
{
    return (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

static int corrupt(const struct stream *stream, struct hf_ctx *ctx, const char *what)
{
    return gzip_host->fail(ctx, HF_E_CORRUPT, "gzip data is damaged near byte %llu: %s",
                           (unsigned long long)stream->offset, what);
}

static void begin_body(struct stream *stream)
{
    stream->place = AT_BODY;
    stream->crc = 0;
    stream->raw_size = 0;
    isal_inflate_reset(&stream->inflate);
}

int gzip_decode_open(void *self, struct hf_ctx *ctx, int mode, void **ret_stream)
{
    (void)self;
    if (mode != HF_DECODE_OBJECT && mode != HF_DECODE_BLOCKS)
        return gzip_host->fail(ctx, HF_E_UNSUPPORTED, "gzip: decode mode %d is not known", mode);
    struct stream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        return gzip_host->fail(ctx, HF_E_NOMEM, "out of memory");
    stream->mode = mode;
    isal_inflate_init(&stream->inflate); /* raw deflate */
    if (mode == HF_DECODE_BLOCKS)
        begin_body(stream);
    *ret_stream = stream;
    return HF_OK;
}

void gzip_decode_close(void *stream)
{
    free(stream);
}

static bool input_empty(const struct stream *stream, const struct input *input)
{
    return stream->carry_at == stream->carry_used && input->left == 0;
}

static unsigned char next_byte(struct stream *stream, struct input *input)
{
    stream->offset++;
    if (stream->carry_at < stream->carry_used)
        return stream->carry[stream->carry_at++];
    input->left--;
    return *input->at++;
}

/* The place after `done` in a header with the stream's flags. */
static void next_place(struct stream *stream, enum place done)
{
    stream->field_used = 0;
    if (done < AT_EXTRA_LEN && stream->flags & FLAG_EXTRA)
        stream->place = AT_EXTRA_LEN;
    else if (done < AT_NAME && stream->flags & FLAG_NAME)
        stream->place = AT_NAME;
    else if (done < AT_COMMENT && stream->flags & FLAG_COMMENT)
        stream->place = AT_COMMENT;
    else if (done < AT_HEADER_CRC && stream->flags & FLAG_HEADER_CRC)
        stream->place = AT_HEADER_CRC;
    else
        begin_body(stream);
}

/* Adds a byte to the fixed field of `size` bytes; true when it is complete. */
static bool field_add(struct stream *stream, unsigned char byte, unsigned size)
{
    stream->field[stream->field_used++] = byte;
    return stream->field_used == size;
}

static int fixed_done(struct stream *stream, struct hf_ctx *ctx)
{
    if (stream->field[0] != 0x1f || stream->field[1] != 0x8b)
        return corrupt(stream, ctx, "not in gzip format");
    if (stream->field[2] != 8)
        return corrupt(stream, ctx, "unknown compression method");
    if (stream->field[3] & FLAGS_RESERVED)
        return corrupt(stream, ctx, "unknown flags in the header");
    stream->flags = stream->field[3];
    next_place(stream, AT_FIXED);
    return HF_OK;
}

static int header_byte(struct stream *stream, struct hf_ctx *ctx, unsigned char byte)
{
    uint32_t crc_before = stream->header_crc;
    stream->header_crc = crc32_gzip_refl(crc_before, &byte, 1);
    switch (stream->place) {
    case AT_FIXED:
        return field_add(stream, byte, GZIP_HEADER_SIZE) ? fixed_done(stream, ctx) : HF_OK;
    case AT_EXTRA_LEN:
        if (field_add(stream, byte, 2)) {
            stream->extra_left = stream->field[0] | (unsigned)stream->field[1] << 8;
            stream->place = AT_EXTRA;
            if (stream->extra_left == 0)
                next_place(stream, AT_EXTRA);
        }
        return HF_OK;
    case AT_EXTRA:
        if (--stream->extra_left == 0)
            next_place(stream, AT_EXTRA);
        return HF_OK;
    case AT_NAME:
    case AT_COMMENT:
        if (byte == 0)
            next_place(stream, stream->place);
        return HF_OK;
    default: /* AT_HEADER_CRC: covers what is before itself */
        stream->header_crc = crc_before;
        if (!field_add(stream, byte, 2))
            return HF_OK;
        if ((stream->header_crc & 0xffff) != (stream->field[0] | (unsigned)stream->field[1] << 8))
            return corrupt(stream, ctx, "the header's checksum is wrong");
        next_place(stream, AT_HEADER_CRC);
        return HF_OK;
    }
}

/* One byte of the wrapper: anything but deflate data. */
static int wrapper_byte(struct stream *stream, struct hf_ctx *ctx, unsigned char byte)
{
    switch (stream->place) {
    case AT_TRAILER:
        if (!field_add(stream, byte, GZIP_TRAILER_SIZE))
            return HF_OK;
        if (get_le32(stream->field) != stream->crc)
            return corrupt(stream, ctx, "the checksum is wrong");
        if (get_le32(stream->field + 4) != stream->raw_size)
            return corrupt(stream, ctx, "the size is wrong");
        stream->place = AT_NEXT;
        return HF_OK;
    case AT_NEXT:
        if (byte == 0) {
            stream->place = AT_PADDING;
            return HF_OK;
        }
        if (byte != 0x1f)
            return corrupt(stream, ctx, "something else follows the compressed data");
        stream->place = AT_FIXED;
        stream->field_used = 0;
        stream->header_crc = 0;
        return header_byte(stream, ctx, byte);
    case AT_PADDING:
        return byte == 0 ? HF_OK : corrupt(stream, ctx, "something else follows the compressed data");
    default:
        return header_byte(stream, ctx, byte);
    }
}

static const char *inflate_message(int status)
{
    switch (status) {
    case ISAL_INVALID_BLOCK:
        return "invalid block";
    case ISAL_INVALID_SYMBOL:
        return "invalid symbol";
    case ISAL_INVALID_LOOKBACK:
        return "a reference to before the beginning";
    default:
        return "cannot be decoded";
    }
}

/* The final deflate block ends within a byte; the whole bytes after it that the inflater holds belong to the trailer.
 */
static void take_back(struct stream *stream)
{
    struct inflate_state *inflate = &stream->inflate;
    int bits = inflate->read_in_length > 0 ? inflate->read_in_length : 0;
    uint64_t held = inflate->read_in >> bits % 8;
    stream->carry_at = 0;
    stream->carry_used = (unsigned)bits / 8;
    for (unsigned i = 0; i < stream->carry_used; i++)
        stream->carry[i] = (unsigned char)(held >> 8 * i & 0xff);
    stream->offset -= stream->carry_used;
    inflate->read_in = 0;
    inflate->read_in_length = 0;
}

static void remember_tail(struct stream *stream, const unsigned char *in, size_t size)
{
    for (size_t i = size > 4 ? size - 4 : 0; i < size; i++)
        stream->tail = stream->tail << 8 | in[i];
}

/* Inflates once; *ret_moved tells whether anything was taken or made. */
static int body(struct stream *stream, struct hf_ctx *ctx, struct input *input, unsigned char **out, size_t *room,
                bool *ret_moved)
{
    struct inflate_state *inflate = &stream->inflate;
    uint32_t give = input->left < PIECE_MAX ? (uint32_t)input->left : PIECE_MAX;
    uint32_t lend = *room < PIECE_MAX ? (uint32_t)*room : PIECE_MAX;
    inflate->next_in = (uint8_t *)input->at; /* the library's type lacks a const */
    inflate->avail_in = give;
    inflate->next_out = *out;
    inflate->avail_out = lend;
    int status = isal_inflate(inflate);
    /* Where it finds damage, its counts may have gone some bytes too far. */
    if (inflate->avail_in > give || inflate->avail_out > lend ||
        (status != ISAL_DECOMP_OK && status != ISAL_END_INPUT && status != ISAL_OUT_OVERFLOW))
        return corrupt(stream, ctx, inflate_message(status));
    uint32_t taken = give - inflate->avail_in, made = lend - inflate->avail_out;
    if (stream->mode == HF_DECODE_OBJECT)
        stream->crc = crc32_gzip_refl(stream->crc, *out, made);
    else
        remember_tail(stream, input->at, taken);
    stream->raw_size += made;
    stream->offset += taken;
    input->at += taken;
    input->left -= taken;
    *out += made;
    *room -= made;
    *ret_moved = taken > 0 || made > 0;
    if (inflate->block_state != ISAL_BLOCK_FINISH)
        return HF_OK;
    if (stream->mode == HF_DECODE_BLOCKS)
        return corrupt(stream, ctx, "the data ends where a block of its middle was expected");
    take_back(stream);
    stream->place = AT_TRAILER;
    stream->field_used = 0;
    *ret_moved = true;
    return HF_OK;
}

/* A run of blocks may end where the last deflate block has, on a byte's edge, after a flush marker. ISAL_BLOCK_HDR with
 * nothing collected is where the inflater goes when it is called there without input. */
static bool at_block_edge(const struct stream *stream)
{
    const struct inflate_state *inflate = &stream->inflate;
    if (stream->offset == 0)
        return true;
    return (inflate->block_state == ISAL_BLOCK_NEW_HDR || inflate->block_state == ISAL_BLOCK_HDR) &&
           inflate->read_in_length == 0 && inflate->tmp_in_size == 0 && stream->tail == 0x0000ffff;
}

/* All input was taken and no more comes. */
static int finish(const struct stream *stream, struct hf_ctx *ctx)
{
    bool whole = stream->mode == HF_DECODE_BLOCKS ? at_block_edge(stream)
                                                  : stream->place == AT_NEXT || stream->place == AT_PADDING;
    return whole ? HF_END : corrupt(stream, ctx, "the data ends too early");
}

int gzip_step(void *opaque, struct hf_ctx *ctx, const void *in, size_t *in_used, void *out, size_t *out_used, int last)
{
    struct stream *stream = opaque;
    struct input input = {in, *in_used};
    unsigned char *at = out;
    size_t room = *out_used;
    int status = HF_OK;
    for (bool moved = true; status == HF_OK && moved;) {
        moved = false;
        if (stream->place == AT_BODY) {
            if (room > 0)
                status = body(stream, ctx, &input, &at, &room, &moved);
        } else if (!input_empty(stream, &input)) {
            status = wrapper_byte(stream, ctx, next_byte(stream, &input));
            moved = true;
        }
    }
    *in_used -= input.left;
    *out_used -= room;
    if (status < 0)
        return status;
    /* Without room, a body may hold back more. */
    bool drained = stream->place != AT_BODY || room > 0;
    return last && drained && input_empty(stream, &input) ? finish(stream, ctx) : HF_OK;
}
