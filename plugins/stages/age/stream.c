/* SPDX-License-Identifier: Apache-2.0
 *
 * The chunks: 64 KiB each, numbered in their nonces, the last one marked. So a chunk that is changed, moved, left out
 * or put in does not open, and a file that is cut short has no last one.
 */
#include "age.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER_STEP = 1024 }; /* what is taken of the input at once, until the header is whole */

static void make_nonce(uint64_t index, bool last, unsigned char ret_nonce[12])
{
    memset(ret_nonce, 0, 12);
    for (int i = 0; i < 8; i++)
        ret_nonce[10 - i] = (unsigned char)(index >> 8 * i & 0xff);
    ret_nonce[11] = last;
}

static int stream_key(struct hf_ctx *ctx, const unsigned char *file_key, const unsigned char *nonce,
                      unsigned char *ret_key)
{
    if (age_hkdf(file_key, AGE_FILE_KEY_SIZE, nonce, AGE_NONCE_SIZE, "payload", ret_key) != 0)
        return age_host->fail(ctx, HF_E_FAIL, "HKDF-SHA256 is not available in this OpenSSL");
    return HF_OK;
}

/* --- encoding --- */

struct frame {
    struct age *age;
    unsigned char *key; /* age_secret_alloc */
};

size_t age_bound(void *self, size_t size)
{
    (void)self;
    return size + AGE_TAG_SIZE;
}

