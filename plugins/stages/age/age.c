/* SPDX-License-Identifier: Apache-2.0
 *
 * The age stage: real age files, by OpenSSL's primitives.
 */
#include "age.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

const struct hf_host *age_host;

static const struct hf_option options[] = {
    {.key = "recipient",
     .type = HF_LIST,
     .help =
         "public keys of those who can decrypt, several if wanted: age1… keys, or \"ssh-ed25519 AAAA…\"; with these "
         "alone, backups are made and their digests verified, and nobody can read them here"},
    {.key = "identity",
     .type = HF_PATH,
     .help =
         "file with the secret key, mode 0600: an age identity, or an ssh-ed25519 private key without a passphrase; "
         "needed to read backups. Without a recipient, backups are encrypted to this one"},
    {.key = "passphrase",
     .type = HF_STRING,
     .flags = HF_SECRET,
     .help =
         "encrypt with a passphrase instead of keys: say ${file:PATH} or ${env:NAME}; each artifact takes a second and "
         "256 MiB of memory at the work factor's default"},
    {.key = "work_factor",
     .type = HF_INT,
     .dflt = "18",
     .help = "how costly the passphrase is to try: scrypt's N is 2 to the power of it",
     .min = 10,
     .max = AGE_WORK_MAX},
};

static int add_recipients(struct age *age, struct hf_ctx *ctx, const char *const *items, size_t count)
{
    if (count > AGE_RECIPIENTS_MAX)
        return age_host->fail(ctx, HF_E_CONFIG, "'recipient' has %zu keys, and may have %d", count, AGE_RECIPIENTS_MAX);
    age->recipients = calloc(count + 1, sizeof(*age->recipients));
    if (age->recipients == NULL)
        return age_host->fail(ctx, HF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        char joined[256];
        const char *text = items[i];
        int rc;

        /* A key that was not put in quotes is two items. */
        if (strcmp(text, "ssh-ed25519") == 0 && i + 1 < count && strlen(items[i + 1]) < sizeof(joined) - 16) {
            strcpy(joined, "ssh-ed25519 ");
            strcat(joined, items[++i]);
            text = joined;
        }
        rc = age_recipient_parse(ctx, text, &age->recipients[age->recipient_count]);
        if (rc != HF_OK)
            return rc;
        age->recipient_count++;
    }
    return HF_OK;
}

static int check_options(const struct age *age, struct hf_ctx *ctx)
{
    if (age->identity_path != NULL && age_hide_secrets(ctx, age->identity_path)) {
        age_host->fail(ctx, HF_E_CONFIG, "'identity' is a secret key itself, and must name the file that holds it");
        return age_host->hint(ctx, "write the key to a file of mode 0600, and say: identity = FILE");
    }
    if (age->passphrase != NULL && (age->recipient_count > 0 || age->identity_path != NULL)) {
        age_host->fail(ctx, HF_E_CONFIG, "'passphrase' goes with neither 'recipient' nor 'identity'");
        return age_host->hint(ctx, "an age file is encrypted to keys or with a passphrase, never both");
    }
    if (age->passphrase != NULL && *age->passphrase == '\0')
        return age_host->fail(ctx, HF_E_CONFIG, "'passphrase' is empty");
    if (age->passphrase == NULL && age->recipient_count == 0 && age->identity_path == NULL) {
        age_host->fail(ctx, HF_E_CONFIG, "neither 'recipient' nor 'identity' nor 'passphrase' says who can decrypt");
        return age_host->hint(ctx, "make a key with: holdfast key new --out FILE; and say: identity = FILE");
    }
    return HF_OK;
}

static void age_close(void *self)
{
    struct age *age = self;

    age_identities_clear(&age->identities);
    pthread_mutex_destroy(&age->lock);
    free(age->recipients);
    free(age);
}

