/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages for people, on stderr, with secrets masked.
 */
#ifndef HF_BASE_LOG_H
#define HF_BASE_LOG_H

#include <holdfast/host.h>
#include <stdarg.h>

/* Messages below `level` (enum hf_log_level) are dropped. HF_LOG_INFO at first. */
void hf_log_set_level(int level);
/* Called with the lock held before and after a line is written, so that a progress line can step aside. NULL: nothing.
 */
void hf_log_set_guard(void (*before)(void *), void (*after)(void *), void *arg);
void hf_log(int level, const char *who, const char *format, ...) HF_PRINTF(3, 4);
void hf_vlog(int level, const char *who, const char *format, va_list);

/* From now on `secret` (at least 4 bytes; shorter ones would mask everything) is masked in all that passes hf_redacted.
 */
void hf_redact_add(const char *secret);
/* `text` with every registered secret replaced by "***"; a new string. */
char *hf_redacted(const char *text);

#endif
