/* SPDX-License-Identifier: Apache-2.0
 *
 * Making a prepared backup visible, in every sink or, when a required one fails, in none.
 */
#ifndef HF_OPS_PUBLISH_H
#define HF_OPS_PUBLISH_H

#include "ops/run.h"
#include "pipeline/fanout.h"

/* Optional sinks that fail are dropped in the fan-out. On failure nothing of this backup is visible anywhere, as far as the
 * sinks can still be reached; what cannot be taken back now is taken back by the next run's sweep. */
int hf_publish(struct hf_run *, struct hf_ctx *, struct hf_fanout *, struct hf_manifest *);

#endif
