/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes a ledger, or appends to one as its live writer does. See usage().
 */
#include "ledger-record.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <isa-l/crc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define BUFFER (1u << 20)

_Noreturn void die(const char *format, ...)
{
    va_list args;

    fputs("holdfast-ledger-gen: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

void write_all(int fd, const void *data, size_t size, const char *name)
{
    const char *p = data;

    while (size) {
        ssize_t done = write(fd, p, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            die("write '%s': %s", name, strerror(errno));
        p += done;
        size -= (size_t)done;
    }
}

void segment_name(uint32_t ordinal, char *name)
{
    snprintf(name, 32, "signals-%03" PRIu32 ".wal", ordinal);
}

void write_current(int dir_fd, const char *segment, bool durable)
{
    int fd = openat(dir_fd, "_CURRENT.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        die("make '_CURRENT.tmp': %s", strerror(errno));
    write_all(fd, segment, strlen(segment), "_CURRENT.tmp");
    if (durable && fsync(fd) < 0)
        die("fsync '_CURRENT.tmp': %s", strerror(errno));
    if (close(fd) < 0)
        die("close '_CURRENT.tmp': %s", strerror(errno));
    if (renameat(dir_fd, "_CURRENT.tmp", dir_fd, "_CURRENT") < 0)
        die("rename '_CURRENT.tmp': %s", strerror(errno));
    if (durable && fsync(dir_fd) < 0)
        die("fsync the partition: %s", strerror(errno));
}

struct segment {
    uint32_t records, crc;
    uint64_t bytes;
};

/* A day that is being made. */
struct day {
    const struct options *options;
    char name[16];
    int dir_fd, fd;
    struct segment *segments;
    uint32_t count, room;
    unsigned char *buffer;
    size_t used;
};

static void flush(struct day *day)
{
    struct segment *segment = &day->segments[day->count - 1];

    segment->crc = crc32_gzip_refl(segment->crc, day->buffer, day->used);
    write_all(day->fd, day->buffer, day->used, day->name);
    day->used = 0;
}

static void end_segment(struct day *day, bool read_only)
{
    flush(day);
    if (read_only && fchmod(day->fd, 0444) < 0)
        die("chmod a segment of '%s': %s", day->name, strerror(errno));
    if (close(day->fd) < 0)
        die("close a segment of '%s': %s", day->name, strerror(errno));
    day->fd = -1;
}

static void begin_segment(struct day *day)
{
    char name[32];

    if (day->count == day->room) {
        day->room = day->room ? day->room * 2 : 16;
        day->segments = reallocarray(day->segments, day->room, sizeof(*day->segments));
        if (!day->segments)
            die("out of memory");
    }
    day->segments[day->count++] = (struct segment){0};
    segment_name(day->count, name);
    day->fd = openat(day->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (day->fd < 0)
        die("make '%s/%s': %s", day->name, name, strerror(errno));
}

static void seal(const struct day *day)
{
    uint64_t total = 0;
    int fd = openat(day->dir_fd, "_manifest.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (!file)
        die("make '%s/_manifest.json': %s", day->name, strerror(errno));
    for (uint32_t i = 0; i < day->count; i++)
        total += day->segments[i].records;
    fprintf(
        file,
        "{\n  \"schema_version\": \"1.0.0\",\n  \"partition_date\": \"%s\",\n  \"sealed_at\": \"%sT23:59:59+00:00\",\n"
        "  \"total_records\": %" PRIu64 ",\n  \"highwater_sequence\": %" PRIu64 ",\n  \"manifest_revision\": 1,\n"
        "  \"segments\": [\n",
        day->name, day->name, total, total);
    for (uint32_t i = 0; i < day->count; i++) {
        const struct segment *s = &day->segments[i];
        char name[32];

        segment_name(i + 1, name);
        fprintf(file,
                "    {\n      \"file\": \"%s\",\n      \"record_count\": %" PRIu32 ",\n      \"size_bytes\": %" PRIu64
                ",\n      \"checksum\": \"crc32:%08" PRIx32 "\"\n    }%s\n",
                name, s->records, s->bytes, s->crc, i + 1 < day->count ? "," : "");
    }
    fprintf(file, "  ],\n  \"is_late_partition\": false\n}");
    if (ferror(file) | fclose(file))
        die("write '%s/_manifest.json': %s", day->name, strerror(errno));
    fd = openat(day->dir_fd, "_SEALED", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || close(fd) < 0)
        die("make '%s/_SEALED': %s", day->name, strerror(errno));
}

static void gzip_segment(const struct day *day, uint32_t ordinal)
{
    char name[32], packed[40];

    segment_name(ordinal, name);
    snprintf(packed, sizeof(packed), "%s.gz", name);
    int in = openat(day->dir_fd, name, O_RDONLY | O_CLOEXEC);
    int out = openat(day->dir_fd, packed, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (in < 0 || out < 0 || fchmod(out, 0444) < 0)
        die("gzip '%s/%s': %s", day->name, name, strerror(errno));
    gzFile gz = gzdopen(out, "wb6");
    if (!gz)
        die("out of memory");
    for (;;) {
        ssize_t got = read(in, day->buffer, BUFFER);
        if (got < 0)
            die("read '%s/%s': %s", day->name, name, strerror(errno));
        if (got == 0)
            break;
        if (gzwrite(gz, day->buffer, (unsigned)got) != (int)got)
            die("write '%s/%s'", day->name, packed);
    }
    if (gzclose(gz) != Z_OK || unlinkat(day->dir_fd, name, 0) < 0)
        die("gzip '%s/%s'", day->name, name);
    close(in);
}

static void make_day(const struct options *options, struct random *random, const char *name, unsigned char *buffer,
                     bool last, bool gzip)
{
    struct day day = {.options = options, .fd = -1, .buffer = buffer};
    char path[4096], current[32];

    snprintf(day.name, sizeof(day.name), "%s", name);
    if (snprintf(path, sizeof(path), "%s/%s", options->dir, name) >= (int)sizeof(path))
        die("the path is too long");
    if (mkdir(path, 0755) < 0)
        die("make '%s': %s", path, strerror(errno));
    day.dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (day.dir_fd < 0)
        die("open '%s': %s", path, strerror(errno));
    for (uint64_t n = 0; n < options->records_per_day; n++) {
        struct segment *s = day.count ? &day.segments[day.count - 1] : NULL;

        if (!s || s->bytes >= SEGMENT_MAX_BYTES || s->records >= SEGMENT_MAX_RECORDS) {
            if (s)
                end_segment(&day, true);
            begin_segment(&day);
            s = &day.segments[day.count - 1];
        }
        if (BUFFER - day.used < FRAME_MAX)
            flush(&day);
        size_t size = record_frame(random, name, day.count, ++s->records, n, day.buffer + day.used);
        day.used += size;
        s->bytes += size;
    }
    if (day.count) {
        bool sealed = options->seal && !last;

        end_segment(&day, sealed);
        segment_name(day.count, current);
        write_current(day.dir_fd, current, false);
        if (sealed)
            seal(&day);
        for (uint32_t i = 1; gzip && i <= day.count; i++)
            gzip_segment(&day, i);
    }
    close(day.dir_fd);
    free(day.segments);
}

static void make_parents(const char *dir)
{
    char path[4096];

    if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path))
        die("the path is too long");
    for (char *p = path + 1;; p++) {
        char c = *p;

        if (c && c != '/')
            continue;
        *p = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            die("make '%s': %s", path, strerror(errno));
        *p = c;
        if (!c)
            return;
    }
}

static int make_ledger(const struct options *options)
{
    struct random random = {.state = options->seed};
    struct tm first = {0};
    unsigned char *buffer = malloc(BUFFER);
    const char *rest = strptime(options->start, "%Y-%m-%d", &first);

    if (!rest || *rest)
        die("--start '%s' is not a date such as 2026-01-29", options->start);
    if (!buffer)
        die("out of memory");
    make_parents(options->dir);
    for (uint64_t d = 0; d < options->days; d++) {
        struct tm day = first;
        char name[16];

        day.tm_mday += (int)d;
        timegm(&day);
        if (!strftime(name, sizeof(name), "%Y-%m-%d", &day))
            die("no such day");
        make_day(options, &random, name, buffer, d + 1 == options->days, options->gzip_oldest && d == 0);
    }
    free(buffer);
    return 0;
}

static void usage(FILE *to)
{
    fputs("usage: holdfast-ledger-gen DIR [OPTION…]\n"
          "Makes a ledger; a record is about 1.3 KiB, so 8 days of 100000 records are about 1 GiB.\n"
          "  --days N              days to make (4)\n"
          "  --records-per-day N   records in each (25000)\n"
          "  --start YYYY-MM-DD    the first day (2026-01-29)\n"
          "  --seal                seal every day but the last\n"
          "  --gzip-oldest         gzip the segments of the first day in place\n"
          "  --seed N              another seed gives other records (1)\n"
          "Appends to a ledger as its writer does, to the newest day that is not sealed, or else to today:\n"
          "  --append-for SECONDS  for so long; pauses on SIGUSR1, resumes on SIGUSR2\n"
          "  --rate N              records a second, 0: as many as it can (100)\n"
          "  --no-fsync            without an fsync after each record\n",
          to);
}

static double number(const char *option, const char *value, double most)
{
    char *end;
    double result = strtod(value, &end);

    if (end == value || *end || !(result >= 0) || result > most)
        die("--%s '%s' is not a number from 0 to %.0f", option, value, most);
    return result;
}

int main(int argc, char **argv)
{
    static const struct option table[] = {{"days", required_argument, NULL, 'd'},
                                          {"records-per-day", required_argument, NULL, 'r'},
                                          {"start", required_argument, NULL, 'b'},
                                          {"seal", no_argument, NULL, 's'},
                                          {"gzip-oldest", no_argument, NULL, 'g'},
                                          {"seed", required_argument, NULL, 'x'},
                                          {"append-for", required_argument, NULL, 'a'},
                                          {"rate", required_argument, NULL, 't'},
                                          {"no-fsync", no_argument, NULL, 'n'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {
        .days = 4, .records_per_day = 25000, .seed = 1, .start = "2026-01-29", .append_for = -1, .rate = 100};
    int letter;

    while ((letter = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (letter) {
        case 'd':
            options.days = (uint64_t)number("days", optarg, 100000);
            break;
        case 'r':
            options.records_per_day = (uint64_t)number("records-per-day", optarg, 1e9);
            break;
        case 'b':
            options.start = optarg;
            break;
        case 's':
            options.seal = true;
            break;
        case 'g':
            options.gzip_oldest = true;
            break;
        case 'x':
            options.seed = (uint64_t)number("seed", optarg, 1e15);
            break;
        case 'a':
            options.append_for = number("append-for", optarg, 1e6);
            break;
        case 't':
            options.rate = number("rate", optarg, 1e7);
            break;
        case 'n':
            options.no_fsync = true;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (optind + 1 != argc) {
        usage(stderr);
        return 2;
    }
    options.dir = argv[optind];
    return options.append_for >= 0 ? append_live(&options) : make_ledger(&options);
}
