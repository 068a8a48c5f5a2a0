/* SPDX-License-Identifier: Apache-2.0
 *
 * Lays blocks down in order: digests of raw and stored bytes, the frame around them, the index of parts, the fan-out.
 */
#ifndef HF_PIPELINE_SEQUENCER_H
#define HF_PIPELINE_SEQUENCER_H

#include "catalog/manifest.h"
#include "pipeline/fanout.h"
#include "pipeline/line.h"

/* Runs until every part is laid down, on the calling thread. Fills the manifest's artifacts. */
int hf_sequencer_run(struct hf_line *, struct hf_ctx *, struct hf_fanout *, struct hf_manifest *);

#endif
