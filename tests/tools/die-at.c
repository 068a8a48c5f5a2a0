/* SPDX-License-Identifier: Apache-2.0
 *
 * Preloaded into a program, counts its calls that change files, over all threads, and kills it just before call number
 * DIE_AT. What was about to be done is appended to the file DIE_AT_LOG, one line a call. So a test can stop a program
 * between any two of its steps, none left out, which a tracer that counts by thread cannot.
 *
 * DIE_AT_CLOCK, seconds, is added to the time of day, so that runs after each other have names of their own without
 * waiting for the next second.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))
#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static atomic_long count;
static long die_at, clock_shift;
static int log_fd = -1;

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("DIE_AT"), *log = getenv("DIE_AT_LOG");
    const char *shift = getenv("DIE_AT_CLOCK");
    die_at = at ? atol(at) : 0;
    clock_shift = shift ? atol(shift) : 0;
    if (log)
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void step(const char *call, const char *path)
{
    long number = atomic_fetch_add(&count, 1) + 1;
    char line[4200];
    int size = snprintf(line, sizeof(line), "%ld %s %s\n", number, call, path);
    if (log_fd >= 0 && size > 0 && syscall(SYS_write, log_fd, line, (size_t)size) != size)
        abort();
    if (number == die_at) {
        kill(getpid(), SIGKILL);
        for (;;)
            pause();
    }
}

#define CALL(type, name, parameters, path, ...)                                                                        \
    SHOWN type name parameters                                                                                         \
    {                                                                                                                  \
        step(#name, path);                                                                                             \
        return NEXT(name)(__VA_ARGS__);                                                                                \
    }

CALL(int, rename, (const char *from, const char *to), to, from, to)
CALL(int, renameat, (int a, const char *from, int b, const char *to), to, a, from, b, to)
CALL(int, renameat2, (int a, const char *from, int b, const char *to, unsigned flags), to, a, from, b, to, flags)
CALL(int, link, (const char *from, const char *to), to, from, to)
CALL(int, linkat, (int a, const char *from, int b, const char *to, int flags), to, a, from, b, to, flags)
CALL(int, unlink, (const char *path), path, path)
CALL(int, unlinkat, (int folder, const char *path, int flags), path, folder, path, flags)
CALL(int, rmdir, (const char *path), path, path)
CALL(int, mkdir, (const char *path, mode_t mode), path, path, mode)
CALL(int, mkdirat, (int folder, const char *path, mode_t mode), path, folder, path, mode)
CALL(int, fsync, (int fd), "", fd)
CALL(int, fdatasync, (int fd), "", fd)
CALL(int, fchmod, (int fd, mode_t mode), "", fd, mode)
CALL(int, ftruncate64, (int fd, off64_t size), "", fd, size)
CALL(int, mkostemp64, (char *path, int flags), path, path, flags)
CALL(ssize_t, write, (int fd, const void *data, size_t size), "", fd, data, size)
CALL(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t offset), "", fd, data, size, offset)

/* An open changes something when it makes a file. */
#define OPEN(name, parameters, ...)                                                                                    \
    SHOWN int name parameters                                                                                          \
    {                                                                                                                  \
        mode_t mode = 0;                                                                                               \
        if (flags & (O_CREAT | O_TMPFILE)) {                                                                           \
            va_list more;                                                                                              \
            va_start(more, flags);                                                                                     \
            mode = va_arg(more, mode_t);                                                                               \
            va_end(more);                                                                                              \
        }                                                                                                              \
        if (flags & O_CREAT)                                                                                           \
            step(#name, path);                                                                                         \
        return NEXT(name)(__VA_ARGS__, mode);                                                                          \
    }

OPEN(open, (const char *path, int flags, ...), path, flags)
OPEN(open64, (const char *path, int flags, ...), path, flags)
OPEN(openat, (int folder, const char *path, int flags, ...), folder, path, flags)
OPEN(openat64, (int folder, const char *path, int flags, ...), folder, path, flags)

SHOWN int clock_gettime(clockid_t clock, struct timespec *now)
{
    int rc = NEXT(clock_gettime)(clock, now);
    if (rc == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += clock_shift;
    return rc;
}

SHOWN time_t time(time_t *ret_now)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret_now)
        *ret_now = now.tv_sec;
    return now.tv_sec;
}
