/* SPDX-License-Identifier: Apache-2.0
 *
 * Those who may read: how the file key is wrapped for each.
 */
#include "age.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_TOLD = 24 }; /* less of a secret key than so many characters is a name, perhaps of a file */

bool age_hide_secrets(struct hf_ctx *ctx, const char *text)
{
    bool any = false;

    while ((text = strcasestr(text, "AGE-SECRET-KEY-1")) != NULL) {
        size_t length = strspn(text, "-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
        char *key = length < SECRET_TOLD ? NULL : strndup(text, length);

        if (key != NULL) {
            age_host->redact(ctx, key);
            age_wipe(key, length);
            any = true;
        }
        free(key);
        text += length;
    }
    return any;
}

static int no_recipient(struct hf_ctx *ctx, const char *text)
{
    if (age_hide_secrets(ctx, text)) {
        age_host->fail(ctx, HF_E_CONFIG, "'recipient' is a secret key, and must be a public one");
        return age_host->hint(ctx, "keep the secret key in a file of mode 0600, and name that as 'identity'");
    }
    age_host->fail(ctx, HF_E_CONFIG, "'%.100s' is no recipient", text);
    return age_host->hint(ctx, "recipients are age1… keys, or \"ssh-ed25519 AAAA…\" in double quotes");
}

/* Nothing can be encrypted to a point of low order: better told before a backup. */
static bool of_low_order(const struct age_recipient *recipient)
{
    static const unsigned char any[AGE_KEY_SIZE];
    unsigned char shared[AGE_KEY_SIZE];

    return age_x25519(any, recipient->key, shared) != 0;
}

static int parse_ssh(struct hf_ctx *ctx, const char *text, struct age_recipient *ret_recipient)
{
    const char *key = text + strspn(text + 11, " \t") + 11;
    unsigned char blob[AGE_SSH_BLOB_SIZE];
    int64_t got = age_base64_decode(key, strcspn(key, " \t="), blob, sizeof(blob));
    struct age_recipient recipient;

    if (got < 0 || age_ssh_blob_parse(blob, (size_t)got, &recipient) != 0 || of_low_order(&recipient))
        return no_recipient(ctx, text);
    *ret_recipient = recipient;
    return HF_OK;
}

int age_recipient_parse(struct hf_ctx *ctx, const char *text, struct age_recipient *ret_recipient)
{
    struct age_recipient recipient = {.kind = AGE_X25519};

    if (strncmp(text, "ssh-ed25519", 11) == 0 && (text[11] == ' ' || text[11] == '\t'))
        return parse_ssh(ctx, text, ret_recipient);
    if (strncmp(text, "ssh-", 4) == 0) {
        age_host->fail(ctx, HF_E_UNSUPPORTED, "'%.40s…' is an SSH key of a type that is not supported", text);
        return age_host->hint(ctx, "use an age1… key, or one of type ssh-ed25519");
    }
    if (age_bech32_decode(text, strlen(text), "age", recipient.key) != 0 || of_low_order(&recipient))
        return no_recipient(ctx, text);
    *ret_recipient = recipient;
    return HF_OK;
}

static int add(struct hf_ctx *ctx, struct age_text *text, const char *const *args, size_t count,
               const unsigned char *body)
{
    if (age_text_add_stanza(text, args, count, body, AGE_WRAPPED_SIZE) != 0)
        return age_host->fail(ctx, HF_E_NOMEM, "out of memory");
    return HF_OK;
}

int age_recipient_wrap(struct hf_ctx *ctx, const struct age_recipient *recipient, const unsigned char *file_key,
                       struct age_text *text)
{
    static const unsigned char nonce[12];
    bool ssh = recipient->kind == AGE_SSH_ED25519;
    const char *info = ssh ? "age-encryption.org/v1/ssh-ed25519" : "age-encryption.org/v1/X25519";
    unsigned char ephemeral[AGE_KEY_SIZE], shared[AGE_KEY_SIZE], wrap[AGE_KEY_SIZE], salt[2 * AGE_KEY_SIZE];
    unsigned char wrapped[AGE_WRAPPED_SIZE];
    char share[64], tag[7] = "";
    int rc = age_random(ephemeral, sizeof(ephemeral));

    if (rc == 0)
        rc = age_x25519_public(ephemeral, salt);
    if (rc == 0)
        rc = age_x25519(ephemeral, recipient->key, shared);
    if (rc == 0 && ssh)
        rc = age_ssh_tweak(recipient->blob, shared) | age_ssh_tag(recipient->blob, tag);
    memcpy(salt + AGE_KEY_SIZE, recipient->key, AGE_KEY_SIZE);
    if (rc == 0)
        rc = age_hkdf(shared, sizeof(shared), salt, sizeof(salt), info, wrap);
    if (rc == 0)
        rc = age_seal(wrap, nonce, file_key, AGE_FILE_KEY_SIZE, wrapped);
    age_wipe(ephemeral, sizeof(ephemeral));
    age_wipe(shared, sizeof(shared));
    age_wipe(wrap, sizeof(wrap));
    if (rc != 0)
        return age_host->fail(ctx, HF_E_FAIL, "the file key could not be wrapped for a recipient: OpenSSL refused");
    share[age_base64_encode(salt, AGE_KEY_SIZE, share)] = '\0';
    if (ssh)
        return add(ctx, text, (const char *const[]){"ssh-ed25519", tag, share}, 3, wrapped);
    return add(ctx, text, (const char *const[]){"X25519", share}, 2, wrapped);
}

int age_passphrase_wrap(struct hf_ctx *ctx, const char *passphrase, int work, const unsigned char *file_key,
                        struct age_text *text)
{
    static const char label[] = "age-encryption.org/v1/scrypt";
    static const unsigned char nonce[12];
    unsigned char salt[sizeof(label) - 1 + AGE_SALT_SIZE], wrap[AGE_KEY_SIZE], wrapped[AGE_WRAPPED_SIZE];
    char salt_text[32], work_text[16];
    int rc = age_random(salt + sizeof(label) - 1, AGE_SALT_SIZE);

    memcpy(salt, label, sizeof(label) - 1);
    if (rc == 0)
        rc = age_scrypt(passphrase, salt, sizeof(salt), work, wrap);
    if (rc == 0)
        rc = age_seal(wrap, nonce, file_key, AGE_FILE_KEY_SIZE, wrapped);
    age_wipe(wrap, sizeof(wrap));
    if (rc != 0)
        return age_host->fail(ctx, HF_E_NOMEM,
                              "the passphrase could not be made into a key: that takes %d MiB of memory",
                              work > 10 ? 1 << (work - 10) : 1);
    salt_text[age_base64_encode(salt + sizeof(label) - 1, AGE_SALT_SIZE, salt_text)] = '\0';
    snprintf(work_text, sizeof(work_text), "%d", work);
    return add(ctx, text, (const char *const[]){"scrypt", salt_text, work_text}, 3, wrapped);
}
