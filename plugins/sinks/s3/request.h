/* SPDX-License-Identifier: Apache-2.0
 *
 * One S3 request: signed, sent, and tried again as long as that is worth it.
 */
#ifndef HOLDFAST_SINK_S3_REQUEST_H
#define HOLDFAST_SINK_S3_REQUEST_H

#include "http.h"
#include "xml.h"

enum { S3_REQUEST_HEADERS_MAX = 24 };

struct s3_request {
    const char *doing; /* for messages: "store", "read", "list" */
    const char *method;
    const char *key;   /* the core's; NULL: the bucket */
    const char *query; /* encoded and sorted, each with '='; NULL: none */
    struct s3_header headers[S3_REQUEST_HEADERS_MAX];
    unsigned header_count;
    const void *body;
    size_t body_size;
    bool with_md5;           /* also a Content-MD5, which some requests need */
    const char *content_md5; /* of the body, and enough: it is signed with this instead of its SHA-256; NULL */
    const char *root;        /* of the document that a success has; NULL: it has none */
    bool streamed;           /* the body is read by s3_http_read */
    int64_t stall_ms;        /* 0: what the profile says */
};

void s3_request_header(struct s3_request *request, const char *name, const char *value);

/* HF_OK: the server did it. Otherwise the failure is recorded, and the answer is that of the last attempt. The answer
 * is cleared by the caller either way. */
int s3_request_send(struct s3 *self, struct s3_call *call, const struct s3_request *request, struct s3_answer *answer);
/* The same over a client that the caller holds, e.g. to read the body. */
int s3_request_over(struct s3_client *client, struct s3 *self, struct s3_call *call, const struct s3_request *request,
                    struct s3_answer *answer);

/* Records what an answer means. error: its document. */
int s3_explain(struct s3 *self, struct s3_call *call, const struct s3_request *request, const struct s3_answer *answer,
               const struct s3_error *error);
/* In a few words, for a note. */
void s3_describe(const struct s3_answer *answer, const struct s3_error *error, char *text, size_t size);

#endif
