/* SPDX-License-Identifier: Apache-2.0
 *
 * How calls fail: a code, what happened (the first cause, and what each layer was doing), and a hint.
 */
#ifndef HF_BASE_ERROR_H
#define HF_BASE_ERROR_H

#include <holdfast/types.h>
#include <stdarg.h>
#include <stdbool.h>

struct hf_cancel;
struct hf_services;

struct hf_error {
    int code;   /* 0: nothing failed                                            */
    char *text; /* owned; "outer: inner: cause"                                  */
    char *hint; /* owned; NULL: none                                            */
};

/* One thread's call chain. Threads of one run have a ctx each and share cancel and services. Zero-initialise. */
struct hf_ctx {
    const char *who;              /* for log lines, e.g. "source sqlite"; NULL: the core                  */
    struct hf_cancel *cancel;     /* NULL: cannot be cancelled                                            */
    struct hf_services *services; /* what the host table needs; NULL outside of plugin calls              */
    struct hf_error error;
    bool failed_before;           /* the error was there before the plugin call at hand                   */
};

/* Records a failure; the first cause wins, a later one adds its text in front. Returns `code`. */
int hf_fail(struct hf_ctx *, int code, const char *format, ...) HF_PRINTF(3, 4);
int hf_vfail(struct hf_ctx *, int code, const char *format, va_list);
/* As hf_fail with ": strerror(errnum)" appended and the code chosen from errnum. Returns that code. */
int hf_fail_errno(struct hf_ctx *, int errnum, const char *format, ...) HF_PRINTF(3, 4);
/* Adds "text: " in front of what is recorded, and returns the recorded code. Asserts that something is. */
int hf_wrap(struct hf_ctx *, const char *format, ...) HF_PRINTF(2, 3);
/* The first hint wins. Returns the recorded code. */
int hf_hint(struct hf_ctx *, const char *format, ...) HF_PRINTF(2, 3);
int hf_vhint(struct hf_ctx *, const char *format, va_list);

/* The result code that an errno stands for. */
int hf_code_of_errno(int errnum);
/* "no space", "not found", …: what an unknown cause is called. */
const char *hf_code_text(int code);

/* In one line, with the hint in parentheses, and without the "about: " in front, which stands there already; free it. */
char *hf_error_line(const struct hf_error *, const char *about);

void hf_error_clear(struct hf_error *);
/* Moves `from` into `to` unless `to` already holds a failure; clears `from` in any case. */
void hf_error_merge(struct hf_error *to, struct hf_error *from);

#endif
