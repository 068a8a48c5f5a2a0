/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/run.h"

#include "base/cancel.h"
#include "base/log.h"
#include "ops/content.h"
#include "ops/seal.h"
#include "pipeline/crew.h"
#include "pipeline/part_reader.h"

#include <string.h>

/* One restore at work. */
struct restore {
    struct hf_run *run;
    const struct hf_restore_options *options;
    struct hf_instance *sink;
    struct hf_chain stages;
    struct hf_shelf *shelf;
    struct hf_manifest *manifest;
    void *session;
    struct hf_task *tasks; /* selected */
    size_t task_count;
    uint64_t bytes;
    char *to; /* as the source takes it */
};

/* What the part costs beyond the bytes that are counted as they are read. */
static uint64_t extra_cost(const struct hf_manifest_part *part)
{
    return part->cost > part->raw_size ? part->cost - part->raw_size : 0;
}

/* A source that chokes on damaged bytes says what it makes of them; that they are damaged is what matters. The rest of
 * the part tells. */
static int blame(struct hf_ctx *ctx, struct hf_part_reader *reader, int rc)
{
    struct hf_error said = ctx->error;
    int damage;

    if (rc == HF_E_CANCELLED || hf_part_reader_failed(reader) != 0)
        return rc;
    ctx->error = (struct hf_error){0};
    damage = hf_part_reader_finish(reader);
    if (damage == HF_E_CORRUPT) {
        hf_error_clear(&said);
        return damage;
    }
    hf_error_clear(&ctx->error);
    ctx->error = said;
    return rc;
}

static int work(void *arg, struct hf_ctx *ctx, const struct hf_task *task)
{
    struct restore *self = arg;
    struct hf_instance *source = self->run->source;
    struct hf_part part = hf_part_of(task->artifact, task->part);
    struct hf_part_reader *reader = NULL;
    int rc = hf_part_reader_open(ctx, self->shelf, task->artifact, task->part, &reader);

    if (rc == HF_OK) {
        hf_instance_enter(source, ctx);
        rc = source->loaded->source.restore_part(self->session, ctx, &part, hf_part_reader_base(reader));
        rc = hf_instance_leave(source, ctx, rc);
    }
    if (rc >= 0)
        rc = hf_part_reader_finish(reader);
    else if (reader != NULL)
        rc = blame(ctx, reader, rc);
    hf_part_reader_close(reader);
    if (rc >= 0) {
        atomic_fetch_add(&self->run->services.done_parts, 1);
        atomic_fetch_add(&self->run->services.done_extra, extra_cost(task->part));
    }
    return rc;
}

static int select_part(struct restore *self, struct hf_ctx *ctx, const struct hf_manifest_artifact *artifact,
                       const struct hf_manifest_part *manifest_part)
{
    struct hf_instance *source = self->run->source;
    struct hf_part part = hf_part_of(artifact, manifest_part);
    int wanted = 1;

    if (source->loaded->source.restore_select != NULL) {
        hf_instance_enter(source, ctx);
        wanted = source->loaded->source.restore_select(self->session, ctx, &part);
        wanted = hf_instance_leave(source, ctx, wanted);
    }
    if (wanted > 0) {
        self->tasks[self->task_count++] = (struct hf_task){.artifact = artifact, .part = manifest_part};
        self->bytes += manifest_part->raw_size;
        atomic_fetch_add(&self->run->services.total_bytes, manifest_part->raw_size);
        atomic_fetch_add(&self->run->services.total_parts, 1);
        atomic_fetch_add(&self->run->services.total_extra, extra_cost(manifest_part));
    }
    return wanted < 0 ? wanted : HF_OK;
}

static int select_parts(struct restore *self, struct hf_ctx *ctx)
{
    const struct hf_manifest *manifest = self->manifest;
    size_t total = 0;
    int rc = HF_OK;

    if (self->options->only_count > 0 && self->run->source->loaded->source.restore_select == NULL)
        return hf_fail(ctx, HF_E_UNSUPPORTED, "source '%s' cannot restore a selection: leave --only out",
                       manifest->source_plugin);
    for (size_t i = 0; i < manifest->artifact_count; i++)
        total += manifest->artifacts[i].part_count;
    self->tasks = hf_alloc_array(total + 1, sizeof(*self->tasks));
    for (size_t i = 0; rc == HF_OK && i < manifest->artifact_count; i++)
        for (size_t p = 0; rc == HF_OK && p < manifest->artifacts[i].part_count; p++)
            rc = select_part(self, ctx, &manifest->artifacts[i], &manifest->artifacts[i].parts[p]);
    if (rc == HF_OK && self->options->only_count > 0 && self->task_count == 0) {
        hf_fail(ctx, HF_E_NOTFOUND, "nothing in '%s' matches --only '%s'", manifest->id, self->options->only[0]);
        rc = hf_hint(ctx, "see what it holds with: holdfast show %s", manifest->id);
    }
    return rc;
}

