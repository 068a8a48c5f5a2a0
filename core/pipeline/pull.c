/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/pull.h"

#include "base/cancel.h"
#include "base/memory.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { IN_SIZE = 256 * 1024 };

struct hf_pull {
    int64_t (*read)(struct hf_pull *, struct hf_ctx *, void *, size_t);
    struct hf_pull *below;
    const char *subject; /* what is read, for messages */

    /* Where bytes come from. */
    struct hf_instance *sink;
    void *get;
    int fd;
    const unsigned char *data;

    /* A slice's, or those of memory. */
    uint64_t skip, left;

    struct hf_instance *stage;
    void *stream;
    unsigned char *in;
    size_t in_used, in_taken;
    bool in_ended, decoded; /* decoded: the stage said that this was all */
};

static struct hf_pull *pull_new(int64_t (*read_it)(struct hf_pull *, struct hf_ctx *, void *, size_t),
                                const char *subject)
{
    struct hf_pull *self = hf_alloc(sizeof(*self));

    self->read = read_it;
    self->subject = subject;
    self->fd = -1;
    return self;
}

int64_t hf_pull_read(struct hf_pull *self, struct hf_ctx *ctx, void *data, size_t size)
{
    return size > 0 ? self->read(self, ctx, data, size) : 0;
}

void hf_pull_free(struct hf_pull *self)
{
    while (self != NULL) {
        struct hf_pull *below = self->below;

        if (self->get != NULL) {
            hf_instance_hold(self->sink);
            self->sink->loaded->sink.get_end(self->get);
            hf_instance_release(self->sink);
        }
        if (self->stream != NULL) {
            hf_instance_hold(self->stage);
            self->stage->loaded->stage.decode_close(self->stream);
            hf_instance_release(self->stage);
        }
        if (self->fd >= 0)
            close(self->fd);
        free(self->in);
        free(self);
        self = below;
    }
}

/* --- where bytes come from --- */

static int64_t read_object(struct hf_pull *self, struct hf_ctx *ctx, void *data, size_t size)
{
    int64_t got;

    hf_instance_enter(self->sink, ctx);
    got = self->sink->loaded->sink.get_read(self->get, ctx, data, size);
    if (got > 0 && (uint64_t)got > size)
        got = hf_fail(ctx, HF_E_FAIL, "get_read() gave more than it was asked for");
    if (got >= 0) {
        (void)hf_instance_leave(self->sink, ctx, HF_OK);
        return got;
    }
    return hf_instance_leave(self->sink, ctx, (int)got);
}

int hf_pull_object(struct hf_ctx *ctx, struct hf_instance *sink, const char *key, uint64_t offset, uint64_t length,
                   struct hf_pull **ret_pull)
{
    struct hf_pull *self = pull_new(read_object, NULL);
    int rc;

    self->sink = sink;
    hf_instance_enter(sink, ctx);
    rc = sink->loaded->sink.get_begin(sink->self, ctx, key, offset, length, &self->get);
    rc = hf_instance_leave(sink, ctx, rc);
    if (rc < 0)
        hf_pull_free(self);
    else
        *ret_pull = self;
    return rc < 0 ? rc : HF_OK;
}

static int64_t read_file(struct hf_pull *self, struct hf_ctx *ctx, void *data, size_t size)
{
    ssize_t got;

    do
        got = read(self->fd, data, size);
    while (got < 0 && errno == EINTR);
    return got < 0 ? hf_fail_errno(ctx, errno, "read '%s'", self->subject) : got;
}

struct hf_pull *hf_pull_file(int fd, const char *path)
{
    struct hf_pull *self = pull_new(read_file, path);

    self->fd = fd;
    return self;
}

static int64_t read_memory(struct hf_pull *self, struct hf_ctx *ctx, void *data, size_t size)
{
    (void)ctx;
    if (size > self->left)
        size = (size_t)self->left;
    memcpy(data, self->data, size);
    self->data += size;
    self->left -= size;
    return (int64_t)size;
}

struct hf_pull *hf_pull_memory(const void *data, size_t size)
{
    struct hf_pull *self = pull_new(read_memory, NULL);

    self->data = data;
    self->left = size;
    return self;
}

/* --- decoding --- */

static int refill(struct hf_pull *self, struct hf_ctx *ctx)
{
    int64_t got = hf_pull_read(self->below, ctx, self->in, IN_SIZE);

    if (got < 0)
        return (int)got;
    self->in_taken = 0;
    self->in_used = (size_t)got;
    self->in_ended = got == 0;
    return HF_OK;
}

