/* SPDX-License-Identifier: Apache-2.0
 *
 * Which plugins there are, and what each can be told.
 */
#include "ops/run.h"

#include <string.h>

static json_t *plugin_json(const struct hf_loaded *loaded)
{
    json_t *json = json_object();

    hf_json_set_text(json, "kind", hf_kind_text(loaded->plugin.kind));
    hf_json_set_text(json, "name", loaded->plugin.name);
    hf_json_set_text(json, "version", loaded->plugin.version);
    hf_json_set_text(json, "summary", loaded->plugin.summary);
    hf_json_set_text(json, "license", loaded->license);
    hf_json_set_text(json, "path", loaded->path);
    return json;
}

static json_t *option_json(const struct hf_option *option)
{
    json_t *json = json_object();

    hf_json_set_text(json, "key", option->key);
    hf_json_set_text(json, "type", hf_option_type_text(option->type));
    if (option->dflt != NULL)
        hf_json_set_text(json, "default", option->dflt);
    if (option->choices != NULL)
        hf_json_set_text(json, "choices", option->choices);
    if (option->min != 0 || option->max != 0) {
        hf_json_set_int(json, "min", option->min);
        hf_json_set_int(json, "max", option->max);
    }
    hf_json_set(json, "required", json_boolean(option->flags & HF_REQUIRED));
    hf_json_set(json, "secret", json_boolean(option->flags & HF_SECRET));
    hf_json_set(json, "deprecated", json_boolean(option->flags & HF_DEPRECATED));
    hf_json_set_text(json, "help", option->help);
    return json;
}

static json_t *info_json(const struct hf_loaded *loaded)
{
    static const char *const threads[] = {"serial", "per instance", "parallel"};
    struct hf_options tables[2] = {hf_core_options(hf_kind_text(loaded->plugin.kind)), loaded->options};
    json_t *json = plugin_json(loaded), *options = json_array();

    hf_json_set_text(json, "description", loaded->plugin.description ? loaded->plugin.description : "");
    hf_json_set_text(json, "threads", threads[loaded->plugin.threads]);
    for (size_t t = 0; t < HF_COUNT(tables); t++)
        for (size_t i = 0; i < tables[t].count; i++) {
            struct hf_option option = hf_options_at(tables[t], i);

            hf_json_append(options, option_json(&option));
        }
    hf_json_set(json, "options", options);
    return json;
}

void hf_op_plugin_list(const struct hf_world *world, struct hf_report *report)
{
    const struct hf_loaded **items = NULL;
    struct hf_ctx ctx = {.cancel = world->cancel};
    json_t *plugins = json_array();
    size_t count = 0;

    hf_report_init(report, NULL);
    (void)hf_loader_all(&ctx, &items, &count);
    for (size_t i = 0; i < count; i++)
        hf_json_append(plugins, plugin_json(items[i]));
    hf_json_set(report->json, "plugins", plugins);
    hf_report_end(report, &ctx, HF_EXIT_OK);
    free(items);
}

/* "source/sqlite" or "sqlite". */
static bool is_named(const struct hf_loaded *loaded, const char *name)
{
    const char *slash = strchr(name, '/');
    hf_auto_free char *kind = slash ? hf_strndup(name, (size_t)(slash - name)) : NULL;

    return strcmp(loaded->plugin.name, slash ? slash + 1 : name) == 0 &&
           (kind == NULL || strcmp(kind, hf_kind_text(loaded->plugin.kind)) == 0);
}

/* Is there a module of that name that could not be loaded? Then the reason is in the ctx. */
static bool why_not(struct hf_ctx *ctx, const char *name)
{
    const char *slash = strchr(name, '/');

    for (uint32_t kind = HF_SOURCE; kind <= HF_NOTIFIER; kind++) {
        const struct hf_loaded *loaded;

        if (slash != NULL && strncmp(name, hf_kind_text(kind), (size_t)(slash - name)) != 0)
            continue;
        if (hf_loader_find(ctx, kind, slash ? slash + 1 : name, &loaded) != HF_E_NOTFOUND)
            return true;
        hf_error_clear(&ctx->error);
    }
    return false;
}

void hf_op_plugin_info(const struct hf_world *world, const char *name, struct hf_report *report)
{
    const struct hf_loaded **items = NULL;
    struct hf_ctx ctx = {.cancel = world->cancel};
    struct hf_strings names = {0};
    json_t *plugins = json_array();
    size_t count = 0;

    hf_report_init(report, NULL);
    (void)hf_loader_all(&ctx, &items, &count);
    for (size_t i = 0; i < count; i++) {
        hf_strings_add(&names, items[i]->plugin.name);
        if (is_named(items[i], name))
            hf_json_append(plugins, info_json(items[i]));
    }
    if (json_array_size(plugins) == 0 && !why_not(&ctx, name)) {
        const char *near = hf_text_nearest(name, (const char *const *)names.items, names.count);

        hf_fail(&ctx, HF_E_NOTFOUND, "there is no plugin '%s'", name);
        if (near != NULL)
            hf_hint(&ctx, "did you mean '%s'?", near);
        else
            hf_hint(&ctx, "see which there are with: holdfast plugin list");
    }
    hf_json_set(report->json, "plugins", plugins);
    hf_report_end(report, &ctx, ctx.error.code ? hf_exit_of_code(ctx.error.code) : HF_EXIT_OK);
    hf_strings_clear(&names);
    free(items);
}
