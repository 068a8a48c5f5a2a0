/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "cli/output.h"
#include "cli/render.h"
#include <string.h>

enum { PARTS_SHOWN = 12, FACTS_SHOWN = 20, FACT_BYTES_SHOWN = 100 };

/* How far its copies were verified: each by itself, in the order of the sinks, where that differs. */
static void verified_cell(const json_t *backup, struct hf_text *cell)
{
    const json_t *sink;
    size_t index;
    const char *first = NULL;
    bool damaged = false, uneven = false;
    hf_auto_text struct hf_text each = {0};
    json_array_foreach(json_object_get(backup, "sinks"), index, sink)
    {
        const json_t *verified = json_object_get(sink, "verified");
        const char *own = json_is_object(verified) ? hf_member_text(verified, "level") : "no";
        damaged = damaged || (json_is_object(verified) && !hf_member_true(verified, "whole"));
        uneven = uneven || (first && strcmp(first, own) != 0);
        first = first ? first : own;
        hf_safe_addf(&each, "%s%s", index > 0 ? ", " : "", own);
    }
    hf_text_add(cell, damaged ? "DAMAGED" : "");
    if (!damaged && uneven)
        hf_text_add(cell, each.data);
    else if (!damaged)
        hf_safe_add(cell, first ? first : "no");
}

static void sinks_cell(const json_t *backup, struct hf_text *cell)
{
    const json_t *sink;
    size_t index;
    json_array_foreach(json_object_get(backup, "sinks"), index, sink)
    {
        hf_text_add(cell, cell->length > 0 ? ", " : "");
        hf_text_add(cell, hf_member_text(sink, "name"));
        if (!hf_member_true(sink, "whole"))
            hf_text_add(cell, " (not whole)");
    }
}

static void list_row(struct hf_table *table, const json_t *backup, const struct hf_render *how)
{
    hf_auto_text struct hf_text verified = {0}, sinks = {0}, findings = {0};
    char age[24], size[16], raw[16], artifacts[24];
    const json_t *counts = json_object_get(backup, "findings");
    verified_cell(backup, &verified);
    sinks_cell(backup, &sinks);
    if (hf_member_size(counts, "error") > 0)
        hf_text_addf(&findings, "%llu errors", (unsigned long long)hf_member_size(counts, "error"));
    else if (hf_member_size(counts, "warning") > 0)
        hf_text_addf(&findings, "%llu warnings", (unsigned long long)hf_member_size(counts, "warning"));
    if (strcmp(findings.data ? findings.data : "", "1 errors") == 0 ||
        strcmp(findings.data ? findings.data : "", "1 warnings") == 0)
        findings.data[--findings.length] = '\0';
    hf_render_age(how->now_ms, hf_member_text(backup, "time"), age);
    snprintf(artifacts, sizeof(artifacts), "%llu", (unsigned long long)hf_member_size(backup, "artifacts"));
    hf_table_row(table, (const char *const[]){hf_member_text(backup, "id"), age,
                                              hf_text_bytes(hf_member_size(backup, "bytes"), size),
                                              hf_text_bytes(hf_member_size(backup, "raw_bytes"), raw), artifacts,
                                              verified.data, sinks.data, findings.data});
}

/* What does not fit into the table: copies that are not whole, objects without a manifest, sinks that do not answer. */
static void list_notes(struct hf_text *out, const json_t *report)
{
    const json_t *backup, *sink, *item;
    size_t i, j;
    json_array_foreach(json_object_get(report, "backups"), i, backup)
    {
        json_array_foreach(json_object_get(backup, "sinks"), j, sink)
        {
            if (!*hf_member_text(sink, "problem"))
                continue;
            hf_safe_addf(out, "not whole: %s in %s: %s", hf_member_text(backup, "id"), hf_member_text(sink, "name"),
                         hf_member_text(sink, "problem"));
            hf_text_add(out, "\n");
        }
    }
    json_array_foreach(json_object_get(report, "orphans"), i, item)
    {
        hf_text_add(out, "without a manifest: ");
        hf_safe_add(out, json_string_value(item));
        hf_text_add(out, "\n");
    }
    json_array_foreach(json_object_get(report, "unreachable"), i, item)
    {
        hf_text_add(out, "not listed: sink ");
        hf_safe_addf(out, "%s of %s", json_string_value(item), hf_member_text(report, "profile"));
        hf_text_add(out, "\n");
    }
}

