/* SPDX-License-Identifier: Apache-2.0
 *
 * Bringing a sink up to date from others. What it has whole already is left alone, so that a copying which was
 * interrupted goes on where it was.
 */
#include "ops/run.h"

#include "base/cancel.h"
#include "base/log.h"
#include "catalog/retention.h"
#include "ops/content.h"
#include "ops/transfer.h"
#include "pipeline/crew.h"

#include <string.h>

enum { UNANSWERED_MAX = 2 };

/* One backup that may be copied. */
struct item {
    const struct hf_backup *backup;
    const struct hf_copy *there; /* in the target; NULL: nothing */
    const struct hf_copy *source;
    const char *outcome, *advice; /* advice: may be NULL */
    char *reason;
    bool todo;
    bool unproven; /* it is there, whole by its size, and nobody has read it back: a copying was killed, maybe */
    uint64_t bytes;
    int64_t took_ms;
    int exit;
    json_t *check;
    struct hf_error error;
};

struct copying {
    struct hf_run *run;
    const struct hf_copy_options *options;
    struct hf_world quiet;         /* without a watch: there is one for all */
    struct hf_instance *from, *to; /* from NULL: whichever has it */
    struct hf_catalog *catalog, *target;
    struct hf_strings away; /* sinks that might have been read from */
    struct item *items;
    size_t count;
    struct hf_task *tasks; /* one for each item in `order` */
    struct item **order;
    bool named;            /* one backup by its id, not the latest */
    atomic_int unanswered; /* backups in a row that failed since somebody could not be reached */
    int level, threads;    /* threads: artifacts of one backup at once */
};

static bool found_damaged(const struct hf_copy *copy)
{
    return copy->verified.level != HF_LEVEL_NONE && !copy->verified.whole;
}

/* The best copy to read that is not in the target; NULL: none is whole. */
static const struct hf_copy *choose_source(const struct copying *self, const struct hf_backup *backup,
                                           const struct hf_copy *but)
{
    const struct hf_copy *best = NULL;

    for (size_t i = 0; i < backup->copy_count; i++) {
        const struct hf_copy *copy = &backup->copies[i];

        if (copy->sink == self->to || !copy->whole || copy == but)
            continue;
        if (best == NULL || (found_damaged(best) && !found_damaged(copy)))
            best = copy;
    }
    return best;
}

static const struct hf_copy *find_there(const struct copying *self, const char *id)
{
    for (size_t i = 0; i < self->target->count; i++)
        if (strcmp(self->target->backups[i].id, id) == 0)
            return self->target->backups[i].copies;
    return NULL;
}

static void decide(struct item *item, const char *outcome, int exit, const char *reason)
{
    item->outcome = outcome;
    item->exit = exit;
    item->reason = hf_strdup(reason);
}

static void decide_in_the_way(struct item *item, const char *reason, bool another)
{
    decide(item, "in-the-way", HF_EXIT_REFUSED, reason);
    item->advice = another ? "--replace never touches another backup: look at both, and move the one that is not meant"
                           : "look at it, and if it is damaged: --replace";
}

/* Does a sink to copy from have another backup under this name, and none the one that is there? */
static bool another_is_there(const struct copying *self, const struct hf_backup *backup, const struct hf_copy *there)
{
    bool same = false, other = false;

    for (size_t i = 0; i < backup->copy_count; i++) {
        const struct hf_copy *copy = &backup->copies[i];

        if (copy->sink == self->to || copy->unreadable)
            continue;
        same = same || hf_copy_same(copy, there);
        other = other || !hf_copy_same(copy, there);
    }
    return other && !same;
}

static bool never_checked(const struct hf_copy *copy)
{
    return copy->verified.level == HF_LEVEL_NONE;
}

/* What is to become of one backup. */
static void consider(const struct copying *self, const struct hf_backup *backup, struct item *item)
{
    const struct hf_copy *there = item->there = find_there(self, backup->id);

    item->backup = backup;
    item->source = choose_source(self, backup, NULL);
    if (there != NULL && there->whole && !found_damaged(there) && another_is_there(self, backup, there))
        decide_in_the_way(item, "another backup of the same name is there", true);
    else if (there != NULL && there->whole && !found_damaged(there) &&
             (self->options->dry_run || !never_checked(there)))
        decide(item, "there", HF_EXIT_OK, NULL);
    else if (there != NULL && there->whole && never_checked(there))
        item->todo = item->unproven = true;
    else if (backup->disputed) {
        decide(item, "failed", HF_EXIT_REFUSED, "the sinks hold different backups under this name");
        item->advice = "look at both, and say which one is meant: --from NAME";
    } else if (item->source == NULL)
        decide(item, "failed", HF_EXIT_DAMAGED, "no copy of it to read from is whole");
    else if (item->there != NULL && !self->options->replace)
        decide_in_the_way(item, there->problem ? there->problem : "a copy that was found damaged is there", false);
    else
        item->todo = true;
}

