/* SPDX-License-Identifier: Apache-2.0
 *
 * SSH's Ed25519 keys as age's, converted to X25519: RFC 8709 (public keys), OpenSSH's PROTOCOL.key (private ones), and
 * age's own binding of the two.
 */
#include "age.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static const char type[] = "ssh-ed25519";

enum { TYPE_SIZE = 11, SEED_SIZE = 32, TEXT_MAX = 16 * 1024 };

/* Reading SSH's wire format. */
struct wire {
    const unsigned char *at;
    size_t left;
    bool bad;
};

static uint32_t take_number(struct wire *wire)
{
    uint32_t value;

    if (wire->left < 4) {
        wire->bad = true;
        return 0;
    }
    value = (uint32_t)wire->at[0] << 24 | (uint32_t)wire->at[1] << 16 | (uint32_t)wire->at[2] << 8 | wire->at[3];
    wire->at += 4;
    wire->left -= 4;
    return value;
}

static struct wire take_string(struct wire *wire)
{
    struct wire string = {.left = take_number(wire)};

    if (wire->bad || string.left > wire->left) {
        wire->bad = true;
        return (struct wire){0};
    }
    string.at = wire->at;
    wire->at += string.left;
    wire->left -= string.left;
    return string;
}

static bool is_text(struct wire wire, const char *text)
{
    return wire.left == strlen(text) && (wire.left == 0 || memcmp(wire.at, text, wire.left) == 0);
}

int age_ssh_blob_parse(const unsigned char *blob, size_t size, struct age_recipient *ret_recipient)
{
    struct wire wire = {.at = blob, .left = size};
    struct wire name = take_string(&wire), point = take_string(&wire);
    struct age_recipient recipient = {.kind = AGE_SSH_ED25519};

    if (wire.bad || wire.left != 0 || !is_text(name, type) || point.left != AGE_KEY_SIZE ||
        age_ed25519_to_x25519(point.at, recipient.key) != 0)
        return -1;
    memcpy(recipient.blob, blob, sizeof(recipient.blob));
    *ret_recipient = recipient;
    return 0;
}

int age_ssh_tweak(const unsigned char blob[AGE_SSH_BLOB_SIZE], unsigned char shared[AGE_KEY_SIZE])
{
    unsigned char tweak[AGE_KEY_SIZE];
    int rc = age_hkdf("", 0, blob, AGE_SSH_BLOB_SIZE, "age-encryption.org/v1/ssh-ed25519", tweak);

    if (rc == 0)
        rc = age_x25519(tweak, shared, shared);
    age_wipe(tweak, sizeof(tweak));
    return rc;
}

int age_ssh_tag(const unsigned char blob[AGE_SSH_BLOB_SIZE], char ret_tag[7])
{
    unsigned char digest[32];

    if (age_sha256(blob, AGE_SSH_BLOB_SIZE, digest) != 0)
        return -1;
    ret_tag[age_base64_encode(digest, 4, ret_tag)] = '\0';
    return 0;
}

/* The text between the lines that begin and end the key, without white space. *ret_used: bytes of it. */
static int decode_text(const char *text, size_t size, unsigned char *ret_data, size_t room, size_t *ret_used)
{
    static const char first[] = "-----BEGIN OPENSSH PRIVATE KEY-----", last[] = "-----END OPENSSH PRIVATE KEY-----";
    const char *end = memmem(text, size, last, sizeof(last) - 1);
    char packed[TEXT_MAX];
    size_t used = 0;
    int64_t got;

    if (size < sizeof(first) || memcmp(text, first, sizeof(first) - 1) != 0 || end == NULL)
        return -1;
    for (const char *at = text + sizeof(first) - 1; at < end; at++) {
        if (*at == '\n' || *at == '\r' || *at == ' ' || *at == '=')
            continue; /* padding stands at the end only, or the length is wrong */
        if (used == sizeof(packed)) {
            age_wipe(packed, sizeof(packed));
            return -1;
        }
        packed[used++] = *at;
    }
    got = age_base64_decode(packed, used, ret_data, room);
    age_wipe(packed, sizeof(packed));
    *ret_used = got > 0 ? (size_t)got : 0;
    return got > 0 ? 0 : -1;
}

/* The private section: two equal numbers, the key, a comment, padding. */
static int parse_private(struct wire section, const struct age_recipient *public, struct age_identity *ret_identity)
{
    uint32_t one = take_number(&section), other = take_number(&section);
    struct wire name = take_string(&section), point = take_string(&section), pair = take_string(&section);
    unsigned char digest[64];

    (void)take_string(&section); /* the comment */
    if (section.bad || one != other || !is_text(name, type) || point.left != AGE_KEY_SIZE ||
        pair.left != SEED_SIZE + AGE_KEY_SIZE || memcmp(pair.at + SEED_SIZE, point.at, AGE_KEY_SIZE) != 0 ||
        memcmp(public->blob + AGE_SSH_BLOB_SIZE - AGE_KEY_SIZE, point.at, AGE_KEY_SIZE) != 0 ||
        age_sha512(pair.at, SEED_SIZE, digest) != 0)
        return -1;
    memcpy(ret_identity->secret, digest, AGE_KEY_SIZE); /* RFC 8032, 5.1.5; X25519 clamps it */
    age_wipe(digest, sizeof(digest));
    ret_identity->recipient = *public;
    return 0;
}

static int parse_key(struct hf_ctx *ctx, const char *path, struct wire wire, struct age_identity *ret_identity)
{
    static const char magic[] = "openssh-key-v1";
    struct wire cipher, kdf, blob, section;
    struct age_recipient public;
    uint32_t count;

    if (wire.left < sizeof(magic) || memcmp(wire.at, magic, sizeof(magic)) != 0)
        return age_host->fail(ctx, HF_E_CONFIG, "'%s' is no OpenSSH private key", path);
    wire.at += sizeof(magic);
    wire.left -= sizeof(magic);
    cipher = take_string(&wire);
    kdf = take_string(&wire);
    (void)take_string(&wire); /* options of the kdf */
    count = take_number(&wire);
    blob = take_string(&wire);
    section = take_string(&wire);
    if (!wire.bad && (!is_text(cipher, "none") || !is_text(kdf, "none"))) {
        age_host->fail(ctx, HF_E_UNSUPPORTED,
                       "the SSH key '%s' is protected by a passphrase, which cannot be asked for", path);
        return age_host->hint(ctx, "use an identity of age's own, or a copy of the key without a passphrase");
    }
    if (wire.bad || count != 1 || age_ssh_blob_parse(blob.at, blob.left, &public) != 0 ||
        parse_private(section, &public, ret_identity) != 0) {
        age_host->fail(ctx, HF_E_CONFIG, "'%s' holds no whole SSH key of type ssh-ed25519", path);
        return age_host->hint(ctx, "only this type of SSH key is understood; RSA and others are not");
    }
    return HF_OK;
}

int age_ssh_key_parse(struct hf_ctx *ctx, const char *name, const char *text, size_t size,
                      struct age_identity *ret_identity)
{
    unsigned char data[TEXT_MAX];
    size_t used = 0;
    int rc = decode_text(text, size, data, sizeof(data), &used);

    if (rc == 0)
        rc = parse_key(ctx, name, (struct wire){.at = data, .left = used}, ret_identity);
    else
        rc = age_host->fail(ctx, HF_E_CONFIG, "'%s' is no OpenSSH private key", name);
    age_wipe(data, sizeof(data));
    return rc;
}
