/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/instance.h"

#include "base/log.h"
#include "base/time.h"

#include <string.h>

static struct hf_instance *make(const struct hf_loaded *loaded, struct hf_config *config, const char *name)
{
    struct hf_instance *instance = hf_alloc(sizeof(*instance));

    instance->loaded = loaded;
    instance->config = config;
    instance->name = hf_strdup(name);
    instance->who = hf_strf("%s %s", hf_kind_text(loaded->plugin.kind), *name ? name : loaded->plugin.name);
    instance->required = true;
    pthread_mutex_init(&instance->own_lock, NULL);
    if (loaded->plugin.threads == HF_SERIAL)
        instance->gate = loaded->module_lock;
    else if (loaded->plugin.threads == HF_PER_INSTANCE)
        instance->gate = &instance->own_lock;
    return instance;
}

static int plugin_line(const struct hf_ini_section *ini)
{
    for (size_t i = 0; i < ini->count; i++)
        if (strcmp(ini->entries[i].key, "plugin") == 0)
            return ini->entries[i].line;
    return ini->line;
}

struct hf_instance *hf_instance_new(struct hf_ctx *ctx, const struct hf_profile *profile,
                                    const struct hf_plugin_section *section, struct hf_diagnostics *diagnostics)
{
    const struct hf_loaded *loaded;
    struct hf_options tables[2];
    struct hf_instance *instance;
    struct hf_config *config;
    size_t errors = diagnostics->errors;

    if (section->ini == NULL || section->plugin == NULL)
        return NULL; /* diagnosed when the profile was read */
    if (hf_loader_find(ctx, section->kind, section->plugin, &loaded) != HF_OK) {
        hf_diagnose(diagnostics, HF_ERROR, profile->path, plugin_line(section->ini), ctx->error.hint, "%s",
                    ctx->error.text);
        hf_error_clear(&ctx->error);
        return NULL;
    }
    tables[0] = hf_core_options(hf_kind_text(section->kind));
    tables[1] = loaded->options;
    config = hf_config_new(profile->path, section->ini, tables, HF_COUNT(tables), diagnostics);
    if (diagnostics->errors != errors) {
        hf_config_free(config);
        return NULL;
    }
    instance = make(loaded, config, section->name);
    if (section->kind == HF_SINK) {
        instance->required = hf_sink_required(profile, config);
        instance->timeout_ms = instance->required ? 0 : hf_config_number(config, "timeout");
    }
    return instance;
}

/* A section that sets each required option that has no default to `fill`. */
static struct hf_ini_section section_of_required(const struct hf_options *tables, size_t count, const char *plugin,
                                                 const char *fill)
{
    struct hf_ini_section section = {.kind = (char *)"", .name = (char *)""};

    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < tables[t].count; i++) {
            struct hf_option option = hf_options_at(tables[t], i);
            bool names_plugin = strcmp(option.key, "plugin") == 0;

            if (!names_plugin && (!(option.flags & HF_REQUIRED) || fill == NULL))
                continue;
            section.entries = hf_realloc_array(section.entries, section.count + 1, sizeof(*section.entries));
            section.entries[section.count++] = (struct hf_ini_entry){
                .key = (char *)option.key, .value = (char *)(names_plugin ? plugin : fill), .line = 1};
        }
    return section;
}

int hf_instance_default(struct hf_ctx *ctx, uint32_t kind, const char *plugin, const char *fill,
                        struct hf_instance **ret_instance)
{
    struct hf_diagnostics diagnostics = {0};
    const struct hf_loaded *loaded;
    struct hf_options tables[2];
    struct hf_ini_section section;
    struct hf_config *config;
    int rc = hf_loader_find(ctx, kind, plugin, &loaded);

    if (rc != HF_OK)
        return rc;
    tables[0] = hf_core_options(hf_kind_text(kind));
    tables[1] = loaded->options;
    section = section_of_required(tables, HF_COUNT(tables), plugin, fill);
    config = hf_config_new("", &section, tables, HF_COUNT(tables), &diagnostics);
    if (diagnostics.errors > 0) {
        rc = hf_fail(ctx, HF_E_CONFIG, "%s plugin '%s' outside of a profile: %s", hf_kind_text(kind), plugin,
                     diagnostics.items[0].text);
        hf_config_free(config);
    } else {
        *ret_instance = make(loaded, config, "");
        rc = hf_instance_open(*ret_instance, ctx);
        if (rc != HF_OK)
            hf_instance_free(hf_steal(*ret_instance));
    }
    hf_diagnostics_clear(&diagnostics);
    free(section.entries);
    return rc;
}

