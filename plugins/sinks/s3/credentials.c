/* SPDX-License-Identifier: Apache-2.0 */
#include "credentials.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "awsfile.h"

/* Keys are renewed so long before they run out; a request that is being sent then still ends in time. */
enum { RENEW_MS = 10 * 60 * 1000, RETRY_MS = 30 * 1000 };

struct s3_credentials {
    struct s3_credentials_options options;
    pthread_mutex_t lock; /* of what follows */
    bool known;
    enum s3_origin origin;
    struct s3_keys keys;
    int64_t renew_at_ms; /* Unix time; 0: never */
};

static bool take(char *field, size_t size, const char *value)
{
    return value && *value && s3_copy(field, size, value, strlen(value));
}

int s3_credentials_open(struct s3_call *call, const struct s3_credentials_options *options,
                        struct s3_credentials **ret_credentials)
{
    struct s3_credentials *credentials = calloc(1, sizeof(*credentials));
    if (!credentials)
        return s3_fail_memory(call);
    credentials->options = *options;
    if (options->access && options->from == S3_FROM_AUTO)
        credentials->options.from = S3_FROM_OPTIONS;
    else if (options->aws_profile && options->from == S3_FROM_AUTO)
        credentials->options.from = S3_FROM_FILE;
    pthread_mutex_init(&credentials->lock, NULL);
    *ret_credentials = credentials;
    return HF_OK;
}

void s3_credentials_close(struct s3_credentials *credentials)
{
    if (!credentials)
        return;
    pthread_mutex_destroy(&credentials->lock);
    OPENSSL_cleanse(credentials, sizeof(*credentials));
    free(credentials);
}

static int from_options(struct s3_call *call, const struct s3_credentials_options *options, struct s3_keys *keys)
{
    if (!take(keys->access, sizeof(keys->access), options->access) ||
        !take(keys->secret, sizeof(keys->secret), options->secret))
        return s3_fail(call, HF_E_CONFIG, "access_key or secret_key is empty or too long");
    if (options->token && *options->token && !take(keys->token, sizeof(keys->token), options->token))
        return s3_fail(call, HF_E_CONFIG, "session_token is too long");
    return HF_OK;
}

static int from_environment(struct s3_call *call, struct s3_keys *keys)
{
    const char *token = getenv("AWS_SESSION_TOKEN");
    if (!getenv("AWS_ACCESS_KEY_ID") || !getenv("AWS_SECRET_ACCESS_KEY"))
        return HF_E_NOTFOUND;
    if (!take(keys->access, sizeof(keys->access), getenv("AWS_ACCESS_KEY_ID")) ||
        !take(keys->secret, sizeof(keys->secret), getenv("AWS_SECRET_ACCESS_KEY")) ||
        (token && *token && !take(keys->token, sizeof(keys->token), token)))
        return s3_fail(call, HF_E_CONFIG,
                       "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN is empty or too long");
    return HF_OK;
}

static int fetch_from(struct s3 *self, struct s3_call *call, enum s3_origin origin, struct s3_keys *keys)
{
    const struct s3_credentials_options *options = &self->credentials->options;
    switch (origin) {
    case S3_FROM_OPTIONS:
        return from_options(call, options, keys);
    case S3_FROM_ENVIRONMENT:
        return from_environment(call, keys);
    case S3_FROM_WEB_IDENTITY:
        return s3_keys_from_web_identity(self, call, keys);
    case S3_FROM_FILE:
        return s3_keys_from_file(self, call, options->aws_profile, keys);
    case S3_FROM_CONTAINER:
        return s3_keys_from_container(self, call, keys);
    case S3_FROM_INSTANCE:
        return s3_keys_from_instance(self, call, keys);
    case S3_FROM_NOBODY:
        keys->anonymous = true;
        return HF_OK;
    default:
        return HF_E_NOTFOUND;
    }
}

