/* SPDX-License-Identifier: Apache-2.0
 *
 * Could it work? Writes an empty object of its own and removes it again.
 */
#include <stdio.h>
#include <string.h>

#include "credentials.h"
#include "multipart.h"
#include "objects.h"

#define PROBE_PREFIX ".holdfast-check-"

static int put_probe(struct s3 *self, struct s3_call *call, const char *key, bool conditional, struct s3_answer *answer)
{
    struct s3_request request = {.doing = "store", .method = "PUT", .key = key};
    for (unsigned i = 0; i < self->sse_header_count; i++)
        s3_request_header(&request, self->sse_headers[i].name, self->sse_headers[i].value);
    for (unsigned i = 0; i < self->customer_header_count; i++)
        s3_request_header(&request, self->customer_headers[i].name, self->customer_headers[i].value);
    s3_request_header(&request, "if-none-match", conditional ? "*" : NULL);
    return s3_request_send(self, call, &request, answer);
}

static int report_clobber(struct s3 *self, struct s3_call *call, bool refused)
{
    return s3_host->finding(call->ctx, HF_INFO, refused ? "no-clobber-by-server" : "no-clobber-by-look", self->bucket,
                            refused
                                ? "the server itself refuses to replace an object (If-None-Match)"
                                : "the server replaces objects when told to create one, so names are looked at before: "
                                  "only one machine may write under a prefix at a time");
}

/* The second time the server has to refuse. */
static int try_writing(struct s3 *self, struct s3_call *call)
{
    char id[S3_ID_SIZE], key[sizeof(PROBE_PREFIX) + S3_ID_SIZE];
    struct s3_answer answer = {0};
    if (!s3_random_id(id))
        return s3_fail(call, HF_E_FAIL, "no random numbers");
    snprintf(key, sizeof(key), PROBE_PREFIX "%s", id);
    int status = put_probe(self, call, key, false, &answer);
    if (status == HF_OK) {
        status = put_probe(self, call, key, true, &answer);
        bool refused = status == HF_E_EXISTS;
        if (refused || status == HF_E_UNSUPPORTED) {
            s3_forgive(call);
            status = HF_OK;
        }
        if (status == HF_OK)
            status = report_clobber(self, call, refused);
        struct s3_call last = s3_call_last(call->ctx);
        int removed = s3_object_delete(self, &last, key, NULL);
        if (status == HF_OK && removed != HF_OK) {
            *call = last;
            status = removed;
        }
    }
    s3_answer_clear(&answer);
    return status;
}

/* Where objects cannot be removed, none is made: an upload is begun, and taken back. */
static int try_locked(struct s3 *self, struct s3_call *call)
{
    struct s3_answer answer = {0};
    struct s3_request lock = {.doing = "ask for the object lock of",
                              .method = "GET",
                              .query = "object-lock=",
                              .root = "ObjectLockConfiguration"};
    struct s3_request none = {0};
    char upload[S3_UPLOAD_ID_SIZE], id[S3_ID_SIZE], key[sizeof(PROBE_PREFIX) + S3_ID_SIZE];
    int status = s3_request_send(self, call, &lock, &answer);
    if (status == HF_E_NOTFOUND || answer.status == 404) {
        s3_forgive(call);
        s3_fail(call, HF_E_CONFIG, "the bucket '%s' was made without object lock, so that 'lock' cannot be had",
                self->bucket);
        status = s3_hint(call, "make another one with it: aws s3api create-bucket --object-lock-enabled-for-bucket …");
    } else if (status == HF_E_AUTH) {
        s3_forgive(call); /* may be forbidden to us, and still be there */
        status = HF_OK;
    }
    s3_answer_clear(&answer);
    if (status == HF_OK && !s3_random_id(id))
        status = s3_fail(call, HF_E_FAIL, "no random numbers");
    if (status != HF_OK)
        return status;
    snprintf(key, sizeof(key), PROBE_PREFIX "%s", id);
    status = s3_multipart_create(self, call, key, &none, upload);
    return status == HF_OK ? s3_multipart_abort(self, call, key, upload) : status;
}

int s3_check(void *opaque, struct hf_ctx *ctx)
{
    struct s3 *self = opaque;
    struct s3_call call = s3_call_of(ctx);
    call.attempts = 3;
    int status = s3_bucket_look(self, &call, "list", NULL);
    if (status == HF_OK)
        status = self->lock_mode ? try_locked(self, &call) : try_writing(self, &call);
    if (status == HF_OK && s3_credentials_origin(self)[0])
        status = s3_host->finding(ctx, HF_INFO, "credentials", self->bucket, "the keys come from %s",
                                  s3_credentials_origin(self));
    return s3_report(&call, status);
}
