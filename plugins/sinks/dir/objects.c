/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading, listing and removing objects. Only regular files with names that are keys count; all else is somebody
 * else's.
 */
#include "dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How often what was read leaves the page cache, in which the machine's other programs keep what they need. Less than
 * the least stays: lists and records are read again and again. */
#define DROP_EVERY ((uint64_t)8 << 20)
#define DROP_LEAST ((uint64_t)1 << 20)
enum { TAG_SIZE = 100 };

/* The cache's largest pages. One that is only in part in a range that is to be dropped is not dropped. */
#define LARGEST_PAGE ((uint64_t)2 << 20)

struct get {
    const struct dir *self;
    char *key;
    int fd;
    uint64_t offset;
    uint64_t begin, dropped; /* what is between was read, and has left the cache */
    uint64_t left;           /* UINT64_MAX: to the end */
};

static void drop_behind(struct get *get, uint64_t least)
{
    if (get->offset - get->dropped < least)
        return;
    uint64_t from = get->begin / LARGEST_PAGE * LARGEST_PAGE;
    (void)posix_fadvise(get->fd, (off_t)from, (off_t)(get->offset - from), POSIX_FADV_DONTNEED);
    get->dropped = get->offset;
}

void dir_get_end(void *opaque)
{
    struct get *get = opaque;
    if (!get)
        return;
    drop_behind(get, DROP_LEAST);
    dir_close(&get->fd);
    free(get->key);
    free(get);
}

static int not_found(const struct dir *self, struct hf_ctx *ctx, const char *key)
{
    return dir_host->fail(ctx, HF_E_NOTFOUND, "there is no '%s/%s'", self->path, key);
}

