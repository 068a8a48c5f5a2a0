/* SPDX-License-Identifier: Apache-2.0
 *
 * One file into the tar.
 */
#include "files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_EXTENTS 4096 /* a file with more pieces is stored without its holes */

struct source_file {
    struct entry_job *job;
    const struct entry_item *item;
    int fd;
    struct stat st;
    bool changed; /* reported once */
};

static int report(struct entry_job *job, int severity, const char *code, const char *path, const char *text)
{
    return job->self->host->finding(job->ctx, severity, code, TAR_SHOW(path), "%s", text);
}

static int changed(struct source_file *file, const char *how)
{
    if (file->changed)
        return HF_OK;
    file->changed = true;
    return report(file->job, HF_WARNING, "file-changed", file->item->path, how);
}

/* A failure to look at one file: what does not speak of a failing machine is reported, and the file left out. */
static int cannot(struct entry_job *job, const char *doing, const char *path)
{
    char why[128];
    if (errno == EIO || errno == ENOMEM || errno == EMFILE || errno == ENFILE || errno == EUCLEAN)
        return files_errno(job->self->host, job->ctx, doing, path);
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO)
        return report(job, HF_WARNING, "file-vanished", path, "vanished while it was backed up");
    return job->self->host->finding(job->ctx, HF_ERROR, "unreadable", TAR_SHOW(path),
                                    "cannot be read, and is not in the backup: %s",
                                    strerror_r(errno, why, sizeof(why)));
}

static int no_digest(struct entry_job *job)
{
    return job->self->host->fail(job->ctx, HF_E_FAIL, "compute a checksum");
}

