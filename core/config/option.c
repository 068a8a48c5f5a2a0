/* SPDX-License-Identifier: Apache-2.0 */
#include "config/option.h"
#include "config/value.h"
#include <assert.h>
#include <openssl/crypto.h>
#include <string.h>

/* Messages cannot mask shorter ones without masking everything (base/log.h). */
enum { SECRET_MIN = 4 };

struct hf_option hf_options_at(struct hf_options options, size_t index)
{
    assert(index < options.count);
    struct hf_option option = {0};
    size_t size = options.stride < sizeof option ? options.stride : sizeof option;
    memcpy(&option, (const char *)options.items + index * options.stride, size);
    return option;
}

static struct hf_setting *find(const struct hf_config *config, const char *key)
{
    for (size_t i = 0; i < config->count; i++)
        if (strcmp(config->settings[i].option.key, key) == 0)
            return &config->settings[i];
    return NULL;
}

static void collect_options(struct hf_config *config, const struct hf_options *tables, size_t table_count)
{
    size_t total = 0;
    for (size_t i = 0; i < table_count; i++)
        total += tables[i].count;
    config->settings = hf_alloc_array(total, sizeof *config->settings);
    for (size_t i = 0; i < table_count; i++) {
        for (size_t j = 0; j < tables[i].count; j++) {
            struct hf_option option = hf_options_at(tables[i], j);
            /* The first table is the core's, and keeps its meaning whatever a plugin says. */
            if (option.key && !find(config, option.key))
                config->settings[config->count++].option = option;
        }
    }
}

static void diagnose_unknown(const struct hf_config *config, const struct hf_place *place, const char *key)
{
    const char **known = hf_alloc_array(config->count, sizeof *known);
    hf_auto_text struct hf_text hint = {0};
    size_t count = 0;
    for (size_t i = 0; i < config->count; i++)
        if (!(config->settings[i].option.flags & HF_DEPRECATED))
            known[count++] = config->settings[i].option.key;
    const char *nearest = hf_text_nearest(key, known, count);
    if (nearest) {
        hf_text_addf(&hint, "did you mean '%s'?", nearest);
    } else {
        hf_text_add(&hint, "options here are: ");
        for (size_t i = 0; i < count; i++)
            hf_text_addf(&hint, "%s%s", i ? ", " : "", known[i]);
    }
    free(known);
    hf_diagnose(place->diagnostics, HF_ERROR, place->file, place->line, count ? hint.data : NULL,
                "unknown option '%.80s' in [%s]", key, config->section);
}

/* What a person may not have meant. */
static void warn(const struct hf_place *place, const struct hf_setting *setting)
{
    const struct hf_option *option = &setting->option;
    bool secret = option->flags & HF_SECRET;
    if (option->flags & HF_DEPRECATED)
        hf_diagnose(place->diagnostics, HF_WARNING, place->file, place->line, option->help, "option '%s' is deprecated",
                    option->key);
    if (secret && setting->text && *setting->text && strlen(setting->text) < SECRET_MIN)
        hf_diagnose(place->diagnostics, HF_WARNING, place->file, place->line, NULL,
                    "'%s' is a secret of less than %d bytes, which messages cannot mask", option->key, SECRET_MIN);
    if (!secret && !setting->referenced && setting->text && strstr(setting->text, " #"))
        hf_diagnose(place->diagnostics, HF_WARNING, place->file, place->line,
                    "a comment at the end of a line begins with ' ;', or stands on a line of its own",
                    "the '#' is part of the value of '%s'", option->key);
}

static void set_from_entry(const struct hf_config *config, const struct hf_ini_entry *entry,
                           struct hf_diagnostics *diagnostics)
{
    struct hf_place place = {.file = config->file, .line = entry->line, .diagnostics = diagnostics};
    struct hf_setting *setting = find(config, entry->key);
    if (!setting) {
        diagnose_unknown(config, &place, entry->key);
        return;
    }
    /* Set even when the value turns out wrong, so that it is not called missing as well. */
    setting->line = entry->line;
    hf_auto_free char *text = hf_value_resolve(&place, &setting->option, entry->value, &setting->referenced);
    if (!text)
        return;
    if ((setting->option.flags & HF_REQUIRED) && !*text) {
        hf_diagnose(diagnostics, HF_ERROR, config->file, entry->line, setting->option.help, "'%s' has no value",
                    entry->key);
        return;
    }
    if (!hf_value_set(&place, setting, text))
        return;
    hf_value_protect(setting);
    warn(&place, setting);
}

static void set_default(const struct hf_config *config, struct hf_setting *setting, int section_line,
                        struct hf_diagnostics *diagnostics)
{
    const struct hf_option *option = &setting->option;
    if (option->flags & HF_REQUIRED) {
        hf_diagnose(diagnostics, HF_ERROR, config->file, section_line, option->help, "option '%s' is missing in [%s]",
                    option->key, config->section);
    } else if (option->dflt && *option->dflt) {
        struct hf_place place = {.file = config->file, .line = section_line, .diagnostics = diagnostics};
        if (!hf_value_set(&place, setting, option->dflt))
            hf_diagnose(diagnostics, HF_ERROR, config->file, section_line, NULL,
                        "the plugin's own default of '%s' is wrong", option->key);
    } else if (option->dflt && option->type == HF_STRING) {
        setting->text = hf_strdup("");
    }
}

struct hf_config *hf_config_new(const char *file, const struct hf_ini_section *section, const struct hf_options *tables,
                                size_t table_count, struct hf_diagnostics *diagnostics)
{
    struct hf_config *config = hf_alloc(sizeof *config);
    config->file = hf_strdup(file ? file : "");
    config->section =
        section ? hf_strf("%s%s%s", section->kind, *section->name ? " " : "", section->name) : hf_strdup("defaults");
    collect_options(config, tables, table_count);
    for (size_t i = 0; section && i < section->count; i++)
        set_from_entry(config, &section->entries[i], diagnostics);
    for (size_t i = 0; i < config->count; i++)
        if (!config->settings[i].line)
            set_default(config, &config->settings[i], section ? section->line : 0, diagnostics);
    return config;
}

void hf_config_free(struct hf_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->count; i++) {
        /* A secret is not left lying in memory that others get. */
        if ((config->settings[i].option.flags & HF_SECRET) && config->settings[i].text)
            OPENSSL_cleanse(config->settings[i].text, strlen(config->settings[i].text));
        free(config->settings[i].text);
        hf_strings_clear(&config->settings[i].items);
    }
    free(config->settings);
    free(config->file);
    free(config->section);
    free(config);
}

const struct hf_setting *hf_config_at(const struct hf_config *config, const char *key)
{
    const struct hf_setting *setting = find(config, key);
    assert(setting && "the option must be in the plugin's table");
    return setting;
}

const char *hf_config_text(const struct hf_config *config, const char *key)
{
    return hf_config_at(config, key)->text;
}

int64_t hf_config_number(const struct hf_config *config, const char *key)
{
    return hf_config_at(config, key)->number;
}

const char *hf_option_type_text(uint32_t type)
{
    static const char *const names[] = {
        [HF_STRING] = "string", [HF_INT] = "int",   [HF_BOOL] = "bool", [HF_SIZE] = "size", [HF_DURATION] = "duration",
        [HF_PATH] = "path",     [HF_ENUM] = "enum", [HF_LIST] = "list", [HF_URL] = "url",
    };
    return type < HF_COUNT(names) && names[type] ? names[type] : "unknown";
}
