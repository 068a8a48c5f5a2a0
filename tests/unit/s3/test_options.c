/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_host.h"
#include "s3.h"
#include "suites.h"

enum { PAIRS_MAX = 24 };

/* Opens an instance with these options; what = NULL: it works, else the failure says so. */
static void with(const char *const *pairs, int status, const char *what, void (*look)(const struct s3 *, const char *),
                 const char *arg)
{
    const struct hf_plugin *plugin = holdfast_module_v1()->plugins[0];
    struct fake *fake = fake_new();
    struct hf_config *config = fake_config_new(plugin->options, plugin->option_count, pairs);
    void *self = NULL;
    ck_assert_int_eq(holdfast_module_v1()->init(fake_host_table()), HF_OK);
    int result = plugin->open(fake_ctx(fake), config, &self);
    ck_assert_msg(result == status, "%d: %s", result, fake_error(fake));
    if (what)
        ck_assert_msg(strstr(fake_error(fake), what) != NULL, "%s", fake_error(fake));
    if (look)
        look(self, arg);
    if (result == HF_OK)
        plugin->close(self);
    fake_config_free(config);
    fake_free(fake);
}

static void same_url(const struct s3 *self, const char *url)
{
    char text[400];
    snprintf(text, sizeof(text), "%s%s", self->origin, self->object_path);
    ck_assert_str_eq(text, url);
    snprintf(text, sizeof(text), "%.*s", (int)(strlen(self->origin) - strlen(self->host)), self->origin);
    ck_assert_msg(strcmp(text, "https://") == 0 || strcmp(text, "http://") == 0, "%s", text);
}

START_TEST(addresses)
{
    unsetenv("AWS_REGION");
    unsetenv("AWS_DEFAULT_REGION");
    setenv("HOME", "/nonexistent", 1);
    with((const char *[]){"bucket", "b-1", NULL}, HF_OK, NULL, same_url, "https://b-1.s3.us-east-1.amazonaws.com/");
    with((const char *[]){"bucket", "b.1", NULL}, HF_OK, NULL, same_url, "https://s3.us-east-1.amazonaws.com/b.1/");
    with((const char *[]){"bucket", "b-1", "region", "cn-north-1", "prefix", "/a/b/", NULL}, HF_OK, NULL, same_url,
         "https://b-1.s3.cn-north-1.amazonaws.com.cn/a/b/");
    with((const char *[]){"bucket", "b-1", "endpoint", "http://localhost:7480", "prefix", "a=b", NULL}, HF_OK, NULL,
         same_url, "http://localhost:7480/b-1/a%3Db/");
    with((const char *[]){"bucket", "b-1", "endpoint", "https://s3.example.org:443/", "style", "virtual", NULL}, HF_OK,
         NULL, same_url, "https://b-1.s3.example.org/");
    with((const char *[]){"bucket", "b-1", "endpoint", "https://example.org/storage/s3/", NULL}, HF_OK, NULL, same_url,
         "https://example.org/storage/s3/b-1/");
    with((const char *[]){"bucket", "b-1", "endpoint", "http://[::1]:80", NULL}, HF_OK, NULL, same_url,
         "http://[::1]/b-1/");
}
END_TEST

static void is_region(const struct s3 *self, const char *region)
{
    ck_assert_str_eq(self->region, region);
}

START_TEST(regions)
{
    setenv("AWS_DEFAULT_REGION", "eu-west-1", 1);
    with((const char *[]){"bucket", "b-1", NULL}, HF_OK, NULL, is_region, "eu-west-1");
    setenv("AWS_REGION", "eu-west-2", 1);
    with((const char *[]){"bucket", "b-1", NULL}, HF_OK, NULL, is_region, "eu-west-2");
    with((const char *[]){"bucket", "b-1", "region", "auto", NULL}, HF_OK, NULL, is_region, "auto");
    unsetenv("AWS_REGION");
    unsetenv("AWS_DEFAULT_REGION");
}
END_TEST

static void has_headers(const struct s3 *self, const char *expected)
{
    char text[400] = "";
    for (unsigned i = 0; i < self->sse_header_count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s: %s\n", self->sse_headers[i].name,
                 self->sse_headers[i].value);
    for (unsigned i = 0; i < self->object_header_count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s: %s\n", self->object_headers[i].name,
                 self->object_headers[i].value);
    ck_assert_str_eq(text, expected);
}

START_TEST(headers)
{
    with((const char *[]){"bucket", "b-1", "storage_class", "STANDARD_IA", "tags", "team=omen \"of=a b&c\"", NULL},
         HF_OK, NULL, has_headers, "x-amz-storage-class: STANDARD_IA\nx-amz-tagging: team=omen&of=a%20b%26c\n");
    with((const char *[]){"bucket", "b-1", "sse", "s3", NULL}, HF_OK, NULL, has_headers,
         "x-amz-server-side-encryption: AES256\n");
    with((const char *[]){"bucket", "b-1", "sse", "kms", "sse_kms_key", "k", NULL}, HF_OK, NULL, has_headers,
         "x-amz-server-side-encryption: aws:kms\nx-amz-server-side-encryption-aws-kms-key-id: k\n");
}
END_TEST

static void has_customer_key(const struct s3 *self, const char *md5)
{
    ck_assert_uint_eq(self->customer_header_count, 3);
    ck_assert_str_eq(self->customer_headers[2].value, md5);
}

