/* SPDX-License-Identifier: Apache-2.0
 *
 * One object's way in. A small one waits in memory until it is committed, and is sent whole; a larger one is a
 * multipart upload, all of it sent but the last request. Nobody sees either before.
 */
#include <stdlib.h>
#include <string.h>

#include "objects.h"
#include "parts.h"
#include "upload.h"

enum { FIRST_ROOM = 64 * 1024, LOOKS = 5, LOOKS_IN_DOUBT = 2, LOOK_PAUSE_MS = 100 };

struct put {
    struct s3 *self;
    char *key, *media;
    char id[S3_ID_SIZE];       /* our mark on the object */
    char retain[S3_TIME_SIZE]; /* until when it is locked; "": it is not */
    bool passing;
    struct s3_part *part;     /* being filled */
    struct s3_upload *upload; /* NULL: small so far */
    uint64_t sent;            /* bytes of parts before this one */
    uint64_t held;            /* counted in self->held */
    bool prepared;
    bool unsure; /* it may have become visible without our knowing */
};

static uint64_t total(const struct put *put)
{
    return put->sent + (put->part ? put->part->used : 0);
}

static void put_free(struct put *put)
{
    atomic_fetch_sub(&put->self->held, put->held);
    s3_upload_free(put->upload);
    s3_part_free(put->part);
    free(put->key);
    free(put->media);
    free(put);
}