static int run_parts(struct restore *self, struct hf_ctx *ctx)
{
    struct hf_crew crew = {
        .tasks = self->tasks,
        .count = self->task_count,
        .threads = self->options->jobs > 0 ? self->options->jobs : self->run->jobs,
        .phased = true,
        .services = &self->run->services,
        .cancel = self->run->world->cancel,
        .work = work,
        .arg = self,
    };

    atomic_store(&self->run->services.listed, true);
    return hf_crew_run(&crew, ctx);
}

static int end_session(struct restore *self, struct hf_ctx *ctx, int status)
{
    struct hf_instance *source = self->run->source;
    /* Putting things back as they were must not be stopped by what made it necessary. */
    struct hf_ctx end = {.cancel = status == HF_OK ? ctx->cancel : NULL, .services = ctx->services};
    int rc;

    hf_instance_enter(source, &end);
    rc = source->loaded->source.restore_end(self->session, &end, status);
    rc = hf_instance_leave(source, &end, rc);
    if (rc < 0 && status == HF_OK)
        hf_error_merge(&ctx->error, &end.error);
    else if (rc < 0 && end.error.code != 0 && status != HF_E_CANCELLED)
        hf_log(HF_LOG_WARNING, NULL, "after the failure: %s", end.error.text);
    hf_error_clear(&end.error);
    return status == HF_OK && rc < 0 ? rc : status;
}

static json_t *selected_json(const struct restore *self)
{
    json_t *array = json_array();

    for (size_t i = 0; i < self->task_count; i++) {
        json_t *item = json_object();

        hf_json_set_text(item, "artifact", self->tasks[i].artifact->key);
        hf_json_set_text(item, "part", self->tasks[i].part->name);
        hf_json_append(array, item);
    }
    return array;
}

/* From the source's look at the target to its last word. */
static int restore_session(struct restore *self, struct hf_ctx *ctx, const struct hf_restore_request *request,
                           json_t *json)
{
    struct hf_instance *source = self->run->source;
    int rc;

    hf_instance_enter(source, ctx);
    rc = source->loaded->source.restore_begin(source->self, ctx, request, &self->session);
    rc = hf_instance_leave(source, ctx, rc);
    if (rc < 0)
        return rc;
    rc = select_parts(self, ctx);
    if (self->options->dry_run && rc == HF_OK) {
        hf_json_set(json, "selected", selected_json(self));
        (void)end_session(self, ctx, HF_E_CANCELLED);
        return HF_OK;
    }
    if (rc == HF_OK)
        rc = run_parts(self, ctx);
    return end_session(self, ctx, rc);
}

static int restore_backup(struct restore *self, struct hf_ctx *ctx, json_t *json)
{
    const struct hf_restore_options *options = self->options;
    struct hf_restore_request request = {.size = sizeof(request),
                                         .replace = options->replace,
                                         .id = self->manifest->id,
                                         .only = options->only,
                                         .only_count = options->only_count};
    int rc = hf_source_matches(self->run, ctx, self->manifest);

    if (rc == HF_OK && self->run->source->loaded->source.restore_begin == NULL)
        rc = hf_fail(ctx, HF_E_UNSUPPORTED, "source '%s' cannot restore", self->manifest->source_plugin);
    if (rc == HF_OK)
        rc = hf_run_stages_of(self->run, ctx, self->manifest, &self->stages);
    if (rc == HF_OK)
        rc = hf_place_for(ctx, self->run->source, options->to, &self->to);
    if (rc != HF_OK)
        return rc;
    request.to = self->to;
    self->shelf = hf_shelf_new(self->sink, &self->stages, self->manifest);
    self->run->services.recorded_facts = self->manifest->facts;
    self->run->services.recorded_context = self->manifest->context;
    hf_watch_begin(self->run->world, &self->run->services, "restoring %s", self->manifest->id);
    rc = restore_session(self, ctx, &request, json);
    hf_watch_end(self->run->world);
    return rc;
}

