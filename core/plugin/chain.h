/* SPDX-License-Identifier: Apache-2.0
 *
 * The stages of a profile or of a backup, in the order in which they encode: at most one block stage, and that first;
 * then any number of chunk stages.
 */
#ifndef HF_PLUGIN_CHAIN_H
#define HF_PLUGIN_CHAIN_H

#include "plugin/instance.h"

struct hf_chain {
    struct hf_instance **items;
    bool *owned; /* freed by hf_chain_clear */
    size_t count;
};

void hf_chain_add(struct hf_chain *, struct hf_instance *, bool owned);
void hf_chain_clear(struct hf_chain *);

bool hf_stage_is_chunked(const struct hf_instance *);
/* The block stage; NULL when there is none. */
struct hf_instance *hf_chain_block(const struct hf_chain *);
/* The chunk stages; none: *ret_count 0. */
struct hf_instance *const *hf_chain_chunked(const struct hf_chain *, size_t *ret_count);
/* Can they follow each other like this? HF_E_CONFIG says which one cannot. */
int hf_chain_check(struct hf_ctx *, const struct hf_chain *);

#endif
