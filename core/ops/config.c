/* SPDX-License-Identifier: Apache-2.0
 *
 * Configuration as the program sees it: validate and show.
 */
#include "ops/seal.h"

#include <string.h>

static void add_diagnostics(json_t *array, const struct hf_diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct hf_diagnostic *item = &diagnostics->items[i];
        json_t *json = json_object();

        hf_json_set_text(json, "severity", item->severity == HF_ERROR ? "error" : "warning");
        hf_json_set_text(json, "file", item->file);
        hf_json_set_int(json, "line", item->line);
        hf_json_set_text(json, "text", item->text);
        if (item->hint != NULL)
            hf_json_set_text(json, "hint", item->hint);
        hf_json_append(array, json);
    }
}

/* One section against its plugin's table; what is wrong goes to `diagnostics`. */
static void try_section(struct hf_profile *profile, const struct hf_plugin_section *section,
                        struct hf_diagnostics *diagnostics)
{
    struct hf_ctx ctx = {0};
    struct hf_instance *instance = hf_instance_new(&ctx, profile, section, diagnostics);

    if (instance != NULL && hf_instance_open(instance, &ctx) != HF_OK)
        hf_diagnose(diagnostics, HF_ERROR, profile->path, section->ini->line, ctx.error.hint, "%s", ctx.error.text);
    hf_error_clear(&ctx.error);
    hf_instance_free(instance);
}

/* The stages, each and together. */
static void try_stages(struct hf_profile *profile, struct hf_diagnostics *diagnostics)
{
    struct hf_ctx ctx = {0};
    struct hf_chain stages = {0};
    bool in_order = true;
    int seal;

    for (size_t i = 0; i < profile->stage_count; i++) {
        const struct hf_plugin_section *section = &profile->stages[i];
        struct hf_instance *stage = hf_instance_new(&ctx, profile, section, diagnostics);
        int rc;

        if (stage == NULL)
            continue;
        hf_chain_add(&stages, stage, true);
        rc = hf_instance_open(stage, &ctx);
        if (rc == HF_OK && in_order) { /* said once */
            rc = hf_chain_check(&ctx, &stages);
            if (rc == HF_OK)
                rc = hf_seal_choose(&ctx, &stages, &seal);
            in_order = rc == HF_OK;
        }
        if (rc != HF_OK)
            hf_diagnose(diagnostics, HF_ERROR, profile->path, section->ini->line, ctx.error.hint, "%s", ctx.error.text);
        hf_error_clear(&ctx.error);
    }
    hf_chain_clear(&stages);
}

static void validate_profile(struct hf_profile *profile)
{
    try_section(profile, &profile->source, &profile->diagnostics);
    try_stages(profile, &profile->diagnostics);
    for (size_t i = 0; i < profile->sink_count; i++)
        try_section(profile, &profile->sinks[i], &profile->diagnostics);
    hf_diagnostics_sort(&profile->diagnostics);
}

size_t hf_op_validate(const struct hf_world *world, struct hf_report *report)
{
    const struct hf_settings *settings = world->settings;
    size_t errors = settings->diagnostics.errors;
    json_t *files = json_array(), *diagnostics = json_array();
    struct hf_ctx ctx = {0};

    hf_report_init(report, NULL);
    hf_json_set_text(report->json, "folder", settings->folder);
    add_diagnostics(diagnostics, &settings->diagnostics);
    for (size_t i = 0; i < settings->profile_count; i++) {
        struct hf_profile *profile = settings->profiles[i];
        json_t *file = json_object();

        validate_profile(profile);
        errors += profile->diagnostics.errors;
        hf_json_set_text(file, "path", profile->path);
        hf_json_set_text(file, "profile", profile->name);
        hf_json_set(file, "valid", json_boolean(profile->diagnostics.errors == 0));
        hf_json_append(files, file);
        add_diagnostics(diagnostics, &profile->diagnostics);
    }
    hf_json_set(report->json, "files", files);
    hf_json_set(report->json, "diagnostics", diagnostics);
    hf_report_end(report, &ctx, errors > 0 ? HF_EXIT_USAGE : HF_EXIT_OK);
    return errors;
}

static json_t *config_json(const struct hf_config *config, const char *plugin)
{
    json_t *json = json_object(), *options = json_array();

    hf_json_set_text(json, "section", config->section);
    if (plugin != NULL)
        hf_json_set_text(json, "plugin", plugin);
    for (size_t i = 0; i < config->count; i++) {
        const struct hf_setting *setting = &config->settings[i];
        bool secret = setting->option.flags & HF_SECRET;
        hf_auto_free char *origin = setting->line ? hf_strf("%s:%d", config->file, setting->line) : hf_strdup("default");
        json_t *item = json_object();

        hf_json_set_text(item, "key", setting->option.key);
        hf_json_set_text(item, "value", secret && setting->text ? "***" : setting->text);
        hf_json_set_text(item, "origin", origin);
        hf_json_set(item, "secret", json_boolean(secret));
        hf_json_append(options, item);
    }
    hf_json_set(json, "options", options);
    return json;
}

static void show_section(json_t *sections, struct hf_profile *profile, const struct hf_plugin_section *section,
                         struct hf_diagnostics *diagnostics)
{
    struct hf_ctx ctx = {0};
    struct hf_instance *instance = hf_instance_new(&ctx, profile, section, diagnostics);

    if (instance != NULL)
        hf_json_append(sections, config_json(instance->config, section->plugin));
    hf_error_clear(&ctx.error);
    hf_instance_free(instance);
}

void hf_op_config_show(const struct hf_world *world, struct hf_profile *profile, struct hf_report *report)
{
    struct hf_diagnostics diagnostics = {0};
    struct hf_ctx ctx = {0};
    json_t *sections = json_array();

    (void)world;
    hf_report_init(report, profile->name);
    hf_json_set_text(report->json, "path", profile->path);
    hf_json_append(sections, config_json(profile->profile, NULL));
    show_section(sections, profile, &profile->source, &diagnostics);
    for (size_t i = 0; i < profile->stage_count; i++)
        show_section(sections, profile, &profile->stages[i], &diagnostics);
    for (size_t i = 0; i < profile->sink_count; i++)
        show_section(sections, profile, &profile->sinks[i], &diagnostics);
    hf_json_append(sections, config_json(profile->retention_config, NULL));
    for (size_t i = 0; i < profile->sink_retention_count; i++)
        hf_json_append(sections, config_json(profile->sink_retentions[i].config, NULL));
    hf_json_append(sections, config_json(profile->verify, NULL));
    hf_json_set(report->json, "sections", sections);
    if (diagnostics.errors + profile->diagnostics.errors > 0)
        hf_fail(&ctx, HF_E_CONFIG, "profile '%s' is not valid: see holdfast config validate", profile->name);
    hf_report_end(report, &ctx, ctx.error.code ? HF_EXIT_USAGE : HF_EXIT_OK);
    hf_diagnostics_clear(&diagnostics);
}
