/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTP exchange at a time over one connection that is kept: a libcurl handle in a multi handle of its own, so that
 * a stopped run, a stalled transfer and the rate limit are seen to at any moment.
 */
#ifndef HOLDFAST_SINK_S3_HTTP_H
#define HOLDFAST_SINK_S3_HTTP_H

#include <curl/curl.h>

#include "call.h"

/* What the server answered. Texts are "" when it did not say. */
struct s3_answer {
    CURLcode result; /* of the transfer */
    char problem[CURL_ERROR_SIZE];
    int status; /* 0: no answer */
    char etag[S3_ETAG_SIZE];
    char content_range[80];
    int64_t length;      /* Content-Length; -1: not said */
    int64_t modified_ms; /* -1: not said */
    int64_t date_ms;     /* the server's clock; -1: not said */
    int64_t retry_after_ms;
    int64_t locked_until_ms;
    char encryption[32];          /* by the server, with a key that it has */
    char customer_encryption[16]; /* by the server, with a key that it was sent */
    char put_id[S3_ID_SIZE];      /* our mark on the object */
    char version_id[256];
    char region[64];
    char location[256];
    bool delete_marker;
    struct s3_text body; /* when it was not streamed */
};

struct s3_exchange {
    const char *method, *url;
    struct curl_slist *headers; /* taken */
    const void *body;           /* must stay until the exchange is over */
    size_t body_size;
    bool streamed;    /* a body of a 2xx answer goes to s3_http_read */
    bool local;       /* a metadata service: no proxy, no patience */
    int64_t stall_ms; /* without a byte moving; 0: what the profile says */
};

int s3_client_take(struct s3 *self, struct s3_call *call, struct s3_client **ret_client);
/* `reusable`: the exchange came to its end, so the connection may serve another. */
void s3_client_give(struct s3_client *client, bool reusable);
void s3_clients_close(struct s3 *self);

/* A whole exchange. HF_OK means only that it is over: look at the answer, which the caller clears. */
int s3_http_run(struct s3_client *client, struct s3_call *call, const struct s3_exchange *exchange,
                struct s3_answer *answer);
/* The same, but returns at the body when the answer is 2xx and streamed. The answer must stay until s3_http_stop. */
int s3_http_start(struct s3_client *client, struct s3_call *call, const struct s3_exchange *exchange,
                  struct s3_answer *answer);
/* 1 to `size` bytes of the body; 0 when the transfer is over, well or not: answer->result tells; or a failure. */
int64_t s3_http_read(struct s3_client *client, struct s3_call *call, void *data, size_t size);
/* Did the transfer come to its good end? */
bool s3_http_over(struct s3_client *client);
void s3_http_stop(struct s3_client *client);
void s3_answer_clear(struct s3_answer *answer);

void s3_rate_init(struct s3_rate *rate, uint64_t bytes_per_s);
/* Counts bytes that were moved. Returns how long nothing more may be. */
int64_t s3_rate_moved(struct s3_rate *rate, uint64_t bytes);

#endif
