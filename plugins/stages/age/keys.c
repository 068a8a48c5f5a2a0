/* SPDX-License-Identifier: Apache-2.0
 *
 * Making keys, and telling their public side.
 */
#include "age.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TEXT_ROOM = 512, KEY_ROOM = 128 };

int age_key_new(struct hf_ctx *ctx, char **ret_secret, char **ret_public)
{
    unsigned char secret[AGE_KEY_SIZE], public[AGE_KEY_SIZE];
    char *text = malloc(TEXT_ROOM), *recipient = malloc(KEY_ROOM), key[KEY_ROOM], when[32] = "";
    time_t now = time(NULL);
    struct tm utc;

    if (text == NULL || recipient == NULL || age_random(secret, sizeof(secret)) != 0 ||
        age_x25519_public(secret, public) != 0) {
        free(text);
        free(recipient);
        return age_host->fail(ctx, HF_E_FAIL, "no key could be made: OpenSSL has no random numbers");
    }
    age_bech32_encode("age-secret-key-", secret, true, key);
    age_bech32_encode("age", public, false, recipient);
    if (gmtime_r(&now, &utc) != NULL)
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
    snprintf(text, TEXT_ROOM, "# created: %s\n# public key: %s\n%s\n", when, recipient, key);
    age_wipe(secret, sizeof(secret));
    age_wipe(key, sizeof(key));
    *ret_secret = text;
    *ret_public = recipient;
    return HF_OK;
}

static int add_public(struct age_text *text, const struct age_recipient *recipient)
{
    char line[KEY_ROOM] = "ssh-ed25519 ";

    if (recipient->kind == AGE_SSH_ED25519)
        line[12 + age_base64_encode(recipient->blob, sizeof(recipient->blob), line + 12)] = '\0';
    else
        age_bech32_encode("age", recipient->key, false, line);
    return (text->used > 0 ? age_text_add(text, "\n", 1) : 0) | age_text_add(text, line, strlen(line));
}

int age_key_public(struct hf_ctx *ctx, const char *name, const char *secret, size_t size, char **ret_public)
{
    struct age_identities identities = {0};
    struct age_text text = {0};
    int failed = 0;
    int rc = age_identities_parse(ctx, name, secret, size, &identities);

    if (rc != HF_OK)
        return rc;
    for (size_t i = 0; i < identities.count; i++)
        failed |= add_public(&text, &identities.items[i].recipient);
    age_identities_clear(&identities);
    if (failed || age_text_add(&text, "", 1) != 0) {
        free(text.data);
        return age_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    *ret_public = text.data;
    return HF_OK;
}