void hf_render_list(struct hf_text *out, const json_t *reports, const struct hf_render *how)
{
    struct hf_table table = {.columns = 8, .right = 2 | 4 | 8 | 16};
    const json_t *report, *backup;
    size_t i, j, count = 0;
    hf_table_row(&table,
                 (const char *const[]){"BACKUP", "AGE", "SIZE", "DECODED", "ARTIFACTS", "VERIFIED", "SINKS", ""});
    json_array_foreach(reports, i, report)
    {
        json_array_foreach(json_object_get(report, "backups"), j, backup)
        {
            list_row(&table, backup, how);
            count++;
        }
    }
    if (count > 0)
        hf_table_print(out, &table, "");
    hf_table_clear(&table);
    json_array_foreach(reports, i, report)
    {
        list_notes(out, report);
        if (json_is_array(json_object_get(report, "backups")) &&
            json_array_size(json_object_get(report, "unreachable")) == 0 &&
            json_array_size(json_object_get(report, "backups")) == 0) {
            hf_safe_addf(out, "%s has no backups", hf_member_text(report, "profile"));
            hf_text_add(out, "\n");
        }
    }
}

static const char *location_of(const json_t *report, const char *key)
{
    const json_t *item;
    size_t index;
    json_array_foreach(json_object_get(report, "locations"), index,
                       item) if (strcmp(hf_member_text(item, "key"), key) == 0 &&
                                 *hf_member_text(item, "location")) return hf_member_text(item, "location");
    return key;
}

/* Figures that a manifest may have under "bytes" and "raw_bytes". */
static void show_artifacts(struct hf_text *out, const json_t *report, const struct hf_render *how)
{
    const json_t *artifact, *part;
    size_t i, j;
    char size[16], raw[16];
    hf_text_add(out, "  artifacts\n");
    json_array_foreach(json_object_get(json_object_get(report, "manifest"), "artifacts"), i, artifact)
    {
        const json_t *parts = json_object_get(artifact, "parts");
        const char *key =
            *hf_member_text(artifact, "key") ? hf_member_text(artifact, "key") : hf_member_text(artifact, "name");
        hf_text_add(out, "    ");
        hf_safe_add(out, location_of(report, key));
        hf_text_addf(out, "\n      %s, decoded %s\n      sha256 ",
                     hf_text_bytes(hf_member_size(artifact, "bytes"), size),
                     hf_text_bytes(hf_member_size(artifact, "raw_bytes"), raw));
        hf_safe_add(out, hf_member_text(artifact, "sha256"));
        hf_text_add(out, "\n");
        if (json_array_size(parts) < 2 && !how->verbose)
            continue;
        hf_text_addf(out, "      %zu parts: ", json_array_size(parts));
        json_array_foreach(parts, j, part)
        {
            if (j >= PARTS_SHOWN && !how->verbose) {
                hf_text_addf(out, " and %zu more", json_array_size(parts) - j);
                break;
            }
            hf_text_add(out, j > 0 ? ", " : "");
            hf_safe_add(out, hf_member_text(part, "name"));
        }
        hf_text_add(out, "\n");
    }
}

static void show_sinks(struct hf_text *out, const json_t *report)
{
    const json_t *sink;
    size_t index;
    hf_text_add(out, "  sinks\n");
    json_array_foreach(json_object_get(report, "sinks"), index, sink)
    {
        const json_t *verified = json_object_get(sink, "verified");
        hf_text_add(out, "    ");
        hf_safe_addf(out, "%s  %s", hf_member_text(sink, "name"),
                     hf_member_true(sink, "whole") ? "whole" : "NOT WHOLE");
        if (*hf_member_text(sink, "problem")) {
            hf_text_add(out, ": ");
            hf_safe_add(out, hf_member_text(sink, "problem"));
        }
        if (json_is_object(verified))
            hf_safe_addf(out, ", verified %s at %s, %s", hf_member_text(verified, "level"),
                         hf_member_text(verified, "time"),
                         hf_member_true(verified, "whole") ? "nothing wrong" : "DAMAGED");
        else
            hf_text_add(out, ", never verified");
        hf_text_add(out, "\n");
    }
}

