/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/text.h"
#include "suites.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char seen[4096];
static int kept_stderr;
static FILE *capture;

static void set_up(void)
{
    capture = tmpfile();
    ck_assert_ptr_nonnull(capture);
    kept_stderr = dup(STDERR_FILENO);
    dup2(fileno(capture), STDERR_FILENO);
}

static const char *captured(void)
{
    ssize_t got = pread(fileno(capture), seen, sizeof seen - 1, 0);
    seen[got > 0 ? got : 0] = '\0';
    return seen;
}

static void tear_down(void)
{
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    fclose(capture);
}

START_TEST(lines)
{
    hf_log(HF_LOG_DEBUG, NULL, "not seen");
    hf_log(HF_LOG_INFO, NULL, "hello");
    hf_log(HF_LOG_WARNING, "source sqlite", "odd '%s'", "x\x1b[2J\r");
    hf_log(HF_LOG_ERROR, "", "two\nlines\n\n");
    hf_log_set_level(HF_LOG_ERROR);
    hf_log(HF_LOG_WARNING, NULL, "not seen");
    ck_assert_str_eq(captured(), "holdfast: hello\n"
                                 "holdfast: warning: source sqlite: odd 'x\\x1b[2J\\x0d'\n"
                                 "holdfast: error: two\n    lines\n");
}
END_TEST

START_TEST(secrets_masked)
{
    char *text = hf_redacted("nothing to hide");
    ck_assert_str_eq(text, "nothing to hide");
    free(text);
    hf_redact_add("abc");
    hf_redact_add(NULL);
    hf_redact_add("");
    hf_redact_add("hunter2");
    hf_redact_add("hunter2-and-more");
    hf_redact_add("hunter2");
    text = hf_redacted("abc hunter2, hunter2-and-more hunter2hunter2 hunter");
    ck_assert_str_eq(text, "abc ***, *** ****** hunter");
    free(text);
    ck_assert_ptr_null(hf_redacted(NULL));
    hf_log(HF_LOG_ERROR, "sink", "password hunter%d refused", 2);
    ck_assert_str_eq(captured(), "holdfast: error: sink: password *** refused\n");
}
END_TEST

static void count_call(void *arg)
{
    ++*(int *)arg;
}

START_TEST(guard)
{
    int calls = 0;
    hf_log_set_guard(count_call, count_call, &calls);
    hf_log(HF_LOG_INFO, NULL, "x");
    hf_log(HF_LOG_DEBUG, NULL, "x");
    hf_log_set_guard(NULL, NULL, NULL);
    hf_log(HF_LOG_INFO, NULL, "x");
    ck_assert_int_eq(calls, 2);
}
END_TEST

static void *mask_and_add(void *arg)
{
    for (int i = 0; i < 200; i++) {
        hf_auto_free char *secret = hf_strf("secret-%d-%d", *(int *)arg, i);
        hf_redact_add(secret);
        hf_auto_free char *text = hf_strf("<%s>", secret);
        hf_auto_free char *masked = hf_redacted(text);
        if (strcmp(masked, "<***>") != 0)
            return arg;
    }
    return NULL;
}

START_TEST(threads)
{
    pthread_t workers[4];
    int numbers[4];
    for (int i = 0; i < 4; i++) {
        numbers[i] = i + 10;
        ck_assert_int_eq(pthread_create(&workers[i], NULL, mask_and_add, &numbers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(workers[i], &failed);
        ck_assert_ptr_null(failed);
    }
}
END_TEST

TCase *log_case(void)
{
    TCase *tests = tcase_create("log");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, lines);
    tcase_add_test(tests, secrets_masked);
    tcase_add_test(tests, guard);
    tcase_add_test(tests, threads);
    return tests;
}
