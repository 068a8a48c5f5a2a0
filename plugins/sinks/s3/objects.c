/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking at objects, and removing them.
 */
#include "objects.h"

#include <string.h>

int s3_bucket_look(struct s3 *self, struct s3_call *call, const char *doing, const char *key)
{
    struct s3_answer answer = {0};
    struct s3_text query = {0};
    s3_text_addf(&query, "encoding-type=url&list-type=2&max-keys=1&prefix=");
    s3_text_add_encoded(&query, self->prefix, false);
    s3_text_add_encoded(&query, key ? key : "", false);
    struct s3_request request = {.doing = doing, .method = "GET", .query = query.data, .root = "ListBucketResult"};
    int status = query.failed ? s3_fail_memory(call) : s3_request_send(self, call, &request, &answer);
    s3_answer_clear(&answer);
    s3_text_clear(&query);
    return status;
}

int s3_object_head(struct s3 *self, struct s3_call *call, const char *key, struct s3_answer *answer)
{
    struct s3_request request = {.doing = "look at", .method = "HEAD", .key = key};
    for (unsigned i = 0; i < self->customer_header_count; i++)
        s3_request_header(&request, self->customer_headers[i].name, self->customer_headers[i].value);
    int status = s3_request_send(self, call, &request, answer);
    if (status == HF_OK && answer->length < 0)
        return s3_fail(call, HF_E_IO, "cannot look at 's3://%s/%s%s': the server does not say how large it is",
                       self->bucket, self->prefix, key);
    if (status >= 0 || answer->status != 404)
        return status;
    /* The answer to HEAD has no text that tells whether the object or the bucket is missing. */
    s3_forgive(call);
    status = s3_bucket_look(self, call, "look for objects in", key);
    if (status == HF_E_NOTFOUND) /* something else that is missing; but not the object in a bucket */
        status = call->problem.code = HF_E_UNREACHABLE;
    if (status == HF_OK)
        status = s3_fail(call, HF_E_NOTFOUND, "there is no 's3://%s/%s%s'", self->bucket, self->prefix, key);
    return status;
}

int s3_stat(void *opaque, struct hf_ctx *ctx, const char *key, struct hf_object *ret_object)
{
    struct s3 *self = opaque;
    struct s3_call call = s3_call_of(ctx);
    struct s3_answer answer = {0};
    int status = s3_key_check(ctx, key);
    if (status != HF_OK)
        return status;
    status = s3_object_head(self, &call, key, &answer);
    if (status == HF_OK) {
        ret_object->key = key;
        ret_object->bytes = (uint64_t)answer.length;
        ret_object->modified_ms = answer.modified_ms > 0 ? answer.modified_ms : 0;
        if (ret_object->size >= sizeof(struct hf_object))
            ret_object->locked_until_ms = self->lock_mode && answer.locked_until_ms > 0 ? answer.locked_until_ms : 0;
    }
    s3_answer_clear(&answer);
    return s3_report(&call, status);
}

int s3_object_delete(struct s3 *self, struct s3_call *call, const char *key, const char *version)
{
    struct s3_answer answer = {0};
    struct s3_text query = {0};
    if (version && *version) {
        s3_text_addf(&query, "versionId=");
        s3_text_add_encoded(&query, version, false);
    }
    struct s3_request request = {
        .doing = "remove", .method = "DELETE", .key = key, .query = query.used ? query.data : NULL};
    int status = query.failed ? s3_fail_memory(call) : s3_request_send(self, call, &request, &answer);
    if (status == HF_E_NOTFOUND) {
        s3_forgive(call);
        status = HF_OK;
    }
    s3_answer_clear(&answer);
    s3_text_clear(&query);
    return status;
}

static int refuse_locked(struct s3 *self, struct s3_call *call, const char *key, int64_t until_ms)
{
    char date[32];
    s3_time_text(until_ms, date, sizeof(date));
    s3_fail(call, HF_E_REFUSED, "'s3://%s/%s%s' is locked until %s, and may not be removed before", self->bucket,
            self->prefix, key, date);
    return s3_hint(call, "that is what 'lock' is for; when it has run out, 'holdfast prune' removes it");
}

/* Where objects are locked they have versions, and a plain removal would only hide them and free nothing. */
static int remove_version(struct s3 *self, struct s3_call *call, const char *key)
{
    struct s3_answer answer = {0};
    int status = s3_object_head(self, call, key, &answer);
    int64_t now = answer.date_ms > 0 ? answer.date_ms : s3_now_ms();
    if (status == HF_E_NOTFOUND) {
        s3_forgive(call);
        status = HF_OK;
    } else if (status == HF_OK && answer.locked_until_ms > now) {
        status = refuse_locked(self, call, key, answer.locked_until_ms);
    } else if (status == HF_OK) {
        status = s3_object_delete(self, call, key, answer.version_id);
    }
    s3_answer_clear(&answer);
    return status;
}

int s3_remove(void *opaque, struct hf_ctx *ctx, const char *key)
{
    struct s3 *self = opaque;
    struct s3_call call = s3_call_of(ctx);
    int status = s3_key_check(ctx, key);
    if (status != HF_OK)
        return status;
    status = self->lock_mode ? remove_version(self, &call, key) : s3_object_delete(self, &call, key, NULL);
    return s3_report(&call, status);
}
