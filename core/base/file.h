/* SPDX-License-Identifier: Apache-2.0
 *
 * Files and folders of Holdfast's own.
 */
#ifndef HF_BASE_FILE_H
#define HF_BASE_FILE_H

#include "base/error.h"
#include <sys/types.h>

/* The whole file, NUL-terminated; free it. A file larger than max_bytes is a failure. */
int hf_file_read(struct hf_ctx *, const char *path, size_t max_bytes, char **ret_data, size_t *ret_size);
/* Makes a folder and its parents. One that exists is fine. */
int hf_file_make_dirs(struct hf_ctx *, const char *path, mode_t mode);
/* Removes a folder and all in it, following no link; a missing one is fine. */
int hf_file_remove_tree(struct hf_ctx *, const char *path);
/* flock(LOCK_EX | LOCK_NB) on a file that is made when missing, and written our pid for people. HF_E_BUSY when another
 * has it. The lock lasts until ret_fd is closed. */
int hf_file_lock(struct hf_ctx *, const char *path, int *ret_fd);
/* "/a/b" + "c" = "/a/b/c"; an absolute `name` wins. Free it. */
char *hf_path_join(const char *folder, const char *name);
/* `path` seen from the current folder, unless it is absolute; free it. */
int hf_path_absolute(struct hf_ctx *, const char *path, char **ret_path);
const char *hf_path_base(const char *path); /* what follows the last '/' */

#endif
