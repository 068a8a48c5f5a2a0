/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/shelf.h"

#include "base/memory.h"

#include <assert.h>
#include <pthread.h>

enum { HEAD_FIRST = 4096, HEAD_MAX = 1024 * 1024 };

/* One chunk stage of one artifact. */
struct seek {
    void *seek;    /* the stage's                        */
    uint64_t size; /* of what it decodes to, all in all */
};

struct place {
    pthread_mutex_t lock; /* guards what follows, until opened */
    struct seek *seeks;   /* one per chunk stage, in the order of encoding; NULL: not opened yet */
};

struct hf_shelf {
    struct hf_instance *sink;
    const struct hf_chain *chain;
    struct hf_instance *const *stages; /* the chunk stages */
    size_t stage_count;
    const struct hf_manifest *manifest;
    struct place *places; /* one per artifact */
};

struct hf_shelf *hf_shelf_new(struct hf_instance *sink, const struct hf_chain *chain,
                              const struct hf_manifest *manifest)
{
    struct hf_shelf *shelf = hf_alloc(sizeof(*shelf));

    shelf->sink = sink;
    shelf->chain = chain;
    shelf->stages = hf_chain_chunked(chain, &shelf->stage_count);
    shelf->manifest = manifest;
    shelf->places = hf_alloc_array(manifest->artifact_count + 1, sizeof(*shelf->places));
    for (size_t i = 0; i < manifest->artifact_count; i++)
        pthread_mutex_init(&shelf->places[i].lock, NULL);
    return shelf;
}

static void close_seeks(const struct hf_shelf *shelf, struct seek *seeks)
{
    for (size_t i = 0; seeks != NULL && i < shelf->stage_count; i++) {
        if (seeks[i].seek == NULL)
            continue;
        hf_instance_hold(shelf->stages[i]);
        shelf->stages[i]->loaded->stage.seek_close(seeks[i].seek);
        hf_instance_release(shelf->stages[i]);
    }
    free(seeks);
}

void hf_shelf_free(struct hf_shelf *shelf)
{
    if (shelf == NULL)
        return;
    for (size_t i = 0; i < shelf->manifest->artifact_count; i++) {
        close_seeks(shelf, shelf->places[i].seeks);
        pthread_mutex_destroy(&shelf->places[i].lock);
    }
    free(shelf->places);
    free(shelf);
}

struct hf_instance *hf_shelf_block(const struct hf_shelf *shelf)
{
    return hf_chain_block(shelf->chain);
}

/* The input of chunk stage `level`, or, with level = stage_count, what is stored: from `offset`, `length` bytes. Stages
 * from `level` on are opened. */
static int pull_level(struct hf_shelf *shelf, struct hf_ctx *ctx, const struct hf_manifest_artifact *artifact,
                      const struct seek *seeks, size_t level, uint64_t offset, uint64_t length, const char *subject,
                      struct hf_pull **ret_pull)
{
    struct hf_extent extent = {.size = sizeof(extent)};
    struct hf_instance *stage;
    struct hf_pull *pull = NULL;
    void *stream = NULL;
    uint64_t size, end;
    int rc;

    if (level == shelf->stage_count)
        return hf_pull_object(ctx, shelf->sink, artifact->key, offset, length, ret_pull);
    if (length == 0) {
        *ret_pull = hf_pull_memory("", 0);
        return HF_OK;
    }
    stage = shelf->stages[level];
    if (__builtin_add_overflow(offset, length, &end) || end > seeks[level].size)
        return hf_fail(ctx, HF_E_CORRUPT, "%s lies beyond the end of what is stored", subject);
    hf_instance_enter(stage, ctx);
    rc = stage->loaded->stage.seek_range(seeks[level].seek, ctx, offset, length, &extent, &stream);
    rc = hf_instance_leave(stage, ctx, rc);
    if (rc < 0)
        return rc;
    size = level + 1 < shelf->stage_count ? seeks[level + 1].size : artifact->bytes;
    if (__builtin_add_overflow(extent.offset, extent.length, &end) || end > size)
        rc = hf_fail(ctx, HF_E_FAIL, "%s: seek_range() wants to read beyond the end", stage->who);
    if (rc == HF_OK)
        rc = pull_level(shelf, ctx, artifact, seeks, level + 1, extent.offset, extent.length, subject, &pull);
    if (rc < 0) {
        hf_instance_hold(stage);
        stage->loaded->stage.decode_close(stream);
        hf_instance_release(stage);
        return rc;
    }
    rc = hf_pull_decoded(ctx, stage, stream, pull, subject, &pull);
    if (rc == HF_OK)
        *ret_pull = hf_pull_slice(pull, extent.skip, length, subject);
    return rc;
}

