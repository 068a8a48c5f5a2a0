/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/text.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

int hf_vfail(struct hf_ctx *ctx, int code, const char *format, va_list args)
{
    assert(ctx && code < 0);
    /* The arguments may point into the text that is recorded, so that must live until the new one is made. */
    char *text = hf_vstrf(format, args);
    if (!ctx->error.code) {
        ctx->error.code = code;
        free(ctx->error.text);
        ctx->error.text = text;
        return code;
    }
    char *joined = hf_strf("%s: %s", text, ctx->error.text);
    free(text);
    free(ctx->error.text);
    ctx->error.text = joined;
    return code;
}

int hf_fail(struct hf_ctx *ctx, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    hf_vfail(ctx, code, format, args);
    va_end(args);
    return code;
}

int hf_fail_errno(struct hf_ctx *ctx, int errnum, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    hf_auto_free char *doing = hf_vstrf(format, args);
    va_end(args);
    char room[128];
    const char *reason = strerror_r(errnum, room, sizeof room);
    /* "No space left on device" in the middle of a lower-case sentence; "RPC …" stays as it is. */
    hf_auto_free char *lower = hf_strdup(reason);
    if (lower[0] >= 'A' && lower[0] <= 'Z' && lower[1] >= 'a' && lower[1] <= 'z')
        lower[0] = (char)(lower[0] - 'A' + 'a');
    int code = hf_code_of_errno(errnum);
    return hf_fail(ctx, code, "%s: %s", doing, lower);
}

int hf_wrap(struct hf_ctx *ctx, const char *format, ...)
{
    assert(ctx && ctx->error.code);
    va_list args;
    va_start(args, format);
    hf_vfail(ctx, ctx->error.code, format, args);
    va_end(args);
    return ctx->error.code;
}

int hf_vhint(struct hf_ctx *ctx, const char *format, va_list args)
{
    assert(ctx);
    if (!ctx->error.hint)
        ctx->error.hint = hf_vstrf(format, args);
    return ctx->error.code;
}

int hf_hint(struct hf_ctx *ctx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int code = hf_vhint(ctx, format, args);
    va_end(args);
    return code;
}

int hf_code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
        return HF_E_NOTFOUND;
    case EEXIST:
    case ENOTEMPTY:
        return HF_E_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return HF_E_AUTH;
    case ENOSPC:
    case EDQUOT:
        return HF_E_NOSPACE;
    case ENOMEM:
        return HF_E_NOMEM;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOLCK:
        return HF_E_FAIL; /* the machine's limits: nothing is wrong with what was to be opened */
    case EAGAIN:
    case EBUSY:
    case ETXTBSY:
        return HF_E_BUSY;
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
    case ENOTCONN:
    case ESTALE:
    case ETIMEDOUT:
        return HF_E_UNREACHABLE;
    case ECANCELED:
        return HF_E_CANCELLED;
    case ENOSYS:
    case EOPNOTSUPP:
        return HF_E_UNSUPPORTED;
    case EBADMSG:
    case EUCLEAN:
        return HF_E_CORRUPT;
    default:
        return HF_E_IO;
    }
}

const char *hf_code_text(int code)
{
    switch (code) {
    case HF_OK:
    case HF_END:
    case HF_UNCHANGED:
    case HF_ALONE:
        return "no failure";
    case HF_E_CONFIG:
        return "wrong configuration";
    case HF_E_IO:
        return "reading or writing failed";
    case HF_E_AUTH:
        return "not allowed";
    case HF_E_NOTFOUND:
        return "not found";
    case HF_E_EXISTS:
        return "exists already";
    case HF_E_NOSPACE:
        return "no space left";
    case HF_E_CORRUPT:
        return "corrupt data";
    case HF_E_UNREACHABLE:
        return "unreachable";
    case HF_E_BUSY:
        return "busy";
    case HF_E_CANCELLED:
        return "cancelled";
    case HF_E_UNSUPPORTED:
        return "not supported";
    case HF_E_NOMEM:
        return "out of memory";
    case HF_E_REFUSED:
        return "refused";
    default:
        return "failed for an unknown reason";
    }
}

char *hf_error_line(const struct hf_error *error, const char *about)
{
    const char *text = error->text ? error->text : "";
    size_t length = strlen(about);

    if (strncmp(text, about, length) == 0 && strncmp(text + length, ": ", 2) == 0)
        text += length + 2;
    return hf_strf("%s%s%s%s", text, error->hint ? " (" : "", error->hint ? error->hint : "", error->hint ? ")" : "");
}

void hf_error_clear(struct hf_error *error)
{
    free(error->text);
    free(error->hint);
    *error = (struct hf_error){0};
}

void hf_error_merge(struct hf_error *to, struct hf_error *from)
{
    if (to == from)
        return;
    if (!to->code && from->code) {
        hf_error_clear(to);
        *to = *from;
        *from = (struct hf_error){0};
    }
    hf_error_clear(from);
}
