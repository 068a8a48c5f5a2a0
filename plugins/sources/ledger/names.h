/* SPDX-License-Identifier: Apache-2.0
 *
 * Names in a ledger's folder: what is a partition, a segment, or something that a backup leaves out.
 */
#ifndef LEDGER_NAMES_H
#define LEDGER_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARTITION_NAME_MAX 64u /* longer folder names are no partitions */
#define SEGMENT_NAME_MAX 32u   /* "signals-2147483647.wal.gz" and its NUL */

/* A partition is named by its UTC day, "2026-01-29", which may be followed by "-late" or another "-word". `ret_day`
 * (may be NULL): days since 1970-01-01. */
bool partition_name_parse(const char *name, int64_t *ret_day);

/* "YYYY-MM-DD" of a day, in 11 bytes or more. */
void day_format(int64_t day, char *text, size_t size);

/* "signals-001.wal" or "signals-001.wal.gz": at least three digits, no needless zero, from 1. */
bool segment_name_parse(const char *name, uint32_t *ret_ordinal, bool *ret_gzipped);

/* The writer's lock, temporary files, and what an interrupted restore left: never part of a backup. */
bool name_is_left_out(const char *name);

/* Top-level folders in which a restore builds, and in which it keeps what it replaced. */
#define STAGE_PREFIX "_holdfast-"
#define BEFORE_PREFIX "_before-"

/* The names in a folder in byte order, without "." and "..". 0 or a negative errno. Free with names_free. */
struct names {
    char **items;
    size_t count, room;
};
int names_list(int dir_fd, struct names *ret_names);
void names_free(struct names *names);

#endif
