/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/scan.h"

#include "base/memory.h"
#include "base/text.h"
#include "base/time.h"

#include <string.h>

enum { TIME_SHORT = 20, TIME_LONG = 24 }; /* "2026-02-01T12:00:00Z", and with ".123" */

static int skip_value(struct hf_scan *);

void hf_scan_init(struct hf_scan *scan, struct hf_ctx *ctx, const char *what, const char *data, size_t size)
{
    *scan = (struct hf_scan){.ctx = ctx, .what = what, .start = data, .at = data, .end = data + size};
}

void hf_text_printable(char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            *text = '?';
}

int hf_scan_fail(struct hf_scan *scan, const char *format, ...)
{
    hf_auto_free char *text = NULL;
    va_list args;

    va_start(args, format);
    text = hf_vstrf(format, args);
    va_end(args);
    hf_text_printable(text);
    return hf_fail(scan->ctx, HF_E_CORRUPT, "%s: at byte %zu: %s", scan->what, (size_t)(scan->at - scan->start), text);
}

size_t hf_utf8_length(const char *at, size_t left)
{
    const unsigned char *p = (const unsigned char *)at;
    size_t length;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (left < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* overlong forms, surrogates, beyond U+10FFFF */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return length;
}

static void skip_space(struct hf_scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

/* The next byte that is no white space, without taking it; '\0' at the end. */
static char peek(struct hf_scan *scan)
{
    skip_space(scan);
    return scan->at < scan->end ? *scan->at : '\0';
}

static bool take(struct hf_scan *scan, char byte)
{
    if (peek(scan) != byte || scan->at == scan->end)
        return false;
    scan->at++;
    return true;
}

static int expect(struct hf_scan *scan, char byte)
{
    return take(scan, byte) ? HF_OK : hf_scan_fail(scan, "'%c' expected", byte);
}

static int enter(struct hf_scan *scan)
{
    if (scan->depth == HF_SCAN_DEPTH)
        return hf_scan_fail(scan, "nested too deeply");
    scan->depth++;
    return HF_OK;
}

/* Bytes from `p` that stand for themselves and are ASCII: most of any text, so by eights. `end`: nothing lies behind
 * it. */
static const char *skip_plain(const char *p, const char *end)
{
    static const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;

    for (; end - p >= 8; p += 8) {
        uint64_t word, quote, escape;

        memcpy(&word, p, 8);
        quote = word ^ ones * '"';
        escape = word ^ ones * '\\';
        /* A byte with its top bit set, one below 0x20, or one that the exclusive or made 0. */
        if ((word | (word - ones * 0x20) | (quote - ones) | (escape - ones)) & tops)
            break;
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* Finds the text's closing quote, which *ret_end points at; scan->at is then the first byte behind the opening one. */
static int text_span(struct hf_scan *scan, const char **ret_end)
{
    const char *p;

    if (peek(scan) != '"' || scan->at == scan->end)
        return hf_scan_fail(scan, "text expected");
    p = ++scan->at;
    while ((p = skip_plain(p, scan->end)) < scan->end && *p != '"') {
        size_t length = hf_utf8_length(p, (size_t)(scan->end - p));

        if (length == 0 || (unsigned char)*p < 0x20) {
            scan->at = p;
            return hf_scan_fail(scan, "a byte that no text may hold");
        }
        if (*p == '\\')
            length = 2;
        if ((size_t)(scan->end - p) < length)
            break;
        p += length;
    }
    if (p >= scan->end)
        return hf_scan_fail(scan, "text without an end");
    *ret_end = p;
    return HF_OK;
}

static int hex4(const char *at, const char *end, uint32_t *ret_value)
{
    uint32_t value = 0;

    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char digit = at[i];

        if (digit >= '0' && digit <= '9')
            value = value << 4 | (uint32_t)(digit - '0');
        else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f')
            value = value << 4 | (uint32_t)((digit | 0x20) - 'a' + 10);
        else
            return -1;
    }
    *ret_value = value;
    return 0;
}

static char *utf8_put(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

/* Decodes the escape at scan->at, just behind its backslash; `end` is the text's closing quote. NULL after a failure.
 */
static char *unescape(struct hf_scan *scan, const char *end, char *out)
{
    static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    uint32_t c, low;

    for (size_t i = 0; i + 1 < sizeof(escapes); i += 2)
        if (*scan->at == escapes[i]) {
            scan->at++;
            *out++ = escapes[i + 1];
            return out;
        }
    if (*scan->at != 'u' || hex4(scan->at + 1, end, &c) != 0) {
        hf_scan_fail(scan, "an escape that there is not");
        return NULL;
    }
    if (c >= 0xd800 && c < 0xdc00 && end - scan->at >= 11 && scan->at[5] == '\\' && scan->at[6] == 'u' &&
        hex4(scan->at + 7, end, &low) == 0 && low >= 0xdc00 && low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        scan->at += 6;
    }
    if (c == 0 || (c >= 0xd800 && c < 0xe000)) {
        hf_scan_fail(scan, "an escape that stands for no character");
        return NULL;
    }
    scan->at += 5;
    return utf8_put(out, c);
}

int hf_scan_text(struct hf_scan *scan, size_t max_bytes, char **ret_text)
{
    hf_auto_free char *text = NULL;
    const char *end;
    char *out;

    if (text_span(scan, &end) != HF_OK)
        return HF_E_CORRUPT;
    if ((size_t)(end - scan->at) / 6 > max_bytes)
        return hf_scan_fail(scan, "text longer than %zu bytes", max_bytes);
    out = text = hf_alloc((size_t)(end - scan->at) + 1); /* no escape is shorter than what it stands for */
    while (scan->at < end) {
        const char *escape = memchr(scan->at, '\\', (size_t)(end - scan->at));
        size_t plain = (size_t)((escape ? escape : end) - scan->at);

        memcpy(out, scan->at, plain);
        out += plain;
        scan->at += plain;
        if (escape == NULL)
            break;
        scan->at++;
        out = unescape(scan, end, out);
        if (out == NULL)
            return HF_E_CORRUPT;
    }
    *out = '\0';
    if ((size_t)(out - text) > max_bytes)
        return hf_scan_fail(scan, "text longer than %zu bytes", max_bytes);
    scan->at = end + 1;
    *ret_text = hf_steal(text);
    return HF_OK;
}

int hf_scan_size(struct hf_scan *scan, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    const char *p;

    peek(scan);
    for (p = scan->at; p < scan->end && *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(value, 10u, &value) || __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return hf_scan_fail(scan, "a number that is too large");
    if (p == scan->at || (p - scan->at > 1 && *scan->at == '0') ||
        (p < scan->end && (*p == '.' || *p == 'e' || *p == 'E')))
        return hf_scan_fail(scan, "a whole number, not less than 0, expected");
    if (value > max)
        return hf_scan_fail(scan, "a number that is too large");
    scan->at = p;
    *ret_value = value;
    return HF_OK;
}

static bool skip_word(struct hf_scan *scan, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return false;
    scan->at += length;
    return true;
}

static int scan_bool(struct hf_scan *scan, bool *ret_value)
{
    peek(scan);
    if (skip_word(scan, "true"))
        *ret_value = true;
    else if (skip_word(scan, "false"))
        *ret_value = false;
    else
        return hf_scan_fail(scan, "true or false expected");
    return HF_OK;
}

static int scan_hex(struct hf_scan *scan, size_t digits, char *ret_text)
{
    hf_auto_free char *text = NULL;

    if (hf_scan_text(scan, digits, &text) != HF_OK)
        return HF_E_CORRUPT;
    if (strspn(text, "0123456789abcdef") != digits || text[digits] != '\0')
        return hf_scan_fail(scan, "%zu lower-case hexadecimal digits expected", digits);
    memcpy(ret_text, text, digits + 1);
    return HF_OK;
}

static int scan_time(struct hf_scan *scan, int64_t *ret_time_ms)
{
    hf_auto_free char *text = NULL;
    size_t length;

    if (hf_scan_text(scan, TIME_LONG, &text) != HF_OK)
        return HF_E_CORRUPT;
    length = strlen(text);
    if ((length != TIME_SHORT && length != TIME_LONG) || text[10] != 'T' || text[length - 1] != 'Z' ||
        !hf_time_parse(text, ret_time_ms))
        return hf_scan_fail(scan, "a time such as 2026-02-01T12:00:00.000Z expected");
    return HF_OK;
}

static int scan_pair(struct hf_scan *scan, uint64_t max, uint64_t *ret_values)
{
    if (expect(scan, '[') != HF_OK || hf_scan_size(scan, max, &ret_values[0]) != HF_OK || expect(scan, ',') != HF_OK ||
        hf_scan_size(scan, max, &ret_values[1]) != HF_OK)
        return HF_E_CORRUPT;
    return expect(scan, ']');
}

/* A value of any depth and shape, as a tree. Passing over it first bounds its depth. */
static int scan_tree(struct hf_scan *scan, char opening, json_t **ret_tree)
{
    json_error_t error;
    const char *start;
    json_t *tree;

    if (peek(scan) != opening)
        return hf_scan_fail(scan, opening == '{' ? "an object expected" : "an array expected");
    start = scan->at;
    if (skip_value(scan) != HF_OK)
        return HF_E_CORRUPT;
    tree = json_loadb(start, (size_t)(scan->at - start), JSON_REJECT_DUPLICATES, &error);
    if (tree == NULL) {
        scan->at = start;
        return hf_scan_fail(scan, "%s", error.text);
    }
    json_decref(*ret_tree);
    *ret_tree = tree;
    return HF_OK;
}

static int scan_member(struct hf_scan *scan, const struct hf_scan_member *member, void *target)
{
    void *place = (char *)target + member->offset;
    uint64_t value;

    switch (member->kind) {
    case HF_SCAN_TEXT:
    case HF_SCAN_MAY_TEXT:
        return hf_scan_text(scan, member->max, place);
    case HF_SCAN_SIZE:
    case HF_SCAN_MAY_SIZE:
        return hf_scan_size(scan, member->max, place);
    case HF_SCAN_PAIR:
        return scan_pair(scan, member->max, place);
    case HF_SCAN_UINT32:
        if (hf_scan_size(scan, member->max, &value) != HF_OK)
            return HF_E_CORRUPT;
        *(uint32_t *)place = (uint32_t)value;
        return HF_OK;
    case HF_SCAN_BOOL:
        return scan_bool(scan, place);
    case HF_SCAN_HEX:
        return scan_hex(scan, member->max, place);
    case HF_SCAN_TIME:
        return scan_time(scan, place);
    case HF_SCAN_OBJECT:
        return scan_tree(scan, '{', place);
    case HF_SCAN_ARRAY:
        return scan_tree(scan, '[', place);
    case HF_SCAN_PASS:
        return peek(scan) == '{' ? skip_value(scan) : hf_scan_fail(scan, "an object expected");
    case HF_SCAN_CALL:
        return member->call(scan, place);
    }
    return HF_E_CORRUPT;
}

static int scan_key(struct hf_scan *scan, char **ret_key)
{
    hf_auto_free char *key = NULL;

    if (hf_scan_text(scan, HF_SCAN_KEY_MAX, &key) != HF_OK || expect(scan, ':') != HF_OK)
        return HF_E_CORRUPT;
    *ret_key = hf_steal(key);
    return HF_OK;
}

static int scan_entry(struct hf_scan *scan, const struct hf_scan_member *members, size_t count, void *target,
                      uint32_t *seen)
{
    hf_auto_free char *key = NULL;

    if (scan_key(scan, &key) != HF_OK)
        return HF_E_CORRUPT;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(members[i].key, key) != 0)
            continue;
        if (*seen & 1u << i)
            return hf_scan_fail(scan, "'%s' for the second time", key);
        *seen |= 1u << i;
        return scan_member(scan, &members[i], target);
    }
    return skip_value(scan);
}

int hf_scan_object(struct hf_scan *scan, const struct hf_scan_member *members, size_t count, void *target)
{
    uint32_t seen = 0;

    if (enter(scan) != HF_OK || expect(scan, '{') != HF_OK)
        return HF_E_CORRUPT;
    if (!take(scan, '}')) {
        do
            if (scan_entry(scan, members, count, target, &seen) != HF_OK)
                return HF_E_CORRUPT;
        while (take(scan, ','));
        if (expect(scan, '}') != HF_OK)
            return HF_E_CORRUPT;
    }
    for (size_t i = 0; i < count; i++)
        if (!(seen & 1u << i) && members[i].kind != HF_SCAN_MAY_SIZE && members[i].kind != HF_SCAN_MAY_TEXT)
            return hf_scan_fail(scan, "'%s' is missing", members[i].key);
    scan->depth--;
    return HF_OK;
}

int hf_scan_array(struct hf_scan *scan, size_t max_items, int (*item)(struct hf_scan *, void *), void *target)
{
    size_t count = 0;

    if (enter(scan) != HF_OK || expect(scan, '[') != HF_OK)
        return HF_E_CORRUPT;
    if (!take(scan, ']')) {
        do {
            if (count++ == max_items)
                return hf_scan_fail(scan, "more than %zu items", max_items);
            if (item(scan, target) != HF_OK)
                return HF_E_CORRUPT;
        } while (take(scan, ','));
        if (expect(scan, ']') != HF_OK)
            return HF_E_CORRUPT;
    }
    scan->depth--;
    return HF_OK;
}

static int skip_item(struct hf_scan *scan, void *target)
{
    (void)target;
    return skip_value(scan);
}

static int skip_number(struct hf_scan *scan)
{
    const char *start = scan->at;

    while (scan->at < scan->end && *scan->at != '\0' && strchr("+-.0123456789eE", *scan->at) != NULL)
        scan->at++;
    return scan->at > start ? HF_OK : hf_scan_fail(scan, "a value expected");
}

static int skip_value(struct hf_scan *scan)
{
    const char *end;

    switch (peek(scan)) {
    case '{':
        return hf_scan_object(scan, NULL, 0, NULL);
    case '[':
        return hf_scan_array(scan, SIZE_MAX, skip_item, NULL);
    case '"':
        if (text_span(scan, &end) != HF_OK)
            return HF_E_CORRUPT;
        scan->at = end + 1;
        return HF_OK;
    default:
        if (skip_word(scan, "true") || skip_word(scan, "false") || skip_word(scan, "null"))
            return HF_OK;
        return skip_number(scan);
    }
}

int hf_scan_end(struct hf_scan *scan)
{
    skip_space(scan);
    return scan->at == scan->end ? HF_OK : hf_scan_fail(scan, "more than one value");
}
