/* SPDX-License-Identifier: Apache-2.0
 *
 * Text that grows, and small questions about text.
 */
#ifndef HF_BASE_TEXT_H
#define HF_BASE_TEXT_H

#include "base/memory.h"
#include <stdarg.h>
#include <stdbool.h>

struct hf_text {
    char *data; /* NUL-terminated once anything was added; NULL before */
    size_t length, room;
};

void hf_text_add(struct hf_text *, const char *);
void hf_text_add_bytes(struct hf_text *, const void *, size_t);
void hf_text_addf(struct hf_text *, const char *format, ...) HF_PRINTF(2, 3);
void hf_text_clear(struct hf_text *);
#define hf_auto_text __attribute__((cleanup(hf_text_clear)))

/* A new string; free it. */
char *hf_strf(const char *format, ...) HF_PRINTF(1, 2);
char *hf_vstrf(const char *format, va_list);

bool hf_text_starts(const char *text, const char *prefix);
bool hf_text_ends(const char *text, const char *suffix);
bool hf_text_equal(const char *, const char *); /* NULLs are equal to each other */

/* The word of `words` nearest to `word` by edit distance, NULL when none is near enough to be meant. */
const char *hf_text_nearest(const char *word, const char *const *words, size_t count);

/* "1.4 GiB", "812 B"; ret_text has room for 16 bytes. */
const char *hf_text_bytes(uint64_t bytes, char ret_text[16]);
void hf_text_hex(const unsigned char *bytes, size_t count, char *ret_text); /* 2 * count + 1 bytes */

/* A list of owned strings, ended by a NULL once anything was added. */
struct hf_strings {
    char **items;
    size_t count, room;
};
void hf_strings_add(struct hf_strings *, const char *);
void hf_strings_take(struct hf_strings *, char *owned);
bool hf_strings_have(const struct hf_strings *, const char *);
void hf_strings_sort(struct hf_strings *);
void hf_strings_clear(struct hf_strings *);
#define hf_auto_strings __attribute__((cleanup(hf_strings_clear)))

#endif
