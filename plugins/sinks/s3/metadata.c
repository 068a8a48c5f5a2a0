/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys from the metadata services: of a container (ECS, EKS), and of a machine (EC2, IMDSv2).
 */
#include "credentials.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "awsfile.h"
#include "http.h"

#define CONTAINER_HOST "http://169.254.170.2"
#define INSTANCE_HOST "http://169.254.169.254"

enum { TRIES = 3, PAUSE_MS = 300, STALL_MS = 3000, NAME_MAX_BYTES = 256 };

static bool copy_member(const json_t *json, const char *name, char *field, size_t size)
{
    const char *value = json_string_value(json_object_get(json, name));
    return value && *value && s3_copy(field, size, value, strlen(value));
}

bool s3_keys_parse(const char *text, size_t size, struct s3_keys *ret_keys)
{
    json_t *json = json_loadb(text ? text : "", size, JSON_REJECT_DUPLICATES, NULL);
    struct s3_keys *keys = calloc(1, sizeof(*keys));
    char expiration[40] = "";
    bool done = keys && json && copy_member(json, "AccessKeyId", keys->access, sizeof(keys->access)) &&
                copy_member(json, "SecretAccessKey", keys->secret, sizeof(keys->secret));
    if (done && json_object_get(json, "Token"))
        done = copy_member(json, "Token", keys->token, sizeof(keys->token));
    if (done && copy_member(json, "Expiration", expiration, sizeof(expiration))) {
        keys->expires_ms = s3_time_parse(expiration);
        done = keys->expires_ms > 0;
    }
    if (done)
        *ret_keys = *keys;
    if (keys)
        OPENSSL_cleanse(keys, sizeof(*keys));
    free(keys);
    json_decref(json);
    return done;
}

/* One request to a service; HF_E_NOTFOUND when there is nothing at that address. */
static int ask(struct s3 *self, struct s3_call *call, const char *method, const char *url, const char *header,
               struct s3_answer *answer)
{
    struct s3_client *client = NULL;
    int status = s3_client_take(self, call, &client);
    for (unsigned tries = 0; status == HF_OK; tries++) {
        struct curl_slist *headers = header ? curl_slist_append(NULL, header) : NULL;
        struct s3_exchange exchange = {
            .method = method, .url = url, .headers = headers, .local = true, .stall_ms = STALL_MS};
        if (header && !headers) {
            status = s3_fail_memory(call);
            break;
        }
        status = s3_http_run(client, call, &exchange, answer);
        bool busy = answer->status == 429 || answer->status >= 500 || answer->result != CURLE_OK;
        if (status != HF_OK || !busy || tries + 1 == TRIES || answer->result == CURLE_COULDNT_CONNECT)
            break;
        status = s3_sleep(call, PAUSE_MS);
    }
    s3_client_give(client, status == HF_OK);
    if (status == HF_OK && answer->status != 200)
        return HF_E_NOTFOUND;
    return status;
}

static int read_keys(struct s3_call *call, struct s3_answer *answer, const char *url, struct s3_keys *keys)
{
    bool parsed = s3_keys_parse(answer->body.data, answer->body.used, keys);
    if (answer->body.data)
        OPENSSL_cleanse(answer->body.data, answer->body.used);
    return parsed ? HF_OK : s3_fail(call, HF_E_AUTH, "what '%s' answers are no credentials", url);
}

/* --- a container --- */

static bool starts(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

bool s3_url_is_safe(const char *url)
{
    static const char *const hosts[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]",
                                        "127.0.0.1",     "localhost",      "[::1]"};
    if (starts(url, "https://"))
        return true;
    if (!starts(url, "http://"))
        return false;
    url += strlen("http://");
    for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
        size_t length = strlen(hosts[i]);
        if (strncmp(url, hosts[i], length) == 0 && (!url[length] || url[length] == '/' || url[length] == ':'))
            return strcspn(url, "@") >= strcspn(url, "/");
    }
    return false;
}

static int container_header(struct s3_call *call, struct s3_text *header)
{
    const char *path = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    char *text = path && *path ? s3_awsfile_read(path) : NULL;
    if (path && *path && !text)
        return s3_fail(call, HF_E_AUTH, "cannot read '%s', which AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names", path);
    if (text || (token && *token)) {
        const char *value = text ? text : token;
        s3_text_addf(header, "Authorization: %.*s", (int)strcspn(value, "\r\n"), value);
    }
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
    return header->failed ? s3_fail_memory(call) : HF_OK;
}