int hf_instance_open(struct hf_instance *instance, struct hf_ctx *ctx)
{
    int rc = HF_OK;

    if (instance->loaded->plugin.open != NULL) {
        hf_instance_enter(instance, ctx);
        rc = hf_instance_leave(instance, ctx, instance->loaded->plugin.open(ctx, instance->config, &instance->self));
    }
    return rc;
}

void hf_instance_free(struct hf_instance *instance)
{
    if (instance == NULL)
        return;
    if (atomic_load(&instance->lost)) {
        hf_keep(instance);
        return;
    }
    if (instance->self != NULL && instance->loaded->plugin.close != NULL)
        instance->loaded->plugin.close(instance->self);
    pthread_mutex_destroy(&instance->own_lock);
    hf_config_free(instance->config);
    free(instance->name);
    free(instance->who);
    hf_error_clear(&instance->away);
    free(instance->unswept);
    free(instance->writer);
    free(instance);
}

static void moved(struct hf_instance *instance, int calls)
{
    atomic_store(&instance->moved_ms, hf_time_steady_ms());
    atomic_fetch_add(&instance->calls, calls);
}

bool hf_instance_stalled(const struct hf_instance *instance)
{
    return instance->timeout_ms > 0 && atomic_load(&instance->calls) > 0 &&
           hf_time_steady_ms() - atomic_load(&instance->moved_ms) > instance->timeout_ms;
}

int hf_instance_fail_stalled(const struct hf_instance *instance, struct hf_ctx *ctx)
{
    char time[24];

    hf_fail(ctx, HF_E_UNREACHABLE, "%s: no answer for %s", instance->who, hf_duration_text(instance->timeout_ms, time));
    return hf_hint(ctx, "if it may take so long, set timeout in [sink %s]", instance->name);
}

void hf_instance_hold(struct hf_instance *instance)
{
    moved(instance, 1);
    if (instance->gate != NULL)
        pthread_mutex_lock(instance->gate);
}

void hf_instance_release(struct hf_instance *instance)
{
    if (instance->gate != NULL)
        pthread_mutex_unlock(instance->gate);
    moved(instance, -1);
}

void hf_instance_enter(struct hf_instance *instance, struct hf_ctx *ctx)
{
    hf_instance_hold(instance);
    ctx->who = instance->who;
    ctx->failed_before = ctx->error.code != 0;
}

int hf_instance_leave(struct hf_instance *instance, struct hf_ctx *ctx, int result)
{
    hf_instance_release(instance);
    ctx->who = NULL;
    if (result >= 0 && !ctx->failed_before)
        hf_error_clear(&ctx->error); /* what it got over */
    if (result >= 0)
        return result;
    if (result < HF_E_REFUSED)
        result = HF_E_FAIL;
    if (ctx->error.code == 0)
        hf_fail(ctx, result, "%s", hf_code_text(result));
    hf_wrap(ctx, "%s", instance->who);
    return result;
}

void hf_instance_set_away(struct hf_instance *instance, const struct hf_ctx *ctx)
{
    if (instance->required || instance->away.code != 0 || ctx->error.code == 0)
        return;
    instance->away.code = ctx->error.code;
    instance->away.text = hf_strdup(ctx->error.text);
    instance->away.hint = ctx->error.hint ? hf_strdup(ctx->error.hint) : NULL;
}

int hf_instance_check(const struct hf_instance *instance, struct hf_ctx *ctx)
{
    if (instance->away.code != 0) {
        hf_fail(ctx, instance->away.code, "%s", instance->away.text);
        return instance->away.hint ? hf_hint(ctx, "%s", instance->away.hint) : ctx->error.code;
    }
    return atomic_load(&instance->given_up) ? hf_instance_fail_stalled(instance, ctx) : HF_OK;
}