static int open_path(struct entry_job *job, const struct root *root, const char *path, mode_t type, struct stat *st)
{
    char real[TAR_MAX_PATH + 1];
    if (walk_real(root, path, real) < 0) {
        errno = ENAMETOOLONG;
        return -1;
    }
    /* O_NONBLOCK: should a fifo have taken a file's place. */
    int fd = tar_open_beneath(job->slash_fd, real, S_ISREG(type) ? O_RDONLY | O_NONBLOCK | O_NOCTTY : O_PATH, 0);
    if (fd >= 0 && fstat(fd, st) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* The carrier's name is gone, but another name of the same file may still be there. */
static int open_other(struct entry_job *job, const struct entry_item *item, struct stat *st)
{
    char *path = NULL;
    const struct root *root;
    int saved = errno, fd = -1;
    if (!inode_other(job->inodes, item->inode, &path, &root)) {
        errno = saved;
        return -1;
    }
    fd = open_path(job, root, path, item->type, st);
    if (fd >= 0 && !inode_is(item->inode, st)) {
        close(fd);
        fd = -1;
    }
    free(path);
    if (fd < 0)
        job->self->host->finding(job->ctx, HF_ERROR, "link-lost", TAR_SHOW(item->path),
                                 "the file that other names in the backup are hard links to could not be read");
    errno = saved;
    return fd;
}

static void fill(struct archive_entry *entry, const struct entry_item *item, const struct stat *st)
{
    archive_entry_clear(entry);
    archive_entry_set_pathname(entry, item->path + 1);
    archive_entry_set_mode(entry, st->st_mode);
    archive_entry_set_uid(entry, st->st_uid);
    archive_entry_set_gid(entry, st->st_gid);
    archive_entry_set_mtime(entry, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
    archive_entry_set_size(entry, 0);
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
        archive_entry_set_rdev(entry, st->st_rdev);
}

static int put_header(struct entry_job *job, const char *path)
{
    int code = tar_out_entry(job->out, job->entry);
    if (code < 0)
        return job->self->host->fail(job->ctx, code, "back up '%s'", TAR_SHOW(path));
    return digest_entry(job->digest, job->entry) < 0 ? no_digest(job) : HF_OK;
}

static int put(struct entry_job *job, const void *data, size_t size)
{
    int code = tar_out_data(job->out, data, size);
    if (code < 0)
        return code;
    return digest_data(job->digest, data, size) < 0 ? no_digest(job) : HF_OK;
}

static int put_zeros(struct entry_job *job, int64_t size)
{
    static const char zeros[256 * 1024];
    for (int code; size > 0; size -= (int64_t)sizeof(zeros))
        if (job->self->host->cancelled(job->ctx)) /* a map's holes never reach the writer, which would say so */
            return HF_E_CANCELLED;
        else if ((code = put(job, zeros, size < (int64_t)sizeof(zeros) ? (size_t)size : sizeof(zeros))) < 0)
            return code;
    return HF_OK;
}

/* As many bytes as there are, up to size; -1 and errno. */
static ssize_t read_full(int fd, char *data, size_t size, int64_t offset)
{
    size_t used = 0;
    while (used < size) {
        ssize_t n = pread(fd, data + used, size - used, offset + (int64_t)used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    return (ssize_t)used;
}

/* Bytes [from, to) of the file; what is no longer there becomes zeros. */
static int put_range(struct source_file *file, int64_t from, int64_t to)
{
    struct entry_job *job = file->job;
    while (from < to) {
        size_t want = to - from < ENTRY_BUFFER ? (size_t)(to - from) : ENTRY_BUFFER;
        ssize_t got = read_full(file->fd, job->buffer, want, from);
        if (got < 0)
            return files_errno(job->self->host, job->ctx, "read", file->item->path);
        int code = got ? put(job, job->buffer, (size_t)got) : HF_OK;
        from += got;
        if (code == HF_OK && (size_t)got < want) {
            code = changed(file, "shrank while it was read; what was missing is zeros in the backup");
            return code < 0 ? code : put_zeros(job, to - from);
        }
        if (code < 0)
            return code;
    }
    return HF_OK;
}

/* Notes the pieces of a file with holes in its entry. */
static void map_holes(struct source_file *file)
{
    struct archive_entry *entry = file->job->entry;
    int64_t size = file->st.st_size, at = 0;
    if ((int64_t)file->st.st_blocks * 512 >= size || size < 64 * 1024)
        return;
    for (int extents = 0; at < size; extents++) {
        off_t data = lseek(file->fd, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            data = size;
        off_t hole = data < 0 || data >= size ? data : lseek(file->fd, data, SEEK_HOLE);
        if (data < 0 || hole < 0 || extents == MAX_EXTENTS || (data == 0 && hole >= size)) {
            archive_entry_sparse_clear(entry);
            return;
        }
        if (data > size)
            data = size;
        if (hole > size)
            hole = size;
        archive_entry_sparse_add_entry(entry, data, hole - data);
        at = hole;
    }
}

static int put_pieces(struct source_file *file)
{
    struct archive_entry *entry = file->job->entry;
    int64_t size = file->st.st_size, at = 0;
    la_int64_t offset, length;
    if (archive_entry_sparse_reset(entry) == 0)
        return put_range(file, 0, size);
    int code = HF_OK;
    while (code == HF_OK && archive_entry_sparse_next(entry, &offset, &length) == ARCHIVE_OK) {
        code = put_zeros(file->job, offset - at);
        if (code == HF_OK)
            code = put_range(file, offset, offset + length);
        at = offset + length;
    }
    return code < 0 ? code : put_zeros(file->job, size - at);
}

/* A small file is read before its header is written, so that its size is the true one. */
static int put_small(struct source_file *file)
{
    struct entry_job *job = file->job;
    size_t size = (size_t)file->st.st_size;
    ssize_t got = read_full(file->fd, job->buffer, size < ENTRY_BUFFER ? size + 1 : size, 0);
    if (got < 0)
        return files_errno(job->self->host, job->ctx, "read", file->item->path);
    int code = HF_OK;
    if ((size_t)got > size) {
        got = (ssize_t)size;
        code = changed(file, "grew while it was read; the backup has its first part");
    } else if ((size_t)got < size) {
        code = changed(file, "shrank while it was read");
    }
    archive_entry_set_size(job->entry, got);
    if (code == HF_OK)
        code = put_header(job, file->item->path);
    return code == HF_OK && got ? put(job, job->buffer, (size_t)got) : code;
}

static int put_file(struct source_file *file)
{
    struct entry_job *job = file->job;
    struct stat after;
    int code;
    archive_entry_set_size(job->entry, file->st.st_size);
    map_holes(file);
    if (file->st.st_size <= ENTRY_BUFFER && archive_entry_sparse_count(job->entry) == 0) {
        code = put_small(file);
    } else {
        posix_fadvise(file->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        code = put_header(job, file->item->path);
        if (code == HF_OK)
            code = put_pieces(file);
    }
    if (code < 0)
        return code;
    if (fstat(file->fd, &after) < 0)
        return files_errno(job->self->host, job->ctx, "look at", file->item->path);
    if (after.st_size != file->st.st_size || after.st_mtim.tv_sec != file->st.st_mtim.tv_sec ||
        after.st_mtim.tv_nsec != file->st.st_mtim.tv_nsec)
        return changed(file, "changed while it was read; its parts may be of different times");
    return HF_OK;
}

static int put_link_target(struct source_file *file)
{
    struct entry_job *job = file->job;
    ssize_t length = readlinkat(file->fd, "", job->buffer, TAR_MAX_PATH + 1);
    if (length < 0 || length > TAR_MAX_PATH) {
        errno = length < 0 ? errno : ENAMETOOLONG;
        return cannot(job, "read the link", file->item->path);
    }
    job->buffer[length] = 0;
    archive_entry_set_symlink(job->entry, job->buffer);
    return put_header(job, file->item->path);
}

static int put_opened(struct source_file *file)
{
    struct entry_job *job = file->job;
    const struct entry_item *item = file->item;
    fill(job->entry, item, &file->st);
    if (item->inode && !item->carrier) {
        if (!inode_is(item->inode, &file->st))
            return changed(file, "became another file while it was backed up, and is not in the backup");
        archive_entry_set_hardlink(job->entry, inode_carrier(item->inode));
        return put_header(job, item->path);
    }
    if (job->self->xattrs && tar_attrs_add(job->entry, file->fd) < 0) {
        char why[128];
        int code = job->self->host->finding(job->ctx, HF_ERROR, "attributes-unreadable", TAR_SHOW(item->path),
                                            "its extended attributes cannot be read, and are not in the backup: %s",
                                            strerror_r(errno, why, sizeof(why)));
        if (code < 0)
            return code;
    }
    if (S_ISREG(file->st.st_mode))
        return put_file(file);
    return S_ISLNK(file->st.st_mode) ? put_link_target(file) : put_header(job, item->path);
}

int entry_write(struct entry_job *job, const struct entry_item *item)
{
    struct source_file file = {.job = job, .item = item};
    if (job->self->host->cancelled(job->ctx))
        return HF_E_CANCELLED;
    /* A link's own bytes are its target's: it need not be readable. */
    mode_t type = item->inode && !item->carrier ? S_IFLNK : item->type;
    file.fd = open_path(job, item->root, item->path, type, &file.st);
    if (file.fd < 0 && item->carrier)
        file.fd = open_other(job, item, &file.st);
    if (file.fd < 0)
        return cannot(job, "open", item->path);
    int code;
    if ((file.st.st_mode & S_IFMT) != item->type)
        code = changed(&file, "became something else while it was backed up, and is not in the backup");
    else
        code = put_opened(&file);
    close(file.fd); /* only read */
    if (code == HF_OK)
        code = tar_out_entry_end(job->out);
    return code;
}
