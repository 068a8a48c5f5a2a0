/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "cli/output.h"
#include "cli/render.h"
#include "ops/ops.h"
#include <string.h>

enum { ITEMS_SHOWN = 10 };

static const char *of_many(size_t count, const char *many)
{
    return count == 1 ? "" : many;
}

void hf_render_check(struct hf_text *out, const json_t *report, const struct hf_render *how)
{
    char room[16];
    uint64_t exit = hf_member_size(report, "exit");
    hf_safe_add(out, hf_member_text(report, "profile"));
    hf_text_add(out, exit == 0 ? "  ready" : exit == HF_EXIT_PARTIAL ? "  ready in part" : "  not ready");
    if (json_object_get(report, "free_bytes"))
        hf_text_addf(out, ", %s free", hf_text_bytes(hf_member_size(report, "free_bytes"), room));
    hf_text_add(out, "\n");
    hf_render_findings(out, json_object_get(report, "findings"), how);
}

static void render_artifacts(struct hf_text *out, const json_t *artifacts, const struct hf_render *how)
{
    struct hf_table table = {.columns = 2, .right = 2};
    char room[16];
    const json_t *artifact;
    size_t index, left_out = 0;
    hf_table_row(&table, (const char *const[]){"", ""});
    json_array_foreach(artifacts, index, artifact)
    {
        const char *location = hf_member_text(artifact, "location");
        if (index >= ITEMS_SHOWN && !how->verbose) {
            left_out++;
            continue;
        }
        hf_table_row(&table, (const char *const[]){*location ? location : hf_member_text(artifact, "key"),
                                                   hf_text_bytes(hf_member_size(artifact, "bytes"), room)});
    }
    hf_table_print(out, &table, "  ");
    hf_table_clear(&table);
    if (left_out > 0)
        hf_text_addf(out, "  and %zu more artifact%s\n", left_out, of_many(left_out, "s"));
}

/* With one sink that has it, the artifacts' places say it all. */
static void render_sinks(struct hf_text *out, const json_t *sinks)
{
    const json_t *sink;
    size_t index, stored = 0;
    if (json_array_size(sinks) < 2)
        return;
    json_array_foreach(sinks, index, sink)
    {
        if (!hf_member_true(sink, "stored"))
            continue;
        hf_text_add(out, stored++ == 0 ? "  stored in " : ", ");
        hf_safe_add(out, hf_member_text(sink, "name"));
    }
    if (stored > 0)
        hf_text_add(out, "\n");
    json_array_foreach(sinks, index, sink)
    {
        if (hf_member_true(sink, "stored"))
            continue;
        hf_text_add(out, "  not stored in ");
        hf_safe_add(out, hf_member_text(sink, "name")); /* why, is said among the errors */
        hf_text_add(out, "\n");
    }
}

static void render_verification(struct hf_text *out, const json_t *checks, const struct hf_render *how)
{
    char room[24];
    const json_t *check;
    size_t index;
    if (json_array_size(checks) == 0)
        hf_text_add(out, "  not verified\n");
    json_array_foreach(checks, index, check)
    {
        bool whole = hf_member_true(check, "whole");
        bool found = json_array_size(json_object_get(check, "findings")) > 0;
        hf_text_add(out, whole || found || !*hf_member_text(check, "error") ? "  verified " : "  could not verify ");
        hf_safe_add(out, hf_member_text(check, "level"));
        if (json_array_size(checks) > 1) {
            hf_text_add(out, " in ");
            hf_safe_add(out, hf_member_text(check, "sink"));
        }
        if (whole || found || !*hf_member_text(check, "error"))
            hf_text_addf(out, " in %s, %s", hf_duration_rough(hf_member_ms(check, "seconds"), room),
                         whole ? "nothing wrong" : "DAMAGED");
        hf_text_add(out, "\n");
        hf_render_findings(out, json_object_get(check, "findings"), how);
    }
}

