/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of options: from the text in the INI file to what the type says.
 */
#ifndef HF_CONFIG_VALUE_H
#define HF_CONFIG_VALUE_H

#include "config/option.h"

/* Where a value stands, for diagnostics. */
struct hf_place {
    const char *file; /* "" when it comes from no file */
    int line;
    struct hf_diagnostics *diagnostics;
};

/* Resolves ${env:NAME}, ${file:PATH} and $$. NULL when something is wrong with them, which is then diagnosed. A value
 * of a secret option that is written out in a file that others can read is refused, too. */
char *hf_value_resolve(const struct hf_place *, const struct hf_option *, const char *raw, bool *ret_referenced);

/* Whether a secret, or a URL, which may hold one, came from this environment variable. Any thread may ask. */
bool hf_value_is_private(const char *name, size_t length);

/* Fills setting->text, number and items from `text`, by setting->option. False when it does not fit; then it is
 * diagnosed and the setting is as it was. */
bool hf_value_set(const struct hf_place *, struct hf_setting *, const char *text);

/* Keeps a secret option's text, and the password in any URL, out of all messages. */
void hf_value_protect(const struct hf_setting *);

/* The password in scheme://user:PASSWORD@host, NULL when there is none. */
const char *hf_url_password(const char *url, size_t *ret_length);

/* `path` made absolute against the folder of `file`. Free it. */
char *hf_path_beside(const char *file, const char *path);

/* "text", or its beginning and "…" when it is long, into 64 bytes. */
const char *hf_value_excerpt(const char *text, char ret_excerpt[64]);

#endif
