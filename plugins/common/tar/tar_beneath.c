/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening, making and removing beneath a folder, never through a symbolic link.
 */
#include "tar.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FOLDER (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Closes without touching errno. */
static void drop(int fd)
{
    int saved = errno;
    close(fd);
    errno = saved;
}

static int openat2_beneath(int root_fd, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
        .mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    for (int tries = 0;; tries++) {
        long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        /* EAGAIN: something was renamed meanwhile, and the kernel cannot be sure. */
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || tries == 100)
            return (int)fd;
    }
}

/* The next component of *at into name: 1, 0 at the end, -1 and errno. */
static int next_component(const char **at, char name[NAME_MAX + 1])
{
    const char *p = *at + strspn(*at, "/");
    size_t length = strcspn(p, "/");
    if (length == 0)
        return 0;
    if (length > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (length == 2 && p[0] == '.' && p[1] == '.') {
        errno = EXDEV;
        return -1;
    }
    memcpy(name, p, length);
    name[length] = 0;
    *at = p + length;
    return 1;
}

/* For kernels and sandboxes without openat2. */
static int walk_beneath(int root_fd, const char *path, int flags, mode_t mode)
{
    if (*path == '/') {
        errno = EXDEV;
        return -1;
    }
    int dir = root_fd;
    char name[NAME_MAX + 1];
    int r = next_component(&path, name);
    if (r == 0)
        errno = ENOENT;
    while (r > 0) {
        char next[NAME_MAX + 1];
        r = next_component(&path, next);
        if (r < 0)
            break;
        int fd = openat(dir, name, r ? FOLDER : flags | O_NOFOLLOW | O_CLOEXEC, mode);
        if (dir != root_fd)
            drop(dir);
        if (fd < 0 || r == 0)
            return fd;
        dir = fd;
        memcpy(name, next, sizeof(name));
    }
    if (dir != root_fd)
        drop(dir);
    return -1;
}

int tar_open_beneath(int root_fd, const char *path, int flags, mode_t mode)
{
    int fd = openat2_beneath(root_fd, path, flags, mode);
    if (fd >= 0)
        return fd;
    bool missing = errno == ENOSYS;
    if (errno == EPERM) { /* a file's own, or a sandbox that forbids the call? */
        int probe = openat2_beneath(root_fd, ".", O_PATH, 0);
        missing = probe < 0 && errno == EPERM;
        if (probe >= 0)
            close(probe);
        errno = EPERM;
    }
    return missing ? walk_beneath(root_fd, path, flags, mode) : -1;
}

int tar_make_folders(int root_fd, const char *path, int (*made)(void *arg, const char *path, size_t length), void *arg)
{
    const char *at = path;
    char name[NAME_MAX + 1];
    int dir = openat(root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -1;
    for (;;) {
        int r = next_component(&at, name);
        if (r == 0)
            return dir;
        if (r < 0)
            break;
        int fd = openat(dir, name, FOLDER);
        if (fd < 0 && errno == ENOENT) {
            bool ours = mkdirat(dir, name, 0700) == 0;
            if (!ours && errno != EEXIST)
                break;
            if (ours && made && made(arg, path, (size_t)(at - path)) < 0)
                break;
            fd = openat(dir, name, FOLDER);
        }
        if (fd < 0)
            break;
        close(dir);
        dir = fd;
    }
    drop(dir);
    return -1;
}

/* Empties the open folder, going down by file descriptors; `fd` is taken over. */
static int remove_contents(int fd)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        drop(fd);
        return -1;
    }
    int r = 0;
    bool again = false; /* some file systems skip names while others are removed */
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry && again && errno == 0) {
            again = false;
            rewinddir(dir);
            continue;
        }
        if (!entry) {
            r = errno ? -1 : r;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        again = true;
        if (unlinkat(dirfd(dir), entry->d_name, 0) == 0)
            continue;
        if (errno != EISDIR && errno != EPERM) {
            r = -1;
            break;
        }
        /* A restored mode may forbid what is needed here. */
        int sub = openat(dirfd(dir), entry->d_name, FOLDER);
        if (sub >= 0) {
            int opened_up = fchmodat(dirfd(dir), entry->d_name, 0700, 0);
            (void)opened_up; /* what follows fails when it was needed and failed */
            drop(sub);
            sub = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        if (sub < 0 || remove_contents(sub) < 0 || unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) < 0) {
            r = -1;
            break;
        }
    }
    int saved = errno;
    closedir(dir);
    errno = saved;
    return r;
}

int tar_remove_tree(int dir_fd, const char *name)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    int opened_up = fchmodat(dir_fd, name, 0700, AT_SYMLINK_NOFOLLOW);
    (void)opened_up; /* what follows fails when it was needed and failed */
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || remove_contents(fd) < 0)
        return -1;
    return unlinkat(dir_fd, name, AT_REMOVEDIR);
}