START_TEST(customer_key)
{
    static const char key[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    with((const char *[]){"bucket", "b-1", "sse", "customer", "sse_customer_key", key, NULL}, HF_OK, NULL,
         has_customer_key, "tP/LI3N87DFaSk0aoqYgzg==");
    with((const char *[]){"bucket", "b-1", "sse", "customer", NULL}, HF_E_CONFIG, "32 bytes in base64", NULL, NULL);
    with((const char *[]){"bucket", "b-1", "sse", "customer", "sse_customer_key", "c2hvcnQ=", NULL}, HF_E_CONFIG,
         "32 bytes in base64", NULL, NULL);
    with((const char *[]){"bucket", "b-1", "sse_customer_key", key, NULL}, HF_E_CONFIG, "sse = customer", NULL, NULL);
    with((const char *[]){"bucket", "b-1", "endpoint", "http://h", "sse", "customer", "sse_customer_key", key, NULL},
         HF_E_CONFIG, "must be https", NULL, NULL);
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *key, *value, *what;
    } cases[] = {{"endpoint", "ftp://h", "https://HOST"},
                 {"endpoint", "https://user:word@h", "https://HOST"},
                 {"endpoint", "https://h/?x=1", "https://HOST"},
                 {"prefix", "a//b", "single slashes"},
                 {"prefix", "a/../b", "single slashes"},
                 {"prefix", "..", "neither"},
                 {"prefix", "./b", "neither"},
                 {"prefix", "a/..", "neither"},
                 {"prefix", "a b", "single slashes"},
                 {"region", "eu west", "no name of a region"},
                 {"storage_class", "GLACIER", "takes hours"},
                 {"storage_class", "DEEP_ARCHIVE", "takes hours"},
                 {"storage_class", "A\nB: C", "no storage class"},
                 {"tags", "team", "NAME=VALUE"},
                 {"tags", "=x", "NAME=VALUE"},
                 {"tags", "a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 i=1 j=1 k=1", "11 tags"},
                 {"sse_kms_key", "k", "sse = kms"},
                 {"lock_mode", "compliance", "only with lock"},
                 {"access_key", "a", "belong together"},
                 {"secret_key", "s", "belong together"},
                 {"session_token", "t", "needs both"},
                 {"credentials", "options", "needs access_key"},
                 {"proxy", "http://user:word@proxy:3128", "proxy_user"},
                 {"proxy_password", "word", "needs proxy_user"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        with((const char *[]){"bucket", "b-1", cases[i].key, cases[i].value, NULL},
             strcmp(cases[i].what, "takes hours") == 0 ? HF_E_UNSUPPORTED : HF_E_CONFIG, cases[i].what, NULL, NULL);
    static const char *const buckets[] = {"b", "a/b", "-bucket", "a..b", "bucket!", "s3://bucket"};
    for (size_t i = 0; i < sizeof(buckets) / sizeof(*buckets); i++)
        with((const char *[]){"bucket", buckets[i], NULL}, HF_E_CONFIG, "no name of a bucket", NULL, NULL);
    with((const char *[]){"bucket", "b-1", "endpoint", "http://h", "ca_file", "/ca", NULL}, HF_E_CONFIG,
         "https endpoint", NULL, NULL);
    with((const char *[]){"bucket", "b-1", "aws_profile", "p", "access_key", "a", "secret_key", "s", NULL}, HF_E_CONFIG,
         "not both", NULL, NULL);
    with((const char *[]){"bucket", "b-1", "aws_profile", "p", "credentials", "instance", NULL}, HF_E_CONFIG,
         "elsewhere", NULL, NULL);
}
END_TEST

START_TEST(where_objects_are)
{
    const struct hf_plugin *plugin = holdfast_module_v1()->plugins[0];
    const struct hf_sink *sink = plugin->operations;
    struct fake *fake = fake_new();
    struct hf_config *config = fake_config_new(plugin->options, plugin->option_count,
                                               (const char *[]){"bucket", "b-1", "prefix", "x/y", NULL});
    void *self = NULL, *put = NULL;
    char text[100], tiny[6];
    ck_assert_int_eq(holdfast_module_v1()->init(fake_host_table()), HF_OK);
    ck_assert_int_eq(plugin->open(fake_ctx(fake), config, &self), HF_OK);
    sink->locate(self, "k.tar", text, sizeof(text));
    ck_assert_str_eq(text, "s3://b-1/x/y/k.tar");
    sink->locate(self, "k.tar", tiny, sizeof(tiny));
    ck_assert_str_eq(tiny, "s3://");
    struct hf_put_request request = {.size = sizeof(request), .key = "a/b"};
    ck_assert_int_eq(sink->put_begin(self, fake_ctx(fake), &request, &put), HF_E_FAIL);
    plugin->close(self);
    fake_config_free(config);
    fake_free(fake);
}
END_TEST

Suite *suite_options(void)
{
    Suite *suite = suite_create("s3 options");
    TCase *tests = tcase_create("options");
    tcase_add_test(tests, addresses);
    tcase_add_test(tests, regions);
    tcase_add_test(tests, headers);
    tcase_add_test(tests, customer_key);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, where_objects_are);
    suite_add_tcase(suite, tests);
    return suite;
}
