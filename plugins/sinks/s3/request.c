/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "credentials.h"
#include "retry.h"

void s3_request_header(struct s3_request *request, const char *name, const char *value)
{
    if (value && request->header_count < S3_REQUEST_HEADERS_MAX)
        request->headers[request->header_count++] = (struct s3_header){name, value};
}

/* By which the server checks the body. */
struct digests {
    char payload[S3_SHA256_HEX]; /* or UNSIGNED-PAYLOAD */
    char md5[S3_MD5_BASE64];     /* "": none is sent */
};

static bool digests_make(struct digests *digests, const struct s3_request *request)
{
    const void *body = request->body ? request->body : "";
    if (request->content_md5)
        return s3_copy(digests->payload, sizeof(digests->payload), "UNSIGNED-PAYLOAD", 16) &&
               s3_copy(digests->md5, sizeof(digests->md5), request->content_md5, strlen(request->content_md5));
    return s3_sha256_hex(body, request->body_size, digests->payload) &&
           (!request->with_md5 || s3_md5_base64(body, request->body_size, digests->md5));
}

/* A request that is ready to go. */
struct sealed {
    const struct digests *digests;
    struct s3_text path, url, authorization;
    struct curl_slist *lines;
};

static void sealed_clear(struct sealed *sealed)
{
    curl_slist_free_all(sealed->lines);
    s3_text_clear(&sealed->path);
    s3_text_clear(&sealed->url);
    s3_text_clear(&sealed->authorization);
}

static bool append_line(struct sealed *sealed, const char *line)
{
    struct curl_slist *lines = curl_slist_append(sealed->lines, line);
    if (lines)
        sealed->lines = lines;
    return lines != NULL;
}

static bool add_line(struct sealed *sealed, const char *name, const char *value)
{
    struct s3_text line = {0};
    /* libcurl's way of writing a header without a value */
    s3_text_addf(&line, *value ? "%s: %s" : "%s;", name, value);
    bool done = !line.failed && append_line(sealed, line.data);
    s3_text_clear(&line);
    return done;
}

static void make_url(const struct s3 *self, const struct s3_request *request, struct sealed *sealed)
{
    s3_text_addf(&sealed->path, "%s", request->key ? self->object_path : self->bucket_path);
    if (request->key)
        s3_text_add_encoded(&sealed->path, request->key, false);
    s3_text_addf(&sealed->url, "%s%s%s%s", self->origin, s3_text_get(&sealed->path), request->query ? "?" : "",
                 request->query ? request->query : "");
}

/* Signs with the time and the keys of this moment. */
static bool seal(const struct s3 *self, const struct s3_request *request, const struct s3_keys *keys,
                 struct sealed *sealed)
{
    struct s3_header headers[S3_REQUEST_HEADERS_MAX + 6];
    char date[S3_DATE_SIZE];
    unsigned count = 0;
    s3_sigv4_date(s3_now_ms(), date);
    headers[count++] = (struct s3_header){"host", self->host};
    headers[count++] = (struct s3_header){"x-amz-content-sha256", sealed->digests->payload};
    headers[count++] = (struct s3_header){"x-amz-date", date};
    if (keys->token[0])
        headers[count++] = (struct s3_header){"x-amz-security-token", keys->token};
    if (sealed->digests->md5[0])
        headers[count++] = (struct s3_header){"content-md5", sealed->digests->md5};
    for (unsigned i = 0; i < request->header_count; i++)
        headers[count++] = request->headers[i];
    if (!keys->anonymous) {
        struct s3_to_sign to_sign = {.method = request->method,
                                     .path = s3_text_get(&sealed->path),
                                     .query = request->query ? request->query : "",
                                     .headers = headers,
                                     .header_count = count,
                                     .payload = sealed->digests->payload,
                                     .date = date,
                                     .region = self->region,
                                     .service = "s3",
                                     .access_key = keys->access,
                                     .secret_key = keys->secret};
        if (!s3_sigv4(&to_sign, &sealed->authorization) ||
            !add_line(sealed, "Authorization", sealed->authorization.data))
            return false;
    }
    for (unsigned i = 0; i < count; i++)
        if (!add_line(sealed, headers[i].name, headers[i].value))
            return false;
    /* A body is sent without asking first: that would cost a round trip for each part. */
    return append_line(sealed, "Expect:") && !sealed->path.failed && !sealed->url.failed;
}

