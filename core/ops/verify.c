/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/run.h"

#include "base/cancel.h"
#include "base/log.h"
#include "catalog/objects.h"
#include "catalog/records.h"
#include "ops/content.h"
#include "ops/guard.h"
#include "ops/seal.h"

#include <openssl/evp.h>
#include <string.h>

/* One check of one copy. */
struct check {
    struct hf_run *run;
    struct hf_instance *sink;
    const struct hf_manifest *manifest;
    struct hf_services services;
    int level;
};

static void damage(struct check *check, const char *code, const char *subject, struct hf_ctx *ctx)
{
    hf_services_finding(&check->services, HF_ERROR, code, subject, "%s", ctx->error.text);
    hf_error_clear(&ctx->error);
}

/* Objects there, not empty, of the manifest's size. */
static int check_quick(struct check *check, struct hf_ctx *ctx)
{
    const struct hf_manifest *manifest = check->manifest;
    const struct hf_sink *ops = &check->sink->loaded->sink;

    for (size_t i = 0; i < manifest->artifact_count; i++) {
        const struct hf_manifest_artifact *artifact = &manifest->artifacts[i];
        struct hf_object object = {.size = sizeof(object)};
        int rc;

        hf_instance_enter(check->sink, ctx);
        rc = hf_instance_leave(check->sink, ctx, ops->stat(check->sink->self, ctx, artifact->key, &object));
        if (rc == HF_E_NOTFOUND) {
            hf_error_clear(&ctx->error);
            hf_services_finding(&check->services, HF_ERROR, "object-missing", artifact->key, "the object is not there");
        } else if (rc != HF_OK) {
            return rc;
        } else if (object.bytes != artifact->bytes) {
            hf_services_finding(&check->services, HF_ERROR, "object-size", artifact->key,
                                "the object has %llu bytes, and the manifest says %llu",
                                (unsigned long long)object.bytes, (unsigned long long)artifact->bytes);
        } else if (object.bytes == 0 && artifact->raw_bytes > 0) {
            hf_services_finding(&check->services, HF_ERROR, "object-empty", artifact->key, "the object is empty");
        }
    }
    return HF_OK;
}

/* The .sha256 object is there, and says what the manifest says. */
static int check_sums(struct check *check, struct hf_ctx *ctx)
{
    hf_auto_free char *key = hf_key_sha256(check->manifest->id);
    hf_auto_free char *expected = hf_manifest_sha256_text(check->manifest);
    hf_auto_free char *found = NULL;
    size_t size = 0;
    int rc = hf_object_read(ctx, check->sink, key, strlen(expected) + 65536, &found, &size);

    if (rc == HF_E_NOTFOUND) {
        hf_error_clear(&ctx->error);
        hf_services_finding(&check->services, HF_ERROR, "object-missing", key, "the object is not there");
        return HF_OK;
    }
    if (rc == HF_E_CORRUPT || (rc == HF_OK && (size != strlen(expected) || memcmp(found, expected, size) != 0))) {
        hf_error_clear(&ctx->error);
        hf_services_finding(&check->services, HF_ERROR, "checksums-differ", key,
                            "the checksum file does not say what the manifest says");
        return HF_OK;
    }
    return rc;
}

static bool has_error_for(const struct hf_services *services, const char *subject)
{
    for (size_t i = 0; i < services->finding_count; i++)
        if (services->findings[i].severity == HF_ERROR && strcmp(services->findings[i].subject, subject) == 0)
            return true;
    return false;
}

static void compare_facts(struct check *check)
{
    const json_t *recorded = check->manifest->facts, *found = check->services.facts;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)recorded, key, value)
    {
        const json_t *now = json_object_get(found, key);

        if (now == NULL) {
            /* What could not be read has been reported already, and explains it. */
            if (check->services.severity_counts[HF_ERROR] == 0)
                hf_services_finding(&check->services, HF_ERROR, "fact-missing", key,
                                    "the manifest knows this fact, and the artifact does not show it");
        } else if (!json_equal(value, now)) {
            char *was = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
            char *is = json_dumps(now, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);

            hf_services_finding(&check->services, HF_ERROR, "fact-differs", key,
                                "the manifest says %.400s, and the artifact holds %.400s", was ? was : "?",
                                is ? is : "?");
            free(was);
            free(is);
        }
    }
    json_object_foreach((json_t *)found, key, value)
    {
        if (json_object_get(recorded, key) == NULL)
            hf_services_finding(&check->services, HF_ERROR, "fact-extra", key,
                                "the artifact shows this fact, and the manifest does not know it");
    }
}

