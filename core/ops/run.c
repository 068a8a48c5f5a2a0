/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/run.h"

#include "base/cancel.h"
#include "base/file.h"
#include "base/log.h"
#include "catalog/known.h"
#include "ops/guard.h"
#include "ops/seal.h"
#include "ops/writer.h"
#include "plugin/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { JOBS_MAX = 64, JOBS_DEFAULT = 4 };

struct hf_ctx hf_run_ctx(const struct hf_run *run)
{
    return (struct hf_ctx){.cancel = run->world->cancel, .services = (struct hf_services *)&run->services};
}

static int processors(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);

    return count < 1 ? 1 : count > JOBS_MAX ? JOBS_MAX : (int)count;
}

static int fail_diagnosed(struct hf_ctx *ctx, const struct hf_diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct hf_diagnostic *item = &diagnostics->items[i];

        if (item->severity != HF_ERROR)
            continue;
        hf_fail(ctx, HF_E_CONFIG, "%s:%d: %s", item->file, item->line, item->text);
        return item->hint ? hf_hint(ctx, "%s", item->hint) : HF_E_CONFIG;
    }
    return HF_OK;
}

static int add_instance(struct hf_run *run, struct hf_ctx *ctx, const struct hf_plugin_section *section,
                        struct hf_instance **ret_instance)
{
    struct hf_diagnostics diagnostics = {0};
    struct hf_instance *instance = hf_instance_new(ctx, run->profile, section, &diagnostics);
    int rc = fail_diagnosed(ctx, &diagnostics);

    hf_diagnostics_clear(&diagnostics);
    if (rc == HF_OK && instance == NULL)
        rc = hf_fail(ctx, HF_E_CONFIG, "'%s' names no %s plugin", run->profile->path, hf_kind_text(section->kind));
    *ret_instance = instance; /* freed by hf_run_close, opened or not */
    return rc == HF_OK ? hf_instance_open(instance, ctx) : rc;
}

/* A source waiting for a sink or a stage, in one module that makes one call at a time, would wait for ever. */
int hf_check_gate(struct hf_ctx *ctx, const struct hf_instance *source, const struct hf_instance *other)
{
    if (source == NULL || other == NULL || source->gate == NULL || source->gate != other->gate)
        return HF_OK;
    return hf_fail(ctx, HF_E_UNSUPPORTED,
                   "%s and %s are of one module that makes one call at a time: they cannot work together", source->who,
                   other->who);
}

static int check_gates(const struct hf_run *run, struct hf_ctx *ctx)
{
    int rc = HF_OK;

    for (size_t i = 0; rc == HF_OK && i < run->stages.count; i++)
        rc = hf_check_gate(ctx, run->source, run->stages.items[i]);
    for (size_t i = 0; rc == HF_OK && i < run->sink_count; i++)
        rc = hf_check_gate(ctx, run->source, run->sinks[i]);
    return rc;
}

/* What the catalog knows already of the sink lies beside the locks. */
static void open_known(const struct hf_run *run, struct hf_instance *sink)
{
    hf_auto_free char *path =
        hf_strf("%s/catalog/%s.%s", run->world->settings->state_dir, run->profile->name, sink->name);

    sink->known = hf_known_open(path);
}

static int open_plugins(struct hf_run *run, struct hf_ctx *ctx, int flags)
{
    struct hf_profile *profile = run->profile;
    int rc = fail_diagnosed(ctx, &profile->diagnostics);

    if (rc == HF_OK && (flags & HF_RUN_SOURCE))
        rc = add_instance(run, ctx, &profile->source, &run->source);
    for (size_t i = 0; rc == HF_OK && i < profile->stage_count; i++) {
        struct hf_instance *stage = NULL;

        rc = add_instance(run, ctx, &profile->stages[i], &stage);
        if (stage != NULL)
            hf_chain_add(&run->stages, stage, true);
    }
    if (rc == HF_OK)
        rc = hf_chain_check(ctx, &run->stages);
    if (rc == HF_OK)
        rc = hf_seal_choose(ctx, &run->stages, &run->seal);
    run->sinks = hf_alloc_array(profile->sink_count, sizeof(*run->sinks));
    for (size_t i = 0; rc == HF_OK && i < profile->sink_count; i++) {
        rc = add_instance(run, ctx, &profile->sinks[i], &run->sinks[run->sink_count++]);
        if (rc == HF_OK)
            open_known(run, run->sinks[i]);
    }
    return rc == HF_OK ? check_gates(run, ctx) : rc;
}

