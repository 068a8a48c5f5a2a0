/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/text.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int hf_file_read(struct hf_ctx *ctx, const char *path, size_t max_bytes, char **ret_data, size_t *ret_size)
{
    hf_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return hf_fail_errno(ctx, errno, "read '%s'", path);
    if (S_ISDIR(status.st_mode))
        return hf_fail_errno(ctx, EISDIR, "read '%s'", path);
    size_t room = 4096, used = 0;
    if (S_ISREG(status.st_mode) && (uint64_t)status.st_size < max_bytes)
        room = (size_t)status.st_size + 2; /* one for the NUL, one to see the end without growing */
    hf_auto_free char *data = hf_alloc(room);
    for (;;) {
        if (used + 1 == room) {
            room *= 2;
            data = hf_realloc_array(data, room, 1);
        }
        ssize_t got = read(fd, data + used, room - used - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return hf_fail_errno(ctx, errno, "read '%s'", path);
        if (got == 0)
            break;
        used += (size_t)got;
        if (used > max_bytes)
            return hf_fail(ctx, HF_E_UNSUPPORTED, "read '%s': larger than %zu bytes", path, max_bytes);
    }
    data[used] = '\0';
    *ret_data = hf_steal(data);
    if (ret_size)
        *ret_size = used;
    return HF_OK;
}

/* Returns an errno. Parents are touched only when the folder itself cannot be made: they may be on automounts, or not
 * ours to search. */
static int make_dirs(char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return 0;
    if (errno != ENOENT)
        return errno;
    char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return ENOENT;
    *slash = '\0';
    int failure = make_dirs(path, mode);
    *slash = '/';
    if (failure)
        return failure;
    return mkdir(path, mode) == 0 || errno == EEXIST ? 0 : errno;
}

int hf_file_make_dirs(struct hf_ctx *ctx, const char *path, mode_t mode)
{
    hf_auto_text struct hf_text plain = {0}; /* one '/' between names, none at the end */
    hf_text_add(&plain, "");
    for (const char *p = path; *p; p++)
        if (*p != '/' || (p[1] != '/' && p[1] != '\0') || (p[1] == '\0' && plain.length == 0))
            hf_text_add_bytes(&plain, p, 1);
    struct stat status;
    int failure = make_dirs(plain.data, mode);
    if (failure == 0 && stat(plain.data, &status) < 0)
        failure = errno;
    if (failure == 0 && !S_ISDIR(status.st_mode))
        failure = ENOTDIR;
    return failure ? hf_fail_errno(ctx, failure, "make folder '%s'", path) : HF_OK;
}

static int remove_contents(struct hf_ctx *ctx, int fd, const char *path, dev_t device);

/* Removes one name below `parent`; `path` is for messages. */
static int remove_entry(struct hf_ctx *ctx, int parent, const char *name, const char *path, const dev_t *device)
{
    struct stat status;
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? HF_OK : hf_fail_errno(ctx, errno, "remove '%s'", path);
    if (!S_ISDIR(status.st_mode)) {
        if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
            return HF_OK;
        return hf_fail_errno(ctx, errno, "remove '%s'", path);
    }
    if (device && status.st_dev != *device)
        return hf_fail(ctx, HF_E_BUSY, "remove '%s': another file system is mounted there", path);
    /* A folder restored with its own mode may forbid even us to empty it. */
    if ((status.st_mode & S_IRWXU) != S_IRWXU && fchmodat(parent, name, status.st_mode | S_IRWXU, 0) < 0)
        return hf_fail_errno(ctx, errno, "remove '%s'", path);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return hf_fail_errno(ctx, errno, "remove '%s'", path);
    int result = remove_contents(ctx, fd, path, status.st_dev);
    if (result < 0)
        return result;
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return hf_fail_errno(ctx, errno, "remove '%s'", path);
    return HF_OK;
}

/* Takes over `fd`. */
static int remove_contents(struct hf_ctx *ctx, int fd, const char *path, dev_t device)
{
    DIR *folder = fdopendir(fd);
    if (!folder) {
        int failure = errno;
        close(fd);
        return hf_fail_errno(ctx, failure, "remove '%s'", path);
    }
    int result = HF_OK;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry) {
            if (errno)
                result = hf_fail_errno(ctx, errno, "remove '%s'", path);
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        hf_auto_free char *below = hf_path_join(path, entry->d_name);
        result = remove_entry(ctx, dirfd(folder), entry->d_name, below, &device);
        if (result < 0)
            break;
    }
    closedir(folder);
    return result;
}

int hf_file_remove_tree(struct hf_ctx *ctx, const char *path)
{
    return remove_entry(ctx, AT_FDCWD, path, path, NULL);
}

static int lock_busy(struct hf_ctx *ctx, int fd, const char *path)
{
    char holder[32] = "";
    ssize_t got = pread(fd, holder, sizeof holder - 1, 0);
    holder[got > 0 ? got : 0] = '\0';
    holder[strspn(holder, "0123456789")] = '\0';
    hf_fail(ctx, HF_E_BUSY, "'%s' is locked by another run%s%s%s", path, *holder ? " (process " : "", holder,
            *holder ? ")" : "");
    return HF_E_BUSY;
}

int hf_file_lock(struct hf_ctx *ctx, const char *path, int *ret_fd)
{
    const char *slash = strrchr(path, '/');
    if (slash && slash != path) {
        hf_auto_free char *folder = hf_strndup(path, (size_t)(slash - path));
        int result = hf_file_make_dirs(ctx, folder, 0700);
        if (result < 0)
            return result;
    }
    for (;;) {
        hf_auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return hf_fail_errno(ctx, errno, "open lock file '%s'", path);
        int locked;
        do
            locked = flock(fd, LOCK_EX | LOCK_NB);
        while (locked < 0 && errno == EINTR);
        if (locked < 0)
            return errno == EWOULDBLOCK ? lock_busy(ctx, fd, path) : hf_fail_errno(ctx, errno, "lock '%s'", path);
        /* Whoever removed the file between our open and our lock left us a lock that nobody else will see. */
        struct stat ours, named;
        if (fstat(fd, &ours) < 0)
            return hf_fail_errno(ctx, errno, "lock '%s'", path);
        if (lstat(path, &named) < 0) {
            if (errno == ENOENT)
                continue;
            return hf_fail_errno(ctx, errno, "lock '%s'", path);
        }
        if (ours.st_dev != named.st_dev || ours.st_ino != named.st_ino)
            continue;
        /* For people only: the lock holds without it, and a full disk must not keep a run from making room. */
        char pid[32];
        int length = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
        if (ftruncate(fd, 0) == 0) {
            ssize_t written = pwrite(fd, pid, (size_t)length, 0);
            (void)written;
        }
        *ret_fd = hf_steal_fd(&fd);
        return HF_OK;
    }
}

char *hf_path_join(const char *folder, const char *name)
{
    if (name[0] == '/' || folder[0] == '\0')
        return hf_strdup(name);
    return hf_strf("%s%s%s", folder, hf_text_ends(folder, "/") ? "" : "/", name);
}

const char *hf_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int hf_path_absolute(struct hf_ctx *ctx, const char *path, char **ret_path)
{
    hf_auto_free char *folder = path[0] == '/' ? hf_strdup("/") : getcwd(NULL, 0);
    if (!folder)
        return hf_fail_errno(ctx, errno, "find the current folder");
    *ret_path = hf_path_join(folder, path);
    return HF_OK;
}
