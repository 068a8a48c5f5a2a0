/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON through jansson: owned handles and reading with limits.
 */
#ifndef HF_BASE_JSON_H
#define HF_BASE_JSON_H

#include "base/error.h"
#include <jansson.h>

void hf_cleanup_json(json_t **);
#define hf_auto_json __attribute__((cleanup(hf_cleanup_json)))

/* Setting a value that could not be made is out of memory, and ends as hf_alloc does. */
void hf_json_set(json_t *object, const char *key, json_t *value); /* steals value */
void hf_json_set_text(json_t *object, const char *key,
                      const char *text); /* bytes that are no UTF-8 become U+FFFD; NULL: null */
void hf_json_set_int(json_t *object, const char *key, int64_t value);
void hf_json_set_time(json_t *object, const char *key, int64_t time_ms); /* ISO 8601 */
void hf_json_append(json_t *array, json_t *value);                       /* steals value */

/* Reading. A member that is missing or of another type fails with HF_E_CORRUPT naming it. Strings are borrowed. */
int hf_json_get_text(struct hf_ctx *, const json_t *object, const char *key, size_t max_bytes, const char **ret_text);
int hf_json_get_size(struct hf_ctx *, const json_t *object, const char *key, uint64_t *ret_value);
int hf_json_get_array(struct hf_ctx *, const json_t *object, const char *key, size_t max_items, json_t **ret_array);

#endif
