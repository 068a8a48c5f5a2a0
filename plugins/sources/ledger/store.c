/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include "ledger.h"
#include "names.h"
#include "util.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#define DEPTH_MAX 64

int store_open(struct store *store, const struct hf_host *host, struct hf_ctx *ctx, struct hf_writer *writer)
{
    *store = (struct store){.host = host, .ctx = ctx};
    store->buffer = malloc(LEDGER_BUFFER);
    store->entry = archive_entry_new();
    int code = store->buffer && store->entry ? HF_OK : host->fail(ctx, HF_E_NOMEM, "out of memory");
    if (code == HF_OK)
        code = tar_out_open(host, ctx, writer, &store->out);
    if (code < 0)
        store_close(store, false, code);
    return code;
}

int store_close(struct store *store, bool last, int status)
{
    if (status < 0)
        tar_out_abort(store->out);
    else
        status = tar_out_close(store->out, last);
    store->out = NULL;
    archive_entry_free(store->entry);
    free(store->buffer);
    *store = (struct store){0};
    return status;
}

static int begin_entry(struct store *store, const char *path, const struct stat *st, uint64_t size)
{
    archive_entry_clear(store->entry);
    archive_entry_copy_stat(store->entry, st);
    archive_entry_copy_pathname(store->entry, path);
    archive_entry_set_nlink(store->entry, 1);
    archive_entry_set_size(store->entry, S_ISREG(st->st_mode) ? (int64_t)size : 0);
    /* Reading moves it, so it would differ each time. */
    archive_entry_unset_atime(store->entry);
    archive_entry_unset_ctime(store->entry);
    return tar_out_entry(store->out, store->entry);
}

int store_folder(struct store *store, const char *path, const struct stat *st)
{
    int code = begin_entry(store, path, st, 0);

    return code < 0 ? code : tar_out_entry_end(store->out);
}

int store_bytes(struct store *store, const char *path, const struct stat *st, const void *data, size_t size)
{
    int code = begin_entry(store, path, st, size);

    if (code == HF_OK && size)
        code = tar_out_data(store->out, data, size);
    return code < 0 ? code : tar_out_entry_end(store->out);
}

int store_file(struct store *store, int fd, const char *path, const struct stat *st, uint64_t size,
               int (*see)(void *arg, const void *data, size_t size), void *arg, uint64_t *ret_short)
{
    bool ended = false;
    uint64_t left = size, lacking = 0;
    int code = begin_entry(store, path, st, size);

    (void)posix_fadvise(fd, 0, (off_t)size, POSIX_FADV_SEQUENTIAL);
    while (code == HF_OK && left) {
        size_t want = left < LEDGER_BUFFER ? (size_t)left : LEDGER_BUFFER;
        ssize_t got = ended ? 0 : read(fd, store->buffer, want);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return store->host->fail(store->ctx, errno_code(errno), "read '%s': %s", path, strerror(errno));
        if (got == 0) {
            ended = true;
            memset(store->buffer, 0, want);
            lacking += want;
            got = (ssize_t)want;
        }
        if (see && see(arg, store->buffer, (size_t)got) < 0)
            return store->host->fail(store->ctx, HF_E_NOMEM, "check '%s': out of memory", path);
        code = tar_out_data(store->out, store->buffer, (size_t)got);
        left -= (uint64_t)got;
    }
    if (code < 0)
        return code;
    *ret_short = lacking;
    return tar_out_entry_end(store->out);
}

int store_left_out(struct store *store, const char *path)
{
    return store->host->finding(store->ctx, HF_ERROR, "left-out", path,
                                "is a link or a special file; only files and folders are backed up");
}

int store_open_file(struct store *store, int dir_fd, const char *name, const char *path, int *ret_fd,
                    struct stat *ret_stat)
{
    AUTO_FD fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return HF_E_NOTFOUND;
    if (fd < 0)
        return store->host->fail(store->ctx, errno_code(errno), "open '%s': %s", path, strerror(errno));
    if (fstat(fd, ret_stat) < 0)
        return store->host->fail(store->ctx, HF_E_IO, "stat '%s': %s", path, strerror(errno));
    if (!S_ISREG(ret_stat->st_mode))
        return store->host->fail(store->ctx, HF_E_IO, "open '%s': it changed into something that is not a file", path);
    *ret_fd = fd;
    fd = -1;
    return HF_OK;
}

static int vanished(struct store *store, const char *path)
{
    return store->host->finding(store->ctx, HF_WARNING, "vanished", path,
                                "was there when the backup began, and is gone");
}

static int store_plain(struct store *store, int dir_fd, const char *name, const char *path)
{
    AUTO_FD fd = -1;
    struct stat st;
    uint64_t lacking = 0;
    int code = store_open_file(store, dir_fd, name, path, &fd, &st);

    if (code == HF_E_NOTFOUND)
        return vanished(store, path);
    if (code == HF_OK)
        code = store_file(store, fd, path, &st, (uint64_t)st.st_size, NULL, NULL, &lacking);
    if (code == HF_OK && lacking)
        code = store->host->finding(store->ctx, HF_ERROR, "file-changed", path,
                                    "became shorter while it was read; %" PRIu64 " bytes are stored as zeros", lacking);
    return code;
}

static int store_level(struct store *store, int dir_fd, const char *name, const char *path, int depth);

static int store_content(struct store *store, int fd, const char *path, int depth)
{
    struct names names = {0};
    int code = names_list(fd, &names);

    if (code < 0)
        return store->host->fail(store->ctx, errno_code(-code), "list '%s': %s", path, strerror(-code));
    for (size_t i = 0; i < names.count && code == HF_OK; i++) {
        AUTO_FREE char *below = NULL;

        if (name_is_left_out(names.items[i]))
            continue;
        if (asprintf(&below, "%s/%s", path, names.items[i]) < 0) {
            below = NULL;
            code = store->host->fail(store->ctx, HF_E_NOMEM, "out of memory");
        } else {
            code = store_level(store, fd, names.items[i], below, depth + 1);
        }
    }
    names_free(&names);
    return code;
}

static int store_level(struct store *store, int dir_fd, const char *name, const char *path, int depth)
{
    struct stat st;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT)
            return vanished(store, path);
        return store->host->fail(store->ctx, errno_code(errno), "stat '%s': %s", path, strerror(errno));
    }
    if (S_ISREG(st.st_mode))
        return store_plain(store, dir_fd, name, path);
    if (!S_ISDIR(st.st_mode))
        return store_left_out(store, path);
    if (depth >= DEPTH_MAX)
        return store->host->fail(store->ctx, HF_E_UNSUPPORTED, "'%s' lies more than %d folders deep", path, DEPTH_MAX);
    AUTO_FD fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return vanished(store, path);
    if (fd < 0)
        return store->host->fail(store->ctx, errno_code(errno), "open '%s': %s", path, strerror(errno));
    int code = store_folder(store, path, &st);
    return code < 0 ? code : store_content(store, fd, path, depth);
}

int store_tree(struct store *store, int dir_fd, const char *name, const char *path)
{
    return store_level(store, dir_fd, name, path, 0);
}
