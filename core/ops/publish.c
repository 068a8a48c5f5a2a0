/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/publish.h"

#include "base/log.h"
#include "catalog/objects.h"
#include "ops/guard.h"
#include "ops/seal.h"

#include <string.h>

/* One backup's way into sight. Kept when a sink does not come back. */
struct publish {
    struct hf_fanout *fanout;
    struct hf_manifest *manifest;
    struct hf_commit *commits; /* per sink */
    bool *locks;               /* per sink: what it has been given cannot be removed again */
    bool late;                 /* those that lock get their manifests now */
    bool locked;               /* one did not give it back */
    char *text;                /* the manifest's, once it is final */
    size_t size;
};

/* One step, in one sink. */
struct stride {
    struct publish *publish;
    size_t sink;
};

static int begin(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, void *arg)
{
    struct stride *stride = arg;

    (void)run;
    return hf_commit_begin(ctx, sink, stride->publish->manifest, &stride->publish->commits[stride->sink]);
}

static int put_objects(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, void *arg)
{
    struct stride *stride = arg;
    struct publish *self = stride->publish;
    hf_auto_free char *key = hf_key_sha256(self->manifest->id);
    hf_auto_free char *text = hf_manifest_sha256_text(self->manifest);
    int rc = hf_fanout_commit(self->fanout, ctx, stride->sink);

    (void)run;
    return rc == HF_OK ? hf_object_write(ctx, sink, key, "text/plain", text, strlen(text)) : rc;
}

static int put_manifest(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, void *arg)
{
    struct stride *stride = arg;
    struct publish *self = stride->publish;
    struct hf_commit *commit = &self->commits[stride->sink];

    (void)run;
    if (commit->shown || (self->locks[stride->sink] && !self->late))
        return HF_OK;
    return hf_commit_show(ctx, sink, self->manifest->id, self->text, self->size, commit);
}

/* The commit record is still there: without its manifest the backup is one that a crash interrupted. */
static int withdraw_manifest(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, void *arg)
{
    struct stride *stride = arg;
    struct publish *self = stride->publish;
    int rc = hf_commit_hide(ctx, sink, self->manifest->id, &self->commits[stride->sink]);

    (void)run;
    if (rc != HF_E_REFUSED)
        return rc;
    hf_error_clear(&ctx->error);
    self->locked = true;
    return HF_OK;
}

static int end(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, void *arg)
{
    struct stride *stride = arg;

    (void)run;
    return hf_commit_end(ctx, sink, stride->publish->manifest->id);
}

static int remove_all(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, void *arg)
{
    struct stride *stride = arg;
    struct publish *self = stride->publish;
    int rc = hf_commit_abort(ctx, sink, self->manifest, &self->commits[stride->sink]);

    return rc == HF_OK ? hf_catalog_sweep(ctx, sink, run->profile->name) : rc;
}

/* From here on a signal waits: stopping in the middle would only make work. So `ctx` has no stop. */
static int guarded(struct publish *self, struct hf_run *run, struct hf_ctx *ctx, size_t sink, hf_guarded *what)
{
    struct stride *stride = hf_alloc(sizeof(*stride));
    int rc;

    *stride = (struct stride){self, sink};
    rc = hf_guard(run, ctx, run->sinks[sink], what, stride);
    (atomic_load(&run->sinks[sink]->lost) ? hf_keep : free)(stride);
    return rc;
}

/* Takes back what is visible in one sink. */
static void take_back(struct publish *self, struct hf_run *run, size_t sink)
{
    struct hf_ctx ctx = {.services = &run->services};

    if (guarded(self, run, &ctx, sink, remove_all) != HF_OK)
        hf_log(HF_LOG_WARNING, NULL, "%s; the next run will take back what is left of '%s'", ctx.error.text,
               self->manifest->id);
    self->commits[sink] = (struct hf_commit){0};
    hf_error_clear(&ctx.error);
}

/* One step in every live sink; then whether there are still enough of them. */
static int step(struct publish *self, struct hf_run *run, struct hf_ctx *ctx, hf_guarded *what)
{
    for (size_t i = 0; i < run->sink_count; i++) {
        struct hf_ctx own = {.services = &run->services};
        int rc;

        if (hf_fanout_dropped(self->fanout, i) != NULL)
            continue;
        rc = guarded(self, run, &own, i, what);
        if (rc != HF_OK && run->sinks[i]->required) {
            hf_error_merge(&ctx->error, &own.error);
            return rc;
        }
        if (rc != HF_OK) {
            hf_fanout_drop(self->fanout, i, &own);
            take_back(self, run, i);
        }
        hf_error_clear(&own.error);
    }
    return hf_fanout_check(self->fanout, ctx);
}

/* Names the live sinks in the manifest; how many there are. */
static size_t name_sinks(struct publish *self, const struct hf_run *run)
{
    json_array_clear(self->manifest->sinks);
    for (size_t i = 0; i < run->sink_count; i++)
        if (hf_fanout_dropped(self->fanout, i) == NULL)
            hf_json_append(self->manifest->sinks, json_string(run->sinks[i]->name));
    return json_array_size(self->manifest->sinks);
}

