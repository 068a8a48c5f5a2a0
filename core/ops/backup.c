/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/run.h"

#include "base/cancel.h"
#include "base/log.h"
#include "catalog/objects.h"
#include "ops/publish.h"
#include "ops/seal.h"
#include "pipeline/pipeline.h"

#include <string.h>
#include <unistd.h>

/* One backup at work. */
struct backup {
    struct hf_run *run;
    const struct hf_backup_options *options;
    struct hf_catalog *catalog;
    struct hf_manifest *previous; /* NULL: none that is whole */
    struct hf_manifest *manifest;
    struct hf_fanout *fanout;
    void *session;
    bool unchanged, damaged;
    bool unverified, partial; /* a required sink's copy, or any, could not be checked */
    json_t *json;             /* the report's */
};

/* Without the key nobody knows what the previous backup held, so nothing can be compared with it. */
static void open_previous(struct backup *self)
{
    struct hf_ctx ctx = hf_run_ctx(self->run);

    if (hf_seal_open(self->run, &ctx, &self->previous) != HF_OK)
        hf_services_finding(&self->run->services, HF_INFO, "previous-sealed", self->previous->id,
                            "what is backed up is not compared with this previous backup, whose manifest is sealed: %s",
                            ctx.error.text);
    hf_error_clear(&ctx.error);
}

/* The newest backup that is whole: what the source compares with. */
static void load_previous(struct backup *self)
{
    for (size_t i = self->catalog->count; i-- > 0 && self->previous == NULL;) {
        struct hf_copy *copy = hf_backup_best_copy(&self->catalog->backups[i]);
        struct hf_ctx ctx = hf_run_ctx(self->run);

        if (copy == NULL || !copy->whole || (copy->verified.level != HF_LEVEL_NONE && !copy->verified.whole))
            continue;
        if (hf_catalog_manifest(&ctx, copy->sink, self->catalog->backups[i].id, &self->previous) != HF_OK)
            hf_log(HF_LOG_WARNING, NULL, "%s", ctx.error.text);
        hf_error_clear(&ctx.error);
    }
    if (self->previous != NULL && self->previous->sealed != NULL)
        open_previous(self);
    if (self->previous != NULL && self->previous->sealed == NULL &&
        strcmp(self->previous->source_plugin, self->run->source->loaded->plugin.name) == 0) {
        self->run->services.recorded_facts = self->previous->facts;
        self->run->services.recorded_context = self->previous->context;
    }
}

/* A time of its own: names are made of seconds, and a second may be taken. */
static int64_t choose_time(struct backup *self)
{
    for (;;) {
        int64_t now = hf_time_now_ms();
        hf_auto_free char *id = hf_key_id(self->run->profile->name, now);
        bool taken = false;

        for (size_t i = 0; i < self->catalog->count; i++)
            taken = taken || strcmp(self->catalog->backups[i].id, id) == 0;
        if (!taken)
            return now;
        usleep(50 * 1000);
    }
}

static json_t *options_json(const struct hf_config *config)
{
    json_t *json = json_object();

    for (size_t i = 0; i < config->count; i++) {
        const struct hf_setting *setting = &config->settings[i];

        if (setting->text == NULL)
            continue;
        if (setting->option.flags & HF_SECRET)
            hf_json_set_text(json, setting->option.key, "***");
        else if (setting->option.type == HF_URL || setting->line != 0) {
            hf_auto_free char *text = hf_redacted(setting->text);

            hf_json_set_text(json, setting->option.key, text);
        } else
            hf_json_set_text(json, setting->option.key, setting->text);
    }
    return json;
}

