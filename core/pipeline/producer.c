/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a source's parts on threads. A plugin's straight loop writes into a part_writer, which fills raw blocks, digests them,
 * and queues them.
 */
#include "pipeline/line.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

enum { WRITER_MAGIC = 0x57524954 };

struct part_writer {
    struct hf_writer base;
    uint32_t magic;
    struct hf_line *line;
    struct hf_slot *slot;
    struct hf_ctx *ctx;
    struct hf_buffer *block; /* being filled; NULL: none yet */
    XXH3_state_t *xxh;
    uint64_t raw_bytes;
    int failed; /* what a call returned that failed: a plugin that goes on all the same has not succeeded */
};

static struct part_writer *writer_of(struct hf_writer *writer)
{
    struct part_writer *self = (struct part_writer *)writer;

    assert(self != NULL && self->magic == WRITER_MAGIC);
    return self;
}

/* Waits for a raw block. */
static int take_block(struct part_writer *self)
{
    struct hf_line *line = self->line;
    bool nomem = false;
    int rc = HF_OK;

    pthread_mutex_lock(&line->lock);
    while (self->block == NULL) {
        if (hf_line_stopped(line)) {
            rc = HF_E_CANCELLED;
            break;
        }
        self->block = hf_pool_take(line->raw_pool, self->slot == line->head ? 0 : line->leave_for_head, &nomem);
        if (nomem) {
            rc = HF_E_NOMEM;
            break;
        }
        if (self->block == NULL)
            hf_line_wait(line);
    }
    pthread_mutex_unlock(&line->lock);
    if (rc == HF_E_NOMEM)
        hf_fail(self->ctx, rc, "allocate a block: out of memory");
    self->failed = rc;
    return rc;
}

static void queue_pack(struct hf_line *line, struct hf_slot *slot, struct hf_pack *pack)
{
    pthread_mutex_lock(&line->lock);
    if (slot->last != NULL)
        slot->last->next = pack;
    else
        slot->first = pack;
    slot->last = pack;
    if (!pack->ready) {
        if (line->queue_last != NULL)
            line->queue_last->queue_next = pack;
        else
            line->queue_first = pack;
        line->queue_last = pack;
    }
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->lock);
}

/* Hands the block on, full or not. */
static void submit(struct part_writer *self)
{
    struct hf_pack *pack = hf_alloc(sizeof(*pack));

    pack->raw = hf_steal(self->block);
    XXH3_128bits_update(self->xxh, pack->raw->data, pack->raw->used);
    self->raw_bytes += pack->raw->used;
    atomic_fetch_add(&self->line->services->done_bytes, pack->raw->used);
    if (self->line->stage == NULL) {
        pack->stored = hf_alloc(sizeof(*pack->stored));
        pack->stored[0] = hf_buffer_ref(pack->raw);
        pack->stored_count = 1;
        pack->stored_size = pack->raw->used;
        pack->ready = true;
    }
    queue_pack(self->line, self->slot, pack);
}

static int writer_reserve(struct hf_writer *writer, void **ret_space, size_t *ret_size)
{
    struct part_writer *self = writer_of(writer);

    if (self->block == NULL) {
        int rc = take_block(self);

        if (rc != HF_OK)
            return rc;
    }
    *ret_space = self->block->data + self->block->used;
    *ret_size = self->block->room - self->block->used;
    return HF_OK;
}

static int writer_commit(struct hf_writer *writer, size_t used)
{
    struct part_writer *self = writer_of(writer);

    if (used == 0)
        return HF_OK;
    if (self->block == NULL || used > self->block->room - self->block->used)
        return self->failed = hf_fail(self->ctx, HF_E_FAIL, "commit() of %zu bytes, more than was reserved", used);
    self->block->used += used;
    if (self->block->used == self->block->room)
        submit(self);
    return HF_OK;
}

static int writer_write(struct hf_writer *writer, const void *data, size_t size)
{
    const unsigned char *from = data;

    while (size > 0) {
        void *space;
        size_t room;
        int rc = writer_reserve(writer, &space, &room);

        if (rc != HF_OK)
            return rc;
        if (room > size)
            room = size;
        memcpy(space, from, room);
        rc = writer_commit(writer, room);
        if (rc != HF_OK)
            return rc;
        from += room;
        size -= room;
    }
    return HF_OK;
}

