/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of a role, from AWS's security token service or another one that is like it, for a token that somebody renews
 * in a file: Kubernetes does. AssumeRoleWithWebIdentity
 * (docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html) is not signed.
 */
#include "credentials.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "awsfile.h"
#include "http.h"
#include "request.h"
#include "retry.h"

#define ANSWER "AssumeRoleWithWebIdentityResponse"
#define KEYS ANSWER "/AssumeRoleWithWebIdentityResult/Credentials/"

enum { TRIES = 4 };

static void add_endpoint(const struct s3 *self, struct s3_text *url)
{
    const char *given = getenv("AWS_ENDPOINT_URL_STS");
    if (given && *given)
        s3_text_addf(url, "%s", given);
    else
        s3_text_addf(url, "https://sts.%s.amazonaws.com%s", self->region,
                     strncmp(self->region, "cn-", 3) == 0 ? ".cn" : "");
    if (url->data && !strchr(url->data + strcspn(url->data, ":") + strspn(url->data, ":/"), '/'))
        s3_text_add(url, "/", 1);
}

static int add_form(struct s3_call *call, const struct s3_web_identity *identity, struct s3_text *form)
{
    char *token = s3_awsfile_read(identity->token_file);
    if (!token)
        return s3_fail(call, HF_E_AUTH, "cannot read the token of the role '%s' in '%s': %s", identity->role,
                       identity->token_file, strerror(errno));
    token[strcspn(token, "\r\n")] = 0;
    s3_text_addf(form, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=");
    s3_text_add_encoded(form, identity->role, false);
    s3_text_addf(form, "&RoleSessionName=");
    s3_text_add_encoded(form, *identity->session ? identity->session : "holdfast", false);
    s3_text_addf(form, "&WebIdentityToken=");
    s3_text_add_encoded(form, token, false);
    OPENSSL_cleanse(token, strlen(token));
    free(token);
    return form->failed ? s3_fail_memory(call) : HF_OK;
}

static bool value(const struct s3_answer *answer, const char *path, char *field, size_t size)
{
    return s3_xml_value(answer->body.data, answer->body.used, path, field, size) && *field;
}

static bool read_keys(const struct s3_answer *answer, struct s3_keys *keys)
{
    char expiration[40];
    value(answer, KEYS "SessionToken", keys->token, sizeof(keys->token));
    bool done = value(answer, KEYS "AccessKeyId", keys->access, sizeof(keys->access)) &&
                value(answer, KEYS "SecretAccessKey", keys->secret, sizeof(keys->secret)) &&
                value(answer, KEYS "Expiration", expiration, sizeof(expiration));
    keys->expires_ms = done ? s3_time_parse(expiration) : 0;
    return done && keys->expires_ms > 0;
}

static int refuse(struct s3_call *call, const struct s3_web_identity *identity, const char *url,
                  const struct s3_answer *answer, const struct s3_error *error)
{
    char why[700];
    s3_describe(answer, error, why, sizeof(why));
    bool answered = answer->result == CURLE_OK && answer->status < 500;
    s3_fail(call, answered ? HF_E_AUTH : HF_E_UNREACHABLE, "cannot get the keys of the role '%s' from '%s': %s",
            identity->role, url, why);
    if (!answered)
        return s3_hint(call, "is AWS_ENDPOINT_URL_STS, or the region, right, and can this machine reach it?");
    if (strstr(error->code, "Token"))
        return s3_hint(call, "is the token in '%s' still renewed, and made for this service?", identity->token_file);
    return s3_hint(call, "does the role trust the issuer of the token in '%s', and whom it names?",
                   identity->token_file);
}

/* Until there is an answer that another try would not change. */
static int post(struct s3 *self, struct s3_call *call, const char *url, const struct s3_text *form,
                struct s3_answer *answer, struct s3_error *error)
{
    struct s3_client *client = NULL;
    int status = s3_client_take(self, call, &client);
    for (unsigned tries = 1; status == HF_OK; tries++) {
        struct s3_exchange exchange = {.method = "POST",
                                       .url = url,
                                       .headers =
                                           curl_slist_append(NULL, "Content-Type: application/x-www-form-urlencoded"),
                                       .body = form->data,
                                       .body_size = form->used};
        if (!exchange.headers || !curl_slist_append(exchange.headers, "Expect:")) {
            curl_slist_free_all(exchange.headers);
            status = s3_fail_memory(call);
            break;
        }
        status = s3_http_run(client, call, &exchange, answer);
        *error = (struct s3_error){0};
        if (status == HF_OK && answer->status / 100 != 2) {
            value(answer, "ErrorResponse/Error/Code", error->code, sizeof(error->code));
            value(answer, "ErrorResponse/Error/Message", error->message, sizeof(error->message));
        }
        if (status != HF_OK || tries == TRIES ||
            (s3_judge(answer->result, answer->status, error->code) != S3_AGAIN &&
             strcmp(error->code, "IDPCommunicationError") != 0))
            break;
        status = s3_sleep(call, s3_backoff_ms(tries, answer->retry_after_ms, s3_random()));
    }
    s3_client_give(client, status == HF_OK);
    return status;
}

int s3_keys_from_role(struct s3 *self, struct s3_call *call, const struct s3_web_identity *identity,
                      struct s3_keys *keys)
{
    struct s3_text url = {0}, form = {0};
    struct s3_answer answer = {0};
    struct s3_error error = {0};
    add_endpoint(self, &url);
    int status = url.failed ? s3_fail_memory(call) : HF_OK;
    if (status == HF_OK && !s3_url_is_safe(url.data))
        status = s3_fail(call, HF_E_CONFIG, "AWS_ENDPOINT_URL_STS '%s' is neither https nor an address of this machine",
                         url.data);
    if (status == HF_OK)
        status = add_form(call, identity, &form);
    if (status == HF_OK)
        status = post(self, call, url.data, &form, &answer, &error);
    if (status == HF_OK && (answer.result != CURLE_OK || answer.status != 200))
        status = refuse(call, identity, url.data, &answer, &error);
    else if (status == HF_OK && !read_keys(&answer, keys))
        status = s3_fail(call, HF_E_AUTH, "what '%s' answers are no credentials", url.data);
    if (form.data)
        OPENSSL_cleanse(form.data, form.used);
    if (answer.body.data)
        OPENSSL_cleanse(answer.body.data, answer.body.used);
    s3_text_clear(&form);
    s3_text_clear(&url);
    s3_answer_clear(&answer);
    return status;
}

int s3_keys_from_web_identity(struct s3 *self, struct s3_call *call, struct s3_keys *keys)
{
    const char *token_file = getenv("AWS_WEB_IDENTITY_TOKEN_FILE"), *role = getenv("AWS_ROLE_ARN");
    const char *session = getenv("AWS_ROLE_SESSION_NAME");
    if (!token_file || !*token_file || !role || !*role)
        return HF_E_NOTFOUND;
    struct s3_web_identity identity = {.token_file = token_file, .role = role, .session = session ? session : ""};
    return s3_keys_from_role(self, call, &identity, keys);
}