static void begin_manifest(struct backup *self)
{
    struct hf_run *run = self->run;
    struct hf_manifest *manifest = self->manifest = hf_manifest_new();
    char host[256] = "unknown";

    (void)gethostname(host, sizeof(host) - 1);
    manifest->start_ms = choose_time(self);
    manifest->id = hf_key_id(run->profile->name, manifest->start_ms);
    manifest->profile = hf_strdup(run->profile->name);
    manifest->host = hf_strdup(host);
    manifest->tool_version = hf_strdup(HOLDFAST_VERSION);
    manifest->source_plugin = hf_strdup(run->source->loaded->plugin.name);
    manifest->source_version = hf_strdup(run->source->loaded->plugin.version);
    manifest->stages = hf_alloc_array(run->stages.count + 1, sizeof(*manifest->stages));
    for (size_t i = 0; i < run->stages.count; i++) {
        const struct hf_plugin *plugin = &run->stages.items[i]->loaded->plugin;

        manifest->stages[manifest->stage_count].plugin = hf_strdup(plugin->name);
        manifest->stages[manifest->stage_count++].version = hf_strdup(plugin->version);
    }
    json_decref(manifest->options);
    manifest->options = json_object();
    hf_json_set(manifest->options, "source", options_json(run->source->config));
    for (size_t i = 0; i < run->stages.count; i++) {
        hf_auto_free char *section = hf_strf("stage %s", run->stages.items[i]->name);

        hf_json_set(manifest->options, section, options_json(run->stages.items[i]->config));
    }
    for (size_t i = 0; i < run->sink_count; i++) {
        hf_auto_free char *section = hf_strf("sink %s", run->sinks[i]->name);

        hf_json_set(manifest->options, section, options_json(run->sinks[i]->config));
    }
}

static int source_begin(struct backup *self, struct hf_ctx *ctx)
{
    struct hf_instance *source = self->run->source;

    hf_instance_enter(source, ctx);
    return hf_instance_leave(source, ctx, source->loaded->source.begin(source->self, ctx, &self->session));
}

static int source_end(struct backup *self, struct hf_ctx *ctx, int status)
{
    struct hf_instance *source = self->run->source;
    struct hf_ctx end = {.cancel = status == HF_OK ? ctx->cancel : NULL, .services = ctx->services};
    int rc;

    hf_instance_enter(source, &end);
    rc = hf_instance_leave(source, &end, source->loaded->source.end(self->session, &end, status));
    if (status == HF_OK && rc < 0)
        hf_error_merge(&ctx->error, &end.error);
    hf_error_clear(&end.error);
    self->unchanged = status == HF_OK && rc == HF_UNCHANGED;
    return status != HF_OK ? status : rc < 0 ? rc : HF_OK;
}

/* How many bytes this backup will have, going by the previous one; 0: there is none to go by. */
static uint64_t expected_bytes(const struct backup *self)
{
    uint64_t bytes = 0;

    for (size_t i = 0; self->previous != NULL && i < self->previous->artifact_count; i++)
        bytes += self->previous->artifacts[i].bytes;
    return bytes;
}

/* The sinks may refuse before the source is asked for anything. */
static int open_sinks(struct backup *self, struct hf_ctx *ctx)
{
    struct hf_run *run = self->run;

    self->fanout =
        hf_fanout_new(&run->services, run->world->cancel, run->sinks, run->sink_count, (size_t)run->profile->quorum);
    hf_fanout_expect(self->fanout, expected_bytes(self));
    return hf_fanout_check(self->fanout, ctx);
}

/* From the snapshot to everything prepared in every sink. */
static int take(struct backup *self, struct hf_ctx *ctx)
{
    struct hf_run *run = self->run;
    struct hf_pipeline_plan plan = {.source = run->source,
                                    .stage = hf_chain_block(&run->stages),
                                    .jobs = run->jobs,
                                    .workers = run->workers,
                                    .services = &run->services,
                                    .cancel = run->world->cancel};
    int rc = open_sinks(self, ctx);

    if (rc == HF_OK)
        rc = source_begin(self, ctx);
    if (rc < 0)
        return rc;
    plan.session = self->session;
    plan.layers = hf_chain_chunked(&run->stages, &plan.layer_count);
    rc = hf_pipeline_run(&plan, ctx, self->fanout, self->manifest);
    rc = source_end(self, ctx, rc);
    if (rc == HF_OK && !self->unchanged && self->manifest->artifact_count == 0)
        rc = hf_fail(ctx, HF_E_FAIL, "%s: there was nothing to back up", run->source->who);
    if (rc == HF_OK && hf_cancel_raised(run->world->cancel))
        rc = hf_fail(ctx, HF_E_CANCELLED, "interrupted");
    return rc;
}

static void finish_manifest(struct backup *self)
{
    const struct hf_services *services = &self->run->services;
    struct hf_manifest *manifest = self->manifest;

    manifest->end_ms = hf_time_now_ms();
    json_object_update(manifest->facts, services->facts);
    json_object_update(manifest->context, services->context);
    for (size_t i = 0; i < services->finding_count; i++) {
        const struct hf_collected_finding *finding = &services->findings[i];

        hf_manifest_add_finding(manifest, finding->severity, finding->code, finding->subject, finding->text);
    }
}

