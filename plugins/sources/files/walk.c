/* SPDX-License-Identifier: Apache-2.0
 *
 * The walk through the roots, one file at a time.
 */
#include "files.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One open folder: its names, sorted. */
struct level {
    char *names;   /* one after the other, each with its NUL */
    char **sorted; /* into names */
    size_t count, at;
    size_t path_length; /* of the folder in walk->path */
};

struct walk {
    const struct files *self;
    const struct roots *roots;
    int slash_fd;
    size_t next_root;
    const struct root *root;
    dev_t root_dev;
    bool enter; /* walk->path is a folder whose names are to be read next */
    struct level *levels;
    size_t depth, room;
    char path[TAR_MAX_PATH + 2];
    char real[TAR_MAX_PATH + 1];
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int walk_real(const struct root *root, const char *path, char real[TAR_MAX_PATH + 1])
{
    int length = snprintf(real, TAR_MAX_PATH + 1, "%s%s", root->real, path + strlen(root->path));
    if (length < 0 || length > TAR_MAX_PATH)
        return -1;
    if (*real == '/') /* the root is "/" itself */
        memmove(real, real + 1, (size_t)length);
    if (*real == 0)
        memcpy(real, ".", 2);
    return 0;
}

int walk_new(const struct files *self, const struct roots *roots, struct walk **ret_walk)
{
    struct walk *walk = calloc(1, sizeof(*walk));
    if (!walk)
        return -1;
    walk->self = self;
    walk->roots = roots;
    walk->slash_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (walk->slash_fd < 0) {
        free(walk);
        return -1;
    }
    *ret_walk = walk;
    return 0;
}

static void pop(struct walk *walk)
{
    struct level *level = &walk->levels[--walk->depth];
    free(level->names);
    free(level->sorted);
}

void walk_free(struct walk *walk)
{
    if (!walk)
        return;
    while (walk->depth)
        pop(walk);
    free(walk->levels);
    close(walk->slash_fd);
    free(walk);
}

static int read_names(DIR *dir, struct level *level)
{
    size_t used = 0, room = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        size_t size = strlen(entry->d_name) + 1;
        if (used + size > room) {
            room = room ? room * 2 : 4096;
            char *bigger = realloc(level->names, room);
            if (!bigger)
                return -1;
            level->names = bigger;
        }
        memcpy(level->names + used, entry->d_name, size);
        used += size;
        level->count++;
    }
    if (errno)
        return -1;
    level->sorted = calloc(level->count ? level->count : 1, sizeof(*level->sorted));
    if (!level->sorted)
        return -1;
    char *name = level->names;
    for (size_t i = 0; i < level->count; i++, name += strlen(name) + 1)
        level->sorted[i] = name;
    qsort(level->sorted, level->count, sizeof(*level->sorted), by_name);
    return 0;
}

static int cannot_read(struct walk *walk, struct hf_ctx *ctx, const char *doing)
{
    const struct hf_host *host = walk->self->host;
    char why[128];
    if (errno == ENOENT)
        return host->finding(ctx, HF_WARNING, "file-vanished", TAR_SHOW(walk->path), "vanished while it was backed up");
    if (errno == EIO || errno == ENOMEM || errno == EMFILE || errno == ENFILE)
        return files_errno(host, ctx, doing, walk->path);
    return host->finding(ctx, HF_ERROR, "unreadable", TAR_SHOW(walk->path),
                         "cannot be read, and is not in the backup: %s", strerror_r(errno, why, sizeof(why)));
}

