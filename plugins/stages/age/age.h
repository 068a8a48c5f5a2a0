/* SPDX-License-Identifier: Apache-2.0
 *
 * The age stage's rooms: age.c (the plugin's table), recipients.c and identities.c (who may read, and who reads), ssh.c
 * (their SSH form), header.c (the text in front of a file), stream.c (chunks: encoding, decoding, from the middle),
 * keys.c (making keys), crypto.c (OpenSSL's primitives), secret.c (memory for keys), bech32.c and base64.c.
 *
 * The format is age-encryption.org/v1, as https://c2sp.org/age describes it.
 */
#ifndef HOLDFAST_STAGE_AGE_H
#define HOLDFAST_STAGE_AGE_H

#include <holdfast/plugin.h>
#include <pthread.h>
#include <stdbool.h>

enum {
    AGE_CHUNK_SIZE = 64 * 1024,
    AGE_TAG_SIZE = 16,
    AGE_SEALED_SIZE = AGE_CHUNK_SIZE + AGE_TAG_SIZE, /* a full chunk, encrypted */
    AGE_FILE_KEY_SIZE = 16,
    AGE_WRAPPED_SIZE = AGE_FILE_KEY_SIZE + AGE_TAG_SIZE,
    AGE_NONCE_SIZE = 16, /* in front of the chunks */
    AGE_KEY_SIZE = 32,
    AGE_MAC_SIZE = 32,
    AGE_SALT_SIZE = 16,
    AGE_RECIPIENTS_MAX = 64,
    AGE_IDENTITIES_MAX = 256,
    AGE_HEADER_MAX = 128 * 1024,
    AGE_SSH_BLOB_SIZE = 51, /* a public key in SSH's wire format: two strings of 11 and 32 bytes */
    AGE_WORK_MAX = 22,      /* scrypt: as the age tool has it */
    AGE_WORK_DEFAULT = 18
};

enum { AGE_MALFORMED = -1, AGE_CANNOT = -2 };

enum age_kind { AGE_X25519 = 1, AGE_SSH_ED25519, AGE_SCRYPT };

extern const struct hf_host *age_host;

/* --- secret.c: pages that are kept out of core dumps and, where that is allowed, of swap --- */

void *age_secret_alloc(size_t size);             /* zeroed; NULL: out of memory */
void age_secret_free(void *memory, size_t size); /* wipes; NULL is fine */
void age_wipe(void *memory, size_t size);

/* --- bech32.c (BIP 173, without its limit on length) --- */

/* `text`: not NUL-terminated. Fails (-1) unless it is bech32 of exactly 32 bytes under that prefix (lower case). */
int age_bech32_decode(const char *text, size_t length, const char *prefix, unsigned char ret_data[AGE_KEY_SIZE]);
/* Room for the prefix and 60 bytes; upper: in upper case, as secret keys are written. */
void age_bech32_encode(const char *prefix, const unsigned char data[AGE_KEY_SIZE], bool upper, char *ret_text);

/* --- base64.c: RFC 4648 section 4 without padding, canonical only --- */

size_t age_base64_size(size_t size); /* characters, without a NUL */
size_t age_base64_encode(const unsigned char *data, size_t size, char *ret_text);
/* -1 when it is not canonical or does not fit into `room`; else how many bytes. */
int64_t age_base64_decode(const char *text, size_t length, unsigned char *ret_data, size_t room);

/* --- crypto.c; 0 or -1 --- */

int age_random(void *data, size_t size);
/* HKDF-SHA256 of 32 bytes (RFC 5869). */
int age_hkdf(const void *key, size_t key_size, const void *salt, size_t salt_size, const char *info,
             unsigned char ret_key[AGE_KEY_SIZE]);
