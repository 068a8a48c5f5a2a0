/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "git_test.h"

struct hf_ctx *sink_ctx(struct sink *sink)
{
    return fake_ctx(sink->fake);
}

struct sink sink_new(const char *const *pairs)
{
    const struct hf_module *module = holdfast_module_v1();
    const struct hf_plugin *plugin = module->plugins[0];
    struct sink sink = {.fake = fake_new(), .ops = plugin->operations, .base = "/tmp/git-sink-XXXXXX"};
    const char *all[16] = {"path", sink.path, "create", "yes"};
    void *self = NULL;
    ck_assert_ptr_nonnull(mkdtemp(sink.base));
    snprintf(sink.path, sizeof(sink.path), "%s/backups.git", sink.base);
    for (size_t i = 0; pairs && pairs[i]; i++)
        all[4 + i] = pairs[i];
    ck_assert_int_eq(module->init(fake_host_table()), HF_OK);
    sink.config = fake_config_new(plugin->options, plugin->option_count, all);
    ck_assert_int_eq(plugin->open(fake_ctx(sink.fake), sink.config, &self), HF_OK);
    sink.self = self;
    return sink;
}

void sink_free(struct sink *sink)
{
    char command[200];
    holdfast_module_v1()->plugins[0]->close(sink->self);
    snprintf(command, sizeof(command), "rm -rf '%s'", sink->base);
    ck_assert_int_eq(system(command), 0);
    fake_config_free(sink->config);
    fake_free(sink->fake);
}

int sink_put(struct sink *sink, const char *key, const void *data, size_t size)
{
    struct hf_put_request request = {.size = sizeof(request), .key = key, .media = "application/gzip"};
    struct hf_block block = {.size = sizeof(block), .data = data, .used = size};
    void *put = NULL;
    int status = sink->ops->put_begin(sink->self, sink_ctx(sink), &request, &put);
    if (status != HF_OK)
        return status;
    status = size > 0 ? sink->ops->put_write(put, sink_ctx(sink), &block) : HF_OK;
    if (status == HF_OK)
        status = sink->ops->put_prepare(put, sink_ctx(sink));
    if (status == HF_OK)
        status = sink->ops->put_commit(put, sink_ctx(sink));
    if (status != HF_OK)
        sink->ops->put_abort(put, sink_ctx(sink));
    return status;
}

int64_t sink_get(struct sink *sink, const char *key, uint64_t offset, uint64_t length, void *data, size_t room)
{
    void *get = NULL;
    int status = sink->ops->get_begin(sink->self, sink_ctx(sink), key, offset, length, &get);
    int64_t total = 0, got = 0;
    if (status != HF_OK)
        return status;
    while ((got = sink->ops->get_read(get, sink_ctx(sink), (char *)data + total, room - (size_t)total)) > 0)
        total += got;
    sink->ops->get_end(get);
    return got < 0 ? got : total;
}

static int add_name(void *arg, const struct hf_object *object)
{
    char *text = arg;
    strcat(strcat(text, object->key), " ");
    return strcmp(object->key, "stop") == 0 ? 7 : 0;
}

START_TEST(test_put_get_list)
{
    static const char *const keys[] = {"p_2.gz", "p_10", "P_3", "a..b", "ends.", "x.lock", "p_1", "..."};
    struct sink sink = sink_new(NULL);
    struct hf_ctx *ctx = sink_ctx(&sink);
    struct hf_object object;
    char text[400] = "", data[64];
    ck_assert_int_eq(sink.ops->list(sink.self, ctx, "", add_name, text), HF_OK);
    ck_assert_int_eq(sink.ops->stat(sink.self, ctx, "p_1", &object), HF_E_NOTFOUND);
    ck_assert_int_eq(access(sink.path, F_OK), -1);
    for (size_t i = 0; i + 1 < sizeof(keys) / sizeof(*keys); i++)
        ck_assert_msg(sink_put(&sink, keys[i], keys[i], strlen(keys[i])) == HF_OK, "%s", fake_error(sink.fake));
    ck_assert_int_eq(sink_put(&sink, "...", "", 0), HF_E_REFUSED);
    ck_assert_int_eq(sink.ops->list(sink.self, ctx, "", add_name, text), HF_OK);
    ck_assert_str_eq(text, "P_3 a..b ends. p_1 p_10 p_2.gz x.lock ");
    *text = 0;
    ck_assert_int_eq(sink.ops->list(sink.self, ctx, "p_1", add_name, text), HF_OK);
    ck_assert_str_eq(text, "p_1 p_10 ");
    ck_assert_int_eq(sink.ops->stat(sink.self, ctx, "a..b", &object), HF_OK);
    ck_assert_uint_eq(object.bytes, 4);
    ck_assert(llabs((long long)object.modified_ms / 1000 - time(NULL)) < 100);
    ck_assert_int_eq(sink_get(&sink, "p_2.gz", 0, UINT64_MAX, data, sizeof(data)), 6);
    ck_assert_mem_eq(data, "p_2.gz", 6);
    ck_assert_int_eq(sink_get(&sink, "p_2.gz", 2, 3, data, sizeof(data)), 3);
    ck_assert_mem_eq(data, "2.g", 3);
    ck_assert_int_eq(sink_get(&sink, "p_2.gz", 6, UINT64_MAX, data, sizeof(data)), 0);
    ck_assert_int_eq(sink_get(&sink, "p_2.gz", 7, UINT64_MAX, data, sizeof(data)), HF_E_CORRUPT);
    ck_assert_int_eq(sink_get(&sink, "p_2.gz", 0, 7, data, sizeof(data)), HF_E_CORRUPT);
    ck_assert_int_eq(sink_get(&sink, "none", 0, 7, data, sizeof(data)), HF_E_NOTFOUND);
    ck_assert_int_eq(sink_put(&sink, "p_1", "other", 5), HF_E_EXISTS);
    ck_assert_int_eq(sink.ops->remove(sink.self, ctx, "p_1"), HF_OK);
    ck_assert_int_eq(sink.ops->remove(sink.self, ctx, "p_1"), HF_OK);
    ck_assert_int_eq(sink.ops->stat(sink.self, ctx, "p_1", &object), HF_E_NOTFOUND);
    ck_assert_int_eq(sink_put(&sink, "empty", "", 0), HF_OK);
    ck_assert_int_eq(sink_get(&sink, "empty", 0, UINT64_MAX, data, sizeof(data)), 0);
    ck_assert_int_eq(sink_put(&sink, "stop", "", 0), HF_OK);
    *text = 0;
    ck_assert_int_eq(sink.ops->list(sink.self, ctx, "s", add_name, text), 7);
    sink_free(&sink);
}
END_TEST

