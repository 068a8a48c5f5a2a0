/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/vet.h"

#include "config/profile.h"

#include <string.h>

enum { PLUGINS_MAX = 64, OPTIONS_MAX = 256, STRUCT_MAX = 65536 };

/* What a struct must reach up to, to be of any use: the fields that version 1 began with. */
#define REACHES(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))

/* Copies a struct that begins with its size into a zeroed one of ours. */
static int copy_sized(struct hf_ctx *ctx, const char *what, const void *from, size_t minimum, void *to, size_t room)
{
    uint32_t size;

    if (from == NULL)
        return hf_fail(ctx, HF_E_UNSUPPORTED, "%s is missing", what);
    memcpy(&size, from, sizeof(size));
    if (size < minimum || size > STRUCT_MAX)
        return hf_fail(ctx, HF_E_UNSUPPORTED, "%s has size %u, and must have at least %zu", what, size, minimum);
    memset(to, 0, room);
    memcpy(to, from, size < room ? size : room);
    return HF_OK;
}

int hf_vet_module(struct hf_ctx *ctx, const struct hf_module *module, struct hf_module *ret_module)
{
    struct hf_module copy;
    int rc = copy_sized(ctx, "the module's table", module, REACHES(struct hf_module, init), &copy, sizeof(copy));

    if (rc != HF_OK)
        return rc;
    if (copy.min_host > HF_HOST_VERSION) {
        hf_fail(ctx, HF_E_UNSUPPORTED, "it needs host version %u, and this Holdfast has %u", copy.min_host,
                HF_HOST_VERSION);
        return hf_hint(ctx, "install a newer Holdfast, or an older version of the plugin");
    }
    if (copy.plugins == NULL || copy.plugin_count == 0 || copy.plugin_count > PLUGINS_MAX)
        return hf_fail(ctx, HF_E_UNSUPPORTED, "it lists %zu plugins, and must list 1 to %d", copy.plugin_count,
                       PLUGINS_MAX);
    if (copy.init == NULL)
        return hf_fail(ctx, HF_E_UNSUPPORTED, "it has no init()");
    *ret_module = copy;
    return HF_OK;
}

