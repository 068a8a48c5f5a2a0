/* SPDX-License-Identifier: Apache-2.0
 *
 * Who uses a database: by locks, which other machines' and containers' processes show, too, and by open descriptors,
 * because an idle connection outside of WAL mode holds no lock. The latter needs the right to look into /proc/PID/fd,
 * so root sees everybody and others see their own processes.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "sqlite.h"

/* SQLite's lock bytes, the same for all databases (sqlite3 file format, "the lock-byte page"). */
#define LOCK_START 0x40000000
#define LOCK_BYTES 512
/* In the -shm file (SQLite, "WAL-mode file format": the locks). */
#define SHM_LOCK_START 120
#define SHM_LOCK_BYTES 9

struct files {
    struct {
        dev_t device;
        ino_t inode;
    } items[4];
    size_t count;
};

static void name_process(long pid, char *text, size_t size)
{
    char path[64], name[64] = "";
    if (pid <= 0) {
        snprintf(text, size, "a process on another machine or in another container");
        return;
    }
    snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
    FILE *file = fopen(path, "re");
    if (file) {
        if (fgets(name, sizeof(name), file))
            name[strcspn(name, "\n")] = 0;
        fclose(file);
    }
    snprintf(text, size, "process %ld%s%s%s", pid, name[0] ? " (" : "", name, name[0] ? ")" : "");
}

static bool is_locked(const char *path, off_t start, off_t length, char *text, size_t size)
{
    SQ_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    if (fd < 0 || fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
        return false;
    name_process(lock.l_pid, text, size);
    return true;
}

static bool has_open(int proc, const char *pid, const struct files *files)
{
    char path[280];
    snprintf(path, sizeof(path), "%.255s/fd", pid);
    int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return false; /* ended meanwhile, or somebody else's */
    }
    bool found = false;
    const struct dirent *entry;
    while (!found && (entry = readdir(dir))) {
        struct stat info;
        if (entry->d_name[0] == '.' || fstatat(dirfd(dir), entry->d_name, &info, 0) != 0)
            continue;
        for (size_t i = 0; i < files->count && !found; i++)
            found = files->items[i].inode == info.st_ino && files->items[i].device == info.st_dev;
    }
    closedir(dir);
    return found;
}

static bool is_open(const struct files *files, char *text, size_t size)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    bool found = false;
    while (proc && !found && (entry = readdir(proc))) {
        long pid = isdigit((unsigned char)entry->d_name[0]) ? strtol(entry->d_name, NULL, 10) : 0;
        if (pid <= 0 || pid == (long)getpid() || !has_open(dirfd(proc), entry->d_name, files))
            continue;
        name_process(pid, text, size);
        found = true;
    }
    if (proc)
        closedir(proc);
    return found;
}

bool sq_holders(const char *path, char *text, size_t size)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    struct files files = {0};
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        SQ_TEXT name = NULL;
        struct stat info;
        if (asprintf(&name, "%s%s", path, ends[i]) < 0) {
            name = NULL;
            continue;
        }
        if (stat(name, &info) != 0 || !S_ISREG(info.st_mode))
            continue;
        files.items[files.count].device = info.st_dev;
        files.items[files.count++].inode = info.st_ino;
        bool shm = i == 2;
        if ((i == 0 || shm) &&
            is_locked(name, shm ? SHM_LOCK_START : LOCK_START, shm ? SHM_LOCK_BYTES : LOCK_BYTES, text, size))
            return true;
    }
    return files.count > 0 && is_open(&files, text, size);
}