/* Whether a success that should be a document is the right one. */
static bool is_expected(const struct s3_request *request, const struct s3_answer *answer)
{
    return !request->root || s3_xml_is(answer->body.data, answer->body.used, request->root);
}

static enum s3_verdict look(const struct s3_request *request, struct s3_answer *answer, struct s3_error *ret_error)
{
    bool success = answer->status / 100 == 2;
    *ret_error = (struct s3_error){0};
    if (answer->result == CURLE_OK && answer->body.used && (!success || request->root))
        s3_xml_error(answer->body.data, answer->body.used, ret_error);
    if (answer->result == CURLE_OK && success && !ret_error->code[0] && !is_expected(request, answer))
        s3_copy(ret_error->code, sizeof(ret_error->code), "InvalidAnswer", 13);
    return s3_judge(answer->result, answer->status, ret_error->code);
}

static int attempt(struct s3_client *client, struct s3 *self, struct s3_call *call, const struct s3_request *request,
                   const struct digests *digests, bool renew, struct s3_answer *answer)
{
    struct sealed sealed = {.digests = digests};
    struct s3_keys *keys = malloc(sizeof(*keys));
    if (!keys)
        return s3_fail_memory(call);
    int status = s3_credentials_get(self, call, renew, keys);
    if (status == HF_OK) {
        make_url(self, request, &sealed);
        if (!seal(self, request, keys, &sealed))
            status = s3_fail(call, HF_E_FAIL, "cannot sign a request: out of memory, or too many headers");
    }
    if (status == HF_OK) {
        struct s3_exchange exchange = {.method = request->method,
                                       .url = sealed.url.data,
                                       .headers = sealed.lines,
                                       .body = request->body,
                                       .body_size = request->body_size,
                                       .streamed = request->streamed,
                                       .stall_ms = request->stall_ms};
        sealed.lines = NULL;
        status = request->streamed ? s3_http_start(client, call, &exchange, answer)
                                   : s3_http_run(client, call, &exchange, answer);
    }
    if (!request->streamed || status != HF_OK || answer->status / 100 != 2)
        s3_http_stop(client);
    sealed_clear(&sealed);
    OPENSSL_cleanse(keys, sizeof(*keys));
    free(keys);
    return status;
}

/* Waits before the next try, and says why there is one. */
static int wait_again(const struct s3 *self, struct s3_call *call, const struct s3_request *request,
                      const struct s3_answer *answer, const struct s3_error *error, unsigned tries, unsigned most)
{
    char why[400];
    int64_t ms = s3_backoff_ms(tries, answer->retry_after_ms, s3_random());
    s3_describe(answer, error, why, sizeof(why));
    s3_note(call, "cannot %s 's3://%s%s%s%s' yet: %s; trying again in %lld ms (%u of %u)", request->doing, self->bucket,
            request->key ? "/" : "", request->key ? self->prefix : "", request->key ? request->key : "", why,
            (long long)ms, tries, most - 1);
    return s3_sleep(call, ms);
}

int s3_request_over(struct s3_client *client, struct s3 *self, struct s3_call *call, const struct s3_request *request,
                    struct s3_answer *answer)
{
    struct digests digests = {0};
    struct s3_error error = {0};
    unsigned most = call->attempts ? call->attempts : self->retries + 1;
    bool renew = false, renewed = false;
    if (!digests_make(&digests, request))
        return s3_fail(call, HF_E_FAIL, "cannot compute a digest");
    for (unsigned tries = 1;; tries++) {
        int status = attempt(client, self, call, request, &digests, renew, answer);
        if (status != HF_OK)
            return status;
        enum s3_verdict verdict = look(request, answer, &error);
        renew = verdict == S3_RENEW && !renewed && s3_credentials_renewable(self);
        renewed = renewed || renew;
        if (verdict == S3_DONE)
            return HF_OK;
        if (verdict == S3_REFUSED || (verdict == S3_RENEW && !renew) || tries >= most)
            return s3_explain(self, call, request, answer, &error);
        status = renew ? HF_OK : wait_again(self, call, request, answer, &error, tries, most);
        if (status != HF_OK)
            return status;
    }
}

int s3_request_send(struct s3 *self, struct s3_call *call, const struct s3_request *request, struct s3_answer *answer)
{
    struct s3_client *client = NULL;
    int status = s3_client_take(self, call, &client);
    if (status != HF_OK)
        return status;
    status = s3_request_over(client, self, call, request, answer);
    s3_client_give(client, status != HF_E_CANCELLED);
    return status;
}
