/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables as hostile, older, newer and careless modules hand them over.
 */
#include "config/profile.h"
#include "plugin/vet.h"
#include "suites.h"
#include <string.h>

static int begin(void *self, struct hf_ctx *ctx, void **ret_session)
{
    (void)self, (void)ctx, (void)ret_session;
    return HF_OK;
}

static int next_part(void *session, struct hf_ctx *ctx, struct hf_part *part)
{
    (void)session, (void)ctx, (void)part;
    return HF_END;
}

static int backup_part(void *session, struct hf_ctx *ctx, const struct hf_part *part, struct hf_writer *writer)
{
    (void)session, (void)ctx, (void)part, (void)writer;
    return HF_OK;
}

static int end(void *session, struct hf_ctx *ctx, int status)
{
    (void)session, (void)ctx;
    return status;
}

static int init(const struct hf_host *host)
{
    (void)host;
    return HF_OK;
}

static struct hf_source source;
static struct hf_option options[2];
static struct hf_plugin plugin;
static struct hf_module module;
static const struct hf_plugin *const plugins[] = {&plugin};

static void set_up(void)
{
    source = (struct hf_source){
        .size = sizeof source, .begin = begin, .next_part = next_part, .backup_part = backup_part, .end = end};
    options[0] = (struct hf_option){.key = "path", .type = HF_PATH, .help = "where it is"};
    options[1] = (struct hf_option){.key = "mode", .type = HF_ENUM, .choices = "a|b", .help = "how"};
    plugin = (struct hf_plugin){.size = sizeof plugin,
                                .kind = HF_SOURCE,
                                .name = "thing",
                                .version = "1",
                                .summary = "a thing",
                                .option_stride = sizeof options[0],
                                .options = options,
                                .option_count = 2,
                                .operations = &source};
    module =
        (struct hf_module){.size = sizeof module, .min_host = 1, .plugins = plugins, .plugin_count = 1, .init = init};
}

static void accepted(void)
{
    struct hf_ctx ctx = {0};
    struct hf_loaded loaded;
    ck_assert_msg(hf_vet_plugin(&ctx, &plugin, &loaded) == HF_OK, "%s", ctx.error.text);
    ck_assert_ptr_eq(loaded.source.begin, begin);
    ck_assert_str_eq(loaded.plugin.name, "thing");
}

/* Refused, with a sentence that holds `part`, and without touching what was asked for. */
static void refused(const char *part)
{
    struct hf_ctx ctx = {0};
    struct hf_loaded loaded, before;
    memset(&loaded, 0x5a, sizeof loaded);
    before = loaded;
    ck_assert_int_eq(hf_vet_plugin(&ctx, &plugin, &loaded), HF_E_UNSUPPORTED);
    ck_assert_msg(strstr(ctx.error.text, part), "'%s' is not in: %s", part, ctx.error.text);
    ck_assert_mem_eq(&loaded, &before, sizeof loaded);
    hf_error_clear(&ctx.error);
}

static void module_refused(const struct hf_module *given, const char *part)
{
    struct hf_ctx ctx = {0};
    struct hf_module copy;
    ck_assert_int_eq(hf_vet_module(&ctx, given, &copy), HF_E_UNSUPPORTED);
    ck_assert_msg(strstr(ctx.error.text, part), "'%s' is not in: %s", part, ctx.error.text);
    hf_error_clear(&ctx.error);
}

START_TEST(modules)
{
    struct hf_ctx ctx = {0};
    struct hf_module copy;
    ck_assert_int_eq(hf_vet_module(&ctx, &module, &copy), HF_OK);
    ck_assert_ptr_eq(copy.init, init);
    module.min_host = HF_HOST_VERSION; /* one that asks for what there is */
    ck_assert_int_eq(hf_vet_module(&ctx, &module, &copy), HF_OK);
    module_refused(NULL, "missing");
    module.size = 8;
    module_refused(&module, "size 8");
    module.size = UINT32_MAX;
    module_refused(&module, "size 4294967295");
    set_up();
    module.min_host = HF_HOST_VERSION + 1;
    module_refused(&module, "it needs host version 3, and this Holdfast has 2");
    set_up();
    module.plugins = NULL;
    module_refused(&module, "plugins");
    set_up();
    module.plugin_count = 0;
    module_refused(&module, "0 plugins");
    module.plugin_count = SIZE_MAX;
    module_refused(&module, "plugins");
    set_up();
    module.init = NULL;
    module_refused(&module, "init");
}
END_TEST

