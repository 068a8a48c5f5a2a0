/* SPDX-License-Identifier: Apache-2.0
 *
 * Globs with "**".
 */
#include "files.h"
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct expansion {
    const struct glob_calls *calls;
    const char *pattern;         /* all of it */
    char path[TAR_MAX_PATH + 1]; /* so far */
};

bool glob_has_magic(const char *pattern)
{
    return strpbrk(pattern, "*?[") != NULL;
}

/* The first component of *at, which moves behind it; false at the end or when it is too long. */
static bool component(const char **at, char name[NAME_MAX + 1])
{
    const char *p = *at + strspn(*at, "/");
    size_t length = strcspn(p, "/");
    *at = p + length;
    if (length == 0 || length > NAME_MAX)
        return false;
    memcpy(name, p, length);
    name[length] = 0;
    return true;
}

static bool match_from(const char *pattern, const char *path)
{
    char want[NAME_MAX + 1], have[NAME_MAX + 1];
    for (;;) {
        if (!component(&pattern, want))
            return !component(&path, have);
        if (strcmp(want, "**") == 0)
            break;
        if (!component(&path, have) || fnmatch(want, have, 0) != 0)
            return false;
    }
    const char *rest = pattern;
    if (!component(&rest, want)) /* a final "**": anything below */
        return component(&path, have);
    do
        if (match_from(pattern, path))
            return true;
    while (component(&path, have));
    return false;
}

bool glob_match(const char *pattern, const char *path)
{
    return match_from(pattern, path);
}

static int expand(struct expansion *x, size_t length, const char *rest);

/* Path of a folder's child, in place; false when it would be too long. */
static bool extend(struct expansion *x, size_t length, const char *name, size_t *ret_length)
{
    size_t size = strlen(name);
    if (length + 1 + size > TAR_MAX_PATH)
        return false;
    x->path[length] = '/';
    memcpy(x->path + length + 1, name, size + 1);
    *ret_length = length + 1 + size;
    return true;
}

static bool is_folder(const char *path, bool through_links)
{
    struct stat st;
    return (through_links ? stat(path, &st) : lstat(path, &st)) == 0 && S_ISDIR(st.st_mode);
}

/* One entry of the folder at x->path. `want` is the pattern's component here, `rest` what follows it, and `again` the
 * pattern from `want` on. */
static int expand_name(struct expansion *x, size_t length, const char *name, const char *want, const char *rest,
                       const char *again)
{
    size_t longer;
    if (!extend(x, length, name, &longer))
        return HF_OK;
    int code = HF_OK;
    if (strcmp(want, "**") == 0) {
        /* What matches as a whole is taken with all it contains. */
        if (is_folder(x->path, false) && !match_from(x->pattern, x->path))
            code = expand(x, longer, again);
    } else if (fnmatch(want, name, 0) == 0) {
        code = rest[strspn(rest, "/")] == 0 || is_folder(x->path, true) ? expand(x, longer, rest) : HF_OK;
    }
    x->path[length] = 0;
    return code;
}

static int search(struct expansion *x, size_t length, const char *want, const char *rest, const char *again)
{
    const struct glob_calls *calls = x->calls;
    DIR *dir = opendir(length ? x->path : "/");
    if (!dir)
        return errno == ENOENT || errno == ENOTDIR ? HF_OK : calls->unreadable(calls->arg, x->path, errno);
    int code = HF_OK;
    while (code == HF_OK) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry) {
            if (errno)
                code = calls->unreadable(calls->arg, x->path, errno);
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            code = expand_name(x, length, entry->d_name, want, rest, again);
    }
    closedir(dir);
    return code;
}

static int expand(struct expansion *x, size_t length, const char *rest)
{
    const struct glob_calls *calls = x->calls;
    const char *again = rest;
    char want[NAME_MAX + 1];
    if (!component(&rest, want)) {
        struct stat st;
        return lstat(length ? x->path : "/", &st) == 0 ? calls->found(calls->arg, x->path) : HF_OK;
    }
    if (strcmp(want, "**") == 0) {
        const char *after = rest;
        char next[NAME_MAX + 1];
        if (!component(&after, next)) /* a final "**" takes whatever lies here, whole */
            return search(x, length, "*", rest, again);
        int code = expand(x, length, rest);
        return code == HF_OK ? search(x, length, want, rest, again) : code;
    }
    if (glob_has_magic(want))
        return search(x, length, want, rest, again);
    size_t longer;
    if (!extend(x, length, want, &longer))
        return HF_OK;
    int code = expand(x, longer, rest);
    x->path[length] = 0;
    return code;
}

int glob_expand(const char *pattern, const struct glob_calls *calls)
{
    struct expansion *x = calloc(1, sizeof(*x));
    if (!x)
        return HF_E_NOMEM;
    x->calls = calls;
    x->pattern = pattern;
    int code = expand(x, 0, pattern);
    free(x);
    return code;
}
