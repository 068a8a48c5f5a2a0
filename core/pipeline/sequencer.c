/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/sequencer.h"

#include "base/memory.h"
#include "pipeline/belt.h"

#include <openssl/evp.h>
#include <string.h>

/* The artifact being laid down. With chunk stages that takes three threads: this one digests the raw bytes and puts
 * what they became on the first belt, there they go through the layers, and on the second belt what came out is
 * digested and handed to the sinks. Between two artifacts both belts are empty, and everything belongs to this thread.
 */
struct sequencer {
    struct hf_line *line;
    struct hf_ctx *ctx;
    struct hf_fanout *fanout;
    struct hf_manifest *manifest;
    struct hf_manifest_artifact *artifact; /* NULL: none is open */
    EVP_MD_CTX *raw_sha, *stored_sha;      /* without stages they are the same bytes, and only the first is used */
    void *frame;                           /* the block stage's */
    uint64_t laid;                         /* bytes before the layers; without layers those that are stored */
    struct hf_belt *layering, *storing;    /* NULL: there are no layers */
};

static int digest_start(struct sequencer *self, EVP_MD_CTX **place)
{
    *place = EVP_MD_CTX_new();
    if (*place == NULL || EVP_DigestInit_ex(*place, EVP_sha256(), NULL) != 1)
        return hf_fail(self->ctx, HF_E_FAIL, "SHA-256 is not available in this OpenSSL");
    return HF_OK;
}

static int digest_add(struct hf_ctx *ctx, EVP_MD_CTX *digest, const void *data, size_t size)
{
    if (EVP_DigestUpdate(digest, data, size) != 1)
        return hf_fail(ctx, HF_E_FAIL, "SHA-256 failed");
    return HF_OK;
}

static int digest_end(struct sequencer *self, EVP_MD_CTX *digest, char ret_hex[HF_SHA256_HEX])
{
    unsigned char bytes[32];

    if (EVP_DigestFinal_ex(digest, bytes, NULL) != 1)
        return hf_fail(self->ctx, HF_E_FAIL, "SHA-256 failed");
    hf_text_hex(bytes, sizeof(bytes), ret_hex);
    return HF_OK;
}

/* One piece of the stored object: into its digest, and to the sinks. */
static int store(void *arg, struct hf_ctx *ctx, struct hf_buffer *buffer)
{
    struct sequencer *self = arg;
    int rc = HF_OK;

    self->artifact->bytes += buffer->used;
    if (self->stored_sha != NULL)
        rc = digest_add(ctx, self->stored_sha, buffer->data, buffer->used);
    return rc == HF_OK ? hf_fanout_write(self->fanout, ctx, buffer) : rc;
}

static int layer(void *arg, struct hf_ctx *ctx, struct hf_buffer *buffer)
{
    const struct sequencer *self = arg;

    return hf_layers_write(self->line->layers, ctx, buffer->data, buffer->used);
}

/* One piece of what the layers made. */
static int layered(void *arg, struct hf_buffer *buffer)
{
    const struct sequencer *self = arg;

    return hf_belt_put(self->storing, buffer);
}

static int belts_start(struct sequencer *self)
{
    int rc;

    if (self->line->layers == NULL)
        return HF_OK;
    rc = hf_belt_start(self->ctx, self->line, store, self, &self->storing);
    return rc == HF_OK ? hf_belt_start(self->ctx, self->line, layer, self, &self->layering) : rc;
}

/* The layers' last bytes are made here, when nothing else is under way. */
static int layers_end(struct sequencer *self)
{
    int rc = hf_belt_drain(self->layering);

    if (rc == HF_OK)
        rc = hf_layers_end(self->line->layers, self->ctx);
    return rc == HF_OK ? hf_belt_drain(self->storing) : rc;
}

/* One piece of what the block stage, or the source, made. */
static int lay(struct sequencer *self, struct hf_buffer *buffer)
{
    self->laid += buffer->used;
    if (self->line->layers != NULL)
        return hf_belt_put(self->layering, buffer);
    return store(self, self->ctx, buffer);
}

/* What a stage puts around the blocks: `make` is its header or trailer. */
static int lay_frame(struct sequencer *self, int (*make)(void *, struct hf_ctx *, void *, size_t *), bool repeat)
{
    int rc;

    do {
        bool nomem;
        struct hf_buffer *buffer = hf_pool_take(self->line->chunk_pool, 0, &nomem);
        size_t size = HF_CHUNK_SIZE;
        int made;

        if (buffer == NULL)
            return hf_fail(self->ctx, HF_E_NOMEM, "out of memory");
        hf_instance_enter(self->line->stage, self->ctx);
        made = hf_instance_leave(self->line->stage, self->ctx, make(self->frame, self->ctx, buffer->data, &size));
        rc = made < 0 ? made : HF_OK;
        buffer->used = size <= HF_CHUNK_SIZE ? size : 0;
        if (rc == HF_OK && buffer->used > 0)
            rc = lay(self, buffer);
        hf_buffer_unref(buffer);
        repeat = repeat && made == HF_OK;
    } while (rc == HF_OK && repeat);
    return rc;
}

