/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys, and the names of their refs. Git takes all letters of a key, but no '.' at either end, none after another, and
 * no
 * ".lock" at the end: such dots are written "%2E", and no key holds a '%'.
 */
#include "git.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DAY = 8, TIME = 15 };

int gs_key_check(struct hf_ctx *ctx, const char *key)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strlen(key);
    if (length > 0 && length <= GS_KEY_MAX && key[0] != '.' && strspn(key, allowed) == length)
        return HF_OK;
    return gs_host->fail(ctx, HF_E_REFUSED, "'%s' cannot be the name of an object", key);
}

void gs_key_ref(const char *folder, const char *key, char *ret_ref)
{
    char *out = stpcpy(ret_ref, folder);
    for (const char *at = key; *at; at++) {
        bool special = *at == '.' && (at == key || at[-1] == '.' || !at[1] || !strcmp(at, ".lock"));
        out = special ? stpcpy(out, "%2E") : (*out = *at, out + 1);
    }
    *out = 0;
}

bool gs_ref_key(const char *folder, const char *ref, char *ret_key)
{
    size_t skip = strlen(folder), used = 0;
    char again[GS_REF_MAX];
    if (strncmp(ref, folder, skip) != 0 || strlen(ref) >= GS_REF_MAX)
        return false;
    for (const char *at = ref + skip; *at; used++) {
        bool escaped = strncmp(at, "%2E", 3) == 0;
        if (used == GS_KEY_MAX || *at == '/')
            return false;
        ret_key[used] = escaped ? '.' : *at;
        at += escaped ? 3 : 1;
    }
    ret_key[used] = 0;
    gs_key_ref(folder, ret_key, again); /* each key has one ref, and no other stands for it */
    return used > 0 && !strcmp(again, ref);
}

bool gs_name_parse(const char *key, struct gs_name *ret_name)
{
    const char *first = strchr(key, '_'), *last = strrchr(key, '_');
    if (!first || last - first <= DAY || strlen(last) < TIME - DAY || strlen(key) > GS_KEY_MAX)
        return false;
    const char *time = last - DAY;
    if (time[-1] != '_' || strspn(time, "0123456789") != DAY || strspn(last + 1, "0123456789") != TIME - DAY - 1)
        return false;
    snprintf(ret_name->profile, sizeof(ret_name->profile), "%.*s", (int)(first - key), key);
    memcpy(ret_name->time, time, TIME);
    ret_name->time[TIME] = 0;
    ret_name->suffix = time + TIME;
    return true;
}

int64_t gs_name_seconds(const struct gs_name *name)
{
    struct tm tm = {0};
    const char *end = strptime(name->time, "%Y%m%d_%H%M%S", &tm);
    return end && !*end ? (int64_t)timegm(&tm) : 0;
}

bool gs_branch_of(const char *key, char *ret_ref)
{
    struct gs_name name;
    if (!gs_name_parse(key, &name))
        return false;
    snprintf(ret_ref, GS_REF_MAX, GS_REFS_BRANCHES "%s", name.profile);
    return true;
}

void gs_refs_clear(struct gs_refs *refs)
{
    for (size_t i = 0; i < refs->count; i++) {
        free(refs->items[i].ref);
        free(refs->items[i].key);
    }
    free(refs->items);
    *refs = (struct gs_refs){0};
}

static int add_ref(struct gs_refs *refs, const char *ref, const char *key, const git_oid *oid)
{
    if (refs->count == refs->room) {
        size_t room = refs->room ? 2 * refs->room : 64;
        struct gs_ref *items = reallocarray(refs->items, room, sizeof(*items));
        if (!items)
            return -1;
        refs->items = items;
        refs->room = room;
    }
    struct gs_ref item = {.ref = strdup(ref), .key = strdup(key), .oid = *oid};
    refs->items[refs->count++] = item;
    return item.ref && item.key ? 0 : -1;
}

static int compare(const void *one, const void *other)
{
    return strcmp(((const struct gs_ref *)one)->key, ((const struct gs_ref *)other)->key);
}

int gs_refs_find(struct gs *self, struct hf_ctx *ctx, const char *folder, const char *prefix, struct gs_refs *refs)
{
    git_reference_iterator *iterator = NULL;
    git_reference *ref = NULL;
    char pattern[GS_REF_MAX], key[GS_KEY_MAX + 1];
    snprintf(pattern, sizeof(pattern), "%s*", folder);
    int rc = git_reference_iterator_glob_new(&iterator, self->repo, pattern), status = HF_OK;
    while (rc == 0 && status == HF_OK && (rc = git_reference_next(&ref, iterator)) == 0) {
        const git_oid *oid = git_reference_target(ref);
        if (oid && gs_ref_key(folder, git_reference_name(ref), key) && strncmp(key, prefix, strlen(prefix)) == 0 &&
            add_ref(refs, git_reference_name(ref), key, oid) != 0)
            status = gs_fail_nomem(ctx);
        git_reference_free(ref);
    }
    if (rc != 0 && rc != GIT_ITEROVER)
        status = gs_fail(self, ctx, rc, "cannot list the refs of '%s'", self->path);
    git_reference_iterator_free(iterator);
    if (status == HF_OK && refs->count > 0)
        qsort(refs->items, refs->count, sizeof(*refs->items), compare);
    return status;
}

int gs_ref_remove(struct gs *self, struct hf_ctx *ctx, const char *ref)
{
    int rc = git_reference_remove(self->repo, ref);
    return rc == 0 || rc == GIT_ENOTFOUND ? HF_OK
                                          : gs_fail(self, ctx, rc, "cannot remove '%s' from '%s'", ref, self->path);
}