static int check_deep(struct check *check, struct hf_ctx *ctx)
{
    const struct hf_manifest *manifest = check->manifest;
    struct hf_content content = {
        .run = check->run,
        .sink = check->sink,
        .manifest = manifest,
        .services = &check->services,
        .decode = check->level >= HF_LEVEL_CONTENT,
    };
    int rc;

    content.skip = hf_alloc_array(manifest->artifact_count + 1, sizeof(*content.skip));
    for (size_t i = 0; i < manifest->artifact_count; i++)
        content.skip[i] = has_error_for(&check->services, manifest->artifacts[i].key);
    rc = hf_content_check(&content, ctx);
    if (rc == HF_OK && content.facts_seen)
        compare_facts(check);
    free(content.skip);
    return rc;
}

static json_t *check_json(const struct check *check, bool whole, int64_t started_ms)
{
    const struct hf_manifest *manifest = check->manifest;
    json_t *json = json_object();
    uint64_t bytes = 0, raw_bytes = 0;

    for (size_t i = 0; i < manifest->artifact_count; i++) {
        bytes += manifest->artifacts[i].bytes;
        raw_bytes += manifest->artifacts[i].raw_bytes;
    }
    hf_json_set_text(json, "id", manifest->id);
    hf_json_set_text(json, "sink", check->sink->name);
    hf_json_set_text(json, "level", hf_level_text(check->level));
    hf_json_set(json, "whole", json_boolean(whole));
    hf_json_set(json, "seconds", json_real((double)(hf_time_steady_ms() - started_ms) / 1000));
    hf_json_set_int(json, "bytes", (int64_t)bytes);
    hf_json_set_int(json, "raw_bytes", (int64_t)raw_bytes);
    hf_json_set(json, "findings", hf_findings_json(&check->services));
    return json;
}

/* A weaker check that finds nothing wrong does not unsay a stronger one: retention counts on that. */
static bool says_less(const struct check *check, const struct hf_verified *record)
{
    struct hf_ctx aside = {.cancel = check->run->world->cancel};
    struct hf_verified before;
    bool less = record->whole && hf_verified_read(&aside, check->sink, check->manifest->id, &before) == HF_OK &&
                before.whole && before.level > record->level;

    hf_error_clear(&aside.error);
    return less;
}

/* The sink may be read, and not written: by these rights, or now. */
static bool only_reads(int rc)
{
    return rc == HF_E_AUTH || rc == HF_E_REFUSED || rc == HF_E_NOSPACE;
}

/* Damage must be told, also where no record of it can be kept: on a full disk, say. */
static int keep_record(struct check *check, struct hf_ctx *ctx, const struct hf_verified *record, bool reads)
{
    int rc = says_less(check, record) ? HF_OK : hf_verified_write(ctx, check->sink, check->manifest->id, record);

    if (rc == HF_OK || (record->whole && !(reads && only_reads(rc))))
        return rc;
    if (record->whole)
        hf_services_finding(&check->services, HF_WARNING, "not-recorded", check->manifest->id,
                            "it is whole, and that could not be recorded: %s", ctx->error.text);
    else
        hf_log(HF_LOG_WARNING, NULL, "the damage to '%s' could not be recorded: %s", check->manifest->id,
               ctx->error.text);
    hf_error_clear(&ctx->error);
    return HF_OK;
}

/* What can be checked: without the key to what was encrypted, its digests. */
static int choose_level(struct check *check, struct hf_ctx *ctx, const struct hf_manifest *manifest,
                        struct hf_wish wish)
{
    bool can = true;
    int rc = wish.level >= HF_LEVEL_CONTENT ? hf_can_read(check->run, ctx, manifest, &can) : HF_OK;

    check->level = wish.level;
    if (rc != HF_OK || can)
        return rc;
    if (wish.insists) {
        hf_fail(ctx, HF_E_REFUSED,
                "level %s cannot be reached: it is encrypted, and profile '%s' has no key to read it",
                hf_level_text(wish.level), check->run->profile->name);
        return hf_hint(ctx, "verify at level digest here, and at content where the key is");
    }
    check->level = HF_LEVEL_DIGEST;
    hf_services_finding(&check->services, HF_INFO, "level-lowered", manifest->id,
                        "verified at level digest, not %s: it is encrypted, and the profile has no key to read it",
                        hf_level_text(wish.level));
    return HF_OK;
}

