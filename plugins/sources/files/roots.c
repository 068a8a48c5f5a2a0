/* SPDX-License-Identifier: Apache-2.0
 *
 * From the configured paths to the list of what is backed up.
 */
#include "files.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct finder {
    const struct files *self;
    struct hf_ctx *ctx;
    struct roots *roots;
    size_t room;
    int error; /* recorded */
};

char *path_normal(const char *path)
{
    char *normal = strdup(path);
    if (!normal)
        return NULL;
    size_t used = 0;
    bool bad = *path != '/';
    for (const char *p = path; *p && !bad;) {
        p += strspn(p, "/");
        size_t length = strcspn(p, "/");
        bad = length == 2 && p[0] == '.' && p[1] == '.';
        if (length > 0 && !(length == 1 && *p == '.')) {
            normal[used++] = '/';
            memcpy(normal + used, p, length);
            used += length;
        }
        p += length;
    }
    normal[used] = 0;
    if (!bad)
        return normal;
    free(normal);
    errno = EINVAL;
    return NULL;
}

bool path_within(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == 0 || path[length] == '/');
}

bool files_excluded(const struct files *self, const char *path)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    for (size_t i = 0; i < self->exclude_count; i++) {
        const char *pattern = self->excludes[i];
        if (!strchr(pattern, '/') ? glob_match(pattern, base) : glob_match(pattern, path))
            return true;
        /* "cache/tmp" without a leading '/' matches anywhere. */
        for (const char *tail = path; *pattern != '/' && strchr(pattern, '/') && tail; tail = strchr(tail + 1, '/'))
            if (glob_match(pattern, tail))
                return true;
    }
    return false;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct root *)a)->path, ((const struct root *)b)->path);
}

const struct root *roots_get(const struct roots *roots, const char *path)
{
    struct root key = {.path = (char *)(uintptr_t)path};
    return roots->count ? bsearch(&key, roots->items, roots->count, sizeof(key), by_path) : NULL;
}

void roots_clear(struct roots *roots)
{
    for (size_t i = 0; i < roots->count; i++) {
        free(roots->items[i].path);
        free(roots->items[i].real);
    }
    free(roots->items);
    *roots = (struct roots){0};
}

/* The path without the links on the way to it; the last component is left alone. */
static char *real_of(const char *path)
{
    if (*path == 0)
        return strdup("");
    const char *name = strrchr(path, '/') + 1;
    char *folder = strndup(path, (size_t)(name - path)), *real = folder ? realpath(folder, NULL) : NULL, *joined = NULL;
    if (real && asprintf(&joined, "%s%s%s", real + 1, real[1] ? "/" : "", name) < 0)
        joined = NULL;
    free(folder);
    free(real);
    return joined;
}

static int add(void *arg, const char *path)
{
    struct finder *finder = arg;
    const struct hf_host *host = finder->self->host;
    struct roots *roots = finder->roots;
    if (files_excluded(finder->self, path))
        return HF_OK;
    if (roots->count == FILES_MAX_ROOTS) {
        finder->error = host->fail(finder->ctx, HF_E_CONFIG, "more than %d paths match", FILES_MAX_ROOTS);
        return host->hint(finder->ctx, "name the folders in 'path', and use 'exclude' for what is not wanted in them");
    }
    if (roots->count == finder->room) {
        size_t room = finder->room ? finder->room * 2 : 16;
        struct root *bigger = realloc(roots->items, room * sizeof(*bigger));
        if (!bigger)
            return finder->error = host->fail(finder->ctx, HF_E_NOMEM, "out of memory");
        roots->items = bigger;
        finder->room = room;
    }
    struct root root = {.path = strdup(path), .real = real_of(path)};
    if (!root.path || !root.real) {
        free(root.path);
        free(root.real);
        return finder->error = files_errno(host, finder->ctx, "find", path);
    }
    roots->items[roots->count++] = root;
    return HF_OK;
}

static int unreadable(void *arg, const char *path, int error)
{
    struct finder *finder = arg;
    char why[128];
    return finder->self->host->finding(finder->ctx, HF_ERROR, "unreadable", TAR_SHOW(path), "cannot be searched: %s",
                                       strerror_r(error, why, sizeof(why)));
}

static int find_one(struct finder *finder, const char *path)
{
    const struct hf_host *host = finder->self->host;
    char *normal = path_normal(path);
    if (!normal)
        return files_errno(host, finder->ctx, "find", path);
    size_t before = finder->roots->count;
    int code;
    if (glob_has_magic(normal)) {
        struct glob_calls calls = {add, unreadable, finder};
        code = glob_expand(normal, &calls);
        if (code < 0 && !finder->error)
            code = host->fail(finder->ctx, code, "search '%s'", TAR_SHOW(path));
        else if (code == HF_OK && finder->roots->count == before)
            code = host->finding(finder->ctx, HF_WARNING, "no-match", TAR_SHOW(path), "no file matches");
    } else {
        struct stat st;
        code =
            lstat(*normal ? normal : "/", &st) < 0 ? files_errno(host, finder->ctx, "find", path) : add(finder, normal);
        if (code == HF_OK && S_ISLNK(st.st_mode))
            code = host->finding(finder->ctx, HF_WARNING, "path-is-link", TAR_SHOW(path),
                                 "is a symbolic link; only the link is backed up, not what it leads to");
    }
    free(normal);
    return code;
}

int roots_find(const struct files *self, struct hf_ctx *ctx, struct roots *ret_roots)
{
    *ret_roots = (struct roots){0};
    struct finder finder = {.self = self, .ctx = ctx, .roots = ret_roots};
    int code = HF_OK;
    for (size_t i = 0; i < self->path_count && code == HF_OK; i++)
        code = find_one(&finder, self->paths[i]);
    if (code == HF_OK && ret_roots->count == 0) {
        self->host->fail(ctx, HF_E_NOTFOUND, "nothing to back up: no file matches 'path'");
        code = self->host->hint(ctx, "look at 'path' and 'exclude' of the profile");
    }
    if (code < 0) {
        roots_clear(ret_roots);
        return code;
    }
    struct root *items = ret_roots->items;
    size_t kept = 1;
    qsort(items, ret_roots->count, sizeof(*items), by_path);
    for (size_t i = 1; i < ret_roots->count; i++) {
        if (strcmp(items[i].path, items[kept - 1].path) != 0) {
            items[kept++] = items[i];
            continue;
        }
        free(items[i].path);
        free(items[i].real);
    }
    ret_roots->count = kept;
    return HF_OK;
}