static int age_open(struct hf_ctx *ctx, const struct hf_config *config, void **ret_self)
{
    struct age *age = calloc(1, sizeof(*age));
    const char *const *items;
    size_t count = age_host->get_list(config, "recipient", &items);
    int rc;

    if (age == NULL)
        return age_host->fail(ctx, HF_E_NOMEM, "out of memory");
    pthread_mutex_init(&age->lock, NULL);
    age->identity_path = age_host->get_string(config, "identity");
    age->passphrase = age_host->get_string(config, "passphrase");
    age->work = (int)age_host->get_int(config, "work_factor");
    rc = add_recipients(age, ctx, items, count);
    if (rc == HF_OK)
        rc = check_options(age, ctx);
    if (rc == HF_OK)
        *ret_self = age;
    else
        age_close(age);
    return rc;
}

static const char armour[] = "-----BEGIN AGE ENCRYPTED FILE-----";

static bool begins_with(const void *head, size_t size, const char *text)
{
    return size >= strlen(text) && memcmp(head, text, strlen(text)) == 0;
}

/* Also what cannot be read here, so that it is said why. */
static int recognise(const void *head, size_t size)
{
    return begins_with(head, size, "age-encryption.org/") || begins_with(head, size, armour) ? 100 : 0;
}

/* --- keys --- */

int age_load(struct age *age, struct hf_ctx *ctx)
{
    int rc = HF_OK;

    if (age->identity_path == NULL)
        return HF_OK;
    pthread_mutex_lock(&age->lock);
    if (!age->loaded)
        rc = age_identities_load(ctx, age->identity_path, &age->identities);
    age->loaded = age->loaded || rc == HF_OK;
    pthread_mutex_unlock(&age->lock);
    return rc;
}

static int bad_header(struct hf_ctx *ctx, int what, size_t at, const char *problem)
{
    if (what == AGE_CANNOT)
        return age_host->fail(ctx, HF_E_FAIL, "the age header could not be read: %s", problem);
    return age_host->fail(ctx, HF_E_CORRUPT, "the age header is damaged near byte %zu: %s", at, problem);
}

/* As age_identity_unwrap, for all that there is. *ret_where: where the stanza begins that was looked at last. */
static int try_all(struct age *age, const struct age_header *header, unsigned char *ret_file_key,
                   const char **ret_problem, const char **ret_where)
{
    for (size_t i = 0; i < header->count; i++) {
        const struct age_stanza *stanza = &header->stanzas[i];
        bool scrypt = age_arg_equals(stanza, 0, "scrypt");

        *ret_where = stanza->args[0];
        if (scrypt && header->count > 1) {
            *ret_problem = "a passphrase beside other recipients";
            return AGE_MALFORMED;
        }
        if (scrypt && age->passphrase != NULL) {
            int rc;

            pthread_mutex_lock(&age->lock);
            rc = age_passphrase_unwrap(age->passphrase, stanza, ret_file_key, ret_problem);
            pthread_mutex_unlock(&age->lock);
            return rc;
        }
        for (size_t k = 0; k < age->identities.count; k++) {
            int rc = age_identity_unwrap(&age->identities.items[k], stanza, ret_file_key, ret_problem);

            if (rc <= 0)
                return rc;
        }
    }
    return 1;
}

static int no_key(const struct age *age, struct hf_ctx *ctx, const struct age_header *header)
{
    bool scrypt = age_arg_equals(&header->stanzas[0], 0, "scrypt");

    if (age->passphrase != NULL) {
        age_host->fail(ctx, HF_E_AUTH,
                       scrypt ? "the passphrase is not the one that this was encrypted with"
                              : "this was encrypted to keys, not with a passphrase");
        return age_host->hint(ctx, scrypt ? "give the passphrase of that time" : "set 'identity' instead");
    }
    if (age->identity_path == NULL || scrypt) {
        age_host->fail(ctx, HF_E_AUTH,
                       scrypt ? "this was encrypted with a passphrase, and the profile sets none"
                              : "there is no secret key here to read this with");
        return age_host->hint(ctx, scrypt ? "set 'passphrase'" : "set 'identity' to the file that holds it");
    }
    age_host->fail(ctx, HF_E_AUTH, "no identity in '%s' can read this: it was encrypted to %zu other recipient%s",
                   age->identity_path, header->count, header->count == 1 ? "" : "s");
    return age_host->hint(ctx, "set 'identity' to the file with the right key; "
                               "if this is the right one, the header is damaged");
}