int age_hmac(const unsigned char key[AGE_KEY_SIZE], const void *data, size_t size, unsigned char ret_mac[AGE_MAC_SIZE]);
/* Fails also when the result is zero: a point of low order. */
int age_x25519(const unsigned char secret[AGE_KEY_SIZE], const unsigned char public[AGE_KEY_SIZE],
               unsigned char ret_shared[AGE_KEY_SIZE]);
int age_x25519_public(const unsigned char secret[AGE_KEY_SIZE], unsigned char ret_public[AGE_KEY_SIZE]);
/* ChaCha20-Poly1305 of RFC 8439 without associated data. seal makes size + 16 bytes, open size - 16. */
int age_seal(const unsigned char key[AGE_KEY_SIZE], const unsigned char nonce[12], const void *in, size_t size,
             void *out);
int age_open_sealed(const unsigned char key[AGE_KEY_SIZE], const unsigned char nonce[12], const void *in, size_t size,
                    void *out);
int age_scrypt(const char *passphrase, const void *salt, size_t salt_size, int work,
               unsigned char ret_key[AGE_KEY_SIZE]);
int age_sha512(const void *data, size_t size, unsigned char ret_digest[64]);
int age_sha256(const void *data, size_t size, unsigned char ret_digest[32]);
/* The Montgomery form of an Edwards point (RFC 7748): the public key of X25519 that goes with one of Ed25519. */
int age_ed25519_to_x25519(const unsigned char point[AGE_KEY_SIZE], unsigned char ret_public[AGE_KEY_SIZE]);

/* --- header.c --- */

/* One recipient's lines. Pointers go into the text that was parsed. */
struct age_stanza {
    const char *args[4]; /* more are counted and not kept: no type that is understood has so many */
    size_t lengths[4], arg_count;
    unsigned char body[64]; /* likewise of a longer body */
    size_t body_size;
};

struct age_header {
    struct age_stanza *stanzas;
    size_t count;
    size_t covered; /* bytes that the MAC is over            */
    size_t size;    /* of the header with its final newline  */
    unsigned char mac[AGE_MAC_SIZE];
};

/* Parses what stands at the beginning of `text`. HF_END: it goes on beyond `size`. Otherwise HF_OK, or AGE_MALFORMED or
 * AGE_CANNOT with *ret_problem and where it lies (*ret_at). */
int age_header_parse(const char *text, size_t size, struct age_header *ret_header, const char **ret_problem,
                     size_t *ret_at);
void age_header_clear(struct age_header *);

/* Growing text of a header. */
struct age_text {
    char *data;
    size_t used, room;
};
int age_text_add(struct age_text *, const void *data, size_t size); /* 0 or -1 */
int age_text_add_stanza(struct age_text *, const char *const *args, size_t count, const unsigned char *body,
                        size_t size);
bool age_arg_equals(const struct age_stanza *, size_t index, const char *text);

/* --- recipients.c --- */

/* Whether there is a secret key in a text that should have none: then no message and no output shows it. */
bool age_hide_secrets(struct hf_ctx *, const char *text);

struct age_recipient {
    enum age_kind kind;
    unsigned char key[AGE_KEY_SIZE]; /* of X25519 */
    unsigned char blob[AGE_SSH_BLOB_SIZE];
};

/* "age1…", or "ssh-ed25519 AAAA… comment". */
int age_recipient_parse(struct hf_ctx *, const char *text, struct age_recipient *ret_recipient);
/* Appends the stanza that lets the recipient have the file key. */
int age_recipient_wrap(struct hf_ctx *, const struct age_recipient *, const unsigned char *file_key, struct age_text *);
int age_passphrase_wrap(struct hf_ctx *, const char *passphrase, int work, const unsigned char *file_key,
                        struct age_text *);

/* --- ssh.c --- */

/* The wire form of an ssh-ed25519 public key; -1 when it is none. */
int age_ssh_blob_parse(const unsigned char *blob, size_t size, struct age_recipient *ret_recipient);
/* An unencrypted OpenSSH private key of that type. */
struct age_identity;
int age_ssh_key_parse(struct hf_ctx *, const char *name, const char *text, size_t size,
                      struct age_identity *ret_identity);
