/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a backup back: digests of what is stored, and every part decoded and shown to the source.
 */
#ifndef HF_OPS_CONTENT_H
#define HF_OPS_CONTENT_H

#include "ops/run.h"

struct hf_content {
    struct hf_run *run;
    struct hf_instance *sink;
    const struct hf_manifest *manifest;
    struct hf_services *services; /* damage becomes findings here */
    bool decode;                  /* not only digests             */
    bool *skip;                   /* per artifact: known to be missing or cut */
    bool facts_seen;              /* out: the source has reported all facts that it could */

    /* internal */
    struct hf_chain stages;
    atomic_int *digests; /* per artifact: 0 not known yet, 1 right, 2 wrong or unreadable */
    struct hf_shelf *shelf;
    void *session;
};

/* HF_OK also when damage was found. Fails when the check could not be made. */
int hf_content_check(struct hf_content *, struct hf_ctx *);

/* What the core hands a source for one recorded part. Strings are the manifest's. */
struct hf_part hf_part_of(const struct hf_manifest_artifact *, const struct hf_manifest_part *);
/* The profile's source must be the one that made the backup. */
int hf_source_matches(const struct hf_run *, struct hf_ctx *, const struct hf_manifest *);

#endif