static bool have_item(const struct copying *self, const char *id)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->items[i].backup->id, id) == 0)
            return true;
    return false;
}

/* What the target's own rules would remove at once is not worth copying: else it would come back with every copying. */
static void leave_out_unwanted(struct copying *self)
{
    struct hf_retained *weighed = hf_alloc_array(self->count + self->target->count + 1, sizeof(*weighed));
    size_t count = self->count;

    for (size_t i = 0; i < self->count; i++) {
        const struct hf_backup *backup = self->items[i].backup;

        weighed[i] = (struct hf_retained){.id = backup->id, .time_ms = backup->time_ms, .verified = true};
    }
    for (size_t i = 0; i < self->target->count; i++) {
        const struct hf_backup *backup = &self->target->backups[i];

        if (!have_item(self, backup->id))
            weighed[count++] = (struct hf_retained){.id = backup->id, .time_ms = backup->time_ms, .verified = true};
    }
    hf_retention_decide(hf_profile_retention(self->run->profile, self->to->name), hf_time_now_ms(), weighed, count);
    for (size_t i = 0; i < self->count; i++) {
        if (!self->items[i].todo || self->items[i].unproven || !weighed[i].remove)
            continue;
        self->items[i].todo = false;
        decide(&self->items[i], "unwanted", HF_EXIT_OK, weighed[i].reason);
    }
    free(weighed);
}

static int choose(struct copying *self, struct hf_ctx *ctx)
{
    const struct hf_copy_options *options = self->options;
    struct hf_backup *backup = NULL;

    self->named = options->name != NULL && strcmp(options->name, "latest") != 0;
    if (!options->all &&
        hf_catalog_find(ctx, self->catalog, options->name ? options->name : "latest", options->at_ms, &backup) != HF_OK)
        return ctx->error.code;
    self->items = hf_alloc_array(self->catalog->count + 1, sizeof(*self->items));
    for (size_t i = 0; i < self->catalog->count; i++)
        if (backup == NULL || backup == &self->catalog->backups[i])
            consider(self, &self->catalog->backups[i], &self->items[self->count++]);
    if (options->all)
        leave_out_unwanted(self);
    return HF_OK;
}

/* Reads through what is to take the place of a damaged copy: as long as that one is there, a restore may take from each
 * what the other lacks. */
static int prove(struct copying *self, struct hf_ctx *ctx, const struct item *item)
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
static int clear_way(struct copying *self, struct hf_ctx *ctx, struct item *item)
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
static int read_back(struct copying *self, struct hf_ctx *ctx, struct item *item, const struct hf_manifest *manifest)
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
static int check_there(struct copying *self, struct hf_ctx *ctx, struct item *item)
{
    struct hf_wish wish = {.level = self->level, .insists = true};
    bool whole = false;
    int rc = hf_verify_copy(self->run, ctx, self->to, item->backup->id, wish, &whole, &item->check);

    if (rc != HF_OK)
        return rc;
    if (whole)
        decide(item, "there", HF_EXIT_OK, NULL);
    else if (item->source == NULL || !self->options->replace)
        decide_in_the_way(item, "a copy that was found damaged is there", false);
    else
        json_decref(hf_steal(item->check));
    return HF_OK;
}

static int bring(struct copying *self, struct hf_ctx *ctx, struct item *item, struct hf_manifest **ret_manifest)
{
    int rc = clear_way(self, ctx, item);

    if (rc != HF_OK)
        return rc;
    return hf_transfer(self->run, ctx, item->source->sink, self->to, item->backup->id, self->threads, ret_manifest);
}

