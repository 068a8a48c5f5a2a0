/* SPDX-License-Identifier: Apache-2.0
 *
 * Putting folders, files and whole trees into a part's tar.
 */
#ifndef LEDGER_STORE_H
#define LEDGER_STORE_H

#include <holdfast/plugin.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <tar.h>

struct store {
    const struct hf_host *host;
    struct hf_ctx *ctx;
    struct tar_out *out;
    struct archive_entry *entry;
    unsigned char *buffer; /* LEDGER_BUFFER bytes                                                                */
};

/* Begins a part. store_close ends it; status below 0: after a failure. Returns the status, or its own failure. */
int store_open(struct store *store, const struct hf_host *host, struct hf_ctx *ctx, struct hf_writer *writer);
int store_close(struct store *store, bool last, int status);

int store_folder(struct store *store, const char *path, const struct stat *st);
int store_bytes(struct store *store, const char *path, const struct stat *st, const void *data, size_t size);
/* The first `size` bytes of the file; what it lacks is zeros, and *ret_short counts them. `see` (may be NULL) is shown
 * all that is stored. */
int store_file(struct store *store, int fd, const char *path, const struct stat *st, uint64_t size,
               int (*see)(void *arg, const void *data, size_t size), void *arg, uint64_t *ret_short);
/* A file, or a folder with all that is in it, as found. Links and special files are left out, with a finding. */
int store_tree(struct store *store, int dir_fd, const char *name, const char *path);

/* Opens a regular file: HF_OK, HF_E_NOTFOUND without a recorded failure, or another failure. */
int store_open_file(struct store *store, int dir_fd, const char *name, const char *path, int *ret_fd,
                    struct stat *ret_stat);
int store_left_out(struct store *store, const char *path);

#endif