int age_frame_open(void *self, struct hf_ctx *ctx, void **ret_frame)
{
    struct frame *frame = calloc(1, sizeof(*frame));

    if (frame == NULL || (frame->key = age_secret_alloc(AGE_KEY_SIZE)) == NULL) {
        free(frame);
        return age_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    frame->age = self;
    *ret_frame = frame;
    return HF_OK;
}

void age_frame_close(void *opaque)
{
    struct frame *frame = opaque;

    age_secret_free(frame->key, AGE_KEY_SIZE);
    free(frame);
}

int age_write_header(void *opaque, struct hf_ctx *ctx, void *out, size_t *out_size)
{
    struct frame *frame = opaque;
    unsigned char file_key[AGE_FILE_KEY_SIZE], nonce[AGE_NONCE_SIZE];
    struct age_text header = {0};
    int rc = HF_OK;

    if (age_random(file_key, sizeof(file_key)) != 0 || age_random(nonce, sizeof(nonce)) != 0)
        rc = age_host->fail(ctx, HF_E_FAIL, "OpenSSL has no random numbers");
    if (rc == HF_OK)
        rc = age_lock(frame->age, ctx, file_key, &header);
    if (rc == HF_OK)
        rc = stream_key(ctx, file_key, nonce, frame->key);
    if (rc == HF_OK && header.used + sizeof(nonce) > *out_size)
        rc = age_host->fail(ctx, HF_E_CONFIG, "there are too many recipients");
    if (rc == HF_OK) {
        memcpy(out, header.data, header.used);
        memcpy((char *)out + header.used, nonce, sizeof(nonce));
        *out_size = header.used + sizeof(nonce);
    }
    age_wipe(file_key, sizeof(file_key));
    free(header.data);
    return rc;
}

int age_encode_chunk(void *opaque, struct hf_ctx *ctx, uint64_t index, int last, const void *in, size_t size, void *out,
                     size_t *out_size)
{
    struct frame *frame = opaque;
    unsigned char nonce[12];

    make_nonce(index, last, nonce);
    if (*out_size < size + AGE_TAG_SIZE || age_seal(frame->key, nonce, in, size, out) != 0)
        return age_host->fail(ctx, HF_E_FAIL, "ChaCha20-Poly1305 failed");
    *out_size = size + AGE_TAG_SIZE;
    return HF_OK;
}

int age_trailer(void *frame, struct hf_ctx *ctx, void *out, size_t *out_size)
{
    (void)frame, (void)ctx, (void)out;
    *out_size = 0;
    return HF_END;
}

/* --- decoding --- */

enum place { AT_HEADER, AT_NONCE, AT_CHUNKS, AT_END };

struct stream {
    struct age *age;
    unsigned char *key; /* age_secret_alloc: the file key until the nonce is there, then the stream's */
    enum place place;
    struct age_text header;
    uint64_t begin; /* where the chunks begin in the file */
    uint64_t index; /* of the next chunk                  */

    bool from_middle; /* then these are known: */
    uint64_t stop;    /* the chunk not to be read any more */
    uint64_t last;    /* the file's last chunk              */
    size_t last_size; /* and its size                       */

    unsigned char *held; /* AGE_SEALED_SIZE: input of a chunk that is not whole yet */
    size_t held_used;
    unsigned char *plain; /* AGE_CHUNK_SIZE: output for which there was no room; NULL until then */
    size_t plain_at, plain_used;
};

struct io {
    const unsigned char *in;
    size_t in_left;
    unsigned char *out;
    size_t out_left;
    bool last;
};

static int stream_new(struct age *age, struct hf_ctx *ctx, struct stream **ret_stream)
{
    struct stream *stream = calloc(1, sizeof(*stream));

    if (stream != NULL) {
        stream->age = age;
        stream->key = age_secret_alloc(AGE_KEY_SIZE);
        stream->held = malloc(AGE_SEALED_SIZE);
    }
    if (stream == NULL || stream->key == NULL || stream->held == NULL) {
        age_decode_close(stream);
        return age_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    *ret_stream = stream;
    return HF_OK;
}

void age_decode_close(void *opaque)
{
    struct stream *stream = opaque;

    if (stream == NULL)
        return;
    age_secret_free(stream->key, AGE_KEY_SIZE);
    free(stream->header.data);
    free(stream->held);
    free(stream->plain);
    free(stream);
}

int age_decode_open(void *self, struct hf_ctx *ctx, int mode, void **ret_stream)
{
    struct stream *stream;
    int rc;

    if (mode != HF_DECODE_OBJECT)
        return age_host->fail(ctx, HF_E_UNSUPPORTED, "age: decode mode %d is not known", mode);
    rc = stream_new(self, ctx, &stream);
    if (rc == HF_OK)
        *ret_stream = stream;
    return rc;
}

static int corrupt_chunk(const struct stream *stream, struct hf_ctx *ctx, size_t size, const char *problem)
{
    uint64_t from = stream->begin + stream->index * AGE_SEALED_SIZE;

    return age_host->fail(ctx, HF_E_CORRUPT, "age data is damaged: chunk %llu (bytes %llu to %llu of the file) %s",
                          (unsigned long long)stream->index, (unsigned long long)from,
                          (unsigned long long)(from + size), problem);
}

/* Why did it not open? */
static int explain(const struct stream *stream, struct hf_ctx *ctx, const unsigned char *in, size_t size, bool last,
                   unsigned char *scratch)
{
    unsigned char nonce[12];

    make_nonce(stream->index, !last, nonce);
    if (age_open_sealed(stream->key, nonce, in, size, scratch) != 0)
        return corrupt_chunk(stream, ctx, size, "does not authenticate");
    memset(scratch, 0, size - AGE_TAG_SIZE);
    return last ? corrupt_chunk(stream, ctx, size,
                                "is not the last one, and yet nothing follows: the file was cut short")
                : corrupt_chunk(stream, ctx, size, "is the last one, and yet something follows");
}

/* Opens one chunk, into the caller's room if there is enough of it. */
static int open_chunk(struct stream *stream, struct hf_ctx *ctx, struct io *io, const unsigned char *in, size_t size,
                      bool last)
{
    size_t plain = size - AGE_TAG_SIZE;
    unsigned char *out = io->out, nonce[12];
    bool direct = io->out_left >= AGE_CHUNK_SIZE;

    if (size < AGE_TAG_SIZE)
        return corrupt_chunk(stream, ctx, size, "is cut short");
    if (plain == 0 && stream->index > 0)
        return corrupt_chunk(stream, ctx, size, "is an empty one, as only that of an empty file may be");
    if (!direct) {
        if (stream->plain == NULL && (stream->plain = malloc(AGE_CHUNK_SIZE)) == NULL)
            return age_host->fail(ctx, HF_E_NOMEM, "out of memory");
        out = stream->plain;
    }
    make_nonce(stream->index, last, nonce);
    if (age_open_sealed(stream->key, nonce, in, size, out) != 0)
        return explain(stream, ctx, in, size, last, out);
    if (direct) {
        io->out += plain;
        io->out_left -= plain;
    } else {
        stream->plain_at = 0;
        stream->plain_used = plain;
    }
    stream->index++;
    if (last || (stream->from_middle && stream->index == stream->stop))
        stream->place = AT_END;
    return HF_OK;
}

static size_t hold(struct stream *stream, struct io *io, size_t want)
{
    size_t piece = want - stream->held_used;

    piece = piece < io->in_left ? piece : io->in_left;
    if (piece > 0)
        memcpy(stream->held + stream->held_used, io->in, piece);
    stream->held_used += piece;
    io->in += piece;
    io->in_left -= piece;
    return piece;
}

/* *ret_moved: something was taken or made. */
static int step_chunks(struct stream *stream, struct hf_ctx *ctx, struct io *io, bool *ret_moved)
{
    bool known_last = stream->from_middle && stream->index == stream->last;
    size_t want = known_last ? stream->last_size : AGE_SEALED_SIZE;
    size_t size = stream->held_used;
    bool last = known_last;
    int rc;

    /* A whole chunk at hand, and, from the beginning, more behind it: then it is not the last. */
    if (size == 0 && io->in_left >= want + (stream->from_middle ? 0 : 1)) {
        *ret_moved = true;
        io->in += want;
        io->in_left -= want;
        return open_chunk(stream, ctx, io, io->in - want, want, known_last);
    }
    *ret_moved = hold(stream, io, want) > 0;
    size = stream->held_used;
    if (!stream->from_middle) {
        if (io->in_left == 0 && !io->last)
            return HF_OK;
        last = io->in_left == 0;
    } else if (size < want) {
        return io->last && io->in_left == 0 ? corrupt_chunk(stream, ctx, size, "is cut short") : HF_OK;
    }
    *ret_moved = true;
    rc = open_chunk(stream, ctx, io, stream->held, size, last);
    stream->held_used = 0;
    return rc;
}

static int step_header(struct stream *stream, struct hf_ctx *ctx, struct io *io, bool *ret_moved)
{
    size_t piece = io->in_left < HEADER_STEP ? io->in_left : HEADER_STEP, size = 0;
    int rc;

    if (piece == 0)
        return io->last ? age_host->fail(ctx, HF_E_CORRUPT, "age data is damaged: it ends within its header") : HF_OK;
    if (age_text_add(&stream->header, io->in, piece) != 0)
        return age_host->fail(ctx, HF_E_NOMEM, "out of memory");
    io->in += piece;
    io->in_left -= piece;
    *ret_moved = true;
    rc = age_unlock(stream->age, ctx, stream->header.data, stream->header.used, stream->key, &size);
    if (rc != HF_OK)
        return rc == HF_END ? HF_OK : rc;
    stream->begin = size + AGE_NONCE_SIZE;
    stream->held_used = stream->header.used - size; /* less than HEADER_STEP */
    memcpy(stream->held, stream->header.data + size, stream->held_used);
    stream->place = AT_NONCE;
    return HF_OK;
}

static int step_nonce(struct stream *stream, struct hf_ctx *ctx, struct io *io, bool *ret_moved)
{
    int rc;

    if (stream->held_used < AGE_NONCE_SIZE) {
        *ret_moved = hold(stream, io, AGE_NONCE_SIZE) > 0;
        if (stream->held_used < AGE_NONCE_SIZE)
            return io->last && io->in_left == 0
                       ? age_host->fail(ctx, HF_E_CORRUPT, "age data is damaged: it ends behind its header")
                       : HF_OK;
    }
    rc = stream_key(ctx, stream->key, stream->held, stream->key);
    stream->held_used -= AGE_NONCE_SIZE;
    memmove(stream->held, stream->held + AGE_NONCE_SIZE, stream->held_used);
    stream->place = AT_CHUNKS;
    *ret_moved = true;
    return rc;
}

static bool drain(struct stream *stream, struct io *io)
{
    size_t piece = stream->plain_used - stream->plain_at;

    piece = piece < io->out_left ? piece : io->out_left;
    if (piece == 0)
        return false;
    memcpy(io->out, stream->plain + stream->plain_at, piece);
    stream->plain_at += piece;
    io->out += piece;
    io->out_left -= piece;
    return true;
}

int age_step(void *opaque, struct hf_ctx *ctx, const void *in, size_t *in_used, void *out, size_t *out_used, int last)
{
    struct stream *stream = opaque;
    struct io io = {in, *in_used, out, *out_used, last != 0};
    int rc = HF_OK;

    for (bool moved = true; rc == HF_OK && moved;) {
        moved = drain(stream, &io);
        if (stream->plain_at < stream->plain_used)
            break; /* no room */
        switch (stream->place) {
        case AT_HEADER:
            rc = step_header(stream, ctx, &io, &moved);
            break;
        case AT_NONCE:
            rc = step_nonce(stream, ctx, &io, &moved);
            break;
        case AT_CHUNKS:
            if (io.out_left > 0)
                rc = step_chunks(stream, ctx, &io, &moved);
            break;
        case AT_END:
            break;
        }
    }
    *in_used -= io.in_left;
    *out_used -= io.out_left;
    if (rc < 0)
        return rc;
    return stream->place == AT_END && stream->plain_at == stream->plain_used ? HF_END : HF_OK;
}

/* --- from the middle --- */

struct seek {
    struct age *age;
    unsigned char *key; /* age_secret_alloc */
    uint64_t begin;     /* where the chunks begin */
    uint64_t last;      /* the last chunk's index */
    size_t last_size;
};

/* The chunks' places follow from the file's size alone; that it has the right one, the last chunk proves when it is
 * read. */
static int measure(struct hf_ctx *ctx, struct seek *seek, uint64_t object_size, uint64_t *ret_size)
{
    uint64_t chunks = object_size > seek->begin ? object_size - seek->begin : 0;
    uint64_t rest = chunks % AGE_SEALED_SIZE;

    seek->last = chunks == 0 ? 0 : (chunks - 1) / AGE_SEALED_SIZE;
    seek->last_size = rest == 0 && chunks > 0 ? AGE_SEALED_SIZE : (size_t)rest;
    if (seek->last_size < AGE_TAG_SIZE || (seek->last_size == AGE_TAG_SIZE && seek->last > 0))
        return age_host->fail(ctx, HF_E_CORRUPT, "age data is damaged: no file has %llu bytes: it was cut short",
                              (unsigned long long)object_size);
    *ret_size = seek->last * AGE_CHUNK_SIZE + seek->last_size - AGE_TAG_SIZE;
    return HF_OK;
}

int age_seek_open(void *self, struct hf_ctx *ctx, const void *head, size_t head_size, uint64_t object_size,
                  uint64_t *ret_size, void **ret_seek)
{
    unsigned char *key = age_secret_alloc(AGE_KEY_SIZE);
    struct seek *seek = calloc(1, sizeof(*seek));
    size_t header_size = 0;
    int rc;

    if (seek == NULL || key == NULL)
        rc = age_host->fail(ctx, HF_E_NOMEM, "out of memory");
    else if (head_size == 0)
        rc = HF_END;
    else
        rc = age_unlock(self, ctx, head, head_size, key, &header_size);
    if (rc == HF_OK && head_size - header_size < AGE_NONCE_SIZE)
        rc = HF_END;
    if (rc == HF_OK) {
        seek->begin = header_size + AGE_NONCE_SIZE;
        rc = stream_key(ctx, key, (const unsigned char *)head + header_size, key);
    }
    if (rc == HF_OK)
        rc = measure(ctx, seek, object_size, ret_size);
    if (rc != HF_OK) {
        age_secret_free(key, AGE_KEY_SIZE);
        free(seek);
        return rc;
    }
    seek->age = self;
    seek->key = key;
    *ret_seek = seek;
    return HF_OK;
}

int age_seek_range(void *opaque, struct hf_ctx *ctx, uint64_t offset, uint64_t length, struct hf_extent *ret_extent,
                   void **ret_stream)
{
    const struct seek *seek = opaque;
    uint64_t first = offset / AGE_CHUNK_SIZE, final = (offset + length - 1) / AGE_CHUNK_SIZE;
    struct stream *stream;
    int rc = stream_new(seek->age, ctx, &stream);

    if (rc != HF_OK)
        return rc;
    memcpy(stream->key, seek->key, AGE_KEY_SIZE);
    stream->place = AT_CHUNKS;
    stream->from_middle = true;
    stream->begin = seek->begin;
    stream->index = first;
    stream->stop = final + 1;
    stream->last = seek->last;
    stream->last_size = seek->last_size;
    ret_extent->offset = seek->begin + first * AGE_SEALED_SIZE;
    ret_extent->length = (final - first) * AGE_SEALED_SIZE + (final == seek->last ? seek->last_size : AGE_SEALED_SIZE);
    ret_extent->skip = offset % AGE_CHUNK_SIZE;
    *ret_stream = stream;
    return HF_OK;
}

void age_seek_close(void *opaque)
{
    struct seek *seek = opaque;

    age_secret_free(seek->key, AGE_KEY_SIZE);
    free(seek);
}
