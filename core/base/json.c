/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include <assert.h>
#include <string.h>

void hf_cleanup_json(json_t **json)
{
    json_decref(*json);
    *json = NULL;
}

void hf_json_set(json_t *object, const char *key, json_t *value)
{
    assert(json_is_object(object));
    if (json_object_set_new(object, key, value) != 0)
        hf_memory_out();
}

void hf_json_append(json_t *array, json_t *value)
{
    assert(json_is_array(array));
    if (json_array_append_new(array, value) != 0)
        hf_memory_out();
}

/* Bytes of the UTF-8 sequence at `text`, 0 when there is none (RFC 3629: no overlong forms, no surrogates). */
static size_t utf8_length(const unsigned char *text)
{
    if (text[0] < 0x80)
        return 1;
    if (text[0] < 0xc2 || text[0] > 0xf4)
        return 0;
    size_t length = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    unsigned char low = text[0] == 0xe0 ? 0xa0 : text[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = text[0] == 0xed ? 0x9f : text[0] == 0xf4 ? 0x8f : 0xbf;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (text[i] < 0x80 || text[i] > 0xbf)
            return 0;
    return length;
}

void hf_json_set_text(json_t *object, const char *key, const char *text)
{
    if (!text) {
        hf_json_set(object, key, json_null());
        return;
    }
    hf_auto_text struct hf_text clean = {0};
    hf_text_add(&clean, "");
    for (const char *p = text; *p;) {
        size_t length = utf8_length((const unsigned char *)p);
        if (length)
            hf_text_add_bytes(&clean, p, length);
        else
            hf_text_add(&clean, "\xef\xbf\xbd");
        p += length ? length : 1;
    }
    hf_json_set(object, key, json_stringn(clean.data, clean.length));
}

void hf_json_set_int(json_t *object, const char *key, int64_t value)
{
    hf_json_set(object, key, json_integer(value));
}

void hf_json_set_time(json_t *object, const char *key, int64_t time_ms)
{
    char text[HF_TIME_ISO_SIZE];
    hf_time_iso(time_ms, text);
    hf_json_set(object, key, json_string(text));
}

static int member(struct hf_ctx *ctx, const json_t *object, const char *key, const char *type, json_type wanted,
                  json_t **ret_value)
{
    if (!json_is_object(object))
        return hf_fail(ctx, HF_E_CORRUPT, "'%s' is asked of something that is no object", key);
    json_t *value = json_object_get(object, key);
    if (!value)
        return hf_fail(ctx, HF_E_CORRUPT, "'%s' is missing", key);
    if (json_typeof(value) != wanted)
        return hf_fail(ctx, HF_E_CORRUPT, "'%s' is not %s", key, type);
    *ret_value = value;
    return HF_OK;
}

int hf_json_get_text(struct hf_ctx *ctx, const json_t *object, const char *key, size_t max_bytes, const char **ret_text)
{
    json_t *value = NULL;
    int result = member(ctx, object, key, "a text", JSON_STRING, &value);
    if (result < 0)
        return result;
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);
    if (length > max_bytes)
        return hf_fail(ctx, HF_E_CORRUPT, "'%s' has %zu bytes, at most %zu are allowed", key, length, max_bytes);
    if (memchr(text, '\0', length))
        return hf_fail(ctx, HF_E_CORRUPT, "'%s' contains a NUL", key);
    *ret_text = text;
    return HF_OK;
}

int hf_json_get_size(struct hf_ctx *ctx, const json_t *object, const char *key, uint64_t *ret_value)
{
    json_t *value = NULL;
    int result = member(ctx, object, key, "a whole number", JSON_INTEGER, &value);
    if (result < 0)
        return result;
    json_int_t number = json_integer_value(value);
    if (number < 0)
        return hf_fail(ctx, HF_E_CORRUPT, "'%s' is negative", key);
    *ret_value = (uint64_t)number;
    return HF_OK;
}

int hf_json_get_array(struct hf_ctx *ctx, const json_t *object, const char *key, size_t max_items, json_t **ret_array)
{
    json_t *value = NULL;
    int result = member(ctx, object, key, "an array", JSON_ARRAY, &value);
    if (result < 0)
        return result;
    if (json_array_size(value) > max_items)
        return hf_fail(ctx, HF_E_CORRUPT, "'%s' has %zu items, at most %zu are allowed", key, json_array_size(value),
                       max_items);
    *ret_array = value;
    return HF_OK;
}