/* The secret that both sides mix into the shared one: it binds the stanza to the SSH key. */
int age_ssh_tweak(const unsigned char blob[AGE_SSH_BLOB_SIZE], unsigned char shared[AGE_KEY_SIZE]);
/* Four bytes that say whose stanza it is, in base64: 6 characters and a NUL. */
int age_ssh_tag(const unsigned char blob[AGE_SSH_BLOB_SIZE], char ret_tag[7]);

/* --- identities.c --- */

struct age_identity {
    struct age_recipient recipient; /* its public side */
    unsigned char secret[AGE_KEY_SIZE];
};

struct age_identities {
    struct age_identity *items; /* age_secret_alloc */
    size_t count;
};

/* Of the text of an age identity file, or of an OpenSSH private key. `name`: for messages. */
int age_identities_parse(struct hf_ctx *, const char *name, const char *text, size_t size,
                         struct age_identities *ret_identities);
/* The same from a file, which nobody but its owner may have access to. */
int age_identities_load(struct hf_ctx *, const char *path, struct age_identities *ret_identities);
void age_identities_clear(struct age_identities *);
/* 0: the file key; 1: the stanza is for somebody else; AGE_MALFORMED, or AGE_CANNOT when it could not be tried:
 * *ret_problem says why. */
int age_identity_unwrap(const struct age_identity *, const struct age_stanza *, unsigned char *ret_file_key,
                        const char **ret_problem);
int age_passphrase_unwrap(const char *passphrase, const struct age_stanza *, unsigned char *ret_file_key,
                          const char **ret_problem);

/* --- age.c: an instance --- */

struct age {
    struct age_recipient *recipients;
    size_t recipient_count;
    const char *identity_path; /* NULL: it can only encrypt           */
    const char *passphrase;    /* the core's; NULL: keys are used     */
    int work;
    pthread_mutex_t lock; /* guards loading; and one scrypt at a time, since each takes 256 MiB */
    struct age_identities identities;
    bool loaded;
};

/* Loads the identities, if there are any and they are not there yet. */
int age_load(struct age *, struct hf_ctx *);
/* The file key of a file that begins with this header text. HF_END: more of it is needed. */
int age_unlock(struct age *, struct hf_ctx *, const char *text, size_t size, unsigned char *ret_file_key,
               size_t *ret_header_size);
/* A header for a new file key. */
int age_lock(struct age *, struct hf_ctx *, const unsigned char *file_key, struct age_text *ret_header);

/* --- stream.c and keys.c: the stage's operations --- */

size_t age_bound(void *self, size_t size);
int age_frame_open(void *self, struct hf_ctx *, void **ret_frame);
int age_write_header(void *frame, struct hf_ctx *, void *out, size_t *out_size);
int age_encode_chunk(void *frame, struct hf_ctx *, uint64_t index, int last, const void *in, size_t size, void *out,
                     size_t *out_size);
int age_trailer(void *frame, struct hf_ctx *, void *out, size_t *out_size);
void age_frame_close(void *frame);
int age_decode_open(void *self, struct hf_ctx *, int mode, void **ret_stream);
int age_step(void *stream, struct hf_ctx *, const void *in, size_t *in_used, void *out, size_t *out_used, int last);
void age_decode_close(void *stream);
int age_seek_open(void *self, struct hf_ctx *, const void *head, size_t head_size, uint64_t object_size,
                  uint64_t *ret_size, void **ret_seek);
int age_seek_range(void *seek, struct hf_ctx *, uint64_t offset, uint64_t length, struct hf_extent *ret_extent,
                   void **ret_stream);
void age_seek_close(void *seek);
int age_key_new(struct hf_ctx *, char **ret_secret, char **ret_public);
int age_key_public(struct hf_ctx *, const char *name, const char *secret, size_t size, char **ret_public);

#endif
