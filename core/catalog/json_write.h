/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON text, laid down by hand.
 */
#ifndef HF_CATALOG_JSON_WRITE_H
#define HF_CATALOG_JSON_WRITE_H

#include "base/text.h"

#include <stdint.h>

void hf_json_write_text(struct hf_text *, const char *text); /* "…"; bytes that are no UTF-8 become U+FFFD; NULL: "" */
void hf_json_write_member(struct hf_text *, const char *key, const char *text); /* "key": "…" */
void hf_json_write_time(struct hf_text *, int64_t time_ms);                     /* "2026-02-01T12:00:00.000Z" */

#endif