/* Names the artifact, and begins it in the sinks. */
static int object_begin(struct sequencer *self, const struct hf_part *part, const char *stage_suffix)
{
    struct hf_manifest_artifact *artifact = self->artifact;
    hf_auto_free char *plain = hf_key_artifact(self->manifest->id, artifact->name, artifact->suffix, stage_suffix);
    bool aside = (part->flags & HF_PART_ASIDE) != 0;
    struct hf_put_request request = {.size = sizeof(request), .media = artifact->media};

    if (aside)
        artifact->key = hf_key_aside(self->manifest->id, artifact->name, artifact->suffix, stage_suffix);
    else
        artifact->key = hf_strdup(plain);
    if (plain == NULL || artifact->key == NULL)
        return hf_fail(self->ctx, HF_E_FAIL,
                       "the source names an artifact '%s' with suffix '%s'%s, which makes no valid "
                       "object name",
                       artifact->name, artifact->suffix, aside ? ", to stand aside" : "");
    request.key = artifact->key;
    request.owner = aside ? plain : NULL;
    return hf_fanout_begin(self->fanout, self->ctx, &request);
}

static int artifact_begin(struct sequencer *self, const struct hf_part *part)
{
    const struct hf_stage *stage = self->line->stage ? &self->line->stage->loaded->stage : NULL;
    struct hf_manifest_artifact *artifact = hf_manifest_add_artifact(self->manifest);
    hf_auto_text struct hf_text suffixes = {0};
    int rc;

    artifact->name = hf_strdup(part->artifact ? part->artifact : "");
    artifact->suffix = hf_strdup(part->suffix ? part->suffix : "");
    artifact->media = hf_strdup(part->media ? part->media : "application/octet-stream");
    self->artifact = artifact;
    self->laid = 0;
    hf_text_add(&suffixes, stage ? stage->suffix : "");
    hf_layers_add_suffixes(self->line->layers, &suffixes);
    rc = digest_start(self, &self->raw_sha);
    if (rc == HF_OK)
        rc = object_begin(self, part, suffixes.data);
    if (rc == HF_OK && (stage != NULL || self->line->layers != NULL))
        rc = digest_start(self, &self->stored_sha);
    if (rc == HF_OK && self->line->layers != NULL)
        rc = hf_layers_begin(self->line->layers, self->ctx, layered, self);
    if (rc != HF_OK || stage == NULL)
        return rc;
    hf_instance_enter(self->line->stage, self->ctx);
    rc = hf_instance_leave(self->line->stage, self->ctx,
                           stage->frame_open(self->line->stage->self, self->ctx, &self->frame));
    return rc == HF_OK ? lay_frame(self, stage->header, false) : rc;
}

static void artifact_close(struct sequencer *self)
{
    if (self->frame != NULL) {
        hf_instance_hold(self->line->stage);
        self->line->stage->loaded->stage.frame_close(self->frame);
        hf_instance_release(self->line->stage);
    }
    hf_layers_abandon(self->line->layers);
    EVP_MD_CTX_free(self->raw_sha);
    EVP_MD_CTX_free(self->stored_sha);
    self->frame = NULL;
    self->raw_sha = self->stored_sha = NULL;
    self->artifact = NULL;
}

static int artifact_end(struct sequencer *self)
{
    struct hf_manifest_artifact *artifact = self->artifact;
    int rc = HF_OK;

    if (artifact == NULL)
        return HF_OK;
    if (self->line->stage != NULL)
        rc = lay_frame(self, self->line->stage->loaded->stage.trailer, true);
    if (rc == HF_OK && self->line->layers != NULL)
        rc = layers_end(self);
    if (rc == HF_OK)
        rc = digest_end(self, self->raw_sha, artifact->raw_sha256);
    if (rc == HF_OK && self->stored_sha != NULL)
        rc = digest_end(self, self->stored_sha, artifact->sha256);
    else if (rc == HF_OK)
        memcpy(artifact->sha256, artifact->raw_sha256, sizeof(artifact->sha256));
    if (rc == HF_OK)
        rc = hf_fanout_end(self->fanout, self->ctx);
    if (rc == HF_OK)
        artifact_close(self); /* otherwise the belts may still be at it */
    return rc;
}

