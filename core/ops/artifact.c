/* SPDX-License-Identifier: Apache-2.0
 *
 * Restore from an artifact alone, when its manifest is lost: one plain sequential pass.
 */
#include "ops/run.h"

#include "base/cancel.h"
#include "base/file.h"
#include "base/log.h"
#include "ops/seal.h"
#include "pipeline/part_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { HEAD_SIZE = 4096, STAGES_MAX = 8 };

/* The stage plugin that knows these first bytes best; NULL when none does: they are stored as they are. */
static int recognise_head(struct hf_ctx *ctx, const void *head, size_t size, const char **ret_plugin)
{
    const struct hf_loaded **items = NULL;
    size_t count = 0;
    int best_score = 0;
    int rc = hf_loader_all(ctx, &items, &count);

    *ret_plugin = NULL;
    for (size_t i = 0; rc == HF_OK && i < count; i++) {
        int score = items[i]->plugin.kind == HF_STAGE ? items[i]->stage.recognise(head, size) : 0;

        if (score > best_score) {
            best_score = score;
            *ret_plugin = items[i]->plugin.name;
        }
    }
    free(items);
    return rc;
}

/* The stage plugin whose suffix ends that much of the name; NULL: none's. */
static int named_stage(struct hf_ctx *ctx, const char *name, size_t length, const struct hf_loaded **ret_stage)
{
    const struct hf_loaded **items = NULL;
    size_t count = 0;
    int rc = hf_loader_all(ctx, &items, &count);

    *ret_stage = NULL;
    for (size_t i = 0; rc == HF_OK && i < count; i++) {
        const char *suffix = items[i]->plugin.kind == HF_STAGE ? items[i]->stage.suffix : NULL;
        size_t size = suffix ? strlen(suffix) : 0;

        if (size > 0 && size < length && memcmp(name + length - size, suffix, size) == 0)
            *ret_stage = items[i];
    }
    free(items);
    return rc;
}

/* What the name says of the stages, from its end, must be so: what is left of a file that lost its beginning would
 * otherwise be taken as it is. *length: how much of the name is still to be looked at. */
static int hold_against_name(struct hf_ctx *ctx, const char *path, size_t *length, const char *plugin)
{
    const char *base = hf_path_base(path);
    const struct hf_loaded *named = NULL;
    int rc = named_stage(ctx, base, *length, &named);

    if (rc != HF_OK || named == NULL)
        return rc;
    if (plugin == NULL) {
        hf_fail(ctx, HF_E_CORRUPT, "'%s' is named '%s', and does not begin as what stage '%s' makes: it is damaged",
                path, named->stage.suffix, named->plugin.name);
        return hf_hint(ctx, "if it was decoded already, take '%s' off its name", named->stage.suffix);
    }
    if (hf_text_equal(plugin, named->plugin.name))
        *length -= strlen(named->stage.suffix);
    return HF_OK;
}

/* How the file begins when the stages, outermost first, have decoded it. */
static int read_head(struct hf_ctx *ctx, const char *path, const struct hf_chain *outer, void *head, size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = HF_OK;
    struct hf_pull *pull;
    int64_t got = 1;

    if (fd < 0)
        return hf_fail_errno(ctx, errno, "open '%s'", path);
    pull = hf_pull_file(fd, path);
    for (size_t i = 0; rc == HF_OK && i < outer->count; i++)
        rc = hf_pull_decode(ctx, outer->items[i], HF_DECODE_OBJECT, hf_steal(pull), path, &pull);
    for (*ret_size = 0; rc == HF_OK && got > 0 && *ret_size < HEAD_SIZE;) {
        got = hf_pull_read(pull, ctx, (char *)head + *ret_size, HEAD_SIZE - *ret_size);
        *ret_size += got > 0 ? (size_t)got : 0;
    }
    hf_pull_free(pull);
    return rc != HF_OK ? rc : got < 0 ? (int)got : HF_OK;
}

/* The profile's section for a stage of that plugin, of which the file was found to have `outer` more outside of it;
 * NULL: it has none. Where the file has more of them than the profile, the profile's first is as good as any. */
