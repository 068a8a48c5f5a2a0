/* SPDX-License-Identifier: Apache-2.0
 *
 * MD5 (RFC 1321) of several messages at once.
 *
 * Each step of MD5 waits for the one before, so that one message keeps only a fraction of a processor busy. The eight
 * here share vector registers: 2.5 to 4 times the bytes per second of libcrypto, which has no such thing, and no
 * library that we know does. Only what travels is checked with it, never what is stored.
 */
#ifndef HOLDFAST_SINK_S3_MD5_LANES_H
#define HOLDFAST_SINK_S3_MD5_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { S3_MD5_LANES = 8, S3_MD5_SIZE = 16, S3_MD5_BLOCK = 64 };

/* A message under way. Only `done` and `digest` are the caller's to read. */
struct s3_md5 {
    const unsigned char *at;
    size_t blocks;                        /* left there */
    unsigned char tail[2 * S3_MD5_BLOCK]; /* what follows them: the odd bytes, and the padding */
    size_t tail_blocks;
    uint32_t words[4];
    bool done;
    unsigned char digest[S3_MD5_SIZE];
};

/* The data, and the message where it is, must stay until it is done. */
void s3_md5_begin(struct s3_md5 *message, const void *data, size_t size);

/* Adds up to `blocks` blocks of S3_MD5_BLOCK bytes to each of 1 to S3_MD5_LANES messages that are not done; ends as
 * soon as one of them is. Takes as long for one as for all. */
void s3_md5_lanes(struct s3_md5 *const *messages, unsigned count, size_t blocks);

/* The same by each of the ways that this processor has, for tests; way 0 is the fastest, and the one that is used. */
unsigned s3_md5_ways(void);
void s3_md5_lanes_by(unsigned way, struct s3_md5 *const *messages, unsigned count, size_t blocks);

#endif
