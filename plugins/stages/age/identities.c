/* SPDX-License-Identifier: Apache-2.0
 *
 * Those who read: secret keys, and what they unwrap.
 */
#include "age.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 64 * 1024 };

static const char secret_prefix[] = "age-secret-key-", upper_prefix[] = "AGE-SECRET-KEY-1";

/* --- the file --- */

static int add_identity(struct hf_ctx *ctx, const char *name, struct age_identities *identities,
                        const struct age_identity *identity)
{
    if (identities->count == AGE_IDENTITIES_MAX)
        return age_host->fail(ctx, HF_E_CONFIG, "'%s' holds more than %d identities", name, AGE_IDENTITIES_MAX);
    if (identities->items == NULL)
        identities->items = age_secret_alloc(AGE_IDENTITIES_MAX * sizeof(*identities->items));
    if (identities->items == NULL)
        return age_host->fail(ctx, HF_E_NOMEM, "out of memory");
    identities->items[identities->count++] = *identity;
    return HF_OK;
}

static int parse_line(struct hf_ctx *ctx, const char *name, int number, const char *line, size_t length,
                      struct age_identities *identities)
{
    struct age_identity identity = {.recipient.kind = AGE_X25519};
    int rc;

    if (length > 0 && line[length - 1] == '\r')
        length--;
    if (length == 0 || *line == '#')
        return HF_OK;
    /* What the line holds may be a secret, and is not shown. Small letters would be bech32, too, but the age tool does
     * not take them, and it is the one that has to on a bad day. */
    if (length < sizeof(upper_prefix) - 1 || memcmp(line, upper_prefix, sizeof(upper_prefix) - 1) != 0 ||
        age_bech32_decode(line, length, secret_prefix, identity.secret) != 0)
        rc = age_host->fail(ctx, HF_E_CONFIG, "'%s': line %d is no identity (AGE-SECRET-KEY-1…)", name, number);
    else if (age_x25519_public(identity.secret, identity.recipient.key) != 0)
        rc = age_host->fail(ctx, HF_E_FAIL, "OpenSSL refused the identity on line %d of '%s'", number, name);
    else
        rc = add_identity(ctx, name, identities, &identity);
    age_wipe(&identity, sizeof(identity));
    return rc;
}

static int parse_lines(struct hf_ctx *ctx, const char *name, const char *text, size_t size,
                       struct age_identities *identities)
{
    const char *end = text + size;
    int rc = HF_OK;

    for (int number = 1; rc == HF_OK && text < end; number++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline ? newline : end;

        rc = parse_line(ctx, name, number, text, (size_t)(stop - text), identities);
        text = stop + 1;
    }
    if (rc == HF_OK && identities->count == 0) {
        age_host->fail(ctx, HF_E_CONFIG, "'%s' holds no identity", name);
        rc = age_host->hint(ctx, "make one with: holdfast key new --out %s.new", name);
    }
    return rc;
}

int age_identities_parse(struct hf_ctx *ctx, const char *name, const char *text, size_t size,
                         struct age_identities *ret_identities)
{
    static const char armour[] = "-----BEGIN ", encrypted[] = "age-encryption.org/v1";
    struct age_identities identities = {0};
    int rc;

    if (size >= sizeof(encrypted) - 1 && memcmp(text, encrypted, sizeof(encrypted) - 1) == 0) {
        age_host->fail(ctx, HF_E_UNSUPPORTED, "the identities in '%s' are encrypted themselves", name);
        return age_host->hint(ctx, "decrypt them to a file of mode 0600 with: age -d");
    }
    if (size >= sizeof(armour) - 1 && memcmp(text, armour, sizeof(armour) - 1) == 0) {
        struct age_identity identity = {0};

        rc = age_ssh_key_parse(ctx, name, text, size, &identity);
        if (rc == HF_OK)
            rc = add_identity(ctx, name, &identities, &identity);
        age_wipe(&identity, sizeof(identity));
    } else {
        rc = parse_lines(ctx, name, text, size, &identities);
    }
    if (rc == HF_OK)
        *ret_identities = identities;
    else
        age_identities_clear(&identities);
    return rc;
}

