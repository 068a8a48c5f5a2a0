/* SPDX-License-Identifier: Apache-2.0
 *
 * Which files are meant: paths and globs, `**` for any depth, without doubles.
 */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "sqlite.h"

#define MAX_DATABASES 10000

struct walk {
    struct hf_ctx *ctx;
    const struct sq_source *source;
    sq_report *report;
    void *arg; /* of report */
    struct sq_list *list;
    struct sq_problem problem;
    int raised; /* the failure when report() made one of it already */
    char path[PATH_MAX];
};

static bool is_glob(const char *text, size_t size)
{
    return memchr(text, '*', size) || memchr(text, '?', size) || memchr(text, '[', size);
}

static bool is_deep(const char *part, size_t size)
{
    return size == 2 && part[0] == '*' && part[1] == '*';
}

static bool match_component(const char *pattern, size_t pattern_size, const char *name, size_t name_size)
{
    char a[NAME_MAX + 1], b[NAME_MAX + 1];
    if (pattern_size > NAME_MAX || name_size > NAME_MAX)
        return false;
    memcpy(a, pattern, pattern_size);
    memcpy(b, name, name_size);
    a[pattern_size] = b[name_size] = 0;
    return fnmatch(a, b, FNM_PERIOD) == 0;
}

static bool match_from(const char *pattern, const char *path)
{
    for (;;) {
        pattern += strspn(pattern, "/");
        path += strspn(path, "/");
        size_t wanted = strcspn(pattern, "/"), there = strcspn(path, "/");
        if (wanted == 0 || (there == 0 && !is_deep(pattern, wanted)))
            return wanted == there;
        if (is_deep(pattern, wanted)) {
            for (;; path += strcspn(path, "/")) {
                path += strspn(path, "/");
                if (match_from(pattern + wanted, path))
                    return true;
                if (!*path || *path == '.')
                    return false;
            }
        }
        if (!match_component(pattern, wanted, path, there))
            return false;
        pattern += wanted;
        path += there;
    }
}

bool sq_match(const char *pattern, const char *path)
{
    const char *base = strrchr(path, '/');
    if (!strchr(pattern, '/'))
        return match_from(pattern, base ? base + 1 : path);
    return match_from(pattern, path);
}

/* What SQLite and restores put beside databases: never databases of their own. */
static bool is_companion(const char *name)
{
    static const char *const ends[] = {"-wal", "-shm", "-journal"};
    size_t size = strlen(name);
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        size_t end = strlen(ends[i]);
        if (size > end && !strcmp(name + size - end, ends[i]))
            return true;
    }
    return fnmatch("*.before-*_????????_??????*", name, 0) == 0;
}

static bool is_excluded(const struct sq_source *source, const char *path)
{
    for (size_t i = 0; i < source->exclude_count; i++) {
        if (sq_match(source->excludes[i], path))
            return true;
    }
    return false;
}

static int add(struct walk *walk, const char *path, const struct stat *info)
{
    struct sq_list *list = walk->list;
    if (is_excluded(walk->source, path))
        return HF_OK;
    if (list->count >= MAX_DATABASES)
        return sq_fatal(&walk->problem, HF_E_CONFIG, "more than %d databases match", MAX_DATABASES);
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 16;
        struct sq_found *items = realloc(list->items, room * sizeof(*items));
        if (!items)
            return sq_fatal(&walk->problem, HF_E_NOMEM, "out of memory");
        list->items = items;
        list->room = room;
    }
    struct stat link;
    char *copy = strdup(path);
    if (!copy)
        return sq_fatal(&walk->problem, HF_E_NOMEM, "out of memory");
    list->items[list->count++] = (struct sq_found){.path = copy,
                                                   .device = info->st_dev,
                                                   .inode = info->st_ino,
                                                   .is_link = lstat(path, &link) == 0 && S_ISLNK(link.st_mode)};
    return HF_OK;
}

static int walk_from(struct walk *walk, size_t length, const char *pattern);

static void free_names(struct dirent ***names, int count)
{
    for (int i = 0; i < count; i++)
        free((*names)[i]);
    free(*names);
}

static bool append(struct walk *walk, size_t length, const char *name, size_t size)
{
    bool slash = length > 0 && walk->path[length - 1] != '/';
    if (length + slash + size >= sizeof(walk->path))
        return false;
    if (slash)
        walk->path[length++] = '/';
    memcpy(walk->path + length, name, size);
    walk->path[length + size] = 0;
    return true;
}

/* What the folder holds against the pattern's first component; the rest is for the next level. */
static int walk_folder(struct walk *walk, size_t length, const char *pattern, size_t wanted)
{
    if (sq_host->cancelled(walk->ctx))
        return sq_fatal(&walk->problem, HF_E_CANCELLED, "stopped");
    bool deep = is_deep(pattern, wanted);
    struct dirent **names = NULL;
    int count = scandir(walk->path, &names, NULL, NULL);
    if (count < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return HF_OK;
        sq_problem_errno(&walk->problem, errno, "list", walk->path);
        walk->raised = walk->report(walk->ctx, walk->arg, walk->path, &walk->problem);
        return walk->raised;
    }
    int result = HF_OK;
    for (int i = 0; i < count && result == HF_OK; i++) {
        const char *name = names[i]->d_name;
        struct stat info;
        if (!match_component(deep ? "*" : pattern, deep ? 1 : wanted, name, strlen(name)) ||
            (!pattern[wanted] && is_companion(name)) || !append(walk, length, name, strlen(name)))
            continue;
        if (deep && (lstat(walk->path, &info) != 0 || !S_ISDIR(info.st_mode)))
            continue; /* links to folders are not followed: they may lead in circles */
        result = walk_from(walk, strlen(walk->path), deep ? pattern : pattern + wanted);
    }
    free_names(&names, count);
    walk->path[length] = 0;
    return result;
}

