/* SPDX-License-Identifier: Apache-2.0 */
#include "dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { KEY_MAX = 240, FOLDER_MODE = 0750 };

void dir_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* read from, or thrown away: nothing to lose */
    *fd = -1;
}

static int code_of(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return HF_E_NOSPACE;
    case EACCES:
    case EPERM:
    case EROFS:
        return HF_E_AUTH;
    case EEXIST:
        return HF_E_EXISTS;
    case ENOTCONN:
    case ESTALE:
    case EHOSTDOWN:
    case ETIMEDOUT:
        return HF_E_UNREACHABLE;
    case ENOMEM:
        return HF_E_NOMEM;
    default:
        return HF_E_IO;
    }
}

static void hint_space(const struct dir *self, struct hf_ctx *ctx, int error)
{
    struct statvfs fs;
    if (error == EFBIG)
        dir_host->hint(ctx, "the file system or a limit of the process (ulimit -f) does not allow files that large");
    else if (error == EDQUOT)
        dir_host->hint(ctx, "the quota of '%s' is used up", self->path);
    else if (statvfs(self->path, &fs) == 0)
        dir_host->hint(
            ctx, "%llu bytes are free in '%s'; give it more room, or shorten [retention] and run 'holdfast prune'",
            (unsigned long long)fs.f_bavail * fs.f_frsize, self->path);
}

int dir_fail(const struct dir *self, struct hf_ctx *ctx, int error, const char *verb, const char *name)
{
    int code = code_of(error);
    dir_host->fail(ctx, code, "cannot %s '%s%s%s': %s", verb, self->path, name ? "/" : "", name ? name : "",
                   strerror(error));
    if (code == HF_E_NOSPACE)
        hint_space(self, ctx, error);
    else if (error == EROFS)
        dir_host->hint(ctx, "the file system is mounted read-only");
    else if (code == HF_E_AUTH)
        dir_host->hint(ctx, "user id %u needs read, write and search permission on '%s'", (unsigned)geteuid(),
                       self->path);
    return code;
}

static int fail_missing(const struct dir *self, struct hf_ctx *ctx)
{
    dir_host->fail(ctx, HF_E_UNREACHABLE, "the folder '%s' does not exist", self->path);
    return dir_host->hint(ctx, "mount its disk, or make it: mkdir -p '%s'", self->path);
}

int dir_folder_open(const struct dir *self, struct hf_ctx *ctx, int *ret_fd)
{
    int fd = open(self->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        *ret_fd = fd;
        return HF_OK;
    }
    if (errno == ENOENT)
        return self->create ? HF_E_NOTFOUND : fail_missing(self, ctx);
    if (errno == ENOTDIR)
        return dir_host->fail(ctx, HF_E_IO, "'%s' is not a folder", self->path);
    return dir_fail(self, ctx, errno, "open", NULL);
}

/* Makes one folder, if it is missing, and its name durable. */
static int make_one(const struct dir *self, struct hf_ctx *ctx, const char *path)
{
    if (mkdir(path, FOLDER_MODE) != 0)
        return errno == EEXIST ? HF_OK : dir_fail(self, ctx, errno, "make", NULL);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int parent = fd >= 0 ? openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int status = parent >= 0 ? dir_folder_sync(self, ctx, parent) : dir_fail(self, ctx, errno, "make", NULL);
    dir_close(&parent);
    dir_close(&fd);
    return status;
}

/* Makes the path's folders from the top. */
static int make_folders(const struct dir *self, struct hf_ctx *ctx)
{
    char *path = strdup(self->path);
    int status = path ? HF_OK : dir_host->fail(ctx, HF_E_NOMEM, "out of memory");
    for (char *at = path; status == HF_OK && at;) {
        at = strchr(at + 1, '/');
        if (at)
            *at = 0;
        status = make_one(self, ctx, path);
        if (at)
            *at = '/';
    }
    free(path);
    return status;
}

int dir_folder_make(const struct dir *self, struct hf_ctx *ctx, int *ret_fd)
{
    int status = dir_folder_open(self, ctx, ret_fd);
    if (status != HF_E_NOTFOUND)
        return status;
    status = make_folders(self, ctx);
    if (status == HF_OK)
        status = dir_folder_open(self, ctx, ret_fd);
    return status == HF_E_NOTFOUND ? fail_missing(self, ctx) : status;
}

int dir_folder_same(const struct dir *self, struct hf_ctx *ctx, int fd)
{
    struct stat opened, now;
    if (fstat(fd, &opened) != 0)
        return dir_fail(self, ctx, errno, "look at", NULL);
    if (stat(self->path, &now) == 0 && opened.st_dev == now.st_dev && opened.st_ino == now.st_ino)
        return HF_OK;
    dir_host->fail(ctx, HF_E_UNREACHABLE, "the folder '%s' was removed or replaced while a backup was written to it",
                   self->path);
    return dir_host->hint(ctx, "was its disk mounted or unmounted meanwhile?");
}

int dir_folder_sync(const struct dir *self, struct hf_ctx *ctx, int fd)
{
    /* EINVAL: file systems like CIFS have nothing to flush here. */
    if (fsync(fd) != 0 && errno != EINVAL)
        return dir_fail(self, ctx, errno, "flush", NULL);
    return HF_OK;
}

bool dir_key_valid(const char *key)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strlen(key);
    return length > 0 && length <= KEY_MAX && key[0] != '.' && strspn(key, allowed) == length;
}

int dir_key_check(struct hf_ctx *ctx, const char *key)
{
    if (dir_key_valid(key))
        return HF_OK;
    return dir_host->fail(ctx, HF_E_REFUSED, "'%s' cannot be the name of an object", key);
}

int dir_partial_name(struct hf_ctx *ctx, const char *key, char *name)
{
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return dir_host->fail(ctx, HF_E_FAIL, "cannot get random bytes: %s", strerror(errno));
    int length = snprintf(name, DIR_PARTIAL_NAME_MAX + 1, DIR_PARTIAL_PREFIX "%.*s.%016llx", DIR_PARTIAL_KEY_MAX, key,
                          (unsigned long long)random);
    return length > 0 && length <= DIR_PARTIAL_NAME_MAX ? HF_OK
                                                        : dir_host->fail(ctx, HF_E_FAIL, "name '%s' is too long", key);
}
