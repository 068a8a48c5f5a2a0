/* SPDX-License-Identifier: Apache-2.0
 *
 * The bandwidth limit: what was moved is paid for with time, by whoever moves something next.
 */
#include "http.h"

/* So long a pause is saved up at most, so that a lull is not followed by a burst. */
enum { SAVED_MS = 100 };

void s3_rate_init(struct s3_rate *rate, uint64_t bytes_per_s)
{
    pthread_mutex_init(&rate->lock, NULL);
    rate->bytes_per_s = bytes_per_s;
}

int64_t s3_rate_moved(struct s3_rate *rate, uint64_t bytes)
{
    if (rate->bytes_per_s == 0)
        return 0;
    int64_t now = s3_steady_ms();
    pthread_mutex_lock(&rate->lock);
    if (rate->free_at_ms < now - SAVED_MS)
        rate->free_at_ms = now - SAVED_MS;
    uint64_t owed = (rate->odd_bytes + bytes) * 1000;
    rate->free_at_ms += (int64_t)(owed / rate->bytes_per_s);
    rate->odd_bytes = owed % rate->bytes_per_s / 1000;
    int64_t wait = rate->free_at_ms - now;
    pthread_mutex_unlock(&rate->lock);
    return wait > 0 ? wait : 0;
}