/* Reads the manifest as far as the level needs it. */
static int load_manifest(struct check *check, struct hf_ctx *ctx, const char *id, struct hf_wish wish,
                         struct hf_manifest **ret_manifest)
{
    int rc = hf_catalog_manifest(ctx, check->sink, id, ret_manifest);

    if (rc == HF_OK)
        rc = choose_level(check, ctx, *ret_manifest, wish);
    if (rc != HF_OK || check->level < HF_LEVEL_CONTENT)
        return rc;
    rc = hf_seal_open(check->run, ctx, ret_manifest);
    if (rc == HF_E_CORRUPT) { /* what is not sealed in it can still be checked */
        hf_auto_free char *key = hf_key_manifest(id);

        damage(check, "manifest-damaged", key, ctx);
        check->level = HF_LEVEL_DIGEST;
        rc = HF_OK;
    }
    return rc;
}

static int run_check(struct check *check, struct hf_ctx *ctx)
{
    int rc;

    check->services.recorded_facts = check->manifest->facts;
    check->services.recorded_context = check->manifest->context;
    hf_watch_begin(check->run->world, &check->services, "verifying %s", check->manifest->id);
    rc = check_quick(check, ctx);
    if (rc == HF_OK)
        rc = check_sums(check, ctx);
    if (rc == HF_OK && check->level >= HF_LEVEL_DIGEST)
        rc = check_deep(check, ctx);
    hf_cancel_forgive(check->run->world->cancel);
    if (rc == HF_E_CORRUPT) {
        damage(check, "damaged", check->manifest->id, ctx);
        rc = HF_OK;
    }
    hf_watch_end(check->run->world);
    return rc;
}

/* A run of another machine may have removed the backup while it was read, which then is no damage. */
static int check_there(struct check *check, struct hf_ctx *ctx)
{
    hf_auto_free char *key = hf_key_manifest(check->manifest->id);
    bool there = false;
    int rc;

    if (check->services.severity_counts[HF_ERROR] == 0)
        return HF_OK;
    rc = hf_object_stat(ctx, check->sink, key, &there, NULL);
    if (rc != HF_OK || there)
        return rc;
    return hf_fail(ctx, HF_E_NOTFOUND, "%s: it was removed while it was verified", check->sink->who);
}

/* What a copy was found to be; kept when its sink does not come back. */
struct verdict {
    char *id;
    struct hf_wish wish;
    bool whole;
    json_t *check;
};

static int verify_now(struct hf_run *run, struct hf_ctx *outer, struct hf_instance *sink, void *arg)
{
    struct verdict *verdict = arg;
    struct check check = {.run = run, .sink = sink};
    struct hf_ctx ctx = {.cancel = run->world->cancel, .services = &check.services};
    struct hf_manifest *manifest = NULL;
    int64_t started = hf_time_steady_ms();
    int rc;

    hf_services_init(&check.services, run->services.temp_root);
    check.services.profile = run->profile->name;
    rc = load_manifest(&check, &ctx, verdict->id, verdict->wish, &manifest);
    check.manifest = manifest;
    if (rc == HF_OK)
        rc = run_check(&check, &ctx);
    if (rc == HF_OK)
        rc = check_there(&check, &ctx);
    if (rc == HF_OK) {
        struct hf_verified record = {.level = check.level, .errors = check.services.severity_counts[HF_ERROR]};

        record.whole = record.errors == 0;
        record.time_ms = hf_time_now_ms();
        verdict->whole = record.whole;
        rc = keep_record(&check, &ctx, &record, verdict->wish.reads);
        if (rc == HF_OK)
            verdict->check = check_json(&check, record.whole, started);
    }
    hf_services_clear(&check.services);
    hf_manifest_free(manifest);
    if (rc != HF_OK) {
        hf_error_merge(&outer->error, &ctx.error);
        if (outer->error.code == 0)
            hf_fail(outer, rc, "stopped");
    }
    hf_error_clear(&ctx.error);
    return rc;
}

