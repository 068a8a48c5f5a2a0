/* SPDX-License-Identifier: Apache-2.0
 *
 * What commands print: data on standard output, messages on standard error.
 */
#ifndef HF_CLI_OUTPUT_H
#define HF_CLI_OUTPUT_H

#include "base/json.h"
#include "base/text.h"

/* Adds `text` so that it cannot do anything to a terminal: control characters, what reorders text, and bytes that are
 * no UTF-8 are written as escapes. NULL adds nothing. */
void hf_safe_add(struct hf_text *, const char *text);
void hf_safe_addf(struct hf_text *, const char *format, ...) HF_PRINTF(2, 3);

/* Columns, aligned. The first row holds the headings; they are left out when all are empty. */
struct hf_table {
    size_t columns;
    unsigned right; /* bit per column: aligned to the right */
    struct hf_strings cells;
};
/* Takes `columns` strings, each shown safely; NULL counts as "". */
void hf_table_row(struct hf_table *, const char *const *cells);
void hf_table_print(struct hf_text *, const struct hf_table *, const char *indent);
void hf_table_clear(struct hf_table *);

/* Breaks `text` into lines of `width` columns with `indent` blanks in front of each; an empty line starts a paragraph.
 */
void hf_wrap_add(struct hf_text *, const char *text, size_t indent, size_t width);

/* "holdfast: TEXT" and "hint: HINT" on standard error; hint may be NULL or empty. Shown safely, secrets masked. */
void hf_print_error(const char *text, const char *hint);
/* The same without "holdfast: ", for lines that begin with FILE:LINE. */
void hf_print_located(const char *text, const char *hint);

/* Standard output. A failure is remembered, said once, and given back by hf_output_end. */
void hf_output_write(const char *text); /* as it is; NULL writes nothing */
void hf_output_json(const json_t *document);
int hf_output_end(void); /* flushes; 0, or -1 when anything could not be written */

/* Masks secrets in the prose of a report: error, hint, text, problem, reason, subject. */
void hf_report_redact(json_t *report);

#endif
