/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/render.h"
#include "base/time.h"
#include "cli/output.h"
#include <string.h>

enum { FINDINGS_SHOWN = 20 };

const char *hf_member_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

uint64_t hf_member_size(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

bool hf_member_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

int64_t hf_member_ms(const json_t *object, const char *key)
{
    double seconds = json_number_value(json_object_get(object, key));
    return seconds > 0 && seconds < 1e12 ? (int64_t)(seconds * 1000.0 + 0.5) : 0;
}

void hf_render_age(int64_t now_ms, const char *iso_time, char ret_text[24])
{
    int64_t time_ms;
    if (!hf_time_parse(iso_time, &time_ms)) {
        ret_text[0] = '-';
        ret_text[1] = '\0';
        return;
    }
    if (time_ms > now_ms) {
        memcpy(ret_text, "future", sizeof("future"));
        return;
    }
    hf_duration_rough(now_ms - time_ms, ret_text);
}

static void finding_line(struct hf_text *out, const json_t *finding)
{
    const char *subject = hf_member_text(finding, "subject");
    hf_safe_add(out, hf_member_text(finding, "severity"));
    hf_text_add(out, ": ");
    if (*subject) {
        hf_safe_add(out, subject);
        hf_text_add(out, ": ");
    }
    hf_safe_add(out, hf_member_text(finding, "text"));
}

void hf_render_findings(struct hf_text *out, const json_t *findings, const struct hf_render *how)
{
    static const char *const severities[] = {"error", "warning", "info"};
    size_t shown = 0, index;
    const json_t *finding;
    for (size_t i = 0; i < HF_COUNT(severities); i++) {
        json_array_foreach(findings, index, finding)
        {
            if (strcmp(hf_member_text(finding, "severity"), severities[i]) != 0)
                continue;
            if (shown++ >= FINDINGS_SHOWN && !how->verbose)
                continue;
            hf_text_add(out, "  ");
            finding_line(out, finding);
            hf_text_add(out, "\n");
        }
    }
    if (shown > FINDINGS_SHOWN && !how->verbose)
        hf_text_addf(out, "  and %zu more findings; --verbose shows them all\n", shown - FINDINGS_SHOWN);
}

static void print_findings(const json_t *findings, const char *about)
{
    const json_t *finding;
    size_t index;
    json_array_foreach(findings, index, finding)
    {
        if (strcmp(hf_member_text(finding, "severity"), "info") == 0)
            continue;
        hf_auto_text struct hf_text line = {0};
        if (*about)
            hf_text_addf(&line, "%s: ", about);
        finding_line(&line, finding);
        hf_print_error(line.data, NULL);
    }
}

/* Errors of the operations may or may not say already which profile they are about. */
static void print_of_profile(const char *profile, const char *about, const char *error, const char *hint)
{
    hf_auto_text struct hf_text line = {0};
    if (*profile && !hf_text_starts(error, "profile '"))
        hf_text_addf(&line, "profile '%s': ", profile);
    hf_text_addf(&line, "%s%s", about, error);
    hf_print_error(line.data, hint);
}

void hf_report_print_errors(const json_t *report, bool findings)
{
    const char *profile = hf_member_text(report, "profile"), *error = hf_member_text(report, "error");
    const json_t *item;
    size_t index;
    if (*error)
        print_of_profile(profile, "", error, hf_member_text(report, "hint"));
    json_array_foreach(json_object_get(report, "sinks"), index, item)
    {
        if (!*hf_member_text(item, "error") || hf_text_ends(error, hf_member_text(item, "error"))) /* said already */
            continue;
        bool named = hf_text_starts(hf_member_text(item, "error"), "sink ");
        hf_auto_free char *about = named ? hf_strdup("") : hf_strf("sink '%s': ", hf_member_text(item, "name"));
        print_of_profile(profile, about, hf_member_text(item, "error"), hf_member_text(item, "hint"));
    }
    json_array_foreach(json_object_get(report, "copies"), index, item)
    {
        const char *id = hf_member_text(item, "id");
        const char *what =
            *hf_member_text(item, "error") ? hf_member_text(item, "error") : hf_member_text(item, "reason");
        const char *outcome = hf_member_text(item, "outcome");
        if (strcmp(outcome, "failed") != 0 && strcmp(outcome, "in-the-way") != 0)
            continue;
        hf_auto_free char *about = hf_strf("'%s' was not copied: ", id);
        print_of_profile(profile, about, what, hf_member_text(item, "hint"));
    }
    static const char *const checks[] = {"checks", "verification"};
    for (size_t i = 0; i < HF_COUNT(checks); i++) {
        json_array_foreach(json_object_get(report, checks[i]), index, item)
        {
            hf_auto_free char *about =
                hf_strf("'%s' in sink '%s': ",
                        *hf_member_text(item, "id") ? hf_member_text(item, "id") : hf_member_text(report, "id"),
                        hf_member_text(item, "sink"));
            if (*hf_member_text(item, "error"))
                print_of_profile(profile, about, hf_member_text(item, "error"), hf_member_text(item, "hint"));
            if (findings) {
                about[strlen(about) - 2] = '\0';
                print_findings(json_object_get(item, "findings"), about);
            }
        }
    }
    if (findings)
        print_findings(json_object_get(report, "findings"), profile);
}
