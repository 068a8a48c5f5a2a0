/* SPDX-License-Identifier: Apache-2.0
 *
 * Instants are Unix time in milliseconds, UTC; spans are milliseconds.
 */
#ifndef HF_BASE_TIME_H
#define HF_BASE_TIME_H

#include <holdfast/types.h>
#include <stdbool.h>

#define HF_TIME_ID_SIZE 16  /* "20260201_120000" and a NUL */
#define HF_TIME_ISO_SIZE 24 /* "2026-02-01T12:00:00Z" and a NUL, with room */

int64_t hf_time_now_ms(void);
int64_t hf_time_steady_ms(void); /* never goes back; for spans */

void hf_time_id(int64_t time_ms, char ret_text[HF_TIME_ID_SIZE]);
void hf_time_iso(int64_t time_ms, char ret_text[HF_TIME_ISO_SIZE]);
/* Exactly the 15 bytes YYYYMMDD_HHMMSS at `text` (more may follow). False when they are no instant. */
bool hf_time_parse_id(const char *text, int64_t *ret_time_ms);
/* What a person types: 20260201_120000, 2026-02-01, 2026-02-01T12:00[:00[.123]][Z|+01:00] (no zone: UTC; a blank may
 * stand for the T). A date alone means its last moment. */
bool hf_time_parse(const char *text, int64_t *ret_time_ms);

/* 90s, 15m, 6h, 30d, 2w, 500ms; a bare number is seconds. False when malformed, negative or too large. */
bool hf_duration_parse(const char *text, int64_t *ret_ms);
/* The shortest exact form: "6h", "90m", "30d". ret_text has room for 24 bytes. */
const char *hf_duration_text(int64_t ms, char ret_text[24]);
/* For people: "3.2 s", "4 min", "6 h", "12 d". */
const char *hf_duration_rough(int64_t ms, char ret_text[24]);

#endif
