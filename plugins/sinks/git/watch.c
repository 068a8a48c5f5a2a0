/* SPDX-License-Identifier: Apache-2.0
 *
 * A remote that stands still. libgit2 1.5 knows no timeouts, and its ssh waits for ever in libssh2, so the sockets are
 * ours: connecting is given up after a while, and a thread looks at what they move. When neither a byte went over the
 * wire nor the one who talks did any work for stall_timeout, or the run is stopped, it shuts the socket down, and
 * libgit2 finds its connection broken, wherever in it that is.
 */
#include "git.h"

#include <git2/sys/stream.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h> /* glibc's has no byte counts */
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

_Static_assert(LIBGIT2_VER_MAJOR == 1 && LIBGIT2_VER_MINOR < 7,
               "libgit2 has timeouts of its own now (GIT_OPT_SET_SERVER_TIMEOUT), and maybe another stream");

enum { TICK_MS = 100, WORK_NS = 1000000 };

/* Begins like libgit2's own stream of a socket, whose descriptor its ssh takes for libssh2. */
struct stream {
    git_stream parent;
    char *host, *port;
    int fd;
};

struct gs_watch {
    struct gs_talk *talk;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    clockid_t clock;        /* CPU time of the thread that talks    */
    bool has_clock, ending; /* ending: protected by lock            */
    int fd;                 /* protected by lock; -1: not connected */
    int64_t moved_ms;       /* protected by lock                    */
    uint64_t bytes;         /* protected by lock: moved so far      */
    int64_t worked_ns;      /* protected by lock                    */
};

