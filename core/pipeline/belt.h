/* SPDX-License-Identifier: Apache-2.0
 *
 * Work on buffers, in their order, on a thread of its own. What the chunk stages do to every byte, and the digest of what
 * comes out, would otherwise stand one behind the other on the sequencer's thread.
 */
#ifndef HF_PIPELINE_BELT_H
#define HF_PIPELINE_BELT_H

#include "pipeline/line.h"

enum { HF_BELT_BYTES = 2 * 1024 * 1024 }; /* that may lie on a belt, besides the last buffer put on it */

struct hf_belt;

/* Runs on the belt's thread; a failure, in the ctx, stops the line. Takes a reference of its own, if it keeps the buffer. */
typedef int hf_belt_fn(void *arg, struct hf_ctx *, struct hf_buffer *);

int hf_belt_start(struct hf_ctx *, struct hf_line *, hf_belt_fn *, void *arg, struct hf_belt **ret_belt);
/* Waits for room. Takes a reference of its own. HF_E_CANCELLED: the line is stopped, and knows why. */
int hf_belt_put(struct hf_belt *, struct hf_buffer *);
/* Waits until nothing lies on it any more, and what was done is seen by the caller. Fails likewise. */
int hf_belt_drain(struct hf_belt *);
/* What still lies on it is left undone. Whatever its work may wait for must be stopped, too. NULL is fine. */
void hf_belt_end(struct hf_belt *);

#endif