int s3_put_begin(void *opaque, struct hf_ctx *ctx, const struct hf_put_request *request, void **ret_put)
{
    struct s3 *self = opaque;
    int status = s3_key_check(ctx, request->key);
    if (status != HF_OK)
        return status;
    struct put *put = calloc(1, sizeof(*put));
    if (!put)
        return s3_host->fail(ctx, HF_E_NOMEM, "out of memory");
    put->self = self;
    put->key = strdup(request->key);
    put->media = strdup(request->media ? request->media : "application/octet-stream");
    put->passing = request->flags & HF_PUT_PASSING;
    put->part = s3_part_new();
    if (!put->key || !put->media || !put->part || !s3_part_reserve(put->part, FIRST_ROOM) || !s3_random_id(put->id)) {
        put_free(put);
        return s3_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    put->part->number = 1;
    if (self->lock_mode && !put->passing)
        s3_time_text(s3_now_ms() + self->lock_ms, put->retain, sizeof(put->retain));
    *ret_put = put;
    return HF_OK;
}

static void object_headers(const struct put *put, struct s3_request *request)
{
    s3_request_header(request, "content-type", put->media);
    s3_request_header(request, "x-amz-meta-holdfast-put", put->id);
    s3_object_headers(put->self, put->passing, put->retain, request);
}

static int begin_upload(struct put *put, struct hf_ctx *ctx)
{
    struct s3_call call = s3_call_of(ctx);
    struct s3_request headers = {0};
    if (put->upload)
        return HF_OK;
    object_headers(put, &headers);
    return s3_report(&call, s3_upload_new(put->self, &call, put->key, &headers, &put->upload));
}

static int send_part(struct put *put, struct hf_ctx *ctx, bool more)
{
    struct s3 *self = put->self;
    unsigned number = put->part->number;
    int status = begin_upload(put, ctx);
    if (status == HF_OK && more && number == self->max_parts) {
        s3_host->fail(ctx, HF_E_NOSPACE, "'%s' does not fit into %u parts", put->key, self->max_parts);
        return s3_host->hint(ctx, "set part_size higher, or max_parts if the server allows more");
    }
    if (status != HF_OK)
        return status;
    put->sent += put->part->used;
    uint64_t room = more ? s3_part_size(self->part_size, self->max_parts, put->sent) : 0;
    status = s3_upload_send(put->upload, ctx, &put->part, (size_t)room);
    if (put->part)
        put->part->number = number + 1;
    return status;
}

/* Makes room for at least one byte more. */
static int make_room(struct put *put, struct hf_ctx *ctx)
{
    struct s3_part *part = put->part;
    uint64_t size = s3_part_size(put->self->part_size, put->self->max_parts, put->sent);
    if (part->used == size)
        return send_part(put, ctx, true);
    uint64_t room = part->room * 4 < size ? part->room * 4 : size;
    return s3_part_reserve(part, (size_t)room) ? HF_OK : s3_host->fail(ctx, HF_E_NOMEM, "out of memory");
}

int s3_put_write(void *opaque, struct hf_ctx *ctx, const struct hf_block *block)
{
    struct put *put = opaque;
    const unsigned char *data = block->data;
    size_t left = block->used;
    while (left > 0) {
        uint64_t size = s3_part_size(put->self->part_size, put->self->max_parts, put->sent);
        size_t room = (put->part->room < size ? put->part->room : (size_t)size) - put->part->used;
        if (room == 0) {
            int status = make_room(put, ctx);
            if (status != HF_OK)
                return status;
            continue;
        }
        if (room > left)
            room = left;
        memcpy(put->part->data + put->part->used, data, room);
        put->part->used += room;
        data += room;
        left -= room;
    }
    return HF_OK;
}

/* Small objects may wait in memory, all together as many bytes as a part has; empty ones always. */
static bool may_wait(struct put *put)
{
    unsigned long long before = atomic_fetch_add(&put->self->held, put->part->used);
    put->held = put->part->used;
    if (put->held == 0 || before + put->held <= put->self->part_size)
        return true;
    atomic_fetch_sub(&put->self->held, put->held);
    put->held = 0;
    return false;
}

int s3_put_prepare(void *opaque, struct hf_ctx *ctx)
{
    struct put *put = opaque;
    int status = HF_OK;
    if (put->prepared || (!put->upload && may_wait(put))) {
        put->prepared = true;
        return HF_OK;
    }
    if (put->part->used > 0 || !put->upload)
        status = send_part(put, ctx, false);
    if (status == HF_OK)
        status = s3_upload_finish(put->upload, ctx);
    put->prepared = status == HF_OK;
    return status;
}

/* --- into sight --- */

/* Is what is there now what we put? HF_E_EXISTS: it is somebody else's. etag: what the server called ours, "" when it
 * did not. */
static int compare(struct put *put, struct s3_call *call, const char *etag, unsigned looks)
{
    struct s3 *self = put->self;
    struct s3_answer answer = {0};
    int status = HF_E_NOTFOUND;
    for (unsigned look = 0; status == HF_E_NOTFOUND && look < looks; look++) {
        /* Not every server shows at once what it has taken. */
        if (look > 0 && s3_sleep(call, LOOK_PAUSE_MS << look) != HF_OK)
            break;
        s3_forgive(call);
        status = s3_object_head(self, call, put->key, &answer);
    }
    if (status == HF_OK) {
        bool ours = answer.put_id[0] ? strcmp(answer.put_id, put->id) == 0 : etag[0] && strcmp(etag, answer.etag) == 0;
        if (!ours)
            status = s3_fail(call, HF_E_EXISTS, "'s3://%s/%s%s' exists already", self->bucket, self->prefix, put->key);
        else if ((uint64_t)answer.length != total(put))
            status = s3_fail(call, HF_E_CORRUPT, "'s3://%s/%s%s' has %lld bytes after %llu were stored", self->bucket,
                             self->prefix, put->key, (long long)answer.length, (unsigned long long)total(put));
        else
            status = s3_object_ensure(self, call, put->key, put->retain, &answer);
    }
    s3_answer_clear(&answer);
    return status;
}

/* Refuses a key that is taken, for servers that do not do that themselves. */
static int check_free(struct put *put, struct s3_call *call)
{
    struct s3 *self = put->self;
    struct s3_answer answer = {0};
    int status = s3_object_head(self, call, put->key, &answer);
    if (status == HF_E_NOTFOUND) {
        s3_forgive(call);
        status = HF_OK;
    } else if (status == HF_OK && strcmp(answer.put_id, put->id) != 0) {
        status = s3_fail(call, HF_E_EXISTS, "'s3://%s/%s%s' exists already", self->bucket, self->prefix, put->key);
    }
    s3_answer_clear(&answer);
    return status;
}

static int send_whole(struct put *put, struct s3_call *call, bool conditional, struct s3_answer *answer)
{
    struct s3_request request = {.doing = "store",
                                 .method = "PUT",
                                 .key = put->key,
                                 .body = put->part->data,
                                 .body_size = put->part->used,
                                 .with_md5 = put->self->lock_mode != NULL};
    object_headers(put, &request);
    s3_request_header(&request, "if-none-match", conditional ? "*" : NULL);
    return s3_request_send(put->self, call, &request, answer);
}

static int publish_once(struct put *put, struct s3_call *call, bool conditional, struct s3_answer *answer)
{
    /* Unless the server was seen to heed the condition; and a multipart upload's last request takes it on few servers,
     * and nothing tells on which. */
    bool sure = conditional && !put->upload && atomic_load(&put->self->conditional) == S3_CONDITIONAL_YES;
    int status = sure ? HF_OK : check_free(put, call);
    if (status != HF_OK)
        return status;
    put->unsure = true;
    return put->upload ? s3_upload_complete(put->upload, call, conditional, answer)
                       : send_whole(put, call, conditional, answer);
}

static void learn(struct put *put, struct s3_call *call, enum s3_conditional conditional)
{
    int unknown = S3_CONDITIONAL_UNKNOWN;
    if (atomic_compare_exchange_strong(&put->self->conditional, &unknown, conditional) &&
        conditional == S3_CONDITIONAL_NO)
        s3_note(call,
                "the server does not know If-None-Match: before an object is stored, its name is looked at instead");
}

/* The server says that it has it. Has it? */
static int confirm(struct put *put, struct s3_call *call, const char *etag)
{
    int status = compare(put, call, etag, LOOKS);
    if (status != HF_E_NOTFOUND)
        return status;
    s3_forgive(call);
    return s3_fail(call, HF_E_IO, "the server took 's3://%s/%s%s', and does not have it", put->self->bucket,
                   put->self->prefix, put->key);
}

/* It failed; or was it refused because an earlier try went well, whose answer was lost? */
static int resolve(struct put *put, struct s3_call *call, int status)
{
    struct s3_call look = *call;
    s3_forgive(&look);
    int seen = compare(put, &look, "", LOOKS_IN_DOUBT);
    put->unsure = seen != HF_E_EXISTS;
    if (seen != HF_OK && seen != HF_E_EXISTS)
        return status;
    *call = look;
    return seen;
}

static int publish(struct put *put, struct s3_call *call)
{
    struct s3_answer answer = {0};
    char etag[S3_ETAG_SIZE];
    bool conditional = atomic_load(&put->self->conditional) != S3_CONDITIONAL_NO;
    int status = publish_once(put, call, conditional, &answer);
    if (status == HF_E_UNSUPPORTED && conditional) {
        s3_forgive(call);
        learn(put, call, S3_CONDITIONAL_NO);
        status = publish_once(put, call, false, &answer);
    }
    memcpy(etag, answer.etag, sizeof(etag));
    int http = answer.status;
    s3_answer_clear(&answer);
    if (status == HF_OK)
        return confirm(put, call, etag);
    if (http == 412)
        learn(put, call, S3_CONDITIONAL_YES);
    if (put->unsure && (http == 412 || http == 404 || status == HF_E_UNREACHABLE))
        return resolve(put, call, status);
    put->unsure = put->unsure && status == HF_E_CANCELLED;
    return status;
}

int s3_put_commit(void *opaque, struct hf_ctx *ctx)
{
    struct put *put = opaque;
    struct s3_call call = s3_call_of(ctx);
    int status = put->prepared ? HF_OK : s3_put_prepare(put, ctx);
    if (status != HF_OK)
        return status;
    status = publish(put, &call);
    if (status != HF_OK)
        return s3_report(&call, status);
    put_free(put);
    return HF_OK;
}

/* Takes back what may have become visible in spite of a failure, if it is ours. */
static void take_back(struct put *put, struct s3_call *call)
{
    struct s3_answer answer = {0};
    int status = s3_object_head(put->self, call, put->key, &answer);
    if (status == HF_OK && strcmp(answer.put_id, put->id) == 0)
        status = s3_object_delete(put->self, call, put->key, put->self->lock_mode ? answer.version_id : NULL);
    if (status != HF_OK && status != HF_E_NOTFOUND)
        s3_host->log(call->ctx, HF_LOG_WARNING, "whether '%s' is stored is not known: %s", put->key,
                     call->problem.text);
    s3_answer_clear(&answer);
}

void s3_put_abort(void *opaque, struct hf_ctx *ctx)
{
    struct put *put = opaque;
    struct s3_call call = s3_call_last(ctx);
    if (put->upload) {
        s3_upload_stop(put->upload);
        const char *id = s3_upload_id(put->upload);
        if (id && s3_multipart_abort(put->self, &call, put->key, id) != HF_OK) {
            s3_host->log(ctx, HF_LOG_WARNING, "cannot take back what was sent of '%s': %s; the next run will", put->key,
                         call.problem.text);
            s3_forgive(&call);
        }
    }
    if (put->unsure)
        take_back(put, &call);
    put_free(put);
}
