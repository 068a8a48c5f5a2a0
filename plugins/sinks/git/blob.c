/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of objects, in and out. Git stores a blob compressed and as one piece, so a range of it costs the whole:
 * the one that was read last is kept decoded, small ones in memory, others in a file. What 'git gc' has packed, libgit2
 * gives only as a whole in memory.
 */
#include "git.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IN_MEMORY = 4 << 20, PIECE = 256 << 10 };

struct gs_blob {
    struct gs *self;
    git_oid oid;
    uint64_t bytes;
    unsigned users;
    git_odb_object *object; /* NULL: in the file */
    int fd;
};

int gs_temp_file(struct hf_ctx *ctx, int *ret_fd)
{
    const char *folder = gs_host->tempdir(ctx);
    if (!folder)
        return HF_E_IO; /* the reason is recorded */
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) { /* not every file system has files without a name */
        char path[4352];
        snprintf(path, sizeof(path), "%s/git.XXXXXX", folder);
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
            (void)unlink(path); /* the folder goes anyway */
    }
    if (fd < 0)
        return gs_host->fail(ctx, HF_E_IO, "cannot make a file in '%s': %s", folder, strerror(errno));
    *ret_fd = fd;
    return HF_OK;
}

static int write_all(struct hf_ctx *ctx, int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t wrote = write(fd, data, size);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return gs_host->fail(ctx, errno == ENOSPC ? HF_E_NOSPACE : HF_E_IO, "cannot write to temp_dir: %s",
                                 strerror(errno));
        data += wrote;
        size -= (size_t)wrote;
    }
    return HF_OK;
}

void gs_blob_release(struct gs_blob *blob)
{
    if (!blob || --blob->users > 0)
        return;
    git_odb_object_free(blob->object);
    if (blob->fd >= 0)
        (void)close(blob->fd);
    free(blob);
}

static int load_whole(struct gs_blob *blob, struct hf_ctx *ctx, git_odb *odb)
{
    int rc = git_odb_read(&blob->object, odb, &blob->oid);
    if (rc != 0)
        return gs_fail(blob->self, ctx, rc, "cannot read object %s of '%s'", git_oid_tostr_s(&blob->oid),
                       blob->self->path);
    blob->bytes = git_odb_object_size(blob->object);
    return HF_OK;
}

/* Through a stream into a file; a packed object has none. */
static int load_streamed(struct gs_blob *blob, struct hf_ctx *ctx, git_odb *odb)
{
    git_odb_stream *stream = NULL;
    git_object_t type;
    size_t size = 0;
    char *piece = NULL;
    if (git_odb_open_rstream(&stream, &size, &type, odb, &blob->oid) != 0)
        return load_whole(blob, ctx, odb);
    int status = gs_temp_file(ctx, &blob->fd);
    if (status == HF_OK && !(piece = malloc(PIECE)))
        status = gs_fail_nomem(ctx);
    for (uint64_t left = blob->bytes; status == HF_OK && left > 0;) {
        int got = git_odb_stream_read(stream, piece, left < PIECE ? (size_t)left : PIECE);
        if (got <= 0)
            status = gs_fail(blob->self, ctx, GIT_EMISMATCH, "object %s of '%s' ends too early",
                             git_oid_tostr_s(&blob->oid), blob->self->path);
        else
            status = write_all(ctx, blob->fd, piece, (size_t)got);
        left -= got > 0 ? (uint64_t)got : 0;
    }
    free(piece);
    git_odb_stream_free(stream);
    return status;
}

int gs_blob_hold(struct gs *self, struct hf_ctx *ctx, const git_oid *oid, uint64_t bytes, struct gs_blob **ret_blob)
{
    git_odb *odb = NULL;
    if (self->held && git_oid_equal(&self->held->oid, oid)) {
        self->held->users++;
        *ret_blob = self->held;
        return HF_OK;
    }
    struct gs_blob *blob = calloc(1, sizeof(*blob));
    if (!blob)
        return gs_fail_nomem(ctx);
    *blob = (struct gs_blob){.self = self, .oid = *oid, .bytes = bytes, .users = 1, .fd = -1};
    int rc = git_repository_odb(&odb, self->repo);
    int status = rc != 0              ? gs_fail(self, ctx, rc, "cannot open '%s'", self->path)
                 : bytes <= IN_MEMORY ? load_whole(blob, ctx, odb)
                                      : load_streamed(blob, ctx, odb);
    git_odb_free(odb);
    if (status != HF_OK) {
        gs_blob_release(blob);
        return status;
    }
    gs_blob_release(self->held);
    self->held = blob;
    blob->users++;
    *ret_blob = blob;
    return HF_OK;
}

int64_t gs_blob_read(struct gs_blob *blob, struct hf_ctx *ctx, uint64_t offset, void *data, size_t size)
{
    if (offset >= blob->bytes)
        return 0;
    if (size > blob->bytes - offset)
        size = (size_t)(blob->bytes - offset);
    if (blob->object) {
        memcpy(data, (const char *)git_odb_object_data(blob->object) + offset, size);
        return (int64_t)size;
    }
    ssize_t got = pread(blob->fd, data, size, (off_t)offset);
    return got > 0 ? got
                   : gs_host->fail(ctx, HF_E_IO, "cannot read in temp_dir: %s", got < 0 ? strerror(errno) : "it ends");
}

int gs_blob_store(struct gs *self, struct hf_ctx *ctx, int fd, uint64_t size, git_oid *ret_oid)
{
    git_odb *odb = NULL;
    git_odb_stream *stream = NULL;
    char *piece = malloc(PIECE);
    if (!piece)
        return gs_fail_nomem(ctx);
    int status = HF_OK, rc = git_repository_odb(&odb, self->repo);
    if (rc == 0)
        rc = git_odb_open_wstream(&stream, odb, size, GIT_OBJECT_BLOB);
    for (uint64_t at = 0; rc == 0 && status == HF_OK && at < size;) {
        ssize_t got = pread(fd, piece, PIECE, (off_t)at);
        if (got <= 0)
            status = gs_host->fail(ctx, HF_E_IO, "cannot read in temp_dir: %s", got < 0 ? strerror(errno) : "it ends");
        else if (gs_host->cancelled(ctx))
            status = HF_E_CANCELLED;
        else
            rc = git_odb_stream_write(stream, piece, (size_t)got);
        at += got > 0 ? (uint64_t)got : 0;
    }
    if (rc == 0 && status == HF_OK)
        rc = git_odb_stream_finalize_write(ret_oid, stream);
    if (rc != 0)
        status = gs_fail(self, ctx, rc, "cannot store an object in '%s'", self->path);
    git_odb_stream_free(stream);
    git_odb_free(odb);
    free(piece);
    return status;
}