/* One line per sink: what was kept, and what went for which reason. */
static void render_retention(struct hf_text *out, const json_t *items, const struct hf_render *how)
{
    hf_auto_strings struct hf_strings sinks = {0};
    const json_t *item;
    size_t index;
    json_array_foreach(items, index, item) if (!hf_strings_have(&sinks, hf_member_text(item, "sink")))
        hf_strings_add(&sinks, hf_member_text(item, "sink"));
    for (size_t i = 0; i < sinks.count; i++) {
        size_t kept = 0, removed = 0;
        hf_auto_text struct hf_text list = {0}, stuck = {0};
        json_array_foreach(items, index, item)
        {
            if (strcmp(hf_member_text(item, "sink"), sinks.items[i]) != 0)
                continue;
            if (!hf_member_true(item, "remove")) {
                kept++;
                continue;
            }
            bool done = hf_member_true(item, "removed");
            if (done && removed++ >= ITEMS_SHOWN && !how->verbose)
                continue;
            struct hf_text *line = done ? &list : &stuck;
            hf_text_add(line, line->length > 0 ? ", " : "");
            hf_safe_addf(line, "%s: %s", hf_member_text(item, "id"), hf_member_text(item, "reason"));
        }
        hf_text_add(out, "  ");
        if (sinks.count > 1) {
            hf_safe_add(out, sinks.items[i]);
            hf_text_add(out, ": ");
        }
        hf_text_addf(out, "kept %zu backup%s", kept, of_many(kept, "s"));
        if (removed > 0)
            hf_text_addf(out, ", removed %zu (%s%s)", removed, list.data,
                         removed > ITEMS_SHOWN && !how->verbose ? ", ..." : "");
        hf_text_add(out, "\n");
        if (stuck.length > 0)
            hf_text_addf(out, "  could not remove: %s\n", stuck.data);
    }
}

static void render_would_store(struct hf_text *out, const json_t *report)
{
    const json_t *item;
    size_t index;
    hf_safe_add(out, hf_member_text(report, "profile"));
    hf_text_add(out, "  would store\n");
    json_array_foreach(json_object_get(report, "would_store"), index, item)
    {
        hf_text_add(out, "  ");
        hf_safe_add(out, json_string_value(item));
        hf_text_add(out, "\n");
    }
    json_array_foreach(json_object_get(report, "would_remove"), index, item)
    {
        if (json_is_false(json_object_get(item, "remove")))
            continue;
        hf_text_add(out, "  and remove ");
        hf_safe_add(out, json_is_string(item) ? json_string_value(item) : hf_member_text(item, "id"));
        if (*hf_member_text(item, "reason")) {
            hf_text_add(out, ": ");
            hf_safe_add(out, hf_member_text(item, "reason"));
        }
        hf_text_add(out, "\n");
    }
}

static void add_amounts(struct hf_text *out, uint64_t raw_bytes, uint64_t bytes)
{
    char raw[16], stored[16];
    hf_text_addf(out, "%s as %s", hf_text_bytes(raw_bytes, raw), hf_text_bytes(bytes, stored));
    if (raw_bytes > 0)
        hf_text_addf(out, " (%.0f %%)", (double)bytes * 100.0 / (double)raw_bytes);
}

void hf_render_backup(struct hf_text *out, const json_t *report, const struct hf_render *how)
{
    const char *outcome = hf_member_text(report, "outcome");
    const json_t *findings = json_object_get(report, "findings");
    char room[24];
    bool partial = strcmp(outcome, "partial") == 0;
    if (strcmp(outcome, "would-store") == 0) {
        render_would_store(out, report);
    } else if (strcmp(outcome, "unchanged") == 0) {
        hf_safe_add(out, hf_member_text(report, "profile"));
        hf_text_add(out, "  unchanged since ");
        hf_safe_add(out, *hf_member_text(report, "previous") ? hf_member_text(report, "previous") : "its last backup");
        hf_text_add(out, ", nothing stored\n");
    } else if (partial || strcmp(outcome, "stored") == 0) {
        hf_safe_add(out, hf_member_text(report, "id"));
        hf_text_addf(out, "  stored%s in %s: ", partial ? " in part" : "",
                     hf_duration_rough(hf_member_ms(report, "seconds"), room));
        add_amounts(out, hf_member_size(report, "raw_bytes"), hf_member_size(report, "bytes"));
        hf_text_add(out, "\n");
        render_artifacts(out, json_object_get(report, "artifacts"), how);
        render_sinks(out, json_object_get(report, "sinks"));
        hf_render_findings(out, findings, how);
        render_verification(out, json_object_get(report, "verification"), how);
        render_retention(out, json_object_get(report, "retention"), how);
        return;
    } else {
        hf_safe_add(out, hf_member_text(report, "profile"));
        hf_text_add(out, "  not backed up\n");
    }
    hf_render_findings(out, findings, how);
    if (json_array_size(json_object_get(report, "verification")) > 0)
        render_verification(out, json_object_get(report, "verification"), how);
    render_retention(out, json_object_get(report, "retention"), how);
}

