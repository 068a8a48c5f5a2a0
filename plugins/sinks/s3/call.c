/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NOTES_MAX = 16 * 1024 };

struct s3_call s3_call_of(struct hf_ctx *ctx)
{
    return (struct s3_call){.ctx = ctx, .cancel_fd = s3_host->cancel_fd(ctx), .stop_fd = -1};
}

struct s3_call s3_call_last(struct hf_ctx *ctx)
{
    return (struct s3_call){.ctx = ctx, .cancel_fd = -1, .stop_fd = -1, .attempts = 3};
}

int s3_fail(struct s3_call *call, int code, const char *format, ...)
{
    if (call->problem.code != 0)
        return call->problem.code;
    va_list args;
    va_start(args, format);
    vsnprintf(call->problem.text, sizeof(call->problem.text), format, args);
    va_end(args);
    call->problem.hint[0] = 0;
    call->problem.code = code;
    return code;
}

int s3_hint(struct s3_call *call, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!call->problem.hint[0])
        vsnprintf(call->problem.hint, sizeof(call->problem.hint), format, args);
    va_end(args);
    return call->problem.code;
}

int s3_fail_memory(struct s3_call *call)
{
    return s3_fail(call, HF_E_NOMEM, "out of memory");
}

void s3_forgive(struct s3_call *call)
{
    call->problem.code = 0;
    call->problem.text[0] = call->problem.hint[0] = 0;
}

int s3_report_problem(struct hf_ctx *ctx, const struct s3_problem *problem)
{
    if (problem->code == HF_E_CANCELLED)
        return HF_E_CANCELLED;
    s3_host->fail(ctx, problem->code, "%s", problem->text);
    if (problem->hint[0])
        s3_host->hint(ctx, "%s", problem->hint);
    return problem->code;
}

int s3_report(struct s3_call *call, int status)
{
    if (status < 0 && call->problem.code < 0)
        s3_report_problem(call->ctx, &call->problem);
    return status;
}

void s3_note(struct s3_call *call, const char *format, ...)
{
    char line[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (call->ctx) {
        s3_host->log(call->ctx, HF_LOG_INFO, "%s", line);
    } else if (call->notes) {
        pthread_mutex_lock(&call->notes->lock);
        if (call->notes->lines.used < NOTES_MAX)
            s3_text_addf(&call->notes->lines, "%s\n", line);
        pthread_mutex_unlock(&call->notes->lock);
    }
}

void s3_notes_flush(struct s3_notes *notes, struct hf_ctx *ctx)
{
    pthread_mutex_lock(&notes->lock);
    struct s3_text lines = notes->lines;
    notes->lines = (struct s3_text){0};
    pthread_mutex_unlock(&notes->lock);
    char *rest = NULL;
    for (char *line = lines.data ? strtok_r(lines.data, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
        s3_host->log(ctx, HF_LOG_INFO, "%s", line);
    s3_text_clear(&lines);
}

int s3_sleep(struct s3_call *call, int64_t ms)
{
    struct pollfd stops[2] = {{.fd = call->cancel_fd, .events = POLLIN}, {.fd = call->stop_fd, .events = POLLIN}};
    int64_t until = s3_steady_ms() + ms;
    for (;;) {
        int64_t left = until - s3_steady_ms();
        left = left < 0 ? 0 : left > 60000 ? 60000 : left;
        int ready = poll(stops, 2, (int)left);
        if (ready > 0)
            return s3_fail(call, HF_E_CANCELLED, "stopped");
        if (ready < 0 && errno != EINTR)
            return s3_fail(call, HF_E_FAIL, "cannot wait: %s", strerror(errno));
        if (s3_steady_ms() >= until)
            return HF_OK;
    }
}
