/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/part_reader.h"

#include "base/cancel.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { READER_MAGIC = 0x52454144, IN_SIZE = 256 * 1024, OUT_SIZE = 512 * 1024 };

struct hf_part_reader {
    struct hf_reader base;
    uint32_t magic;
    struct hf_ctx *ctx;
    struct hf_instance *stage;
    char *subject; /* what is read, for messages */

    /* Where stored bytes come from: a range of a sink's object, or a file. */
    struct hf_instance *sink;
    void *get;
    int fd;

    unsigned char *in;
    size_t in_used, in_taken;
    bool in_ended;
    void *stream; /* the stage's */
    bool decoded; /* the stage said that all is decoded */

    unsigned char *out; /* the lent piece begins at out + taken */
    size_t out_used, out_taken;

    const struct hf_manifest_part *part; /* NULL: nothing to hold it against */
    XXH3_state_t *xxh;
    uint64_t raw_bytes;
    bool ended;
    int failed; /* what a call returned that failed: it is final */
};

static struct hf_part_reader *reader_of(struct hf_reader *reader)
{
    struct hf_part_reader *self = (struct hf_part_reader *)reader;

    assert(self != NULL && self->magic == READER_MAGIC);
    return self;
}

static int64_t fetch(struct hf_part_reader *self, unsigned char *space, size_t room)
{
    int64_t got;

    if (self->sink == NULL) {
        do
            got = read(self->fd, space, room);
        while (got < 0 && errno == EINTR);
        return got < 0 ? hf_fail_errno(self->ctx, errno, "read '%s'", self->subject) : got;
    }
    if (self->get == NULL)
        return 0;
    hf_instance_enter(self->sink, self->ctx);
    got = self->sink->loaded->sink.get_read(self->get, self->ctx, space, room);
    if (got > 0 && (uint64_t)got > room)
        got = hf_fail(self->ctx, HF_E_FAIL, "get_read() gave more than it was asked for");
    if (got >= 0) {
        (void)hf_instance_leave(self->sink, self->ctx, HF_OK);
        return got;
    }
    return hf_instance_leave(self->sink, self->ctx, (int)got);
}

static int refill(struct hf_part_reader *self)
{
    int64_t got = fetch(self, self->in, IN_SIZE);

    if (got < 0)
        return (int)got;
    self->in_taken = 0;
    self->in_used = (size_t)got;
    self->in_ended = got == 0;
    return HF_OK;
}

/* One step of the stage; fills `out`. */
static int decode_step(struct hf_part_reader *self)
{
    size_t in = self->in_used - self->in_taken, in_before = in, out = OUT_SIZE;
    int rc;

    hf_instance_enter(self->stage, self->ctx);
    rc = self->stage->loaded->stage.step(self->stream, self->ctx, self->in + self->in_taken, &in, self->out, &out,
                                         self->in_ended);
    rc = hf_instance_leave(self->stage, self->ctx, rc);
    if (rc < 0)
        return hf_wrap(self->ctx, "decode %s", self->subject);
    if (in > in_before || out > OUT_SIZE)
        return hf_fail(self->ctx, HF_E_FAIL, "%s: step() took or made more than there was", self->stage->who);
    self->in_taken += in;
    self->out_used = out;
    self->decoded = rc == HF_END;
    if (rc == HF_OK && in == 0 && out == 0 && self->in_ended)
        return hf_fail(self->ctx, HF_E_CORRUPT, "%s ends too early", self->subject);
    if (rc == HF_OK && in == 0 && out == 0)
        return hf_fail(self->ctx, HF_E_FAIL, "%s: step() neither takes nor makes anything", self->stage->who);
    return HF_OK;
}

/* Makes the next decoded piece; out_used 0 afterwards means that there is no more. */
static int next_piece(struct hf_part_reader *self)
{
    int rc = HF_OK;

    self->out_used = self->out_taken = 0;
    if (self->stage == NULL) {
        int64_t got = fetch(self, self->out, OUT_SIZE);

        self->out_used = got > 0 ? (size_t)got : 0;
        return got < 0 ? (int)got : HF_OK;
    }
    while (rc == HF_OK && self->out_used == 0 && !self->decoded) {
        if (self->in_taken == self->in_used && !self->in_ended)
            rc = refill(self);
        if (rc == HF_OK && hf_cancel_raised(self->ctx->cancel))
            rc = HF_E_CANCELLED; /* input may go on for long without making anything */
        if (rc == HF_OK)
            rc = decode_step(self);
    }
    if (rc == HF_OK && self->decoded && self->out_used == 0 && !self->in_ended && self->in_taken == self->in_used)
        rc = refill(self);
    if (rc == HF_OK && self->out_used == 0 && self->decoded && self->in_taken < self->in_used)
        rc = hf_fail(self->ctx, HF_E_CORRUPT, "%s goes on after its end", self->subject);
    return rc;
}

/* At the end: is it what the manifest says? */
static int check_end(struct hf_part_reader *self)
{
    XXH128_canonical_t canonical;
    char hex[HF_XXH128_HEX];

    self->ended = true;
    if (self->part == NULL)
        return HF_OK;
    if (self->raw_bytes != self->part->raw_size)
        return hf_fail(self->ctx, HF_E_CORRUPT, "%s has %llu bytes, and the manifest says %llu", self->subject,
                       (unsigned long long)self->raw_bytes, (unsigned long long)self->part->raw_size);
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(self->xxh));
    hf_text_hex(canonical.digest, sizeof(canonical.digest), hex);
    if (strcmp(hex, self->part->xxh128) != 0)
        return hf_fail(self->ctx, HF_E_CORRUPT, "%s does not have the digest that the manifest says", self->subject);
    return HF_OK;
}