static int check_mac(struct hf_ctx *ctx, const char *text, const struct age_header *header,
                     const unsigned char *file_key)
{
    unsigned char key[AGE_KEY_SIZE], mac[AGE_MAC_SIZE];
    int rc = age_hkdf(file_key, AGE_FILE_KEY_SIZE, NULL, 0, "header", key);

    if (rc == 0)
        rc = age_hmac(key, text, header->covered, mac);
    age_wipe(key, sizeof(key));
    if (rc != 0)
        return age_host->fail(ctx, HF_E_FAIL, "HMAC-SHA256 is not available in this OpenSSL");
    if (CRYPTO_memcmp(mac, header->mac, sizeof(mac)) != 0)
        return bad_header(ctx, AGE_MALFORMED, header->covered, "its code does not match what it says");
    return HF_OK;
}

int age_unlock(struct age *age, struct hf_ctx *ctx, const char *text, size_t size, unsigned char *ret_file_key,
               size_t *ret_header_size)
{
    struct age_header header;
    const char *problem = NULL;
    size_t at = 0;
    int rc;

    if (begins_with(text, size, armour)) {
        age_host->fail(ctx, HF_E_UNSUPPORTED, "this age file is armoured, as text, and only the binary form is read");
        return age_host->hint(ctx, "take the armour off first: sed '1d;$d' FILE | base64 -d > FILE.age");
    }
    rc = age_header_parse(text, size, &header, &problem, &at);
    if (rc != HF_OK)
        return rc == HF_END ? HF_END : bad_header(ctx, rc, at, problem);
    rc = age_load(age, ctx);
    if (rc == HF_OK) {
        const char *where = text;
        int tried = try_all(age, &header, ret_file_key, &problem, &where);

        rc = tried < 0   ? bad_header(ctx, tried, (size_t)(where - text), problem)
             : tried > 0 ? no_key(age, ctx, &header)
                         : check_mac(ctx, text, &header, ret_file_key);
    }
    *ret_header_size = header.size;
    age_header_clear(&header);
    return rc;
}

static int wrap_for_all(struct age *age, struct hf_ctx *ctx, const unsigned char *file_key, struct age_text *header)
{
    int rc = HF_OK;

    if (age->passphrase != NULL) {
        pthread_mutex_lock(&age->lock);
        rc = age_passphrase_wrap(ctx, age->passphrase, age->work, file_key, header);
        pthread_mutex_unlock(&age->lock);
        return rc;
    }
    for (size_t i = 0; rc == HF_OK && i < age->recipient_count; i++)
        rc = age_recipient_wrap(ctx, &age->recipients[i], file_key, header);
    if (age->recipient_count > 0)
        return rc;
    rc = age_load(age, ctx);
    for (size_t i = 0; rc == HF_OK && i < age->identities.count; i++)
        rc = age_recipient_wrap(ctx, &age->identities.items[i].recipient, file_key, header);
    return rc;
}

int age_lock(struct age *age, struct hf_ctx *ctx, const unsigned char *file_key, struct age_text *ret_header)
{
    static const char intro[] = "age-encryption.org/v1\n";
    unsigned char key[AGE_KEY_SIZE], mac[AGE_MAC_SIZE];
    char line[64] = " ";
    size_t length;
    int failed = age_text_add(ret_header, intro, sizeof(intro) - 1);
    int rc = wrap_for_all(age, ctx, file_key, ret_header);

    if (rc != HF_OK)
        return rc;
    failed |= age_text_add(ret_header, "---", 3);
    failed |= age_hkdf(file_key, AGE_FILE_KEY_SIZE, NULL, 0, "header", key);
    failed |= age_hmac(key, ret_header->data, ret_header->used, mac);
    age_wipe(key, sizeof(key));
    length = 1 + age_base64_encode(mac, sizeof(mac), line + 1);
    line[length++] = '\n';
    failed |= age_text_add(ret_header, line, length);
    return failed ? age_host->fail(ctx, HF_E_FAIL, "the header could not be made") : HF_OK;
}

