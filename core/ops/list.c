/* SPDX-License-Identifier: Apache-2.0
 *
 * What there is: list and show.
 */
#include "base/log.h"
#include "ops/seal.h"

static json_t *backup_json(const struct hf_backup *backup)
{
    json_t *json = json_object(), *findings = json_object(), *sinks = json_array();

    hf_json_set_text(json, "id", backup->id);
    hf_json_set_time(json, "time", backup->time_ms);
    if (backup->figures.start_ms != 0) {
        hf_json_set_time(json, "start", backup->figures.start_ms);
        hf_json_set_time(json, "end", backup->figures.end_ms);
    }
    hf_json_set_int(json, "bytes", (int64_t)backup->figures.bytes);
    hf_json_set_int(json, "raw_bytes", (int64_t)backup->figures.raw_bytes);
    hf_json_set_int(json, "artifacts", (int64_t)backup->figures.artifact_count);
    hf_json_set_int(findings, "info", (int64_t)backup->figures.severity_counts[HF_INFO]);
    hf_json_set_int(findings, "warning", (int64_t)backup->figures.severity_counts[HF_WARNING]);
    hf_json_set_int(findings, "error", (int64_t)backup->figures.severity_counts[HF_ERROR]);
    hf_json_set(json, "findings", findings);
    hf_json_set(json, "verified", json_boolean(hf_backup_verified(backup)));
    for (size_t i = 0; i < backup->copy_count; i++)
        hf_json_append(sinks, hf_copy_json(&backup->copies[i]));
    hf_json_set(json, "sinks", sinks);
    return json;
}

static json_t *strings_json(const struct hf_strings *strings)
{
    json_t *array = json_array();

    for (size_t i = 0; i < strings->count; i++)
        hf_json_append(array, json_string(strings->items[i]));
    return array;
}

void hf_op_list(const struct hf_world *world, struct hf_profile *profile, struct hf_report *report)
{
    struct hf_strings away = {0};
    struct hf_catalog *catalog = NULL;
    struct hf_ctx ctx = {0};
    struct hf_run run;
    json_t *backups = json_array();
    int exit, rc;

    hf_report_init(report, profile->name);
    rc = hf_run_open(&run, &ctx, world, profile, 0);
    if (rc == HF_OK)
        rc = hf_run_catalog(&run, &ctx, NULL, HF_CATALOG_LENIENT | HF_CATALOG_LOG, &away, &catalog);
    for (size_t i = 0; rc == HF_OK && i < catalog->count; i++)
        hf_json_append(backups, backup_json(&catalog->backups[i]));
    hf_json_set(report->json, "backups", backups);
    hf_json_set(report->json, "orphans", catalog ? strings_json(&catalog->orphans) : json_array());
    hf_json_set(report->json, "unreachable", strings_json(&away));
    exit = rc != HF_OK ? hf_exit_of_code(ctx.error.code) : away.count > 0 ? HF_EXIT_PARTIAL : HF_EXIT_OK;
    hf_report_end(report, &ctx, exit);
    hf_catalog_free(catalog);
    hf_strings_clear(&away);
    hf_run_close(&run);
}

static void show(struct hf_report *report, const struct hf_backup *backup, const struct hf_manifest *manifest)
{
    json_t *sinks = json_array(), *locations = json_array();

    hf_json_set_time(report->json, "time", backup->time_ms);
    hf_json_set(report->json, "manifest", hf_manifest_json(manifest));
    hf_json_set(report->json, "sealed", json_boolean(manifest->sealed != NULL));
    for (size_t i = 0; i < backup->copy_count; i++) {
        hf_json_append(sinks, hf_copy_json(&backup->copies[i]));
        for (size_t a = 0; a < manifest->artifact_count; a++) {
            hf_auto_free char *location = hf_locate(backup->copies[i].sink, manifest->artifacts[a].key);
            json_t *item = json_object();

            hf_json_set_text(item, "key", manifest->artifacts[a].key);
            hf_json_set_text(item, "location", location);
            hf_json_set_text(item, "sink", backup->copies[i].sink->name);
            hf_json_append(locations, item);
        }
    }
    hf_json_set(report->json, "sinks", sinks);
    hf_json_set(report->json, "locations", locations);
}

/* With the key at hand everything is shown; without it, what is not sealed. A key that cannot be used is worth a warning. */
static void open_if_possible(struct hf_run *run, struct hf_manifest **manifest)
{
    struct hf_ctx ctx = hf_run_ctx(run);
    bool can = false;
    int rc = (*manifest)->sealed ? hf_can_read(run, &ctx, *manifest, &can) : HF_OK;

    if (rc == HF_OK && can)
        rc = hf_seal_open(run, &ctx, manifest);
    if (rc != HF_OK)
        hf_log(HF_LOG_WARNING, NULL, "%s", ctx.error.text);
    hf_error_clear(&ctx.error);
}

void hf_op_show(const struct hf_world *world, struct hf_profile *profile, const char *name, int64_t at_ms,
                struct hf_report *report)
{
    struct hf_strings away = {0};
    struct hf_catalog *catalog = NULL;
    struct hf_manifest *manifest = NULL;
    struct hf_backup *backup = NULL;
    struct hf_copy *copy = NULL;
    struct hf_ctx ctx = {0};
    struct hf_run run;
    int rc;

    hf_report_init(report, profile->name);
    rc = hf_run_open(&run, &ctx, world, profile, 0);
    if (rc == HF_OK)
        rc = hf_run_catalog(&run, &ctx, NULL, HF_CATALOG_LENIENT | HF_CATALOG_LOG, &away, &catalog);
    if (rc == HF_OK)
        rc = hf_catalog_find(&ctx, catalog, name, at_ms, &backup);
    if (rc == HF_OK) {
        hf_json_set_text(report->json, "id", backup->id);
        copy = hf_backup_best_copy(backup);
        rc = copy ? hf_catalog_manifest(&ctx, copy->sink, backup->id, &manifest)
                  : hf_fail(&ctx, HF_E_CORRUPT, "the manifest of '%s' cannot be read: %s", backup->id,
                            backup->copy_count > 0 && backup->copies[0].problem ? backup->copies[0].problem : "unknown");
    }
    if (rc == HF_OK)
        open_if_possible(&run, &manifest);
    if (rc == HF_OK)
        show(report, backup, manifest);
    hf_report_end(report, &ctx, rc != HF_OK ? hf_exit_of_code(ctx.error.code) : HF_EXIT_OK);
    hf_manifest_free(manifest);
    hf_catalog_free(catalog);
    hf_strings_clear(&away);
    hf_run_close(&run);
}