/* Reads the names of the folder walk->path. */
static int push(struct walk *walk, struct hf_ctx *ctx)
{
    if (walk->depth == walk->room) {
        size_t room = walk->room ? walk->room * 2 : 32;
        struct level *bigger = realloc(walk->levels, room * sizeof(*bigger));
        if (!bigger)
            return walk->self->host->fail(ctx, HF_E_NOMEM, "out of memory");
        walk->levels = bigger;
        walk->room = room;
    }
    struct level level = {.path_length = strlen(walk->path)};
    int fd = tar_open_beneath(walk->slash_fd, walk->real, O_RDONLY | O_DIRECTORY, 0);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int code = cannot_read(walk, ctx, "open the folder");
        if (fd >= 0)
            close(fd);
        return code;
    }
    int r = read_names(dir, &level), saved = errno;
    closedir(dir);
    if (r < 0) {
        free(level.names);
        free(level.sorted);
        errno = saved;
        return cannot_read(walk, ctx, "read the folder");
    }
    walk->levels[walk->depth++] = level;
    return HF_OK;
}

/* The next name into walk->path: 1, or 0 at the end. */
static int next_name(struct walk *walk, bool *ret_is_root)
{
    while (walk->depth && walk->levels[walk->depth - 1].at == walk->levels[walk->depth - 1].count)
        pop(walk);
    *ret_is_root = walk->depth == 0;
    if (walk->depth) {
        struct level *level = &walk->levels[walk->depth - 1];
        const char *name = level->sorted[level->at++];
        size_t size = strlen(name) + 1;
        if (level->path_length + 1 + size > sizeof(walk->path))
            size = sizeof(walk->path) - level->path_length - 1;
        walk->path[level->path_length] = '/';
        memcpy(walk->path + level->path_length + 1, name, size);
        walk->path[sizeof(walk->path) - 1] = 0;
        return 1;
    }
    if (walk->next_root == walk->roots->count)
        return 0;
    walk->root = &walk->roots->items[walk->next_root++];
    snprintf(walk->path, sizeof(walk->path), "%s", walk->root->path);
    return 1;
}

/* What could not be restored is not backed up as if it could. */
static bool too_deep(const char *path)
{
    size_t depth = 0;
    for (; *path; path++)
        depth += *path == '/';
    return depth > TAR_MAX_DEPTH;
}

/* Looks at walk->path: 1: to be backed up, 0: passed over. */
static int look(struct walk *walk, struct hf_ctx *ctx, bool is_root, struct stat *st)
{
    const struct hf_host *host = walk->self->host;
    if (!is_root && (files_excluded(walk->self, walk->path) || roots_get(walk->roots, walk->path)))
        return 0;
    if (too_deep(walk->path))
        return host->finding(ctx, HF_ERROR, "too-deep", TAR_SHOW(walk->path),
                             "lies more than %d folders deep, and is not in the backup", TAR_MAX_DEPTH);
    errno = ENAMETOOLONG;
    if (strlen(walk->path) > TAR_MAX_PATH || walk_real(walk->root, walk->path, walk->real) < 0 ||
        fstatat(walk->slash_fd, walk->real, st, AT_SYMLINK_NOFOLLOW) < 0)
        return cannot_read(walk, ctx, "look at");
    if (is_root)
        walk->root_dev = st->st_dev;
    if (S_ISSOCK(st->st_mode)) {
        int code = host->finding(ctx, HF_INFO, "socket-skipped", TAR_SHOW(walk->path), "sockets are not backed up");
        return code < 0 ? code : 0;
    }
    walk->enter = S_ISDIR(st->st_mode) && !(walk->self->one_file_system && st->st_dev != walk->root_dev);
    return *walk->path ? 1 : 0; /* "/" has no name in a tar */
}

int walk_next(struct walk *walk, struct hf_ctx *ctx, struct walked *ret_walked)
{
    for (;;) {
        if (walk->enter) {
            walk->enter = false;
            int code = push(walk, ctx);
            if (code < 0)
                return code;
        }
        bool is_root;
        if (walk->self->host->cancelled(ctx))
            return HF_E_CANCELLED;
        if (!next_name(walk, &is_root))
            return 0;
        int code = look(walk, ctx, is_root, &ret_walked->st);
        if (code < 0)
            return code;
        if (code == 0)
            continue;
        ret_walked->root = walk->root;
        ret_walked->path = walk->path;
        return 1;
    }
}
