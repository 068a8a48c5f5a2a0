/* SPDX-License-Identifier: Apache-2.0
 *
 * Artifact names. They depend on the set of paths alone: a database keeps its name from backup to backup as long as no
 * other one with the same stem comes or goes.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "sqlite.h"

#define MAX_NAME 120

uint64_t sq_hash_text(const char *text)
{
    uint64_t hash = 14695981039346656037ull; /* FNV-1a */
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211ull;
    return hash;
}

/* The last `depth` folders and the stem, joined by '-'. Bytes that keys must not have become '-', and so does '_', at
 * which the names of backups are taken apart. */
static char *name_of(const char *path, size_t depth)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    const char *dot = strrchr(base, '.');
    const char *end = dot && dot > base ? dot : base + strlen(base);
    const char *start = base;
    for (size_t i = 0; i < depth && start > path; i++) {
        start--;
        while (start > path && start[-1] != '/')
            start--;
    }
    char text[MAX_NAME + 1];
    size_t size = 0;
    bool cut = false;
    for (const char *at = start; at < end; at++) {
        if (*at == '/' && (at == start || at[-1] == '/'))
            continue;
        cut = size == MAX_NAME - 17;
        if (cut)
            break;
        text[size++] = isascii((unsigned char)*at) && (isalnum((unsigned char)*at) || *at == '.') ? *at : '-';
    }
    text[size] = 0;
    if (text[0] == '.')
        text[0] = '-'; /* no hidden names */
    if (cut)
        snprintf(text + size, sizeof(text) - size, "-%016llx", (unsigned long long)sq_hash_text(path));
    return strdup(size ? text : "database");
}

static size_t folders(const char *path)
{
    size_t count = 0;
    for (const char *at = path; *at; at++)
        count += *at == '/' && at[1] != '/';
    return count > 0 ? count - 1 : 0; /* the last '/' is before the base name */
}

static bool taken(const struct sq_list *list, const char *name, size_t except)
{
    for (size_t i = 0; i < list->count; i++) {
        if (i != except && !strcmp(list->items[i].artifact, name))
            return true;
    }
    return false;
}

struct by_name {
    const char *name;
    size_t index;
};

static int compare_names(const void *a, const void *b)
{
    const struct by_name *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* One more folder for every name that is not alone. *ret_changed: whether any could grow. */
static int grow(struct sq_list *list, size_t *depths, struct by_name *sorted, bool *ret_changed)
{
    *ret_changed = false;
    for (size_t i = 0; i < list->count; i++)
        sorted[i] = (struct by_name){list->items[i].artifact, i};
    qsort(sorted, list->count, sizeof(*sorted), compare_names);
    bool *alone = calloc(list->count, sizeof(*alone));
    if (!alone)
        return HF_E_NOMEM;
    for (size_t i = 0; i < list->count; i++) {
        bool before = i > 0 && !strcmp(sorted[i].name, sorted[i - 1].name);
        bool after = i + 1 < list->count && !strcmp(sorted[i].name, sorted[i + 1].name);
        alone[sorted[i].index] = !before && !after;
    }
    int result = HF_OK;
    for (size_t i = 0; i < list->count && result == HF_OK; i++) {
        struct sq_found *found = &list->items[i];
        if (alone[i] || depths[i] >= folders(found->path))
            continue;
        char *name = name_of(found->path, ++depths[i]);
        if (!name) {
            result = HF_E_NOMEM;
            break;
        }
        free(found->artifact);
        found->artifact = name;
        *ret_changed = true;
    }
    free(alone);
    return result;
}

static int number(struct sq_list *list)
{
    for (size_t i = 1; i < list->count; i++) {
        char *name = list->items[i].artifact, text[MAX_NAME + 24];
        bool earlier = false;
        for (size_t j = 0; j < i && !earlier; j++)
            earlier = !strcmp(list->items[j].artifact, name);
        if (!earlier)
            continue;
        unsigned count = 2;
        do
            snprintf(text, sizeof(text), "%s-%u", name, count++);
        while (taken(list, text, i));
        char *numbered = strdup(text);
        if (!numbered)
            return HF_E_NOMEM;
        free(name);
        list->items[i].artifact = numbered;
    }
    return HF_OK;
}

int sq_name_all(struct sq_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        list->items[i].artifact = name_of(list->items[i].path, 0);
        if (!list->items[i].artifact)
            return HF_E_NOMEM;
    }
    size_t *depths = calloc(list->count + 1, sizeof(*depths));
    struct by_name *sorted = calloc(list->count + 1, sizeof(*sorted));
    bool changed = true;
    int result = depths && sorted ? HF_OK : HF_E_NOMEM;
    while (result == HF_OK && changed)
        result = grow(list, depths, sorted, &changed);
    free(depths);
    free(sorted);
    return result == HF_OK ? number(list) : result;
}
