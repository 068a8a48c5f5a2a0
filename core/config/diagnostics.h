/* SPDX-License-Identifier: Apache-2.0
 *
 * What is wrong with configuration: all of it in one run, each with its file and line.
 */
#ifndef HF_CONFIG_DIAGNOSTICS_H
#define HF_CONFIG_DIAGNOSTICS_H

#include <holdfast/types.h>

struct hf_diagnostic {
    int severity; /* HF_WARNING or HF_ERROR */
    char *file;   /* owned                  */
    int line;     /* 0: the file as a whole */
    char *text;
    char *hint; /* NULL: none             */
};

struct hf_diagnostics {
    struct hf_diagnostic *items;
    size_t count, room;
    size_t errors; /* how many of them are HF_ERROR */
};

/* `hint` may be NULL. Texts are made by the printf rules from `format`; control characters in them become '?'. */
void hf_diagnose(struct hf_diagnostics *, int severity, const char *file, int line, const char *hint,
                 const char *format, ...) HF_PRINTF(6, 7);
void hf_diagnostics_sort(struct hf_diagnostics *); /* by line; those of one line stay in order */
void hf_diagnostics_clear(struct hf_diagnostics *);

#endif
