/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/seal.h"

#include "pipeline/memory_codec.h"

#include <openssl/evp.h>
#include <string.h>

static bool encrypts(const struct hf_instance *stage)
{
    return (stage->loaded->plugin.caps & HF_CAP_ENCRYPTS) != 0 && hf_stage_is_chunked(stage);
}

int hf_seal_choose(struct hf_ctx *ctx, const struct hf_chain *stages, int *ret_index)
{
    *ret_index = -1;
    for (size_t i = 0; i < stages->count; i++) {
        const struct hf_instance *stage = stages->items[i];
        const char *wish = hf_config_text(stage->config, "manifest");

        if (hf_text_equal(wish, "sealed") && !encrypts(stage)) {
            hf_fail(ctx, HF_E_CONFIG, "%s (plugin '%s') does not encrypt, so it cannot seal manifests", stage->who,
                    stage->loaded->plugin.name);
            return hf_hint(ctx, "take 'manifest' out, or say it in the stage that encrypts");
        }
        if (encrypts(stage) && !hf_text_equal(wish, "open"))
            *ret_index = (int)i;
    }
    return HF_OK;
}

static char *base64(const struct hf_text *data)
{
    char *text = hf_alloc((data->length + 2) / 3 * 4 + 1);

    EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)data->data, (int)data->length);
    return text;
}

int hf_seal_write(struct hf_run *run, struct hf_ctx *ctx, const struct hf_manifest *manifest, char **ret_text,
                  size_t *ret_size)
{
    size_t plain_size = 0;
    hf_auto_free char *plain = hf_manifest_write(manifest, &plain_size), *sealed = NULL;
    hf_auto_text struct hf_text coded = {0};
    int rc;

    if (run->seal < 0) {
        *ret_text = hf_steal(plain);
        *ret_size = plain_size;
        return HF_OK;
    }
    rc = plain_size > HF_MANIFEST_MAX_BYTES /* too large even without; whoever stores it says so */
             ? HF_OK
             : hf_memory_encode(ctx, run->stages.items[run->seal], plain, plain_size, &coded);
    if (rc != HF_OK)
        return hf_wrap(ctx, "seal the manifest");
    if (coded.length == 0) {
        *ret_text = hf_steal(plain);
        *ret_size = plain_size;
        return HF_OK;
    }
    sealed = base64(&coded);
    *ret_text = hf_manifest_write_sealed(manifest, sealed, (size_t)run->seal, ret_size);
    return HF_OK;
}

/* -1: it is no base64. */
static int64_t unbase64(const char *text, unsigned char *ret_data)
{
    size_t length = strlen(text), padding = 0;
    int made;

    if (length == 0 || length % 4 != 0)
        return -1;
    while (padding < 2 && text[length - 1 - padding] == '=')
        padding++;
    made = EVP_DecodeBlock(ret_data, (const unsigned char *)text, (int)length);
    return made < 0 ? -1 : made - (int64_t)padding;
}

static int decode(struct hf_ctx *ctx, struct hf_instance *stage, const struct hf_manifest *manifest,
                  struct hf_text *out)
{
    hf_auto_free char *subject = hf_strf("the manifest of '%s'", manifest->id);
    hf_auto_free unsigned char *coded = hf_alloc(strlen(manifest->sealed) / 4 * 3 + 4);
    int64_t size = unbase64(manifest->sealed, coded);

    if (!encrypts(stage) || size < 0)
        return hf_fail(ctx, HF_E_CORRUPT, "%s: what is sealed in it is malformed", subject);
    return hf_memory_decode(ctx, stage, coded, (size_t)size, HF_MANIFEST_MAX_BYTES, subject, out);
}

