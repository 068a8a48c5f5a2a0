/* SPDX-License-Identifier: Apache-2.0
 *
 * Which backups may go. Pure: no I/O, no clock of its own.
 *
 * A backup is kept if any rule keeps it: keep (younger than), keep_last (the newest N), keep_daily/weekly/monthly (the newest
 * of each of the last N days, ISO weeks, months in UTC that have one).
 *
 * Only verified backups take a rule's slots. One that is not verified (never checked, or found damaged) is kept wherever it
 * would be kept if it were, but never pushes a verified one out.
 *
 * Whatever the rules and the clock say, these stay: the newest verified backup; the newest verified one that does not lie in
 * the future; those in the future; those newer than the newest verified one; all, when none is verified or no rule is set.
 */
#ifndef HF_CATALOG_RETENTION_H
#define HF_CATALOG_RETENTION_H

#include "config/profile.h"

struct hf_retained {
    const char *id;  /* borrowed */
    int64_t time_ms;
    bool verified;   /* was found whole: at level digest or better        */
    bool remove;     /* out */
    char reason[96]; /* out: "younger than 30d", "newest verified", "daily 2026-02-01", "older than 30d and no other rule keeps it" */
};

/* Fills in `remove` and `reason`. `items` in any order. */
void hf_retention_decide(const struct hf_retention *, int64_t now_ms, struct hf_retained *items, size_t count);

#endif