static int fail_none(struct s3_call *call, enum s3_origin from)
{
    static const char *const places[] = {
        [S3_FROM_AUTO] = "the profile, the environment, the files of the AWS tools, or a metadata service",
        [S3_FROM_OPTIONS] = "the profile",
        [S3_FROM_ENVIRONMENT] = "the environment",
        [S3_FROM_WEB_IDENTITY] = "the environment (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN)",
        [S3_FROM_FILE] = "the files of the AWS tools",
        [S3_FROM_CONTAINER] = "the container's metadata service",
        [S3_FROM_INSTANCE] = "the machine's metadata service",
        [S3_FROM_NOBODY] = "anywhere"};
    s3_fail(call, HF_E_AUTH, "there are no credentials in %s", places[from]);
    return s3_hint(call,
                   "set access_key and secret_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile "
                   "of ~/.aws in aws_profile");
}

static int fetch(struct s3 *self, struct s3_call *call, struct s3_keys *keys)
{
    struct s3_credentials *credentials = self->credentials;
    enum s3_origin from = credentials->options.from;
    enum s3_origin first = from, last = from;
    if (from == S3_FROM_AUTO && credentials->known) {
        first = last = credentials->origin;
    } else if (from == S3_FROM_AUTO) {
        first = S3_FROM_ENVIRONMENT;
        last = S3_FROM_INSTANCE;
    }
    for (enum s3_origin origin = first; origin <= last; origin++) {
        memset(keys, 0, sizeof(*keys));
        int status = fetch_from(self, call, origin, keys);
        if (status != HF_E_NOTFOUND) {
            credentials->origin = origin;
            return status;
        }
    }
    return fail_none(call, from);
}

/* With the lock held. What is still valid serves on when its renewal fails. */
static int renew(struct s3 *self, struct s3_call *call, bool refused)
{
    struct s3_credentials *credentials = self->credentials;
    struct s3_keys *keys = malloc(sizeof(*keys));
    if (!keys)
        return s3_fail_memory(call);
    int64_t now = s3_now_ms();
    int status = fetch(self, call, keys);
    bool usable =
        credentials->known && !refused && (credentials->keys.expires_ms == 0 || credentials->keys.expires_ms > now);
    if (status == HF_OK) {
        credentials->keys = *keys;
        credentials->known = true;
        int64_t left = keys->expires_ms - now;
        credentials->renew_at_ms = keys->expires_ms ? now + (left > 2 * RENEW_MS ? left - RENEW_MS : left / 2) : 0;
        if (call->ctx && keys->secret[0])
            s3_host->redact(call->ctx, keys->secret);
        if (call->ctx && keys->token[0])
            s3_host->redact(call->ctx, keys->token);
    } else if (status != HF_E_CANCELLED && usable) {
        s3_note(call, "cannot renew the credentials yet: %s", call->problem.text);
        s3_forgive(call);
        credentials->renew_at_ms = now + RETRY_MS;
        status = HF_OK;
    }
    OPENSSL_cleanse(keys, sizeof(*keys));
    free(keys);
    return status;
}

int s3_credentials_get(struct s3 *self, struct s3_call *call, bool refused, struct s3_keys *ret_keys)
{
    struct s3_credentials *credentials = self->credentials;
    int status = HF_OK;
    pthread_mutex_lock(&credentials->lock);
    if (!credentials->known || refused || (credentials->renew_at_ms && s3_now_ms() >= credentials->renew_at_ms))
        status = renew(self, call, refused);
    if (status == HF_OK)
        *ret_keys = credentials->keys;
    pthread_mutex_unlock(&credentials->lock);
    return status;
}

bool s3_credentials_renewable(struct s3 *self)
{
    struct s3_credentials *credentials = self->credentials;
    pthread_mutex_lock(&credentials->lock);
    bool renewable = credentials->origin == S3_FROM_WEB_IDENTITY || credentials->origin == S3_FROM_FILE ||
                     credentials->origin == S3_FROM_CONTAINER || credentials->origin == S3_FROM_INSTANCE;
    pthread_mutex_unlock(&credentials->lock);
    return renewable;
}

const char *s3_credentials_origin(struct s3 *self)
{
    static const char *const names[] = {[S3_FROM_AUTO] = "",
                                        [S3_FROM_OPTIONS] = "the profile",
                                        [S3_FROM_ENVIRONMENT] = "the environment",
                                        [S3_FROM_WEB_IDENTITY] = "a role, for the token in a file",
                                        [S3_FROM_FILE] = "a file of the AWS tools",
                                        [S3_FROM_CONTAINER] = "the container's metadata service",
                                        [S3_FROM_INSTANCE] = "the machine's metadata service",
                                        [S3_FROM_NOBODY] = "nowhere: requests are not signed"};
    pthread_mutex_lock(&self->credentials->lock);
    const char *name = names[self->credentials->known ? self->credentials->origin : S3_FROM_AUTO];
    pthread_mutex_unlock(&self->credentials->lock);
    return name;
}