static int advance(struct hf_part_reader *self)
{
    int rc;

    if (self->failed != HF_OK)
        return self->failed;
    if (self->ended || self->out_taken < self->out_used)
        return HF_OK;
    if (hf_cancel_raised(self->ctx->cancel))
        return self->failed = HF_E_CANCELLED;
    rc = next_piece(self);
    if (rc == HF_OK && self->out_used > 0) {
        self->raw_bytes += self->out_used;
        atomic_fetch_add(&self->ctx->services->done_bytes, self->out_used);
        if (self->part != NULL)
            XXH3_128bits_update(self->xxh, self->out, self->out_used);
        if (self->part != NULL && self->raw_bytes > self->part->raw_size)
            rc = hf_fail(self->ctx, HF_E_CORRUPT, "%s has more than the %llu bytes that the manifest says",
                         self->subject, (unsigned long long)self->part->raw_size);
    } else if (rc == HF_OK) {
        rc = check_end(self);
    }
    return self->failed = rc;
}

static int64_t reader_borrow(struct hf_reader *reader, const void **ret_data)
{
    struct hf_part_reader *self = reader_of(reader);
    int rc = advance(self);
    size_t piece = self->out_used - self->out_taken;

    if (rc != HF_OK || self->ended)
        return rc;
    *ret_data = self->out + self->out_taken;
    self->out_taken = self->out_used;
    return (int64_t)piece;
}

static int64_t reader_read(struct hf_reader *reader, void *data, size_t size)
{
    struct hf_part_reader *self = reader_of(reader);
    int rc = size > 0 ? advance(self) : HF_OK;
    size_t piece = self->out_used - self->out_taken;

    if (rc != HF_OK || self->ended)
        return rc;
    if (piece > size)
        piece = size;
    memcpy(data, self->out + self->out_taken, piece);
    self->out_taken += piece;
    return (int64_t)piece;
}

static int reader_new(struct hf_ctx *ctx, struct hf_instance *stage, int mode, struct hf_part_reader **ret_reader)
{
    struct hf_part_reader *self = hf_alloc(sizeof(*self));
    int rc = HF_OK;

    self->base = (struct hf_reader){.read = reader_read, .borrow = reader_borrow};
    self->magic = READER_MAGIC;
    self->ctx = ctx;
    self->stage = stage;
    self->fd = -1;
    self->in = malloc(IN_SIZE);
    self->out = malloc(OUT_SIZE);
    self->xxh = XXH3_createState();
    if (self->in == NULL || self->out == NULL || self->xxh == NULL)
        rc = hf_fail(ctx, HF_E_NOMEM, "out of memory");
    else
        XXH3_128bits_reset(self->xxh);
    if (rc == HF_OK && stage != NULL) {
        hf_instance_enter(stage, ctx);
        rc = hf_instance_leave(stage, ctx, stage->loaded->stage.decode_open(stage->self, ctx, mode, &self->stream));
    }
    if (rc != HF_OK) {
        hf_part_reader_close(self);
        return rc;
    }
    *ret_reader = self;
    return HF_OK;
}

int hf_part_reader_open(struct hf_ctx *ctx, struct hf_instance *sink, struct hf_instance *stage, const char *key,
                        const struct hf_manifest_part *part, struct hf_part_reader **ret_reader)
{
    struct hf_part_reader *self;
    int rc = reader_new(ctx, stage, HF_DECODE_BLOCKS, &self);

    if (rc != HF_OK)
        return rc;
    self->sink = sink;
    self->part = part;
    self->subject = hf_strf("part '%s' of '%s'", part->name, key);
    if (part->stored_size == 0) {
        self->decoded = self->in_ended = true;
    } else {
        hf_instance_enter(sink, ctx);
        rc = sink->loaded->sink.get_begin(sink->self, ctx, key, part->stored_offset, part->stored_size, &self->get);
        rc = hf_instance_leave(sink, ctx, rc);
    }
    if (rc != HF_OK) {
        hf_part_reader_close(self);
        return rc;
    }
    *ret_reader = self;
    return HF_OK;
}

int hf_part_reader_open_file(struct hf_ctx *ctx, int fd, const char *path, struct hf_instance *stage,
                             struct hf_part_reader **ret_reader)
{
    struct hf_part_reader *self;
    int rc = reader_new(ctx, stage, HF_DECODE_OBJECT, &self);

    if (rc != HF_OK) {
        close(fd);
        return rc;
    }
    self->fd = fd;
    self->subject = hf_strf("'%s'", path);
    *ret_reader = self;
    return HF_OK;
}

struct hf_reader *hf_part_reader_base(struct hf_part_reader *self)
{
    return &self->base;
}

int hf_part_reader_failed(const struct hf_part_reader *self)
{
    return self->failed;
}

int hf_part_reader_finish(struct hf_part_reader *self)
{
    const void *data;
    int64_t got;

    do
        got = reader_borrow(&self->base, &data);
    while (got > 0);
    return (int)got;
}

void hf_part_reader_close(struct hf_part_reader *self)
{
    if (self == NULL)
        return;
    if (self->get != NULL) {
        hf_instance_hold(self->sink);
        self->sink->loaded->sink.get_end(self->get);
        hf_instance_release(self->sink);
    }
    if (self->fd >= 0)
        close(self->fd);
    if (self->stream != NULL) {
        hf_instance_hold(self->stage);
        self->stage->loaded->stage.decode_close(self->stream);
        hf_instance_release(self->stage);
    }
    XXH3_freeState(self->xxh);
    free(self->in);
    free(self->out);
    free(self->subject);
    free(self);
}
