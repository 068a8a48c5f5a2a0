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
    size_t out_room, out_used, out_taken;

    const struct hf_manifest_artifact *artifact;
    const struct hf_manifest_part *part; /* NULL: nothing to hold it against */
    XXH3_state_t *xxh;
    uint64_t raw_bytes; /* decoded, and in the digest */
    bool ended;
    int failed; /* what a call returned that failed: it is final */

    struct hf_copies *copies; /* NULL: there is one only */
    size_t copy;
    uint64_t tried;           /* a bit for each copy                            */
    uint64_t given;           /* bytes given out                                */
    XXH128_hash_t given_hash; /* and their digest, when that is not xxh's state */
    bool hold, given_apart, misled;
};

static struct hf_part_reader *reader_of(struct hf_reader *reader)
{
    struct hf_part_reader *self = (struct hf_part_reader *)reader;

    assert(self != NULL && self->magic == READER_MAGIC);
    return self;
}

/* Makes the next decoded piece, or all of a part that is held; out_used 0 afterwards means that there is no more. */
static int next_piece(struct hf_part_reader *self)
{
    int64_t got = self->pull ? 1 : 0;

    self->out_used = self->out_taken = 0;
    do {
        if (got > 0)
            got = hf_pull_read(self->pull, self->ctx, self->out + self->out_used, self->out_room - self->out_used);
        if (got > 0)
            self->out_used += (size_t)got;
    } while (got > 0 && self->hold && self->out_used < self->out_room);
    if (got < 0)
        self->out_used = 0;
    return got < 0 ? (int)got : HF_OK;
}

static int check_digest(struct hf_part_reader *self)
{
    XXH128_canonical_t canonical;
    char hex[HF_XXH128_HEX];

    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(self->xxh));
    hf_text_hex(canonical.digest, sizeof(canonical.digest), hex);
    if (strcmp(hex, self->part->xxh128) != 0)
        return hf_fail(self->ctx, HF_E_CORRUPT, "%s does not have the digest that the manifest says", self->subject);
    return HF_OK;
}

/* At the end: is it what the manifest says? */
static int check_end(struct hf_part_reader *self)
{
    int rc = HF_OK;

    if (self->part != NULL && self->raw_bytes != self->part->raw_size)
        rc = hf_fail(self->ctx, HF_E_CORRUPT, "%s has %llu bytes, and the manifest says %llu", self->subject,
                     (unsigned long long)self->raw_bytes, (unsigned long long)self->part->raw_size);
    else if (self->part != NULL)
        rc = check_digest(self);
    self->ended = rc == HF_OK;
    return rc;
}

/* The piece at hand, before it is given out: the last one is held against the digest. */
static int take_piece(struct hf_part_reader *self)
{
    const struct hf_manifest_part *part = self->part;
    bool last = part != NULL && self->raw_bytes + self->out_used >= part->raw_size;

    if (last) {
        self->given_hash = XXH3_128bits_digest(self->xxh);
        self->given_apart = true;
    }
    self->raw_bytes += self->out_used;
    if (part != NULL)
        XXH3_128bits_update(self->xxh, self->out, self->out_used);
    if (part != NULL && self->raw_bytes > part->raw_size)
        return hf_fail(self->ctx, HF_E_CORRUPT, "%s has more than the %llu bytes that the manifest says", self->subject,
                       (unsigned long long)part->raw_size);
    return last ? check_digest(self) : HF_OK;
}

static int step(struct hf_part_reader *self)
{
    int rc = next_piece(self);

    if (rc != HF_OK)
        return rc;
    if (self->out_used == 0)
        return check_end(self);
    rc = take_piece(self);
    if (rc != HF_OK)
        return rc;
    self->given += self->out_used;
    self->given_apart = false;
    atomic_fetch_add(&self->ctx->services->done_bytes, self->out_used);
    return HF_OK;
}

/* --- other copies --- */

