/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/run.h"

#include "base/log.h"
#include "catalog/retention.h"

#include <string.h>
#include <unistd.h>

static json_t *item_json(const struct hf_instance *sink, const struct hf_retained *retained, bool removed)
{
    json_t *json = json_object();

    hf_json_set_text(json, "sink", sink->name);
    hf_json_set_text(json, "id", retained->id);
    hf_json_set(json, "remove", json_boolean(retained->remove));
    hf_json_set(json, "removed", json_boolean(removed));
    hf_json_set_text(json, "reason", retained->reason);
    return json;
}

static void skip(json_t *skipped, const struct hf_instance *sink, const char *id, const char *problem)
{
    json_t *json = json_object();

    hf_json_set_text(json, "sink", sink->name);
    hf_json_set_text(json, "id", id);
    hf_json_set_text(json, "problem", problem);
    hf_json_append(skipped, json);
}

/* What is damaged or cannot be read is left alone: only what is known to be whole is weighed. */
static size_t weigh(const struct hf_catalog *catalog, const struct hf_instance *sink, struct hf_retained *items,
                    json_t *skipped)
{
    size_t count = 0;

    for (size_t i = 0; i < catalog->count; i++) {
        const struct hf_backup *backup = &catalog->backups[i];
        const struct hf_copy *copy = backup->copy_count > 0 ? &backup->copies[0] : NULL;

        if (copy == NULL)
            continue;
        if (!copy->whole)
            skip(skipped, sink, backup->id, copy->problem ? copy->problem : "it is not whole");
        else if (copy->verified.level != HF_LEVEL_NONE && !copy->verified.whole)
            skip(skipped, sink, backup->id, "the last verification found it damaged");
        else
            items[count++] = (struct hf_retained){
                .id = backup->id,
                .time_ms = backup->time_ms,
                .verified = copy->verified.whole && copy->verified.level >= HF_LEVEL_DIGEST,
            };
    }
    return count;
}

static int remove_one(struct hf_ctx *ctx, struct hf_instance *sink, const char *id)
{
    struct hf_manifest *manifest = NULL;
    int rc = hf_catalog_manifest(ctx, sink, id, &manifest);

    if (rc == HF_OK)
        rc = hf_backup_remove(ctx, sink, manifest);
    hf_manifest_free(manifest);
    return rc;
}

static int carry_out(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, struct hf_retained *items,
                     size_t count, bool dry_run, json_t *json)
{
    bool any = false, verified = false;
    int fd = -1, rc = HF_OK;

    for (size_t i = 0; i < count; i++) {
        any = any || items[i].remove;
        verified = verified || items[i].verified;
    }
    if (any && !verified) {
        hf_fail(ctx, HF_E_REFUSED, "sink '%s' holds no verified backup of '%s': nothing is removed", sink->name,
                run->profile->name);
        return hf_hint(ctx, "verify one first: holdfast verify %s", run->profile->name);
    }
    if (any && !dry_run)
        rc = hf_run_lock_readers_out(run, ctx, &fd);
    for (size_t i = 0; i < count; i++) {
        bool removed = false;

        if (rc == HF_OK && items[i].remove && !dry_run) {
            rc = remove_one(ctx, sink, items[i].id);
            removed = rc == HF_OK;
        }
        hf_json_append(json, item_json(sink, &items[i], removed));
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

int hf_retain(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, bool dry_run, json_t *items, json_t *skipped)
{
    struct hf_catalog *catalog = NULL;
    struct hf_retained *weighed;
    size_t count;
    int rc = hf_catalog_load(ctx, run->profile->name, &sink, 1, NULL, &catalog);

    if (rc != HF_OK)
        return rc;
    weighed = hf_alloc_array(catalog->count + 1, sizeof(*weighed));
    count = weigh(catalog, sink, weighed, skipped);
    hf_retention_decide(&run->profile->retention, hf_time_now_ms(), weighed, count);
    rc = carry_out(run, ctx, sink, weighed, count, dry_run, items);
    free(weighed);
    hf_catalog_free(catalog);
    return rc == HF_OK ? HF_OK : hf_wrap(ctx, "retention in sink '%s'", sink->name);
}

void hf_op_prune(const struct hf_world *world, struct hf_profile *profile, const struct hf_prune_options *options,
                 struct hf_report *report)
{
    struct hf_ctx ctx = {0};
    struct hf_instance *only = NULL;
    struct hf_run run;
    json_t *items, *skipped;
    int rc, exit;

    hf_report_init(report, profile->name);
    hf_json_set(report->json, "items", items = json_array());
    hf_json_set(report->json, "skipped", skipped = json_array());
    rc = hf_run_open(&run, &ctx, world, profile, options->dry_run ? 0 : HF_RUN_LOCK);
    if (rc == HF_OK && options->sink != NULL)
        rc = hf_run_sink(&run, &ctx, options->sink, &only);
    for (size_t i = 0; rc == HF_OK && i < run.sink_count; i++)
        if (only == NULL || only == run.sinks[i])
            rc = hf_retain(&run, &ctx, run.sinks[i], options->dry_run, items, skipped);
    exit = rc == HF_OK ? HF_EXIT_OK : hf_exit_of_code(ctx.error.code);
    hf_report_end(report, &ctx, exit);
    hf_run_close(&run);
}