static void verify_each(struct backup *self, struct hf_wish wish)
{
    json_t *checks = json_array();

    for (size_t i = 0; i < self->run->sink_count; i++) {
        struct hf_ctx ctx = hf_run_ctx(self->run);
        json_t *check = NULL;
        bool whole = false;

        if (hf_fanout_dropped(self->fanout, i) != NULL)
            continue;
        if (hf_verify_copy(self->run, &ctx, self->run->sinks[i], self->manifest->id, wish, &whole, &check) != HF_OK) {
            check = hf_check_failed(self->run->sinks[i], self->manifest->id, wish.level, &ctx.error);
            self->damaged = self->damaged || ctx.error.code == HF_E_CORRUPT;
            self->unverified = self->unverified || self->run->sinks[i]->required || hf_cancel_signal() != 0;
            self->partial = true;
        } else if (!whole) {
            self->damaged = true;
        }
        hf_json_append(checks, check);
        hf_error_clear(&ctx.error);
    }
    hf_json_set(self->json, "verification", checks);
}

/* Only after a verified success; the reason when not. */
static int retain_each(struct backup *self, struct hf_ctx *ctx, int level)
{
    json_t *items, *skipped = json_array();
    int rc = HF_OK;

    if (!hf_profile_retains(self->run->profile)) {
        json_decref(skipped);
        return HF_OK;
    }
    if (level == HF_LEVEL_NONE) {
        hf_services_finding(&self->run->services, HF_INFO, "retention-skipped", self->manifest->id,
                            "nothing was removed, since this backup was not verified");
        json_decref(skipped);
        return HF_OK;
    }
    items = json_array();
    for (size_t i = 0; rc == HF_OK && i < self->run->sink_count; i++) {
        if (hf_fanout_dropped(self->fanout, i) == NULL)
            rc = hf_retain(self->run, ctx, self->run->sinks[i], false, items, skipped);
        if (rc == HF_OK || self->run->sinks[i]->required || rc == HF_E_CANCELLED)
            continue;
        hf_services_finding(&self->run->services, HF_WARNING, "retention-failed", self->run->sinks[i]->name, "%s",
                            ctx->error.text);
        hf_error_clear(&ctx->error);
        self->partial = true;
        rc = HF_OK;
    }
    hf_json_set(self->json, "retention", items);
    json_decref(skipped);
    return rc;
}

static void report_stored(struct backup *self)
{
    const struct hf_manifest *manifest = self->manifest;
    json_t *artifacts = json_array();
    uint64_t bytes = 0, raw_bytes = 0;

    for (size_t i = 0; i < manifest->artifact_count; i++) {
        const struct hf_manifest_artifact *artifact = &manifest->artifacts[i];
        json_t *item = json_object();
        hf_auto_free char *location = NULL;

        for (size_t s = 0; s < self->run->sink_count && location == NULL; s++)
            if (hf_fanout_dropped(self->fanout, s) == NULL)
                location = hf_locate(self->run->sinks[s], artifact->key);
        hf_json_set_text(item, "key", artifact->key);
        hf_json_set_int(item, "bytes", (int64_t)artifact->bytes);
        hf_json_set_int(item, "raw_bytes", (int64_t)artifact->raw_bytes);
        hf_json_set_text(item, "location", location);
        hf_json_append(artifacts, item);
        bytes += artifact->bytes;
        raw_bytes += artifact->raw_bytes;
    }
    hf_json_set_int(self->json, "bytes", (int64_t)bytes);
    hf_json_set_int(self->json, "raw_bytes", (int64_t)raw_bytes);
    hf_json_set(self->json, "artifacts", artifacts);
}

static size_t report_sinks(struct backup *self, bool stored)
{
    json_t *sinks = json_array();
    size_t dropped = 0;

    for (size_t i = 0; i < self->run->sink_count; i++) {
        const struct hf_error *error = self->fanout ? hf_fanout_dropped(self->fanout, i) : NULL;
        json_t *item = json_object();

        hf_json_set_text(item, "name", self->run->sinks[i]->name);
        hf_json_set(item, "stored", json_boolean(stored && error == NULL));
        if (error != NULL)
            hf_json_set_text(item, "error", error->text);
        if (error != NULL && error->hint != NULL)
            hf_json_set_text(item, "hint", error->hint);
        hf_json_append(sinks, item);
        dropped += error != NULL;
    }
    hf_json_set(self->json, "sinks", sinks);
    return dropped;
}

