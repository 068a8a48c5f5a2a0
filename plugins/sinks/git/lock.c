/* SPDX-License-Identifier: Apache-2.0
 *
 * Two locks, both flock(), so that a crash leaves none.
 *
 * One is for the repository, held while refs are changed. Git's own locks are files, KEY.lock and packed-refs.lock,
 * which a crash does leave, and which then would be in everybody's way: so the holder marks the lock's file, and who
 * finds it marked knows that its holder crashed, and takes such files away.
 *
 * The other is for a run: the core's lock lies in its state folder, which a run of another user does not share.
 */
#include "git.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { WAIT_MS = 50, WAITS = 12000, FTW_FDS = 16, LOCK_MODE = 0660 };

static int open_lock(struct gs *self, struct hf_ctx *ctx, const char *name, int *ret_fd)
{
    char path[4352];
    snprintf(path, sizeof(path), "%s/%s", self->path, name);
    *ret_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LOCK_MODE);
    return *ret_fd >= 0 ? HF_OK : gs_fail_errno(self, ctx, errno, "cannot open the lock '%s'", path);
}

static int remove_lock(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    const char *dot = strrchr(path, '.');
    (void)st, (void)ftw;
    if (kind == FTW_F && dot && !strcmp(dot, ".lock"))
        (void)unlink(path); /* one that stays is in the way of the call that needs it, and that says so */
    return 0;
}

/* A crash between here and gs_unlock(). */
static void tidy(const char *repository)
{
    static const char *const folders[] = {"refs/holdfast", "refs/holdfast-pending", "refs/holdfast-partial",
                                          "refs/holdfast-fetched", "refs/heads/holdfast"};
    char path[4352];
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        snprintf(path, sizeof(path), "%s/%s", repository, folders[i]);
        (void)nftw(path, remove_lock, FTW_FDS, FTW_PHYS); /* those that are not there hold no locks */
    }
    static const char *const files[] = {"packed-refs.lock", "HEAD.lock"};
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        snprintf(path, sizeof(path), "%s/%s", repository, files[i]);
        (void)unlink(path);
    }
}

int gs_lock(struct gs *self, struct hf_ctx *ctx, int *ret_lock)
{
    int fd = -1, status = open_lock(self, ctx, "holdfast.lock", &fd);
    for (int i = 0; status == HF_OK && flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK)
            status = gs_fail_errno(self, ctx, errno, "cannot lock '%s/holdfast.lock'", self->path);
        else if (i == WAITS)
            status = gs_host->fail(ctx, HF_E_BUSY, "the repository '%s' has been locked by another run for %d minutes",
                                   self->path, WAIT_MS * WAITS / 60000);
        else
            status = gs_host->sleep_ms(ctx, WAIT_MS);
    }
    char mark = 0;
    if (status == HF_OK && pread(fd, &mark, 1, 0) == 1) {
        tidy(self->path);
        if (self->remote && strncmp(self->remote, "file://", 7) == 0) /* it is this process that writes there, too */
            tidy(self->remote + 7);
    }
    if (status == HF_OK && pwrite(fd, "!", 1, 0) != 1)
        status = gs_fail_errno(self, ctx, errno, "cannot write to '%s/holdfast.lock'", self->path);
    if (status != HF_OK) {
        if (fd >= 0)
            (void)close(fd);
        return status;
    }
    *ret_lock = fd;
    return HF_OK;
}

void gs_unlock(int *lock)
{
    if (*lock < 0)
        return;
    int stays = ftruncate(*lock, 0); /* a mark that stays makes the next holder look for what is not there */
    (void)stays;
    (void)close(*lock);
    *lock = -1;
}

void gs_run_unlock(struct gs *self)
{
    char path[4352];
    if (self->run_lock < 0)
        return;
    snprintf(path, sizeof(path), "%s/holdfast-run.%s", self->path, self->run_lock_prefix);
    (void)unlink(path); /* a file that stays is not locked any more */
    (void)close(self->run_lock);
    self->run_lock = -1;
}

/* Its holder may have removed it between our open and our lock. */
static bool is_current(const struct gs *self, const char *name, int fd)
{
    char path[4352];
    struct stat ours, there;
    snprintf(path, sizeof(path), "%s/%s", self->path, name);
    return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}

int gs_run_lock(struct gs *self, struct hf_ctx *ctx, const char *prefix)
{
    char name[GS_KEY_MAX + 32];
    if (self->run_lock >= 0 && !strcmp(prefix, self->run_lock_prefix))
        return HF_OK;
    gs_run_unlock(self);
    snprintf(name, sizeof(name), "holdfast-run.%.*s", GS_KEY_MAX, prefix);
    for (int i = 0; i < 20; i++) {
        int fd = -1, status = open_lock(self, ctx, name, &fd);
        if (status != HF_OK)
            return status;
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            (void)close(fd);
            break;
        }
        if (is_current(self, name, fd)) {
            self->run_lock = fd;
            snprintf(self->run_lock_prefix, sizeof(self->run_lock_prefix), "%s", prefix);
            return HF_OK;
        }
        (void)close(fd);
    }
    gs_host->fail(ctx, HF_E_BUSY, "another run is writing to '%s' under '%s*'", self->path, prefix);
    return gs_host->hint(ctx, "it has another state_dir, so it is of another user; wait for it to end, and give each a "
                              "profile name or a repository of its own");
}