static int lay_pack(struct sequencer *self, struct hf_pack *pack)
{
    size_t raw_size = pack->raw->used;
    int rc = digest_add(self->ctx, self->raw_sha, pack->raw->data, raw_size);

    self->artifact->raw_bytes += raw_size;
    if (rc == HF_OK && self->line->stage != NULL) {
        hf_buffer_unref(pack->raw); /* a producer waits for it */
        pack->raw = NULL;
        hf_instance_enter(self->line->stage, self->ctx);
        rc = self->line->stage->loaded->stage.join(self->frame, self->ctx, pack->tag, raw_size, pack->stored_size);
        rc = hf_instance_leave(self->line->stage, self->ctx, rc);
    }
    for (size_t i = 0; rc == HF_OK && i < pack->stored_count; i++)
        rc = lay(self, pack->stored[i]);
    return rc;
}

/* Waits until the head part has a block ready, or is complete. HF_END when there are no more parts; the head's next
 * pack, or NULL when the part is complete. */
static int next_pack(struct hf_line *line, struct hf_slot **ret_slot, struct hf_pack **ret_pack)
{
    int rc = HF_OK;

    *ret_pack = NULL;
    pthread_mutex_lock(&line->lock);
    for (;;) {
        struct hf_slot *slot = line->head;

        *ret_slot = slot;
        if (hf_line_stopped(line)) {
            rc = HF_E_CANCELLED;
            break;
        }
        if (slot == NULL && line->listed) {
            rc = HF_END;
            break;
        }
        if (slot != NULL && slot->first != NULL && slot->first->ready) {
            *ret_pack = slot->first;
            slot->first = slot->first->next;
            if (slot->first == NULL)
                slot->last = NULL;
            break;
        }
        if (slot != NULL && slot->first == NULL && slot->complete)
            break;
        hf_line_wait(line);
    }
    pthread_mutex_unlock(&line->lock);
    return rc;
}

/* The head is laid down: the next part becomes the head. */
static void drop_head(struct hf_line *line)
{
    struct hf_slot *slot;

    pthread_mutex_lock(&line->lock);
    slot = line->head;
    line->head = slot->next;
    if (line->head == NULL)
        line->tail = NULL;
    line->slot_count--;
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->lock);
    free(slot);
}

static int lay_part(struct sequencer *self, struct hf_slot *slot, struct hf_pack *pack)
{
    const char *name = slot->part.artifact ? slot->part.artifact : "";
    struct hf_manifest_part *part;
    XXH128_canonical_t canonical;
    uint64_t raw_offset, stored_offset;
    int rc = HF_OK;

    if (self->artifact == NULL || strcmp(self->artifact->name, name) != 0) {
        rc = artifact_end(self);
        if (rc == HF_OK)
            rc = artifact_begin(self, &slot->part);
    }
    raw_offset = self->artifact ? self->artifact->raw_bytes : 0;
    stored_offset = self->artifact ? self->laid : 0;
    while (rc == HF_OK && pack != NULL) {
        rc = lay_pack(self, pack);
        hf_pack_free(pack);
        pack = NULL;
        if (rc == HF_OK)
            rc = next_pack(self->line, &slot, &pack);
    }
    if (pack != NULL)
        hf_pack_free(pack);
    if (rc != HF_OK)
        return rc;
    part = hf_manifest_add_part(self->artifact);
    part->name = hf_strdup(slot->part.name);
    part->group = hf_strdup(slot->part.group ? slot->part.group : "");
    part->phase = slot->part.phase;
    part->cost = slot->part.cost;
    part->raw_offset = raw_offset;
    part->raw_size = slot->raw_bytes;
    part->stored_offset = stored_offset;
    part->stored_size = self->laid - stored_offset;
    XXH128_canonicalFromHash(&canonical, slot->xxh128);
    hf_text_hex(canonical.digest, sizeof(canonical.digest), part->xxh128);
    drop_head(self->line);
    return HF_OK;
}

int hf_sequencer_run(struct hf_line *line, struct hf_ctx *ctx, struct hf_fanout *fanout, struct hf_manifest *manifest)
{
    struct sequencer self = {.line = line, .ctx = ctx, .fanout = fanout, .manifest = manifest};
    int rc = belts_start(&self);

    while (rc == HF_OK) {
        struct hf_slot *slot = NULL;
        struct hf_pack *pack = NULL;

        rc = next_pack(line, &slot, &pack);
        if (rc == HF_OK)
            rc = lay_part(&self, slot, pack);
    }
    if (rc == HF_END)
        rc = artifact_end(&self);
    if (rc == HF_OK)
        rc = hf_fanout_finish(fanout, ctx);
    if (rc != HF_OK)
        hf_line_fail(line, ctx); /* or a belt would go on waiting for a sink */
    hf_belt_end(self.layering);
    hf_belt_end(self.storing);
    artifact_close(&self);
    return rc;
}
