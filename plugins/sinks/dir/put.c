/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing an object: under a temporary name, flushed, then renamed. The folder is held open from beginning to end, so
 * that all happens in one folder whatever becomes of its path.
 */
#include "dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How often the kernel is told to begin writing, so that the fsync at the end has little left to do. What it was told
 * the time before is then waited for, and leaves the page cache: a backup must neither drive out of it what the
 * machine's other programs need, nor fill it faster than the disk writes. */
#define FLUSH_EVERY ((uint64_t)8 << 20)

struct put {
    const struct dir *self;
    int folder, fd;
    uint64_t written, flushed, dropped; /* written >= flushed (begun) >= dropped (on the disk, out of the cache) */
    uint64_t checked;                   /* so many bytes were found to leave the reserve alone */
    uint64_t taken;                     /* so much of the disk is its own since it began */
    bool prepared, is_record;
    struct stat file; /* once prepared */
    char *key;
    char name[DIR_PARTIAL_NAME_MAX + 1]; /* "" before the file exists */
};

static void put_free(struct put *put)
{
    dir_close(&put->fd);
    dir_close(&put->folder);
    free(put->key);
    free(put);
}

void dir_put_abort(void *opaque, struct hf_ctx *ctx)
{
    struct put *put = opaque;
    dir_close(&put->fd); /* first: over NFS, a file that is open when its name goes stays under another */
    if (put->name[0] && unlinkat(put->folder, put->name, 0) != 0 && errno != ENOENT)
        dir_host->log(ctx, HF_LOG_WARNING, "cannot remove '%s/%s': %s; the next run will", put->self->path, put->name,
                      strerror(errno));
    put_free(put);
}

