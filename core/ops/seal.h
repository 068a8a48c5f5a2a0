/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealed manifests, and who can read what was encrypted.
 */
#ifndef HF_OPS_SEAL_H
#define HF_OPS_SEAL_H

#include "ops/run.h"

/* Which of the stages seals manifests: the last one that encrypts and is not told to leave them open; -1: none does.
 * HF_E_CONFIG when one is told to that cannot. */
int hf_seal_choose(struct hf_ctx *, const struct hf_chain *, int *ret_index);
/* The manifest, sealed as the profile wants it, as text for the sinks. */
int hf_seal_write(struct hf_run *, struct hf_ctx *, const struct hf_manifest *, char **ret_text, size_t *ret_size);
/* Opens a manifest that was read sealed, in place; fine for one that is not. HF_E_REFUSED when the profile names no
 * key, HF_E_AUTH when it is not the right one. */
int hf_seal_open(struct hf_run *, struct hf_ctx *, struct hf_manifest **manifest);
/* Does the profile say how to decode everything that its stages, or those of the backup, encode? */
int hf_can_decode(struct hf_ctx *, const struct hf_chain *, bool *ret_can);
int hf_can_read(struct hf_run *, struct hf_ctx *, const struct hf_manifest *, bool *ret_can);
/* HF_E_REFUSED, when it does not; `what`: a backup or a file. */
int hf_need_key(struct hf_ctx *, const struct hf_chain *, const char *what, const char *profile);
/* Asks each of the profile's stages whether its keys are there and go together. */
int hf_check_stages(struct hf_run *, struct hf_ctx *);
/* HF_E_REFUSED when what the profile's stages encrypt could not be verified at that level. */
int hf_check_level(struct hf_run *, struct hf_ctx *, int level);

#endif
