/* SPDX-License-Identifier: Apache-2.0 */
#include "retry.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { FIRST_MS = 250, LONGEST_MS = 20 * 1000, ASKED_MAX_MS = 120 * 1000 };

static bool is_one_of(const char *code, const char *const *codes)
{
    for (; *codes; codes++)
        if (strcmp(code, *codes) == 0)
            return true;
    return false;
}

/* Connections that did not come about, or broke. */
static bool transfer_may_go_well(CURLcode result)
{
    switch (result) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_AGAIN:
        return true;
    default:
        return false;
    }
}

enum s3_verdict s3_judge(CURLcode result, int status, const char *code)
{
    static const char *const renew[] = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", NULL};
    static const char *const again[] = {
        /* the server is busy or had a problem of its own */
        "InternalError", "SlowDown", "SlowDownRead", "SlowDownWrite", "ServiceUnavailable", "Busy", "TooManyRequests",
        "RequestLimitExceeded", "RequestThrottled", "Throttling", "ThrottlingException", "BandwidthLimitExceeded",
        "OperationAborted", "ConditionalRequestConflict", "ServerBusy",
        /* what arrived is not what was sent */
        "RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch", NULL};
    static const char *const refused[] = {"NotImplemented", "XMinioStorageFull", "QuotaExceeded", NULL};
    if (result != CURLE_OK && status / 100 != 4)
        return transfer_may_go_well(result) ? S3_AGAIN : S3_REFUSED;
    if (is_one_of(code, renew))
        return S3_RENEW;
    if (is_one_of(code, again))
        return S3_AGAIN;
    if (is_one_of(code, refused))
        return S3_REFUSED;
    if (status / 100 == 2)
        return *code ? S3_AGAIN : S3_DONE;
    if (status == 429 || status == 408)
        return S3_AGAIN;
    /* 501: it cannot; 507: it is full. */
    return status >= 500 && status != 501 && status != 507 ? S3_AGAIN : S3_REFUSED;
}

int64_t s3_backoff_ms(unsigned attempt, int64_t asked_ms, uint32_t random)
{
    int64_t ms = FIRST_MS;
    for (; attempt > 1 && ms < LONGEST_MS; attempt--)
        ms *= 2;
    if (ms > LONGEST_MS)
        ms = LONGEST_MS;
    ms = ms / 2 + (int64_t)(random % (uint32_t)(ms / 2 + 1));
    if (asked_ms > ASKED_MAX_MS)
        asked_ms = ASKED_MAX_MS;
    return ms > asked_ms ? ms : asked_ms;
}
