/* SPDX-License-Identifier: Apache-2.0 */
#include "sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DAY = 8, HASH = 32 };

void s3_sigv4_date(int64_t now_ms, char ret_date[S3_DATE_SIZE])
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    if (strftime(ret_date, S3_DATE_SIZE, "%Y%m%dT%H%M%SZ", &tm) == 0)
        ret_date[0] = 0;
}

static int compare_headers(const void *one, const void *other)
{
    return strcmp(((const struct s3_header *)one)->name, ((const struct s3_header *)other)->name);
}

/* Without white space at both ends, and with single spaces within. */
static void add_trimmed(struct s3_text *text, const char *value)
{
    bool space = false, any = false;
    for (; *value; value++) {
        if (*value == ' ' || *value == '\t') {
            space = true;
            continue;
        }
        if (space && any)
            s3_text_add(text, " ", 1);
        s3_text_add(text, value, 1);
        space = false;
        any = true;
    }
}

static void add_names(struct s3_text *text, const struct s3_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        s3_text_addf(text, "%s%s", i ? ";" : "", headers[i].name);
}

static bool canonical_hash(const struct s3_to_sign *request, const struct s3_header *headers, char hash[S3_SHA256_HEX])
{
    struct s3_text text = {0};
    s3_text_addf(&text, "%s\n%s\n%s\n", request->method, request->path, request->query);
    for (size_t i = 0; i < request->header_count; i++) {
        s3_text_addf(&text, "%s:", headers[i].name);
        add_trimmed(&text, headers[i].value);
        s3_text_add(&text, "\n", 1);
    }
    s3_text_add(&text, "\n", 1);
    add_names(&text, headers, request->header_count);
    s3_text_addf(&text, "\n%s", request->payload);
    bool done = !text.failed && s3_sha256_hex(text.data, text.used, hash);
    s3_text_clear(&text);
    return done;
}

static bool hmac(const void *key, size_t key_size, const char *data, size_t size, unsigned char out[HASH])
{
    unsigned length = 0;
    return HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)data, size, out, &length) && length == HASH;
}

static bool sign(const struct s3_to_sign *request, const struct s3_text *text, char signature[S3_SHA256_HEX])
{
    unsigned char key[HASH], next[HASH];
    struct s3_text secret = {0};
    s3_text_addf(&secret, "AWS4%s", request->secret_key);
    bool done = !secret.failed && !text->failed && hmac(secret.data, secret.used, request->date, DAY, key) &&
                hmac(key, HASH, request->region, strlen(request->region), next) &&
                hmac(next, HASH, request->service, strlen(request->service), key) &&
                hmac(key, HASH, "aws4_request", 12, next) && hmac(next, HASH, text->data, text->used, key);
    if (done)
        s3_hex(key, HASH, signature);
    if (secret.data)
        OPENSSL_cleanse(secret.data, secret.used);
    OPENSSL_cleanse(next, sizeof(next));
    s3_text_clear(&secret);
    return done;
}

bool s3_sigv4(const struct s3_to_sign *request, struct s3_text *authorization)
{
    struct s3_header headers[S3_SIGNED_HEADERS_MAX];
    char hash[S3_SHA256_HEX], signature[S3_SHA256_HEX];
    struct s3_text text = {0};
    if (request->header_count > S3_SIGNED_HEADERS_MAX)
        return false;
    memcpy(headers, request->headers, request->header_count * sizeof(*headers));
    qsort(headers, request->header_count, sizeof(*headers), compare_headers);
    if (!canonical_hash(request, headers, hash))
        return false;
    s3_text_addf(&text, "AWS4-HMAC-SHA256\n%s\n%.*s/%s/%s/aws4_request\n%s", request->date, DAY, request->date,
                 request->region, request->service, hash);
    bool done = sign(request, &text, signature);
    s3_text_clear(&text);
    if (!done)
        return false;
    s3_text_addf(authorization,
                 "AWS4-HMAC-SHA256 Credential=%s/%.*s/%s/%s/aws4_request,SignedHeaders=", request->access_key, DAY,
                 request->date, request->region, request->service);
    add_names(authorization, headers, request->header_count);
    s3_text_addf(authorization, ",Signature=%s", signature);
    return !authorization->failed;
}