static const struct hf_plugin_section *find_section(const struct hf_profile *profile, const char *plugin, size_t outer)
{
    const struct hf_plugin_section *found = NULL;

    for (size_t i = profile ? profile->stage_count : 0; i-- > 0;) {
        if (!hf_text_equal(profile->stages[i].plugin, plugin))
            continue;
        found = &profile->stages[i];
        if (outer-- == 0)
            break;
    }
    return found;
}

/* The profile's stage of that plugin, since it may know keys; without one, the plugin with its defaults. */
static int open_stage(struct hf_ctx *ctx, struct hf_profile *profile, const char *plugin, size_t outer,
                      const char *path, struct hf_instance **ret_stage)
{
    const struct hf_plugin_section *section = find_section(profile, plugin, outer);
    struct hf_diagnostics diagnostics = {0};
    struct hf_instance *stage;
    int rc;

    if (section == NULL) {
        rc = hf_instance_default(ctx, HF_STAGE, plugin, NULL, ret_stage);
        if (rc == HF_E_CONFIG) { /* what the stage says of it is for those who write a profile */
            hf_error_clear(&ctx->error);
            hf_fail(ctx, HF_E_CONFIG, "'%s' was made by stage '%s', which has to be told how to decode it", path,
                    plugin);
            rc = profile != NULL
                     ? hf_hint(
                           ctx,
                           "add a section [stage NAME] with plugin = %s to profile '%s', and what it needs to decode",
                           plugin, profile->name)
                     : hf_hint(ctx,
                               "name the file as a backup of a profile that has this stage: PROFILE_YYYYMMDD_HHMMSS%s",
                               strchrnul(hf_path_base(path), '.'));
        }
        return rc;
    }
    stage = hf_instance_new(ctx, profile, section, &diagnostics);
    rc = stage ? hf_instance_open(stage, ctx)
               : hf_fail(ctx, HF_E_CONFIG, "profile '%s' is not valid: %s", profile->name,
                         diagnostics.count > 0 ? diagnostics.items[0].text : "a stage names no plugin");
    hf_diagnostics_clear(&diagnostics);
    if (rc == HF_OK)
        *ret_stage = stage;
    else
        hf_instance_free(stage);
    return rc;
}

static size_t count_of(const struct hf_chain *chain, const char *plugin)
{
    size_t count = 0;

    for (size_t i = 0; i < chain->count; i++)
        count += hf_text_equal(chain->items[i]->loaded->plugin.name, plugin);
    return count;
}

/* The stages by which the file was made, in the order of encoding. Behind a block stage nothing else is looked for:
 * what it compressed may well be compressed once more, and is then meant to be. */
static int recognise(struct hf_ctx *ctx, const char *path, struct hf_profile *profile, struct hf_chain *ret_stages)
{
    struct hf_chain outer = {0};
    size_t length = strlen(hf_path_base(path));
    int rc = HF_OK;

    while (rc == HF_OK && (outer.count == 0 || hf_stage_is_chunked(outer.items[outer.count - 1]))) {
        unsigned char head[HEAD_SIZE];
        const char *plugin = NULL;
        struct hf_instance *stage = NULL;
        size_t size = 0;

        rc = read_head(ctx, path, &outer, head, &size);
        if (rc == HF_OK)
            rc = recognise_head(ctx, head, size, &plugin);
        if (rc == HF_OK)
            rc = hold_against_name(ctx, path, &length, plugin);
        if (rc != HF_OK || plugin == NULL)
            break;
        if (outer.count == STAGES_MAX)
            rc = hf_fail(ctx, HF_E_UNSUPPORTED, "'%s' was encoded by more than %d stages", path, STAGES_MAX);
        if (rc == HF_OK)
            rc = open_stage(ctx, profile, plugin, count_of(&outer, plugin), path, &stage);
        if (rc == HF_OK) {
            hf_chain_add(&outer, stage, true);
            if (profile != NULL)
                rc = hf_need_key(ctx, &outer, hf_path_base(path), profile->name);
        }
    }
    for (size_t i = outer.count; i-- > 0;)
        hf_chain_add(ret_stages, outer.items[i], true);
    free(outer.items);
    free(outer.owned);
    return rc;
}