static void check_row(struct hf_table *table, const json_t *check)
{
    char size[16], time[24];
    hf_auto_text struct hf_text outcome = {0};
    if (hf_member_true(check, "whole"))
        hf_text_addf(&outcome, "whole, %s in %s", hf_text_bytes(hf_member_size(check, "bytes"), size),
                     hf_duration_rough(hf_member_ms(check, "seconds"), time));
    else if (*hf_member_text(check, "error") && json_array_size(json_object_get(check, "findings")) == 0)
        hf_text_add(&outcome, "could not be verified");
    else
        hf_text_add(&outcome, "DAMAGED");
    hf_table_row(table, (const char *const[]){hf_member_text(check, "id"), hf_member_text(check, "sink"),
                                              hf_member_text(check, "level"), outcome.data});
}

/* Aligned over all checks, with each one's findings under its line. */
void hf_render_verify(struct hf_text *out, const json_t *report, const struct hf_render *how)
{
    const json_t *checks = json_object_get(report, "checks"), *check;
    struct hf_table table = {.columns = 4};
    hf_auto_text struct hf_text lines = {0};
    size_t index;
    hf_table_row(&table, (const char *const[]){"", "", "", ""});
    json_array_foreach(checks, index, check) check_row(&table, check);
    hf_table_print(&lines, &table, "");
    hf_table_clear(&table);
    const char *line = lines.data;
    json_array_foreach(checks, index, check)
    {
        size_t length = strcspn(line, "\n") + 1;
        hf_text_add_bytes(out, line, length);
        line += length;
        hf_render_findings(out, json_object_get(check, "findings"), how);
    }
    if (json_array_size(checks) == 0 && hf_member_size(report, "exit") == 0) {
        hf_safe_add(out, hf_member_text(report, "profile"));
        hf_text_add(out, "  has no backups\n");
    }
}

static void render_selected(struct hf_text *out, const json_t *selected, const struct hf_render *how)
{
    const json_t *item;
    size_t index;
    json_array_foreach(selected, index, item)
    {
        if (index >= ITEMS_SHOWN && !how->verbose) {
            hf_text_addf(out, "  and %zu more; --verbose shows them all\n", json_array_size(selected) - index);
            return;
        }
        const char *artifact = hf_member_text(item, "artifact"), *part = hf_member_text(item, "part");
        hf_safe_addf(out, "  %s%s%s", artifact, *artifact && *part ? ": " : "", part);
        hf_text_add(out, "\n");
    }
}

void hf_render_restore(struct hf_text *out, const json_t *report, const struct hf_render *how)
{
    const char *outcome = hf_member_text(report, "outcome"), *id = hf_member_text(report, "id");
    const char *to = hf_member_text(report, "to"), *sink = hf_member_text(report, "sink");
    char size[16], time[24];
    uint64_t parts = hf_member_size(report, "parts");
    hf_safe_add(out, *id ? id : hf_member_text(report, "profile"));
    if (strcmp(outcome, "restored") == 0) {
        hf_text_addf(out, "  restored in %s: ", hf_duration_rough(hf_member_ms(report, "seconds"), time));
        hf_text_addf(out, "%llu part%s, %s\n", (unsigned long long)parts, of_many(parts, "s"),
                     hf_text_bytes(hf_member_size(report, "bytes"), size));
    } else if (strcmp(outcome, "would-restore") == 0) {
        hf_text_addf(out, "  would restore %llu part%s, %s\n", (unsigned long long)parts, of_many(parts, "s"),
                     hf_text_bytes(hf_member_size(report, "bytes"), size));
    } else {
        hf_text_add(out, "  not restored\n");
    }
    if (strcmp(outcome, "restored") == 0 || strcmp(outcome, "would-restore") == 0) {
        hf_auto_free char *from = *sink ? hf_strf("from sink %s ", sink) : hf_strdup("");
        hf_safe_addf(out, "  %sto %s", from, *to ? to : "the original place");
        hf_text_add(out, "\n");
    }
    render_selected(out, json_object_get(report, "selected"), how);
    hf_render_findings(out, json_object_get(report, "findings"), how);
}

