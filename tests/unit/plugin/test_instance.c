/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "memory_sink.h"
#include "pipeline/pull.h"
#include "plugin/host.h"
#include "plugin/instance.h"
#include "suites.h"
#include <string.h>

static struct hf_ctx ctx;

START_TEST(results_are_made_sane)
{
    struct memory_sink sink;
    struct hf_instance *instance = &sink.instance;
    memory_sink_init(&sink, "local");
    hf_instance_enter(instance, &ctx);
    ck_assert_str_eq(ctx.who, instance->who);
    ck_assert_int_eq(hf_instance_leave(instance, &ctx, HF_END), HF_END);
    ck_assert_ptr_null(ctx.who);
    /* A failure without a cause gets one, and says whose it is. */
    hf_instance_enter(instance, &ctx);
    ck_assert_int_eq(hf_instance_leave(instance, &ctx, HF_E_NOSPACE), HF_E_NOSPACE);
    hf_auto_free char *expected = hf_strf("%s: no space left", instance->who);
    ck_assert_str_eq(ctx.error.text, expected);
    hf_error_clear(&ctx.error);
    /* A code of a later version. */
    hf_instance_enter(instance, &ctx);
    ck_assert_int_eq(hf_instance_leave(instance, &ctx, -1000), HF_E_FAIL);
    ck_assert_int_eq(ctx.error.code, HF_E_FAIL);
    hf_error_clear(&ctx.error);
    memory_sink_clear(&sink);
}
END_TEST

/* A call that succeeds after all leaves nothing that a later failure would be told with; what was there before it stays. */
START_TEST(what_a_call_got_over_is_forgotten)
{
    struct memory_sink sink;
    struct hf_instance *instance = &sink.instance;
    memory_sink_init(&sink, "local");
    hf_instance_enter(instance, &ctx);
    hf_fail(&ctx, HF_E_IO, "the first attempt");
    ck_assert_int_eq(hf_instance_leave(instance, &ctx, HF_OK), HF_OK);
    ck_assert_int_eq(ctx.error.code, 0);
    hf_fail(&ctx, HF_E_CORRUPT, "why the run fails");
    hf_instance_enter(instance, &ctx);
    hf_fail(&ctx, HF_E_IO, "in the course of tidying up");
    ck_assert_int_eq(hf_instance_leave(instance, &ctx, HF_OK), HF_OK);
    ck_assert_int_eq(ctx.error.code, HF_E_CORRUPT);
    hf_error_clear(&ctx.error);
    memory_sink_clear(&sink);
}
END_TEST

/* A sink that makes one call at a time, and notices when it does not. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static int overlaps;

static int get_begin(void *self, struct hf_ctx *call, const char *key, uint64_t offset, uint64_t length, void **ret_get)
{
    (void)call, (void)key, (void)offset, (void)length;
    *ret_get = self;
    return HF_OK;
}

static void get_end(void *get)
{
    (void)get;
    if (pthread_mutex_trylock(&gate) == 0) { /* nobody holds it, so other calls could come in */
        overlaps++;
        pthread_mutex_unlock(&gate);
    }
}

START_TEST(the_gate_is_around_calls_without_a_ctx_too)
{
    struct memory_sink sink;
    struct hf_services services;
    struct hf_pull *pull = NULL;
    memory_sink_init(&sink, "local");
    hf_services_init(&services, "/tmp");
    ctx.services = &services;
    sink.loaded.sink.get_begin = get_begin;
    sink.loaded.sink.get_end = get_end;
    sink.instance.gate = &gate;
    ck_assert_int_eq(hf_pull_object(&ctx, &sink.instance, "k", 0, 4, &pull), HF_OK);
    hf_pull_free(pull);
    ck_assert_int_eq(overlaps, 0);
    hf_services_clear(&services);
    ctx.services = NULL;
    memory_sink_clear(&sink);
}
END_TEST

/* A stage that neither takes nor makes anything must not be asked for ever. */
static int open_stuck(void *self, struct hf_ctx *call, int mode, void **ret_stream)
{
    (void)self, (void)call, (void)mode;
    *ret_stream = &overlaps;
    return HF_OK;
}

static int step_stuck(void *stream, struct hf_ctx *call, const void *in, size_t *in_used, void *out, size_t *out_used,
                      int last)
{
    (void)stream, (void)call, (void)in, (void)out, (void)last;
    *in_used = *out_used = 0;
    return HF_OK;
}

static void close_stuck(void *stream)
{
    (void)stream;
}

START_TEST(a_stage_that_is_stuck_fails)
{
    struct hf_loaded loaded = {.stage = {.decode_open = open_stuck, .step = step_stuck, .decode_close = close_stuck}};
    struct hf_instance stage = {.loaded = &loaded, .who = (char *)"stage stuck"};
    struct hf_pull *pull = NULL;
    char room[4];
    ck_assert_int_eq(
        hf_pull_decode(&ctx, &stage, HF_DECODE_BLOCKS, hf_pull_memory("abcd", 4), "something", &pull), HF_OK);
    ck_assert_int_eq(hf_pull_read(pull, &ctx, room, sizeof(room)), HF_E_FAIL); /* and not damage */
    ck_assert_ptr_nonnull(strstr(ctx.error.text, "stage stuck"));
    hf_pull_free(pull);
    hf_error_clear(&ctx.error);
}
END_TEST

START_TEST(kinds)
{
    for (uint32_t kind = HF_SOURCE; kind <= HF_NOTIFIER; kind++)
        ck_assert_uint_eq(hf_kind_parse(hf_kind_text(kind)), kind);
    ck_assert_uint_eq(hf_kind_parse("plugin"), 0);
    ck_assert_uint_eq(hf_kind_parse(""), 0);
    ck_assert_str_eq(hf_kind_text(0), "plugin");
    ck_assert_str_eq(hf_kind_text(UINT32_MAX), "plugin");
}
END_TEST

START_TEST(a_missing_plugin_is_said_with_the_folders)
{
    struct hf_strings folders = {0};
    const struct hf_loaded *loaded = NULL;
    hf_strings_add(&folders, "/nowhere/plugins");
    hf_loader_set_path(&folders);
    ck_assert_int_eq(hf_loader_find(&ctx, HF_SINK, "no-such-thing", &loaded), HF_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(ctx.error.text, "/nowhere/plugins"));
    ck_assert_ptr_null(loaded);
    hf_error_clear(&ctx.error);
    hf_strings_clear(&folders);
}
END_TEST

TCase *instance_case(void)
{
    TCase *tests = tcase_create("instance");
    tcase_set_timeout(tests, 20);
    tcase_add_test(tests, results_are_made_sane);
    tcase_add_test(tests, what_a_call_got_over_is_forgotten);
    tcase_add_test(tests, the_gate_is_around_calls_without_a_ctx_too);
    tcase_add_test(tests, a_stage_that_is_stuck_fails);
    tcase_add_test(tests, kinds);
    tcase_add_test(tests, a_missing_plugin_is_said_with_the_folders);
    return tests;
}
