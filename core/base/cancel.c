/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* timeout(1) and some shells send a signal to a process and to its group, so it comes twice at once. Only one that
 * comes later than this is somebody's second wish. */
enum { SAME_WISH_MS = 250 };

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { STOP_SIGNAL_COUNT = sizeof stop_signals / sizeof stop_signals[0] };

/* What the signal handler works on; it has no other way to be told. */
static _Atomic(struct hf_cancel *) signal_target;
static atomic_int signal_received;
static atomic_llong signal_at_ms;

int hf_cancel_init(struct hf_cancel *cancel, struct hf_ctx *ctx)
{
    atomic_init(&cancel->raised, HF_CANCEL_NO);
    atomic_init(&cancel->parent, NULL);
    cancel->own_fd = cancel->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (cancel->event_fd < 0)
        return hf_fail_errno(ctx, errno, "make an event descriptor");
    return HF_OK;
}

int hf_cancel_init_below(struct hf_cancel *cancel, struct hf_ctx *ctx, const struct hf_cancel *parent)
{
    struct epoll_event readable = {.events = EPOLLIN};
    int both, rc = hf_cancel_init(cancel, ctx);

    if (rc != HF_OK || parent == NULL)
        return rc;
    /* One descriptor that is readable when either is. */
    both = epoll_create1(EPOLL_CLOEXEC);
    if (both < 0 || epoll_ctl(both, EPOLL_CTL_ADD, cancel->own_fd, &readable) != 0 ||
        epoll_ctl(both, EPOLL_CTL_ADD, parent->event_fd, &readable) != 0) {
        rc = hf_fail_errno(ctx, errno, "make an event descriptor");
        if (both >= 0)
            close(both);
        hf_cancel_clear(cancel);
        return rc;
    }
    cancel->event_fd = both;
    atomic_store(&cancel->parent, parent);
    return HF_OK;
}

void hf_cancel_clear(struct hf_cancel *cancel)
{
    struct hf_cancel *expected = cancel;
    if (atomic_compare_exchange_strong(&signal_target, &expected, NULL)) {
        for (int i = 0; i < STOP_SIGNAL_COUNT; i++)
            signal(stop_signals[i], SIG_DFL);
    }
    if (cancel->event_fd >= 0 && cancel->event_fd != cancel->own_fd)
        close(cancel->event_fd);
    if (cancel->own_fd >= 0)
        close(cancel->own_fd);
    cancel->event_fd = cancel->own_fd = -1;
}

void hf_cancel_raise(struct hf_cancel *cancel, int reason)
{
    int raised = atomic_load(&cancel->raised);
    while (raised < reason && !atomic_compare_exchange_weak(&cancel->raised, &raised, reason)) {
    }
    int saved = errno;
    uint64_t one = 1;
    /* Fails only when the counter is full, and then it is readable. */
    ssize_t written = write(cancel->own_fd, &one, sizeof one);
    (void)written;
    errno = saved;
}

void hf_cancel_forgive(struct hf_cancel *cancel)
{
    int failure = HF_CANCEL_FAILURE;
    uint64_t count;
    ssize_t got;

    if (!atomic_compare_exchange_strong(&cancel->raised, &failure, HF_CANCEL_NO))
        return;
    got = read(cancel->own_fd, &count, sizeof count);
    (void)got; /* nothing to read is fine */
    if (atomic_load(&cancel->raised) != HF_CANCEL_NO)
        hf_cancel_raise(cancel, HF_CANCEL_FAILURE); /* a signal came in between: be readable again */
}

bool hf_cancel_raised(const struct hf_cancel *cancel)
{
    for (; cancel; cancel = atomic_load_explicit(&cancel->parent, memory_order_relaxed))
        if (atomic_load_explicit(&cancel->raised, memory_order_relaxed) != HF_CANCEL_NO)
            return true;
    return false;
}

static long long steady_ms(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_signal(int number)
{
    int saved = errno;
    int none = 0;
    if (atomic_compare_exchange_strong(&signal_received, &none, number)) {
        atomic_store(&signal_at_ms, steady_ms());
    } else if (number != SIGHUP && steady_ms() - atomic_load(&signal_at_ms) > SAME_WISH_MS) {
        /* Delivered once this handler returns, since the signal is blocked in it. */
        signal(number, SIG_DFL);
        raise(number);
    }
    struct hf_cancel *cancel = atomic_load(&signal_target);
    if (cancel)
        hf_cancel_raise(cancel, HF_CANCEL_SIGNAL);
    errno = saved;
}

void hf_cancel_on_signals(struct hf_cancel *cancel)
{
    atomic_store(&signal_target, cancel);
    /* SA_RESTART: a plugin's read() must not fail because the run stops; what waits long polls the event descriptor. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < STOP_SIGNAL_COUNT; i++) {
        struct sigaction before;
        /* nohup's wish stands. */
        if (stop_signals[i] == SIGHUP && sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler == SIG_IGN)
            continue;
        sigaction(stop_signals[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a failed write, with a message */
}

int hf_cancel_signal(void)
{
    return atomic_load(&signal_received);
}
