/* SPDX-License-Identifier: Apache-2.0
 *
 * The system calls that can be made to fail, by the linker's --wrap.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dir_test.h"

static _Thread_local struct {
    enum call call;
    int count, error, seen, hit;
    bool lost;
    size_t short_writes;
} fault;

void fault_set(enum call call, int count, int error)
{
    fault.call = call;
    fault.count = count;
    fault.error = error;
    fault.seen = fault.hit = 0;
    fault.lost = false;
}

void fault_set_lost(enum call call, int count, int error)
{
    fault_set(call, count, error);
    fault.lost = true;
}

void fault_clear(void)
{
    fault_set(CALL_NONE, 0, 0);
}

int fault_hit(void)
{
    return fault.hit;
}

void fault_short_writes(size_t limit)
{
    fault.short_writes = limit;
}

static bool fails(enum call call)
{
    if (fault.call != call)
        return false;
    fault.seen++;
    if (fault.count != 0 && fault.seen != fault.count)
        return false;
    fault.hit++;
    errno = fault.error;
    return true;
}

int __real_openat64(int folder, const char *path, int flags, mode_t mode);
int __wrap_openat64(int folder, const char *path, int flags, ...);
int __wrap_openat64(int folder, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return fails(CALL_OPENAT) ? -1 : __real_openat64(folder, path, flags, mode);
}

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    if (fault.short_writes && size > fault.short_writes)
        size = fault.short_writes;
    return fails(CALL_WRITE) ? -1 : __real_write(fd, data, size);
}

int __real_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);
int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);
int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    return fails(CALL_SYNC_FILE_RANGE) ? -1 : __real_sync_file_range(fd, offset, size, flags);
}

int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode)
{
    return fails(CALL_FCHMOD) ? -1 : __real_fchmod(fd, mode);
}

int __real_fchown(int fd, uid_t user, gid_t group);
int __wrap_fchown(int fd, uid_t user, gid_t group);
int __wrap_fchown(int fd, uid_t user, gid_t group)
{
    return fails(CALL_FCHOWN) ? -1 : __real_fchown(fd, user, group);
}

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __wrap_flock(int fd, int operation)
{
    return fails(CALL_FLOCK) ? -1 : __real_flock(fd, operation);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return fails(CALL_FSYNC) ? -1 : __real_fsync(fd);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    int status = __real_close(fd);
    return fails(CALL_CLOSE) ? -1 : status;
}

int __real_renameat2(int from, const char *old, int to, const char *new, unsigned flags);
int __wrap_renameat2(int from, const char *old, int to, const char *new, unsigned flags);
int __wrap_renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    if (!fails(CALL_RENAMEAT2))
        return __real_renameat2(from, old, to, new, flags);
    int error = errno;
    if (fault.lost)
        (void)__real_renameat2(from, old, to, new, flags);
    errno = error;
    return -1;
}

int __real_linkat(int from, const char *old, int to, const char *new, int flags);
int __wrap_linkat(int from, const char *old, int to, const char *new, int flags);
int __wrap_linkat(int from, const char *old, int to, const char *new, int flags)
{
    if (!fails(CALL_LINKAT))
        return __real_linkat(from, old, to, new, flags);
    int error = errno;
    if (fault.lost)
        (void)__real_linkat(from, old, to, new, flags);
    errno = error;
    return -1;
}

int __real_fstat64(int fd, struct stat *st);
int __wrap_fstat64(int fd, struct stat *st);
int __wrap_fstat64(int fd, struct stat *st)
{
    return fails(CALL_FSTAT) ? -1 : __real_fstat64(fd, st);
}

int __real_stat64(const char *path, struct stat *st);
int __wrap_stat64(const char *path, struct stat *st);
int __wrap_stat64(const char *path, struct stat *st)
{
    return fails(CALL_STAT) ? -1 : __real_stat64(path, st);
}

ssize_t __real_pread64(int fd, void *data, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *data, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *data, size_t size, off_t offset)
{
    return fails(CALL_PREAD) ? -1 : __real_pread64(fd, data, size, offset);
}

struct dirent *__real_readdir64(DIR *stream);
struct dirent *__wrap_readdir64(DIR *stream);
struct dirent *__wrap_readdir64(DIR *stream)
{
    return fails(CALL_READDIR) ? NULL : __real_readdir64(stream);
}

int __real_unlinkat(int folder, const char *name, int flags);
int __wrap_unlinkat(int folder, const char *name, int flags);
int __wrap_unlinkat(int folder, const char *name, int flags)
{
    if (!fails(CALL_UNLINKAT))
        return __real_unlinkat(folder, name, flags);
    int error = errno;
    if (fault.lost)
        (void)__real_unlinkat(folder, name, flags);
    errno = error;
    return -1;
}