void age_identities_clear(struct age_identities *identities)
{
    age_secret_free(identities->items, AGE_IDENTITIES_MAX * sizeof(*identities->items));
    *identities = (struct age_identities){0};
}

/* Whoever can read the file can read every backup. */
static int check_mode(struct hf_ctx *ctx, const char *path, const struct stat *status)
{
    if (!S_ISREG(status->st_mode))
        return age_host->fail(ctx, HF_E_CONFIG, "the identity '%s' is no file", path);
    if (status->st_mode & 077) {
        age_host->fail(ctx, HF_E_CONFIG, "the identity '%s' can be read by others: its mode is %04o", path,
                       (unsigned)status->st_mode & 07777);
        return age_host->hint(ctx, "chmod 600 '%s'", path);
    }
    return HF_OK;
}

static int read_all(struct hf_ctx *ctx, const char *path, int fd, char *text, size_t *ret_size)
{
    size_t used = 0;
    ssize_t got = 1;

    while (used < FILE_MAX && got != 0) {
        got = read(fd, text + used, FILE_MAX - used);
        if (got < 0 && errno != EINTR)
            return age_host->fail(ctx, HF_E_IO, "read the identity '%s': %s", path, strerror(errno));
        used += got > 0 ? (size_t)got : 0;
    }
    if (used == FILE_MAX)
        return age_host->fail(ctx, HF_E_CONFIG, "'%s' is too large for a file of identities", path);
    *ret_size = used;
    return HF_OK;
}

int age_identities_load(struct hf_ctx *ctx, const char *path, struct age_identities *ret_identities)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = HF_OK;
    struct stat status;
    size_t size = 0;
    char *text;

    if (fd < 0) {
        rc = errno == ENOENT ? HF_E_CONFIG : errno == EACCES ? HF_E_AUTH : HF_E_IO;
        age_host->fail(ctx, rc, "open the identity '%s': %s", path, strerror(errno));
        return age_host->hint(ctx,
                              "put the secret key there, or set 'identity' to where it is; to make backups without it, "
                              "leave 'identity' out and name its public key as 'recipient'");
    }
    text = age_secret_alloc(FILE_MAX);
    if (text == NULL)
        rc = age_host->fail(ctx, HF_E_NOMEM, "out of memory");
    else if (fstat(fd, &status) != 0)
        rc = age_host->fail(ctx, HF_E_IO, "look at the identity '%s': %s", path, strerror(errno));
    else
        rc = check_mode(ctx, path, &status);
    if (rc == HF_OK)
        rc = read_all(ctx, path, fd, text, &size);
    if (rc == HF_OK)
        rc = age_identities_parse(ctx, path, text, size, ret_identities);
    age_secret_free(text, FILE_MAX);
    close(fd);
    return rc;
}

/* --- unwrapping --- */

static int malformed(const char **ret_problem, const char *problem)
{
    *ret_problem = problem;
    return AGE_MALFORMED;
}

static bool decode_arg(const struct age_stanza *stanza, size_t index, unsigned char *ret_data, size_t size)
{
    return age_base64_decode(stanza->args[index], stanza->lengths[index], ret_data, size) == (int64_t)size;
}

