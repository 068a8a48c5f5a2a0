/* SPDX-License-Identifier: Apache-2.0
 *
 * What objects are to be like, looking at them, and removing them.
 */
#include "objects.h"

#include <string.h>

void s3_object_headers(const struct s3 *self, bool passing, const char *retain, struct s3_request *request)
{
    for (unsigned i = 0; i < self->sse_header_count; i++)
        s3_request_header(request, self->sse_headers[i].name, self->sse_headers[i].value);
    for (unsigned i = 0; i < self->customer_header_count; i++)
        s3_request_header(request, self->customer_headers[i].name, self->customer_headers[i].value);
    for (unsigned i = 0; i < self->object_header_count && !passing; i++)
        s3_request_header(request, self->object_headers[i].name, self->object_headers[i].value);
    if (*retain) {
        s3_request_header(request, "x-amz-object-lock-mode", self->lock_mode);
        s3_request_header(request, "x-amz-object-lock-retain-until-date", retain);
    }
}

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

int s3_bucket_locks(struct s3 *self, struct s3_call *call)
{
    struct s3_answer answer = {0};
    struct s3_request lock = {.doing = "ask for the object lock of", .method = "GET", .query = "object-lock="};
    int status = s3_request_send(self, call, &lock, &answer);
    if (answer.status == 404) {
        s3_forgive(call);
        s3_fail(call, HF_E_CONFIG, "the bucket '%s' was made without object lock, so that 'lock' cannot be had",
                self->bucket);
        status = s3_hint(call, "make another one with it: aws s3api create-bucket --object-lock-enabled-for-bucket …");
    } else if (status == HF_OK && !s3_xml_is(answer.body.data, answer.body.used, "ObjectLockConfiguration")) {
        s3_fail(call, HF_E_UNSUPPORTED, "the server does not know object lock, so that 'lock' cannot be had");
        status = s3_hint(call, "take lock out, or store into a bucket of a server that has it");
    }
    s3_answer_clear(&answer);
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
            ret_object->locked_until_ms = answer.locked_until_ms > 0 ? answer.locked_until_ms : 0;
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

/* --- what the profile wishes --- */

/* Servers that do not know about retention would take the request for one that replaces the object: so they are asked
 * first, and there must be a version to name. */
static int lock_object(struct s3 *self, struct s3_call *call, const char *key, const char *version, const char *retain)
{
    struct s3_answer answer = {0};
    struct s3_text query = {0}, body = {0};
    int status = s3_bucket_locks(self, call);
    if (status != HF_OK)
        return status;
    s3_text_addf(&query, "retention=&versionId=");
    s3_text_add_encoded(&query, version, false);
    s3_text_addf(&body,
                 "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>%s</Mode>"
                 "<RetainUntilDate>%s</RetainUntilDate></Retention>",
                 self->lock_mode, retain);
    struct s3_request request = {.doing = "lock",
                                 .method = "PUT",
                                 .key = key,
                                 .query = query.data,
                                 .body = body.data,
                                 .body_size = body.used,
                                 .with_md5 = true};
    status = query.failed || body.failed ? s3_fail_memory(call) : s3_request_send(self, call, &request, &answer);
    s3_answer_clear(&answer);
    s3_text_clear(&query);
    s3_text_clear(&body);
    return status;
}

/* Ceph 16 passes over the lock that an upload in parts asks for; an object of its own can still be locked. */
static int ensure_locked(struct s3 *self, struct s3_call *call, const char *key, const char *retain,
                         const struct s3_answer *answer)
{
    struct s3_answer again = {0};
    int64_t until_ms = s3_time_parse(retain);
    int status = HF_OK;
    bool locked = answer->locked_until_ms >= until_ms;
    if (!locked && answer->version_id[0]) {
        status = lock_object(self, call, key, answer->version_id, retain);
        if (status == HF_OK)
            status = s3_object_head(self, call, key, &again);
        locked = status == HF_OK && again.locked_until_ms >= until_ms;
        s3_answer_clear(&again);
    }
    if (status == HF_OK && !locked) {
        s3_fail(call, HF_E_UNSUPPORTED, "the server stored 's3://%s/%s%s' and did not lock it", self->bucket,
                self->prefix, key);
        status = s3_hint(call, "does the bucket have object lock, and are the credentials allowed "
                               "s3:GetObjectRetention? Else take lock out");
    }
    return status;
}

int s3_object_ensure(struct s3 *self, struct s3_call *call, const char *key, const char *retain,
                     const struct s3_answer *answer)
{
    bool encrypted = (self->sse_header_count == 0 || strcmp(answer->encryption, self->sse_headers[0].value) == 0) &&
                     (self->customer_header_count == 0 || answer->customer_encryption[0]);
    if (encrypted)
        return *retain ? ensure_locked(self, call, key, retain, answer) : HF_OK;
    s3_fail(call, HF_E_UNSUPPORTED, "the server stored 's3://%s/%s%s' without the encryption that 'sse' asks for",
            self->bucket, self->prefix, key);
    return s3_hint(call, "this server does not encrypt so: take sse out, and encrypt with a [stage] of plugin age");
}