static int produce(struct hf_line *line, struct hf_ctx *ctx, struct hf_slot *slot)
{
    struct part_writer writer = {
        .base = {.write = writer_write, .reserve = writer_reserve, .commit = writer_commit},
        .magic = WRITER_MAGIC,
        .line = line,
        .slot = slot,
        .ctx = ctx,
        .xxh = XXH3_createState(),
    };
    int rc;

    if (writer.xxh == NULL)
        return hf_fail(ctx, HF_E_NOMEM, "out of memory");
    XXH3_128bits_reset(writer.xxh);
    hf_instance_enter(line->source, ctx);
    rc = line->source->loaded->source.backup_part(line->session, ctx, &slot->part, &writer.base);
    if (rc >= 0 && writer.failed != HF_OK)
        rc = writer.failed;
    rc = hf_instance_leave(line->source, ctx, rc);
    if (rc >= 0 && writer.block != NULL && writer.block->used > 0)
        submit(&writer);
    hf_buffer_unref(writer.block);
    if (rc >= 0) {
        pthread_mutex_lock(&line->lock);
        slot->raw_bytes = writer.raw_bytes;
        slot->xxh128 = XXH3_128bits_digest(writer.xxh);
        slot->complete = true;
        atomic_fetch_add(&line->services->done_parts, 1);
        pthread_cond_broadcast(&line->changed);
        pthread_mutex_unlock(&line->lock);
    }
    XXH3_freeState(writer.xxh);
    return rc < 0 ? rc : HF_OK;
}

static int vet_part(struct hf_ctx *ctx, const struct hf_part *part)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@+-";

    if (part->name == NULL || *part->name == '\0' || strlen(part->name) > 200 ||
        strspn(part->name, allowed) != strlen(part->name))
        return hf_fail(ctx, HF_E_FAIL, "a part's name must be 1 to 200 bytes of [A-Za-z0-9._:@+-], and '%s' is not",
                       part->name ? part->name : "");
    if (part->phase > 3)
        return hf_fail(ctx, HF_E_FAIL, "part '%s' has phase %u, and phases go from 0 to 3", part->name, part->phase);
    if (part->cost > INT64_MAX)
        return hf_fail(ctx, HF_E_FAIL, "part '%s' has cost %llu, and the most is %lld", part->name,
                       (unsigned long long)part->cost, (long long)INT64_MAX);
    return HF_OK;
}

/* Asks for the next part and gives it a slot. HF_END when there is none, or when everything stops. */
static int next_slot(struct hf_line *line, struct hf_ctx *ctx, struct hf_slot **ret_slot)
{
    struct hf_slot *slot;
    bool go;
    int rc;

    pthread_mutex_lock(&line->lock);
    while (line->slot_count >= HF_SLOTS_MAX && !hf_line_stopped(line))
        hf_line_wait(line);
    go = !line->listed && !hf_line_stopped(line);
    pthread_mutex_unlock(&line->lock);
    if (!go)
        return HF_END;

    slot = hf_alloc(sizeof(*slot));
    slot->part.size = sizeof(slot->part);
    hf_instance_enter(line->source, ctx);
    rc = line->source->loaded->source.next_part(line->session, ctx, &slot->part);
    rc = hf_instance_leave(line->source, ctx, rc);
    if (rc == HF_OK)
        rc = vet_part(ctx, &slot->part);
    pthread_mutex_lock(&line->lock);
    if (rc == HF_OK) {
        if (line->tail != NULL)
            line->tail->next = slot;
        else
            line->head = slot;
        line->tail = slot;
        line->slot_count++;
        *ret_slot = slot;
    } else {
        /* After a failure nothing is said to be listed: the sequencer must not take this for the end. */
        line->listed = rc > 0;
        atomic_store(&line->services->listed, rc > 0);
        free(slot);
    }
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->lock);
    if (rc == HF_OK) {
        atomic_fetch_add(&line->services->total_bytes, (*ret_slot)->part.estimate);
        atomic_fetch_add(&line->services->total_parts, 1);
    }
    return rc > 0 ? HF_END : rc;
}

void *hf_producer_run(void *arg)
{
    struct hf_line *line = arg;
    struct hf_ctx ctx = hf_line_ctx(line);

    for (;;) {
        struct hf_slot *slot = NULL;
        int rc;

        pthread_mutex_lock(&line->listing);
        rc = next_slot(line, &ctx, &slot);
        if (rc < 0) /* before anybody else asks for a part */
            hf_line_fail(line, &ctx);
        pthread_mutex_unlock(&line->listing);
        if (rc == HF_OK && (rc = produce(line, &ctx, slot)) < 0)
            hf_line_fail(line, &ctx);
        if (rc != HF_OK)
            break;
    }
    hf_error_clear(&ctx.error);
    return NULL;
}
