/* SPDX-License-Identifier: Apache-2.0
 *
 * The artifacts of one backup in one sink, opened for reading. A chunk stage is opened once for each artifact, since
 * that may cost much (a key made of a passphrase); all threads share it.
 */
#ifndef HF_PIPELINE_SHELF_H
#define HF_PIPELINE_SHELF_H

#include "catalog/manifest.h"
#include "pipeline/pull.h"
#include "plugin/chain.h"

struct hf_shelf;

/* Borrows all three. */
struct hf_shelf *hf_shelf_new(struct hf_instance *sink, const struct hf_chain *, const struct hf_manifest *);
void hf_shelf_free(struct hf_shelf *);

/* What the block stage made (or what the source wrote, when there is none), from `offset`, `length` bytes: through all
 * chunk stages, of which only what is needed is read. `subject`: as for hf_pull_decoded. May be called by any thread.
 */
int hf_shelf_pull(struct hf_shelf *, struct hf_ctx *, const struct hf_manifest_artifact *, uint64_t offset,
                  uint64_t length, const char *subject, struct hf_pull **ret_pull);
/* The block stage, NULL: none. */
struct hf_instance *hf_shelf_block(const struct hf_shelf *);

#endif
