/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/tempdir.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "holdfast-tmp-"
#define UNIQUE "XXXXXX" /* what mkdtemp() fills in */

enum { ATTEMPTS = 10 };

static int open_locked(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0)
        hf_cleanup_close(&fd);
    return fd;
}

/* A sweep may have locked and removed the folder between its making and its locking. */
static bool still_there(const char *path, int fd)
{
    struct stat by_path, by_fd;

    return lstat(path, &by_path) == 0 && fstat(fd, &by_fd) == 0 && by_path.st_ino == by_fd.st_ino &&
           by_path.st_dev == by_fd.st_dev;
}

int hf_tempdir_make(struct hf_ctx *ctx, const char *root, char **ret_path, int *ret_lock)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        hf_auto_free char *path = hf_path_join(root, PREFIX UNIQUE);
        hf_auto_close int fd = -1;

        if (mkdtemp(path) == NULL) {
            hf_fail_errno(ctx, errno, "make a scratch folder in '%s'", root);
            return hf_hint(ctx, "set temp_dir in holdfast.ini, or TMPDIR, to a writable folder with room");
        }
        fd = open_locked(path);
        if (fd >= 0 && still_there(path, fd)) {
            *ret_path = hf_steal(path);
            *ret_lock = fd;
            fd = -1;
            return HF_OK;
        }
    }
    return hf_fail(ctx, HF_E_BUSY, "make a scratch folder in '%s': it is removed as soon as it is made", root);
}

int hf_tempdir_remove(struct hf_ctx *ctx, const char *path, int lock)
{
    int rc = hf_file_remove_tree(ctx, path);

    if (lock >= 0)
        close(lock);
    return rc;
}

/* A name that mkdtemp() made for us: people have folders, too. */
static bool is_ours(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t length = strlen(UNIQUE);

    if (!hf_text_starts(name, PREFIX))
        return false;
    name += strlen(PREFIX);
    return strlen(name) == length && strspn(name, letters) == length;
}

/* Looked at before it is opened, so that another user's folder is not even locked. */
static bool is_private(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 07777) == 0700;
}

static void sweep_one(const char *path)
{
    struct hf_ctx ctx = {0};
    hf_auto_close int fd = is_private(path) ? open_locked(path) : -1;

    if (fd < 0 || !still_there(path, fd) || !is_private(path))
        return;
    hf_log(HF_LOG_DEBUG, NULL, "removing scratch folder '%s' of a run that did not end", path);
    /* What another run left must not keep this one from its work. */
    if (hf_file_remove_tree(&ctx, path) != HF_OK)
        hf_log(HF_LOG_WARNING, NULL, "a run that did not end left '%s': %s", path, ctx.error.text);
    hf_error_clear(&ctx.error);
}

int hf_tempdir_sweep(struct hf_ctx *ctx, const char *root)
{
    DIR *dir = opendir(root);
    struct dirent *entry;

    if (dir == NULL && errno == ENOENT)
        return HF_OK;
    if (dir == NULL)
        return hf_fail_errno(ctx, errno, "open the folder for scratch files '%s'", root);
    while ((entry = readdir(dir)) != NULL) {
        hf_auto_free char *path = is_ours(entry->d_name) ? hf_path_join(root, entry->d_name) : NULL;

        if (path != NULL)
            sweep_one(path);
    }
    closedir(dir);
    return HF_OK;
}
