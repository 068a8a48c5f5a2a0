/* SPDX-License-Identifier: Apache-2.0 */
#include "config/diagnostics.h"
#include "base/text.h"

/* Diagnostics quote files that may hold anything. */
static void make_printable(char *text)
{
    for (unsigned char *p = (unsigned char *)text; p && *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
}

void hf_diagnose(struct hf_diagnostics *diagnostics, int severity, const char *file, int line, const char *hint,
                 const char *format, ...)
{
    if (diagnostics->count == diagnostics->room) {
        diagnostics->room = diagnostics->room ? diagnostics->room * 2 : 8;
        diagnostics->items = hf_realloc_array(diagnostics->items, diagnostics->room, sizeof *diagnostics->items);
    }
    va_list args;
    va_start(args, format);
    struct hf_diagnostic *item = &diagnostics->items[diagnostics->count++];
    *item = (struct hf_diagnostic){
        .severity = severity,
        .file = hf_strdup(file ? file : ""),
        .line = line,
        .text = hf_vstrf(format, args),
        .hint = hf_strdup(hint),
    };
    va_end(args);
    make_printable(item->text);
    make_printable(item->hint);
    if (severity == HF_ERROR)
        diagnostics->errors++;
}

void hf_diagnostics_sort(struct hf_diagnostics *diagnostics)
{
    struct hf_diagnostic *items = diagnostics->items;
    for (size_t i = 1; i < diagnostics->count; i++) {
        struct hf_diagnostic moved = items[i];
        size_t place = i;
        for (; place > 0 && items[place - 1].line > moved.line; place--)
            items[place] = items[place - 1];
        items[place] = moved;
    }
}

void hf_diagnostics_clear(struct hf_diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        free(diagnostics->items[i].file);
        free(diagnostics->items[i].text);
        free(diagnostics->items[i].hint);
    }
    free(diagnostics->items);
    *diagnostics = (struct hf_diagnostics){0};
}
