/* SPDX-License-Identifier: Apache-2.0
 *
 * A chunk stage at work on memory.
 */
#ifndef HF_PIPELINE_MEMORY_CODEC_H
#define HF_PIPELINE_MEMORY_CODEC_H

#include "base/text.h"
#include "plugin/instance.h"

/* Both add to the text. Decoding: to more than max_bytes is HF_E_CORRUPT. `subject`: what it is, for messages. */
int hf_memory_encode(struct hf_ctx *, struct hf_instance *stage, const void *data, size_t size, struct hf_text *out);
int hf_memory_decode(struct hf_ctx *, struct hf_instance *stage, const void *data, size_t size, size_t max_bytes,
                     const char *subject, struct hf_text *out);

#endif
