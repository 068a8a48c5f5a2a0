/* SPDX-License-Identifier: Apache-2.0
 *
 * The s3 sink's rooms, each above those it stands on: s3.c (the plugin's table), options.c (what the profile says),
 * check.c, put.c (one object's way in), upload.c (parts in flight), multipart.c (its requests), get.c, objects.c (stat,
 * remove, sweep), list.c; request.c (sign, send, try again), errors.c (what a refusal means), call.c (failures and
 * notes of one call), credentials.c with awsfile.c, metadata.c and webidentity.c, http.c (libcurl) with rate.c; and
 * retry.c, sigv4.c, xml.c, parts.c, md5_lanes.c, text.c, which know nothing of the sink.
 */
#ifndef HOLDFAST_SINK_S3_H
#define HOLDFAST_SINK_S3_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <holdfast/plugin.h>

#include "sigv4.h"

struct s3_client;
struct s3_credentials;

enum {
    S3_OBJECT_HEADERS_MAX = 8,
    S3_KEY_MAX = 240,    /* of the core's keys */
    S3_PREFIX_MAX = 700, /* so that prefix and key stay within the 1024 bytes that S3 allows */
    S3_ETAG_SIZE = 160,
    S3_UPLOAD_ID_SIZE = 1100
};

/* Does the server refuse to overwrite by itself? */
enum s3_conditional { S3_CONDITIONAL_UNKNOWN, S3_CONDITIONAL_YES, S3_CONDITIONAL_NO };

/* Shared by all transfers of an instance. */
struct s3_rate {
    pthread_mutex_t lock;
    uint64_t bytes_per_s; /* 0: no limit */
    int64_t free_at_ms;   /* when what was moved is paid for */
    uint64_t odd_bytes;   /* moved, but less than a millisecond's worth */
};

/* An instance. Set up by options.c, and constant but for what is marked. */
struct s3 {
    const struct hf_config *config;
    const char *bucket;
    char *prefix;      /* "" or ends with '/' */
    char *origin;      /* "https://host:port" */
    char *host;        /* the Host header */
    char *bucket_path; /* encoded: "/bucket" or "/" */
    char *object_path; /* encoded, before the encoded key: "/bucket/" or "/", with the prefix */
    char *region;
    char *tags;
    bool tls;
    struct s3_header object_headers[S3_OBJECT_HEADERS_MAX]; /* of every object that stays */
    unsigned object_header_count;
    struct s3_header sse_headers[3]; /* of every object */
    unsigned sse_header_count;
    struct s3_header customer_headers[3]; /* the customer's key, with each request about content */
    unsigned customer_header_count;
    char customer_md5[S3_MD5_BASE64];
    const char *lock_mode; /* NULL: objects are not locked */
    const char *ca_file, *proxy, *proxy_user, *proxy_password;
    int64_t lock_ms, connect_timeout_ms, stall_timeout_ms, sweep_after_ms;
    uint64_t part_size, memory;
    unsigned parallel, retries, max_parts;
    bool sign_parts; /* by their SHA-256; otherwise by their Content-MD5 */

    struct s3_credentials *credentials; /* has a lock of its own */
    struct s3_rate rate;                /* has a lock of its own */
    atomic_int conditional;             /* enum s3_conditional */
    atomic_ullong held;                 /* bytes of prepared objects that wait in memory */
    pthread_mutex_t lock;               /* of what follows */
    struct s3_client *idle;
};

extern const struct hf_host *s3_host;

int s3_options_read(struct s3 *self, struct hf_ctx *ctx, const struct hf_config *config);
void s3_options_clear(struct s3 *self);

int s3_key_check(struct hf_ctx *ctx, const char *key);

int s3_check(void *self, struct hf_ctx *ctx);

int s3_put_begin(void *self, struct hf_ctx *ctx, const struct hf_put_request *request, void **ret_put);
int s3_put_write(void *put, struct hf_ctx *ctx, const struct hf_block *block);
int s3_put_prepare(void *put, struct hf_ctx *ctx);
int s3_put_commit(void *put, struct hf_ctx *ctx);
void s3_put_abort(void *put, struct hf_ctx *ctx);

int s3_get_begin(void *self, struct hf_ctx *ctx, const char *key, uint64_t offset, uint64_t length, void **ret_get);
int64_t s3_get_read(void *get, struct hf_ctx *ctx, void *data, size_t size);
void s3_get_end(void *get);

int s3_stat(void *self, struct hf_ctx *ctx, const char *key, struct hf_object *ret_object);
int s3_list(void *self, struct hf_ctx *ctx, const char *prefix, int (*each)(void *, const struct hf_object *),
            void *arg);
int s3_remove(void *self, struct hf_ctx *ctx, const char *key);
int s3_sweep(void *self, struct hf_ctx *ctx, const char *prefix, int64_t older_than_ms);

#endif
