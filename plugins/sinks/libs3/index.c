/* SPDX-License-Identifier: Apache-2.0
 *
 * Large objects: the index says which pieces make them, and is what makes them visible.
 */
#include "ls.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_MAX = 1024 };

int ls_index_write(const struct ls_index *index, struct hf_ctx *ctx, const char (*md5)[LS_MD5_HEX], FILE **ret_file,
                   uint64_t *ret_size)
{
    FILE *file = tmpfile();
    uint64_t left = index->bytes;
    if (!file)
        return ls_host->fail(ctx, HF_E_IO, "cannot make a temporary file");
    fprintf(file, "holdfast-segments 1\nowner %s\nsegment %" PRIu64 "\n", index->owner, index->segment);
    for (uint64_t i = 0; i < index->count; i++) {
        uint64_t size = left < index->segment ? left : index->segment;
        fprintf(file, "%06" PRIu64 " %" PRIu64 " %s\n", i, size, md5[i]);
        left -= size;
    }
    long size = fflush(file) == 0 && !ferror(file) ? ftell(file) : -1;
    if (size < 0) {
        (void)fclose(file);
        return ls_host->fail(ctx, HF_E_IO, "cannot write to a temporary file");
    }
    *ret_file = file;
    *ret_size = (uint64_t)size;
    return HF_OK;
}

int ls_index_read(struct ls *self, struct hf_ctx *ctx, const struct ls_name *name, struct ls_index *ret_index)
{
    char path[LS_PATH_MAX], head[HEAD_MAX + 1], owner[LS_KEY_MAX + 1] = "";
    struct ls_look look;
    uint64_t segment = 0;
    ls_index_path(self, name->key, name->id, name->number, name->bytes, path);
    int status = ls_head(self, ctx, path, &look);
    if (status == HF_E_NOTFOUND)
        return ls_host->fail(ctx, HF_E_NOTFOUND, "there is no '%s/%s'", self->bucket, path);
    size_t size = status == HF_OK && look.bytes < HEAD_MAX ? (size_t)look.bytes : HEAD_MAX;
    if (status == HF_OK)
        status = ls_load(self, ctx, path, look.etag, look.bytes, 0, size, head);
    if (status != HF_OK)
        return status;
    head[size] = 0;
    if (sscanf(head, "holdfast-segments 1\nowner %240[A-Za-z0-9._-]\nsegment %" SCNu64 "\n", owner, &segment) != 2 ||
        segment == 0 || (name->bytes + segment - 1) / segment != name->number || owner[0] == '.')
        return ls_host->fail(ctx, HF_E_CORRUPT, "'%s/%s' is no index of segments", self->bucket, path);
    *ret_index = (struct ls_index){.segment = segment, .count = name->number, .bytes = name->bytes};
    memcpy(ret_index->owner, owner, sizeof(owner));
    memcpy(ret_index->id, name->id, sizeof(ret_index->id));
    return HF_OK;
}

struct search {
    const char *key;
    struct ls_name found;
    int64_t modified;
};

static int keep_index(void *arg, const char *name, uint64_t bytes, int64_t modified)
{
    struct search *search = arg;
    struct ls_name item;
    (void)bytes;
    ls_name_parse(name, &item);
    if (item.kind == LS_INDEX && !strcmp(item.key, search->key) && search->found.kind != LS_INDEX) {
        search->found = item;
        search->modified = modified;
    }
    return 0;
}

int ls_find(struct ls *self, struct hf_ctx *ctx, const char *key, struct ls_name *ret_name, struct ls_look *ret_look)
{
    struct search search = {.key = key};
    char path[LS_PATH_MAX], start[LS_KEY_MAX + 32];
    int status = ls_key_check(ctx, key);
    if (status != HF_OK)
        return status;
    ls_path(self, key, path);
    status = ls_head(self, ctx, path, ret_look);
    ls_name_parse(key, ret_name);
    if (status != HF_E_NOTFOUND)
        return status;
    snprintf(start, sizeof(start), "%s.segments-", key);
    status = ls_each(self, ctx, start, keep_index, &search);
    if (status != HF_OK)
        return status;
    if (search.found.kind != LS_INDEX)
        return HF_E_NOTFOUND;
    *ret_name = search.found;
    *ret_look = (struct ls_look){.bytes = search.found.bytes, .modified = search.modified};
    return HF_OK;
}