static int copy_one(struct copying *self, struct hf_ctx *ctx, struct item *item)
{
    struct hf_manifest *manifest = NULL;
    const struct hf_copy *other;
    int rc = item->unproven ? check_there(self, ctx, item) : HF_OK;

    if (rc != HF_OK || item->outcome != NULL)
        return rc;
    rc = bring(self, ctx, item, &manifest);
    other = choose_source(self, item->backup, item->source);
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

/* Each that is tried with nobody there takes as long as all the sink's retries. */
static int copy_if_answered(struct copying *self, struct hf_ctx *ctx, struct item *item)
{
    int rc;

    if (atomic_load(&self->unanswered) >= UNANSWERED_MAX)
        return hf_fail(ctx, HF_E_UNREACHABLE, "not tried any more, since nobody answered for those before");
    rc = copy_one(self, ctx, item);
    if (rc == HF_E_UNREACHABLE)
        atomic_fetch_add(&self->unanswered, 1);
    else
        atomic_store(&self->unanswered, 0);
    return rc;
}

static int work(void *arg, struct hf_ctx *ctx, const struct hf_task *task)
{
    struct copying *self = arg;
    struct item *item = self->order[task - self->tasks];
    int64_t started = hf_time_steady_ms();
    int rc = copy_if_answered(self, ctx, item);

    item->took_ms = hf_time_steady_ms() - started;
    item->bytes = item->outcome == NULL ? item->backup->figures.bytes : 0;
    if (rc == HF_OK) {
        if (item->outcome == NULL)
            decide(item, "copied", HF_EXIT_OK, NULL);
        return HF_OK;
    }
    if (ctx->error.code == 0)
        hf_fail(ctx, rc, "interrupted");
    decide(item, "failed", hf_exit_of_code(rc), NULL);
    hf_error_merge(&item->error, &ctx->error);
    return rc == HF_E_CANCELLED ? rc : HF_OK;
}

static void copy_all(struct copying *self, struct hf_ctx *ctx)
{
    const struct hf_world *world = self->run->world;
    int jobs = self->options->jobs > 0 ? self->options->jobs : self->run->jobs;
    struct hf_crew crew = {.keep_going = true,
                           .services = &self->run->services,
                           .cancel = self->run->world->cancel,
                           .work = work,
                           .arg = self};

    crew.tasks = self->tasks = hf_alloc_array(self->count + 1, sizeof(*self->tasks));
    self->order = hf_alloc_array(self->count + 1, sizeof(struct item *));
    for (size_t i = 0; i < self->count; i++) {
        if (!self->items[i].todo)
            continue;
        if (self->options->dry_run) {
            decide(&self->items[i], "would-copy", HF_EXIT_OK, NULL);
            self->items[i].bytes = self->items[i].backup->figures.bytes;
            continue;
        }
        self->order[crew.count++] = &self->items[i];
        atomic_fetch_add(&self->run->services.total_bytes, self->items[i].backup->figures.bytes);
    }
    crew.threads = crew.count < (size_t)jobs ? (int)crew.count : jobs;
    self->threads = crew.threads > 0 ? jobs / crew.threads : 1;
    if (crew.count == 0)
        return;
    hf_watch_begin(world, &self->run->services, "copying %s to %s", self->run->profile->name, self->to->name);
    self->quiet = *world;
    self->quiet.watch = NULL;
    self->run->world = &self->quiet;
    (void)hf_crew_run(&crew, ctx);
    self->run->world = world;
    hf_watch_end(world);
    hf_error_clear(&ctx->error); /* each item has its own */
}

static json_t *item_json(const struct item *item)
{
    json_t *json = json_object();

    hf_json_set_text(json, "id", item->backup->id);
    if (item->source != NULL)
        hf_json_set_text(json, "from", item->source->sink->name);
    hf_json_set_text(json, "outcome", item->outcome ? item->outcome : "not-done");
    hf_json_set_int(json, "bytes", (int64_t)item->bytes);
    hf_json_set(json, "seconds", json_real((double)item->took_ms / 1000));
    if (item->reason != NULL)
        hf_json_set_text(json, "reason", item->reason);
    if (item->check != NULL)
        hf_json_set(json, "verification", json_incref(item->check));
    if (item->error.text != NULL)
        hf_json_set_text(json, "error", item->error.text);
    if (item->error.hint != NULL || item->advice != NULL)
        hf_json_set_text(json, "hint", item->error.hint ? item->error.hint : item->advice);
    return json;
}

/* Damage before all but an interruption; what some of them came to is partial. */
static int combine(const struct copying *self)
{
    int exit = HF_EXIT_OK;
    bool damaged = false, good = false, mixed = false;

    for (size_t i = 0; i < self->count; i++) {
        int own = self->items[i].outcome ? self->items[i].exit : HF_EXIT_INTERRUPTED;

        if (own == HF_EXIT_INTERRUPTED)
            return own;
        damaged = damaged || own == HF_EXIT_DAMAGED;
        good = good || own == HF_EXIT_OK;
        if (own != HF_EXIT_OK && exit != HF_EXIT_OK && own != exit)
            mixed = true;
        exit = own != HF_EXIT_OK ? own : exit;
    }
    if (damaged)
        return HF_EXIT_DAMAGED;
    if (exit == HF_EXIT_OK) /* a sink that is away may have more of what was asked for */
        return self->away.count > 0 && (self->options->all || !self->named) ? HF_EXIT_PARTIAL : HF_EXIT_OK;
    return good ? HF_EXIT_PARTIAL : mixed ? HF_EXIT_FAILED : exit;
}

/* Whether what was asked for can be told at all, with some sinks away. */
static int check_sources(struct copying *self, struct hf_ctx *ctx)
{
    const struct hf_strings *away = &self->away;

    if (self->from != NULL || away->count == 0 || away->count + 1 < self->run->sink_count)
        return HF_OK;
    hf_fail(ctx, HF_E_UNREACHABLE, "none of the sinks to copy from answers: '%s'%s", away->items[0],
            away->count > 1 ? " and the others" : "");
    return hf_hint(ctx, "holdfast check %s says what is wrong with each", self->run->profile->name);
}

/* HF_END: this profile is not meant. */
static int find_sinks(struct copying *self, struct hf_ctx *ctx)
{
    const struct hf_copy_options *options = self->options;
    int rc = hf_run_sink(self->run, ctx, options->to, &self->to);

    if (rc == HF_OK && options->from != NULL)
        rc = hf_run_sink(self->run, ctx, options->from, &self->from);
    if (rc != HF_E_NOTFOUND || !options->pass_over)
        return rc;
    hf_services_finding(&self->run->services, HF_INFO, "no-such-sink", self->run->profile->name, "left out: %s",
                        ctx->error.text);
    hf_error_clear(&ctx->error);
    return HF_END;
}

static int open_both(struct copying *self, struct hf_ctx *ctx)
{
    const struct hf_copy_options *options = self->options;
    hf_auto_strings struct hf_strings nobody = {0};
    int rc = find_sinks(self, ctx);

    if (rc == HF_OK && self->from == self->to) {
        hf_fail(ctx, HF_E_CONFIG, "'--from' and '--to' are the same sink, '%s'", options->to);
        rc = hf_hint(ctx, "copies are made from one sink to another");
    }
    if (rc == HF_OK && !options->dry_run)
        rc = hf_catalog_sweep(ctx, self->to, self->run->profile->name);
    if (rc == HF_OK)
        rc = hf_run_catalog(self->run, ctx, self->to, false, &nobody, &self->target);
    if (rc == HF_OK)
        rc = hf_run_catalog(self->run, ctx, self->from, true, &self->away, &self->catalog);
    return rc == HF_OK ? check_sources(self, ctx) : rc;
}

static void clear(struct copying *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free(self->items[i].reason);
        json_decref(self->items[i].check);
        hf_error_clear(&self->items[i].error);
    }
    free(self->items);
    free(self->tasks);
    free(self->order);
    hf_catalog_free(self->catalog);
    hf_catalog_free(self->target);
    hf_strings_clear(&self->away);
}

