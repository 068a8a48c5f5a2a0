/* SPDX-License-Identifier: Apache-2.0
 *
 * One read, several places: a writer thread per sink, fed with shared blocks.
 *
 * A required sink that fails stops the run; an optional one is dropped, what it began is aborted, and the rest goes on,
 * as long as there are enough of them. Every live sink gives backpressure. Nothing is visible anywhere until
 * hf_fanout_commit.
 *
 * An optional sink of which one call lasts longer than its timeout is dropped, too: it is told to stop, and when it
 * does not even then, its thread is left behind in the plugin, together with all that it may still look at, and the
 * instance counts as lost. What it does later is as if the run had crashed: the next one's sweep takes it back.
 */
#ifndef HF_PIPELINE_FANOUT_H
#define HF_PIPELINE_FANOUT_H

#include "base/text.h"
#include "pipeline/buffer.h"
#include "plugin/host.h"
#include "plugin/instance.h"

enum { HF_BACKLOG_MAX = 4 * 1024 * 1024 }; /* encoded bytes that may wait for one sink */

struct hf_fanout;

struct hf_fanout *hf_fanout_new(struct hf_services *, struct hf_cancel *, struct hf_instance *const *sinks,
                                size_t count, size_t quorum); /* quorum 0: one is enough */
/* Ends the threads, aborts whatever was not committed, and lets go of every block. Nothing can be written any more. */
void hf_fanout_stop(struct hf_fanout *);
void hf_fanout_free(struct hf_fanout *); /* stops, too */

/* Tells every sink how much is to come (0: not known), before anything is begun. One that refuses is dropped. */
void hf_fanout_expect(struct hf_fanout *, uint64_t bytes);
/* Whether the run can go on; if not, why, in the ctx: a required sink was dropped, too few are left, or the run is stopped. */
int hf_fanout_check(struct hf_fanout *, struct hf_ctx *);

/* In this order for each object: begin, write any number of times, end. They fail when a required sink has failed or the run
 * is stopped; the cause is in the ctx. */
int hf_fanout_begin(struct hf_fanout *, struct hf_ctx *, const struct hf_put_request *); /* copies what it needs */
int hf_fanout_write(struct hf_fanout *, struct hf_ctx *, struct hf_buffer *); /* takes a reference of its own */
int hf_fanout_end(struct hf_fanout *, struct hf_ctx *);
/* Waits until every live sink has prepared all it was given. */
int hf_fanout_finish(struct hf_fanout *, struct hf_ctx *);

/* After hf_fanout_finish, on the calling thread, for one sink: makes its objects visible, in order. A failure leaves
 * the caller to take back what became visible (hf_catalog_sweep). */
int hf_fanout_commit(struct hf_fanout *, struct hf_ctx *, size_t sink);

/* NULL while the sink lives; else why it was dropped. */
const struct hf_error *hf_fanout_dropped(struct hf_fanout *, size_t sink);
/* Drops a sink from outside, e.g. after a failed commit. Takes the ctx's error. */
void hf_fanout_drop(struct hf_fanout *, size_t sink, struct hf_ctx *);
/* A thread may have been left behind: it has buffers that may never come back. */
bool hf_fanout_stalled(struct hf_fanout *);

#endif