static int read_whole(struct hf_ctx *ctx, struct hf_pull *pull, unsigned char *data, size_t size)
{
    size_t have = 0;
    int64_t got = 1;

    while (have < size && (got = hf_pull_read(pull, ctx, data + have, size - have)) > 0)
        have += (size_t)got;
    if (got == 0)
        return hf_fail(ctx, HF_E_CORRUPT, "it ends too early");
    return got < 0 ? (int)got : HF_OK;
}

static int open_level(struct hf_shelf *shelf, struct hf_ctx *ctx, const struct hf_manifest_artifact *artifact,
                      struct seek *seeks, size_t level)
{
    struct hf_instance *stage = shelf->stages[level];
    uint64_t size = level + 1 < shelf->stage_count ? seeks[level + 1].size : artifact->bytes;
    hf_auto_free unsigned char *head = malloc(HEAD_MAX);
    size_t want = HEAD_FIRST;
    int rc = head == NULL ? hf_fail(ctx, HF_E_NOMEM, "out of memory") : HF_END;

    while (rc == HF_END) {
        struct hf_pull *pull = NULL;

        want = want < size ? want : (size_t)size;
        rc = pull_level(shelf, ctx, artifact, seeks, level + 1, 0, want, artifact->key, &pull);
        if (rc == HF_OK)
            rc = read_whole(ctx, pull, head, want);
        hf_pull_free(pull);
        if (rc < 0)
            break;
        hf_instance_enter(stage, ctx);
        rc = stage->loaded->stage.seek_open(stage->self, ctx, head, want, size, &seeks[level].size, &seeks[level].seek);
        rc = hf_instance_leave(stage, ctx, rc);
        if (rc == HF_END && (want == size || want == HEAD_MAX))
            rc = hf_fail(ctx, HF_E_CORRUPT, "%s: its beginning has no end", stage->who);
        want = want * 4 < HEAD_MAX ? want * 4 : HEAD_MAX;
    }
    return rc;
}

/* The outermost first, since the others are read through it. */
static int open_place(struct hf_shelf *shelf, struct hf_ctx *ctx, const struct hf_manifest_artifact *artifact,
                      struct place *place)
{
    int rc = HF_OK;

    pthread_mutex_lock(&place->lock);
    if (place->seeks == NULL) {
        struct seek *seeks = hf_alloc_array(shelf->stage_count, sizeof(*seeks));

        for (size_t level = shelf->stage_count; rc == HF_OK && level-- > 0;)
            rc = open_level(shelf, ctx, artifact, seeks, level);
        if (rc == HF_OK)
            place->seeks = seeks;
        else
            close_seeks(shelf, seeks);
    }
    pthread_mutex_unlock(&place->lock);
    return rc == HF_OK || ctx->error.code == 0 ? rc : hf_wrap(ctx, "open '%s'", artifact->key);
}

int hf_shelf_pull(struct hf_shelf *shelf, struct hf_ctx *ctx, const struct hf_manifest_artifact *artifact,
                  uint64_t offset, uint64_t length, const char *subject, struct hf_pull **ret_pull)
{
    size_t index = (size_t)(artifact - shelf->manifest->artifacts);
    struct place *place = &shelf->places[index];
    int rc = HF_OK;

    assert(index < shelf->manifest->artifact_count);
    if (shelf->stage_count > 0)
        rc = open_place(shelf, ctx, artifact, place);
    return rc == HF_OK ? pull_level(shelf, ctx, artifact, place->seeks, 0, offset, length, subject, ret_pull) : rc;
}