void hf_op_copy(const struct hf_world *world, struct hf_profile *profile, const struct hf_copy_options *options,
                struct hf_report *report)
{
    struct hf_ctx ctx = {0};
    struct hf_run run;
    struct copying self = {
        .run = &run, .options = options, .level = options->level >= 0 ? options->level : HF_LEVEL_DIGEST};
    int64_t started = hf_time_steady_ms();
    json_t *copies = json_array(), *unreachable;
    int flags = (options->dry_run ? 0 : HF_RUN_ALONE) | (self.level >= HF_LEVEL_CONTENT ? HF_RUN_SOURCE : 0);
    int exit, rc;

    hf_report_init(report, profile->name);
    hf_json_set(report->json, "copies", copies);
    hf_json_set_text(report->json, "to", options->to);
    rc = hf_run_open(&run, &ctx, world, profile, flags);
    if (rc == HF_OK)
        rc = open_both(&self, &ctx);
    if (rc == HF_OK)
        rc = choose(&self, &ctx);
    hf_json_set(report->json, "unreachable", unreachable = json_array());
    for (size_t i = 0; i < self.away.count; i++)
        hf_json_append(unreachable, json_string(self.away.items[i]));
    if (rc == HF_OK) {
        copy_all(&self, &ctx);
        for (size_t i = 0; i < self.count; i++)
            hf_json_append(copies, item_json(&self.items[i]));
    }
    exit = rc < 0 ? hf_exit_of_code(ctx.error.code ? ctx.error.code : rc) : combine(&self);
    hf_json_set(report->json, "seconds", json_real((double)(hf_time_steady_ms() - started) / 1000));
    hf_json_set(report->json, "findings", hf_findings_json(&run.services));
    hf_report_end(report, &ctx, exit);
    clear(&self);
    hf_run_close(&run);
}