int hf_verify_copy(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, const char *id,
                   struct hf_wish wish, bool *ret_whole, json_t **ret_check)
{
    struct verdict *verdict = hf_alloc(sizeof(*verdict));
    int rc;

    verdict->id = hf_strdup(id);
    verdict->wish = wish;
    rc = hf_guard(run, ctx, sink, verify_now, verdict);
    if (atomic_load(&sink->lost)) {
        hf_keep(verdict);
        return rc;
    }
    *ret_whole = verdict->whole;
    *ret_check = rc == HF_OK ? verdict->check : NULL;
    if (rc != HF_OK)
        json_decref(verdict->check); /* told to stop, it ended well after all */
    free(verdict->id);
    free(verdict);
    return rc;
}

json_t *hf_check_failed(const struct hf_instance *sink, const char *id, int level, const struct hf_error *error)
{
    json_t *json = json_object();

    hf_json_set_text(json, "id", id);
    hf_json_set_text(json, "sink", sink->name);
    hf_json_set_text(json, "level", hf_level_text(level));
    hf_json_set(json, "whole", json_false());
    hf_json_set(json, "seconds", json_real(0));
    hf_json_set_int(json, "bytes", 0);
    hf_json_set_int(json, "raw_bytes", 0);
    hf_json_set(json, "findings", json_array());
    hf_json_set_text(json, "error", error->text);
    if (error->hint != NULL)
        hf_json_set_text(json, "hint", error->hint);
    return json;
}

/* --- the operation --- */

/* Whole by its own manifest, and yet not the backup that the other sinks have under this name: what the checks found
 * out has a say in which is meant. Whether there was one. */
static bool tell_apart(struct hf_backup *backup, json_t *const *check_of)
{
    bool told = false;

    hf_backup_settle(backup);
    for (size_t i = 0; i < backup->copy_count; i++) {
        json_t *finding, *check = check_of[i];

        if (!backup->copies[i].apart || !json_is_true(json_object_get(check, "whole")))
            continue;
        finding = json_object();
        hf_json_set_text(finding, "severity", "error");
        hf_json_set_text(finding, "code", "another-backup");
        hf_json_set_text(finding, "subject", backup->id);
        hf_json_set_text(finding, "text", backup->copies[i].problem);
        hf_json_append(json_object_get(check, "findings"), finding);
        hf_json_set(check, "whole", json_false());
        told = true;
    }
    return told;
}

static bool has_finding(const json_t *check, const char *code)
{
    const json_t *findings = json_object_get(check, "findings");

    for (size_t i = 0; i < json_array_size(findings); i++)
        if (strcmp(json_string_value(json_object_get(json_array_get(findings, i), "code")), code) == 0)
            return true;
    return false;
}

static int verify_one(struct hf_run *run, struct hf_backup *backup, const struct hf_verify_options *options,
                      struct hf_wish wish, json_t *checks)
{
    hf_auto_free json_t **check_of = hf_alloc_array(backup->copy_count, sizeof(*check_of)); /* borrowed */
    int worst = HF_EXIT_OK;

    wish.reads = true;
    for (size_t i = 0; i < backup->copy_count; i++) {
        struct hf_copy *copy = &backup->copies[i];
        struct hf_ctx ctx = hf_run_ctx(run);
        bool whole = false;
        int rc;

        if (options->sink != NULL && strcmp(options->sink, copy->sink->name) != 0)
            continue;
        rc = hf_verify_copy(run, &ctx, copy->sink, backup->id, wish, &whole, &check_of[i]);
        if (rc == HF_E_NOTFOUND && options->all) { /* it has gone since it was listed */
            hf_log(HF_LOG_INFO, NULL, "passed over: %s", ctx.error.text);
            hf_error_clear(&ctx.error);
            continue;
        }
        if (rc != HF_OK)
            check_of[i] = hf_check_failed(copy->sink, backup->id, wish.level, &ctx.error);
        if (rc == HF_OK || hf_exit_of_code(rc) == HF_EXIT_DAMAGED)
            copy->verified = (struct hf_verified){.level = wish.level, .whole = whole};
        hf_json_append(checks, check_of[i]);
        hf_error_clear(&ctx.error);
        if (rc != HF_OK || !whole) {
            int exit = rc != HF_OK ? hf_exit_of_code(rc) : HF_EXIT_DAMAGED;

            /* An unreadable manifest, too, is damage; what could not be checked outranks nothing but success. */
            if (worst == HF_EXIT_OK || worst == HF_EXIT_PARTIAL || exit == HF_EXIT_DAMAGED)
                worst = exit;
            if (exit == HF_EXIT_INTERRUPTED)
                return exit;
        } else if (worst == HF_EXIT_OK && has_finding(check_of[i], "not-recorded")) {
            worst = HF_EXIT_PARTIAL;
        }
    }
    return tell_apart(backup, check_of) ? HF_EXIT_DAMAGED : worst;
}