/* The source of the profile that the file's name begins with. */
static int profile_source(struct hf_ctx *ctx, struct hf_profile *profile, struct hf_instance **ret_source)
{
    struct hf_diagnostics diagnostics = {0};
    struct hf_instance *source = hf_instance_new(ctx, profile, &profile->source, &diagnostics);
    int rc = HF_OK;

    if (source == NULL) {
        hf_fail(ctx, HF_E_CONFIG, "profile '%s' is not valid: %s", profile->name,
                diagnostics.count > 0 ? diagnostics.items[0].text : "it names no source");
        rc = hf_hint(ctx, "name the source plugin, e.g.: --source sqlite");
    } else {
        rc = hf_instance_open(source, ctx);
    }
    hf_diagnostics_clear(&diagnostics);
    *ret_source = source; /* freed by the caller, opened or not */
    return rc;
}

/* The id of the backup that the file's name says it is of; NULL: it says none. A name X_P_TIME is that of artifact P of
 * a profile X, or of artifact X, which stands aside, of a profile P: so it depends on which of the profiles there is,
 * or, for want of any, on which has the source's name, as profiles often do. */
static char *find_id(const struct hf_world *world, const struct hf_artifact_options *options, const char *base)
{
    hf_auto_free char *plain = hf_key_to_id(base), *aside = hf_key_aside_id(base), *first = NULL, *second = NULL;
    bool known;

    if (aside == NULL)
        return hf_steal(plain);
    first = hf_strndup(base, strcspn(base, "_"));
    second = hf_strndup(aside, strcspn(aside, "_"));
    if (plain == NULL || hf_settings_profile(world->settings, first) != NULL)
        return plain ? hf_steal(plain) : hf_steal(aside);
    known = hf_settings_profile(world->settings, second) != NULL || hf_text_equal(options->source, second);
    return known ? hf_steal(aside) : hf_steal(plain);
}

/* The source: the plugin that was named, or that of the profile which the file's name tells. */
static int find_source(struct hf_ctx *ctx, const struct hf_world *world, const struct hf_artifact_options *options,
                       const char *base, const char *id, struct hf_instance **ret_source)
{
    const char *named = id ? id : base;
    hf_auto_free char *name = hf_strndup(named, strcspn(named, "_."));
    struct hf_profile *profile = options->source ? NULL : hf_settings_profile(world->settings, name);

    if (options->source != NULL) {
        /* What a source needs to be told is where its component lies: here, where it is to be put. */
        hf_auto_free char *to = NULL, *place = NULL;
        int rc = hf_path_absolute(ctx, options->to, &to);

        place = rc == HF_OK ? hf_path_join(to, name) : NULL;
        return rc == HF_OK ? hf_instance_default(ctx, HF_SOURCE, options->source, place, ret_source) : rc;
    }
    if (profile != NULL)
        return profile_source(ctx, profile, ret_source);
    hf_fail(ctx, HF_E_CONFIG, "no profile '%s' says which source made '%s'", name, base);
    return hf_hint(ctx, "name the source plugin, e.g.: --source sqlite");
}

/* "sqlite_signals_20260201_120000.db.gz" → "signals"; "" when the name has no such piece. One that stands aside is
 * named in front. */
static char *artifact_name(const char *base, const char *id)
{
    size_t profile = id ? strcspn(id, "_") : 0;
    const char *time = id ? id + profile : "";
    const char *at = id ? strstr(base, time) : NULL;

    if (id != NULL && strncmp(base, id, profile + 1) != 0)
        return hf_strndup(base, strcspn(base, "_"));
    if (at == NULL || (size_t)(at - base) <= profile + 1)
        return hf_strdup("");
    return hf_strndup(base + profile + 1, (size_t)(at - base) - profile - 1);
}

static int restore_whole(struct hf_ctx *ctx, struct hf_instance *source, struct hf_part_reader *reader,
                         const struct hf_restore_request *request, const struct hf_part *part)
{
    const struct hf_source *ops = &source->loaded->source;
    struct hf_ctx end = {.services = ctx->services};
    void *session = NULL;
    int rc, ended;

    if (ops->restore_begin == NULL)
        return hf_fail(ctx, HF_E_UNSUPPORTED, "source '%s' cannot restore", source->loaded->plugin.name);
    hf_instance_enter(source, ctx);
    rc = hf_instance_leave(source, ctx, ops->restore_begin(source->self, ctx, request, &session));
    if (rc < 0)
        return rc;
    hf_instance_enter(source, ctx);
    rc = hf_instance_leave(source, ctx, ops->restore_part(session, ctx, part, hf_part_reader_base(reader)));
    if (rc >= 0)
        rc = hf_part_reader_finish(reader);
    hf_instance_enter(source, &end);
    ended = hf_instance_leave(source, &end, ops->restore_end(session, &end, rc < 0 ? rc : HF_OK));
    if (rc >= 0 && ended < 0)
        hf_error_merge(&ctx->error, &end.error);
    hf_error_clear(&end.error);
    return rc < 0 ? rc : ended < 0 ? ended : HF_OK;
}

