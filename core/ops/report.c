/* SPDX-License-Identifier: Apache-2.0
 *
 * What the operations' reports have in common.
 */
#include "base/cancel.h"
#include "base/log.h"
#include "ops/run.h"

#include <string.h>

void hf_report_clear(struct hf_report *report)
{
    json_decref(report->json);
    report->json = NULL;
}

void hf_report_init(struct hf_report *report, const char *profile)
{
    report->json = json_object();
    report->exit = HF_EXIT_OK;
    if (profile != NULL)
        hf_json_set_text(report->json, "profile", profile);
}

void hf_report_end(struct hf_report *report, struct hf_ctx *ctx, int exit)
{
    report->exit = exit;
    hf_json_set_int(report->json, "exit", exit);
    if (ctx->error.code != 0) {
        hf_auto_free char *text = hf_redacted(ctx->error.text);

        hf_json_set_text(report->json, "error", text);
        if (ctx->error.hint != NULL)
            hf_json_set_text(report->json, "hint", ctx->error.hint);
    }
    hf_error_clear(&ctx->error);
}

int hf_exit_of_code(int code)
{
    switch (code) {
    case HF_E_CONFIG:
        return HF_EXIT_USAGE;
    case HF_E_EXISTS:
    case HF_E_REFUSED:
        return HF_EXIT_REFUSED;
    case HF_E_CORRUPT:
        return HF_EXIT_DAMAGED;
    case HF_E_NOTFOUND:
        return HF_EXIT_NOTFOUND;
    case HF_E_BUSY:
        return HF_EXIT_LOCKED;
    case HF_E_UNREACHABLE:
        return HF_EXIT_UNREACHABLE;
    case HF_E_CANCELLED:
        return hf_cancel_signal() != 0 ? HF_EXIT_INTERRUPTED : HF_EXIT_FAILED;
    default:
        return code < 0 ? HF_EXIT_FAILED : HF_EXIT_OK;
    }
}

int hf_exit_of_making(int code)
{
    int exit = hf_exit_of_code(code);

    return exit == HF_EXIT_DAMAGED || exit == HF_EXIT_NOTFOUND || exit == HF_EXIT_LOCKED ? HF_EXIT_FAILED : exit;
}

static const char *severity_text(int severity)
{
    return severity == HF_ERROR ? "error" : severity == HF_WARNING ? "warning" : "info";
}

json_t *hf_findings_json(const struct hf_services *services)
{
    json_t *array = json_array();

    for (size_t i = 0; i < services->finding_count; i++) {
        const struct hf_collected_finding *finding = &services->findings[i];
        json_t *item = json_object();

        hf_json_set_text(item, "severity", severity_text(finding->severity));
        hf_json_set_text(item, "code", finding->code);
        hf_json_set_text(item, "subject", finding->subject);
        hf_json_set_text(item, "text", finding->text);
        hf_json_append(array, item);
    }
    if (services->findings_dropped > 0) {
        hf_auto_free char *text = hf_strf("%zu more findings are not listed", services->findings_dropped);
        json_t *item = json_object();

        hf_json_set_text(item, "severity", "warning");
        hf_json_set_text(item, "code", "findings-cut");
        hf_json_set_text(item, "subject", "");
        hf_json_set_text(item, "text", text);
        hf_json_append(array, item);
    }
    return array;
}

char *hf_locate(struct hf_instance *sink, const char *key)
{
    char text[4096] = "";

    if (sink->loaded->sink.locate != NULL)
        sink->loaded->sink.locate(sink->self, key, text, sizeof(text));
    return *text ? hf_strdup(text) : hf_strf("%s:%s", sink->name, key);
}

json_t *hf_copy_json(const struct hf_copy *copy)
{
    json_t *json = json_object();

    hf_json_set_text(json, "name", copy->sink->name);
    hf_json_set(json, "whole", json_boolean(copy->whole));
    if (copy->problem != NULL)
        hf_json_set_text(json, "problem", copy->problem);
    if (copy->verified.level != HF_LEVEL_NONE) {
        json_t *verified = json_object();

        hf_json_set_text(verified, "level", hf_level_text(copy->verified.level));
        hf_json_set(verified, "whole", json_boolean(copy->verified.whole));
        hf_json_set_time(verified, "time", copy->verified.time_ms);
        hf_json_set(json, "verified", verified);
    }
    return json;
}