static struct hf_wish chosen_level(const struct hf_verify_options *options, const struct hf_profile *profile)
{
    if (options->level >= 0)
        return (struct hf_wish){.level = options->level, .insists = true};
    if (profile->level == HF_LEVEL_NONE)
        return (struct hf_wish){.level = HF_LEVEL_CONTENT, .insists = false};
    return (struct hf_wish){.level = profile->level, .insists = profile->level_insists};
}

static int verify_all(struct hf_run *run, struct hf_ctx *ctx, const struct hf_verify_options *options, json_t *checks,
                      json_t *unreachable, int *ret_exit)
{
    struct hf_catalog *catalog = NULL;
    struct hf_backup *backup = NULL;
    struct hf_instance *sink = NULL;
    hf_auto_strings struct hf_strings away = {0};
    struct hf_wish wish = chosen_level(options, run->profile);
    int rc = options->sink ? hf_run_sink(run, ctx, options->sink, &sink) : HF_OK;

    if (rc == HF_OK)
        rc = hf_run_catalog(run, ctx, sink,
                            HF_CATALOG_LOG | (sink == NULL && run->sink_count > 1 ? HF_CATALOG_LENIENT : 0), &away,
                            &catalog);
    for (size_t i = 0; i < away.count; i++)
        hf_json_append(unreachable, json_string(away.items[i]));
    if (rc == HF_OK && away.count > 0)
        *ret_exit = HF_EXIT_PARTIAL; /* not all copies were looked at */
    /* The latest may be damaged, which is what is asked: an older one must not answer for it. */
    if (rc == HF_OK && !options->all && (options->name == NULL || strcmp(options->name, "latest") == 0))
        backup = hf_catalog_newest(catalog, options->at_ms);
    if (rc == HF_OK && !options->all && backup == NULL)
        rc = hf_catalog_find(ctx, catalog, options->name ? options->name : "latest", options->at_ms, &backup);
    for (size_t i = 0; rc == HF_OK && i < catalog->count; i++) {
        int exit;

        if (backup != NULL && backup != &catalog->backups[i])
            continue;
        exit = verify_one(run, &catalog->backups[i], options, wish, checks);
        if (exit != HF_EXIT_OK && (*ret_exit == HF_EXIT_OK || *ret_exit == HF_EXIT_PARTIAL || exit == HF_EXIT_DAMAGED ||
                                   exit == HF_EXIT_INTERRUPTED))
            *ret_exit = exit;
        if (exit == HF_EXIT_INTERRUPTED)
            break;
    }
    if (rc == HF_OK && json_array_size(checks) == 0)
        rc = hf_fail(ctx, HF_E_NOTFOUND, "profile '%s' has no backup to verify", run->profile->name);
    hf_catalog_free(catalog);
    return rc;
}

void hf_op_verify(const struct hf_world *world, struct hf_profile *profile, const struct hf_verify_options *options,
                  struct hf_report *report)
{
    struct hf_ctx ctx = {0};
    struct hf_run run;
    int exit = HF_EXIT_OK, rc;
    json_t *checks, *unreachable;

    hf_report_init(report, profile->name);
    hf_json_set(report->json, "checks", checks = json_array());
    hf_json_set(report->json, "unreachable", unreachable = json_array());
    rc = hf_run_open(&run, &ctx, world, profile, HF_RUN_READ | HF_RUN_SOURCE);
    if (rc == HF_OK)
        rc = verify_all(&run, &ctx, options, checks, unreachable, &exit);
    if (rc != HF_OK)
        exit = hf_exit_of_code(ctx.error.code ? ctx.error.code : rc);
    hf_report_end(report, &ctx, exit);
    hf_run_close(&run);
}