/* --- the files of the AWS tools --- */

/* Ways of getting keys that need more than a file. */
static int refuse_other_ways(struct s3_call *call, const char *text, const char *path, const char *profile)
{
    static const char *const ways[] = {"role_arn", "credential_process", "sso_start_url", "sso_session",
                                       "web_identity_token_file"};
    char value[64];
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
        if (s3_awsfile_value(text, profile, ways[i], value, sizeof(value))) {
            s3_fail(call, HF_E_UNSUPPORTED, "profile '%s' of '%s' gets its keys by '%s', which is not supported",
                    profile, path, ways[i]);
            return s3_hint(call,
                           "let the AWS tools fetch them: eval \"$(aws configure export-credentials --profile %s "
                           "--format env)\"",
                           profile);
        }
    return HF_E_NOTFOUND;
}

/* A role that a token in a file stands for. */
static int keys_of_role(struct s3 *self, struct s3_call *call, const char *text, const char *profile,
                        struct s3_keys *keys)
{
    char token_file[4096], role[2100], session[100] = "";
    if (!s3_awsfile_value(text, profile, "web_identity_token_file", token_file, sizeof(token_file)) ||
        !s3_awsfile_value(text, profile, "role_arn", role, sizeof(role)))
        return HF_E_NOTFOUND;
    s3_awsfile_value(text, profile, "role_session_name", session, sizeof(session));
    struct s3_web_identity identity = {.token_file = token_file, .role = role, .session = session};
    return s3_keys_from_role(self, call, &identity, keys);
}

static int keys_of_file(struct s3 *self, struct s3_call *call, const char *path, const char *profile, bool *found,
                        struct s3_keys *keys)
{
    char *text = s3_awsfile_read(path);
    if (!text)
        return errno == ENOENT || errno == ENOTDIR
                   ? HF_E_NOTFOUND
                   : s3_fail(call, HF_E_AUTH, "cannot read '%s': %s", path, strerror(errno));
    int status = HF_E_NOTFOUND;
    *found = *found || s3_awsfile_has_profile(text, profile);
    if (s3_awsfile_value(text, profile, "aws_access_key_id", keys->access, sizeof(keys->access)) &&
        s3_awsfile_value(text, profile, "aws_secret_access_key", keys->secret, sizeof(keys->secret))) {
        if (!s3_awsfile_value(text, profile, "aws_session_token", keys->token, sizeof(keys->token)))
            keys->token[0] = 0;
        status = HF_OK;
    } else {
        status = keys_of_role(self, call, text, profile, keys);
        if (status == HF_E_NOTFOUND)
            status = refuse_other_ways(call, text, path, profile);
    }
    OPENSSL_cleanse(text, strlen(text));
    free(text);
    return status;
}

int s3_keys_from_file(struct s3 *self, struct s3_call *call, const char *aws_profile, struct s3_keys *keys)
{
    const char *profile = s3_awsfile_profile(aws_profile);
    char path[4096];
    bool found = false;
    int status = HF_E_NOTFOUND;
    if (s3_awsfile_path("AWS_SHARED_CREDENTIALS_FILE", "credentials", path, sizeof(path)))
        status = keys_of_file(self, call, path, profile, &found, keys);
    if (status == HF_E_NOTFOUND && s3_awsfile_path("AWS_CONFIG_FILE", "config", path, sizeof(path)))
        status = keys_of_file(self, call, path, profile, &found, keys);
    if (status == HF_E_NOTFOUND && aws_profile) {
        s3_fail(call, HF_E_AUTH,
                found ? "profile '%s' of the AWS tools has no keys" : "the AWS tools have no profile '%s'",
                aws_profile);
        s3_hint(call, "aws configure list-profiles shows which there are");
        return HF_E_AUTH;
    }
    return status;
}
