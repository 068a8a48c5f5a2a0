/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts and context as JSON.
 *
 * JSON is UTF-8, and names come in the encoding of their database. Bytes of them that are not UTF-8 are recorded as
 * characters U+F780 to U+F7FF, which are for private use, and read back as those bytes; so whoever looks up a name
 * needs to know nothing of it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "postgres.h"

void pg_key(char *buffer, const char *artifact, const char *key)
{
    int room = PG_KEY_MAX - 2 - (int)strlen(key);
    if (artifact[0])
        (void)snprintf(buffer, PG_KEY_MAX, "%.*s/%s", room, artifact, key);
    else
        (void)snprintf(buffer, PG_KEY_MAX, "%s", key);
}

/* ---- rows ---- */

json_t *pg_rows_json(const struct pg_rows *rows)
{
    char sum[17];
    (void)snprintf(sum, sizeof(sum), "%016" PRIx64, rows->sum);
    return json_pack("{s:I, s:s}", "rows", (json_int_t)rows->rows, "sum", sum);
}

bool pg_rows_of_json(const json_t *object, struct pg_rows *ret_rows)
{
    const json_t *rows = json_object_get(object, "rows");
    const char *sum = json_string_value(json_object_get(object, "sum"));
    if (!json_is_integer(rows) || json_integer_value(rows) < 0 || !sum || strlen(sum) != 16 ||
        strspn(sum, "0123456789abcdef") != 16)
        return false;
    ret_rows->rows = (uint64_t)json_integer_value(rows);
    ret_rows->sum = strtoull(sum, NULL, 16);
    return true;
}

/* ---- bytes that are no UTF-8 ---- */

enum { BYTES = 0xF700, FIRST = BYTES + 0x80, LAST = BYTES + 0xFF };

