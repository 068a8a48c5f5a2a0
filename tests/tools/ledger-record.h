/* SPDX-License-Identifier: Apache-2.0
 *
 * Made-up records in the shape of a ledger's, about 1.3 KiB each, and the files of a partition.
 */
#ifndef LEDGER_RECORD_H
#define LEDGER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEAD 8u
#define FRAME_MAX 4096u
#define SEGMENT_MAX_BYTES (10u << 20)
#define SEGMENT_MAX_RECORDS 10000u

struct random {
    uint64_t state;
};

/* One frame, head and payload, into `frame` of FRAME_MAX bytes; returns its size. The nth record of `day` has the
 * sequence (segment << 32) | index. */
size_t record_frame(struct random *random, const char *day, uint32_t segment, uint32_t index, uint64_t n,
                    unsigned char *frame);

struct options {
    const char *dir;
    uint64_t days, records_per_day, seed;
    const char *start;
    bool seal, gzip_oldest, no_fsync;
    double append_for, rate;
};

/* Appends to a live ledger as its writer does, until the time is over or a signal comes. Exit status. */
int append_live(const struct options *options);

/* Prints why, and exits with 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* All bytes, or death. */
void write_all(int fd, const void *data, size_t size, const char *name);
/* "signals-001.wal" into `name` of 32 bytes. */
void segment_name(uint32_t ordinal, char *name);
/* Atomically and durably: beside, fsync, rename, fsync of the folder. */
void write_current(int dir_fd, const char *segment, bool durable);

#endif