static char *lock_path(const struct hf_run *run, const char *suffix)
{
    return hf_strf("%s/locks/%s%s", run->world->settings->state_dir, run->profile->name, suffix);
}

/* The readers' lock: shared by those who read backups, exclusive for who removes them. */
static int lock_readers(struct hf_run *run, struct hf_ctx *ctx, int operation, int *ret_fd)
{
    hf_auto_free char *folder = hf_strf("%s/locks", run->world->settings->state_dir);
    hf_auto_free char *path = lock_path(run, ".readers");
    int fd, rc = hf_file_make_dirs(ctx, folder, 0700);

    if (rc != HF_OK)
        return rc;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return hf_fail_errno(ctx, errno, "open the lock '%s'", path);
    if (flock(fd, operation | LOCK_NB) != 0) {
        rc = errno == EWOULDBLOCK ? HF_E_BUSY : hf_code_of_errno(errno);
        close(fd);
        return hf_fail(ctx, rc, "backups of '%s' are being %s by another run", run->profile->name,
                       operation == LOCK_EX ? "read" : "removed");
    }
    *ret_fd = fd;
    return HF_OK;
}

int hf_run_lock_readers_out(struct hf_run *run, struct hf_ctx *ctx, int *ret_fd)
{
    return lock_readers(run, ctx, LOCK_EX, ret_fd);
}

static int sweep(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, void *arg)
{
    (void)arg;
    return hf_catalog_sweep(ctx, sink, run->profile->name);
}

static int name_writer(struct hf_run *run, struct hf_ctx *ctx)
{
    hf_auto_free char *writer = NULL;
    int rc = hf_writer_find(ctx, run->world->settings->state_dir, &writer);

    for (size_t i = 0; rc == HF_OK && i < run->sink_count; i++)
        run->sinks[i]->writer = hf_strdup(writer);
    return rc;
}

static int lock_and_sweep(struct hf_run *run, struct hf_ctx *ctx, bool alone)
{
    hf_auto_free char *path = lock_path(run, ".lock");
    int rc = hf_file_lock(ctx, path, &run->lock_fd);

    if (rc == HF_E_BUSY) {
        hf_wrap(ctx, "profile '%s' is locked by another run", run->profile->name);
        return hf_hint(ctx, "wait for it to end; a run that was killed holds no lock");
    }
    if (rc == HF_OK)
        rc = name_writer(run, ctx);
    if (rc == HF_OK)
        rc = hf_tempdir_sweep(ctx, run->world->settings->temp_dir);
    for (size_t i = 0; rc == HF_OK && !alone && i < run->sink_count; i++) {
        rc = hf_guard(run, ctx, run->sinks[i], sweep, NULL);
        if (rc != HF_OK && !run->sinks[i]->required && rc != HF_E_CANCELLED) {
            if (rc == HF_E_UNREACHABLE)
                hf_instance_set_away(run->sinks[i], ctx);
            else
                run->sinks[i]->unswept = hf_strdup(ctx->error.text);
            hf_error_clear(&ctx->error);
            rc = HF_OK;
        }
    }
    return rc;
}

int hf_run_open(struct hf_run *run, struct hf_ctx *ctx, const struct hf_world *world, struct hf_profile *profile,
                int flags)
{
    int rc;

    memset(run, 0, sizeof(*run));
    run->world = world;
    run->profile = profile;
    run->lock_fd = run->read_fd = run->seal = -1;
    run->workers = profile->workers > 0 ? profile->workers : processors();
    run->jobs = profile->jobs > 0 ? profile->jobs : processors() < JOBS_DEFAULT ? processors() : JOBS_DEFAULT;
    hf_services_init(&run->services, world->settings->temp_dir);
    run->services.profile = profile->name;
    ctx->cancel = world->cancel;
    ctx->services = &run->services;
    rc = open_plugins(run, ctx, flags);
    if (rc == HF_OK && (flags & (HF_RUN_LOCK | HF_RUN_ALONE)))
        rc = lock_and_sweep(run, ctx, !(flags & HF_RUN_LOCK));
    if (rc == HF_OK && (flags & HF_RUN_READ))
        rc = lock_readers(run, ctx, LOCK_SH, &run->read_fd);
    return rc;
}

bool hf_run_lost(const struct hf_run *run)
{
    bool lost = false;

    for (size_t i = 0; i < run->sink_count; i++)
        lost = lost || atomic_load(&run->sinks[i]->lost);
    return lost;
}