static int open_object(struct get *get, struct hf_ctx *ctx)
{
    int folder = -1;
    int status = dir_folder_open(get->self, ctx, &folder);
    if (status == HF_E_NOTFOUND)
        return not_found(get->self, ctx, get->key);
    if (status != HF_OK)
        return status;
    /* O_NONBLOCK: a named pipe must not keep us waiting. It means nothing for files. */
    get->fd = openat(folder, get->key, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int error = errno;
    dir_close(&folder);
    if (get->fd >= 0)
        return HF_OK;
    if (error == ENOENT || error == ELOOP) /* ELOOP: a symbolic link, which is not ours */
        return not_found(get->self, ctx, get->key);
    return dir_fail(get->self, ctx, error, "open", get->key);
}

static int check_object(const struct get *get, struct hf_ctx *ctx)
{
    struct stat st;
    if (fstat(get->fd, &st) != 0)
        return dir_fail(get->self, ctx, errno, "look at", get->key);
    if (!S_ISREG(st.st_mode))
        return dir_host->fail(ctx, HF_E_NOTFOUND, "'%s/%s' is not a regular file", get->self->path, get->key);
    if (get->offset > (uint64_t)st.st_size)
        return dir_host->fail(ctx, HF_E_CORRUPT, "'%s/%s' ends at byte %lld, before byte %llu", get->self->path,
                              get->key, (long long)st.st_size, (unsigned long long)get->offset);
    return HF_OK;
}

int dir_get_begin(void *opaque, struct hf_ctx *ctx, const char *key, uint64_t offset, uint64_t length, void **ret_get)
{
    int status = dir_key_check(ctx, key);
    if (status != HF_OK)
        return status;
    struct get *get = calloc(1, sizeof(*get));
    if (!get)
        return dir_host->fail(ctx, HF_E_NOMEM, "out of memory");
    *get = (struct get){.self = opaque,
                        .key = strdup(key),
                        .fd = -1,
                        .offset = offset,
                        .begin = offset,
                        .dropped = offset,
                        .left = length};
    status = get->key ? open_object(get, ctx) : dir_host->fail(ctx, HF_E_NOMEM, "out of memory");
    if (status == HF_OK)
        status = check_object(get, ctx);
    if (status != HF_OK) {
        dir_get_end(get);
        return status;
    }
    /* Advice only; a length of 0 means to the end. */
    (void)posix_fadvise(get->fd, (off_t)offset, length > INT64_MAX ? 0 : (off_t)length, POSIX_FADV_SEQUENTIAL);
    *ret_get = get;
    return HF_OK;
}

int64_t dir_get_read(void *opaque, struct hf_ctx *ctx, void *data, size_t size)
{
    struct get *get = opaque;
    if (size > get->left)
        size = (size_t)get->left;
    if (size == 0)
        return 0;
    ssize_t got;
    do
        got = pread(get->fd, data, size, (off_t)get->offset);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return dir_host->fail(ctx, HF_E_IO, "cannot read '%s/%s' at byte %llu: %s", get->self->path, get->key,
                              (unsigned long long)get->offset, strerror(errno));
    if (got == 0 && get->left != UINT64_MAX)
        return dir_host->fail(ctx, HF_E_CORRUPT, "'%s/%s' ends at byte %llu, %llu bytes too early", get->self->path,
                              get->key, (unsigned long long)get->offset, (unsigned long long)get->left);
    get->offset += (uint64_t)got;
    drop_behind(get, DROP_EVERY);
    if (get->left != UINT64_MAX)
        get->left -= (uint64_t)got;
    return got;
}

static struct hf_object describe(const char *key, const struct stat *st)
{
    return (struct hf_object){.size = sizeof(struct hf_object),
                              .key = key,
                              .bytes = (uint64_t)st->st_size,
                              .modified_ms = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000};
}

int dir_stat(void *opaque, struct hf_ctx *ctx, const char *key, struct hf_object *ret_object)
{
    const struct dir *self = opaque;
    int folder = -1;
    int status = dir_key_check(ctx, key);
    if (status == HF_OK)
        status = dir_folder_open(self, ctx, &folder);
    if (status == HF_E_NOTFOUND)
        return not_found(self, ctx, key);
    if (status != HF_OK)
        return status;
    struct stat st;
    int error = fstatat(folder, key, &st, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
    dir_close(&folder);
    if (error == ENOENT || (error == 0 && !S_ISREG(st.st_mode)))
        return not_found(self, ctx, key);
    if (error != 0)
        return dir_fail(self, ctx, error, "look at", key);
    *ret_object = describe(key, &st);
    return HF_OK;
}

struct names {
    char **items;
    size_t count, room;
};

static void names_clear(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

static bool names_add(struct names *names, const char *name)
{
    if (names->count == names->room) {
        size_t room = names->room ? 2 * names->room : 64;
        char **items = reallocarray(names->items, room, sizeof(*items));
        if (!items)
            return false;
        names->items = items;
        names->room = room;
    }
    names->items[names->count] = strdup(name);
    return names->items[names->count++] != NULL;
}

static int compare_names(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

/* The folder's names that begin with prefix. Takes the descriptor. */
static int read_names(const struct dir *self, struct hf_ctx *ctx, int folder, const char *prefix, struct names *names)
{
    DIR *stream = fdopendir(folder);
    if (!stream) {
        int status = dir_fail(self, ctx, errno, "read", NULL);
        dir_close(&folder);
        return status;
    }
    int status = HF_OK;
    size_t length = strlen(prefix);
    while (status == HF_OK) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry) {
            status = errno ? dir_fail(self, ctx, errno, "read", NULL) : HF_OK;
            break;
        }
        if (strncmp(entry->d_name, prefix, length) == 0 && !names_add(names, entry->d_name))
            status = dir_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    (void)closedir(stream);
    return status;
}

/* Opens the folder and reads its names; an absent folder that may be made later has none. */
static int find_names(const struct dir *self, struct hf_ctx *ctx, const char *prefix, int *ret_folder,
                      struct names *names)
{
    int status = dir_folder_open(self, ctx, ret_folder);
    if (status != HF_OK)
        return status == HF_E_NOTFOUND ? HF_OK : status;
    int again = fcntl(*ret_folder, F_DUPFD_CLOEXEC, 0);
    if (again < 0)
        return dir_fail(self, ctx, errno, "read", NULL);
    return read_names(self, ctx, again, prefix, names);
}

int dir_list(void *opaque, struct hf_ctx *ctx, const char *prefix, int (*each)(void *, const struct hf_object *),
             void *arg)
{
    const struct dir *self = opaque;
    struct names names = {0};
    int folder = -1;
    int status = find_names(self, ctx, prefix, &folder, &names);
    if (status == HF_OK && names.count > 0)
        qsort(names.items, names.count, sizeof(*names.items), compare_names);
    for (size_t i = 0; status == HF_OK && i < names.count; i++) {
        struct stat st;
        if (!dir_key_valid(names.items[i]))
            continue;
        if (fstatat(folder, names.items[i], &st, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno != ENOENT) /* removed meanwhile */
                status = dir_fail(self, ctx, errno, "look at", names.items[i]);
        } else if (S_ISREG(st.st_mode)) {
            struct hf_object object = describe(names.items[i], &st);
            char tag[TAG_SIZE];
            snprintf(tag, sizeof(tag), "%llu-%lld-%lld.%09ld", (unsigned long long)st.st_ino, (long long)st.st_size,
                     (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
            object.tag = tag;
            status = each(arg, &object);
        }
    }
    dir_close(&folder);
    names_clear(&names);
    return status;
}

int dir_remove(void *opaque, struct hf_ctx *ctx, const char *key)
{
    const struct dir *self = opaque;
    int folder = -1;
    int status = dir_key_check(ctx, key);
    if (status == HF_OK)
        status = dir_folder_open(self, ctx, &folder);
    if (status != HF_OK)
        return status == HF_E_NOTFOUND ? HF_OK : status;
    if (unlinkat(folder, key, 0) == 0)
        status = dir_folder_sync(self, ctx, folder);
    else if (errno != ENOENT)
        status = dir_fail(self, ctx, errno, "remove", key);
    dir_close(&folder);
    return status;
}

/* Was the file last written at least that long ago? */
static bool is_older(const struct stat *st, int64_t older_than_ms)
{
    struct timespec now;
    if (older_than_ms <= 0)
        return true;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return false;
    int64_t age_ms = ((int64_t)now.tv_sec - st->st_mtim.tv_sec) * 1000 + (now.tv_nsec - st->st_mtim.tv_nsec) / 1000000;
    return age_ms >= older_than_ms;
}

int dir_sweep(void *opaque, struct hf_ctx *ctx, const char *prefix, int64_t older_than_ms)
{
    struct dir *self = opaque;
    char start[sizeof(DIR_PARTIAL_PREFIX) + DIR_PARTIAL_KEY_MAX] = DIR_PARTIAL_PREFIX;
    strncat(start, prefix, DIR_PARTIAL_KEY_MAX);
    struct names names = {0};
    int folder = -1;
    int status = find_names(self, ctx, start, &folder, &names);
    if (status == HF_OK && folder >= 0)
        status = dir_lock(self, ctx, folder, prefix);
    for (size_t i = 0; status == HF_OK && i < names.count; i++) {
        struct stat st;
        if (fstatat(folder, names.items[i], &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) ||
            !is_older(&st, older_than_ms))
            continue;
        if (unlinkat(folder, names.items[i], 0) == 0)
            dir_host->log(ctx, HF_LOG_INFO, "removed '%s/%s', left by a run that did not end", self->path,
                          names.items[i]);
        else if (errno != ENOENT)
            status = dir_fail(self, ctx, errno, "remove", names.items[i]);
    }
    dir_close(&folder);
    names_clear(&names);
    return status == HF_OK && self->lock >= 0 ? HF_ALONE : status;
}
