/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/run.h"

#include "base/cancel.h"
#include "base/log.h"
#include "ops/content.h"
#include "ops/seal.h"
#include "pipeline/crew.h"
#include "pipeline/part_reader.h"

#include <string.h>

enum { SINKS_MAX = 64, ATTEMPTS_MAX = 3 };

/* One restore at work. */
struct restore {
    struct hf_run *run;
    const struct hf_restore_options *options;
    struct hf_instance *sinks[SINKS_MAX]; /* that have it, the best first */
    size_t sink_count;
    /* Behind them: sinks whose manifest says something else, or nothing; read when the others cannot help. */
    size_t spare_count;
    struct hf_chain stages;
    struct hf_copies *copies;
    struct hf_manifest *manifest;
    void *session;
    struct hf_task *tasks; /* selected */
    size_t task_count;
    uint64_t bytes;
    char *to;           /* as the source takes it */
    atomic_bool misled; /* the source was given wrong bytes, and there are right ones elsewhere */
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
    int rc = hf_part_reader_open_copies(ctx, self->copies, task->artifact, task->part, &reader);

    if (rc == HF_OK) {
        hf_instance_enter(source, ctx);
        rc = source->loaded->source.restore_part(self->session, ctx, &part, hf_part_reader_base(reader));
        rc = hf_instance_leave(source, ctx, rc);
    }
    if (rc >= 0)
        rc = hf_part_reader_finish(reader);
    else if (reader != NULL)
        rc = blame(ctx, reader, rc);
    if (reader != NULL && hf_part_reader_misled(reader))
        atomic_store(&self->misled, true);
    hf_part_reader_close(reader);
    if (rc >= 0) {
        atomic_fetch_add(&self->run->services.done_parts, 1);
        atomic_fetch_add(&self->run->services.done_extra, extra_cost(task->part));
    }
    return rc;
}

/* Reads a part without giving it to the source, so that it is known which copies of it are bad. */
static int probe(void *arg, struct hf_ctx *ctx, const struct hf_task *task)
{
    struct restore *self = arg;
    struct hf_part_reader *reader = NULL;
    int rc = hf_part_reader_open_copies(ctx, self->copies, task->artifact, task->part, &reader);

    if (rc == HF_OK)
        rc = hf_part_reader_finish(reader);
    if (rc < 0 && reader != NULL && hf_part_reader_misled(reader)) {
        hf_error_clear(&ctx->error);
        rc = HF_OK;
    }
    hf_part_reader_close(reader);
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
    free(self->tasks);
    self->tasks = hf_alloc_array(total + 1, sizeof(*self->tasks));
    self->task_count = self->bytes = 0;
    atomic_store(&self->run->services.done_bytes, 0);
    atomic_store(&self->run->services.total_bytes, 0);
    for (size_t i = 0; rc == HF_OK && i < manifest->artifact_count; i++)
        for (size_t p = 0; rc == HF_OK && p < manifest->artifacts[i].part_count; p++)
            rc = select_part(self, ctx, &manifest->artifacts[i], &manifest->artifacts[i].parts[p]);
    if (rc == HF_OK && self->options->only_count > 0 && self->task_count == 0) {
        hf_fail(ctx, HF_E_NOTFOUND, "nothing in '%s' matches --only '%s'", manifest->id, self->options->only[0]);
        rc = hf_hint(ctx, "see what it holds with: holdfast show %s; what --only takes: holdfast plugin info %s",
                     manifest->id, manifest->source_plugin);
    }
    return rc;
}