int s3_keys_from_container(struct s3 *self, struct s3_call *call, struct s3_keys *keys)
{
    const char *relative = getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    struct s3_text url = {0}, header = {0};
    struct s3_answer answer = {0};
    if ((!relative || !*relative) && (!full || !*full))
        return HF_E_NOTFOUND;
    if (relative && *relative)
        s3_text_addf(&url, CONTAINER_HOST "%s", relative);
    else
        s3_text_addf(&url, "%s", full);
    int status = url.failed ? s3_fail_memory(call) : HF_OK;
    if (status == HF_OK && !s3_url_is_safe(url.data))
        status = s3_fail(call, HF_E_AUTH,
                         "AWS_CONTAINER_CREDENTIALS_FULL_URI '%s' is neither https nor an address of this machine",
                         url.data);
    if (status == HF_OK)
        status = container_header(call, &header);
    if (status == HF_OK)
        status = ask(self, call, "GET", url.data, header.used ? header.data : NULL, &answer);
    if (status == HF_OK)
        status = read_keys(call, &answer, url.data, keys);
    else if (status == HF_E_NOTFOUND)
        status = s3_fail(call, HF_E_AUTH, "the container's metadata service '%s' gives no credentials (HTTP %d)",
                         url.data, answer.status);
    if (header.data)
        OPENSSL_cleanse(header.data, header.used);
    s3_text_clear(&header);
    s3_text_clear(&url);
    s3_answer_clear(&answer);
    return status;
}

/* --- a machine --- */

static int instance_get(struct s3 *self, struct s3_call *call, const struct s3_text *token, const char *url,
                        struct s3_answer *answer)
{
    s3_answer_clear(answer);
    return ask(self, call, "GET", url, token->data, answer);
}

static int instance_token(struct s3 *self, struct s3_call *call, const char *host, struct s3_text *header)
{
    struct s3_answer answer = {0};
    struct s3_text url = {0};
    s3_text_addf(&url, "%s/latest/api/token", host);
    int status = url.failed ? s3_fail_memory(call) : HF_OK;
    if (status == HF_OK)
        status = ask(self, call, "PUT", url.data, "X-aws-ec2-metadata-token-ttl-seconds: 300", &answer);
    if (status == HF_OK && (answer.body.used == 0 || answer.body.used > 1024 || strpbrk(answer.body.data, "\r\n")))
        status = HF_E_NOTFOUND;
    if (status == HF_OK)
        s3_text_addf(header, "X-aws-ec2-metadata-token: %s", answer.body.data);
    s3_text_clear(&url);
    s3_answer_clear(&answer);
    return status == HF_OK && header->failed ? s3_fail_memory(call) : status;
}

int s3_keys_from_instance(struct s3 *self, struct s3_call *call, struct s3_keys *keys)
{
    static const char path[] = "/latest/meta-data/iam/security-credentials/";
    const char *disabled = getenv("AWS_EC2_METADATA_DISABLED"), *host = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    struct s3_text token = {0}, url = {0};
    struct s3_answer answer = {0};
    char role[NAME_MAX_BYTES];
    if (disabled && strcasecmp(disabled, "true") == 0)
        return HF_E_NOTFOUND;
    if (!host || !*host)
        host = INSTANCE_HOST;
    int length = (int)strlen(host) - (host[strlen(host) - 1] == '/');
    int status = HF_OK;
    struct s3_text base = {0};
    s3_text_addf(&base, "%.*s", length, host);
    s3_text_addf(&url, "%.*s%s", length, host, path);
    if (base.failed || url.failed)
        status = s3_fail_memory(call);
    if (status == HF_OK)
        status = instance_token(self, call, base.data, &token);
    if (status == HF_OK)
        status = instance_get(self, call, &token, url.data, &answer);
    if (status == HF_OK) {
        const char *text = s3_text_get(&answer.body);
        if (!s3_copy(role, sizeof(role), text, strcspn(text, "\r\n")) || !*role)
            status = HF_E_NOTFOUND;
    }
    if (status == HF_OK) {
        s3_text_add_encoded(&url, role, false);
        status = url.failed ? s3_fail_memory(call) : instance_get(self, call, &token, url.data, &answer);
    }
    if (status == HF_OK)
        status = read_keys(call, &answer, url.data, keys);
    s3_text_clear(&base);
    s3_text_clear(&token);
    s3_text_clear(&url);
    s3_answer_clear(&answer);
    return status;
}