static int open_part(struct hf_part_reader *self, struct hf_shelf *shelf)
{
    struct hf_instance *block = hf_shelf_block(shelf);
    struct hf_pull *stored = NULL;
    int rc;

    if (self->part->stored_size == 0)
        return HF_OK;
    rc = hf_shelf_pull(shelf, self->ctx, self->artifact, self->part->stored_offset, self->part->stored_size,
                       self->subject, &stored);
    if (rc == HF_OK && block != NULL)
        return hf_pull_decode(self->ctx, block, HF_DECODE_BLOCKS, stored, self->subject, &self->pull);
    self->pull = stored;
    return rc;
}

static void rewind_part(struct hf_part_reader *self)
{
    hf_pull_free(hf_steal(self->pull));
    self->out_used = self->out_taken = 0;
    self->raw_bytes = 0;
    self->given_apart = false;
    XXH3_128bits_reset(self->xxh);
}

/* Reads on to `until` without giving anything out; to the end and beyond the last byte with UINT64_MAX. */
static int pass_over(struct hf_part_reader *self, uint64_t until)
{
    while (self->raw_bytes < until) {
        uint64_t left = until - self->raw_bytes;
        int64_t got = self->pull == NULL ? 0
                                         : hf_pull_read(self->pull, self->ctx, self->out,
                                                        left < self->out_room ? (size_t)left : self->out_room);

        if (got < 0)
            return (int)got;
        if (got == 0)
            return until == UINT64_MAX ? HF_OK : hf_fail(self->ctx, HF_E_CORRUPT, "%s ends too early", self->subject);
        XXH3_128bits_update(self->xxh, self->out, (size_t)got);
        self->raw_bytes += (uint64_t)got;
        if (hf_cancel_raised(self->ctx->cancel))
            return HF_E_CANCELLED;
    }
    return HF_OK;
}

/* Brings the copy at hand to where the one before it failed. When what was given out is not what this one has, and this
 * one is right, the reader was misled. */
static int catch_up(struct hf_part_reader *self, XXH128_hash_t given_hash)
{
    int rc = open_part(self, hf_copies_shelf(self->copies, self->copy));

    if (rc == HF_OK)
        rc = pass_over(self, self->given);
    if (rc != HF_OK || self->given == 0 || XXH128_isEqual(XXH3_128bits_digest(self->xxh), given_hash))
        return rc;
    rc = pass_over(self, UINT64_MAX);
    if (rc == HF_OK)
        rc = check_end(self);
    self->ended = false;
    self->misled = rc == HF_OK;
    return rc;
}

/* Failures of which another copy knows nothing. */
static bool of_copy(int rc)
{
    return rc != HF_E_CANCELLED && rc != HF_E_NOMEM && rc != HF_E_UNSUPPORTED && rc != HF_E_CONFIG;
}

/* After a failure, which is in the ctx: goes on with the next copy that can. Otherwise the failure stays. */
static int turn_elsewhere(struct hf_part_reader *self, int rc)
{
    XXH128_hash_t given_hash = self->given_apart ? self->given_hash : XXH3_128bits_digest(self->xxh);
    struct hf_error first = {0};

    while (rc < 0 && of_copy(rc) && !self->misled) {
        size_t next;

        hf_copies_mark(self->copies, self->copy, self->part, &self->ctx->error);
        hf_error_merge(&first, &self->ctx->error);
        next = hf_copies_choose(self->copies, self->ctx, self->artifact, self->part, self->tried);
        if (next == SIZE_MAX)
            break;
        self->copy = next;
        self->tried |= (uint64_t)1 << next;
        rewind_part(self);
        rc = catch_up(self, given_hash);
    }
    if (rc == HF_E_CANCELLED || (rc == HF_OK && !self->misled)) {
        hf_error_clear(&first);
        return rc;
    }
    hf_error_clear(&self->ctx->error);
    hf_error_merge(&self->ctx->error, &first);
    return self->ctx->error.code;
}

