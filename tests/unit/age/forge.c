/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned char file_key[] = "YELLOW SUBMARINE";
static char folder[64];

void forge_begin(void)
{
    strcpy(folder, "/tmp/holdfast-age-test.XXXXXX");
    if (mkdtemp(folder) == NULL)
        abort();
}

void forge_end(void)
{
    char command[100];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0)
        fprintf(stderr, "'%s' stays\n", folder);
}

const char *forge_path(const char *name)
{
    static char path[200];

    snprintf(path, sizeof(path), "%s/%s.%d", folder, name, (int)getpid());
    return path;
}

const char *forge_file(const char *name, const char *text)
{
    const char *path = forge_path(name);
    FILE *file;

    unlink(path);
    file = fopen(path, "w");
    ck_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    ck_assert_int_eq(chmod(path, 0600), 0);
    return path;
}

void forge_add(struct bytes *file, const void *data, size_t size)
{
    file->data = realloc(file->data, file->size + size + 1);
    ck_assert_ptr_nonnull(file->data);
    memcpy(file->data + file->size, data, size);
    file->size += size;
}

static void add_stanza(struct bytes *file, const char *secret)
{
    struct fake *fake = fake_new();
    struct age_recipient recipient = {.kind = AGE_X25519};
    unsigned char key[AGE_KEY_SIZE];
    struct age_text text = {0};

    ck_assert_int_eq(age_bech32_decode(secret, strlen(secret), "age-secret-key-", key), 0);
    ck_assert_int_eq(age_x25519_public(key, recipient.key), 0);
    ck_assert_int_eq(age_recipient_wrap(fake_ctx(fake), &recipient, file_key, &text), HF_OK);
    forge_add(file, text.data, text.used - 1); /* the recipe has the newline */
    free(text.data);
    fake_free(fake);
}

static void add_passphrase(struct bytes *file)
{
    struct fake *fake = fake_new();
    struct age_text text = {0};

    ck_assert_int_eq(age_passphrase_wrap(fake_ctx(fake), FORGE_PASSPHRASE, 10, file_key, &text), HF_OK);
    forge_add(file, text.data, text.used - 1);
    free(text.data);
    fake_free(fake);
}

static void add_mac(struct bytes *file)
{
    unsigned char key[AGE_KEY_SIZE], mac[AGE_MAC_SIZE];
    const unsigned char *end = memmem(file->data, file->size, "\n---", 4);
    char text[64];

    /* What is malformed may have no such place: then any code will do. */
    ck_assert_int_eq(age_hkdf(file_key, AGE_FILE_KEY_SIZE, NULL, 0, "header", key), 0);
    ck_assert_int_eq(age_hmac(key, file->data, end ? (size_t)(end - file->data) + 4 : file->size, mac), 0);
    forge_add(file, text, age_base64_encode(mac, sizeof(mac), text));
}

static void add_recipe(struct bytes *file, const char *recipe)
{
    for (; *recipe; recipe++) {
        if (*recipe != '%') {
            forge_add(file, recipe, 1);
            continue;
        }
        switch (*++recipe) {
        case 'X':
            add_stanza(file, FORGE_SECRET);
            break;
        case 'O':
            add_stanza(file, FORGE_OTHER);
            break;
        case 'P':
            add_passphrase(file);
            break;
        case 'M':
            add_mac(file);
            break;
        default:
            ck_abort_msg("an odd recipe");
        }
    }
}

struct bytes forge_header(const char *header, const char *end)
{
    struct bytes file = {0};

    add_recipe(&file, "age-encryption.org/v1\n");
    add_recipe(&file, header);
    add_recipe(&file, end);
    return file;
}

void forge_nonce(struct bytes *file)
{
    forge_add(file, "0123456789abcdef", AGE_NONCE_SIZE);
}

void forge_chunk(struct bytes *file, uint64_t index, bool last, size_t size)
{
    unsigned char *plain = malloc(size + 1), *sealed = malloc(size + AGE_TAG_SIZE), key[AGE_KEY_SIZE];
    unsigned char nonce[12] = {0};

    ck_assert(plain != NULL && sealed != NULL);
    for (size_t i = 0; i < size; i++)
        plain[i] = (unsigned char)((index * AGE_CHUNK_SIZE + i) % 251);
    nonce[10] = (unsigned char)index;
    nonce[11] = last;
    ck_assert_int_eq(age_hkdf(file_key, AGE_FILE_KEY_SIZE, "0123456789abcdef", AGE_NONCE_SIZE, "payload", key), 0);
    ck_assert_int_eq(age_seal(key, nonce, plain, size, sealed), 0);
    forge_add(file, sealed, size + AGE_TAG_SIZE);
    free(plain);
    free(sealed);
}

void forge_payload(struct bytes *file, const size_t *sizes, size_t count)
{
    forge_nonce(file);
    for (size_t i = 0; i < count; i++)
        forge_chunk(file, i, i + 1 == count, sizes[i]);
}

struct kit forge_kit(void)
{
    return kit_open_with(holdfast_module_v1(),
                         (const char *const[]){"identity", forge_file("key", FORGE_SECRET "\n"), NULL});
}

struct kit forge_kit_passphrase(void)
{
    return kit_open_with(holdfast_module_v1(),
                         (const char *const[]){"passphrase", FORGE_PASSPHRASE, "work_factor", "10", NULL});
}