static void show_values(struct hf_text *out, const char *title, const json_t *values, const struct hf_render *how)
{
    size_t shown = 0;
    const char *key;
    json_t *value;
    if (json_object_size(values) == 0)
        return;
    hf_text_addf(out, "  %s\n", title);
    json_object_foreach((json_t *)values, key, value)
    {
        if (shown++ >= FACTS_SHOWN && !how->verbose)
            continue;
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        bool cut = text && strlen(text) > FACT_BYTES_SHOWN && !how->verbose;
        hf_auto_free char *brief = cut ? hf_strndup(text, FACT_BYTES_SHOWN) : hf_strdup(text ? text : "?");
        hf_text_add(out, "    ");
        hf_safe_addf(out, "%s = ", key);
        if (cut && json_is_object(value)) /* a beginning says little about thousands */
            hf_text_addf(out, "(%zu members) ", json_object_size(value));
        if (cut && json_is_array(value))
            hf_text_addf(out, "(%zu items) ", json_array_size(value));
        hf_safe_add(out, brief);
        hf_text_add(out, cut ? " ...\n" : "\n");
        free(text);
    }
    if (shown > FACTS_SHOWN && !how->verbose)
        hf_text_addf(out, "    and %zu more; --verbose shows them all\n", shown - FACTS_SHOWN);
}

static void show_line(struct hf_text *out, const char *title, const char *format, ...) HF_PRINTF(3, 4);
static void show_line(struct hf_text *out, const char *title, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    hf_auto_free char *text = hf_vstrf(format, list);
    va_end(list);
    hf_text_addf(out, "  %-8s  ", title);
    hf_safe_add(out, text);
    hf_text_add(out, "\n");
}

void hf_render_show(struct hf_text *out, const json_t *report, const struct hf_render *how)
{
    const json_t *manifest = json_object_get(report, "manifest"), *stage;
    const json_t *source = json_object_get(manifest, "source");
    hf_auto_text struct hf_text stages = {0};
    char age[24];
    size_t index;
    if (!*hf_member_text(report, "id"))
        return;
    hf_safe_add(out, hf_member_text(report, "id"));
    hf_text_add(out, "\n");
    hf_render_age(how->now_ms, hf_member_text(report, "time"), age);
    show_line(out, "profile", "%s", hf_member_text(report, "profile"));
    show_line(out, "taken", "%s, %s ago", hf_member_text(report, "time"), age);
    if (*hf_member_text(manifest, "host"))
        show_line(out, "host", "%s", hf_member_text(manifest, "host"));
    if (json_is_object(source))
        show_line(out, "source", "%s %s", hf_member_text(source, "plugin"), hf_member_text(source, "version"));
    json_array_foreach(json_object_get(manifest, "stages"), index, stage) hf_text_addf(
        &stages, "%s%s %s", index > 0 ? ", " : "", hf_member_text(stage, "plugin"), hf_member_text(stage, "version"));
    if (stages.length > 0)
        show_line(out, "stages", "%s", stages.data);
    if (*hf_member_text(manifest, "holdfast"))
        show_line(out, "made by", "holdfast %s", hf_member_text(manifest, "holdfast"));
    if (hf_member_true(report, "sealed"))
        show_line(out, "sealed", "parts, facts and findings can be told with the key only");
    show_artifacts(out, report, how);
    show_sinks(out, report);
    show_values(out, "facts", json_object_get(manifest, "facts"), how);
    if (how->verbose)
        show_values(out, "context", json_object_get(manifest, "context"), how);
    hf_render_findings(out, json_object_get(manifest, "findings"), how);
}
