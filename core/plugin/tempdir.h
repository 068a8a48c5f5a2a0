/* SPDX-License-Identifier: Apache-2.0
 *
 * Scratch folders: mode 0700, removed after the run; what a crashed run left is known by its free lock.
 */
#ifndef HF_PLUGIN_TEMPDIR_H
#define HF_PLUGIN_TEMPDIR_H

#include "base/error.h"

/* ret_lock: the folder itself, opened and locked; it stays open as long as the folder is in use. */
int hf_tempdir_make(struct hf_ctx *, const char *root, char **ret_path, int *ret_lock);
/* Closes the lock in any case. */
int hf_tempdir_remove(struct hf_ctx *, const char *path, int lock);

/* Removes the folders that hf_tempdir_make made under `root` for this user, and that no running process has locked. One
 * that cannot be removed is warned of. */
int hf_tempdir_sweep(struct hf_ctx *, const char *root);

#endif
