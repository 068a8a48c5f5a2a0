/* SPDX-License-Identifier: Apache-2.0
 *
 * Bringing a sink up to date from others, several backups at once.
 */
#include "ops/copying.h"

#include "base/cancel.h"

#include <string.h>

enum { UNANSWERED_MAX = 2 };

/* Each that is tried with nobody there takes as long as all the sink's retries. */
static int copy_if_answered(struct hf_copying *self, struct hf_ctx *ctx, struct hf_copy_item *item)
{
    int rc;

    if (atomic_load(&self->unanswered) >= UNANSWERED_MAX)
        return hf_fail(ctx, HF_E_UNREACHABLE, "not tried any more, since nobody answered for those before");
    rc = hf_copying_one(self, ctx, item);
    if (rc == HF_E_UNREACHABLE)
        atomic_fetch_add(&self->unanswered, 1);
    else
        atomic_store(&self->unanswered, 0);
    return rc;
}

static int work(void *arg, struct hf_ctx *ctx, const struct hf_task *task)
{
    struct hf_copying *self = arg;
    struct hf_copy_item *item = self->order[task - self->tasks];
    int64_t started = hf_time_steady_ms();
    int rc = copy_if_answered(self, ctx, item);

    item->took_ms = hf_time_steady_ms() - started;
    item->bytes = item->outcome == NULL ? item->backup->figures.bytes : 0;
    if (rc == HF_OK) {
        if (item->outcome == NULL)
            hf_copy_decide(item, "copied", HF_EXIT_OK, NULL);
        return HF_OK;
    }
    if (ctx->error.code == 0)
        hf_fail(ctx, rc, "interrupted");
    hf_copy_decide(item, "failed", hf_exit_of_code(rc), NULL);
    hf_error_merge(&item->error, &ctx->error);
    return rc == HF_E_CANCELLED ? rc : HF_OK;
}

static void copy_all(struct hf_copying *self, struct hf_ctx *ctx)
{
    const struct hf_world *world = self->run->world;
    int jobs = self->options->jobs > 0 ? self->options->jobs : self->run->jobs;
    /* Otherwise the newest first: it is what is wanted, whatever interrupts. */
    bool history = (self->to->loaded->plugin.caps & HF_CAP_HISTORY) != 0;
    struct hf_crew crew = {.keep_going = true,
                           .services = &self->run->services,
                           .cancel = self->run->world->cancel,
                           .work = work,
                           .arg = self};

    free(self->tasks);
    free(self->order);
    crew.tasks = self->tasks = hf_alloc_array(self->count + 1, sizeof(*self->tasks));
    self->order = hf_alloc_array(self->count + 1, sizeof(struct hf_copy_item *));
    for (size_t n = 0; n < self->count; n++) {
        size_t i = history ? n : self->count - 1 - n;

        if (!self->items[i].todo || self->items[i].outcome != NULL)
            continue;
        if (self->options->dry_run) {
            hf_copy_decide(&self->items[i], "would-copy", HF_EXIT_OK, NULL);
            self->items[i].bytes = self->items[i].backup->figures.bytes;
            continue;
        }
        self->order[crew.count++] = &self->items[i];
        atomic_fetch_add(&self->run->services.total_bytes, self->items[i].backup->figures.bytes);
    }
    crew.threads = history ? 1 : crew.count < (size_t)jobs ? (int)crew.count : jobs;
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

static json_t *item_json(const struct hf_copy_item *item)
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
static int combine(const struct hf_copying *self)
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
static int check_sources(struct hf_copying *self, struct hf_ctx *ctx)
{
    const struct hf_strings *away = &self->away;

    if (self->from != NULL || away->count == 0 || away->count + 1 < self->run->sink_count)
        return HF_OK;
    hf_fail(ctx, HF_E_UNREACHABLE, "none of the sinks to copy from answers: '%s'%s", away->items[0],
            away->count > 1 ? " and the others" : "");
    return hf_hint(ctx, "holdfast check %s says what is wrong with each", self->run->profile->name);
}

/* HF_END: this profile is not meant. */
static int find_sinks(struct hf_copying *self, struct hf_ctx *ctx)
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

static int open_both(struct hf_copying *self, struct hf_ctx *ctx)
{
    const struct hf_copy_options *options = self->options;
    int rc = find_sinks(self, ctx);

    if (rc == HF_OK && self->from == self->to) {
        hf_fail(ctx, HF_E_CONFIG, "'--from' and '--to' are the same sink, '%s'", options->to);
        rc = hf_hint(ctx, "copies are made from one sink to another");
    }
    if (rc == HF_OK && !options->dry_run)
        rc = hf_catalog_sweep(ctx, self->to, self->run->profile->name);
    if (rc == HF_OK)
        rc = hf_run_catalog(self->run, ctx, self->to, 0, NULL, &self->target);
    if (rc == HF_OK)
        rc = hf_run_catalog(self->run, ctx, self->from, HF_CATALOG_LENIENT | HF_CATALOG_FINDING, &self->away,
                            &self->catalog);
    return rc == HF_OK ? check_sources(self, ctx) : rc;
}

static void clear(struct hf_copying *self)
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
    struct hf_copying self = {
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
        rc = hf_copying_choose(&self, &ctx);
    hf_json_set(report->json, "unreachable", unreachable = json_array());
    for (size_t i = 0; i < self.away.count; i++)
        hf_json_append(unreachable, json_string(self.away.items[i]));
    if (rc == HF_OK) {
        do
            copy_all(&self, &ctx);
        while (hf_copying_reconsider(&self));
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
