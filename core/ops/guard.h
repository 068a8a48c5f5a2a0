/* SPDX-License-Identifier: Apache-2.0
 *
 * Work on one sink that must not hold up the run: an optional sink that does not answer is given up.
 */
#ifndef HF_OPS_GUARD_H
#define HF_OPS_GUARD_H

#include "ops/run.h"

/* `run` is a stand-in for the run: its plugins are the same, its services and its stop are its own. */
typedef int hf_guarded(struct hf_run *, struct hf_ctx *, struct hf_instance *sink, void *arg);

/* Calls it. For a sink with a timeout, on a thread of its own: when one call into the sink lasts longer than that, the
 * work is told to stop, and HF_E_UNREACHABLE returned; and so is every later call. If it does not stop, the sink counts
 * as lost (sink->lost), and the thread is left behind: so `arg` is memory that then is kept (hf_keep), with all that it
 * points to. */
int hf_guard(struct hf_run *, struct hf_ctx *, struct hf_instance *sink, hf_guarded *, void *arg);

#endif
