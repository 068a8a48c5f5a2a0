/* SPDX-License-Identifier: Apache-2.0
 *
 * Notifiers tell people what happened.
 */
#ifndef HOLDFAST_NOTIFIER_H
#define HOLDFAST_NOTIFIER_H

#include "host.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hf_event {
    uint32_t size;
    uint32_t severity;          /* enum hf_severity                                                                  */
    const char *kind;           /* "backup", "verify", "restore", "prune"                                            */
    const char *profile;
    const char *backup_id;      /* NULL when the event is about no single backup                                     */
    const char *dedup_key;      /* the same for events that tell the same story                                      */
    const char *summary;        /* one line                                                                          */
    int64_t start_ms, end_ms;   /* Unix time                                                                         */
    const struct hf_pair *details;
    size_t detail_count, detail_stride;
};

struct hf_notifier {
    uint32_t size;
    uint32_t reserved;
    int (*send)(void *self, struct hf_ctx *, const struct hf_event *);
};

#ifdef __cplusplus
}
#endif
#endif