static struct hf_wish wish_of(const struct backup *self)
{
    if (self->options->level >= 0)
        return (struct hf_wish){.level = self->options->level, .insists = true};
    return (struct hf_wish){.level = self->run->profile->level, .insists = self->run->profile->level_insists};
}

/* What can be known beforehand to go wrong with the stages. */
static int check_stages(struct backup *self, struct hf_ctx *ctx)
{
    struct hf_wish wish = wish_of(self);
    int rc = hf_check_stages(self->run, ctx);

    return rc == HF_OK && wish.insists ? hf_check_level(self->run, ctx, wish.level) : rc;
}

/* The backup itself, up to the moment when it exists. */
static int store(struct backup *self, struct hf_ctx *ctx)
{
    int rc = check_stages(self, ctx);

    if (rc == HF_OK)
        rc = hf_run_catalog(self->run, ctx, NULL, 0, NULL, &self->catalog);
    if (rc != HF_OK)
        return rc;
    load_previous(self);
    begin_manifest(self);
    hf_json_set_text(self->json, "id", self->manifest->id);
    hf_watch_begin(self->run->world, &self->run->services, "backing up %s", self->run->profile->name);
    rc = take(self, ctx);
    hf_watch_end(self->run->world);
    hf_cancel_forgive(self->run->world->cancel);
    if (rc == HF_OK && !self->unchanged) {
        finish_manifest(self);
        rc = hf_publish(self->run, ctx, self->fanout, self->manifest);
    }
    return rc;
}

/* Nothing changed, so nothing is stored; but a sink that missed the last backup still misses it. */
static size_t note_behind(struct backup *self)
{
    const struct hf_backup *backup = NULL;
    size_t behind = 0;

    for (size_t i = 0; i < self->catalog->count; i++)
        if (strcmp(self->catalog->backups[i].id, self->previous->id) == 0)
            backup = &self->catalog->backups[i];
    for (size_t i = 0; backup != NULL && i < self->run->sink_count; i++) {
        const struct hf_instance *sink = self->run->sinks[i];
        bool has = false;

        for (size_t c = 0; c < backup->copy_count; c++)
            has = has || (backup->copies[c].sink == sink && backup->copies[c].whole);
        if (has)
            continue;
        behind++;
        if (hf_fanout_dropped(self->fanout, i) != NULL) /* nobody knows what it holds; why, is told */
            continue;
        hf_services_finding(&self->run->services, HF_WARNING, "sink-behind", sink->name,
                            "it does not hold '%s': holdfast copy %s --to %s", backup->id, backup->id, sink->name);
    }
    return behind;
}

static int conclude(struct backup *self, struct hf_ctx *ctx, int rc)
{
    struct hf_wish wish = wish_of(self);
    const char *outcome = rc != HF_OK ? "failed" : self->unchanged ? "unchanged" : "stored";
    bool stored = rc == HF_OK && !self->unchanged;
    size_t dropped = report_sinks(self, stored);
    int exit = rc != HF_OK ? hf_exit_of_making(ctx->error.code ? ctx->error.code : rc) : HF_EXIT_OK;

    if (self->unchanged && self->previous != NULL) {
        hf_json_set_text(self->json, "previous", self->previous->id);
        if (note_behind(self) > 0)
            exit = HF_EXIT_PARTIAL;
    }
    if (stored) {
        report_stored(self);
        if (wish.level != HF_LEVEL_NONE)
            verify_each(self, wish);
        if (self->damaged)
            exit = HF_EXIT_DAMAGED;
        else if (self->unverified)
            exit = hf_cancel_signal() != 0 ? HF_EXIT_INTERRUPTED : HF_EXIT_FAILED;
        else if (dropped > 0 || self->partial || self->run->services.severity_counts[HF_ERROR] > 0)
            exit = HF_EXIT_PARTIAL;
        if (exit == HF_EXIT_OK && retain_each(self, ctx, wish.level) != HF_OK)
            exit = hf_exit_of_making(ctx->error.code);
        else if (exit == HF_EXIT_OK && self->partial)
            exit = HF_EXIT_PARTIAL;
        if (exit == HF_EXIT_PARTIAL)
            outcome = "partial";
    }
    hf_json_set_text(self->json, "outcome", outcome);
    hf_json_set(self->json, "findings", hf_findings_json(&self->run->services));
    return exit;
}