/* Beyond what is kept in memory; loose, and packed. */
START_TEST(test_large)
{
    enum { SIZE = 9 << 20 };
    struct sink sink = sink_new(NULL);
    unsigned char *data = malloc(SIZE), *back = malloc(SIZE);
    char command[200];
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(i * i >> 7);
    ck_assert_int_eq(sink_put(&sink, "large", data, SIZE), HF_OK);
    for (int packed = 0; packed < 2; packed++) {
        ck_assert_int_eq(sink_get(&sink, "large", 0, UINT64_MAX, back, SIZE), SIZE);
        ck_assert_mem_eq(data, back, SIZE);
        ck_assert_int_eq(sink_get(&sink, "large", 5000001, 70000, back, SIZE), 70000);
        ck_assert_mem_eq(data + 5000001, back, 70000);
        gs_blob_release(sink.self->held);
        sink.self->held = NULL;
        snprintf(command, sizeof(command), "git -C '%s' gc -q", sink.path);
        if (!packed && system(command) != 0) {
            fprintf(stderr, "git is not there: reading what it packed is not tried\n");
            break;
        }
    }
    free(data);
    free(back);
    sink_free(&sink);
}
END_TEST

START_TEST(test_limits)
{
    struct sink sink = sink_new((const char *const[]){"max_object", "1M", NULL});
    char *data = calloc(1, (1 << 20) + 1);
    struct hf_put_request request = {.size = sizeof(request), .key = "hinted", .size_hint = (1 << 20) + 1};
    void *put = NULL;
    ck_assert_int_eq(sink_put(&sink, "fits", data, 1 << 20), HF_OK);
    ck_assert_int_eq(sink_put(&sink, "large", data, (1 << 20) + 1), HF_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(fake_error(sink.fake), "max_object"));
    ck_assert_int_eq(sink.ops->put_begin(sink.self, sink_ctx(&sink), &request, &put), HF_E_REFUSED);
    free(data);
    sink_free(&sink);
}
END_TEST

/* Of several at once, each an instance in a process of its own, one wins; and different keys all get in. */
START_TEST(test_race)
{
    enum { RACERS = 4 };
    struct sink sink = sink_new(NULL);
    const struct hf_plugin *plugin = holdfast_module_v1()->plugins[0];
    ck_assert_int_eq(sink_put(&sink, "first", "x", 1), HF_OK);
    for (int round = 0; round < 5; round++) {
        char key[32];
        pid_t children[RACERS];
        int winners = 0;
        snprintf(key, sizeof(key), "round-%d", round);
        for (int i = 0; i < RACERS; i++) {
            children[i] = fork();
            ck_assert_int_ge(children[i], 0);
            if (children[i] == 0) {
                char own[32];
                void *self = NULL;
                snprintf(own, sizeof(own), "own-%d-%d", round, i);
                int code = plugin->open(sink_ctx(&sink), sink.config, &self);
                sink.self = self;
                code = code == HF_OK ? sink_put(&sink, own, "y", 1) : code;
                code = code == HF_OK ? sink_put(&sink, key, "z", 1) : code;
                _exit(-code);
            }
        }
        for (int i = 0; i < RACERS; i++) {
            int status;
            ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
            ck_assert_msg(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == -HF_E_EXISTS),
                          "status %x", status);
            winners += WEXITSTATUS(status) == 0;
        }
        ck_assert_int_eq(winners, 1);
    }
    char text[2000] = "";
    ck_assert_int_eq(sink.ops->list(sink.self, sink_ctx(&sink), "own-", add_name, text), HF_OK);
    ck_assert_uint_eq(strlen(text), 5 * RACERS * strlen("own-0-0 "));
    sink_free(&sink);
}
END_TEST