START_TEST(plugins_as_they_should_be)
{
    accepted();
    plugin.options = NULL;
    plugin.option_count = 0;
    plugin.option_stride = 0;
    accepted();
}
END_TEST

/* Built against a later header: fields that we do not know follow, in every table. */
START_TEST(newer_tables)
{
    struct {
        struct hf_plugin old;
        char more[64];
    } wide = {.old = plugin};
    struct {
        struct hf_source old;
        char more[64];
    } wide_source = {.old = source};
    struct wide_option {
        struct hf_option old;
        char more[24];
    } wide_options[2] = {{.old = options[0]}, {.old = options[1]}};
    struct hf_ctx ctx = {0};
    struct hf_loaded loaded;
    memset(wide.more, 0xff, sizeof wide.more);
    memset(wide_source.more, 0xff, sizeof wide_source.more);
    memset(wide_options[0].more, 0xff, sizeof wide_options[0].more);
    wide.old.size = sizeof wide;
    wide.old.operations = &wide_source;
    wide_source.old.size = sizeof wide_source;
    wide.old.options = &wide_options[0].old;
    wide.old.option_stride = sizeof wide_options[0];
    ck_assert_int_eq(hf_vet_plugin(&ctx, &wide.old, &loaded), HF_OK);
    ck_assert_str_eq(hf_options_at(loaded.options, 1).key, "mode");
    ck_assert_ptr_null(loaded.source.restore_begin);
}
END_TEST

START_TEST(sizes_that_cannot_be)
{
    static const uint32_t sizes[] = {0, 4, sizeof(struct hf_plugin) - 1, 65537, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        plugin.size = sizes[i];
        refused("size");
    }
    set_up();
    source.size = offsetof(struct hf_source, ahead) - 1; /* it ended there once */
    refused("table of operations");
    set_up();
    plugin.operations = NULL;
    refused("missing");
}
END_TEST

START_TEST(names)
{
    static const char *const bad[] = {NULL, "", "UPPER", "a b", "a/b", "../x", "a_b", "\x1b[2J"};
    char longest[HF_NAME_MAX + 2];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        plugin.name = bad[i];
        refused("name");
    }
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    plugin.name = longest;
    refused("name");
}
END_TEST

START_TEST(what_it_needs_and_says)
{
    plugin.caps = UINT64_C(1) << 48;
    refused("abilities");
    plugin.caps = UINT64_C(1) << 47; /* may be unknown */
    accepted();
    plugin.threads = HF_PARALLEL + 1;
    refused("thread model");
    set_up();
    plugin.version = NULL;
    refused("version");
    set_up();
    plugin.summary = NULL;
    refused("summary");
    set_up();
    plugin.kind = 0;
    refused("kind 0");
    plugin.kind = HF_NOTIFIER + 1;
    refused("kind");
}
END_TEST

START_TEST(option_tables)
{
    plugin.options = NULL;
    refused("option table");
    set_up();
    plugin.option_stride = sizeof(struct hf_option) - 1;
    refused("option table");
    set_up();
    plugin.option_count = 1000000;
    refused("option table");
    set_up();
    options[1].key = NULL;
    refused("option 2");
    options[1].key = "Mode";
    refused("option 2");
    options[1].key = "";
    refused("option 2");
    set_up();
    options[1].type = 0;
    refused("type 0");
    options[1].type = HF_URL + 1;
    refused("type");
    set_up();
    options[1].help = NULL;
    refused("help");
    set_up();
    options[1].choices = NULL;
    refused("choices");
}
END_TEST

static int restore_begin(void *self, struct hf_ctx *ctx, const struct hf_restore_request *request, void **ret_session)
{
    (void)self, (void)ctx, (void)request, (void)ret_session;
    return HF_OK;
}

