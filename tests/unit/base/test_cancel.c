/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"
#include "suites.h"
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static bool readable(const struct hf_cancel *cancel, int timeout_ms)
{
    struct pollfd fd = {.fd = cancel->event_fd, .events = POLLIN};
    return poll(&fd, 1, timeout_ms) == 1;
}

START_TEST(raised_once_and_for_all)
{
    struct hf_ctx ctx = {0};
    struct hf_cancel cancel;
    ck_assert_int_eq(hf_cancel_init(&cancel, &ctx), 0);
    ck_assert(!hf_cancel_raised(&cancel));
    ck_assert(!hf_cancel_raised(NULL));
    ck_assert(!readable(&cancel, 0));
    hf_cancel_raise(&cancel, HF_CANCEL_FAILURE);
    ck_assert(hf_cancel_raised(&cancel));
    ck_assert(readable(&cancel, 0));
    hf_cancel_raise(&cancel, HF_CANCEL_SIGNAL);
    ck_assert_int_eq(cancel.raised, HF_CANCEL_SIGNAL);
    hf_cancel_raise(&cancel, HF_CANCEL_FAILURE);
    ck_assert_int_eq(cancel.raised, HF_CANCEL_SIGNAL);
    hf_cancel_clear(&cancel);
    ck_assert_int_eq(cancel.event_fd, -1);
}
END_TEST

START_TEST(below_another)
{
    struct hf_ctx ctx = {0};
    struct hf_cancel parent, child, grandchild;
    ck_assert_int_eq(hf_cancel_init(&parent, &ctx), 0);
    ck_assert_int_eq(hf_cancel_init_below(&child, &ctx, &parent), 0);
    ck_assert_int_eq(hf_cancel_init_below(&grandchild, &ctx, &child), 0);
    hf_cancel_raise(&child, HF_CANCEL_FAILURE); /* concerns those below alone */
    ck_assert(!hf_cancel_raised(&parent) && hf_cancel_raised(&child) && hf_cancel_raised(&grandchild));
    ck_assert(!readable(&parent, 0) && readable(&child, 0) && readable(&grandchild, 0));
    hf_cancel_forgive(&child);
    ck_assert(!hf_cancel_raised(&child) && !readable(&child, 0) && !readable(&grandchild, 0));
    hf_cancel_raise(&parent, HF_CANCEL_SIGNAL);
    ck_assert(hf_cancel_raised(&child) && hf_cancel_raised(&grandchild));
    ck_assert(readable(&child, 0) && readable(&grandchild, 0));
    hf_cancel_clear(&grandchild);
    hf_cancel_clear(&child);
    ck_assert(readable(&parent, 0));
    hf_cancel_clear(&parent);
    ck_assert_int_eq(hf_cancel_init_below(&child, &ctx, NULL), 0);
    hf_cancel_raise(&child, HF_CANCEL_FAILURE);
    ck_assert(readable(&child, 0));
    hf_cancel_clear(&child);
}
END_TEST

START_TEST(signals_raise)
{
    struct hf_ctx ctx = {0};
    struct hf_cancel cancel;
    ck_assert_int_eq(hf_cancel_init(&cancel, &ctx), 0);
    hf_cancel_on_signals(&cancel);
    ck_assert_int_eq(hf_cancel_signal(), 0);
    raise(SIGPIPE);
    ck_assert(!hf_cancel_raised(&cancel));
    raise(SIGTERM);
    ck_assert_int_eq(cancel.raised, HF_CANCEL_SIGNAL);
    ck_assert_int_eq(hf_cancel_signal(), SIGTERM);
    ck_assert(readable(&cancel, 0));
    raise(SIGINT); /* at once: the same wish, as when a group is signalled, too */
    raise(SIGHUP);
    ck_assert_int_eq(hf_cancel_signal(), SIGTERM);
    hf_cancel_clear(&cancel);
}
END_TEST

START_TEST(second_signal_kills)
{
    pid_t child = fork();
    if (child == 0) {
        struct hf_ctx ctx = {0};
        struct hf_cancel cancel;
        if (hf_cancel_init(&cancel, &ctx) < 0)
            _exit(3);
        hf_cancel_on_signals(&cancel);
        raise(SIGINT);
        usleep(400000);
        raise(SIGTERM);
        _exit(4);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGTERM);
}
END_TEST

TCase *cancel_case(void)
{
    TCase *tests = tcase_create("cancel");
    tcase_add_test(tests, raised_once_and_for_all);
    tcase_add_test(tests, below_another);
    tcase_add_test(tests, signals_raise);
    tcase_add_test(tests, second_signal_kills);
    return tests;
}
