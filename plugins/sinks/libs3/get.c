/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading an object, a window at a time: each is a request of known length, so that one that breaks off is noticed, and
 * goes on where it was.
 */
#include "ls.h"

#include <stdlib.h>
#include <string.h>

enum { WINDOW = 4 << 20 };

struct get {
    struct ls *self;
    char key[LS_KEY_MAX + 1];
    bool segmented;
    struct ls_index index;
    struct ls_look look; /* of what is read from: the object, or its segment `at` */
    uint64_t at;         /* UINT64_MAX: none yet                                  */
    uint64_t offset, left;
    char *window;
    size_t used, taken; /* of the window */
};

void ls_get_end(void *opaque)
{
    struct get *get = opaque;
    if (!get)
        return;
    free(get->window);
    free(get);
}

static int begin(struct get *get, struct hf_ctx *ctx, uint64_t offset, uint64_t length)
{
    struct ls_name name;
    int status = ls_find(get->self, ctx, get->key, &name, &get->look);
    if (status == HF_E_NOTFOUND)
        return ls_host->fail(ctx, HF_E_NOTFOUND, "there is no '%s/%s%s'", get->self->bucket, get->self->prefix,
                             get->key);
    if (status == HF_OK && name.kind == LS_INDEX) {
        get->segmented = true;
        status = ls_index_read(get->self, ctx, &name, &get->index);
    }
    if (status != HF_OK)
        return status;
    uint64_t bytes = get->look.bytes;
    if (offset > bytes || (length != UINT64_MAX && length > bytes - offset))
        return ls_host->fail(ctx, HF_E_CORRUPT, "'%s/%s%s' ends at byte %llu, too early", get->self->bucket,
                             get->self->prefix, get->key, (unsigned long long)bytes);
    get->left = length == UINT64_MAX ? bytes - offset : length;
    get->window = malloc(get->left < WINDOW ? (size_t)get->left + 1 : WINDOW);
    return get->window ? HF_OK : ls_fail_nomem(ctx);
}

int ls_get_begin(void *opaque, struct hf_ctx *ctx, const char *key, uint64_t offset, uint64_t length, void **ret_get)
{
    int status = ls_key_check(ctx, key);
    struct get *get = status == HF_OK ? calloc(1, sizeof(*get)) : NULL;
    if (!get)
        return status == HF_OK ? ls_fail_nomem(ctx) : status;
    get->self = opaque;
    get->offset = offset;
    get->at = UINT64_MAX;
    snprintf(get->key, sizeof(get->key), "%s", key);
    status = begin(get, ctx, offset, length);
    if (status != HF_OK) {
        ls_get_end(get);
        return status;
    }
    *ret_get = get;
    return HF_OK;
}

/* Makes look that of the segment which the offset lies in. */
static int enter_segment(struct get *get, struct hf_ctx *ctx, uint64_t number, const char *path)
{
    uint64_t size = get->index.bytes - number * get->index.segment;
    if (size > get->index.segment)
        size = get->index.segment;
    int status = get->at == number ? HF_OK : ls_head(get->self, ctx, path, &get->look);
    if (status == HF_E_NOTFOUND || (status == HF_OK && get->look.bytes != size))
        return ls_host->fail(ctx, HF_E_CORRUPT, "'%s/%s', a piece of '%s', is %s", get->self->bucket, path, get->key,
                             status == HF_OK ? "of another size" : "missing");
    get->at = number;
    return status;
}

static int fill(struct get *get, struct hf_ctx *ctx)
{
    char path[LS_PATH_MAX];
    uint64_t offset = get->offset, most = get->left < WINDOW ? get->left : WINDOW;
    int status = HF_OK;
    if (get->segmented) {
        uint64_t number = offset / get->index.segment;
        ls_segment_path(get->self, get->index.owner, get->index.id, number, path);
        status = enter_segment(get, ctx, number, path);
        offset -= number * get->index.segment;
        if (most > get->index.segment - offset)
            most = get->index.segment - offset;
    } else {
        ls_path(get->self, get->key, path);
    }
    if (status == HF_OK)
        status = ls_load(get->self, ctx, path, get->look.etag, get->look.bytes, offset, (size_t)most, get->window);
    get->used = status == HF_OK ? (size_t)most : 0;
    get->taken = 0;
    return status;
}

int64_t ls_get_read(void *opaque, struct hf_ctx *ctx, void *data, size_t size)
{
    struct get *get = opaque;
    if (get->left == 0)
        return 0;
    if (get->taken == get->used) {
        int status = fill(get, ctx);
        if (status != HF_OK)
            return status;
    }
    if (size > get->used - get->taken)
        size = get->used - get->taken;
    memcpy(data, get->window + get->taken, size);
    get->taken += size;
    get->offset += size;
    get->left -= size;
    return (int64_t)size;
}
