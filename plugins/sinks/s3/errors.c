/* SPDX-License-Identifier: Apache-2.0
 *
 * What an answer means, for people and for the core.
 */
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SKEW_MS = 5 * 60 * 1000 };

void s3_describe(const struct s3_answer *answer, const struct s3_error *error, char *text, size_t size)
{
    if (answer->status == 0 || (answer->result != CURLE_OK && answer->status / 100 == 2))
        snprintf(text, size, "%s", answer->problem[0] ? answer->problem : curl_easy_strerror(answer->result));
    else if (strcmp(error->code, "InvalidAnswer") == 0)
        snprintf(text, size, "the answer (HTTP %d) is not one of an S3 server", answer->status);
    else
        snprintf(text, size, "the server says: HTTP %d%s%s%s%s", answer->status, error->code[0] ? " " : "", error->code,
                 error->message[0] ? ": " : "", error->message);
}

static int fail(struct s3 *self, struct s3_call *call, const struct s3_request *request, int code, const char *why)
{
    return s3_fail(call, code, "cannot %s 's3://%s%s%s%s': %s", request->doing, self->bucket, request->key ? "/" : "",
                   request->key ? self->prefix : "", request->key ? request->key : "", why);
}

static int explain_transfer(struct s3 *self, struct s3_call *call, const struct s3_request *request, CURLcode result,
                            const char *why)
{
    switch (result) {
    case CURLE_PEER_FAILED_VERIFICATION:
        fail(self, call, request, HF_E_AUTH, why);
        return s3_hint(call,
                       "the certificate of '%s' is not to be trusted; if its authority is your own, name the "
                       "authority's certificate in ca_file",
                       self->origin);
    case CURLE_SSL_CACERT_BADFILE:
        fail(self, call, request, HF_E_CONFIG, why);
        return s3_hint(call, "ca_file must be a file of certificates in PEM format");
    case CURLE_SSL_CONNECT_ERROR:
        fail(self, call, request, HF_E_UNREACHABLE, why);
        return s3_hint(call, "does '%s' speak TLS? An http server needs an endpoint that begins with http://",
                       self->origin);
    case CURLE_OUT_OF_MEMORY:
        return s3_fail_memory(call);
    case CURLE_URL_MALFORMAT:
        return fail(self, call, request, HF_E_CONFIG, why);
    default:
        fail(self, call, request, HF_E_UNREACHABLE, why);
        return s3_hint(call, "is '%s' the right endpoint, is the server up, and can this machine reach it?",
                       self->origin);
    }
}

static int explain_skew(struct s3 *self, struct s3_call *call, const struct s3_request *request,
                        const struct s3_answer *answer)
{
    char why[200] = "the server says that the clock of this machine is too far from its own";
    if (answer->date_ms >= 0) {
        long long ahead = s3_now_ms() - answer->date_ms;
        snprintf(why, sizeof(why), "the clock of this machine is %lld minutes %s the server's",
                 (llabs(ahead) + 30000) / 60000, ahead > 0 ? "ahead of" : "behind");
    }
    fail(self, call, request, HF_E_AUTH, why);
    return s3_hint(call, "set the clock, best by NTP: requests are signed with the time");
}

static int explain_region(struct s3 *self, struct s3_call *call, const struct s3_request *request, const char *why,
                          const char *region, const struct s3_answer *answer)
{
    fail(self, call, request, HF_E_CONFIG, why);
    if (region[0])
        return s3_hint(call, "the bucket is in region '%s': set region, and an endpoint of that region", region);
    if (answer->location[0])
        return s3_hint(call, "the server sends us to '%s': set endpoint", answer->location);
    return s3_hint(call, "set region and endpoint to those of the bucket");
}

/* Is it about keys of encryption? Then the hint says so; 0: no. */
static int explain_keys(struct s3 *self, struct s3_call *call, const struct s3_request *request, int code,
                        const struct s3_error *error, const char *why)
{
    bool reads = request->key && (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0);
    if (self->sse_header_count > 0 && (strcasestr(error->code, "kms") || strcasestr(error->message, "kms"))) {
        fail(self, call, request, code, why);
        return s3_hint(call, "sse_kms_key must be a key of the server's key management that the credentials may use");
    }
    if (reads && self->customer_header_count > 0) {
        fail(self, call, request, code, why);
        return s3_hint(call, "was it stored with another sse_customer_key, or without one?");
    }
    if (reads && code == HF_E_IO) {
        fail(self, call, request, code, why);
        return s3_hint(call, "was it stored with sse = customer? Set sse and sse_customer_key as they were then");
    }
    return 0;
}