/* A name that matches the whole pattern. A link that leads nowhere is a database that is missing. */
static int walk_end(struct walk *walk)
{
    struct stat info;
    if (stat(walk->path, &info) == 0)
        return S_ISREG(info.st_mode) ? add(walk, walk->path, &info) : HF_OK;
    int error = errno;
    if (lstat(walk->path, &info) != 0 || is_excluded(walk->source, walk->path))
        return HF_OK; /* gone since the folder was listed */
    sq_problem_errno(&walk->problem, error, "open", walk->path);
    walk->raised = walk->report(walk->ctx, walk->arg, walk->path, &walk->problem);
    return walk->raised;
}

static int walk_from(struct walk *walk, size_t length, const char *pattern)
{
    pattern += strspn(pattern, "/");
    size_t wanted = strcspn(pattern, "/");
    if (wanted == 0)
        return walk_end(walk);
    if (is_deep(pattern, wanted)) {
        /* "**" alone at the end means every file below. */
        const char *rest = pattern[wanted + strspn(pattern + wanted, "/")] ? pattern + wanted : "/*";
        int result = walk_from(walk, length, rest);
        walk->path[length] = 0;
        return result == HF_OK ? walk_folder(walk, length, pattern, wanted) : result;
    }
    if (is_glob(pattern, wanted))
        return walk_folder(walk, length, pattern, wanted);
    if (!append(walk, length, pattern, wanted))
        return HF_OK;
    return walk_from(walk, strlen(walk->path), pattern + wanted);
}

static int by_file(const void *a, const void *b)
{
    const struct sq_found *x = a, *y = b;
    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    if (x->inode != y->inode)
        return x->inode < y->inode ? -1 : 1;
    if (x->is_link != y->is_link)
        return x->is_link ? 1 : -1;
    return strcmp(x->path, y->path);
}

static int by_path(const void *a, const void *b)
{
    const struct sq_found *x = a, *y = b;
    return strcmp(x->path, y->path);
}

/* A file that several paths lead to is one database; the path that is no link stands for it. */
static void drop_doubles(struct sq_list *list)
{
    if (list->count == 0)
        return;
    qsort(list->items, list->count, sizeof(*list->items), by_file);
    size_t kept = 1;
    for (size_t i = 1; i < list->count; i++) {
        const struct sq_found *last = &list->items[kept - 1];
        if (list->items[i].device == last->device && list->items[i].inode == last->inode)
            free(list->items[i].path);
        else
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
    qsort(list->items, list->count, sizeof(*list->items), by_path);
}

static int find_one(struct walk *walk, const char *path)
{
    struct stat info;
    size_t before = walk->list->count;
    if (stat(path, &info) == 0) { /* a name that only looks like a glob is a name */
        if (!S_ISREG(info.st_mode)) {
            sq_problem(&walk->problem, HF_E_UNSUPPORTED, "'%s' is not a regular file", path);
            if (S_ISDIR(info.st_mode))
                sq_hint(&walk->problem, "for every database below it, write '%.200s/**/*.db'", path);
            return walk->problem.code;
        }
        return add(walk, path, &info);
    }
    if (!is_glob(path, strlen(path)))
        return sq_problem_errno(&walk->problem, errno, "open", path);
    snprintf(walk->path, sizeof(walk->path), "%s", path[0] == '/' ? "/" : "");
    int result = walk_from(walk, strlen(walk->path), path);
    if (result == HF_OK && walk->list->count == before) {
        result = sq_problem(&walk->problem, HF_E_NOTFOUND, "'%s' matches no file", path);
        sq_hint(&walk->problem, "correct 'path', or see whether 'exclude' leaves out too much");
    }
    return result;
}

int sq_find(struct hf_ctx *ctx, const struct sq_source *source, sq_report *report, void *arg, struct sq_list *ret_list)
{
    struct sq_list list = {0};
    struct walk *walk = calloc(1, sizeof(*walk));
    if (!walk)
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    *walk = (struct walk){.ctx = ctx, .source = source, .report = report, .arg = arg, .list = &list};
    int result = HF_OK;
    for (size_t i = 0; i < source->path_count && result == HF_OK; i++) {
        walk->problem = (struct sq_problem){0};
        result = find_one(walk, source->paths[i]);
        if (result < 0 && walk->raised == HF_OK)
            result = report(ctx, arg, source->paths[i], &walk->problem);
    }
    free(walk);
    if (result == HF_OK) {
        drop_doubles(&list);
        if (sq_name_all(&list) < 0)
            result = sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    if (result == HF_OK)
        *ret_list = list;
    else
        sq_list_clear(&list);
    return result;
}

void sq_list_clear(struct sq_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].path);
        free(list->items[i].artifact);
    }
    free(list->items);
    *list = (struct sq_list){0};
}