/* Of a sink that turned out to be away, that is said, and not what could not be done there. */
static void tell_unswept(const struct hf_run *run)
{
    for (size_t i = 0; i < run->sink_count; i++)
        if (run->sinks[i] != NULL && run->sinks[i]->unswept != NULL && run->sinks[i]->away.code == 0)
            hf_log(HF_LOG_WARNING, NULL, "%s", run->sinks[i]->unswept);
}

/* One that somebody is left behind in stays, with what is known of it. */
static void close_sinks(struct hf_run *run)
{
    for (size_t i = 0; i < run->sink_count; i++) {
        struct hf_instance *sink = run->sinks[i];

        if (sink != NULL && !atomic_load(&sink->lost))
            hf_known_close(hf_steal(sink->known));
        hf_instance_free(sink);
    }
}

/* Somebody who does not come back may still look at what is kept, and write to the sink: the lock stays, too. */
static void keep_if_lost(struct hf_run *run)
{
    if (hf_run_lost(run)) {
        close_sinks(run);
        hf_keep(run->sinks);
        hf_keep(run->stages.items);
        hf_keep(run->stages.owned);
        hf_keep(run->source);
        run->sinks = NULL;
        run->stages = (struct hf_chain){0};
        run->source = NULL;
        run->sink_count = 0;
        run->lock_fd = -1;
    }
}

void hf_run_close(struct hf_run *run)
{
    tell_unswept(run);
    keep_if_lost(run);
    close_sinks(run);
    free(run->sinks);
    hf_chain_clear(&run->stages);
    hf_instance_free(run->source);
    hf_services_clear(&run->services);
    hf_cleanup_close(&run->read_fd);
    hf_cleanup_close(&run->lock_fd);
    hf_cancel_forgive(run->world->cancel);
    run->sinks = NULL;
    run->sink_count = 0;
    run->source = NULL;
}

int hf_run_sink(struct hf_run *run, struct hf_ctx *ctx, const char *name, struct hf_instance **ret_sink)
{
    hf_auto_text struct hf_text names = {0};

    for (size_t i = 0; i < run->sink_count; i++) {
        if (strcmp(run->sinks[i]->name, name) == 0) {
            *ret_sink = run->sinks[i];
            return HF_OK;
        }
        hf_text_addf(&names, "%s%s", i ? ", " : "", run->sinks[i]->name);
    }
    hf_fail(ctx, HF_E_NOTFOUND, "profile '%s' has no sink '%s'", run->profile->name, name);
    return hf_hint(ctx, "its sinks are: %s", names.data ? names.data : "none");
}

/* What one sink's catalog is loaded into, and how: kept when the sink does not come back. */
struct loading {
    struct hf_catalog *catalog;
};

static int load_sink(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, void *arg)
{
    struct loading *loading = arg;

    return hf_catalog_load(ctx, run->profile->name, &sink, 1, NULL, &loading->catalog);
}

static int add_sink(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, struct hf_catalog *catalog)
{
    struct loading *loading = hf_alloc(sizeof(*loading));
    int rc = hf_guard(run, ctx, sink, load_sink, loading);

    if (rc == HF_OK)
        hf_catalog_merge(catalog, loading->catalog);
    (atomic_load(&sink->lost) ? hf_keep : free)(loading);
    return rc;
}

static void tell_away(struct hf_run *run, const struct hf_instance *sink, const struct hf_error *error, int flags)
{
    hf_auto_free char *why = hf_error_line(error, sink->who);

    if (flags & HF_CATALOG_FINDING)
        hf_services_finding(&run->services, HF_WARNING, "sink-away", sink->name, "the sink is left out: %s", why);
    if (flags & HF_CATALOG_LOG)
        hf_log(HF_LOG_WARNING, NULL, "sink '%s' is left out: %s", sink->name, why);
}

int hf_run_catalog(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *only, int flags, struct hf_strings *away,
                   struct hf_catalog **ret_catalog)
{
    struct hf_catalog *catalog = hf_alloc(sizeof(*catalog));
    struct hf_error *errors = hf_alloc_array(run->sink_count + 1, sizeof(*errors));
    size_t answered = 0, first = SIZE_MAX;
    int rc = HF_OK;

