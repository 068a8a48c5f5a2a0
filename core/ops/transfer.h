/* SPDX-License-Identifier: Apache-2.0
 *
 * One backup from one sink to another: the same bytes, the same manifest; whole and visible, or not at all.
 */
#ifndef HF_OPS_TRANSFER_H
#define HF_OPS_TRANSFER_H

#include "ops/run.h"

/* Reads every artifact and holds it against the manifest's digest while it is written; then publishes. `threads`:
 * artifacts at once. Progress is counted in the run's services. HF_E_CORRUPT: what `from` has is not what its manifest
 * says. On failure nothing of it is in `to`; only that, with `resume`, the artifacts that are there when it is
 * interrupted, or somebody cannot be reached any more, wait under a commit record for the next to go on with. Read them
 * back, then: they are not read again here. *ret_manifest, free it: set on success. */
int hf_transfer(struct hf_run *, struct hf_ctx *, struct hf_instance *from, struct hf_instance *to, const char *id,
                int threads, bool resume, struct hf_manifest **ret_manifest);

#endif