static int explain_denied(struct s3 *self, struct s3_call *call, const struct s3_request *request,
                          const struct s3_answer *answer, const struct s3_error *error, const char *why)
{
    const char *code = error->code;
    if (strcmp(code, "RequestTimeTooSkewed") == 0 ||
        (!code[0] && answer->date_ms >= 0 && llabs(s3_now_ms() - answer->date_ms) > SKEW_MS))
        return explain_skew(self, call, request, answer);
    if (strcmp(code, "QuotaExceeded") == 0) {
        fail(self, call, request, HF_E_NOSPACE, why);
        return s3_hint(call,
                       "raise the quota of the bucket or its owner, or shorten [retention] and run 'holdfast prune'");
    }
    int keys = explain_keys(self, call, request, HF_E_AUTH, error, why);
    if (keys != 0)
        return keys;
    fail(self, call, request, HF_E_AUTH, why);
    if (strcmp(code, "SignatureDoesNotMatch") == 0)
        return s3_hint(call, "the secret key does not belong to the access key, or a proxy changes requests");
    if (strcmp(code, "InvalidAccessKeyId") == 0)
        return s3_hint(call, "the server does not know the access key: is it one of this server, and still valid?");
    if (strcmp(code, "ExpiredToken") == 0)
        return s3_hint(call, "the session token has run out: get a new one");
    if (request->content_md5)
        return s3_hint(
            call,
            "does a policy of the bucket '%s' refuse unsigned payloads? Then set payload_signing = yes; else "
            "the credentials must be allowed to write in it",
            self->bucket);
    return s3_hint(call, "the credentials must be allowed to list the bucket '%s', and to read, write and delete in it",
                   self->bucket);
}

/* An object that is not there is an answer to a question; while something is stored it is a calamity. */
static int explain_missing(struct s3 *self, struct s3_call *call, const struct s3_request *request, const char *why)
{
    bool stores = strcmp(request->method, "PUT") == 0 || strcmp(request->method, "POST") == 0;
    fail(self, call, request, stores ? HF_E_IO : HF_E_NOTFOUND, why);
    return stores ? s3_hint(call, "was the upload taken back, or the bucket '%s' removed, meanwhile?", self->bucket)
                  : HF_E_NOTFOUND;
}

int s3_explain(struct s3 *self, struct s3_call *call, const struct s3_request *request, const struct s3_answer *answer,
               const struct s3_error *error)
{
    const char *code = error->code;
    char why[700];
    s3_describe(answer, error, why, sizeof(why));
    if (answer->result != CURLE_OK && answer->status / 100 != 4 && answer->status / 100 != 5)
        return explain_transfer(self, call, request, answer->result, why);
    if (strcmp(code, "NoSuchBucket") == 0) {
        /* Not HF_E_NOTFOUND, which would mean that the bucket has no such object. */
        fail(self, call, request, HF_E_UNREACHABLE, "there is no such bucket");
        return s3_hint(call, "make the bucket '%s', or set bucket, endpoint and region to those of the one you mean",
                       self->bucket);
    }
    const char *region = error->region[0] ? error->region : answer->region;
    if (answer->status / 100 == 3 || strcmp(code, "AuthorizationHeaderMalformed") == 0 ||
        strcmp(code, "IllegalLocationConstraintException") == 0)
        return explain_region(self, call, request, why, region, answer);
    switch (answer->status) {
    case 401:
    case 403:
        return explain_denied(self, call, request, answer, error, why);
    case 404:
        return explain_missing(self, call, request, why);
    case 409:
        return fail(self, call, request, HF_E_BUSY, why);
    case 412:
        return fail(self, call, request, HF_E_EXISTS, why);
    case 416:
        return fail(self, call, request, HF_E_CORRUPT, why);
    case 501:
        return fail(self, call, request, HF_E_UNSUPPORTED, why);
    case 507:
        fail(self, call, request, HF_E_NOSPACE, why);
        return s3_hint(call, "give the server more room, or shorten [retention] and run 'holdfast prune'");
    case 400:
        if (strcmp(code, "RequestTimeTooSkewed") == 0)
            return explain_skew(self, call, request, answer);
        if (strcmp(code, "ExpiredToken") == 0 || strcmp(code, "InvalidToken") == 0)
            return explain_denied(self, call, request, answer, error, why);
        if (strcmp(code, "EntityTooLarge") == 0)
            return fail(self, call, request, HF_E_NOSPACE, why);
        if (explain_keys(self, call, request, HF_E_IO, error, why) != 0)
            return call->problem.code;
        fail(self, call, request, HF_E_IO, why);
        if (self->lock_mode && strcmp(code, "InvalidRequest") == 0)
            return s3_hint(call,
                           "was the bucket '%s' made with object lock, which 'lock' needs? 'holdfast check' tells",
                           self->bucket);
        return HF_E_IO;
    default:
        return fail(self, call, request,
                    answer->status >= 500 || answer->status / 100 == 2 || answer->status == 429 || answer->status == 408
                        ? HF_E_UNREACHABLE
                        : HF_E_IO,
                    why);
    }
}
