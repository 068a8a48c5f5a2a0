/* SPDX-License-Identifier: Apache-2.0
 *
 * One request at a time. libs3 has no timeout that can be set and cannot be interrupted, so its sockets are waited for
 * here, together with the descriptor that tells of a stop.
 */
#include "ls.h"

#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/select.h>
#include <time.h>

enum { FIRST_MS = 250, LONGEST_MS = 10000, TICK_MS = 200 };

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static S3Status on_properties(const S3ResponseProperties *properties, void *opaque)
{
    struct ls_call *call = opaque;
    call->last_ms = now_ms();
    call->length = properties->contentLength;
    call->modified = properties->lastModified;
    const char *etag = properties->eTag ? properties->eTag : "";
    etag += *etag == '"';
    snprintf(call->etag, sizeof(call->etag), "%.*s", (int)strcspn(etag, "\""), etag);
    return S3StatusOK;
}

static void on_complete(S3Status status, const S3ErrorDetails *details, void *opaque)
{
    struct ls_call *call = opaque;
    call->status = status;
    call->done = true;
    snprintf(call->message, sizeof(call->message), "%s%s%s", S3_get_status_name(status),
             details && details->message ? ": " : "", details && details->message ? details->message : "");
}

const S3ResponseHandler ls_response = {.propertiesCallback = on_properties, .completeCallback = on_complete};

S3BucketContext ls_bucket(const struct ls *self)
{
    return (S3BucketContext){.hostName = self->host,
                             .bucketName = self->bucket,
                             .protocol = S3ProtocolHTTP,
                             .uriStyle = self->virtual_host ? S3UriStyleVirtualHost : S3UriStylePath,
                             .accessKeyId = self->access_key,
                             .secretAccessKey = self->secret_key};
}

/* All of a body may be in the kernel's buffers long before it is sent: over a slow line, that is not to stand still. */
static void look_at_unsent(struct ls_call *call, const fd_set *reads, const fd_set *writes, int most)
{
    int unsent = 0;
    for (int fd = 0; fd <= most; fd++) {
        int waiting = 0;
        if ((FD_ISSET(fd, reads) || FD_ISSET(fd, writes)) && ioctl(fd, SIOCOUTQ, &waiting) == 0)
            unsent += waiting;
    }
    if (unsent != call->unsent)
        call->last_ms = now_ms();
    call->unsent = unsent;
}

/* Until one of libs3's sockets is ready, something else stirs, or a little time has passed. */
static void wait_sockets(struct ls_call *call, S3RequestContext *requests)
{
    fd_set reads, writes, excepts;
    int most = -1, stop = ls_host->cancel_fd(call->ctx);
    FD_ZERO(&reads);
    FD_ZERO(&writes);
    FD_ZERO(&excepts);
    if (S3_get_request_context_fdsets(requests, &reads, &writes, &excepts, &most) != S3StatusOK || most < 0) {
        struct pollfd item = {.fd = stop, .events = POLLIN};
        (void)poll(&item, 1, TICK_MS / 20); /* it has none yet */
        return;
    }
    look_at_unsent(call, &reads, &writes, most);
    if (stop >= 0 && stop < FD_SETSIZE) {
        FD_SET(stop, &reads);
        most = stop > most ? stop : most;
    }
    struct timeval tick = {.tv_usec = TICK_MS * 1000};
    (void)select(most + 1, &reads, &writes, &excepts, &tick); /* whatever it says, libs3 looks itself */
}

