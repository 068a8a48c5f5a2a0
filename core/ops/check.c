/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/guard.h"
#include "ops/seal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void add(struct hf_run *run, enum hf_severity severity, const char *subject, struct hf_error *error)
{
    hf_auto_free char *line = hf_error_line(error, subject);

    hf_services_finding(&run->services, severity, "check-failed", subject, "%s", line);
    hf_error_clear(error);
}

/* Turns a failed piece of the check into a finding, so that all pieces are looked at in one run. */
static void note(struct hf_run *run, struct hf_ctx *ctx, const char *subject, int rc, int *exit)
{
    if (rc >= 0)
        return;
    if (*exit == HF_EXIT_OK)
        *exit = hf_exit_of_making(ctx->error.code ? ctx->error.code : rc);
    add(run, HF_ERROR, subject, &ctx->error);
}

static int check_sink(struct hf_run *run, struct hf_ctx *ctx, struct hf_instance *sink, void *arg)
{
    (void)run, (void)arg;
    hf_instance_enter(sink, ctx);
    return hf_instance_leave(sink, ctx, sink->loaded->sink.check(sink->self, ctx));
}

/* Whether a backup would go into enough of them: sinks that it can do without make it partial. */
static void check_sinks(struct hf_run *run, struct hf_ctx *ctx, int *exit)
{
    struct hf_error *errors = hf_alloc_array(run->sink_count + 1, sizeof(*errors));
    size_t wanted = run->profile->quorum > 0 ? (size_t)run->profile->quorum : 1, ready = 0;

    for (size_t i = 0; i < run->sink_count; i++) {
        struct hf_instance *sink = run->sinks[i];
        int rc = sink->loaded->sink.check ? hf_guard(run, ctx, sink, check_sink, NULL) : HF_OK;

        ready += rc >= 0;
        if (rc < 0 && sink->required)
            note(run, ctx, sink->who, rc, exit);
        else if (rc < 0)
            hf_error_merge(&errors[i], &ctx->error);
    }
    for (size_t i = 0; i < run->sink_count; i++) {
        bool missed = errors[i].code != 0;

        if (missed && *exit == HF_EXIT_OK)
            *exit = ready >= wanted ? HF_EXIT_PARTIAL : hf_exit_of_making(errors[i].code);
        if (missed)
            add(run, ready >= wanted ? HF_WARNING : HF_ERROR, run->sinks[i]->who, &errors[i]);
    }
    free(errors);
    if (ready < wanted && wanted > 1)
        hf_services_finding(&run->services, HF_ERROR, "quorum", run->profile->name,
                            "%zu of %zu sinks are ready, and the quorum is %zu", ready, run->sink_count, wanted);
}

static void check_plugins(struct hf_run *run, struct hf_ctx *ctx, int *exit)
{
    const struct hf_source *source = &run->source->loaded->source;

    if (source->check != NULL) {
        hf_instance_enter(run->source, ctx);
        note(run, ctx, run->source->who, hf_instance_leave(run->source, ctx, source->check(run->source->self, ctx)),
             exit);
    }
    note(run, ctx, "stages", hf_check_stages(run, ctx), exit);
    if (run->profile->level_insists)
        note(run, ctx, "verify", hf_check_level(run, ctx, run->profile->level), exit);
    check_sinks(run, ctx, exit);
}

static int check_folder(struct hf_ctx *ctx, const char *what, const char *path)
{
    if (access(path, W_OK | X_OK) == 0)
        return HF_OK;
    hf_fail_errno(ctx, errno, "%s '%s'", what, path);
    return hf_hint(ctx, "set %s in holdfast.ini to a folder that can be written to", what);
}

void hf_op_check(const struct hf_world *world, struct hf_profile *profile, struct hf_report *report)
{
    struct hf_ctx ctx = {0};
    struct hf_run run;
    int exit = HF_EXIT_OK, rc;

    hf_report_init(report, profile->name);
    rc = hf_run_open(&run, &ctx, world, profile, HF_RUN_SOURCE);
    if (rc != HF_OK) {
        exit = hf_exit_of_code(ctx.error.code ? ctx.error.code : rc);
    } else {
        note(&run, &ctx, "temp_dir", check_folder(&ctx, "temp_dir", world->settings->temp_dir), &exit);
        check_plugins(&run, &ctx, &exit);
        if ((exit == HF_EXIT_OK || exit == HF_EXIT_PARTIAL) && run.services.severity_counts[HF_ERROR] > 0)
            exit = HF_EXIT_FAILED;
    }
    hf_json_set(report->json, "findings", hf_findings_json(&run.services));
    hf_report_end(report, &ctx, exit);
    hf_run_close(&run);
}
