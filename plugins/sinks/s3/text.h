/* SPDX-License-Identifier: Apache-2.0
 *
 * Growing text, encodings, times and random names.
 */
#ifndef HOLDFAST_SINK_S3_TEXT_H
#define HOLDFAST_SINK_S3_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <holdfast/types.h>

/* Zero-initialised is empty. `failed` stays set once memory ran out; whoever uses the text looks at it. */
struct s3_text {
    char *data; /* NUL-terminated, NULL while empty */
    size_t used, room;
    bool failed;
};

void s3_text_clear(struct s3_text *text);
void s3_text_add(struct s3_text *text, const void *data, size_t size);
void s3_text_addf(struct s3_text *text, const char *format, ...) HF_PRINTF(2, 3);
/* Percent-encoded the way signatures want it: everything but letters, digits and "-._~", and '/' if keep_slash. */
void s3_text_add_encoded(struct s3_text *text, const char *value, bool keep_slash);
/* The text, or "". */
const char *s3_text_get(const struct s3_text *text);

/* Copies into a field of `size` bytes; false, and "", when it does not fit. */
bool s3_copy(char *field, size_t size, const char *text, size_t length);

enum { S3_SHA256_HEX = 65, S3_MD5_BASE64 = 25 };
void s3_hex(const unsigned char *data, size_t size, char *ret_text);    /* 2 * size + 1 bytes */
void s3_base64(const unsigned char *data, size_t size, char *ret_text); /* 4 for each 3 bytes begun, + 1 */
bool s3_sha256_hex(const void *data, size_t size, char ret_text[S3_SHA256_HEX]);
bool s3_md5_base64(const void *data, size_t size, char ret_text[S3_MD5_BASE64]);
/* Percent-decodes in place. */
void s3_decode(char *text);

int64_t s3_now_ms(void);    /* Unix time */
int64_t s3_steady_ms(void); /* goes on whatever happens to the clock */
/* "2026-02-01T12:00:00.000Z" as Unix time in ms; -1: it is none. */
int64_t s3_time_parse(const char *text);
enum { S3_TIME_SIZE = 32 };
void s3_time_text(int64_t ms, char *text, size_t size); /* "2026-02-01T12:00:00Z" */

enum { S3_ID_SIZE = 33 };
bool s3_random_id(char ret_id[S3_ID_SIZE]);
uint32_t s3_random(void);

#endif