START_TEST(operations_that_belong_together)
{
    source.begin = NULL;
    refused("begin()");
    set_up();
    source.end = NULL;
    refused("end()");
    set_up();
    source.restore_begin = restore_begin;
    refused("restore_part()");
    set_up();
    source.verify_end = end;
    refused("verify_part()");
}
END_TEST

/* A table of every kind without any operation. */
START_TEST(empty_tables)
{
    static const struct hf_stage stage = {.size = sizeof stage, .suffix = ".x", .block_size = 65536};
    static const struct hf_stage no_suffix = {.size = sizeof stage, .suffix = "x", .block_size = 65536};
    static const struct hf_stage huge_blocks = {.size = sizeof stage, .suffix = ".x", .block_size = SIZE_MAX};
    static const struct hf_sink sink = {.size = sizeof sink};
    static const struct hf_notifier notifier = {.size = sizeof notifier};
    plugin.kind = HF_STAGE;
    plugin.operations = &stage;
    refused("recognise()");
    plugin.operations = &no_suffix;
    refused("suffix");
    plugin.operations = &huge_blocks;
    refused("block size");
    plugin.kind = HF_SINK;
    plugin.operations = &sink;
    refused("put_begin");
    plugin.kind = HF_NOTIFIER;
    plugin.operations = &notifier;
    refused("send()");
}
END_TEST

static int recognise_nothing(const void *head, size_t size)
{
    (void)head, (void)size;
    return 0;
}

static size_t bound(void *self, size_t size)
{
    (void)self;
    return size;
}

static int encode_chunk(void *frame, struct hf_ctx *call, uint64_t index, int last, const void *in, size_t size, void *out,
                        size_t *out_size)
{
    (void)frame, (void)call, (void)index, (void)last, (void)in, (void)size, (void)out, (void)out_size;
    return HF_OK;
}

static int key_new(struct hf_ctx *call, char **ret_secret, char **ret_public)
{
    (void)call, (void)ret_secret, (void)ret_public;
    return HF_OK;
}

/* What a stage must have depends on its kind. */
START_TEST(two_kinds_of_stages)
{
    struct hf_stage stage = {.size = sizeof stage,
                             .suffix = ".x",
                             .block_size = 65536,
                             .recognise = recognise_nothing,
                             .block_bound = bound};
    plugin.kind = HF_STAGE;
    plugin.operations = &stage;
    refused("it has no encode_block, and no encode_chunk()");
    stage.encode_chunk = encode_chunk;
    refused("seek_open, seek_range and seek_close()");
    stage.size = offsetof(struct hf_stage, encode_chunk); /* as plugins were before there were such */
    refused("it has no encode_block, and no encode_chunk()");
    stage.size = sizeof stage;
    stage.encode_chunk = NULL;
    stage.encode_block =
        (int (*)(void *, struct hf_ctx *, const void *, size_t, void *, size_t *, uint64_t *))(void (*)(void))bound;
    refused("worker_open, worker_close and join()");
    stage.worker_open = (int (*)(void *, struct hf_ctx *, void **))(void (*)(void))bound;
    stage.worker_close = (void (*)(void *))(void (*)(void))bound;
    stage.join = (int (*)(void *, struct hf_ctx *, uint64_t, size_t, size_t))(void (*)(void))bound;
    stage.key_new = key_new;
    refused("key_new with a key_public()");
}
END_TEST

TCase *vet_case(void)
{
    TCase *tests = tcase_create("vet");
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, modules);
    tcase_add_test(tests, plugins_as_they_should_be);
    tcase_add_test(tests, newer_tables);
    tcase_add_test(tests, sizes_that_cannot_be);
    tcase_add_test(tests, names);
    tcase_add_test(tests, what_it_needs_and_says);
    tcase_add_test(tests, option_tables);
    tcase_add_test(tests, operations_that_belong_together);
    tcase_add_test(tests, empty_tables);
    tcase_add_test(tests, two_kinds_of_stages);
    return tests;
}
