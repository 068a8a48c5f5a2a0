/* SPDX-License-Identifier: Apache-2.0
 *
 * Names, options and refusals of the libs3 sink; what it does with a server, the behaviour tests show.
 */
#include <stdlib.h>
#include <string.h>

#include "fake_host.h"
#include "ls.h"
#include "suites.h"

START_TEST(test_names)
{
    static const struct {
        const char *name, *key, *id;
        enum ls_kind kind;
        uint64_t number, bytes;
    } cases[] = {
        {"p_20260201_120000.tar.gz", "p_20260201_120000.tar.gz", "", LS_PLAIN, 0, 0},
        {"p.tar.segment-0123456789ab-000007", "p.tar", "0123456789ab", LS_SEGMENT, 7, 0},
        {"p.tar.segments-0123456789ab-3-157286400", "p.tar", "0123456789ab", LS_INDEX, 3, 157286400},
        {"p.commit.json.claim-0123456789ab-4711", "p.commit.json", "0123456789ab", LS_CLAIM, 4711, 0},
        {"p.claim-0123456789ab-x", "p.claim-0123456789ab-x", NULL, LS_PLAIN, 0, 0},
        {"a.segment-x.segment-0123456789ab-1000000", "a.segment-x", "0123456789ab", LS_SEGMENT, 1000000, 0},
        /* near misses are keys of their own */
        {"p.segment-0123456789aB-000007", "p.segment-0123456789aB-000007", NULL, LS_PLAIN, 0, 0},
        {"p.segment-0123456789a-000007", "p.segment-0123456789a-000007", NULL, LS_PLAIN, 0, 0},
        {"p.segment-0123456789ab-", "p.segment-0123456789ab-", NULL, LS_PLAIN, 0, 0},
        {"p.segment-0123456789ab-7x", "p.segment-0123456789ab-7x", NULL, LS_PLAIN, 0, 0},
        {"p.segments-0123456789ab-3", "p.segments-0123456789ab-3", NULL, LS_PLAIN, 0, 0},
        {"p.segments-0123456789ab-3-", "p.segments-0123456789ab-3-", NULL, LS_PLAIN, 0, 0},
        {"p.segments-0123456789ab-9999999999-1", "p.segments-0123456789ab-9999999999-1", NULL, LS_PLAIN, 0, 0},
        {"p.segments-0123456789ab-1-99999999999999999999999", "p.segments-0123456789ab-1-99999999999999999999999", NULL,
         LS_PLAIN, 0, 0},
        {"", "", NULL, LS_FOREIGN, 0, 0},
        {".hidden", "", NULL, LS_FOREIGN, 0, 0},
        {"with space", "", NULL, LS_FOREIGN, 0, 0},
        {"a/b", "", NULL, LS_FOREIGN, 0, 0},
        {"a+b", "", NULL, LS_FOREIGN, 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct ls_name name;
        ls_name_parse(cases[i].name, &name);
        ck_assert_msg(name.kind == cases[i].kind && !strcmp(name.key, cases[i].key), "%s: %d '%s'", cases[i].name,
                      name.kind, name.key);
        if (cases[i].id && cases[i].kind != LS_PLAIN) {
            ck_assert_str_eq(name.id, cases[i].id);
            ck_assert_uint_eq(name.number, cases[i].number);
            ck_assert_uint_eq(name.bytes, cases[i].bytes);
        }
    }
    char longest[300];
    struct ls_name name;
    memset(longest, 'k', sizeof(longest));
    longest[LS_KEY_MAX + 1] = 0;
    ls_name_parse(longest, &name);
    ck_assert_int_eq(name.kind, LS_FOREIGN);
    longest[LS_KEY_MAX] = 0;
    ls_name_parse(longest, &name);
    ck_assert_int_eq(name.kind, LS_PLAIN);
    /* And there and back. */
    struct ls self = {.prefix = (char *)""};
    char path[LS_PATH_MAX];
    ls_index_path(&self, "k.tar", "0123456789ab", 12, 3456, path);
    ls_name_parse(path, &name);
    ck_assert(name.kind == LS_INDEX && name.number == 12 && name.bytes == 3456 && !strcmp(name.key, "k.tar"));
    ls_segment_path(&self, "k.tar", "0123456789ab", 12, path);
    ck_assert_str_eq(path, "k.tar.segment-0123456789ab-000012");
}
END_TEST

static int open_with(struct fake *fake, const char *key, const char *value, void **ret_self)
{
    const struct hf_plugin *plugin = holdfast_module_v1()->plugins[0];
    static const char *const base[][2] = {
        {"endpoint", "http://localhost:1"}, {"bucket", "backups"}, {"access_key", "a"}, {"secret_key", "s"}};
    const char *pairs[16] = {0};
    size_t count = 0;
    for (size_t i = 0; i < 4; i++)
        if (strcmp(base[i][0], key) != 0) {
            pairs[count++] = base[i][0];
            pairs[count++] = base[i][1];
        }
    pairs[count++] = key;
    pairs[count++] = value;
    struct hf_config *config = fake_config_new(plugin->options, plugin->option_count, pairs);
    int code = plugin->open(fake_ctx(fake), config, ret_self);
    fake_config_free(config);
    return code;
}

START_TEST(test_options)
{
    static const char *const bad[][2] = {{"endpoint", "https://s3.example.org"},
                                         {"endpoint", "ftp://x"},
                                         {"endpoint", "http://"},
                                         {"endpoint", "http://x/path"},
                                         {"endpoint", "http://u@x"},
                                         {"prefix", "/absolute"},
                                         {"prefix", "two//slashes"},
                                         {"prefix", "with space"},
                                         {"prefix", "plus+"},
                                         {"prefix", ".."},
                                         {"prefix", "a/./b"},
                                         {"prefix", "a/../"},
                                         {"bucket", "ab"},
                                         {"bucket", "has spaces in"}};
    struct fake *fake = fake_new();
    void *self = NULL;
    ck_assert_int_eq(holdfast_module_v1()->init(fake_host_table()), HF_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        ck_assert_msg(open_with(fake, bad[i][0], bad[i][1], &self) == HF_E_CONFIG, "%s = %s", bad[i][0], bad[i][1]);
    fake_clear(fake);
    ck_assert_int_eq(open_with(fake, "endpoint", "https://s3.example.org", &self), HF_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "verifies no TLS certificate"));
    ck_assert_int_eq(open_with(fake, "prefix", "omen/prod/", &self), HF_OK);
    const struct ls *ls = self;
    ck_assert_str_eq(ls->prefix, "omen/prod/");
    ck_assert_str_eq(ls->host, "localhost:1");
    holdfast_module_v1()->plugins[0]->close(self);
    fake_free(fake);
}
END_TEST

START_TEST(test_no_server)
{
    const struct hf_sink *ops = holdfast_module_v1()->plugins[0]->operations;
    struct fake *fake = fake_new();
    struct hf_put_request request = {.size = sizeof(request), .key = "a.segment-0123456789ab-000000"};
    struct hf_object object = {.size = sizeof(object)};
    void *self = NULL, *put = NULL;
    ck_assert_int_eq(holdfast_module_v1()->init(fake_host_table()), HF_OK);
    ck_assert_int_eq(open_with(fake, "retries", "0", &self), HF_OK);
    ck_assert_int_eq(ops->put_begin(self, fake_ctx(fake), &request, &put), HF_E_REFUSED);
    ck_assert_int_eq(ops->stat(self, fake_ctx(fake), "a", &object), HF_E_UNREACHABLE);
    fake_cancel(fake);
    ck_assert_int_lt(ops->stat(self, fake_ctx(fake), "a", &object), 0);
    holdfast_module_v1()->plugins[0]->close(self);
    fake_free(fake);
}
END_TEST

START_TEST(test_what_is_tried_again)
{
    ck_assert(ls_retryable(S3StatusInternalError) && ls_retryable(S3StatusConnectionFailed));
    ck_assert(ls_retryable(S3StatusErrorSlowDown) && ls_retryable(S3StatusHttpErrorUnknown));
    ck_assert(!ls_retryable(S3StatusOK) && !ls_retryable(S3StatusErrorAccessDenied));
    ck_assert(!ls_retryable(S3StatusErrorNoSuchBucket) && !ls_retryable(S3StatusErrorSignatureDoesNotMatch));
    ck_assert(ls_is_md5("d41d8cd98f00b204e9800998ecf8427e") && !ls_is_md5("d41d8cd98f00b204e9800998ecf8427e-2"));
    ck_assert(!ls_is_md5("") && !ls_is_md5("x"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("libs3");
    TCase *tcase = tcase_create("sink");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, test_names);
    tcase_add_test(tcase, test_options);
    tcase_add_test(tcase, test_no_server);
    tcase_add_test(tcase, test_what_is_tried_again);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_add_suite(runner, suite_misbehaving());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
