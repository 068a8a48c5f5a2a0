/* SPDX-License-Identifier: Apache-2.0
 *
 * Text that grows.
 */
#include <stdarg.h>
#include <stdio.h>

#include "postgres.h"

/* Room for `more` bytes and the final NUL. */
static bool make_room(struct pg_text *text, size_t more)
{
    if (text->failed || more >= SIZE_MAX - text->used - 1) {
        text->failed = true;
        return false;
    }
    size_t needed = text->used + more + 1;
    if (needed <= text->room)
        return true;
    size_t room = text->room > SIZE_MAX / 2 ? needed : 2 * text->room;
    room = room < 256 ? 256 : room;
    room = room < needed ? needed : room;
    char *data = realloc(text->data, room);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->room = room;
    return true;
}

void pg_text_add_bytes(struct pg_text *text, const char *data, size_t size)
{
    if (!make_room(text, size))
        return;
    if (size > 0)
        memcpy(text->data + text->used, data, size);
    text->used += size;
    text->data[text->used] = 0;
}

void pg_text_add(struct pg_text *text, const char *more)
{
    pg_text_add_bytes(text, more, strlen(more));
}

static void add_formatted(struct pg_text *text, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    if (size < 0)
        text->failed = true;
    else if (make_room(text, (size_t)size))
        text->used += (size_t)vsnprintf(text->data + text->used, (size_t)size + 1, format, again);
    va_end(again);
}

void pg_text_addf(struct pg_text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_formatted(text, format, args);
    va_end(args);
}

void pg_text_clear(struct pg_text *text)
{
    free(text->data);
    *text = (struct pg_text){0};
}

int pg_nomem(struct hf_ctx *ctx)
{
    return pg_host->fail(ctx, HF_E_NOMEM, "out of memory");
}

int pg_text_check(const struct pg_text *text, struct hf_ctx *ctx)
{
    return text->failed ? pg_nomem(ctx) : HF_OK;
}

char *pg_format(struct hf_ctx *ctx, const char *format, ...)
{
    struct pg_text text = {0};
    va_list args;
    va_start(args, format);
    add_formatted(&text, format, args);
    va_end(args);
    if (!text.failed)
        return text.data;
    pg_text_clear(&text);
    (void)pg_nomem(ctx);
    return NULL;
}
