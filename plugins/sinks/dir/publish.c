/* SPDX-License-Identifier: Apache-2.0
 *
 * Giving a finished file its name, without ever replacing another. Where a rename can do that, it does. NFS cannot:
 * there, and wherever else renameat2 knows no RENAME_NOREPLACE, a second name is made by link(), which every server
 * makes only if nobody has it, and then the first is taken away.
 *
 * Over a network the reply to a request that was carried out may be lost; the request is sent again, and answered with
 * "exists already", or "no such file", or not at all. So what an error means is decided by looking: if the name stands
 * for our file, it worked.
 */
#include "dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Does `key` stand for our file? Its number of names is not asked: somebody may make others meanwhile. */
static bool is_ours(int folder, const char *key, const struct stat *file)
{
    struct stat there;
    return fstatat(folder, key, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_dev == file->st_dev &&
           there.st_ino == file->st_ino;
}

static bool is_unknown_call(int error)
{
    return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP;
}

static int link_name(const struct dir *self, struct hf_ctx *ctx, int folder, const char *name, const char *key,
                     const struct stat *file)
{
    if (linkat(folder, name, folder, key, 0) == 0)
        return HF_OK;
    int error = errno;
    if (is_ours(folder, key, file))
        return HF_OK;
    int code = dir_fail(self, ctx, error, "store", key);
    if (error == EPERM || is_unknown_call(error))
        dir_host->hint(ctx, "the file system of '%s' can neither rename without replacing nor make hard links",
                       self->path);
    return code;
}

int dir_publish(const struct dir *self, struct hf_ctx *ctx, int folder, const char *name, const char *key,
                const struct stat *file)
{
    if (renameat2(folder, name, folder, key, RENAME_NOREPLACE) == 0)
        return HF_OK;
    int error = errno;
    if (!is_unknown_call(error) && !is_ours(folder, key, file))
        return dir_fail(self, ctx, error, "store", key);
    if (is_unknown_call(error)) {
        int status = link_name(self, ctx, folder, name, key, file);
        if (status != HF_OK)
            return status;
    }
    /* A name that stays is that of a leftover: no run sees it as an object, and the next removes it. */
    if (unlinkat(folder, name, 0) != 0 && errno != ENOENT)
        dir_host->log(ctx, HF_LOG_WARNING, "cannot remove '%s/%s': %s; the next run will", self->path, name,
                      strerror(errno));
    return HF_OK;
}
