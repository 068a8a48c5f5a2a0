/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking, listing, removing, sweeping.
 */
#include "ls.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct item {
    struct ls_name name;
    uint64_t bytes;
    int64_t modified;
};

struct items {
    struct item *items;
    size_t count, room;
    bool nomem;
};

static int add_item(void *arg, const char *name, uint64_t bytes, int64_t modified)
{
    struct items *list = arg;
    struct item item = {.bytes = bytes, .modified = modified};
    ls_name_parse(name, &item.name);
    if (item.name.kind == LS_FOREIGN)
        return 0;
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        struct item *more = reallocarray(list->items, room, sizeof(*more));
        if (!more) {
            list->nomem = true;
            return HF_E_NOMEM;
        }
        list->items = more;
        list->room = room;
    }
    list->items[list->count++] = item;
    return 0;
}

static int load(struct ls *self, struct hf_ctx *ctx, const char *start, struct items *list)
{
    int status = ls_each(self, ctx, start, add_item, list);
    return list->nomem ? ls_fail_nomem(ctx) : status;
}

int ls_stat(void *opaque, struct hf_ctx *ctx, const char *key, struct hf_object *ret_object)
{
    struct ls *self = opaque;
    struct ls_name name;
    struct ls_look look;
    int status = ls_find(self, ctx, key, &name, &look);
    if (status == HF_E_NOTFOUND)
        return ls_host->fail(ctx, HF_E_NOTFOUND, "there is no '%s/%s%s'", self->bucket, self->prefix, key);
    if (status != HF_OK)
        return status;
    ret_object->key = key;
    ret_object->bytes = look.bytes;
    ret_object->modified_ms = look.modified > 0 ? look.modified * 1000 : 0;
    return HF_OK;
}

static int compare(const void *one, const void *other)
{
    return strcmp(((const struct item *)one)->name.key, ((const struct item *)other)->name.key);
}

int ls_list(void *opaque, struct hf_ctx *ctx, const char *prefix, int (*each)(void *, const struct hf_object *),
            void *arg)
{
    struct items list = {0};
    int status = load(opaque, ctx, prefix, &list);
    if (status == HF_OK && list.count > 0)
        qsort(list.items, list.count, sizeof(*list.items), compare); /* an index stands elsewhere than its key */
    for (size_t i = 0; status == HF_OK && i < list.count; i++) {
        const struct item *item = &list.items[i];
        struct hf_object object = {.size = sizeof(object),
                                   .key = item->name.key,
                                   .bytes = item->name.kind == LS_INDEX ? item->name.bytes : item->bytes,
                                   .modified_ms = item->modified > 0 ? item->modified * 1000 : 0};
        if (item->name.kind != LS_SEGMENT && item->name.kind != LS_CLAIM &&
            strncmp(object.key, prefix, strlen(prefix)) == 0)
            status = each(arg, &object);
    }
    free(list.items);
    return status;
}

int ls_remove(void *opaque, struct hf_ctx *ctx, const char *key)
{
    struct ls *self = opaque;
    struct ls_name name;
    struct ls_look look;
    struct ls_index index;
    char path[LS_PATH_MAX];
    int status = ls_find(self, ctx, key, &name, &look);
    if (status != HF_OK)
        return status == HF_E_NOTFOUND ? HF_OK : status;
    if (name.kind == LS_PLAIN) {
        ls_path(self, key, path);
        return ls_delete(self, ctx, path);
    }
    /* First what makes it visible: pieces that a crash leaves then, a sweep takes. */
    status = ls_index_read(self, ctx, &name, &index);
    ls_index_path(self, key, name.id, name.number, name.bytes, path);
    if (status == HF_OK)
        status = ls_delete(self, ctx, path);
    for (uint64_t i = 0; status == HF_OK && i < index.count; i++) {
        ls_segment_path(self, index.owner, index.id, i, path);
        status = ls_delete(self, ctx, path);
    }
    return status;
}

static bool has_index(const struct items *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].name.kind == LS_INDEX && !strcmp(list->items[i].name.id, id))
            return true;
    return false;
}

/* Pieces that no index names. All indexes are looked at: one of an object that stands aside begins otherwise. */
int ls_sweep(void *opaque, struct hf_ctx *ctx, const char *prefix, int64_t older_than_ms)
{
    struct ls *self = opaque;
    struct items list = {0};
    char path[LS_PATH_MAX];
    bool any = false;
    int64_t age_ms = older_than_ms > self->sweep_after_ms ? older_than_ms : self->sweep_after_ms;
    int status = load(self, ctx, prefix, &list);
    for (size_t i = 0; status == HF_OK && i < list.count; i++) {
        const struct item *item = &list.items[i];
        any = any || item->name.kind == LS_SEGMENT;
        if (item->name.kind != LS_CLAIM || !ls_claim_is_dead(&item->name, item->modified))
            continue;
        ls_claim_path(self, item->name.key, item->name.id, item->name.number, path);
        status = ls_delete(self, ctx, path);
    }
    if (status == HF_OK && any) {
        list.count = 0;
        status = load(self, ctx, "", &list);
    }
    for (size_t i = 0; any && status == HF_OK && i < list.count; i++) {
        const struct item *item = &list.items[i];
        if (item->name.kind != LS_SEGMENT || strncmp(item->name.key, prefix, strlen(prefix)) != 0 ||
            has_index(&list, item->name.id) || (int64_t)time(NULL) - item->modified < age_ms / 1000)
            continue;
        ls_segment_path(self, item->name.key, item->name.id, item->name.number, path);
        status = ls_delete(self, ctx, path);
        if (status == HF_OK)
            ls_host->log(ctx, HF_LOG_INFO, "removed '%s/%s', left by a run that did not end", self->bucket, path);
    }
    free(list.items);
    return status;
}

int ls_check(void *opaque, struct hf_ctx *ctx)
{
    struct ls *self = opaque;
    static const char text[] = "holdfast check\n";
    char path[LS_PATH_MAX], name[64];
    snprintf(name, sizeof(name), ".holdfast-check-%lld", (long long)time(NULL));
    ls_path(self, name, path);
    FILE *file = tmpfile();
    if (!file || fputs(text, file) < 0) {
        if (file)
            (void)fclose(file);
        return ls_host->fail(ctx, HF_E_IO, "cannot make a temporary file");
    }
    int status = ls_store(self, ctx, path, file, sizeof(text) - 1, "text/plain");
    (void)fclose(file); /* read from */
    return status == HF_OK ? ls_delete(self, ctx, path) : status;
}