/* --- what can be done --- */

static bool is_recipient(const struct age *age, const struct age_identity *identity)
{
    for (size_t i = 0; i < age->recipient_count; i++)
        if (memcmp(age->recipients[i].key, identity->recipient.key, AGE_KEY_SIZE) == 0)
            return true;
    return false;
}

/* An identity that opens none of what is encrypted here would be found out only on the day it is needed. */
static int check(void *self, struct hf_ctx *ctx)
{
    struct age *age = self;
    bool any = age->recipient_count == 0;
    int rc = age_load(age, ctx);

    if (rc != HF_OK || age->identity_path == NULL)
        return rc;
    for (size_t i = 0; i < age->identities.count; i++)
        any = any || is_recipient(age, &age->identities.items[i]);
    if (any)
        return HF_OK;
    age_host->fail(ctx, HF_E_CONFIG,
                   "no identity in '%s' belongs to any 'recipient': it could not read what is made here",
                   age->identity_path);
    return age_host->hint(ctx, "see its public key with: holdfast key show '%s'; add that as a 'recipient'",
                          age->identity_path);
}

static int can_decode(void *self, struct hf_ctx *ctx)
{
    const struct age *age = self;

    (void)ctx;
    return age->passphrase != NULL || age->identity_path != NULL;
}

static const struct hf_stage operations = {
    .size = sizeof(struct hf_stage),
    .suffix = ".age",
    .block_size = AGE_CHUNK_SIZE,
    .recognise = recognise,
    .block_bound = age_bound,
    .frame_open = age_frame_open,
    .header = age_write_header,
    .trailer = age_trailer,
    .frame_close = age_frame_close,
    .decode_open = age_decode_open,
    .step = age_step,
    .decode_close = age_decode_close,
    .encode_chunk = age_encode_chunk,
    .seek_open = age_seek_open,
    .seek_range = age_seek_range,
    .seek_close = age_seek_close,
    .check = check,
    .can_decode = can_decode,
    .key_new = age_key_new,
    .key_public = age_key_public,
};

static const struct hf_plugin plugin = {
    .size = sizeof(struct hf_plugin),
    .kind = HF_STAGE,
    .name = "age",
    .version = "1.0.0",
    .summary = "encrypt to age files, that the age tool decrypts",
    .description = "The artifact is an ordinary file of age-encryption.org/v1, and `age -d -i KEY` decrypts it. It is "
                   "encrypted to "
                   "one or several public keys, of which any one's secret key reads it, or with a passphrase. Put this "
                   "stage behind "
                   "the one that compresses.\n\n"
                   "With 'recipient' alone, the machine that makes backups cannot read them: the secret key stays "
                   "away. Then backups "
                   "are verified at level digest; for more, and for restoring, set 'identity'.\n\n"
                   "Data is encrypted in chunks of 64 KiB with ChaCha20-Poly1305, so that parts can be verified and "
                   "restored alone; "
                   "a chunk that is changed, moved or missing is found. Whoever has a recipient's public key can make "
                   "files for it: "
                   "encryption does not prove who made a backup.",
    .caps = HF_CAP_ENCRYPTS,
    .threads = HF_PARALLEL,
    .option_stride = sizeof(struct hf_option),
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .open = age_open,
    .close = age_close,
    .operations = &operations,
};

static int init(const struct hf_host *host)
{
    age_host = host;
    return HF_OK;
}

const struct hf_module *holdfast_module_v1(void)
{
    static const struct hf_plugin *const plugins[] = {&plugin};
    static const struct hf_module module = {
        .size = sizeof(struct hf_module),
        .min_host = 1,
        .license = "Apache-2.0",
        .plugins = plugins,
        .plugin_count = 1,
        .init = init,
    };
    return &module;
}
