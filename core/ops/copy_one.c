/* SPDX-License-Identifier: Apache-2.0
 *
 * One backup, from one sink into another, and read back.
 */
#include "ops/copying.h"

#include "base/log.h"
#include "ops/content.h"
#include "ops/transfer.h"

/* Reads through what is to take the place of a damaged copy: as long as that one is there, a restore may take from each
 * what the other lacks. */
static int prove(struct hf_copying *self, struct hf_ctx *ctx, const struct hf_copy_item *item)
{
    struct hf_services services;
    struct hf_manifest *manifest = NULL;
    struct hf_content content = {.run = self->run, .sink = item->source->sink, .services = &services};
    int rc = hf_catalog_manifest(ctx, content.sink, item->backup->id, &manifest);

    if (rc != HF_OK)
        return rc;
    hf_services_init(&services, self->run->services.temp_root);
    content.manifest = manifest;
    content.skip = hf_alloc_array(manifest->artifact_count + 1, sizeof(*content.skip));
    rc = hf_content_check(&content, ctx);
    if (rc == HF_OK && services.finding_count > 0) {
        hf_fail(ctx, HF_E_CORRUPT, "%s: '%s' is damaged, too, so that the copy in sink '%s' stays: %s: %s",
                content.sink->who, item->backup->id, self->to->name, services.findings[0].subject,
                services.findings[0].text);
        rc = hf_hint(ctx, "holdfast restore %s takes from each what the others lack", item->backup->id);
    }
    free(content.skip);
    hf_manifest_free(manifest);
    hf_services_clear(&services);
    return rc;
}

/* The damaged copy makes way. */
static int clear_way(struct hf_copying *self, struct hf_ctx *ctx, struct hf_copy_item *item)
{
    struct hf_manifest *manifest = NULL;
    int fd = -1, rc = HF_OK;

    if (item->there == NULL)
        return HF_OK;
    rc = prove(self, ctx, item);
    if (rc != HF_OK)
        return rc;
    rc = hf_catalog_manifest(ctx, item->there->unreadable ? item->source->sink : self->to, item->backup->id, &manifest);
    if (rc == HF_OK)
        rc = hf_run_lock_readers_out(self->run, ctx, &fd);
    if (rc == HF_OK)
        rc = hf_backup_remove(ctx, self->to, manifest);
    if (rc == HF_OK)
        item->there = NULL;
    hf_cleanup_close(&fd);
    hf_manifest_free(manifest);
    return rc;
}

/* Reads it back. What did not arrive whole does not stay. */
static int read_back(struct hf_copying *self, struct hf_ctx *ctx, struct hf_copy_item *item,
                     const struct hf_manifest *manifest)
{
    struct hf_wish wish = {.level = self->level, .insists = true};
    struct hf_ctx back = {.services = ctx->services};
    bool whole = false;
    int rc = hf_verify_copy(self->run, ctx, self->to, item->backup->id, wish, &whole, &item->check);

    if (rc != HF_OK || whole)
        return rc;
    rc = hf_fail(ctx, HF_E_CORRUPT, "%s: '%s' was read back other than it was written, and is removed again",
                 self->to->who, item->backup->id);
    if (hf_backup_remove(&back, self->to, manifest) != HF_OK)
        hf_log(HF_LOG_WARNING, NULL, "%s", back.error.text);
    hf_error_clear(&back.error);
    return rc;
}

/* What is there already is read back, if nobody has done so. */
static int check_there(struct hf_copying *self, struct hf_ctx *ctx, struct hf_copy_item *item)
{
    struct hf_wish wish = {.level = self->level, .insists = true};
    bool whole = false;
    int rc = hf_verify_copy(self->run, ctx, self->to, item->backup->id, wish, &whole, &item->check);

    if (rc != HF_OK)
        return rc;
    if (whole)
        hf_copy_decide(item, "there", HF_EXIT_OK, NULL);
    else if (item->source == NULL || !self->options->replace)
        hf_copy_decide_in_the_way(item, "a copy that was found damaged is there", false);
    else
        json_decref(hf_steal(item->check));
    return HF_OK;
}

static int bring(struct hf_copying *self, struct hf_ctx *ctx, struct hf_copy_item *item,
                 struct hf_manifest **ret_manifest)
{
    int rc = clear_way(self, ctx, item);

    if (rc != HF_OK)
        return rc;
    return hf_transfer(self->run, ctx, item->source->sink, self->to, item->backup->id, self->threads,
                       self->level >= HF_LEVEL_DIGEST, ret_manifest);
}

int hf_copying_one(struct hf_copying *self, struct hf_ctx *ctx, struct hf_copy_item *item)
{
    struct hf_manifest *manifest = NULL;
    const struct hf_copy *other;
    int rc = item->unproven ? check_there(self, ctx, item) : HF_OK;

    if (rc != HF_OK || item->outcome != NULL)
        return rc;
    rc = bring(self, ctx, item, &manifest);
    other = hf_copying_source(self, item->backup, item->source);
    if (rc != HF_OK && rc != HF_E_CANCELLED && other != NULL && hf_copy_same(other, item->source)) {
        hf_log(HF_LOG_WARNING, NULL, "'%s' is copied from sink '%s' instead: %s", item->backup->id, other->sink->name,
               ctx->error.text);
        hf_error_clear(&ctx->error);
        item->source = other;
        rc = bring(self, ctx, item, &manifest);
    }
    if (rc == HF_OK)
        rc = read_back(self, ctx, item, manifest);
    hf_manifest_free(manifest);
    return rc;
}
