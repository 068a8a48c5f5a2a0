/* SPDX-License-Identifier: Apache-2.0
 *
 * What the dir sink's tests share.
 */
#ifndef HOLDFAST_TEST_DIR_H
#define HOLDFAST_TEST_DIR_H

#include <check.h>
#include <stdbool.h>

#include "fake_host.h"

enum call {
    CALL_NONE,
    CALL_OPENAT,
    CALL_WRITE,
    CALL_SYNC_FILE_RANGE,
    CALL_FCHMOD,
    CALL_FCHOWN,
    CALL_FLOCK,
    CALL_FSYNC,
    CALL_CLOSE,
    CALL_RENAMEAT2,
    CALL_LINKAT,
    CALL_FSTAT,
    CALL_STAT,
    CALL_PREAD,
    CALL_READDIR,
    CALL_UNLINKAT
};

/* The count-th of these calls on this thread fails with `error`; count 0: all. fault_hit: how many did. */
void fault_set(enum call call, int count, int error);
/* The same, but the call is carried out, and only its answer is lost. For renameat2, linkat and unlinkat. */
void fault_set_lost(enum call call, int count, int error);
void fault_clear(void);
int fault_hit(void);
/* write() takes at most so many bytes at once; 0: as many as there are. */
void fault_short_writes(size_t limit);

/* A sink over a new folder of its own. */
struct sink {
    struct fake *fake;
    struct hf_config *config;
    const struct hf_sink *ops;
    void *self;
    char base[64], path[96];
};

/* pairs: more options, NULL-terminated; may be NULL. The folder exists unless `missing`. */
struct sink sink_new(const char *const *pairs, bool missing);
void sink_free(struct sink *sink);
struct hf_ctx *sink_ctx(struct sink *sink);

/* A whole put of size bytes, each of value `fill`. Returns the first failure; the put is aborted then. */
int sink_put(struct sink *sink, const char *key, size_t size, int fill);
/* Opens a put and writes size bytes to it. */
void *sink_put_open(struct sink *sink, const char *key, size_t size, int fill);
/* Number of names in the folder, hidden ones included. */
int folder_count(const char *path);
bool folder_has(const struct sink *sink, const char *name);
void folder_write(const struct sink *sink, const char *name, const char *text);

TCase *dir_fault_cases(void);
TCase *dir_place_cases(void);

#endif
