/* SPDX-License-Identifier: Apache-2.0
 *
 * The live component against what its newest backup recorded. Reads only, and holds no lock: it may take long, and
 * nothing that it needs can be pulled away once the manifest is in memory.
 */
#include "ops/run.h"

#include "base/cancel.h"
#include "base/log.h"
#include "ops/content.h"
#include "ops/seal.h"

#include <string.h>

/* Where nobody can tell what was recorded, the component is still looked at by itself; that this is less than an audit
 * should be, is said, by the exit code too. */
static int open_recorded(struct hf_run *run, struct hf_ctx *ctx, struct hf_manifest **manifest, bool *ret_sealed)
{
    bool can = true;
    int rc = (*manifest)->sealed ? hf_can_read(run, ctx, *manifest, &can) : HF_OK;

    if (rc != HF_OK || can)
        return rc == HF_OK ? hf_seal_open(run, ctx, manifest) : rc;
    hf_services_finding(&run->services, HF_WARNING, "previous-sealed", (*manifest)->id,
                        "nothing is compared with this newest backup: its manifest is sealed, and the profile names no "
                        "key to read it; audit where the key is, or leave manifests open");
    hf_manifest_free(*manifest);
    *manifest = NULL;
    *ret_sealed = true;
    return HF_OK;
}

/* The newest whole backup's manifest; NULL when there is none, or none that can be read, which is no failure. */
static int find_recorded(struct hf_run *run, struct hf_ctx *ctx, struct hf_manifest **ret_manifest, bool *ret_sealed)
{
    struct hf_catalog *catalog = NULL;
    struct hf_backup *backup = NULL;
    struct hf_ctx aside = hf_run_ctx(run);
    int rc = hf_run_catalog(run, ctx, NULL, HF_CATALOG_LOG, NULL, &catalog);

    if (rc == HF_OK) {
        rc = hf_catalog_find(&aside, catalog, "latest", INT64_MAX, &backup);
        if (rc == HF_E_NOTFOUND) {
            hf_services_finding(&run->services, HF_INFO, "no-backup", run->profile->name,
                                "there is no whole backup to compare with");
            rc = HF_OK;
            hf_error_clear(&aside.error);
        }
        hf_error_merge(&ctx->error, &aside.error);
    }
    if (rc == HF_OK && backup != NULL)
        rc = hf_catalog_manifest(ctx, hf_backup_best_copy(backup)->sink, backup->id, ret_manifest);
    if (rc == HF_OK && *ret_manifest != NULL)
        rc = open_recorded(run, ctx, ret_manifest, ret_sealed);
    hf_catalog_free(catalog);
    return rc;
}

/* What the source says of its own component is no statement about profiles and backups. */
static int exit_of_source(int code)
{
    return code == HF_E_CORRUPT ? HF_EXIT_DAMAGED : hf_exit_of_making(code);
}

static int audit_source(struct hf_run *run, struct hf_ctx *ctx, const struct hf_audit_options *options,
                        const struct hf_manifest *manifest, int *ret_exit)
{
    const struct hf_source *ops = &run->source->loaded->source;
    int rc;

    if (manifest != NULL) {
        run->services.recorded_facts = manifest->facts;
        run->services.recorded_context = manifest->context;
    }
    hf_watch_begin(run->world, &run->services, "auditing %s", run->profile->name);
    hf_instance_enter(run->source, ctx);
    rc = ops->audit(run->source->self, ctx, options->request, options->request_count);
    rc = hf_instance_leave(run->source, ctx, rc);
    hf_watch_end(run->world);
    run->services.recorded_facts = run->services.recorded_context = NULL;
    if (rc < 0)
        *ret_exit = exit_of_source(ctx->error.code ? ctx->error.code : rc);
    else if (run->services.severity_counts[HF_ERROR] > 0)
        *ret_exit = HF_EXIT_DAMAGED;
    return rc < 0 ? rc : HF_OK;
}

/* One of many that cannot be audited is no failure of the others; the only one that was asked for is. */
static int cannot_audit(struct hf_run *run, struct hf_ctx *ctx, bool all)
{
    const char *plugin = run->source->loaded->plugin.name;

    if (all) {
        hf_services_finding(&run->services, HF_INFO, "no-audit", run->profile->name, "source '%s' has no audit",
                            plugin);
        return HF_OK;
    }
    hf_fail(ctx, HF_E_REFUSED, "source '%s' has no audit: it cannot hold the live component against a backup", plugin);
    return hf_hint(ctx, "check its backups with: holdfast verify %s", run->profile->name);
}

void hf_op_audit(const struct hf_world *world, struct hf_profile *profile, const struct hf_audit_options *options,
                 struct hf_report *report)
{
    struct hf_ctx ctx = {0};
    struct hf_run run;
    struct hf_manifest *manifest = NULL;
    int64_t started = hf_time_steady_ms();
    bool able = false, sealed = false;
    int exit = HF_EXIT_OK, rc;

    hf_report_init(report, profile->name);
    rc = hf_run_open(&run, &ctx, world, profile, HF_RUN_SOURCE);
    able = rc == HF_OK && run.source->loaded->source.audit != NULL;
    if (rc == HF_OK && !able)
        rc = cannot_audit(&run, &ctx, options->all);
    if (rc == HF_OK && able)
        rc = find_recorded(&run, &ctx, &manifest, &sealed);
    if (rc == HF_OK && manifest != NULL)
        rc = hf_source_matches(&run, &ctx, manifest);
    if (rc != HF_OK)
        exit = hf_exit_of_code(ctx.error.code ? ctx.error.code : rc);
    else if (able)
        rc = audit_source(&run, &ctx, options, manifest, &exit);
    if (rc == HF_OK && sealed && exit == HF_EXIT_OK)
        exit = HF_EXIT_PARTIAL;
    if (rc < 0 && ctx.error.code == 0)
        hf_fail(&ctx, rc, "%s", rc == HF_E_CANCELLED ? "interrupted" : hf_code_text(rc));
    hf_json_set(report->json, "id", manifest ? json_string(manifest->id) : json_null());
    hf_json_set(report->json, "audited", json_boolean(able && rc == HF_OK));
    hf_json_set(report->json, "seconds", json_real((double)(hf_time_steady_ms() - started) / 1000));
    hf_json_set(report->json, "findings", hf_findings_json(&run.services));
    hf_report_end(report, &ctx, exit);
    hf_manifest_free(manifest);
    hf_run_close(&run);
}