static int choose(struct restore *self, struct hf_ctx *ctx, struct hf_catalog *catalog, json_t *json)
{
    const struct hf_restore_options *options = self->options;
    struct hf_backup *backup = NULL;
    struct hf_copy *copy = NULL;
    int rc = hf_catalog_find(ctx, catalog, options->name ? options->name : "latest", options->at_ms, &backup);

    if (rc != HF_OK)
        return rc;
    hf_json_set_text(json, "id", backup->id);
    if (options->sink == NULL) {
        copy = hf_backup_best_copy(backup);
    } else {
        for (size_t i = 0; i < backup->copy_count; i++)
            if (strcmp(backup->copies[i].sink->name, options->sink) == 0)
                copy = &backup->copies[i];
    }
    if (copy == NULL)
        return hf_fail(ctx, HF_E_NOTFOUND, "no copy of '%s' can be read%s%s", backup->id,
                       options->sink ? " from sink " : "", options->sink ? options->sink : "");
    if (!copy->whole)
        hf_log(HF_LOG_WARNING, NULL, "'%s' in sink '%s' is not whole: %s", backup->id, copy->sink->name,
               copy->problem ? copy->problem : "unknown");
    self->sink = copy->sink;
    hf_json_set_text(json, "sink", copy->sink->name);
    rc = hf_catalog_manifest(ctx, copy->sink, backup->id, &self->manifest);
    return rc == HF_OK ? hf_seal_open(self->run, ctx, &self->manifest) : rc;
}

static void report(struct hf_report *result, const struct restore *self, const struct hf_services *services,
                   const char *outcome, int64_t started)
{
    json_t *json = result->json;

    if (self->options->to != NULL)
        hf_json_set_text(json, "to", self->to ? self->to : self->options->to);
    hf_json_set_text(json, "outcome", outcome);
    hf_json_set_int(json, "parts", (int64_t)self->task_count);
    hf_json_set_int(json, "bytes", (int64_t)self->bytes);
    hf_json_set(json, "seconds", json_real((double)(hf_time_steady_ms() - started) / 1000));
    hf_json_set(json, "findings", hf_findings_json(services));
}

void hf_op_restore(const struct hf_world *world, struct hf_profile *profile, const struct hf_restore_options *options,
                   struct hf_report *result)
{
    struct hf_ctx ctx = {0};
    struct hf_run run;
    struct restore self = {.run = &run, .options = options};
    struct hf_catalog *catalog = NULL;
    int64_t started = hf_time_steady_ms();
    struct hf_strings away = {0};
    struct hf_instance *sink = NULL;
    int exit, rc;

    hf_report_init(result, profile->name);
    hf_json_set(result->json, "id", json_null());
    hf_json_set(result->json, "sink", json_null());
    rc = hf_run_open(&run, &ctx, world, profile, HF_RUN_READ | HF_RUN_SOURCE);
    if (rc == HF_OK && options->sink != NULL)
        rc = hf_run_sink(&run, &ctx, options->sink, &sink);
    if (rc == HF_OK)
        rc = hf_catalog_load(&ctx, profile->name, sink ? &sink : run.sinks, sink ? 1 : run.sink_count,
                             run.sink_count > 1 ? &away : NULL, &catalog);
    for (size_t i = 0; i < away.count; i++)
        hf_log(HF_LOG_WARNING, NULL, "sink '%s' does not answer, and is left out", away.items[i]);
    if (rc == HF_OK)
        rc = choose(&self, &ctx, catalog, result->json);
    if (rc == HF_OK)
        rc = restore_backup(&self, &ctx, result->json);
    hf_cancel_forgive(world->cancel);
    exit = rc != HF_OK                                  ? hf_exit_of_code(ctx.error.code ? ctx.error.code : rc)
           : run.services.severity_counts[HF_ERROR] > 0 ? HF_EXIT_PARTIAL
                                                        : HF_EXIT_OK;
    report(result, &self, &run.services,
           rc != HF_OK        ? "failed"
           : options->dry_run ? "would-restore"
                              : "restored",
           started);
    if (rc != HF_OK && ctx.error.code == 0)
        hf_fail(&ctx, rc, "interrupted; the target is as it was");
    hf_report_end(result, &ctx, exit);
    hf_catalog_free(catalog);
    hf_strings_clear(&away);
    hf_shelf_free(self.shelf);
    hf_chain_clear(&self.stages);
    hf_manifest_free(self.manifest);
    free(self.tasks);
    free(self.to);
    hf_run_close(&run);
}