/* Early and friendly; what decides is the rename. */
static int check_free_name(const struct put *put, struct hf_ctx *ctx)
{
    struct stat st;
    if (fstatat(put->folder, put->key, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return dir_host->fail(ctx, HF_E_EXISTS, "'%s/%s' exists already", put->self->path, put->key);
    return errno == ENOENT ? HF_OK : dir_fail(put->self, ctx, errno, "look at", put->key);
}

/* owner: what the temporary name begins with, so that sweep() finds it. */
static int create_file(struct put *put, struct hf_ctx *ctx, const char *owner)
{
    char name[sizeof(put->name)];
    int status = dir_partial_name(ctx, owner, name);
    if (status != HF_OK)
        return status;
    put->fd = openat(put->folder, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (put->fd < 0)
        return dir_fail(put->self, ctx, errno, "create", name);
    memcpy(put->name, name, sizeof(name));
    return HF_OK;
}

static int take_room(struct dir *self, struct put *put, struct hf_ctx *ctx, uint64_t bytes)
{
    bool taken = false;
    pthread_mutex_lock(&self->room);
    int status = dir_reserve_check(self, ctx, put->folder, bytes, HF_E_NOSPACE);
    if (status == HF_OK)
        status = dir_room_take(self, ctx, put->fd, put->key, bytes, &taken);
    pthread_mutex_unlock(&self->room);
    if (taken)
        put->checked = put->taken = bytes;
    return status;
}

int dir_put_begin(void *opaque, struct hf_ctx *ctx, const struct hf_put_request *request, void **ret_put)
{
    int status = dir_key_check(ctx, request->key);
    if (status == HF_OK && HF_HAS(request, owner))
        status = dir_key_check(ctx, request->owner);
    if (status != HF_OK)
        return status;
    struct put *put = calloc(1, sizeof(*put));
    if (!put)
        return dir_host->fail(ctx, HF_E_NOMEM, "out of memory");
    put->self = opaque;
    put->folder = put->fd = -1;
    put->key = strdup(request->key);
    status =
        put->key ? dir_folder_make(put->self, ctx, &put->folder) : dir_host->fail(ctx, HF_E_NOMEM, "out of memory");
    if (status == HF_OK)
        status = check_free_name(put, ctx);
    put->is_record = dir_is_record(request);
    if (status == HF_OK)
        status = create_file(put, ctx, HF_HAS(request, owner) ? request->owner : request->key);
    if (status == HF_OK && !put->is_record)
        status = take_room(opaque, put, ctx, request->size_hint);
    if (status != HF_OK) {
        dir_put_abort(put, ctx);
        return status;
    }
    *ret_put = put;
    return HF_OK;
}

/* What it says about the disk must not be lost: fsync tells each error only once. That there is no such call for this
 * kind of file is no error. */
static int flush_range(struct put *put, struct hf_ctx *ctx, uint64_t from, uint64_t to, unsigned how)
{
    if (sync_file_range(put->fd, (off_t)from, (off_t)(to - from), how) == 0 || errno == ENOSYS || errno == EINVAL ||
        errno == ESPIPE)
        return HF_OK;
    return dir_fail(put->self, ctx, errno, "write", put->key);
}

static int flush_window(struct put *put, struct hf_ctx *ctx)
{
    const unsigned whole = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    int status = flush_range(put, ctx, put->flushed, put->written, SYNC_FILE_RANGE_WRITE);
    if (status == HF_OK && put->flushed > put->dropped)
        status = flush_range(put, ctx, put->dropped, put->flushed, whole);
    if (status != HF_OK)
        return status;
    /* From the beginning: a large page that lies across the end of a range goes with the next. */
    (void)posix_fadvise(put->fd, 0, (off_t)put->flushed, POSIX_FADV_DONTNEED);
    put->dropped = put->flushed;
    put->flushed = put->written;
    return HF_OK;
}

/* Now and then, and before the first byte: what is not yet on the disk is not yet missing there. */
static int check_reserve(struct put *put, struct hf_ctx *ctx, size_t more)
{
    if (put->is_record || (put->checked > 0 && put->written + more <= put->checked))
        return HF_OK;
    int status = dir_reserve_check(put->self, ctx, put->folder, more, HF_E_NOSPACE);
    put->checked = put->written + more + FLUSH_EVERY;
    return status;
}

int dir_put_write(void *opaque, struct hf_ctx *ctx, const struct hf_block *block)
{
    struct put *put = opaque;
    int status = check_reserve(put, ctx, block->used);
    if (status != HF_OK)
        return status;
    const unsigned char *data = block->data;
    size_t left = block->used;
    while (left > 0) {
        ssize_t wrote = write(put->fd, data, left);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return dir_fail(put->self, ctx, wrote < 0 ? errno : EIO, "write", put->key);
        data += wrote;
        left -= (size_t)wrote;
        put->written += (uint64_t)wrote;
    }
    return put->written - put->flushed >= FLUSH_EVERY ? flush_window(put, ctx) : HF_OK;
}

int dir_put_prepare(void *opaque, struct hf_ctx *ctx)
{
    struct put *put = opaque;
    int status = dir_owner_set(put->self, ctx, put->fd, put->key);
    if (status != HF_OK)
        return status;
    /* It became smaller than was expected, and keeps no more. */
    if (put->taken > put->written && ftruncate(put->fd, (off_t)put->written) != 0)
        return dir_fail(put->self, ctx, errno, "give back what is left over of", put->key);
    if (fstat(put->fd, &put->file) != 0)
        return dir_fail(put->self, ctx, errno, "look at", put->key);
    if (fsync(put->fd) != 0)
        return dir_fail(put->self, ctx, errno, "flush", put->key);
    int fd = put->fd;
    put->fd = -1;
    if (close(fd) != 0)
        return dir_fail(put->self, ctx, errno, "close", put->key);
    put->prepared = true;
    return HF_OK;
}

int dir_put_commit(void *opaque, struct hf_ctx *ctx)
{
    struct put *put = opaque;
    int status = put->prepared ? HF_OK : dir_put_prepare(put, ctx);
    if (status == HF_OK)
        status = dir_folder_same(put->self, ctx, put->folder);
    if (status == HF_OK)
        status = dir_publish(put->self, ctx, put->folder, put->name, put->key, &put->file);
    if (status != HF_OK)
        return status;
    put->name[0] = 0;
    status = dir_folder_sync(put->self, ctx, put->folder);
    if (status == HF_OK)
        status = dir_folder_same(put->self, ctx, put->folder);
    if (status != HF_OK) {
        /* Visible, but not surely durable, or not where it belongs: neither, then. */
        if (unlinkat(put->folder, put->key, 0) != 0)
            dir_host->log(ctx, HF_LOG_WARNING, "cannot remove '%s/%s' again: %s", put->self->path, put->key,
                          strerror(errno));
        return status;
    }
    put_free(put);
    return HF_OK;
}
