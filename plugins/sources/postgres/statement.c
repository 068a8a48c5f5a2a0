/* SPDX-License-Identifier: Apache-2.0 */
#include "statement.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char setval_begin[] = "SELECT pg_catalog.setval(";
static const char open_begin[] = "SELECT pg_catalog.lo_open('", open_end[] = "', 131072)";
static const char write_begin[] = "SELECT pg_catalog.lowrite(0, '\\x", write_end[] = "')";
static const char close_all[] = "SELECT pg_catalog.lo_close(0)";

static bool begins(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

unsigned pg_count_columns(const char *columns, size_t size)
{
    unsigned count = size > 2; /* more than "()" */
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        if (columns[i] == '"')
            quoted = !quoted; /* a doubled one, inside, goes off and on again */
        else if (columns[i] == ',' && !quoted)
            count++;
    }
    return count;
}

bool pg_is_setval(const char *text)
{
    return begins(text, setval_begin);
}

bool pg_is_object(const char *text)
{
    return begins(text, "SELECT pg_catalog.lo_open(") || begins(text, "SELECT pg_catalog.lowrite(") ||
           begins(text, "SELECT pg_catalog.lo_close(");
}

/* 'it''s', or E'back\\slash' as libpq writes a literal with a backslash. */
static char *take_literal(const char **at)
{
    const char *text = *at + strspn(*at, " ");
    bool escapes = *text == 'E';
    text += escapes;
    char *value = *text == '\'' ? malloc(strlen(text)) : NULL;
    size_t used = 0;
    if (!value)
        return NULL;
    for (text++; *text; text++) {
        if (*text == '\'' && *++text != '\'') {
            value[used] = 0;
            *at = text;
            return value;
        }
        if (*text == '\\' && escapes && !*++text)
            break;
        value[used++] = *text;
    }
    free(value);
    return NULL;
}

bool pg_setval_parts(const char *text, char **ret_name, int64_t *ret_value, bool *ret_called)
{
    const char *at = text + strlen(setval_begin);
    char *end = NULL;
    if (!pg_is_setval(text))
        return false;
    char *name = take_literal(&at);
    bool good = name && begins(at, ", ");
    errno = 0;
    long long value = good ? strtoll(at + 2, &end, 10) : 0;
    good = good && end != at + 2 && errno == 0;
    bool called = good && !strcmp(end, ", true)");
    if (!good || (!called && strcmp(end, ", false)") != 0)) {
        free(name);
        return false;
    }
    *ret_name = name;
    *ret_value = value;
    *ret_called = called;
    return true;
}

enum pg_object_step pg_object_parts(const char *text, size_t size, uint64_t *ret_value)
{
    if (begins(text, open_begin)) {
        const char *number = text + sizeof(open_begin) - 1;
        size_t digits = strspn(number, "0123456789");
        if (digits == 0 || digits > 10 || strcmp(number + digits, open_end) != 0)
            return PG_OBJECT_NONE;
        *ret_value = strtoull(number, NULL, 10);
        return *ret_value <= UINT32_MAX ? PG_OBJECT_OPEN : PG_OBJECT_NONE;
    }
    if (begins(text, write_begin)) {
        const char *hex = text + sizeof(write_begin) - 1;
        size_t digits = strspn(hex, "0123456789abcdefABCDEF");
        if (digits % 2 != 0 || strcmp(hex + digits, write_end) != 0)
            return PG_OBJECT_NONE;
        *ret_value = digits / 2;
        return PG_OBJECT_WRITE;
    }
    *ret_value = 0;
    return strlen(text) == size && !strcmp(text, close_all) ? PG_OBJECT_CLOSE : PG_OBJECT_NONE;
}