    catalog->profile = hf_strdup(run->profile->name);
    for (size_t i = 0; rc == HF_OK && i < run->sink_count; i++) {
        struct hf_instance *sink = run->sinks[i];

        if (only != NULL && sink != only)
            continue;
        rc = add_sink(run, ctx, sink, catalog);
        answered += rc == HF_OK;
        if (rc == HF_OK || rc == HF_E_CANCELLED || (sink->required && !(flags & HF_CATALOG_LENIENT)))
            continue;
        if (away != NULL)
            hf_strings_add(away, sink->name);
        hf_instance_set_away(sink, ctx);
        hf_error_merge(&errors[i], &ctx->error);
        first = first == SIZE_MAX ? i : first;
        rc = HF_OK;
    }
    if (rc == HF_OK && answered == 0 && first != SIZE_MAX) { /* what the call fails with */
        hf_error_merge(&ctx->error, &errors[first]);
        rc = ctx->error.code;
        flags |= HF_CATALOG_LOG; /* there will be no sinks to tell of */
    }
    for (size_t i = 0; i < run->sink_count; i++) {
        if (errors[i].code != 0)
            tell_away(run, run->sinks[i], &errors[i], flags);
        hf_error_clear(&errors[i]);
    }
    free(errors);
    if (rc == HF_OK)
        hf_catalog_settle(*ret_catalog = catalog);
    else
        hf_catalog_free(catalog);
    return rc;
}

/* The profile's stage of that plugin: the one with the same place among those of the plugin. NULL: it has none. */
static struct hf_instance *own_stage(const struct hf_run *run, const struct hf_manifest *manifest, size_t index)
{
    const char *plugin = manifest->stages[index].plugin;
    size_t before = 0;

    for (size_t i = 0; i < index; i++)
        before += strcmp(manifest->stages[i].plugin, plugin) == 0;
    for (size_t i = 0; i < run->stages.count; i++)
        if (strcmp(run->stages.items[i]->loaded->plugin.name, plugin) == 0 && before-- == 0)
            return run->stages.items[i];
    return NULL;
}

/* The plugin with its defaults, where the profile does not have it. */
static int default_stage(const struct hf_run *run, struct hf_ctx *ctx, const char *plugin,
                         struct hf_instance **ret_stage)
{
    struct hf_ctx aside = hf_run_ctx(run);
    int rc = hf_instance_default(&aside, HF_STAGE, plugin, NULL, ret_stage);

    if (rc == HF_E_CONFIG) { /* it must be told something: a key, say */
        hf_fail(ctx, rc, "it was encoded by stage plugin '%s', which profile '%s' does not have: %s", plugin,
                run->profile->name, aside.error.text);
        hf_hint(ctx, "add a section [stage NAME] with plugin = %s, and what it needs to decode", plugin);
    }
    hf_error_merge(&ctx->error, &aside.error);
    return rc;
}

int hf_run_stages_of(const struct hf_run *run, struct hf_ctx *ctx, const struct hf_manifest *manifest,
                     struct hf_chain *ret_stages)
{
    struct hf_chain stages = {0};
    int rc = HF_OK;

    for (size_t i = 0; rc == HF_OK && i < manifest->stage_count; i++) {
        struct hf_instance *stage = own_stage(run, manifest, i);
        bool own = stage != NULL;

        if (!own)
            rc = default_stage(run, ctx, manifest->stages[i].plugin, &stage);
        if (rc == HF_OK)
            hf_chain_add(&stages, stage, !own);
        if (rc == HF_OK)
            rc = hf_check_gate(ctx, run->source, stage);
    }
    if (rc == HF_OK)
        rc = hf_chain_check(ctx, &stages);
    if (rc == HF_OK) {
        *ret_stages = stages;
        return HF_OK;
    }
    hf_chain_clear(&stages);
    return hf_wrap(ctx, "'%s'", manifest->id);
}

int hf_place_for(struct hf_ctx *ctx, const struct hf_instance *source, const char *to, char **ret_place)
{
    if (to != NULL && !(source->loaded->plugin.caps & HF_CAP_TO_IS_NAME))
        return hf_path_absolute(ctx, to, ret_place);
    *ret_place = hf_strdup(to);
    return HF_OK;
}

void hf_watch_begin(const struct hf_world *world, struct hf_services *services, const char *format, ...)
{
    hf_auto_free char *what = NULL;
    va_list args;

    if (world->watch == NULL || world->watch->begin == NULL)
        return;
    va_start(args, format);
    what = hf_vstrf(format, args);
    va_end(args);
    world->watch->begin(world->watch, what, services);
}

void hf_watch_end(const struct hf_world *world)
{
    if (world->watch != NULL && world->watch->end != NULL)
        world->watch->end(world->watch);
}
