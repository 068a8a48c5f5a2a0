/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS Signature Version 4 in the Authorization header
 * (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
 */
#ifndef HOLDFAST_SINK_S3_SIGV4_H
#define HOLDFAST_SINK_S3_SIGV4_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

enum { S3_SIGNED_HEADERS_MAX = 40, S3_DATE_SIZE = 17 };

struct s3_header {
    const char *name; /* lower case */
    const char *value;
};

struct s3_to_sign {
    const char *method;
    const char *path;                /* encoded, begins with '/' */
    const char *query;               /* encoded and sorted, each with '='; "" */
    const struct s3_header *headers; /* in any order; all of them are signed: host and x-amz-date must be there */
    size_t header_count;
    const char *payload; /* SHA-256 in hex, or UNSIGNED-PAYLOAD */
    const char *date;    /* as x-amz-date: 20130524T000000Z */
    const char *region, *service;
    const char *access_key, *secret_key;
};

void s3_sigv4_date(int64_t now_ms, char ret_date[S3_DATE_SIZE]);
/* Appends the value of the Authorization header. False: out of memory, or more headers than are allowed for. */
bool s3_sigv4(const struct s3_to_sign *request, struct s3_text *authorization);

#endif
