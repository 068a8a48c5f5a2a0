/* SPDX-License-Identifier: Apache-2.0
 *
 * A server that does everything wrong (tests/tools/s3/misbehaving-s3.py): nothing counts as stored that is not, nothing
 * as read that was not sent, and every call ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_host.h"
#include "s3.h"
#include "s3_server.h"
#include "suites.h"

enum { BODY = 300000 };

struct rig {
    struct fake *fake;
    struct hf_config *config;
    const struct hf_plugin *plugin;
    const struct hf_sink *sink;
    void *self;
};

static struct rig rig_new(const char *bucket)
{
    char endpoint[64];
    struct rig rig = {.fake = fake_new(), .plugin = holdfast_module_v1()->plugins[0]};
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", s3_server_port());
    const char *const pairs[] = {"bucket", bucket,    "endpoint", endpoint,        "access_key", "a", "secret_key",
                                 "s",      "retries", "1",        "stall_timeout", "1s",         NULL};
    ck_assert_int_eq(holdfast_module_v1()->init(fake_host_table()), HF_OK);
    rig.sink = rig.plugin->operations;
    rig.config = fake_config_new(rig.plugin->options, rig.plugin->option_count, pairs);
    ck_assert_int_eq(rig.plugin->open(fake_ctx(rig.fake), rig.config, &rig.self), HF_OK);
    return rig;
}

static void rig_free(struct rig *rig)
{
    rig->plugin->close(rig->self);
    fake_config_free(rig->config);
    fake_free(rig->fake);
}

static int put(struct rig *rig, const char *key)
{
    static unsigned char body[BODY];
    struct hf_ctx *ctx = fake_ctx(rig->fake);
    struct hf_put_request request = {.size = sizeof(request), .key = key, .media = "text/plain"};
    struct hf_block block = {.size = sizeof(block), .data = body, .used = sizeof(body)};
    void *opened = NULL;
    int status = rig->sink->put_begin(rig->self, ctx, &request, &opened);
    ck_assert_int_eq(status, HF_OK);
    status = rig->sink->put_write(opened, ctx, &block);
    if (status == HF_OK)
        status = rig->sink->put_prepare(opened, ctx);
    if (status == HF_OK)
        status = rig->sink->put_commit(opened, ctx);
    if (status != HF_OK)
        rig->sink->put_abort(opened, ctx);
    return status;
}

/* What the server says that it took, it does not have. */
static const struct {
    const char *key;
    int status;
} puts_tried[] = {
    {"early503", HF_E_UNREACHABLE}, {"early403xml", HF_E_AUTH},      {"no100", HF_E_IO},
    {"dropmid", HF_E_UNREACHABLE},  {"e503empty", HF_E_UNREACHABLE}, {"e500empty", HF_E_UNREACHABLE},
    {"e403empty", HF_E_AUTH},       {"e507html", HF_E_NOSPACE},      {"e502html", HF_E_UNREACHABLE},
    {"e503text", HF_E_UNREACHABLE}, {"e503json", HF_E_UNREACHABLE},  {"e503xml", HF_E_UNREACHABLE},
    {"newcode", HF_E_BUSY},         {"dropafter", HF_E_UNREACHABLE}, {"stall0", HF_E_UNREACHABLE},
    {"stall", HF_E_UNREACHABLE},
};

START_TEST(each_put)
{
    struct rig rig = rig_new("b-1");
    int status = put(&rig, puts_tried[_i].key);
    ck_assert_msg(status == puts_tried[_i].status, "%s: %d: %s", puts_tried[_i].key, status, fake_error(rig.fake));
    ck_assert_str_ne(fake_error(rig.fake), "");
    rig_free(&rig);
}
END_TEST

static const struct {
    const char *key;
    int status; /* of the first call that fails */
    uint64_t bytes;
    int or_else; /* when the connection's end is seen with its beginning */
} gets_tried[] = {
    {"trunc", HF_E_UNSUPPORTED, 500000, 0},
    {"rst", HF_E_UNSUPPORTED, 500000, 0},
    {"trunchunk", HF_E_UNSUPPORTED, 0, HF_E_UNREACHABLE},
    {"lower", HF_OK, 10, 0},
    {"e503empty", HF_E_UNREACHABLE, 0, 0},
    {"e502html", HF_E_UNREACHABLE, 0, 0},
    {"noresp", HF_E_UNREACHABLE, 0, 0},
    {"redir", HF_E_CONFIG, 0, 0},
    {"fine", HF_OK, 5, 0},
};

START_TEST(each_get)
{
    struct rig rig = rig_new("b-1");
    struct hf_ctx *ctx = fake_ctx(rig.fake);
    static unsigned char data[65536];
    uint64_t bytes = 0;
    void *get = NULL;
    int64_t got = rig.sink->get_begin(rig.self, ctx, gets_tried[_i].key, 0, UINT64_MAX, &get);
    while (got >= 0 && (got = rig.sink->get_read(get, ctx, data, sizeof(data))) > 0)
        bytes += (uint64_t)got;
    ck_assert_msg(got == gets_tried[_i].status || (got < 0 && got == gets_tried[_i].or_else), "%s: %lld: %s",
                  gets_tried[_i].key, (long long)got, fake_error(rig.fake));
    ck_assert_uint_le(bytes, gets_tried[_i].bytes);
    if (got == HF_OK)
        ck_assert_uint_eq(bytes, gets_tried[_i].bytes);
    rig.sink->get_end(get);
    rig_free(&rig);
}
END_TEST

