/* SPDX-License-Identifier: Apache-2.0
 *
 * What is worth another try, and when.
 */
#ifndef HOLDFAST_SINK_S3_RETRY_H
#define HOLDFAST_SINK_S3_RETRY_H

#include <curl/curl.h>
#include <stdint.h>

enum s3_verdict {
    S3_DONE,   /* the server did it */
    S3_AGAIN,  /* may go well the next time */
    S3_RENEW,  /* with fresh credentials it may */
    S3_REFUSED /* another try would end the same way */
};

/* result: of the transfer; status: 0 without an answer; code: of the error document, "" when there is none. A 2xx with
 * a code is an error that the server found after it had begun to answer. */
enum s3_verdict s3_judge(CURLcode result, int status, const char *code);

/* How long to wait before the attempt-th repetition (1, 2, …): doubling, with half of it left to chance so that many
 * clients do not come back at once; at least what the server asked for (0: nothing), within reason. */
int64_t s3_backoff_ms(unsigned attempt, int64_t asked_ms, uint32_t random);

#endif