static int restore_file(struct hf_ctx *ctx, const struct hf_world *world, const struct hf_artifact_options *options,
                        const char *base, const char *id, char **ret_to)
{
    hf_auto_free char *name = artifact_name(base, id);
    struct hf_restore_request request = {
        .size = sizeof(request), .replace = options->replace, .id = id ? id : "unknown"};
    struct hf_part part = {.size = sizeof(part),
                           .phase = 1,
                           .artifact = name,
                           .name = "whole",
                           .raw_size = UINT64_MAX,
                           .flags = HF_PART_WHOLE};
    hf_auto_free char *profile = hf_strndup(id ? id : base, strcspn(id ? id : base, "_."));
    struct hf_instance *source = NULL;
    struct hf_chain stages = {0};
    struct hf_part_reader *reader = NULL;
    int fd = open(options->file, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? hf_fail_errno(ctx, errno, "open '%s'", options->file) : HF_OK;

    if (rc == HF_OK)
        rc = find_source(ctx, world, options, base, id, &source);
    if (rc == HF_OK)
        rc = hf_place_for(ctx, source, options->to, ret_to);
    request.to = *ret_to;
    if (rc == HF_OK)
        rc = recognise(ctx, options->file, hf_settings_profile(world->settings, profile), &stages);
    for (size_t i = 0; rc == HF_OK && i < stages.count; i++)
        rc = hf_check_gate(ctx, source, stages.items[i]);
    if (rc == HF_OK) {
        rc = hf_part_reader_open_file(ctx, fd, options->file, &stages, &reader);
        fd = -1;
    }
    if (rc == HF_OK)
        rc = restore_whole(ctx, source, reader, &request, &part);
    hf_part_reader_close(reader);
    hf_cleanup_close(&fd);
    hf_chain_clear(&stages);
    hf_instance_free(source);
    return rc;
}

void hf_op_restore_artifact(const struct hf_world *world, const struct hf_artifact_options *options,
                            struct hf_report *report)
{
    const char *base = hf_path_base(options->file);
    hf_auto_free char *id = find_id(world, options, base), *to = NULL;
    struct hf_services services;
    struct hf_ctx ctx = {.cancel = world->cancel, .services = &services};
    int64_t started = hf_time_steady_ms();
    int rc, exit;

    hf_report_init(report, NULL);
    hf_services_init(&services, world->settings->temp_dir);
    hf_watch_begin(world, &services, "restoring %s", base);
    rc = restore_file(&ctx, world, options, base, id, &to);
    hf_watch_end(world);
    exit = rc != HF_OK                              ? hf_exit_of_code(ctx.error.code ? ctx.error.code : rc)
           : services.severity_counts[HF_ERROR] > 0 ? HF_EXIT_PARTIAL
                                                    : HF_EXIT_OK;
    if (rc != HF_OK && ctx.error.code == 0)
        hf_fail(&ctx, rc, "interrupted; the target is as it was");
    hf_json_set_text(report->json, "id", id ? id : "unknown");
    hf_json_set_text(report->json, "to", to ? to : options->to);
    hf_json_set_text(report->json, "outcome", rc == HF_OK ? "restored" : "failed");
    hf_json_set_int(report->json, "parts", rc == HF_OK);
    hf_json_set_int(report->json, "bytes", (int64_t)atomic_load(&services.done_bytes));
    hf_json_set(report->json, "seconds", json_real((double)(hf_time_steady_ms() - started) / 1000));
    hf_json_set(report->json, "findings", hf_findings_json(&services));
    hf_report_end(report, &ctx, exit);
    hf_services_clear(&services);
}
