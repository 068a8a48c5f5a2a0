/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts and contexts as JSON.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "sqlite.h"

#define HEX_MARK "hex:"

static char *hex_of(const char *text)
{
    char *hex = malloc(sizeof(HEX_MARK) + 2 * strlen(text));
    if (!hex)
        return NULL;
    char *out = stpcpy(hex, HEX_MARK);
    for (; *text; text++)
        out += sprintf(out, "%02x", (unsigned char)*text);
    return hex;
}

json_t *sq_text_to_json(const char *text)
{
    json_t *plain = strncmp(text, HEX_MARK, strlen(HEX_MARK)) ? json_string(text) : NULL;
    if (plain)
        return plain;
    SQ_TEXT hex = hex_of(text);
    return hex ? json_string(hex) : NULL;
}

char *sq_text_from_json(const json_t *json)
{
    const char *text = json_string_value(json);
    if (!text || strncmp(text, HEX_MARK, strlen(HEX_MARK)) != 0)
        return text ? strdup(text) : NULL;
    text += strlen(HEX_MARK);
    size_t size = strlen(text) / 2;
    char *bytes = calloc(size + 1, 1);
    for (size_t i = 0; bytes && i < size; i++) {
        unsigned value = 0;
        if (!isxdigit((unsigned char)text[2 * i]) || sscanf(text + 2 * i, "%2x", &value) != 1 || value == 0) {
            free(bytes);
            return NULL;
        }
        bytes[i] = (char)value;
    }
    return bytes;
}

char *sq_context_json(const struct sq_database *database)
{
    char mode[8];
    snprintf(mode, sizeof(mode), "%04o", (unsigned)(database->before.st_mode & 07777));
    SQ_JSON object = json_pack("{s:o, s:s, s:s, s:I, s:I}", "path", sq_text_to_json(database->path), "journal_mode",
                               database->journal_mode, "mode", mode, "uid", (json_int_t)database->before.st_uid, "gid",
                               (json_int_t)database->before.st_gid);
    return object ? json_dumps(object, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
}

uint64_t sq_facts_bytes(const char *facts)
{
    SQ_JSON object = facts ? json_loads(facts, 0, NULL) : NULL;
    json_int_t size = json_integer_value(json_object_get(object, "page_size"));
    json_int_t count = json_integer_value(json_object_get(object, "page_count"));
    return size >= 512 && size <= 65536 && count > 0 && count <= UINT32_MAX ? (uint64_t)size * (uint64_t)count : 0;
}

bool sq_facts_equal(const char *a, const char *b)
{
    SQ_JSON x = json_loads(a, 0, NULL);
    SQ_JSON y = json_loads(b, 0, NULL);
    return x && y && json_equal(x, y);
}