static int none(void *arg, const struct hf_object *object)
{
    (void)arg;
    (void)object;
    return HF_OK;
}

START_TEST(answers_of_somebody_else)
{
    struct rig rig = rig_new("b-2");
    struct hf_object object = {.size = sizeof(object)};
    ck_assert_int_eq(rig.sink->list(rig.self, fake_ctx(rig.fake), "x_", none, NULL), HF_E_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(fake_error(rig.fake), "not one of an S3 server"));
    fake_clear(rig.fake);
    ck_assert_int_eq(rig.sink->sweep(rig.self, fake_ctx(rig.fake), "x_", 0), HF_E_UNREACHABLE);
    fake_clear(rig.fake);
    ck_assert_int_eq(rig.sink->check(rig.self, fake_ctx(rig.fake)), HF_E_UNREACHABLE);
    fake_clear(rig.fake);
    ck_assert_int_eq(rig.sink->stat(rig.self, fake_ctx(rig.fake), "noresp", &object), HF_E_UNREACHABLE);
    rig_free(&rig);
}
END_TEST

/* A line so slow that all is in the kernel's buffer long before it is sent has not stalled. */
START_TEST(slow_is_not_stalled)
{
    struct rig rig = rig_new("b-1");
    ck_assert_int_eq(put(&rig, "slow"), HF_E_IO);
    ck_assert_msg(!rig.fake->log || !strstr(rig.fake->log, "trying again"), "%s", rig.fake->log);
    rig_free(&rig);
}
END_TEST

static void *cancel_soon(void *arg)
{
    usleep(300000);
    fake_cancel(arg);
    return NULL;
}

START_TEST(a_stop_is_heeded)
{
    struct rig rig = rig_new("b-1");
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, rig.fake), 0);
    ck_assert_int_eq(put(&rig, "stall0"), HF_E_CANCELLED);
    pthread_join(thread, NULL);
    rig_free(&rig);
}
END_TEST

/* Given up while the server still makes up its mind what to call the upload: it is taken back all the same. */
START_TEST(an_upload_without_a_name_yet)
{
    static unsigned char body[9 << 20];
    struct rig rig = rig_new("b-1");
    struct hf_ctx *ctx = fake_ctx(rig.fake);
    struct hf_put_request request = {.size = sizeof(request), .key = "slowname", .media = "text/plain"};
    struct hf_block block = {.size = sizeof(block), .data = body, .used = sizeof(body)};
    struct hf_object object = {.size = sizeof(object)};
    void *opened = NULL;
    ck_assert_int_eq(rig.sink->put_begin(rig.self, ctx, &request, &opened), HF_OK);
    ck_assert_int_eq(rig.sink->put_write(opened, ctx, &block), HF_OK);
    usleep(200000);
    rig.sink->put_abort(opened, ctx);
    usleep(600000); /* by then it has made it */
    ck_assert_int_eq(rig.sink->stat(rig.self, ctx, "slowname", &object), HF_OK);
    ck_assert_uint_eq(object.bytes, 10);
    rig_free(&rig);
}
END_TEST

/* Also while others wait that fill what there is for them. */
START_TEST(an_empty_object_can_always_wait)
{
    struct rig rig = rig_new("b-1");
    struct s3 *self = rig.self;
    struct hf_ctx *ctx = fake_ctx(rig.fake);
    struct hf_put_request request = {.size = sizeof(request), .key = "empty", .media = "text/plain"};
    void *opened = NULL;
    atomic_store(&self->held, self->part_size + 1);
    ck_assert_int_eq(rig.sink->put_begin(rig.self, ctx, &request, &opened), HF_OK);
    ck_assert_int_eq(rig.sink->put_prepare(opened, ctx), HF_OK);
    rig.sink->put_abort(opened, ctx);
    rig_free(&rig);
}
END_TEST

Suite *suite_misbehaving(void)
{
    Suite *suite = suite_create("s3 against a misbehaving server");
    TCase *tests = tcase_create("misbehaving");
    tcase_set_timeout(tests, 60);
    tcase_add_unchecked_fixture(tests, s3_server_start, s3_server_stop);
    tcase_add_loop_test(tests, each_put, 0, (int)(sizeof(puts_tried) / sizeof(*puts_tried)));
    tcase_add_loop_test(tests, each_get, 0, (int)(sizeof(gets_tried) / sizeof(*gets_tried)));
    tcase_add_test(tests, answers_of_somebody_else);
    tcase_add_test(tests, slow_is_not_stalled);
    tcase_add_test(tests, a_stop_is_heeded);
    tcase_add_test(tests, an_upload_without_a_name_yet);
    tcase_add_test(tests, an_empty_object_can_always_wait);
    suite_add_tcase(suite, tests);
    return suite;
}
