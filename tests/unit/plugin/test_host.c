/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "plugin/host.h"
#include "suites.h"
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

static struct hf_services services;
static struct hf_cancel cancel;
static struct hf_ctx ctx;
static const struct hf_host *host;

static void set_up(void)
{
    hf_services_init(&services, "/tmp");
    ctx = (struct hf_ctx){.services = &services, .cancel = &cancel};
    ck_assert_int_eq(hf_cancel_init(&cancel, &ctx), HF_OK);
    host = hf_host_table();
}

static void tear_down(void)
{
    hf_error_clear(&ctx.error);
    hf_services_clear(&services);
    hf_cancel_clear(&cancel);
}

static void record_refused(const char *key, const char *json)
{
    ck_assert_int_eq(host->fact(&ctx, key, json), HF_E_FAIL);
    ck_assert_int_eq(ctx.error.code, HF_E_FAIL);
    hf_error_clear(&ctx.error);
}

START_TEST(table_is_whole)
{
    const char *const *function = (const char *const *)((const char *)host + offsetof(struct hf_host, log));
    ck_assert_uint_eq(host->size, sizeof(struct hf_host));
    ck_assert_uint_eq(host->version, HF_HOST_VERSION);
    for (; (const char *)function < (const char *)host + sizeof *host; function++)
        ck_assert_ptr_nonnull(*function);
}
END_TEST

START_TEST(the_first_cause_wins)
{
    ck_assert_int_eq((host->fail)(&ctx, HF_E_IO, "read '%s'", "x"), HF_E_IO);
    ck_assert_int_eq((host->fail)(&ctx, HF_E_AUTH, "copy"), HF_E_AUTH);
    ck_assert_int_eq(host->hint(&ctx, "look"), HF_E_IO);
    ck_assert_str_eq(ctx.error.text, "copy: read 'x'");
    hf_error_clear(&ctx.error);
    ck_assert_int_eq((host->fail)(&ctx, 5, "no code at all"), HF_E_FAIL);
}
END_TEST

START_TEST(facts)
{
    char key[202];
    ck_assert_int_eq(host->fact(&ctx, "rows", "{\"signals\": 5}"), HF_OK);
    ck_assert_int_eq(host->context(&ctx, "rows", "\"elsewhere\""), HF_OK); /* a name of its own */
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(services.facts, "rows"), "signals")), 5);
    record_refused("rows", "1"); /* twice */
    record_refused("bad", "{");
    record_refused("bad", "");
    record_refused("bad", NULL);
    record_refused("bad", "{\"a\":1,\"a\":2}");
    record_refused(NULL, "1");
    record_refused("", "1");
    record_refused("not \xff UTF-8", "1");
    memset(key, 'k', sizeof key);
    key[201] = '\0';
    record_refused(key, "1");
    key[200] = '\0';
    ck_assert_int_eq(host->fact(&ctx, key, "1"), HF_OK);
}
END_TEST

START_TEST(recorded_values)
{
    json_error_t error;
    hf_auto_json json_t *recorded = json_loads("{\"rows\": {\"b\": 1, \"a\": [true]}, \"none\": null}", 0, &error);
    ck_assert_ptr_null(host->get_fact(&ctx, "rows"));
    services.recorded_facts = recorded;
    const char *first = host->get_fact(&ctx, "rows");
    ck_assert_str_eq(first, "{\"a\":[true],\"b\":1}");
    ck_assert_str_eq(host->get_fact(&ctx, "none"), "null");
    ck_assert_ptr_null(host->get_fact(&ctx, "missing"));
    ck_assert_ptr_null(host->get_fact(&ctx, "\xff"));
    ck_assert_ptr_null(host->get_context(&ctx, "rows"));
    ck_assert_ptr_eq(host->get_fact(&ctx, "rows"), first);
}
END_TEST

/* What is no text must stay JSON, even when a secret looks like a number. */
START_TEST(secrets_are_masked)
{
    host->redact(&ctx, "4711");
    host->redact(&ctx, "correct-horse");
    ck_assert_int_eq(host->fact(&ctx, "f", "{\"bytes\": 147110, \"by\": [\"with correct-horse\"]}"), HF_OK);
    hf_auto_free char *text = json_dumps(services.facts, JSON_COMPACT | JSON_SORT_KEYS);
    ck_assert_str_eq(text, "{\"f\":{\"by\":[\"with ***\"],\"bytes\":147110}}");
    host->finding(&ctx, HF_INFO, "code", "correct-horse", "its token is %s", "correct-horse");
    ck_assert_str_eq(services.findings[0].subject, "***");
    ck_assert_str_eq(services.findings[0].text, "its token is ***");
}
END_TEST

START_TEST(findings_are_bounded)
{
    for (int i = 0; i < HF_FINDINGS_MAX + 5; i++)
        host->finding(&ctx, HF_WARNING, NULL, NULL, "number %d", i);
    host->finding(&ctx, 77, "odd", "x", "of a severity that does not exist");
    ck_assert_uint_eq(services.finding_count, HF_FINDINGS_MAX);
    ck_assert_uint_eq(services.findings_dropped, 6);
    ck_assert_uint_eq(services.severity_counts[HF_WARNING], HF_FINDINGS_MAX + 5);
    ck_assert_uint_eq(services.severity_counts[HF_ERROR], 1); /* rather too loud than unheard */
}
END_TEST

static void *raise_soon(void *arg)
{
    poll(NULL, 0, 30);
    hf_cancel_raise(arg, HF_CANCEL_FAILURE);
    return NULL;
}

START_TEST(sleeping_and_stopping)
{
    struct pollfd wake = {.fd = host->cancel_fd(&ctx), .events = POLLIN};
    pthread_t thread;
    int64_t start = hf_time_steady_ms();
    ck_assert_int_eq(host->cancelled(&ctx), 0);
    ck_assert_int_eq(host->sleep_ms(&ctx, -5), HF_OK);
    ck_assert_int_eq(host->sleep_ms(&ctx, 5), HF_OK);
    ck_assert_int_eq(poll(&wake, 1, 0), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, raise_soon, &cancel), 0);
    ck_assert_int_eq(host->sleep_ms(&ctx, INT64_C(3600000)), HF_E_CANCELLED);
    pthread_join(thread, NULL);
    ck_assert_int_lt(hf_time_steady_ms() - start, 5000);
    ck_assert_int_eq(host->cancelled(&ctx), 1);
    ck_assert_int_eq(poll(&wake, 1, 0), 1);
}
END_TEST

START_TEST(tempdir_is_made_once_and_goes)
{
    struct stat status;
    const char *first = host->tempdir(&ctx);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_eq(host->tempdir(&ctx), first);
    hf_auto_free char *path = hf_strdup(first);
    hf_services_clear(&services);
    ck_assert_int_ne(stat(path, &status), 0);
    hf_services_init(&services, "/nowhere/at/all");
    ck_assert_ptr_null(host->tempdir(&ctx));
    ck_assert_int_eq(ctx.error.code, HF_E_NOTFOUND);
}
END_TEST

TCase *host_case(void)
{
    TCase *tests = tcase_create("host");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, table_is_whole);
    tcase_add_test(tests, the_first_cause_wins);
    tcase_add_test(tests, facts);
    tcase_add_test(tests, recorded_values);
    tcase_add_test(tests, secrets_are_masked);
    tcase_add_test(tests, findings_are_bounded);
    tcase_add_test(tests, sleeping_and_stopping);
    tcase_add_test(tests, tempdir_is_made_once_and_goes);
    return tests;
}
