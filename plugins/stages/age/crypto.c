/* SPDX-License-Identifier: Apache-2.0 */
#include "age.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

int age_random(void *data, size_t size)
{
    return RAND_priv_bytes(data, (int)size) == 1 ? 0 : -1;
}

int age_hmac(const unsigned char key[AGE_KEY_SIZE], const void *data, size_t size, unsigned char ret_mac[AGE_MAC_SIZE])
{
    unsigned length = AGE_MAC_SIZE;

    return HMAC(EVP_sha256(), key, AGE_KEY_SIZE, data, size, ret_mac, &length) != NULL ? 0 : -1;
}

/* Extract, and as much of expand as one block needs. */
int age_hkdf(const void *key, size_t key_size, const void *salt, size_t salt_size, const char *info,
             unsigned char ret_key[AGE_KEY_SIZE])
{
    static const unsigned char zeros[AGE_KEY_SIZE];
    unsigned char extracted[AGE_KEY_SIZE], message[128];
    size_t info_size = strlen(info);
    unsigned length = AGE_KEY_SIZE;
    int rc = -1;

    if (info_size >= sizeof(message))
        return -1;
    memcpy(message, info, info_size);
    message[info_size] = 1;
    if (salt_size == 0) { /* RFC 5869, 2.2 */
        salt = zeros;
        salt_size = sizeof(zeros);
    }
    if (HMAC(EVP_sha256(), salt, (int)salt_size, key, key_size, extracted, &length) != NULL)
        rc = age_hmac(extracted, message, info_size + 1, ret_key);
    OPENSSL_cleanse(extracted, sizeof(extracted));
    return rc;
}

int age_x25519(const unsigned char secret[AGE_KEY_SIZE], const unsigned char public[AGE_KEY_SIZE],
               unsigned char ret_shared[AGE_KEY_SIZE])
{
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, AGE_KEY_SIZE);
    EVP_PKEY *other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public, AGE_KEY_SIZE);
    EVP_PKEY_CTX *ctx = own ? EVP_PKEY_CTX_new(own, NULL) : NULL;
    size_t size = AGE_KEY_SIZE;
    bool made = ctx != NULL && other != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
                EVP_PKEY_derive_set_peer(ctx, other) == 1 && EVP_PKEY_derive(ctx, ret_shared, &size) == 1 &&
                size == AGE_KEY_SIZE;
    unsigned char any = 0;

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(own);
    EVP_PKEY_free(other);
    for (size_t i = 0; made && i < AGE_KEY_SIZE; i++)
        any |= ret_shared[i];
    return made && any != 0 ? 0 : -1;
}

int age_x25519_public(const unsigned char secret[AGE_KEY_SIZE], unsigned char ret_public[AGE_KEY_SIZE])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, AGE_KEY_SIZE);
    size_t size = AGE_KEY_SIZE;
    bool made = key != NULL && EVP_PKEY_get_raw_public_key(key, ret_public, &size) == 1 && size == AGE_KEY_SIZE;

    EVP_PKEY_free(key);
    return made ? 0 : -1;
}

int age_seal(const unsigned char key[AGE_KEY_SIZE], const unsigned char nonce[12], const void *in, size_t size,
             void *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int made = 0, rest = 0;
    bool done = ctx != NULL && size <= AGE_CHUNK_SIZE &&
                EVP_EncryptInit_ex(ctx, EVP_chacha20_poly1305(), NULL, key, nonce) == 1 &&
                (size == 0 || EVP_EncryptUpdate(ctx, out, &made, in, (int)size) == 1) &&
                EVP_EncryptFinal_ex(ctx, (unsigned char *)out + made, &rest) == 1 && (size_t)(made + rest) == size &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AGE_TAG_SIZE, (unsigned char *)out + size) == 1;

    EVP_CIPHER_CTX_free(ctx); /* wipes the key */
    return done ? 0 : -1;
}

int age_open_sealed(const unsigned char key[AGE_KEY_SIZE], const unsigned char nonce[12], const void *in, size_t size,
                    void *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    size_t plain = size - AGE_TAG_SIZE;
    unsigned char tag[AGE_TAG_SIZE], none[1];
    int made = 0, rest = 0;
    bool done;

    if (size < AGE_TAG_SIZE || size > AGE_SEALED_SIZE) {
        EVP_CIPHER_CTX_free(ctx);
        return -1;
    }
    memcpy(tag, (const unsigned char *)in + plain, AGE_TAG_SIZE);
    done = ctx != NULL && EVP_DecryptInit_ex(ctx, EVP_chacha20_poly1305(), NULL, key, nonce) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AGE_TAG_SIZE, tag) == 1 &&
           (plain == 0 || EVP_DecryptUpdate(ctx, out, &made, in, (int)plain) == 1) &&
           EVP_DecryptFinal_ex(ctx, plain ? (unsigned char *)out + made : none, &rest) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!done) /* nothing that is not authentic leaves this function */
        memset(out, 0, plain);
    return done ? 0 : -1;
}

int age_scrypt(const char *passphrase, const void *salt, size_t salt_size, int work,
               unsigned char ret_key[AGE_KEY_SIZE])
{
    uint64_t cost = (uint64_t)1 << work, memory = 128 * 8 * (cost + 3);

    return EVP_PBE_scrypt(passphrase, strlen(passphrase), salt, salt_size, cost, 8, 1, memory + (1 << 20), ret_key,
                          AGE_KEY_SIZE) == 1
               ? 0
               : -1;
}

static int digest(const EVP_MD *type, const void *data, size_t size, unsigned char *ret_digest)
{
    return EVP_Digest(data, size, ret_digest, NULL, type, NULL) == 1 ? 0 : -1;
}

int age_sha512(const void *data, size_t size, unsigned char ret_digest[64])
{
    return digest(EVP_sha512(), data, size, ret_digest);
}

int age_sha256(const void *data, size_t size, unsigned char ret_digest[32])
{
    return digest(EVP_sha256(), data, size, ret_digest);
}

/* u = (1 + y) / (1 - y) modulo 2^255 - 19 */
int age_ed25519_to_x25519(const unsigned char point[AGE_KEY_SIZE], unsigned char ret_public[AGE_KEY_SIZE])
{
    unsigned char y_bytes[AGE_KEY_SIZE];
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *p = BN_new(), *y = BN_new(), *above = BN_new(), *below = BN_new();
    bool made;

    memcpy(y_bytes, point, AGE_KEY_SIZE);
    y_bytes[AGE_KEY_SIZE - 1] &= 0x7f; /* the sign of x */
    made = ctx && p && y && above && below && BN_set_bit(p, 255) && BN_sub_word(p, 19) &&
           BN_lebin2bn(y_bytes, AGE_KEY_SIZE, y) != NULL && BN_cmp(y, p) < 0 && BN_copy(above, y) &&
           BN_add_word(above, 1) && BN_one(below) && BN_mod_sub(below, below, y, p, ctx) && !BN_is_zero(below) &&
           BN_mod_inverse(below, below, p, ctx) != NULL && BN_mod_mul(above, above, below, p, ctx) &&
           BN_bn2lebinpad(above, ret_public, AGE_KEY_SIZE) == AGE_KEY_SIZE;
    BN_free(p);
    BN_free(y);
    BN_free(above);
    BN_free(below);
    BN_CTX_free(ctx);
    return made ? 0 : -1;
}