START_TEST(test_one_run_at_a_time)
{
    struct sink sink = sink_new(NULL);
    const struct hf_plugin *plugin = holdfast_module_v1()->plugins[0];
    void *other = NULL;
    ck_assert_int_eq(sink.ops->sweep(sink.self, sink_ctx(&sink), "p_", 0), HF_OK); /* nothing is there */
    ck_assert_int_eq(sink_put(&sink, "p_1", "x", 1), HF_OK);
    ck_assert_int_eq(sink.ops->sweep(sink.self, sink_ctx(&sink), "p_", 0), HF_ALONE);
    ck_assert_int_eq(plugin->open(sink_ctx(&sink), sink.config, &other), HF_OK);
    ck_assert_int_eq(sink.ops->sweep(other, sink_ctx(&sink), "q_", 0), HF_ALONE);
    ck_assert_int_eq(sink.ops->sweep(other, sink_ctx(&sink), "p_", 0), HF_E_BUSY);
    plugin->close(other);
    sink_free(&sink);
}
END_TEST

START_TEST(test_names)
{
    struct gs_name name;
    char key[GS_KEY_MAX + 1], ref[GS_REF_MAX];
    ck_assert(gs_name_parse("config_20260201_120000.tar.gz", &name));
    ck_assert_str_eq(name.profile, "config");
    ck_assert_str_eq(name.time, "20260201_120000");
    ck_assert_str_eq(name.suffix, ".tar.gz");
    ck_assert_int_eq(gs_name_seconds(&name), 1769947200);
    ck_assert(gs_name_parse("a_b_c_20260201_120000.tar", &name));
    ck_assert_str_eq(name.profile, "a");
    static const char *const none[] = {
        "", "_", "config", "config_20260201", "config_2026020_120000", "20260201_120000", "config_20260201_12000"};
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        ck_assert_msg(!gs_name_parse(none[i], &name), "%s", none[i]);
    /* Refs of a remote are outside input. */
    static const char *const foreign[] = {"refs/holdfast/", "refs/holdfast/a/b", "refs/holdfast/%2Ea%2E",
                                          "refs/holdfast/a%2Eb", "refs/heads/x"};
    ck_assert(gs_ref_key(GS_REFS_OBJECTS, "refs/holdfast/%2Ea", key));
    for (size_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++)
        if (gs_ref_key(GS_REFS_OBJECTS, foreign[i], key)) {
            gs_key_ref(GS_REFS_OBJECTS, key, ref);
            ck_assert_str_eq(ref, foreign[i]);
            ck_assert_str_eq(foreign[i], "refs/holdfast/%2Ea%2E");
        }
    char longest[GS_REF_MAX + 200];
    memset(longest, 'k', sizeof(longest));
    memcpy(longest, GS_REFS_OBJECTS, strlen(GS_REFS_OBJECTS));
    longest[sizeof(longest) - 1] = 0;
    ck_assert(!gs_ref_key(GS_REFS_OBJECTS, longest, key));
    longest[strlen(GS_REFS_OBJECTS) + GS_KEY_MAX + 1] = 0;
    ck_assert(!gs_ref_key(GS_REFS_OBJECTS, longest, key));
    longest[strlen(GS_REFS_OBJECTS) + GS_KEY_MAX] = 0;
    ck_assert(gs_ref_key(GS_REFS_OBJECTS, longest, key));
}
END_TEST

START_TEST(test_bad_options)
{
    static const char *const bad[][2] = {{"author", "me"},         {"author", "<a@b>"},
                                         {"author", "a <b> c"},    {"author", "a <>"},
                                         {"remote", "http://x/y"}, {"remote", "git://x/y"},
                                         {"remote", "/srv/x"},     {"remote", ""},
                                         {"host_key", "MD5:00"},   {"remote", "https://user:secret@host/x.git"}};
    const struct hf_plugin *plugin = holdfast_module_v1()->plugins[0];
    struct fake *fake = fake_new();
    ck_assert_int_eq(holdfast_module_v1()->init(fake_host_table()), HF_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct hf_config *config = fake_config_new(plugin->options, plugin->option_count,
                                                   (const char *const[]){"path", "/tmp/x", bad[i][0], bad[i][1], NULL});
        void *self = NULL;
        fake_clear(fake);
        ck_assert_msg(plugin->open(fake_ctx(fake), config, &self) == HF_E_CONFIG, "%s = %s", bad[i][0], bad[i][1]);
        ck_assert_ptr_null(strstr(fake_error(fake), "secret"));
        fake_config_free(config);
    }
    fake_free(fake);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("git");
    TCase *tcase = tcase_create("sink");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, test_put_get_list);
    tcase_add_test(tcase, test_large);
    tcase_add_test(tcase, test_limits);
    tcase_add_test(tcase, test_race);
    tcase_add_test(tcase, test_one_run_at_a_time);
    tcase_add_test(tcase, test_names);
    tcase_add_test(tcase, test_bad_options);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, tree_cases());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