int ls_run(struct ls_call *call, ls_start start)
{
    S3RequestContext *requests = NULL;
    int remaining = 1, code = HF_OK;
    call->done = false;
    call->status = S3StatusInternalError;
    call->modified = -1;
    call->length = 0;
    call->unsent = 0;
    *call->message = *call->etag = 0;
    call->last_ms = now_ms();
    if (S3_create_request_context(&requests) != S3StatusOK)
        return ls_fail_nomem(call->ctx);
    start(call, requests);
    while (code == HF_OK && !call->done) {
        S3Status status = S3_runonce_request_context(requests, &remaining);
        if (call->done)
            break;
        if (status != S3StatusOK || remaining == 0)
            code = ls_host->fail(call->ctx, HF_E_FAIL, "libs3: %s", S3_get_status_name(status));
        else if (ls_host->cancelled(call->ctx))
            code = HF_E_CANCELLED;
        else if (now_ms() - call->last_ms > call->self->stall_ms) {
            S3_destroy_request_context(requests); /* completes what it was at */
            call->status = S3StatusErrorRequestTimeout;
            snprintf(call->message, sizeof(call->message), "nothing happened for %lld s",
                     (long long)(call->self->stall_ms / 1000));
            return HF_OK;
        } else {
            wait_sockets(call, requests);
        }
    }
    S3_destroy_request_context(requests);
    return code;
}

bool ls_is_missing(S3Status status)
{
    return status == S3StatusErrorNoSuchKey || status == S3StatusHttpErrorNotFound;
}

bool ls_retryable(S3Status status)
{
    switch (status) {
    case S3StatusInternalError: /* broken connections, says libs3 */
    case S3StatusInterrupted:
    case S3StatusNameLookupError:
    case S3StatusFailedToConnect:
    case S3StatusConnectionFailed:
    case S3StatusXmlParseFailure: /* a proxy's page */
    case S3StatusErrorBadDigest:
    case S3StatusErrorIncompleteBody:
    case S3StatusErrorInternalError:
    case S3StatusErrorOperationAborted:
    case S3StatusErrorRequestTimeout:
    case S3StatusErrorRequestTimeTooSkewed: /* the date may have been another thread's */
    case S3StatusErrorSlowDown:
    case S3StatusHttpErrorUnknown:
        return true;
    default:
        return false;
    }
}

int ls_wait(struct hf_ctx *ctx, int attempt)
{
    uint32_t random = 0;
    int64_t ms = FIRST_MS;
    for (; attempt > 1 && ms < LONGEST_MS; attempt--)
        ms *= 2;
    (void)!getrandom(&random, sizeof(random), 0); /* only so that not all try again at once */
    return ls_host->sleep_ms(ctx, ms / 2 + random % (ms / 2 + 1));
}

static int code_of(S3Status status)
{
    switch (status) {
    case S3StatusErrorAccessDenied:
    case S3StatusErrorInvalidAccessKeyId:
    case S3StatusErrorSignatureDoesNotMatch:
    case S3StatusErrorExpiredToken:
    case S3StatusErrorInvalidSecurity:
    case S3StatusErrorNotSignedUp:
    case S3StatusHttpErrorForbidden:
        return HF_E_AUTH;
    case S3StatusErrorNoSuchKey:
    case S3StatusHttpErrorNotFound:
        return HF_E_NOTFOUND;
    case S3StatusErrorNoSuchBucket:
        return HF_E_UNREACHABLE;
    case S3StatusOutOfMemory:
        return HF_E_NOMEM;
    case S3StatusErrorRequestTimeTooSkewed:
        return HF_E_FAIL;
    default:
        return ls_retryable(status) ? HF_E_UNREACHABLE : HF_E_IO;
    }
}

int ls_fail(struct ls_call *call, const char *doing)
{
    const struct ls *self = call->self;
    int code = code_of(call->status);
    ls_host->fail(call->ctx, code, "cannot %s '%s/%s' at '%s': %s", doing, self->bucket, call->path ? call->path : "",
                  self->host, call->message);
    if (code == HF_E_AUTH)
        return ls_host->hint(call->ctx,
                             "look at access_key and secret_key; libs3 signs the old way (version 2): a server "
                             "that takes only version 4 needs the sink s3");
    if (call->status == S3StatusErrorNoSuchBucket)
        return ls_host->hint(call->ctx, "make the bucket '%s', or name another", self->bucket);
    if (call->status == S3StatusErrorRequestTimeTooSkewed)
        return ls_host->hint(call->ctx, "set this machine's clock");
    return code;
}