/* As retain_each does after a backup. */
static int rehearse_retention(struct backup *self, struct hf_ctx *ctx, json_t *would_remove)
{
    json_t *skipped = json_array();
    int rc = HF_OK;

    for (size_t i = 0; rc == HF_OK && hf_profile_retains(self->run->profile) && i < self->run->sink_count; i++)
        rc = hf_retain(self->run, ctx, self->run->sinks[i], true, would_remove, skipped);
    json_decref(skipped);
    return rc;
}

/* What a run would do: whether it could, and what retention would remove. */
static int rehearse(struct backup *self, struct hf_ctx *ctx)
{
    struct hf_instance *source = self->run->source;
    json_t *would_store = json_array(), *would_remove = json_array();
    hf_auto_free char *id = NULL;
    size_t dropped = 0;
    int rc = check_stages(self, ctx);

    if (rc == HF_OK)
        rc = hf_run_catalog(self->run, ctx, NULL, 0, NULL, &self->catalog);
    if (rc == HF_OK) {
        id = hf_key_id(self->run->profile->name, choose_time(self));
        hf_json_set_text(self->json, "id", id);
        hf_json_append(would_store, json_string(id));
    }
    if (rc == HF_OK) {
        load_previous(self);
        rc = open_sinks(self, ctx);
    }
    if (rc == HF_OK && source->loaded->source.check != NULL) {
        hf_instance_enter(source, ctx);
        rc = hf_instance_leave(source, ctx, source->loaded->source.check(source->self, ctx));
    }
    if (rc >= 0)
        dropped = report_sinks(self, false);
    if (rc >= 0 && dropped == 0) /* nothing is removed after a partial backup */
        rc = rehearse_retention(self, ctx, would_remove);
    hf_json_set(self->json, "would_store", would_store);
    hf_json_set(self->json, "would_remove", would_remove);
    hf_json_set_text(self->json, "outcome", rc >= 0 ? "would-store" : "failed");
    hf_json_set(self->json, "findings", hf_findings_json(&self->run->services));
    if (rc < 0)
        return hf_exit_of_making(ctx->error.code ? ctx->error.code : rc);
    return dropped > 0 ? HF_EXIT_PARTIAL : HF_EXIT_OK;
}

/* Those that scripts find in every report, however far the run comes. */
static void init_members(json_t *json)
{
    hf_json_set(json, "id", json_null());
    hf_json_set_text(json, "outcome", "failed");
    hf_json_set_time(json, "start", hf_time_now_ms());
    hf_json_set_int(json, "raw_bytes", 0);
    hf_json_set_int(json, "bytes", 0);
    hf_json_set(json, "artifacts", json_array());
    hf_json_set(json, "sinks", json_array());
    hf_json_set(json, "findings", json_array());
}

void hf_op_backup(const struct hf_world *world, struct hf_profile *profile, const struct hf_backup_options *options,
                  struct hf_report *report)
{
    struct hf_ctx ctx = {0};
    struct hf_run run;
    struct backup self = {.run = &run, .options = options};
    int64_t started = hf_time_steady_ms();
    int exit, rc;

    hf_report_init(report, profile->name);
    self.json = report->json;
    init_members(report->json);
    rc = hf_run_open(&run, &ctx, world, profile, HF_RUN_SOURCE | (options->dry_run ? 0 : HF_RUN_LOCK));
    if (rc != HF_OK) {
        exit = hf_exit_of_code(ctx.error.code ? ctx.error.code : rc);
    } else if (options->dry_run) {
        exit = rehearse(&self, &ctx);
    } else {
        rc = store(&self, &ctx);
        exit = conclude(&self, &ctx, rc);
    }
    if (rc != HF_OK && ctx.error.code == 0)
        hf_fail(&ctx, rc, "interrupted; nothing was stored");
    hf_json_set_time(report->json, "end", hf_time_now_ms());
    hf_json_set(report->json, "seconds", json_real((double)(hf_time_steady_ms() - started) / 1000));
    hf_report_end(report, &ctx, exit);
    hf_fanout_free(self.fanout);
    hf_catalog_free(self.catalog);
    hf_manifest_free(self.previous);
    if (hf_run_lost(&run))
        hf_keep(self.manifest);
    else
        hf_manifest_free(self.manifest);
    hf_run_close(&run);
}
