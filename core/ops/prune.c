/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/run.h"

#include "base/log.h"
#include "catalog/objects.h"
#include "catalog/retention.h"
#include "ops/guard.h"

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

/* Until when the sink locks the backup's manifest, which is stored last and so is locked the longest; 0: it does not,
 * or another run has removed it since. */
static int locked_until(struct hf_ctx *ctx, struct hf_instance *sink, const char *id, int64_t *ret_ms)
{
    hf_auto_free char *key = hf_key_manifest(id);
    struct hf_object object = {.size = sizeof(object)};
    int rc;

    hf_instance_enter(sink, ctx);
    rc = hf_instance_leave(sink, ctx, sink->loaded->sink.stat(sink->self, ctx, key, &object));
    *ret_ms = rc >= 0 ? object.locked_until_ms : 0;
    if (rc == HF_E_NOTFOUND)
        hf_error_clear(&ctx->error);
    return rc >= 0 || rc == HF_E_NOTFOUND ? HF_OK : rc;
}

/* What the sink may not remove yet stays, and says so. */
static int respect_locks(struct hf_ctx *ctx, struct hf_instance *sink, struct hf_retained *items, size_t count)
{
    int64_t now = hf_time_now_ms();

    for (size_t i = 0; i < count; i++) {
        char date[HF_TIME_ISO_SIZE];
        int64_t until = 0;
        int rc = items[i].remove ? locked_until(ctx, sink, items[i].id, &until) : HF_OK;

        if (rc != HF_OK)
            return rc;
        if (until <= now)
            continue;
        items[i].remove = false;
        hf_time_iso(until, date);
        snprintf(items[i].reason, sizeof(items[i].reason), "locked in the sink until %s", date);
    }
    return HF_OK;
}

/* What a run of another machine has removed meanwhile, or is removing now, is as good as removed. */
static int remove_one(struct hf_ctx *ctx, struct hf_instance *sink, const char *id, bool *ret_removed)
{
    struct hf_manifest *manifest = NULL;
    struct hf_ctx aside = hf_ctx_aside(ctx);
    int rc = hf_catalog_manifest(&aside, sink, id, &manifest);
    bool gone = rc == HF_E_NOTFOUND;

    if (rc == HF_OK) {
        rc = hf_backup_remove(&aside, sink, manifest);
        gone = rc == HF_E_BUSY;
        *ret_removed = rc == HF_OK;
    }
    if (gone) {
        hf_log(HF_LOG_INFO, sink->who, "another run removes '%s'", id);
        hf_error_clear(&aside.error);
        rc = HF_OK;
    }
    hf_manifest_free(manifest);
    hf_error_merge(&ctx->error, &aside.error);
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

        if (rc == HF_OK && items[i].remove && !dry_run)
            rc = remove_one(ctx, sink, items[i].id, &removed);
        hf_json_append(json, item_json(sink, &items[i], removed));
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

/* What is done in one sink; kept when it does not come back. */
struct pruning {
    bool dry_run;
    json_t *items, *skipped;
};

static int retain(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, void *arg)
{
    struct pruning *pruning = arg;
    struct hf_catalog *catalog = NULL;
    struct hf_retained *weighed;
    size_t count;
    int rc = hf_catalog_load(ctx, run->profile->name, &sink, 1, NULL, &catalog);

    if (rc != HF_OK)
        return rc;
    weighed = hf_alloc_array(catalog->count + 1, sizeof(*weighed));
    count = weigh(catalog, sink, weighed, pruning->skipped);
    hf_retention_decide(hf_profile_retention(run->profile, sink->name), hf_time_now_ms(), weighed, count);
    rc = respect_locks(ctx, sink, weighed, count);
    if (rc == HF_OK)
        rc = carry_out(run, ctx, sink, weighed, count, pruning->dry_run, pruning->items);
    free(weighed);
    hf_catalog_free(catalog);
    return rc == HF_OK ? HF_OK : hf_wrap(ctx, "retention in sink '%s'", sink->name);
}

int hf_retain(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, bool dry_run, json_t *items,
              json_t *skipped)
{
    struct pruning *pruning = hf_alloc(sizeof(*pruning));
    int rc;

    *pruning = (struct pruning){dry_run, json_array(), json_array()};
    rc = hf_guard(run, ctx, sink, retain, pruning);
    if (atomic_load(&sink->lost)) {
        hf_keep(pruning);
        return rc;
    }
    json_array_extend(items, pruning->items);
    json_array_extend(skipped, pruning->skipped);
    json_decref(pruning->items);
    json_decref(pruning->skipped);
    free(pruning);
    return rc;
}

static int sweep(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, void *arg)
{
    (void)arg;
    return hf_catalog_sweep(ctx, sink, run->profile->name);
}

static json_t *sink_error(const struct hf_instance *sink, const struct hf_error *error)
{
    json_t *json = json_object();

    hf_json_set_text(json, "name", sink->name);
    hf_json_set_text(json, "error", error->text);
    if (error->hint != NULL)
        hf_json_set_text(json, "hint", error->hint);
    return json;
}

/* In one sink, whatever becomes of the others. */
static int prune_sink(struct hf_run *run, struct hf_instance *sink, bool dry_run, struct hf_report *report)
{
    json_t *items = json_object_get(report->json, "items"), *skipped = json_object_get(report->json, "skipped");
    struct hf_ctx ctx = hf_run_ctx(run);
    int rc = dry_run ? HF_OK : hf_guard(run, &ctx, sink, sweep, NULL);

    if (rc == HF_OK)
        rc = hf_retain(run, &ctx, sink, dry_run, items, skipped);
    if (rc != HF_OK && ctx.error.code == 0)
        hf_fail(&ctx, rc, "interrupted");
    if (rc != HF_OK)
        hf_json_append(json_object_get(report->json, "sinks"), sink_error(sink, &ctx.error));
    hf_error_clear(&ctx.error);
    return rc;
}

void hf_op_prune(const struct hf_world *world, struct hf_profile *profile, const struct hf_prune_options *options,
                 struct hf_report *report)
{
    struct hf_ctx ctx = {0};
    struct hf_instance *only = NULL;
    struct hf_run run;
    int exit = HF_EXIT_OK, rc;

    hf_report_init(report, profile->name);
    hf_json_set(report->json, "items", json_array());
    hf_json_set(report->json, "skipped", json_array());
    hf_json_set(report->json, "sinks", json_array());
    rc = hf_run_open(&run, &ctx, world, profile, options->dry_run ? 0 : HF_RUN_ALONE);
    if (rc == HF_OK && options->sink != NULL)
        rc = hf_run_sink(&run, &ctx, options->sink, &only);
    if (rc != HF_OK)
        exit = hf_exit_of_code(ctx.error.code ? ctx.error.code : rc);
    for (size_t i = 0; rc == HF_OK && i < run.sink_count && exit != HF_EXIT_INTERRUPTED; i++) {
        int own = HF_OK;

        if (only == NULL || only == run.sinks[i])
            own = prune_sink(&run, run.sinks[i], options->dry_run, report);
        if (own == HF_OK)
            continue;
        /* What a required sink, or the one that was asked for, comes to is what the run comes to. */
        if (only != NULL || run.sinks[i]->required || own == HF_E_CANCELLED)
            exit = exit == HF_EXIT_OK || exit == HF_EXIT_PARTIAL ? hf_exit_of_code(own) : exit;
        else
            exit = exit == HF_EXIT_OK ? HF_EXIT_PARTIAL : exit;
    }
    hf_report_end(report, &ctx, exit);
    hf_run_close(&run);
}