/* Bytes of the character at `text`, 0 when there is none. */
static size_t character(const unsigned char *text, uint32_t *ret_code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = text[0] < 0x80 ? 1 : text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : text[0] >= 0xC0 ? 2 : 0;
    uint32_t code = size > 1 ? text[0] & (0xFFu >> (size + 1)) : text[0];
    if (text[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3F);
    }
    if (size == 0 || (size > 1 && code < least[size]) || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    *ret_code = code;
    return size;
}

/* As UTF-8; a character that stands for a byte is written as its own bytes, too, so that all can be undone. */
static char *to_utf8(const char *text)
{
    struct pg_text out = {0};
    const unsigned char *at = (const unsigned char *)text;
    pg_text_add(&out, "");
    while (*at) {
        uint32_t code = 0;
        size_t size = character(at, &code);
        if (size > 0 && (code < FIRST || code > LAST)) {
            pg_text_add_bytes(&out, (const char *)at, size);
            at += size;
            continue;
        }
        code = BYTES + *at++; /* at least 0x80: all others are characters */
        char encoded[] = {(char)(0xE0 | code >> 12), (char)(0x80 | (code >> 6 & 0x3F)), (char)(0x80 | (code & 0x3F))};
        pg_text_add_bytes(&out, encoded, sizeof(encoded));
    }
    if (out.failed)
        pg_text_clear(&out);
    return out.data;
}

static char *from_utf8(const char *text)
{
    struct pg_text out = {0};
    const unsigned char *at = (const unsigned char *)text;
    pg_text_add(&out, "");
    while (*at) {
        uint32_t code = 0;
        size_t size = character(at, &code);
        char byte = (char)(code - BYTES);
        bool stands_for_byte = size > 0 && code >= FIRST && code <= LAST;
        pg_text_add_bytes(&out, stands_for_byte ? &byte : (const char *)at, stands_for_byte || size == 0 ? 1 : size);
        at += size > 0 ? size : 1;
    }
    if (out.failed)
        pg_text_clear(&out);
    return out.data;
}

typedef char *translate(const char *);

static json_t *translated(const json_t *value, translate *how);

static json_t *translated_object(const json_t *object, translate *how)
{
    json_t *copy = json_object(), *item;
    const char *name;
    json_object_foreach((json_t *)object, name, item)
    {
        pg_auto_text key = how(name);
        if (!copy || !key || json_object_set_new_nocheck(copy, key, translated(item, how)) != 0) {
            json_decref(copy);
            return NULL;
        }
    }
    return copy;
}

static json_t *translated_array(const json_t *array, translate *how)
{
    json_t *copy = json_array(), *item;
    size_t i;
    json_array_foreach((json_t *)array, i, item)
    {
        if (!copy || json_array_append_new(copy, translated(item, how)) != 0) {
            json_decref(copy);
            return NULL;
        }
    }
    return copy;
}

/* A copy; NULL: out of memory. */
static json_t *translated(const json_t *value, translate *how)
{
    if (json_is_object(value))
        return translated_object(value, how);
    if (json_is_array(value))
        return translated_array(value, how);
    if (!json_is_string(value))
        return json_incref((json_t *)value);
    pg_auto_text text = how(json_string_value(value));
    return text ? json_string_nocheck(text) : NULL;
}

/* ---- recorded ---- */

/* Does the text have a character that stands for a byte? All of them begin with these two bytes. */
static bool has_bytes(const char *text)
{
    return strstr(text, "\xEF\x9E") || strstr(text, "\xEF\x9F");
}

static json_t *parse(const char *text)
{
    json_t *value = text ? json_loads(text, 0, NULL) : NULL;
    if (value && has_bytes(text)) {
        json_t *copy = translated(value, from_utf8);
        json_decref(value);
        value = copy;
    }
    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

json_t *pg_recorded_fact(struct hf_ctx *ctx, const char *artifact, const char *key)
{
    char name[PG_KEY_MAX];
    pg_key(name, artifact, key);
    return parse(pg_host->get_fact(ctx, name));
}

json_t *pg_recorded_context(struct hf_ctx *ctx, const char *artifact, const char *key)
{
    char name[PG_KEY_MAX];
    pg_key(name, artifact, key);
    return parse(pg_host->get_context(ctx, name));
}

json_t *pg_json_of_server(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    if (value && !has_bytes(text))
        return value;
    json_decref(value);
    pg_auto_text encoded = to_utf8(text);
    pg_auto_json parsed = encoded ? json_loads(encoded, JSON_DECODE_ANY, NULL) : NULL;
    return parsed ? translated(parsed, from_utf8) : NULL;
}

/* ---- reported ---- */

static bool is_plain_text(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        uint32_t code = 0;
        size_t size = character(at, &code);
        if (size == 0 || (code >= FIRST && code <= LAST))
            return false;
        at += size;
    }
    return true;
}

/* Is all of it UTF-8, and none of it what other bytes become? jansson would write a key that is not as half a text. */
static bool is_plain(const json_t *value)
{
    const char *name;
    json_t *item;
    size_t i;
    bool plain = !json_is_string(value) || is_plain_text(json_string_value(value));
    json_object_foreach((json_t *)value, name, item)
    {
        plain = plain && is_plain_text(name) && is_plain(item);
    }
    json_array_foreach((json_t *)value, i, item)
    {
        plain = plain && is_plain(item);
    }
    return plain;
}

typedef int report(struct hf_ctx *, const char *key, const char *json);

static int report_json(struct hf_ctx *ctx, report *to, const char *artifact, const char *key, json_t *value)
{
    char name[PG_KEY_MAX];
    pg_key(name, artifact, key);
    pg_auto_json copy = !value || is_plain(value) ? json_incref(value) : translated(value, to_utf8);
    pg_auto_text text = copy ? json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
    json_decref(value);
    return text ? to(ctx, name, text) : pg_nomem(ctx);
}

int pg_report_fact(struct hf_ctx *ctx, const char *artifact, const char *key, json_t *value)
{
    return report_json(ctx, pg_host->fact, artifact, key, value);
}

int pg_report_context(struct hf_ctx *ctx, const char *artifact, const char *key, json_t *value)
{
    return report_json(ctx, pg_host->context, artifact, key, value);
}