/* What could not be read again must not be written. */
static int write_manifest(struct publish *self, struct hf_run *run, struct hf_ctx *ctx)
{
    int rc;

    if (hf_run_lost(run) && self->text != NULL)
        hf_keep(hf_steal(self->text)); /* somebody may still be writing it */
    free(hf_steal(self->text));
    rc = hf_seal_write(run, ctx, self->manifest, &self->text, &self->size);
    if (rc == HF_OK && self->size > HF_MANIFEST_MAX_BYTES)
        rc = hf_fail(ctx, HF_E_FAIL,
                     "the manifest would have %zu bytes, more than the %d that are read: back the "
                     "component up in several profiles",
                     self->size, HF_MANIFEST_MAX_BYTES);
    return rc;
}

struct look {
    const char *key;
    bool locks;
};

static int look_for_lock(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, void *arg)
{
    struct look *look = arg;
    struct hf_object object = {.size = sizeof(object)};
    int rc;

    (void)run;
    hf_instance_enter(sink, ctx);
    rc = hf_instance_leave(sink, ctx, sink->loaded->sink.stat(sink->self, ctx, look->key, &object));
    look->locks = rc == HF_OK && object.locked_until_ms > 0;
    return rc;
}

/* Whether a sink locks is seen by an artifact that it has just got; what cannot be told comes to light at the next
 * step. */
static void look_for_locks(struct publish *self, struct hf_run *run)
{
    for (size_t i = 0; i < run->sink_count; i++) {
        struct look *look = hf_alloc(sizeof(*look));
        struct hf_ctx ctx = {.services = &run->services};

        look->key = self->manifest->artifacts[0].key;
        if (run->sink_count > 1 && hf_fanout_dropped(self->fanout, i) == NULL)
            (void)hf_guard(run, &ctx, run->sinks[i], look_for_lock, look);
        self->locks[i] = look->locks;
        (atomic_load(&run->sinks[i]->lost) ? hf_keep : free)(look);
        hf_error_clear(&ctx.error);
    }
}

/* It is the same everywhere, and names the sinks that have it: when one fails at the last moment, the others get a new
 * one. `named`: how many the present one names. */
static int put_until_agreed(struct publish *self, struct hf_run *run, struct hf_ctx *ctx, size_t *named)
{
    int rc = step(self, run, ctx, put_manifest);
    size_t live;

    while (rc == HF_OK && !self->locked && (live = name_sinks(self, run)) != *named) {
        *named = live;
        rc = step(self, run, ctx, withdraw_manifest);
        if (self->locked)
            hf_services_finding(&run->services, HF_WARNING, "manifest-locked", self->manifest->id,
                                "the manifest names a sink that does not have the backup after all: it is locked "
                                "already in another, and cannot be replaced there");
        else if (rc == HF_OK)
            rc = write_manifest(self, run, ctx);
        if (rc == HF_OK)
            rc = step(self, run, ctx, put_manifest);
    }
    return rc;
}

/* A manifest that is locked cannot be withdrawn, so it is written when all others are there. */
static int put_manifests(struct publish *self, struct hf_run *run, struct hf_ctx *ctx)
{
    size_t named = name_sinks(self, run);
    int rc = write_manifest(self, run, ctx);

    look_for_locks(self, run);
    if (rc == HF_OK)
        rc = put_until_agreed(self, run, ctx, &named);
    self->late = true;
    return rc == HF_OK ? put_until_agreed(self, run, ctx, &named) : rc;
}

int hf_publish(struct hf_run *run, struct hf_ctx *ctx, struct hf_fanout *fanout, struct hf_manifest *manifest)
{
    struct publish *self = hf_alloc(sizeof(*self));
    int rc;

    self->fanout = fanout;
    self->manifest = manifest;
    self->commits = hf_alloc_array(run->sink_count + 1, sizeof(*self->commits));
    self->locks = hf_alloc_array(run->sink_count + 1, sizeof(*self->locks));
    rc = step(self, run, ctx, begin);
    if (rc == HF_OK)
        rc = step(self, run, ctx, put_objects);
    if (rc == HF_OK)
        rc = put_manifests(self, run, ctx);
    if (rc != HF_OK) /* what waits to be committed goes first: else a sweep would take it for what a crash left */
        hf_fanout_stop(fanout);
    /* Each manifest is there: the backup exists, and a record that stays is dropped by the next sweep. */
    for (size_t i = 0; i < run->sink_count; i++) {
        struct hf_ctx own = {.services = &run->services};

        if (rc != HF_OK)
            take_back(self, run, i);
        else if (hf_fanout_dropped(fanout, i) == NULL && guarded(self, run, &own, i, end) != HF_OK)
            hf_log(HF_LOG_WARNING, NULL, "%s; the next run will tidy up", own.error.text);
        hf_error_clear(&own.error);
    }
    if (hf_run_lost(run)) {
        hf_keep(self);
        return rc;
    }
    free(self->commits);
    free(self->locks);
    free(self->text);
    free(self);
    return rc;
}
