/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the keys come from, in this order: the profile; the environment (AWS_ACCESS_KEY_ID …); a role that a token in
 * a file stands for; the files of the AWS tools; a container's and a machine's metadata service. What runs out is
 * renewed in time.
 */
#ifndef HOLDFAST_SINK_S3_CREDENTIALS_H
#define HOLDFAST_SINK_S3_CREDENTIALS_H

#include "call.h"

struct s3_keys {
    char access[160], secret[256], token[6000]; /* token: "" without one */
    int64_t expires_ms;                         /* 0: never */
    bool anonymous;                             /* do not sign */
};

enum s3_origin {
    S3_FROM_AUTO,
    S3_FROM_OPTIONS,
    S3_FROM_ENVIRONMENT,
    S3_FROM_WEB_IDENTITY,
    S3_FROM_FILE,
    S3_FROM_CONTAINER,
    S3_FROM_INSTANCE,
    S3_FROM_NOBODY
};

/* What the profile says; texts live as long as the config. */
struct s3_credentials_options {
    enum s3_origin from;
    const char *access, *secret, *token; /* NULL: not set */
    const char *aws_profile;             /* NULL: AWS_PROFILE, or "default" */
};

int s3_credentials_open(struct s3_call *call, const struct s3_credentials_options *options,
                        struct s3_credentials **ret_credentials);
void s3_credentials_close(struct s3_credentials *credentials);
/* Copies the keys to use now; fetches or renews them when needed. renew: those at hand were refused. */
int s3_credentials_get(struct s3 *self, struct s3_call *call, bool renew, struct s3_keys *ret_keys);
bool s3_credentials_renewable(struct s3 *self);
/* In a few words where they come from, for check; "" before they were needed. */
const char *s3_credentials_origin(struct s3 *self);

/* The sources. HF_E_NOTFOUND, with nothing recorded: this one has none. */
int s3_keys_from_web_identity(struct s3 *self, struct s3_call *call, struct s3_keys *ret_keys);
int s3_keys_from_file(struct s3 *self, struct s3_call *call, const char *aws_profile, struct s3_keys *ret_keys);
int s3_keys_from_container(struct s3 *self, struct s3_call *call, struct s3_keys *ret_keys);
int s3_keys_from_instance(struct s3 *self, struct s3_call *call, struct s3_keys *ret_keys);

struct s3_web_identity {
    const char *token_file, *role;
    const char *session; /* what records of the role's doings call this one; "": holdfast */
};
int s3_keys_from_role(struct s3 *self, struct s3_call *call, const struct s3_web_identity *identity,
                      struct s3_keys *ret_keys);
/* May a secret go there? Over plain http only to places that do not leave the machine. */
bool s3_url_is_safe(const char *url);
/* A metadata service's document. False when it is none. */
bool s3_keys_parse(const char *json, size_t size, struct s3_keys *ret_keys);

#endif
