/* SPDX-License-Identifier: Apache-2.0
 *
 * Small ledgers, made and damaged by hand, and the source opened on one.
 */
#ifndef TEST_LEDGER_SUPPORT_H
#define TEST_LEDGER_SUPPORT_H

#include <check.h>
#include <fake_host.h>
#include <stddef.h>
#include <stdint.h>

/* A folder with a ledger in it, and the source that is set up for it. */
struct bench {
    char root[64];   /* removed in the end                                                               */
    char ledger[96]; /* root/ledger                                                                      */
    struct fake *fake;
    struct hf_config *config;
    const struct hf_source *source;
    void *self;
};

void bench_open(struct bench *);
void bench_close(struct bench *);
/* Backs up with `threads`, and expects the result. */
void bench_backup(struct bench *, int expected);
/* Restores to root/NAME. */
int bench_restore(struct bench *, const char *name, bool replace, const char *only);
/* "root/…", in one of several static buffers. */
const char *bench_path(struct bench *, const char *format, ...) HF_PRINTF(2, 3);

/* One frame with the given sequence, appended to `out`; returns its size. */
size_t make_frame(const char *day, uint64_t sequence, unsigned char *out);
/* A segment with records first to last. */
void make_segment(struct bench *, const char *day, uint32_t ordinal, uint32_t first, uint32_t last);
/* A day with whole segments of so many records each; _CURRENT names the last. */
void make_day(struct bench *, const char *day, uint32_t segments, uint32_t records);
/* Writes _manifest.json from what the segments hold, and _SEALED. */
void seal_day(struct bench *, const char *day);
void gzip_file(const char *path);

unsigned char *slurp(const char *path, size_t *ret_size);
void spit(const char *path, const void *data, size_t size);
void append_to(const char *path, const void *data, size_t size);
void flip_byte(const char *path, size_t offset);
/* 1 when both trees hold the same names, contents, modes and times; names in `except` (NULL-terminated) are ignored. */
int same_trees(const char *a, const char *b, const char *const *except);
int shell(const char *format, ...) HF_PRINTF(1, 2);
int exists(const char *path);
/* How many findings have that code. */
int count_findings(struct bench *, const char *code);
/* A number from a recorded fact. */
long long fact_number(struct bench *, const char *partition, const char *key);

Suite *frame_suite(void);
Suite *partition_suite(void);
Suite *backup_suite(void);
Suite *damage_suite(void);
Suite *restore_suite(void);
Suite *live_suite(void);

#endif
