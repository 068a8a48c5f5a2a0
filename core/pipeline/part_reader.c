/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/part_reader.h"

#include "base/cancel.h"
#include "base/memory.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { READER_MAGIC = 0x52454144, OUT_SIZE = 512 * 1024 };

struct hf_part_reader {
    struct hf_reader base;
    uint32_t magic;
    struct hf_ctx *ctx;
    char *subject; /* what is read, for messages                            */
    char *path;    /* of a file                                             */
    struct hf_pull *pull;

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

/* Makes the next decoded piece; out_used 0 afterwards means that there is no more. */
static int next_piece(struct hf_part_reader *self)
{
    int64_t got = self->pull ? hf_pull_read(self->pull, self->ctx, self->out, OUT_SIZE) : 0;

    self->out_taken = 0;
    self->out_used = got > 0 ? (size_t)got : 0;
    return got < 0 ? (int)got : HF_OK;
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

static int reader_new(struct hf_ctx *ctx, struct hf_part_reader **ret_reader)
{
    struct hf_part_reader *self = hf_alloc(sizeof(*self));

    self->base = (struct hf_reader){.read = reader_read, .borrow = reader_borrow};
    self->magic = READER_MAGIC;
    self->ctx = ctx;
    self->out = malloc(OUT_SIZE);
    self->xxh = XXH3_createState();
    if (self->out == NULL || self->xxh == NULL) {
        hf_part_reader_close(self);
        return hf_fail(ctx, HF_E_NOMEM, "out of memory");
    }
    XXH3_128bits_reset(self->xxh);
    *ret_reader = self;
    return HF_OK;
}

int hf_part_reader_open(struct hf_ctx *ctx, struct hf_shelf *shelf, const struct hf_manifest_artifact *artifact,
                        const struct hf_manifest_part *part, struct hf_part_reader **ret_reader)
{
    struct hf_part_reader *self;
    struct hf_instance *block = hf_shelf_block(shelf);
    int rc = reader_new(ctx, &self);

    if (rc != HF_OK)
        return rc;
    self->part = part;
    self->subject = hf_strf("part '%s' of '%s'", part->name, artifact->key);
    if (part->stored_size > 0) {
        struct hf_pull *stored = NULL;

        rc = hf_shelf_pull(shelf, ctx, artifact, part->stored_offset, part->stored_size, self->subject, &stored);
        if (rc == HF_OK && block != NULL)
            rc = hf_pull_decode(ctx, block, HF_DECODE_BLOCKS, stored, self->subject, &self->pull);
        else if (rc == HF_OK)
            self->pull = stored;
    }
    if (rc != HF_OK) {
        hf_part_reader_close(self);
        return rc;
    }
    *ret_reader = self;
    return HF_OK;
}

int hf_part_reader_open_file(struct hf_ctx *ctx, int fd, const char *path, const struct hf_chain *chain,
                             struct hf_part_reader **ret_reader)
{
    struct hf_part_reader *self;
    int rc = reader_new(ctx, &self);

    if (rc != HF_OK) {
        close(fd);
        return rc;
    }
    self->path = hf_strdup(path);
    self->subject = hf_strf("'%s'", path);
    self->pull = hf_pull_file(fd, self->path);
    for (size_t i = chain->count; rc == HF_OK && i-- > 0;) {
        struct hf_pull *below = hf_steal(self->pull);

        rc = hf_pull_decode(ctx, chain->items[i], HF_DECODE_OBJECT, below, self->subject, &self->pull);
    }
    if (rc != HF_OK) {
        hf_part_reader_close(self);
        return rc;
    }
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
    hf_pull_free(self->pull);
    XXH3_freeState(self->xxh);
    free(self->out);
    free(self->subject);
    free(self->path);
    free(self);
}