static int unwrap(const struct age_identity *identity, const struct age_stanza *stanza, const unsigned char *share,
                  const char *info, unsigned char *ret_file_key, const char **ret_problem)
{
    static const unsigned char nonce[12];
    unsigned char shared[AGE_KEY_SIZE], wrap[AGE_KEY_SIZE], salt[2 * AGE_KEY_SIZE];
    int rc;

    memcpy(salt, share, AGE_KEY_SIZE);
    memcpy(salt + AGE_KEY_SIZE, identity->recipient.key, AGE_KEY_SIZE);
    if (age_x25519(identity->secret, share, shared) != 0)
        return malformed(ret_problem, "a recipient's share is a point of low order");
    rc = identity->recipient.kind == AGE_SSH_ED25519 ? age_ssh_tweak(identity->recipient.blob, shared) : 0;
    if (rc == 0)
        rc = age_hkdf(shared, sizeof(shared), salt, sizeof(salt), info, wrap);
    if (rc == 0)
        rc = age_open_sealed(wrap, nonce, stanza->body, AGE_WRAPPED_SIZE, ret_file_key);
    age_wipe(shared, sizeof(shared));
    age_wipe(wrap, sizeof(wrap));
    return rc == 0 ? 0 : 1;
}

int age_identity_unwrap(const struct age_identity *identity, const struct age_stanza *stanza,
                        unsigned char *ret_file_key, const char **ret_problem)
{
    bool ssh = identity->recipient.kind == AGE_SSH_ED25519;
    unsigned char share[AGE_KEY_SIZE];
    char tag[7];

    if (!age_arg_equals(stanza, 0, ssh ? "ssh-ed25519" : "X25519"))
        return 1;
    if (stanza->arg_count != (ssh ? 3 : 2))
        return malformed(ret_problem, "a recipient's line has not as many words as it must");
    if (!decode_arg(stanza, stanza->arg_count - 1, share, sizeof(share)))
        return malformed(ret_problem, "a recipient's share is malformed");
    if (stanza->body_size != AGE_WRAPPED_SIZE)
        return malformed(ret_problem, "a recipient's wrapped key has not the size that it must");
    if (ssh && age_ssh_tag(identity->recipient.blob, tag) != 0) {
        *ret_problem = "SHA-256 is not available in this OpenSSL";
        return AGE_CANNOT;
    }
    if (ssh && !age_arg_equals(stanza, 1, tag))
        return 1;
    return unwrap(identity, stanza, share, ssh ? "age-encryption.org/v1/ssh-ed25519" : "age-encryption.org/v1/X25519",
                  ret_file_key, ret_problem);
}

/* A decimal number without sign and leading zeros; 0: it is none, or too large to be meant. */
static int parse_work(const struct age_stanza *stanza)
{
    const char *text = stanza->args[2];
    int value = 0;

    if (stanza->lengths[2] > 2 || text[0] == '0')
        return 0;
    for (size_t i = 0; i < stanza->lengths[2]; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

int age_passphrase_unwrap(const char *passphrase, const struct age_stanza *stanza, unsigned char *ret_file_key,
                          const char **ret_problem)
{
    static const char label[] = "age-encryption.org/v1/scrypt";
    static const unsigned char nonce[12];
    unsigned char salt[sizeof(label) - 1 + AGE_SALT_SIZE], wrap[AGE_KEY_SIZE];
    int work, rc;

    memcpy(salt, label, sizeof(label) - 1);
    if (stanza->arg_count != 3 || !decode_arg(stanza, 1, salt + sizeof(label) - 1, AGE_SALT_SIZE) ||
        stanza->body_size != AGE_WRAPPED_SIZE || (work = parse_work(stanza)) == 0)
        return malformed(ret_problem, "the passphrase's line is malformed");
    if (work > AGE_WORK_MAX)
        return malformed(ret_problem, "the passphrase's work factor is larger than any that is accepted");
    if (age_scrypt(passphrase, salt, sizeof(salt), work, wrap) != 0) {
        *ret_problem = "the passphrase could not be made into a key: there is not enough memory for its work factor";
        return AGE_CANNOT;
    }
    rc = age_open_sealed(wrap, nonce, stanza->body, AGE_WRAPPED_SIZE, ret_file_key);
    age_wipe(wrap, sizeof(wrap));
    return rc == 0 ? 0 : 1;
}
