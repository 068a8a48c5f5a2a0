/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/publish.h"

#include "base/log.h"
#include "catalog/objects.h"
#include "ops/seal.h"

#include <string.h>

/* One backup's way into sight. */
struct publish {
    struct hf_run *run;
    struct hf_fanout *fanout;
    struct hf_manifest *manifest;
    bool *visible; /* per sink: the manifest is there */
    char *text;    /* the manifest's, once it is final */
    size_t size;
};

static int begin(struct publish *self, struct hf_ctx *ctx, size_t sink)
{
    return hf_commit_begin(ctx, self->run->sinks[sink], self->manifest);
}

static int put_objects(struct publish *self, struct hf_ctx *ctx, size_t sink)
{
    hf_auto_free char *key = hf_key_sha256(self->manifest->id);
    hf_auto_free char *text = hf_manifest_sha256_text(self->manifest);
    int rc = hf_fanout_commit(self->fanout, ctx, sink);

    return rc == HF_OK ? hf_object_write(ctx, self->run->sinks[sink], key, "text/plain", text, strlen(text)) : rc;
}

static int put_manifest(struct publish *self, struct hf_ctx *ctx, size_t sink)
{
    hf_auto_free char *key = hf_key_manifest(self->manifest->id);
    int rc = hf_object_write(ctx, self->run->sinks[sink], key, "application/json", self->text, self->size);

    self->visible[sink] = rc == HF_OK;
    return rc;
}

static int end(struct publish *self, struct hf_ctx *ctx, size_t sink)
{
    return hf_commit_end(ctx, self->run->sinks[sink], self->manifest->id);
}

/* Takes back what is visible in one sink. */
static void take_back(struct publish *self, size_t sink)
{
    struct hf_ctx ctx = {.services = &self->run->services};
    int rc = HF_OK;

    if (self->visible[sink])
        rc = hf_backup_remove(&ctx, self->run->sinks[sink], self->manifest);
    if (rc == HF_OK)
        rc = hf_catalog_sweep(&ctx, self->run->sinks[sink], self->run->profile->name);
    if (rc != HF_OK)
        hf_log(HF_LOG_WARNING, NULL, "%s; the next run will take back what is left of '%s'", ctx.error.text,
               self->manifest->id);
    self->visible[sink] = false;
    hf_error_clear(&ctx.error);
}

/* One step in every live sink. */
static int step(struct publish *self, struct hf_ctx *ctx, int (*what)(struct publish *, struct hf_ctx *, size_t))
{
    for (size_t i = 0; i < self->run->sink_count; i++) {
        /* From here on a signal waits: stopping in the middle would only make work. */
        struct hf_ctx own = {.services = &self->run->services};
        int rc;

        if (hf_fanout_dropped(self->fanout, i) != NULL)
            continue;
        rc = what(self, &own, i);
        if (rc != HF_OK && self->run->sinks[i]->required) {
            hf_error_merge(&ctx->error, &own.error);
            return rc;
        }
        if (rc != HF_OK) {
            hf_fanout_drop(self->fanout, i, &own);
            take_back(self, i);
        }
        hf_error_clear(&own.error);
    }
    return HF_OK;
}

/* A backup that is in no sink is none, even when each of them was optional. */
static int check_alive(const struct publish *self, struct hf_ctx *ctx)
{
    const struct hf_error *first = NULL;

    for (size_t i = 0; i < self->run->sink_count; i++) {
        const struct hf_error *error = hf_fanout_dropped(self->fanout, i);

        if (error == NULL)
            return HF_OK;
        first = first ? first : error;
    }
    hf_fail(ctx, first ? first->code : HF_E_FAIL, "every sink failed; the first: %s", first ? first->text : "there is none");
    if (first != NULL && first->hint != NULL)
        hf_hint(ctx, "%s", first->hint);
    return ctx->error.code;
}

static void name_sinks(struct publish *self)
{
    json_array_clear(self->manifest->sinks);
    for (size_t i = 0; i < self->run->sink_count; i++)
        if (hf_fanout_dropped(self->fanout, i) == NULL)
            hf_json_append(self->manifest->sinks, json_string(self->run->sinks[i]->name));
}

/* What could not be read again must not be written. */
static int write_manifest(struct publish *self, struct hf_ctx *ctx)
{
    int rc = hf_seal_write(self->run, ctx, self->manifest, &self->text, &self->size);

    if (rc == HF_OK && self->size > HF_MANIFEST_MAX_BYTES)
        rc = hf_fail(ctx, HF_E_FAIL, "the manifest would have %zu bytes, more than the %d that are read: back the "
                     "component up in several profiles", self->size, HF_MANIFEST_MAX_BYTES);
    return rc;
}

int hf_publish(struct hf_run *run, struct hf_ctx *ctx, struct hf_fanout *fanout, struct hf_manifest *manifest)
{
    struct publish self = {.run = run, .fanout = fanout, .manifest = manifest};
    int rc;

    self.visible = hf_alloc_array(run->sink_count + 1, sizeof(*self.visible));
    rc = step(&self, ctx, begin);
    if (rc == HF_OK)
        rc = step(&self, ctx, put_objects);
    if (rc == HF_OK)
        rc = check_alive(&self, ctx);
    name_sinks(&self);
    if (rc == HF_OK)
        rc = write_manifest(&self, ctx);
    if (rc == HF_OK)
        rc = step(&self, ctx, put_manifest);
    if (rc == HF_OK)
        rc = check_alive(&self, ctx);
    /* Each manifest is there: the backup exists, and a record that stays is dropped by the next sweep. */
    if (rc == HF_OK) {
        struct hf_ctx own = {.services = &run->services};

        for (size_t i = 0; i < run->sink_count; i++) {
            if (hf_fanout_dropped(fanout, i) == NULL && end(&self, &own, i) != HF_OK)
                hf_log(HF_LOG_WARNING, NULL, "%s; the next run will tidy up", own.error.text);
            hf_error_clear(&own.error);
        }
    } else {
        for (size_t i = 0; i < run->sink_count; i++)
            take_back(&self, i);
    }
    free(self.visible);
    free(self.text);
    return rc;
}
