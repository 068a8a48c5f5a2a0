/* SPDX-License-Identifier: Apache-2.0
 *
 * One run at a time writes a profile's backups into a folder. The core's own lock lies in its state folder, which a run
 * of another user or on another machine does not share; to sweep then would be to take away what it is writing.
 *
 * The lock is flock() on a hidden file that is made when it is missing and removed by its holder. A crash leaves the
 * file but not the lock, and the next run takes it over.
 */
#include "dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { ATTEMPTS = 20, LOCK_MODE = 0644 };

/* O_RDWR: without it, NFS gives no exclusive lock. Another user's file can only be read. */
static int open_lock(int folder, const char *name)
{
    static const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int fd = openat(folder, name, O_RDWR | flags);
    if (fd < 0 && (errno == EACCES || errno == EPERM))
        fd = openat(folder, name, O_RDONLY | flags);
    return fd >= 0 || errno != ENOENT ? fd : openat(folder, name, O_RDWR | O_CREAT | O_EXCL | flags, LOCK_MODE);
}

/* Its holder may have removed it between our open and our lock. */
static bool is_current(int folder, const char *name, int fd)
{
    struct stat ours, there;
    return fstat(fd, &ours) == 0 && fstatat(folder, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static int fail_locked(const struct dir *self, struct hf_ctx *ctx, const char *prefix)
{
    dir_host->fail(ctx, HF_E_BUSY, "another run is writing to '%s/%s*'", self->path, prefix);
    return dir_host->hint(ctx, "it has another state_dir, so it is of another user or on another machine; wait for it "
                               "to end, and give each a profile name or a folder of its own");
}

/* Not all file systems have locks: some network shares are mounted without. */
static int tell_unlockable(const struct dir *self, struct hf_ctx *ctx, const char *name, int error)
{
    dir_host->log(ctx, HF_LOG_WARNING,
                  "cannot lock '%s/%s': %s; two machines that back up to it at once would not notice each other",
                  self->path, name, strerror(error));
    return HF_OK;
}

void dir_unlock(struct dir *self)
{
    if (self->lock < 0)
        return;
    (void)unlinkat(self->lock_folder, self->lock_name, 0); /* a file that stays is not locked any more */
    dir_close(&self->lock);
    dir_close(&self->lock_folder);
}

int dir_lock(struct dir *self, struct hf_ctx *ctx, int folder, const char *prefix)
{
    char name[sizeof(self->lock_name)];
    snprintf(name, sizeof(name), DIR_LOCK_PREFIX "%.*s", DIR_PARTIAL_KEY_MAX, prefix);
    if (self->lock >= 0 && !strcmp(name, self->lock_name))
        return HF_OK;
    dir_unlock(self);
    for (int i = 0; i < ATTEMPTS; i++) {
        int fd = open_lock(folder, name);
        if (fd < 0 && errno == EEXIST)
            continue;
        if (fd < 0)
            return HF_OK; /* who cannot make a file here cannot write a backup either, and hears it then */
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            int error = errno;
            dir_close(&fd);
            return error == EWOULDBLOCK ? fail_locked(self, ctx, prefix) : tell_unlockable(self, ctx, name, error);
        }
        int again = is_current(folder, name, fd) ? fcntl(folder, F_DUPFD_CLOEXEC, 0) : -1;
        if (again >= 0) {
            self->lock = fd;
            self->lock_folder = again;
            memcpy(self->lock_name, name, sizeof(name));
            return HF_OK;
        }
        dir_close(&fd);
    }
    return fail_locked(self, ctx, prefix);
}