/* One step of the stage; *ret_made bytes are in `out`. */
static int decode_step(struct hf_pull *self, struct hf_ctx *ctx, void *out, size_t room, size_t *ret_made)
{
    size_t in = self->in_used - self->in_taken, in_before = in, made = room;
    int rc;

    hf_instance_enter(self->stage, ctx);
    rc = self->stage->loaded->stage.step(self->stream, ctx, self->in + self->in_taken, &in, out, &made, self->in_ended);
    rc = hf_instance_leave(self->stage, ctx, rc);
    if (rc < 0)
        return hf_wrap(ctx, "decode %s", self->subject);
    if (in > in_before || made > room)
        return hf_fail(ctx, HF_E_FAIL, "%s: step() took or made more than there was", self->stage->who);
    self->in_taken += in;
    self->decoded = rc == HF_END;
    *ret_made = made;
    if (rc == HF_OK && in == 0 && made == 0 && self->in_ended)
        return hf_fail(ctx, HF_E_CORRUPT, "%s ends too early", self->subject);
    if (rc == HF_OK && in == 0 && made == 0)
        return hf_fail(ctx, HF_E_FAIL, "%s: step() neither takes nor makes anything", self->stage->who);
    return HF_OK;
}

static int64_t read_decoded(struct hf_pull *self, struct hf_ctx *ctx, void *data, size_t size)
{
    size_t made = 0;
    int rc = HF_OK;

    while (rc == HF_OK && made == 0 && !self->decoded) {
        if (self->in_taken == self->in_used && !self->in_ended)
            rc = refill(self, ctx);
        if (rc == HF_OK && hf_cancel_raised(ctx->cancel))
            rc = HF_E_CANCELLED; /* input may go on for long without making anything */
        if (rc == HF_OK)
            rc = decode_step(self, ctx, data, size, &made);
    }
    if (rc == HF_OK && self->decoded && made == 0 && !self->in_ended && self->in_taken == self->in_used)
        rc = refill(self, ctx);
    if (rc == HF_OK && made == 0 && self->decoded && self->in_taken < self->in_used)
        rc = hf_fail(ctx, HF_E_CORRUPT, "%s goes on after its end", self->subject);
    return rc < 0 ? rc : (int64_t)made;
}

int hf_pull_decoded(struct hf_ctx *ctx, struct hf_instance *stage, void *stream, struct hf_pull *below,
                    const char *subject, struct hf_pull **ret_pull)
{
    struct hf_pull *self = pull_new(read_decoded, subject);

    self->below = below;
    self->stage = stage;
    self->stream = stream;
    self->in = malloc(IN_SIZE);
    if (self->in == NULL) {
        hf_pull_free(self);
        return hf_fail(ctx, HF_E_NOMEM, "out of memory");
    }
    *ret_pull = self;
    return HF_OK;
}

int hf_pull_decode(struct hf_ctx *ctx, struct hf_instance *stage, int mode, struct hf_pull *below, const char *subject,
                   struct hf_pull **ret_pull)
{
    void *stream = NULL;
    int rc;

    hf_instance_enter(stage, ctx);
    rc = hf_instance_leave(stage, ctx, stage->loaded->stage.decode_open(stage->self, ctx, mode, &stream));
    if (rc < 0) {
        hf_pull_free(below);
        return rc;
    }
    return hf_pull_decoded(ctx, stage, stream, below, subject, ret_pull);
}

/* --- a slice --- */

static int64_t read_slice(struct hf_pull *self, struct hf_ctx *ctx, void *data, size_t size)
{
    int64_t got = 1;

    while (self->skip > 0 && got > 0) {
        got = hf_pull_read(self->below, ctx, data, size < self->skip ? size : (size_t)self->skip);
        self->skip -= got > 0 ? (uint64_t)got : 0;
    }
    if (got > 0 && self->left > 0)
        got = hf_pull_read(self->below, ctx, data, size < self->left ? size : (size_t)self->left);
    else if (got > 0)
        return 0;
    if (got == 0)
        return hf_fail(ctx, HF_E_CORRUPT, "%s ends too early", self->subject);
    self->left -= got > 0 ? (uint64_t)got : 0;
    return got;
}

struct hf_pull *hf_pull_slice(struct hf_pull *below, uint64_t skip, uint64_t length, const char *subject)
{
    struct hf_pull *self = pull_new(read_slice, subject);

    self->below = below;
    self->skip = skip;
    self->left = length;
    return self;
}
