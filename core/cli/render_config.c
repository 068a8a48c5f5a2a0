/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "cli/output.h"
#include "cli/render.h"
#include <inttypes.h>
#include <string.h>

enum { LINE_WIDTH = 80 };

/* On one line, also what stands on several in the file. */
static void add_value(struct hf_text *out, const char *value)
{
    hf_auto_free char *line = hf_strdup(value);
    for (char *at = line; *at; at++)
        if (*at == '\n')
            *at = ' ';
    hf_safe_add(out, line);
}

void hf_render_config_show(struct hf_text *out, const json_t *report, const struct hf_render *how)
{
    (void)how;
    const json_t *section, *option;
    size_t i, j;
    if (!json_is_array(json_object_get(report, "sections")))
        return;
    hf_text_add(out, "# profile ");
    hf_safe_addf(out, "%s: %s", hf_member_text(report, "profile"), hf_member_text(report, "path"));
    hf_text_add(out, "\n");
    json_array_foreach(json_object_get(report, "sections"), i, section)
    {
        struct hf_table table = {.columns = 2};
        hf_table_row(&table, (const char *const[]){"", ""});
        bool named = false;
        json_array_foreach(json_object_get(section, "options"), j, option) named =
            named || strcmp(hf_member_text(option, "key"), "plugin") == 0;
        hf_text_add(out, "[");
        hf_safe_add(out, hf_member_text(section, "section"));
        hf_text_add(out, "]\n");
        if (!named && *hf_member_text(section, "plugin")) {
            hf_text_add(out, "plugin = ");
            hf_safe_add(out, hf_member_text(section, "plugin"));
            hf_text_add(out, "\n");
        }
        json_array_foreach(json_object_get(section, "options"), j, option)
        {
            const json_t *value = json_object_get(option, "value");
            const char *origin = hf_member_text(option, "origin");
            const char *slash = strrchr(origin, '/');
            bool unset = !value || json_is_null(value);
            hf_auto_text struct hf_text cell = {0}, note = {0};
            hf_text_addf(&cell, "%s%s =%s", unset ? "# " : "", hf_member_text(option, "key"), unset ? "" : " ");
            add_value(&cell, hf_member_text(option, "value"));
            hf_text_addf(&note, "; %s", unset ? "not set" : slash ? slash + 1 : origin);
            hf_table_row(&table, (const char *const[]){cell.data, note.data});
        }
        hf_table_print(out, &table, "");
        hf_table_clear(&table);
        hf_text_add(out, "\n");
    }
}

void hf_render_config_validate(struct hf_text *out, const json_t *report, const struct hf_render *how)
{
    (void)how;
    const json_t *file;
    size_t index;
    struct hf_table table = {.columns = 3};
    hf_table_row(&table, (const char *const[]){"PROFILE", "", "FILE"});
    json_array_foreach(json_object_get(report, "files"), index, file)
        hf_table_row(&table, (const char *const[]){hf_member_text(file, "profile"),
                                                   hf_member_true(file, "valid") ? "valid" : "NOT VALID",
                                                   hf_member_text(file, "path")});
    if (json_array_size(json_object_get(report, "files")) > 0)
        hf_table_print(out, &table, "");
    hf_table_clear(&table);
}

void hf_render_plugin_list(struct hf_text *out, const json_t *report, const struct hf_render *how)
{
    const json_t *plugin;
    size_t index;
    struct hf_table table = {.columns = how->verbose ? 6 : 4};
    hf_table_row(&table, (const char *const[]){"KIND", "NAME", "VERSION", "SUMMARY", "LICENSE", "FILE"});
    json_array_foreach(json_object_get(report, "plugins"), index, plugin)
        hf_table_row(&table, (const char *const[]){hf_member_text(plugin, "kind"), hf_member_text(plugin, "name"),
                                                   hf_member_text(plugin, "version"), hf_member_text(plugin, "summary"),
                                                   hf_member_text(plugin, "license"), hf_member_text(plugin, "path")});
    hf_table_print(out, &table, "");
    hf_table_clear(&table);
}

static void add_limit(struct hf_text *out, const char *word, const char *type, int64_t limit)
{
    char room[24];
    if (limit == INT64_MAX || (limit == 0 && strcmp(word, "at least") == 0))
        return;
    if (strcmp(type, "duration") == 0)
        hf_text_addf(out, ", %s %s", word, hf_duration_text(limit, room));
    else if (strcmp(type, "size") == 0)
        hf_text_addf(out, ", %s %s", word, hf_text_bytes((uint64_t)limit, room));
    else
        hf_text_addf(out, ", %s %" PRId64, word, limit);
}

void hf_render_option_facts(struct hf_text *out, const json_t *option)
{
    const char *type = hf_member_text(option, "type");
    const json_t *min = json_object_get(option, "min"), *max = json_object_get(option, "max");
    hf_text_add(out, type);
    if (*hf_member_text(option, "choices"))
        hf_text_addf(out, " %s", hf_member_text(option, "choices"));
    if (hf_member_true(option, "required"))
        hf_text_add(out, ", required");
    if (*hf_member_text(option, "default"))
        hf_text_addf(out, ", default %s", hf_member_text(option, "default"));
    if (json_is_integer(min) && json_is_integer(max)) {
        add_limit(out, "at least", type, json_integer_value(min));
        add_limit(out, "at most", type, json_integer_value(max));
    }
    if (hf_member_true(option, "secret"))
        hf_text_add(out, ", secret");
    if (hf_member_true(option, "deprecated"))
        hf_text_add(out, ", deprecated");
}

static void info_option(struct hf_text *out, const json_t *option)
{
    hf_auto_text struct hf_text facts = {0};
    hf_render_option_facts(&facts, option);
    hf_text_add(out, "  ");
    hf_safe_addf(out, "%s  (%s)", hf_member_text(option, "key"), facts.data);
    hf_text_add(out, "\n");
    hf_wrap_add(out, hf_member_text(option, "help"), 6, LINE_WIDTH);
}

void hf_render_plugin_info(struct hf_text *out, const json_t *report, const struct hf_render *how)
{
    (void)how;
    const json_t *plugin, *option;
    size_t i, j;
    json_array_foreach(json_object_get(report, "plugins"), i, plugin)
    {
        hf_text_add(out, i > 0 ? "\n" : "");
        hf_safe_addf(out, "%s/%s %s: %s", hf_member_text(plugin, "kind"), hf_member_text(plugin, "name"),
                     hf_member_text(plugin, "version"), hf_member_text(plugin, "summary"));
        hf_text_add(out, "\n");
        hf_wrap_add(out, hf_member_text(plugin, "description"), 2, LINE_WIDTH);
        hf_safe_addf(out, "  %s, %s", hf_member_text(plugin, "path"), hf_member_text(plugin, "license"));
        hf_text_add(out, "\n");
        if (json_array_size(json_object_get(plugin, "options")) == 0)
            hf_text_add(out, "\nit has no options\n");
        else
            hf_text_addf(out, "\noptions in [%s]\n", hf_member_text(plugin, "kind"));
        json_array_foreach(json_object_get(plugin, "options"), j, option) info_option(out, option);
    }
}

/* The public keys alone, so that scripts can take them as they are. */
void hf_render_key(struct hf_text *out, const json_t *report, const struct hf_render *how)
{
    const json_t *item;
    size_t index;
    (void)how;
    json_array_foreach(json_object_get(report, "public"), index, item)
    {
        hf_safe_add(out, json_string_value(item));
        hf_text_add(out, "\n");
    }
}
