/* SPDX-License-Identifier: Apache-2.0 */
#include "multipart.h"

#include <string.h>

/* Putting thousands of parts together takes some servers minutes. */
enum { COMPLETE_STALL_MS = 5 * 60 * 1000, PARTS_ANYWHERE = 100 };

static void query_id(struct s3_text *query, const char *id)
{
    s3_text_addf(query, "uploadId=");
    s3_text_add_encoded(query, id, false);
}

int s3_multipart_create(struct s3 *self, struct s3_call *call, const char *key, const struct s3_request *headers,
                        char ret_id[S3_UPLOAD_ID_SIZE])
{
    struct s3_answer answer = {0};
    struct s3_request request = {.doing = "begin to store",
                                 .method = "POST",
                                 .key = key,
                                 .query = "uploads=",
                                 .root = "InitiateMultipartUploadResult"};
    for (unsigned i = 0; i < headers->header_count; i++)
        s3_request_header(&request, headers->headers[i].name, headers->headers[i].value);
    int status = s3_request_send(self, call, &request, &answer);
    if (status == HF_OK && (!s3_xml_value(answer.body.data, answer.body.used, "InitiateMultipartUploadResult/UploadId",
                                          ret_id, S3_UPLOAD_ID_SIZE) ||
                            !*ret_id))
        status = s3_fail(call, HF_E_IO, "cannot store '%s': the server gave the upload no name", key);
    s3_answer_clear(&answer);
    return status;
}

int s3_multipart_part(struct s3_client *client, struct s3 *self, struct s3_call *call, const char *key, const char *id,
                      const struct s3_part *part, char ret_etag[S3_ETAG_SIZE])
{
    struct s3_answer answer = {0};
    struct s3_text query = {0};
    s3_text_addf(&query, "partNumber=%u&", part->number);
    query_id(&query, id);
    struct s3_request request = {.doing = "store",
                                 .method = "PUT",
                                 .key = key,
                                 .query = query.data,
                                 .body = part->data,
                                 .body_size = part->used,
                                 .content_md5 = part->content_md5[0] ? part->content_md5 : NULL,
                                 .with_md5 = self->lock_mode != NULL};
    for (unsigned i = 0; i < self->customer_header_count; i++)
        s3_request_header(&request, self->customer_headers[i].name, self->customer_headers[i].value);
    int status = query.failed ? s3_fail_memory(call) : s3_request_over(client, self, call, &request, &answer);
    if (status != HF_OK && answer.status == 400 && part->number > PARTS_ANYWHERE)
        s3_hint(call, "does the server allow an object %u parts? Set max_parts to what it allows (Swift: 1000)",
                self->max_parts);
    if (status == HF_OK && !answer.etag[0])
        status = s3_fail(call, HF_E_IO, "cannot store '%s': the server took part %u and did not say so (no ETag)", key,
                         part->number);
    if (status == HF_OK)
        memcpy(ret_etag, answer.etag, sizeof(answer.etag));
    s3_answer_clear(&answer);
    s3_text_clear(&query);
    return status;
}

static void add_escaped(struct s3_text *text, const char *value)
{
    for (; *value; value++) {
        if (strchr("&<>", *value))
            s3_text_addf(text, "&#%d;", *value);
        else
            s3_text_add(text, value, 1);
    }
}

int s3_multipart_complete(struct s3 *self, struct s3_call *call, const char *key, const char *id, char *const *etags,
                          unsigned count, bool conditional, struct s3_answer *answer)
{
    struct s3_text query = {0}, body = {0};
    query_id(&query, id);
    s3_text_addf(&body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (unsigned i = 0; i < count; i++) {
        s3_text_addf(&body, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
        add_escaped(&body, etags[i]);
        s3_text_addf(&body, "</ETag></Part>");
    }
    s3_text_addf(&body, "</CompleteMultipartUpload>");
    struct s3_request request = {.doing = "store",
                                 .method = "POST",
                                 .key = key,
                                 .query = query.data,
                                 .body = body.data,
                                 .body_size = body.used,
                                 .root = "CompleteMultipartUploadResult",
                                 .stall_ms = COMPLETE_STALL_MS};
    s3_request_header(&request, "content-type", "application/xml");
    s3_request_header(&request, "if-none-match", conditional ? "*" : NULL);
    for (unsigned i = 0; i < self->customer_header_count; i++)
        s3_request_header(&request, self->customer_headers[i].name, self->customer_headers[i].value);
    if (self->stall_timeout_ms > COMPLETE_STALL_MS)
        request.stall_ms = self->stall_timeout_ms;
    int status = query.failed || body.failed ? s3_fail_memory(call) : s3_request_send(self, call, &request, answer);
    s3_text_clear(&query);
    s3_text_clear(&body);
    return status;
}

int s3_multipart_abort(struct s3 *self, struct s3_call *call, const char *key, const char *id)
{
    struct s3_answer answer = {0};
    struct s3_text query = {0};
    query_id(&query, id);
    struct s3_request request = {.doing = "take back", .method = "DELETE", .key = key, .query = query.data};
    int status = query.failed ? s3_fail_memory(call) : s3_request_send(self, call, &request, &answer);
    if (status < 0 && answer.status == 404) { /* ended meanwhile, or the bucket is gone: nothing is left */
        s3_forgive(call);
        status = HF_OK;
    }
    s3_answer_clear(&answer);
    s3_text_clear(&query);
    return status;
}
