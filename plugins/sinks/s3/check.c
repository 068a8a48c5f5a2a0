/* SPDX-License-Identifier: Apache-2.0
 *
 * Could it work? Writes an empty object of its own, begins an upload, and removes both again.
 */
#include <stdio.h>
#include <string.h>

#include "credentials.h"
#include "multipart.h"
#include "objects.h"

#define PROBE_PREFIX ".holdfast-check-"

enum { PROBE_KEY_SIZE = sizeof(PROBE_PREFIX) + S3_ID_SIZE };

static bool probe_key(struct s3_call *call, char key[PROBE_KEY_SIZE])
{
    char id[S3_ID_SIZE];
    if (!s3_random_id(id))
        return s3_fail(call, HF_E_FAIL, "no random numbers") == HF_OK;
    snprintf(key, PROBE_KEY_SIZE, PROBE_PREFIX "%s", id);
    return true;
}

static int put_probe(struct s3 *self, struct s3_call *call, const char *key, bool conditional, struct s3_answer *answer)
{
    struct s3_request request = {.doing = "store", .method = "PUT", .key = key};
    s3_object_headers(self, true, "", &request);
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

static int look_at_probe(struct s3 *self, struct s3_call *call, const char *key)
{
    struct s3_answer answer = {0};
    int status = s3_object_head(self, call, key, &answer);
    if (status == HF_OK)
        status = s3_object_ensure(self, call, key, "", &answer);
    s3_answer_clear(&answer);
    return status;
}

/* The second time the server has to refuse. */
static int try_writing(struct s3 *self, struct s3_call *call)
{
    char key[PROBE_KEY_SIZE];
    struct s3_answer answer = {0};
    if (!probe_key(call, key))
        return call->problem.code;
    int status = put_probe(self, call, key, false, &answer);
    if (status == HF_OK) {
        status = put_probe(self, call, key, true, &answer);
        bool refused = status == HF_E_EXISTS;
        if (refused || status == HF_E_UNSUPPORTED) {
            s3_forgive(call);
            status = HF_OK;
        }
        if (status == HF_OK)
            status = look_at_probe(self, call, key);
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

/* An upload of an object as they will be is begun and taken back: nothing stays of it, also where objects cannot be
 * removed. Its only part has the highest number that there may be. */
static int try_uploading(struct s3 *self, struct s3_call *call)
{
    char id[S3_UPLOAD_ID_SIZE], key[PROBE_KEY_SIZE], etag[S3_ETAG_SIZE], retain[S3_TIME_SIZE] = "";
    unsigned char byte[] = {'1'};
    struct s3_part part = {.data = byte, .used = sizeof(byte), .number = self->max_parts};
    struct s3_client *client = NULL;
    struct s3_request headers = {0};
    if (!probe_key(call, key))
        return call->problem.code;
    if (self->lock_mode)
        s3_time_text(s3_now_ms() + self->lock_ms, retain, sizeof(retain));
    s3_object_headers(self, false, retain, &headers);
    if (!self->sign_parts)
        s3_part_digest(&part);
    int status = s3_multipart_create(self, call, key, &headers, id);
    if (status != HF_OK)
        return status;
    status = s3_client_take(self, call, &client);
    if (status == HF_OK)
        status = s3_multipart_part(client, self, call, key, id, &part, etag);
    s3_client_give(client, status == HF_OK);
    struct s3_call last = s3_call_last(call->ctx);
    int removed = s3_multipart_abort(self, &last, key, id);
    if (status == HF_OK && removed != HF_OK) {
        *call = last;
        status = removed;
    }
    return status;
}

int s3_check(void *opaque, struct hf_ctx *ctx)
{
    struct s3 *self = opaque;
    struct s3_call call = s3_call_of(ctx);
    call.attempts = self->retries < 3 ? self->retries + 1 : 3;
    int status = s3_bucket_look(self, &call, "list", NULL);
    if (status == HF_OK)
        status = self->lock_mode ? s3_bucket_locks(self, &call) : try_writing(self, &call);
    if (status == HF_E_AUTH && self->lock_mode) {
        s3_forgive(&call); /* may be forbidden to us, and still be there */
        status = HF_OK;
    }
    if (status == HF_OK)
        status = try_uploading(self, &call);
    if (status == HF_OK && s3_credentials_origin(self)[0])
        status = s3_host->finding(ctx, HF_INFO, "credentials", self->bucket, "the keys come from %s",
                                  s3_credentials_origin(self));
    return s3_report(&call, status);
}