static int run_parts(struct restore *self, struct hf_ctx *ctx,
                     int (*do_it)(void *, struct hf_ctx *, const struct hf_task *))
{
    struct hf_crew crew = {
        .tasks = self->tasks,
        .count = self->task_count,
        .threads = self->options->jobs > 0 ? self->options->jobs : self->run->jobs,
        .phased = do_it == work,
        .services = &self->run->services,
        .cancel = self->run->world->cancel,
        .work = do_it,
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
    bool said;
    int rc;

    hf_instance_enter(source, &end);
    rc = source->loaded->source.restore_end(self->session, &end, status);
    said = end.error.code != 0;
    rc = hf_instance_leave(source, &end, rc);
    if (rc < 0 && status == HF_OK)
        hf_error_merge(&ctx->error, &end.error);
    else if (rc < 0 && (said || rc != status) && status != HF_E_CANCELLED)
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

/* From the source's beginning to its end. */
static int attempt(struct restore *self, struct hf_ctx *ctx, json_t *json)
{
    const struct hf_restore_options *options = self->options;
    struct hf_restore_request request = {.size = sizeof(request),
                                         .replace = options->replace,
                                         .id = self->manifest->id,
                                         .to = self->to,
                                         .only = options->only,
                                         .only_count = options->only_count};
    struct hf_instance *source = self->run->source;
    int rc;

    hf_instance_enter(source, ctx);
    rc = source->loaded->source.restore_begin(source->self, ctx, &request, &self->session);
    rc = hf_instance_leave(source, ctx, rc);
    if (rc < 0)
        return rc;
    rc = select_parts(self, ctx);
    if (options->dry_run && rc == HF_OK) {
        hf_json_set(json, "selected", selected_json(self));
        (void)end_session(self, ctx, HF_E_CANCELLED);
        return HF_OK;
    }
    if (rc == HF_OK)
        rc = run_parts(self, ctx, work);
    return end_session(self, ctx, rc);
}

/* The source took wrong bytes for right ones, and has put everything back as it was. Which parts are bad in which copy
 * is found out at once, so that the next attempt is the last. */
static int prepare_again(struct restore *self, struct hf_ctx *ctx, size_t findings)
{
    struct hf_services *services = &self->run->services;

    hf_log(HF_LOG_WARNING, NULL, "the restore begins anew, to read from another sink what is damaged: %s",
           ctx->error.text ? ctx->error.text : "");
    hf_error_clear(&ctx->error);
    hf_cancel_forgive(self->run->world->cancel);
    if (run_parts(self, ctx, probe) != HF_OK)
        return ctx->error.code;
    hf_services_forget(services, findings);
    json_object_clear(services->facts);
    json_object_clear(services->context);
    hf_copies_again(self->copies);
    atomic_store(&self->misled, false);
    return HF_OK;
}

static int restore_backup(struct restore *self, struct hf_ctx *ctx, json_t *json)
{
    size_t findings = self->run->services.finding_count;
    int rc = hf_source_matches(self->run, ctx, self->manifest);

    if (rc == HF_OK && self->run->source->loaded->source.restore_begin == NULL)
        rc = hf_fail(ctx, HF_E_UNSUPPORTED, "source '%s' cannot restore", self->manifest->source_plugin);
    if (rc == HF_OK)
        rc = hf_run_stages_of(self->run, ctx, self->manifest, &self->stages);
    if (rc == HF_OK)
        rc = hf_need_key(ctx, &self->stages, self->manifest->id, self->run->profile->name);
    if (rc == HF_OK)
        rc = hf_place_for(ctx, self->run->source, self->options->to, &self->to);
    if (rc != HF_OK)
        return rc;
    self->copies = hf_copies_new(&self->stages, self->manifest);
    for (size_t i = 0; i < self->sink_count + self->spare_count; i++)
        hf_copies_add(self->copies, self->sinks[i]);
    self->run->services.recorded_facts = self->manifest->facts;
    self->run->services.recorded_context = self->manifest->context;
    hf_watch_begin(self->run->world, &self->run->services, "restoring %s", self->manifest->id);
    rc = attempt(self, ctx, json);
    if (rc == HF_E_NOSPACE && ctx->error.code != 0)
        hf_hint(ctx, "there must be room%s%s%s for all that is restored, beside what is there; --to restores elsewhere",
                self->to ? " in '" : "", self->to ? self->to : "", self->to ? "'" : "");
    for (int i = 1; i < ATTEMPTS_MAX && rc < 0 && rc != HF_E_CANCELLED && atomic_load(&self->misled); i++) {
        rc = prepare_again(self, ctx, findings);
        if (rc == HF_OK)
            rc = attempt(self, ctx, json);
    }
    hf_watch_end(self->run->world);
    return rc;
}

/* The copies to read from: the one that was asked for, or all that are of this backup, the best first. */
static int list_copies(struct restore *self, struct hf_ctx *ctx, const struct hf_backup *backup,
                       struct hf_copy **copies, size_t *ret_count)
{
    const char *wanted = self->options->sink;

    *ret_count = 0;
    if (wanted == NULL && backup->copy_count <= SINKS_MAX)
        *ret_count = hf_backup_copies(backup, copies);
    for (size_t i = 0; wanted != NULL && i < backup->copy_count; i++)
        if (strcmp(backup->copies[i].sink->name, wanted) == 0)
            copies[(*ret_count)++] = &backup->copies[i];
    if (*ret_count == 0)
        return hf_fail(ctx, HF_E_NOTFOUND, "no copy of '%s' can be read%s%s", backup->id, wanted ? " from sink " : "",
                       wanted ? wanted : "");
    return HF_OK;
}

/* The manifest, from the first that can give it. */
static int load_manifest(struct restore *self, struct hf_ctx *ctx, const char *id, json_t *json)
{
    int rc = HF_E_NOTFOUND;

    for (size_t i = 0; i < self->sink_count; i++) {
        struct hf_ctx own = hf_run_ctx(self->run);

        rc = hf_catalog_manifest(&own, self->sinks[i], id, &self->manifest);
        if (rc == HF_OK) {
            hf_error_clear(&ctx->error);
            hf_json_set_text(json, "sink", self->sinks[i]->name);
            break;
        }
        if (i + 1 < self->sink_count)
            hf_log(HF_LOG_WARNING, NULL, "the manifest is read from another sink: %s", own.error.text);
        hf_error_merge(&ctx->error, &own.error);
    }
    return rc == HF_OK ? hf_seal_open(self->run, ctx, &self->manifest) : ctx->error.code;
}

/* Has the sink artifacts of the backup that stand under no manifest, or under one that is not meant? */
static bool has_something(const struct restore *self, const struct hf_catalog *catalog, const struct hf_backup *backup,
                          const struct hf_instance *sink)
{
    for (size_t i = 0; i < backup->copy_count; i++)
        if (backup->copies[i].sink == sink)
            return true;
    for (size_t i = 0; i < self->manifest->artifact_count; i++) {
        hf_auto_free char *orphan = hf_strf("%s: %s", sink->name, self->manifest->artifacts[i].key);

        for (size_t o = 0; o < catalog->orphans.count; o++)
            if (strcmp(catalog->orphans.items[o], orphan) == 0)
                return true;
    }
    return false;
}

/* What is read of a part is held against its digest in the manifest that is meant, so that it does not matter what the
 * sink's own says. */
static void list_spares(struct restore *self, const struct hf_catalog *catalog, const struct hf_backup *backup)
{
    for (size_t i = 0; i < self->run->sink_count; i++) {
        struct hf_instance *sink = self->run->sinks[i];
        size_t total = self->sink_count + self->spare_count;
        bool listed = total == SINKS_MAX;

        for (size_t s = 0; s < self->sink_count; s++)
            listed = listed || self->sinks[s] == sink;
        if (!listed && has_something(self, catalog, backup, sink)) {
            self->sinks[total] = sink;
            self->spare_count++;
        }
    }
}

/* The copies that nothing is read from as long as others can help. What the restore fails with is said by that. */
static void tell_others(const struct restore *self, const struct hf_backup *backup, const struct hf_error *error)
{
    hf_auto_free char *key = hf_key_manifest(backup->id);

    for (size_t i = 0; i < backup->copy_count && self->options->sink == NULL; i++) {
        const struct hf_copy *copy = &backup->copies[i];
        const char *name = copy->sink->name;

        if (copy->apart)
            hf_services_finding(&self->run->services, HF_WARNING, "another-backup", name,
                                "it holds another backup under the name of '%s', which is restored with --sink %s, and "
                                "is read from only where no other can help",
                                backup->id, name);
        else if (copy->unreadable && (error->code == 0 || strcmp(copy->problem, error->text) != 0))
            hf_services_finding(&self->run->services, HF_WARNING, "read-elsewhere", key,
                                "sink '%s' is read from only where no other can help: %s", name, copy->problem);
    }
}

/* A seal that does not open may be damaged, and the digests do not cover it. Whether there is a copy with another one;
 * then that is the next to try. A key that does not fit, fits none of them, which is said in the end. */
static bool distrust(struct restore *self, struct hf_ctx *ctx, struct hf_backup *backup, const struct hf_copy *copy)
{
    int code = ctx->error.code;

    if (self->options->sink != NULL || self->manifest == NULL || (code != HF_E_CORRUPT && code != HF_E_AUTH))
        return false;
    hf_backup_distrust(backup, copy, ctx->error.text);
    if (hf_backup_best_copy(backup) == NULL)
        return false;
    hf_error_clear(&ctx->error);
    hf_manifest_free(self->manifest);
    self->manifest = NULL;
    return true;
}

/* The copies to read from, and the manifest. */
static int load_backup(struct restore *self, struct hf_ctx *ctx, struct hf_backup *backup, json_t *json)
{
    struct hf_copy *copies[SINKS_MAX];
    int rc;

    do {
        rc = list_copies(self, ctx, backup, copies, &self->sink_count);
        if (rc != HF_OK)
            return rc;
        for (size_t i = 0; i < self->sink_count; i++)
            self->sinks[i] = copies[i]->sink;
        if (!copies[0]->whole)
            hf_log(HF_LOG_WARNING, NULL, "'%s' in sink '%s' is not whole: %s", backup->id, copies[0]->sink->name,
                   copies[0]->problem ? copies[0]->problem : "unknown");
        rc = load_manifest(self, ctx, backup->id, json);
    } while (rc != HF_OK && distrust(self, ctx, backup, copies[0]));
    return rc;
}

static int choose(struct restore *self, struct hf_ctx *ctx, struct hf_catalog *catalog, json_t *json)
{
    const struct hf_restore_options *options = self->options;
    struct hf_backup *backup = NULL;
    int rc = hf_catalog_find(ctx, catalog, options->name ? options->name : "latest", options->at_ms, &backup);

    if (rc != HF_OK)
        return rc;
    hf_json_set_text(json, "id", backup->id);
    rc = load_backup(self, ctx, backup, json);
    if (rc == HF_OK && options->sink == NULL)
        list_spares(self, catalog, backup);
    tell_others(self, backup, &ctx->error);
    return rc;
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

/* The latest in one sink may not be the latest: said once all is restored, since who does not answer takes his time. */
static void tell_newer(const struct restore *self, const struct hf_instance *sink)
{
    struct hf_run *run = self->run;
    hf_auto_strings struct hf_strings away = {0};
    const char *id = self->manifest->id;

    for (size_t i = 0; i < run->sink_count; i++) {
        struct hf_ctx aside = hf_run_ctx(run);
        struct hf_catalog *catalog = NULL;
        struct hf_backup *newest = NULL;

        if (run->sinks[i] != sink &&
            hf_run_catalog(run, &aside, run->sinks[i], HF_CATALOG_LENIENT | HF_CATALOG_FINDING, &away, &catalog) ==
                HF_OK &&
            hf_catalog_find(&aside, catalog, "latest", self->options->at_ms, &newest) == HF_OK &&
            strcmp(newest->id, id) > 0)
            hf_services_finding(&run->services, HF_WARNING, "newer-elsewhere", run->sinks[i]->name,
                                "it has a newer backup than sink '%s', '%s'", sink->name, newest->id);
        hf_catalog_free(catalog);
        hf_error_clear(&aside.error);
    }
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
        rc = hf_run_catalog(&run, &ctx, sink, HF_CATALOG_LENIENT | HF_CATALOG_FINDING, &away, &catalog);
    if (rc == HF_OK)
        rc = choose(&self, &ctx, catalog, result->json);
    if (rc == HF_OK)
        rc = restore_backup(&self, &ctx, result->json);
    if (rc == HF_OK && sink != NULL && (options->name == NULL || strcmp(options->name, "latest") == 0))
        tell_newer(&self, sink);
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
    hf_copies_free(self.copies);
    hf_chain_clear(&self.stages);
    hf_manifest_free(self.manifest);
    free(self.tasks);
    free(self.to);
    hf_run_close(&run);
}