/* Who talks now: protected by remote.c, which lets one talk at a time, on one thread. */
static struct gs_watch *watching;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t now_ms(void)
{
    return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

/* Notes what moved. With the lock held. */
static void look(struct gs_watch *watch)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    int64_t worked = watch->has_clock ? clock_ns(watch->clock) : 0;
    uint64_t bytes = watch->bytes;
    if (watch->fd < 0)
        bytes = 0;
    else if (getsockopt(watch->fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0)
        bytes = info.tcpi_bytes_received + info.tcpi_bytes_acked;
    if (bytes != watch->bytes || worked - watch->worked_ns > WORK_NS) {
        watch->moved_ms = now_ms();
        watch->worked_ns = worked;
    }
    watch->bytes = bytes;
}

static void *keep_watch(void *arg)
{
    struct gs_watch *watch = arg;
    const struct gs *self = watch->talk->self;
    pthread_mutex_lock(&watch->lock);
    while (!watch->ending) {
        int64_t until = clock_ns(CLOCK_MONOTONIC) + (int64_t)TICK_MS * 1000000;
        struct timespec when = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
        (void)pthread_cond_timedwait(&watch->ended, &watch->lock, &when);
        look(watch);
        bool stalled = now_ms() - watch->moved_ms > self->stall_ms;
        if (watch->fd < 0 || (!stalled && !gs_host->cancelled(watch->talk->ctx)))
            continue;
        atomic_store(&watch->talk->stalled, stalled);
        (void)shutdown(watch->fd, SHUT_RDWR); /* one that is broken already is what is wanted */
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

int gs_watch_start(struct gs_talk *talk)
{
    struct gs_watch *watch = calloc(1, sizeof(*watch));
    pthread_condattr_t attr;
    if (!watch)
        return gs_fail_nomem(talk->ctx);
    *watch = (struct gs_watch){.talk = talk, .fd = -1, .moved_ms = now_ms()};
    watch->has_clock = pthread_getcpuclockid(pthread_self(), &watch->clock) == 0;
    pthread_mutex_init(&watch->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->ended, &attr);
    pthread_condattr_destroy(&attr);
    int error = pthread_create(&watch->thread, NULL, keep_watch, watch);
    if (error != 0) {
        pthread_cond_destroy(&watch->ended);
        pthread_mutex_destroy(&watch->lock);
        free(watch);
        return gs_host->fail(talk->ctx, HF_E_FAIL, "cannot start a thread: %s", strerror(error));
    }
    talk->watch = watching = watch;
    return HF_OK;
}

void gs_watch_stop(struct gs_talk *talk)
{
    struct gs_watch *watch = talk->watch;
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->ending = true;
    pthread_cond_signal(&watch->ended);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    pthread_cond_destroy(&watch->ended);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
    talk->watch = watching = NULL;
}

/* Over one of the addresses, for as long as a stall may last. */
static int connect_to(const struct addrinfo *address, int *ret_fd)
{
    int64_t until = now_ms() + watching->talk->self->stall_ms;
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->ai_protocol);
    if (fd < 0)
        return errno;
    int error = connect(fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    while (error == EINPROGRESS) {
        struct pollfd item = {.fd = fd, .events = POLLOUT};
        socklen_t size = sizeof(error);
        if (gs_host->cancelled(watching->talk->ctx))
            error = ECANCELED;
        else if (now_ms() > until)
            error = ETIMEDOUT;
        else if (poll(&item, 1, TICK_MS) > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            error = errno;
    }
    if (error == 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) != 0)
        error = errno;
    if (error == 0)
        *ret_fd = fd;
    else
        (void)close(fd);
    return error;
}

static void set_fd(struct stream *stream, int fd)
{
    int before = stream->fd;
    if (watching) {
        pthread_mutex_lock(&watching->lock);
        watching->fd = fd;
        watching->moved_ms = now_ms();
        pthread_mutex_unlock(&watching->lock);
    }
    stream->fd = fd;
    if (before >= 0)
        (void)close(before);
}

static int fail_stream(const struct stream *stream, const char *doing, const char *why)
{
    char text[512];
    snprintf(text, sizeof(text), "cannot %s %s, port %s: %s", doing, stream->host, stream->port, why);
    git_error_set_str(GIT_ERROR_NET, text);
    return -1;
}

static int on_connect(git_stream *parent)
{
    struct stream *stream = (struct stream *)(void *)parent;
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    int rc = getaddrinfo(stream->host, stream->port, &hints, &found), error = EADDRNOTAVAIL, fd = -1;
    if (rc != 0)
        return fail_stream(stream, "find", gai_strerror(rc));
    for (const struct addrinfo *at = found; at && fd < 0 && error != ECANCELED; at = at->ai_next)
        error = connect_to(at, &fd);
    freeaddrinfo(found);
    if (fd < 0)
        return fail_stream(stream, "connect to", strerror(error));
    set_fd(stream, fd);
    return 0;
}

static ssize_t on_read(git_stream *parent, void *data, size_t size)
{
    const struct stream *stream = (struct stream *)(void *)parent;
    ssize_t got;
    do
        got = recv(stream->fd, data, size, 0);
    while (got < 0 && errno == EINTR);
    return got < 0 ? fail_stream(stream, "read from", strerror(errno)) : got;
}

static ssize_t on_write(git_stream *parent, const char *data, size_t size, int flags)
{
    const struct stream *stream = (struct stream *)(void *)parent;
    size_t done = 0;
    while (done < size) {
        ssize_t wrote = send(stream->fd, data + done, size - done, flags | MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return fail_stream(stream, "write to", strerror(errno));
        done += (size_t)wrote;
    }
    return (ssize_t)done;
}

static int on_close(git_stream *parent)
{
    set_fd((struct stream *)(void *)parent, -1);
    return 0;
}

static void on_free(git_stream *parent)
{
    struct stream *stream = (struct stream *)(void *)parent;
    if (stream->fd >= 0)
        (void)on_close(parent);
    free(stream->host);
    free(stream->port);
    free(stream);
}

static int on_new(git_stream **out, const char *host, const char *port)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    if (!stream || !watching) {
        free(stream);
        git_error_set_str(GIT_ERROR_NET, watching ? "out of memory" : "nobody is talking to a remote");
        return -1;
    }
    stream->parent = (git_stream){.version = GIT_STREAM_VERSION,
                                  .connect = on_connect,
                                  .read = on_read,
                                  .write = on_write,
                                  .close = on_close,
                                  .free = on_free};
    stream->fd = -1;
    stream->host = strdup(host);
    stream->port = strdup(port);
    if (!stream->host || !stream->port) {
        on_free(&stream->parent);
        git_error_set_str(GIT_ERROR_NOMEMORY, "out of memory");
        return -1;
    }
    *out = &stream->parent;
    return 0;
}

int gs_watch_init(void)
{
    static git_stream_registration ours = {.version = GIT_STREAM_VERSION, .init = on_new};
    return git_stream_register(GIT_STREAM_STANDARD, &ours);
}
