/* SPDX-License-Identifier: Apache-2.0
 *
 * A server that does everything wrong (tests/tools/s3/misbehaving-s3.py): nothing counts as stored that is not, nothing
 * as read that was not sent, and every call ends.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_host.h"
#include "ls.h"
#include "s3_server.h"
#include "suites.h"

enum { BODY = 300000 };

struct rig {
    struct fake *fake;
    struct hf_config *config;
    const struct hf_plugin *plugin;
    const struct hf_sink *sink;
    struct ls *self;
};

static struct rig rig_new(const char *bucket)
{
    char endpoint[64];
    struct rig rig = {.fake = fake_new(), .plugin = holdfast_module_v1()->plugins[0]};
    void *self = NULL;
    snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d", s3_server_port());
    const char *const pairs[] = {"bucket", bucket,    "endpoint", endpoint,        "access_key", "a", "secret_key",
                                 "s",      "retries", "0",        "stall_timeout", "1s",         NULL};
    ck_assert_int_eq(holdfast_module_v1()->init(fake_host_table()), HF_OK);
    rig.sink = rig.plugin->operations;
    rig.config = fake_config_new(rig.plugin->options, rig.plugin->option_count, pairs);
    ck_assert_int_eq(rig.plugin->open(fake_ctx(rig.fake), rig.config, &self), HF_OK);
    rig.self = self;
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
    static const unsigned char body[BODY];
    FILE *file = tmpfile();
    ck_assert(file && fwrite(body, 1, sizeof(body), file) == sizeof(body));
    int status = ls_store(rig->self, fake_ctx(rig->fake), key, file, sizeof(body), "text/plain");
    fclose(file);
    return status;
}

/* What the server says that it took, it does not have. */
static const struct {
    const char *key;
    int status;
} puts_tried[] = {
    {"early503", HF_E_UNREACHABLE},
    {"early403xml", HF_E_AUTH},
    {"no100", HF_E_UNREACHABLE},
    {"dropmid", HF_E_UNREACHABLE},
    {"e503empty", HF_E_UNREACHABLE},
    {"e500empty", HF_E_UNREACHABLE},
    {"e403empty", HF_E_UNREACHABLE},
    {"e507html", HF_E_UNREACHABLE},
    {"e502html", HF_E_UNREACHABLE},
    {"e503text", HF_E_UNREACHABLE},
    {"e503json", HF_E_UNREACHABLE},
    {"e503xml", HF_E_UNREACHABLE},
    {"newcode", HF_E_IO},
    {"dropafter", HF_E_UNREACHABLE},
    {"stall0", HF_E_UNREACHABLE},
    {"stall", HF_E_UNREACHABLE},
    {"fine", HF_E_UNREACHABLE},
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
} gets_tried[] = {
    {"trunc", HF_E_UNSUPPORTED, 0},    {"rst", HF_E_UNSUPPORTED, 0},
    {"trunchunk", HF_OK, 0}, /* no length, so that libs3 says 0: what the manifest says is another */
    {"lower", HF_E_UNSUPPORTED, 0},    {"e503empty", HF_E_UNREACHABLE, 0},
    {"e502html", HF_E_UNREACHABLE, 0}, {"noresp", HF_E_UNREACHABLE, 0},
    {"redir", HF_E_NOTFOUND, 0},       {"fine", HF_E_NOTFOUND, 0},
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
    ck_assert_msg(got == gets_tried[_i].status, "%s: %lld after %llu bytes: %s", gets_tried[_i].key, (long long)got,
                  (unsigned long long)bytes, fake_error(rig.fake));
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
    put(&rig, "slow");
    ck_assert_msg(!rig.fake->log || !strstr(rig.fake->log, "nothing happened"), "%s", rig.fake->log);
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

Suite *suite_misbehaving(void)
{
    Suite *suite = suite_create("libs3 against a misbehaving server");
    TCase *tests = tcase_create("misbehaving");
    tcase_set_timeout(tests, 60);
    tcase_add_unchecked_fixture(tests, s3_server_start, s3_server_stop);
    tcase_add_loop_test(tests, each_put, 0, (int)(sizeof(puts_tried) / sizeof(*puts_tried)));
    tcase_add_loop_test(tests, each_get, 0, (int)(sizeof(gets_tried) / sizeof(*gets_tried)));
    tcase_add_test(tests, answers_of_somebody_else);
    tcase_add_test(tests, slow_is_not_stalled);
    tcase_add_test(tests, a_stop_is_heeded);
    suite_add_tcase(suite, tests);
    return suite;
}
