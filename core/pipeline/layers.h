/* SPDX-License-Identifier: Apache-2.0
 *
 * The chunk stages of a backup at work: what the block stage made (or what the source wrote) goes in, in order and one
 * call at a time; the stored object comes out.
 */
#ifndef HF_PIPELINE_LAYERS_H
#define HF_PIPELINE_LAYERS_H

#include "base/text.h"
#include "pipeline/buffer.h"
#include "plugin/instance.h"

struct hf_layers;

/* Takes what comes out; a reference of its own, if it keeps the buffer. */
typedef int hf_lay_fn(void *arg, struct hf_buffer *);

/* `stages`: in the order of encoding; borrowed. count 0 gives NULL. */
struct hf_layers *hf_layers_new(struct hf_instance *const *stages, size_t count);
/* When every buffer has been let go, or with `leave`: as hf_pool_leave. NULL is fine. */
void hf_layers_free(struct hf_layers *, bool leave);
void hf_layers_add_suffixes(const struct hf_layers *, struct hf_text *); /* NULL: none */

/* One artifact. After a failure: abandon. */
int hf_layers_begin(struct hf_layers *, struct hf_ctx *, hf_lay_fn *, void *arg);
int hf_layers_write(struct hf_layers *, struct hf_ctx *, const void *data, size_t size);
int hf_layers_end(struct hf_layers *, struct hf_ctx *);
void hf_layers_abandon(struct hf_layers *); /* closes what is open; fine at any time */

#endif
