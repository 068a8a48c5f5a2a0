/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/chain.h"

void hf_chain_add(struct hf_chain *chain, struct hf_instance *instance, bool owned)
{
    chain->items = hf_realloc_array(chain->items, chain->count + 1, sizeof(struct hf_instance *));
    chain->owned = hf_realloc_array(chain->owned, chain->count + 1, sizeof(*chain->owned));
    chain->items[chain->count] = instance;
    chain->owned[chain->count++] = owned;
}

void hf_chain_clear(struct hf_chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        if (chain->owned[i])
            hf_instance_free(chain->items[i]);
    free(chain->items);
    free(chain->owned);
    *chain = (struct hf_chain){0};
}

bool hf_stage_is_chunked(const struct hf_instance *instance)
{
    return instance->loaded->stage.encode_chunk != NULL;
}

struct hf_instance *hf_chain_block(const struct hf_chain *chain)
{
    return chain->count > 0 && !hf_stage_is_chunked(chain->items[0]) ? chain->items[0] : NULL;
}

struct hf_instance *const *hf_chain_chunked(const struct hf_chain *chain, size_t *ret_count)
{
    size_t first = hf_chain_block(chain) != NULL ? 1 : 0;

    *ret_count = chain->count - first;
    return chain->items ? chain->items + first : NULL;
}

int hf_chain_check(struct hf_ctx *ctx, const struct hf_chain *chain)
{
    for (size_t i = 1; i < chain->count; i++) {
        if (hf_stage_is_chunked(chain->items[i]))
            continue;
        hf_fail(ctx, HF_E_CONFIG, "%s (plugin '%s') can only be the first stage", chain->items[i]->who,
                chain->items[i]->loaded->plugin.name);
        return hf_hint(ctx,
                       "stages work in the order in which they stand in the profile: compress first, then encrypt");
    }
    return HF_OK;
}