void hf_render_copy(struct hf_text *out, const json_t *report, const struct hf_render *how)
{
    static const char *const words[][2] = {{"copied", "copied"},         {"there", "there already"},
                                           {"unwanted", "left out"},     {"would-copy", "would copy"},
                                           {"in-the-way", "NOT COPIED"}, {"failed", "NOT COPIED"},
                                           {"not-done", "not begun"}};
    const json_t *copies = json_object_get(report, "copies"), *item;
    struct hf_table table = {.columns = 3};
    size_t index;
    hf_table_row(&table, (const char *const[]){"", "", ""});
    json_array_foreach(copies, index, item)
    {
        const char *outcome = hf_member_text(item, "outcome"), *word = outcome, *from = hf_member_text(item, "from");
        hf_auto_text struct hf_text text = {0};
        char size[16], time[24];
        for (size_t i = 0; i < HF_COUNT(words); i++)
            if (strcmp(words[i][0], outcome) == 0)
                word = words[i][1];
        hf_text_bytes(hf_member_size(item, "bytes"), size);
        if (strcmp(outcome, "copied") == 0)
            hf_text_addf(&text, "from %s, %s in %s, read back at level %s", from, size,
                         hf_duration_rough(hf_member_ms(item, "seconds"), time),
                         hf_member_text(json_object_get(item, "verification"), "level"));
        else if (strcmp(outcome, "would-copy") == 0)
            hf_text_addf(&text, "from %s, %s", from, size);
        else
            hf_text_add(&text, *hf_member_text(item, "error") ? hf_member_text(item, "error")
                                                              : hf_member_text(item, "reason"));
        hf_table_row(&table, (const char *const[]){hf_member_text(item, "id"), word, text.data ? text.data : ""});
    }
    hf_table_print(out, &table, "");
    hf_table_clear(&table);
    if (json_array_size(copies) == 0 && hf_member_size(report, "exit") == 0) {
        hf_safe_add(out, hf_member_text(report, "profile"));
        hf_text_add(out, "  has nothing to copy\n");
    }
    hf_render_findings(out, json_object_get(report, "findings"), how);
}

void hf_render_prune(struct hf_text *out, const json_t *report, const struct hf_render *how)
{
    (void)how;
    const json_t *items = json_object_get(report, "items"), *item;
    size_t index;
    bool dry = hf_member_true(report, "dry_run");
    struct hf_table table = {.columns = 4};
    hf_table_row(&table, (const char *const[]){"", "", "", ""});
    json_array_foreach(items, index, item)
    {
        const char *fate = !hf_member_true(item, "remove")   ? "keep"
                           : hf_member_true(item, "removed") ? "removed"
                           : dry                             ? "would remove"
                                                             : "NOT REMOVED";
        hf_table_row(&table, (const char *const[]){hf_member_text(item, "id"), hf_member_text(item, "sink"), fate,
                                                   hf_member_text(item, "reason")});
    }
    json_array_foreach(json_object_get(report, "skipped"), index, item)
        hf_table_row(&table, (const char *const[]){hf_member_text(item, "id"), hf_member_text(item, "sink"),
                                                   "left alone", hf_member_text(item, "problem")});
    hf_table_print(out, &table, "");
    hf_table_clear(&table);
    if (json_array_size(items) == 0 && hf_member_size(report, "exit") == 0) {
        hf_safe_add(out, hf_member_text(report, "profile"));
        hf_text_add(out, "  has no backups to prune\n");
    }
}

void hf_render_audit(struct hf_text *out, const json_t *report, const struct hf_render *how)
{
    const char *id = hf_member_text(report, "id");
    uint64_t exit = hf_member_size(report, "exit");
    char time[24];
    hf_safe_add(out, hf_member_text(report, "profile"));
    if (!hf_member_true(report, "audited")) {
        hf_text_add(out, "  not audited\n");
    } else {
        hf_text_addf(out, "  %s, audited in %s",
                     exit == HF_EXIT_OK        ? "nothing wrong"
                     : exit == HF_EXIT_PARTIAL ? "nothing wrong as far as that can be told"
                                               : "SOMETHING IS WRONG",
                     hf_duration_rough(hf_member_ms(report, "seconds"), time));
        hf_safe_addf(out, "%s%s", *id ? " against " : "", id);
        hf_text_add(out, "\n");
    }
    hf_render_findings(out, json_object_get(report, "findings"), how);
}
