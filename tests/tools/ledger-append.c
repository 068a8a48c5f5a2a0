/* SPDX-License-Identifier: Apache-2.0
 *
 * The live writer: one write and one fsync per record under the partition's lock, rollover, _CURRENT.
 */
#include "ledger-record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t paused, stopped;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        paused = 1;
    else if (number == SIGUSR2)
        paused = 0;
    else
        stopped = 1;
}

struct writer {
    const struct options *options;
    char day[16];
    int dir_fd, lock_fd, fd;
    uint32_t ordinal, records;
    uint64_t bytes, total;
};

static bool is_open_day(int dir_fd, const char *name)
{
    char sealed[300];
    struct stat st;

    if (strlen(name) != 10 || strspn(name, "0123456789-") != 10)
        return false;
    snprintf(sealed, sizeof(sealed), "%s/_SEALED", name);
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
           faccessat(dir_fd, sealed, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

/* The newest day that is not sealed, otherwise today. */
static void choose_day(struct writer *w)
{
    time_t now = time(NULL);
    struct tm utc;
    DIR *dir = opendir(w->options->dir);

    if (!dir)
        die("open '%s': %s", w->options->dir, strerror(errno));
    for (struct dirent *entry; (entry = readdir(dir));)
        if (is_open_day(dirfd(dir), entry->d_name) && strcmp(entry->d_name, w->day) > 0)
            snprintf(w->day, sizeof(w->day), "%.10s", entry->d_name);
    if (!*w->day)
        strftime(w->day, sizeof(w->day), "%Y-%m-%d", gmtime_r(&now, &utc));
    if (mkdirat(dirfd(dir), w->day, 0755) < 0 && errno != EEXIST)
        die("make '%s': %s", w->day, strerror(errno));
    w->dir_fd = openat(dirfd(dir), w->day, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->dir_fd < 0)
        die("open '%s': %s", w->day, strerror(errno));
    closedir(dir);
}

static void take_lock(struct writer *w)
{
    w->lock_fd = openat(w->dir_fd, "_LOCK", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (w->lock_fd < 0)
        die("open '%s/_LOCK': %s", w->day, strerror(errno));
    if (flock(w->lock_fd, LOCK_EX) < 0)
        die("lock '%s/_LOCK': %s", w->day, strerror(errno));
}

/* Counts the whole frames of the segment that is to be continued, and cuts off what a crash left behind them. */
static void recover(struct writer *w)
{
    unsigned char head[FRAME_HEAD];
    struct stat st;

    if (fstat(w->fd, &st) < 0)
        die("stat a segment: %s", strerror(errno));
    while (pread(w->fd, head, sizeof(head), (off_t)w->bytes) == sizeof(head)) {
        uint64_t length = (uint64_t)head[0] << 24 | (uint64_t)head[1] << 16 | (uint64_t)head[2] << 8 | head[3];

        if (w->bytes + FRAME_HEAD + length > (uint64_t)st.st_size)
            break;
        w->bytes += FRAME_HEAD + length;
        w->records++;
    }
    if ((uint64_t)st.st_size > w->bytes && ftruncate(w->fd, (off_t)w->bytes) < 0)
        die("cut a torn tail: %s", strerror(errno));
}

static void new_segment(struct writer *w)
{
    char name[32];

    segment_name(++w->ordinal, name);
    w->records = 0;
    w->bytes = 0;
    w->fd = openat(w->dir_fd, name, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (w->fd < 0)
        die("make '%s/%s': %s", w->day, name, strerror(errno));
    write_current(w->dir_fd, name, true);
}

static void open_current(struct writer *w)
{
    char name[64] = "";
    int fd = openat(w->dir_fd, "_CURRENT", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, name, sizeof(name) - 1);

    if (fd >= 0)
        close(fd);
    if (got > 0 && sscanf(name, "signals-%" SCNu32 ".wal", &w->ordinal) == 1) {
        char *end = strchr(name, '\n');
        if (end)
            *end = '\0';
        w->fd = openat(w->dir_fd, name, O_RDWR | O_APPEND | O_CLOEXEC);
        if (w->fd < 0)
            die("open '%s/%s': %s", w->day, name, strerror(errno));
        recover(w);
    } else {
        new_segment(w);
    }
}

static void append(struct writer *w, struct random *random)
{
    unsigned char frame[FRAME_MAX];

    if (w->bytes >= SEGMENT_MAX_BYTES || w->records >= SEGMENT_MAX_RECORDS) {
        if (fchmod(w->fd, 0444) < 0 || close(w->fd) < 0)
            die("end a segment: %s", strerror(errno));
        new_segment(w);
    }
    size_t size = record_frame(random, w->day, w->ordinal, w->records + 1, w->total, frame);
    write_all(w->fd, frame, size, w->day);
    if (!w->options->no_fsync && fsync(w->fd) < 0)
        die("fsync a segment: %s", strerror(errno));
    w->records++;
    w->bytes += size;
    w->total++;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void rest(double time)
{
    struct timespec pause = {.tv_sec = (time_t)time, .tv_nsec = (long)((time - (double)(time_t)time) * 1e9)};

    nanosleep(&pause, NULL);
}

int append_live(const struct options *options)
{
    struct writer w = {.options = options, .fd = -1};
    struct random random = {.state = options->seed ^ (uint64_t)getpid() << 32 ^ (uint64_t)time(NULL)};
    struct sigaction action = {.sa_handler = on_signal};
    const int signals[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGINT};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
    choose_day(&w);
    take_lock(&w);
    open_current(&w);
    double begun = seconds(), due = begun;
    for (double now = begun; !stopped && now < begun + options->append_for; now = seconds()) {
        if (paused || (options->rate > 0 && now < due)) {
            rest(paused ? 0.01 : due - now < 0.1 ? due - now : 0.1);
            due = paused ? seconds() : due;
            continue;
        }
        append(&w, &random);
        due += options->rate > 0 ? 1 / options->rate : 0;
    }
    if (close(w.fd) < 0)
        die("close a segment: %s", strerror(errno));
    printf("appended %" PRIu64 " records to %s\n", w.total, w.day);
    close(w.lock_fd);
    close(w.dir_fd);
    return 0;
}