static int advance(struct hf_part_reader *self)
{
    int rc;

    if (self->failed != HF_OK)
        return self->failed;
    if (self->ended || self->out_taken < self->out_used)
        return HF_OK;
    do {
        if (hf_cancel_raised(self->ctx->cancel))
            return self->failed = HF_E_CANCELLED;
        rc = step(self);
        if (rc == HF_OK || self->copies == NULL)
            break;
        self->out_used = self->out_taken = 0; /* none of it is given out */
        rc = turn_elsewhere(self, rc);
    } while (rc == HF_OK);
    if (rc != HF_OK)
        self->out_used = self->out_taken = 0;
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

static int reader_new(struct hf_ctx *ctx, size_t room, struct hf_part_reader **ret_reader)
{
    struct hf_part_reader *self = hf_alloc(sizeof(*self));

    self->base = (struct hf_reader){.read = reader_read, .borrow = reader_borrow};
    self->magic = READER_MAGIC;
    self->ctx = ctx;
    self->out_room = room;
    self->out = malloc(room);
    self->xxh = XXH3_createState();
    if (self->out == NULL || self->xxh == NULL) {
        hf_part_reader_close(self);
        return hf_fail(ctx, HF_E_NOMEM, "out of memory");
    }
    XXH3_128bits_reset(self->xxh);
    *ret_reader = self;
    return HF_OK;
}

static int new_for_part(struct hf_ctx *ctx, size_t room, const struct hf_manifest_artifact *artifact,
                        const struct hf_manifest_part *part, struct hf_part_reader **ret_reader)
{
    int rc = reader_new(ctx, room, ret_reader);

    if (rc != HF_OK)
        return rc;
    (*ret_reader)->artifact = artifact;
    (*ret_reader)->part = part;
    (*ret_reader)->subject = hf_strf("part '%s' of '%s'", part->name, artifact->key);
    return HF_OK;
}

int hf_part_reader_open(struct hf_ctx *ctx, struct hf_shelf *shelf, const struct hf_manifest_artifact *artifact,
                        const struct hf_manifest_part *part, struct hf_part_reader **ret_reader)
{
    struct hf_part_reader *self;
    int rc = new_for_part(ctx, OUT_SIZE, artifact, part, &self);

    if (rc != HF_OK)
        return rc;
    rc = open_part(self, shelf);
    if (rc != HF_OK) {
        hf_part_reader_close(self);
        return rc;
    }
    *ret_reader = self;
    return HF_OK;
}

int hf_part_reader_open_copies(struct hf_ctx *ctx, struct hf_copies *copies,
                               const struct hf_manifest_artifact *artifact, const struct hf_manifest_part *part,
                               struct hf_part_reader **ret_reader)
{
    bool hold = hf_copies_count(copies) > 1 && part->raw_size <= HF_HOLD_MAX;
    /* A byte more than it must have, to see that it has no more. */
    size_t room = hold ? (size_t)part->raw_size + 1 : OUT_SIZE;
    struct hf_part_reader *self;
    int rc = new_for_part(ctx, room, artifact, part, &self);

    if (rc != HF_OK)
        return rc;
    self->copies = copies;
    self->hold = hold;
    self->copy = hf_copies_choose(copies, ctx, artifact, part, 0);
    if (self->copy == SIZE_MAX)
        rc = hf_fail(ctx, HF_E_CORRUPT, "no sink has %s as the manifest says", self->subject);
    if (rc == HF_OK) {
        self->tried = (uint64_t)1 << self->copy;
        rc = open_part(self, hf_copies_shelf(copies, self->copy));
        if (rc != HF_OK)
            rc = turn_elsewhere(self, rc);
    }
    if (rc != HF_OK) {
        hf_part_reader_close(self);
        return rc;
    }
    *ret_reader = self;
    return HF_OK;
}

bool hf_part_reader_misled(const struct hf_part_reader *self)
{
    return self->misled;
}

int hf_part_reader_open_file(struct hf_ctx *ctx, int fd, const char *path, const struct hf_chain *chain,
                             struct hf_part_reader **ret_reader)
{
    struct hf_part_reader *self;
    int rc = reader_new(ctx, OUT_SIZE, &self);

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