int hf_need_key(struct hf_ctx *ctx, const struct hf_chain *stages, const char *what, const char *profile)
{
    for (size_t i = stages->count; i-- > 0;) {
        const struct hf_chain one = {.items = &stages->items[i], .count = 1};
        const struct hf_instance *stage = stages->items[i];
        bool can = true;
        int rc = hf_can_decode(ctx, &one, &can);

        if (rc != HF_OK)
            return rc;
        if (can)
            continue;
        hf_fail(ctx, HF_E_REFUSED, "'%s' is encrypted, and profile '%s' does not say with which key to read it", what,
                profile);
        return hf_hint(ctx, "where the key is, say so in [%s]; what it can be told: holdfast plugin info %s",
                       stage->who, stage->loaded->plugin.name);
    }
    return HF_OK;
}

int hf_seal_open(struct hf_run *run, struct hf_ctx *ctx, struct hf_manifest **manifest)
{
    struct hf_chain stages = {0};
    hf_auto_text struct hf_text text = {0};
    struct hf_manifest *opened = NULL;
    int rc;

    if ((*manifest)->sealed == NULL)
        return HF_OK;
    rc = hf_run_stages_of(run, ctx, *manifest, &stages);
    if (rc == HF_OK)
        rc = hf_need_key(ctx, &stages, (*manifest)->id, run->profile->name);
    if (rc == HF_OK)
        rc = decode(ctx, stages.items[(*manifest)->sealed_by], *manifest, &text);
    if (rc == HF_OK)
        rc = hf_manifest_open(ctx, *manifest, text.data ? text.data : "", text.length, &opened);
    hf_chain_clear(&stages);
    if (rc != HF_OK)
        return rc;
    hf_manifest_free(*manifest);
    *manifest = opened;
    return HF_OK;
}

int hf_can_decode(struct hf_ctx *ctx, const struct hf_chain *stages, bool *ret_can)
{
    *ret_can = true;
    for (size_t i = 0; i < stages->count; i++) {
        struct hf_instance *stage = stages->items[i];
        int can;

        if (stage->loaded->stage.can_decode == NULL)
            continue;
        hf_instance_enter(stage, ctx);
        can = hf_instance_leave(stage, ctx, stage->loaded->stage.can_decode(stage->self, ctx));
        if (can < 0)
            return can;
        *ret_can = *ret_can && can > 0;
    }
    return HF_OK;
}

int hf_can_read(struct hf_run *run, struct hf_ctx *ctx, const struct hf_manifest *manifest, bool *ret_can)
{
    struct hf_chain stages = {0};
    struct hf_ctx aside = hf_run_ctx(run);
    int rc = hf_run_stages_of(run, &aside, manifest, &stages);

    if (rc == HF_E_CONFIG) { /* the profile has no such stage, and it cannot do without options */
        hf_error_clear(&aside.error);
        *ret_can = false;
        return HF_OK;
    }
    hf_error_merge(&ctx->error, &aside.error);
    if (rc == HF_OK)
        rc = hf_can_decode(ctx, &stages, ret_can);
    hf_chain_clear(&stages);
    return rc;
}

int hf_check_level(struct hf_run *run, struct hf_ctx *ctx, int level)
{
    bool can = true;
    int rc = level >= HF_LEVEL_CONTENT ? hf_can_decode(ctx, &run->stages, &can) : HF_OK;

    if (rc != HF_OK || can)
        return rc;
    hf_fail(
        ctx, HF_E_REFUSED,
        "the backup would be encrypted, and the profile has no key to read it: so it cannot be verified at level %s",
        hf_level_text(level));
    return hf_hint(ctx, "verify at level digest: say so in [verify], or leave 'level' out");
}

int hf_check_stages(struct hf_run *run, struct hf_ctx *ctx)
{
    int rc = HF_OK;

    for (size_t i = 0; rc == HF_OK && i < run->stages.count; i++) {
        struct hf_instance *stage = run->stages.items[i];

        if (stage->loaded->stage.check == NULL)
            continue;
        hf_instance_enter(stage, ctx);
        rc = hf_instance_leave(stage, ctx, stage->loaded->stage.check(stage->self, ctx));
        rc = rc > 0 ? HF_OK : rc;
    }
    return rc;
}