static bool name_valid(const char *name)
{
    if (name == NULL || *name == '\0' || strlen(name) > HF_NAME_MAX)
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

static int vet_options(struct hf_ctx *ctx, const struct hf_plugin *plugin, struct hf_options *ret_options)
{
    struct hf_options options = {plugin->options, plugin->option_count, plugin->option_stride};

    if (plugin->option_count == 0) {
        *ret_options = (struct hf_options){0};
        return HF_OK;
    }
    if (plugin->options == NULL || plugin->option_count > OPTIONS_MAX ||
        plugin->option_stride < REACHES(struct hf_option, max) || plugin->option_stride > STRUCT_MAX)
        return hf_fail(ctx, HF_E_UNSUPPORTED, "its option table (%zu options, stride %u) cannot be right",
                       plugin->option_count, plugin->option_stride);
    for (size_t i = 0; i < options.count; i++) {
        struct hf_option option = hf_options_at(options, i);

        if (option.key == NULL ||
            strspn(option.key, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(option.key) || *option.key == '\0')
            return hf_fail(ctx, HF_E_UNSUPPORTED, "option %zu of its table has no proper key", i + 1);
        if (option.type < HF_STRING || option.type > HF_URL)
            return hf_fail(ctx, HF_E_UNSUPPORTED, "its option '%s' has type %u, which this Holdfast does not know",
                           option.key, option.type);
        if (option.help == NULL)
            return hf_fail(ctx, HF_E_UNSUPPORTED, "its option '%s' has no help text", option.key);
        if (option.type == HF_ENUM && option.choices == NULL)
            return hf_fail(ctx, HF_E_UNSUPPORTED, "its option '%s' is an enum without choices", option.key);
    }
    *ret_options = options;
    return HF_OK;
}

static int need(struct hf_ctx *ctx, bool there, const char *operation)
{
    return there ? HF_OK : hf_fail(ctx, HF_E_UNSUPPORTED, "it has no %s()", operation);
}

static int vet_source(struct hf_ctx *ctx, const struct hf_source *ops)
{
    bool restores = ops->restore_begin != NULL;
    bool verifies = ops->verify_part != NULL;
    int rc = need(ctx, ops->begin != NULL, "begin");

    if (rc == HF_OK)
        rc = need(ctx, ops->next_part != NULL, "next_part");
    if (rc == HF_OK)
        rc = need(ctx, ops->backup_part != NULL, "backup_part");
    if (rc == HF_OK)
        rc = need(ctx, ops->end != NULL, "end");
    if (rc == HF_OK)
        rc = need(ctx, restores == (ops->restore_part != NULL), restores ? "restore_part" : "restore_begin");
    if (rc == HF_OK)
        rc = need(ctx, restores == (ops->restore_end != NULL), restores ? "restore_end" : "restore_begin");
    if (rc == HF_OK)
        rc = need(ctx, verifies || (ops->verify_begin == NULL && ops->verify_end == NULL), "verify_part");
    if (rc == HF_OK)
        rc = need(ctx, (ops->verify_begin == NULL) == (ops->verify_end == NULL), "verify_begin with a verify_end");
    return rc;
}

static int vet_stage(struct hf_ctx *ctx, const struct hf_stage *ops)
{
    int rc;

    if (ops->suffix == NULL || ops->suffix[0] != '.' || strlen(ops->suffix) > 16)
        return hf_fail(ctx, HF_E_UNSUPPORTED, "its suffix must be a dot and at most 15 more bytes");
    if (ops->block_size < 65536 || ops->block_size > 16u * 1024 * 1024)
        return hf_fail(ctx, HF_E_UNSUPPORTED, "its block size is %zu, and must be 64 KiB to 16 MiB", ops->block_size);
    rc = need(ctx, ops->recognise != NULL, "recognise");
    if (rc == HF_OK)
        rc = need(ctx, ops->block_bound != NULL, "block_bound");
    if (rc == HF_OK)
        rc = need(ctx, ops->encode_chunk != NULL || ops->encode_block != NULL, "encode_block, and no encode_chunk");
    if (rc == HF_OK && ops->encode_chunk == NULL)
        rc = need(ctx, ops->worker_open && ops->worker_close && ops->join, "worker_open, worker_close and join");
    if (rc == HF_OK && ops->encode_chunk != NULL)
        rc = need(ctx, ops->seek_open && ops->seek_range && ops->seek_close, "seek_open, seek_range and seek_close");
    if (rc == HF_OK)
        rc = need(ctx, (ops->key_new == NULL) == (ops->key_public == NULL), "key_new with a key_public");
    if (rc == HF_OK)
        rc = need(ctx, ops->frame_open && ops->header && ops->trailer && ops->frame_close,
                  "frame_open, header, trailer and frame_close");
    if (rc == HF_OK)
        rc = need(ctx, ops->decode_open && ops->step && ops->decode_close, "decode_open, step and decode_close");
    return rc;
}

static int vet_sink(struct hf_ctx *ctx, const struct hf_sink *ops)
{
    int rc = need(ctx, ops->put_begin && ops->put_write && ops->put_commit && ops->put_abort,
                  "put_begin, put_write, put_commit and put_abort");

    if (rc == HF_OK)
        rc = need(ctx, ops->get_begin && ops->get_read && ops->get_end, "get_begin, get_read and get_end");
    if (rc == HF_OK)
        rc = need(ctx, ops->stat && ops->list && ops->remove && ops->sweep, "stat, list, remove and sweep");
    return rc;
}

static int vet_operations(struct hf_ctx *ctx, struct hf_loaded *loaded)
{
    const void *ops = loaded->plugin.operations;
    int rc;

    switch (loaded->plugin.kind) {
    case HF_SOURCE:
        rc = copy_sized(ctx, "its table of operations", ops, REACHES(struct hf_source, audit), &loaded->source,
                        sizeof(loaded->source));
        return rc != HF_OK ? rc : vet_source(ctx, &loaded->source);
    case HF_STAGE:
        rc = copy_sized(ctx, "its table of operations", ops, REACHES(struct hf_stage, decode_close), &loaded->stage,
                        sizeof(loaded->stage));
        return rc != HF_OK ? rc : vet_stage(ctx, &loaded->stage);
    case HF_SINK:
        rc = copy_sized(ctx, "its table of operations", ops, REACHES(struct hf_sink, locate), &loaded->sink,
                        sizeof(loaded->sink));
        return rc != HF_OK ? rc : vet_sink(ctx, &loaded->sink);
    case HF_NOTIFIER:
        rc = copy_sized(ctx, "its table of operations", ops, REACHES(struct hf_notifier, send), &loaded->notifier,
                        sizeof(loaded->notifier));
        return rc != HF_OK ? rc : need(ctx, loaded->notifier.send != NULL, "send");
    default:
        return hf_fail(ctx, HF_E_UNSUPPORTED, "it is of kind %u, which this Holdfast does not know",
                       loaded->plugin.kind);
    }
}

int hf_vet_plugin(struct hf_ctx *ctx, const struct hf_plugin *plugin, struct hf_loaded *ret_loaded)
{
    struct hf_loaded loaded = {0};
    int rc = copy_sized(ctx, "a plugin's table", plugin, REACHES(struct hf_plugin, operations), &loaded.plugin,
                        sizeof(loaded.plugin));

    if (rc != HF_OK)
        return rc;
    if (!name_valid(loaded.plugin.name))
        return hf_fail(ctx, HF_E_UNSUPPORTED, "a plugin's name must be of [a-z0-9-], at most %d bytes", HF_NAME_MAX);
    if (loaded.plugin.caps & HF_CAP_MUST_UNDERSTAND) {
        hf_fail(ctx, HF_E_UNSUPPORTED, "plugin '%s' needs abilities (0x%llx) that this Holdfast does not know",
                loaded.plugin.name, (unsigned long long)(loaded.plugin.caps & HF_CAP_MUST_UNDERSTAND));
        return hf_hint(ctx, "install a newer Holdfast");
    }
    if (loaded.plugin.version == NULL || loaded.plugin.summary == NULL)
        return hf_fail(ctx, HF_E_UNSUPPORTED, "plugin '%s' lacks a version or a summary", loaded.plugin.name);
    if (loaded.plugin.threads > HF_PARALLEL)
        return hf_fail(ctx, HF_E_UNSUPPORTED, "plugin '%s' has thread model %u, which this Holdfast does not know",
                       loaded.plugin.name, loaded.plugin.threads);
    rc = vet_options(ctx, &loaded.plugin, &loaded.options);
    if (rc == HF_OK)
        rc = vet_operations(ctx, &loaded);
    if (rc != HF_OK)
        return hf_wrap(ctx, "plugin '%s'", loaded.plugin.name);
    *ret_loaded = loaded;
    return HF_OK;
}
