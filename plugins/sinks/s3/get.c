/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a range. When the transfer breaks off, a request for what is missing goes on where it was, of the same
 * object: the ETag is held against the first answer's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"
#include "retry.h"

struct get {
    struct s3 *self;
    char *key;
    uint64_t offset;
    uint64_t left; /* UINT64_MAX, before the first answer: to the end */
    char etag[S3_ETAG_SIZE];
    struct s3_client *client;
    struct s3_answer answer; /* of the transfer at hand */
    bool open;
    unsigned failures; /* since a byte came */
};

void s3_get_end(void *opaque)
{
    struct get *get = opaque;
    if (!get)
        return;
    s3_client_give(get->client, !get->open || s3_http_over(get->client));
    s3_answer_clear(&get->answer);
    free(get->key);
    free(get);
}

static int fail_short(struct get *get, struct s3_call *call, uint64_t size)
{
    return s3_fail(call, HF_E_CORRUPT, "'s3://%s/%s%s' ends at byte %" PRIu64 ", too early", get->self->bucket,
                   get->self->prefix, get->key, size);
}

/* Holds the answer's range against what was asked for. */
static int check_range(struct get *get, struct s3_call *call)
{
    uint64_t first = 0, last = 0, size = 0;
    const struct s3_answer *answer = &get->answer;
    if (answer->status == 206) {
        if (sscanf(answer->content_range, "bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64, &first, &last, &size) != 3 ||
            first != get->offset || last < first || last >= size)
            return s3_fail(call, HF_E_IO,
                           "cannot read 's3://%s/%s%s': the server sends another range (%s) than it was asked for",
                           get->self->bucket, get->self->prefix, get->key, answer->content_range);
    } else if (get->offset > 0 || answer->length < 0) {
        return s3_fail(call, HF_E_UNSUPPORTED, "cannot read 's3://%s/%s%s': the server does not %s", get->self->bucket,
                       get->self->prefix, get->key, get->offset > 0 ? "know ranges" : "say how large it is");
    } else {
        size = (uint64_t)answer->length;
    }
    if (get->left == UINT64_MAX)
        get->left = size - get->offset;
    else if (size - get->offset < get->left)
        return fail_short(get, call, size);
    return HF_OK;
}

/* What a range beyond the object's end means: nothing is left, or it is too short. */
static int at_end(struct get *get, struct s3_call *call)
{
    uint64_t size = 0;
    bool known = sscanf(get->answer.content_range, "bytes */%" SCNu64, &size) == 1;
    s3_forgive(call);
    if (known && get->left == UINT64_MAX && size == get->offset) {
        get->left = 0;
        return HF_OK;
    }
    return fail_short(get, call, known ? size : get->offset);
}

static int open_transfer(struct get *get, struct s3_call *call)
{
    struct s3 *self = get->self;
    char range[64];
    struct s3_request request = {.doing = "read", .method = "GET", .key = get->key, .streamed = true};
    for (unsigned i = 0; i < self->customer_header_count; i++)
        s3_request_header(&request, self->customer_headers[i].name, self->customer_headers[i].value);
    if (get->left != UINT64_MAX)
        snprintf(range, sizeof(range), "bytes=%" PRIu64 "-%" PRIu64, get->offset, get->offset + get->left - 1);
    else
        snprintf(range, sizeof(range), "bytes=%" PRIu64 "-", get->offset);
    if (get->offset > 0 || get->left != UINT64_MAX)
        s3_request_header(&request, "range", range);
    s3_request_header(&request, "if-match", get->etag[0] ? get->etag : NULL);
    int status = get->client ? HF_OK : s3_client_take(self, call, &get->client);
    if (status == HF_OK)
        status = s3_request_over(get->client, self, call, &request, &get->answer);
    if (status == HF_OK)
        get->open = true;
    else if (get->answer.status == 416)
        return at_end(get, call);
    else if (get->answer.status == 412) {
        s3_forgive(call);
        status = s3_fail(call, HF_E_CORRUPT, "'s3://%s/%s%s' was replaced while it was read", self->bucket,
                         self->prefix, get->key);
    }
    if (status == HF_OK)
        status = check_range(get, call);
    if (status == HF_OK && get->etag[0] && get->answer.etag[0] && strcmp(get->etag, get->answer.etag) != 0)
        status = s3_fail(call, HF_E_CORRUPT, "'s3://%s/%s%s' was replaced while it was read", self->bucket,
                         self->prefix, get->key);
    if (status == HF_OK)
        memcpy(get->etag, get->answer.etag, sizeof(get->etag));
    return status;
}

int s3_get_begin(void *opaque, struct hf_ctx *ctx, const char *key, uint64_t offset, uint64_t length, void **ret_get)
{
    struct s3_call call = s3_call_of(ctx);
    int status = s3_key_check(ctx, key);
    if (status != HF_OK)
        return status;
    if (length == 0) { /* no range has no bytes; what is asked for is whether it is there, and long enough */
        struct hf_object object = {.size = sizeof(object)};
        status = s3_stat(opaque, ctx, key, &object);
        if (status == HF_OK && object.bytes < offset)
            return s3_host->fail(ctx, HF_E_CORRUPT, "'%s' ends at byte %" PRIu64 ", too early", key, object.bytes);
        if (status != HF_OK)
            return status;
    }
    struct get *get = calloc(1, sizeof(*get));
    if (!get)
        return s3_host->fail(ctx, HF_E_NOMEM, "out of memory");
    *get = (struct get){.self = opaque, .key = strdup(key), .offset = offset, .left = length};
    status = !get->key ? s3_fail_memory(&call) : length > 0 ? open_transfer(get, &call) : HF_OK;
    if (status != HF_OK) {
        s3_get_end(get);
        return s3_report(&call, status);
    }
    *ret_get = get;
    return HF_OK;
}

/* The transfer ended before the range did. */
static int go_on(struct get *get, struct s3_call *call)
{
    struct s3 *self = get->self;
    struct s3_error none = {0};
    char why[400];
    if (get->open) {
        s3_http_stop(get->client);
        get->open = false;
        s3_describe(&get->answer, &none, why, sizeof(why));
        if (++get->failures > self->retries) {
            s3_fail(call, HF_E_UNREACHABLE, "cannot read 's3://%s/%s%s' at byte %" PRIu64 ": %s", self->bucket,
                    self->prefix, get->key, get->offset, why);
            return s3_hint(call, "%u tries brought nothing more; is the server up, and the network?", get->failures);
        }
        int64_t pause = s3_backoff_ms(get->failures, 0, s3_random());
        s3_note(call, "read '%s': %s; going on at byte %" PRIu64 " in %" PRId64 " ms", get->key, why, get->offset,
                pause);
        int status = s3_sleep(call, pause);
        if (status != HF_OK)
            return status;
        call->attempts = self->retries + 1 - get->failures; /* those tries count, too; one is left */
    }
    return open_transfer(get, call);
}

int64_t s3_get_read(void *opaque, struct hf_ctx *ctx, void *data, size_t size)
{
    struct get *get = opaque;
    struct s3_call call = s3_call_of(ctx);
    if (size > get->left)
        size = (size_t)get->left;
    while (size > 0) {
        int64_t got = get->open ? s3_http_read(get->client, &call, data, size) : 0;
        if (got < 0)
            return s3_report(&call, (int)got);
        if (got > 0) {
            get->offset += (uint64_t)got;
            get->left -= (uint64_t)got;
            get->failures = 0;
            return got;
        }
        int status = go_on(get, &call);
        if (status != HF_OK)
            return s3_report(&call, status);
    }
    return 0;
}
