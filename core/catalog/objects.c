/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/objects.h"

#include "base/memory.h"

enum { FIRST_READ = 16 * 1024, WRITE_PIECE = 1024 * 1024 };

/* Reads to the end of the object, at most max_bytes of it. */
static int read_all(struct hf_ctx *ctx, const struct hf_sink *ops, void *get, const char *key, size_t max_bytes,
                    struct hf_text *out)
{
    for (;;) {
        int64_t got;

        if (out->length == out->room) {
            out->room = out->room == 0 ? FIRST_READ : out->room * 2;
            if (out->room > max_bytes)
                out->room = max_bytes + 1; /* the byte too many, to tell */
            out->data = hf_realloc_array(out->data, out->room + 1, 1);
        }
        got = ops->get_read(get, ctx, out->data + out->length, out->room - out->length);
        if (got < 0)
            return (int)got;
        if (got == 0)
            break;
        if ((uint64_t)got > out->room - out->length)
            return hf_fail(ctx, HF_E_FAIL, "read object '%s': more bytes than there was room for", key);
        out->length += (size_t)got;
        if (out->length > max_bytes)
            return hf_fail(ctx, HF_E_CORRUPT, "object '%s' is larger than %zu bytes", key, max_bytes);
    }
    out->data[out->length] = '\0';
    return HF_OK;
}

int hf_object_read(struct hf_ctx *ctx, struct hf_instance *sink, const char *key, size_t max_bytes, char **ret_data,
                   size_t *ret_size)
{
    const struct hf_sink *ops = &sink->loaded->sink;
    hf_auto_text struct hf_text out = {0};
    void *get = NULL;
    int rc;

    hf_instance_enter(sink, ctx);
    rc = ops->get_begin(sink->self, ctx, key, 0, UINT64_MAX, &get);
    if (rc >= 0) {
        rc = read_all(ctx, ops, get, key, max_bytes, &out);
        ops->get_end(get);
    }
    rc = hf_instance_leave(sink, ctx, rc);
    if (rc < 0)
        return rc;
    *ret_size = out.length;
    *ret_data = hf_steal(out.data);
    return HF_OK;
}

static int write_all(struct hf_ctx *ctx, const struct hf_sink *ops, void *put, const char *data, size_t size)
{
    int rc = HF_OK;

    for (size_t at = 0; at < size && rc >= 0;) {
        size_t piece = size - at < WRITE_PIECE ? size - at : WRITE_PIECE;
        struct hf_block block = {.size = sizeof(block), .data = (const unsigned char *)data + at, .used = piece};

        rc = ops->put_write(put, ctx, &block);
        at += piece;
    }
    if (rc >= 0 && ops->put_prepare != NULL)
        rc = ops->put_prepare(put, ctx);
    if (rc >= 0)
        rc = ops->put_commit(put, ctx);
    return rc;
}

static int write_object(struct hf_ctx *ctx, struct hf_instance *sink, struct hf_put_request request, const char *data)
{
    const struct hf_sink *ops = &sink->loaded->sink;
    void *put = NULL;
    int rc;

    hf_instance_enter(sink, ctx);
    rc = ops->put_begin(sink->self, ctx, &request, &put);
    if (rc >= 0) {
        rc = write_all(ctx, ops, put, data, request.size_hint);
        if (rc < 0)
            ops->put_abort(put, ctx);
    }
    rc = hf_instance_leave(sink, ctx, rc);
    return rc < 0 ? rc : HF_OK;
}

int hf_object_write(struct hf_ctx *ctx, struct hf_instance *sink, const char *key, const char *media, const char *data,
                    size_t size)
{
    struct hf_put_request request = {.size = sizeof(request), .key = key, .media = media, .size_hint = size};

    return write_object(ctx, sink, request, data);
}

int hf_object_write_passing(struct hf_ctx *ctx, struct hf_instance *sink, const char *key, const char *media,
                            const char *data, size_t size)
{
    struct hf_put_request request = {
        .size = sizeof(request), .flags = HF_PUT_PASSING, .key = key, .media = media, .size_hint = size};

    return write_object(ctx, sink, request, data);
}

int hf_object_remove(struct hf_ctx *ctx, struct hf_instance *sink, const char *key)
{
    int rc;

    hf_instance_enter(sink, ctx);
    rc = hf_instance_leave(sink, ctx, sink->loaded->sink.remove(sink->self, ctx, key));
    return rc < 0 ? rc : HF_OK;
}

int hf_object_stat(struct hf_ctx *ctx, struct hf_instance *sink, const char *key, bool *ret_there, uint64_t *ret_bytes)
{
    struct hf_object object = {.size = sizeof(object)};
    struct hf_ctx aside = hf_ctx_aside(ctx);
    int rc;

    hf_instance_enter(sink, &aside);
    rc = hf_instance_leave(sink, &aside, sink->loaded->sink.stat(sink->self, &aside, key, &object));
    if (rc < 0 && rc != HF_E_NOTFOUND) {
        hf_error_merge(&ctx->error, &aside.error);
        return rc;
    }
    hf_error_clear(&aside.error);
    *ret_there = rc >= 0;
    if (ret_bytes != NULL)
        *ret_bytes = rc >= 0 ? object.bytes : 0;
    return HF_OK;
}
