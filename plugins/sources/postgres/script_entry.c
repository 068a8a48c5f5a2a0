/* SPDX-License-Identifier: Apache-2.0
 *
 * What comments and COPY statements say. pg_dump writes names into its comments as they are, but for line breaks, so
 * that a name may hold what looks like the next field: "t; Type: TABLE; Schema: x". The last place that fits is taken,
 * which is right for whatever an object is called; a schema, owner or tablespace with such a name is misread.
 */
#include <stdlib.h>
#include <string.h>

#include "holdfast/types.h"
#include "script_inside.h"

/* ---- the comment of an entry ---- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The last occurrence in text[0..size). */
static char *find_last(char *text, size_t size, const char *what)
{
    size_t length = strlen(what);
    for (char *at = text + size; at-- > text;) {
        if (*at == *what && (size_t)(text + size - at) >= length && memcmp(at, what, length) == 0)
            return at;
    }
    return NULL;
}

static bool in_type(char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || byte == ' ' || byte == '_' || byte == '<' ||
           byte == '>';
}

/* The last "; Type: WORDS" before `size` that is followed by `next`, or by the text's end when that is NULL. */
static char *find_type(char *text, size_t size, const char *next)
{
    static const char field[] = "; Type: ";
    char *at;
    while ((at = find_last(text, size, field)) != NULL) {
        char *end = at + strlen(field);
        while (in_type(*end))
            end++;
        if (next ? begins(end, next) : !*end)
            return at;
        size = (size_t)(at - text);
    }
    return NULL;
}

/* Ends the text before the field, and gives what follows. */
static char *cut(char *field)
{
    *field = 0;
    return strstr(field + 1, ": ") + 2;
}

static bool parse_name(char *text, struct pg_entry *entry)
{
    char *owner = find_last(text, strlen(text), "; Owner: ");
    char *type = owner ? find_type(text, (size_t)(owner - text), "; Schema: ") : NULL;
    if (!type) {
        owner = NULL;
        type = find_type(text, strlen(text), "; Schema: ");
    }
    if (!type)
        type = find_type(text, strlen(text), NULL);
    if (!type)
        return false;
    entry->name = text;
    entry->type = cut(type);
    if (owner) {
        entry->owner = cut(owner);
        char *tablespace = find_last(owner + 1, strlen(owner + 1), "; Tablespace: ");
        if (tablespace)
            *tablespace = 0;
    }
    char *schema = strstr((char *)entry->type, "; Schema: ");
    if (schema)
        entry->schema = cut(schema);
    return true;
}

static bool take_number(const char **at, uint32_t *ret_number)
{
    uint64_t number = 0;
    const char *from = *at;
    for (; **at >= '0' && **at <= '9' && number <= UINT32_MAX; (*at)++)
        number = number * 10 + (uint64_t)(**at - '0');
    *ret_number = (uint32_t)number;
    return *at > from && number <= UINT32_MAX;
}

/* "TOC entry N (class C OID O)", from N on. */
static void parse_toc(const char *at, struct pg_entry *entry)
{
    uint32_t id = 0, class = 0, oid = 0;
    if (!take_number(&at, &id) || !begins(at, " (class "))
        return;
    at += strlen(" (class ");
    if (!take_number(&at, &class) || !begins(at, " OID "))
        return;
    at += strlen(" OID ");
    if (!take_number(&at, &oid) || strcmp(at, ")") != 0)
        return;
    entry->dump_id = id;
    entry->class_oid = class;
    entry->oid = oid;
}

static int parse_dependencies(const char *at, struct pg_dependencies *list)
{
    uint32_t number;
    list->count = 0;
    while (*at == ' ') {
        at++;
        if (!take_number(&at, &number))
            break;
        if (list->count == list->room) {
            size_t room = list->room ? list->room * 2 : 16;
            uint32_t *items = reallocarray(list->items, room, sizeof(*items));
            if (!items)
                return HF_E_NOMEM;
            list->items = items;
            list->room = room;
        }
        list->items[list->count++] = number;
    }
    return HF_OK;
}

static char *unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at; at++) {
        bool escaped = *at == '\\' && (at[1] == '\\' || at[1] == 'n' || at[1] == 'r');
        at += escaped;
        *to++ = !escaped || *at == '\\' ? *at : *at == 'n' ? '\n' : '\r';
    }
    *to = 0;
    return text;
}

int pg_entry_parse(char *block, size_t size, struct pg_dependencies *dependencies, struct pg_entry *ret_entry)
{
    struct pg_entry entry = {0};
    dependencies->count = 0;
    block[size - 1] = 0;
    for (char *line = block, *next; line; line = next) {
        char *end = line + strcspn(line, "\r\n");
        next = *end ? end + 1 : NULL;
        *end = 0;
        int result = HF_OK;
        if (begins(line, "-- TOC entry "))
            parse_toc(line + strlen("-- TOC entry "), &entry);
        else if (begins(line, "-- Dependencies:"))
            result = parse_dependencies(line + strlen("-- Dependencies:"), dependencies);
        else if (begins(line, "-- Table: "))
            entry.table = unescape(line + strlen("-- Table: "));
        else if (begins(line, "-- Name: ") && !entry.name)
            (void)parse_name(line + strlen("-- Name: "), &entry);
        else if (begins(line, "-- Data for Name: ") && !entry.name)
            entry.data = parse_name(line + strlen("-- Data for Name: "), &entry);
        if (result < 0)
            return result;
    }
    if (!entry.name)
        return 0;
    entry.dependencies = dependencies->items;
    entry.dependency_count = dependencies->count;
    *ret_entry = entry;
    return 1;
}

char *pg_script_escape(const char *table)
{
    char *text = malloc(2 * strlen(table) + 1), *to = text;
    if (!text)
        return NULL;
    for (; *table; table++) {
        if (*table == '\\' || *table == '\n' || *table == '\r')
            *to++ = '\\';
        *to++ = *table == '\n' ? 'n' : *table == '\r' ? 'r' : *table;
    }
    *to = 0;
    return text;
}

/* ---- COPY statements ---- */

struct cursor {
    const char *at, *end;
};

static void skip_space(struct cursor *cursor)
{
    for (;;) {
        size_t left = (size_t)(cursor->end - cursor->at);
        if (left > 0 && *cursor->at && strchr(" \t\n\r\f\v", *cursor->at)) {
            cursor->at++;
        } else if (left >= 2 && memcmp(cursor->at, "--", 2) == 0) {
            while (cursor->at < cursor->end && *cursor->at != '\n' && *cursor->at != '\r')
                cursor->at++;
        } else if (left >= 2 && memcmp(cursor->at, "/*", 2) == 0) {
            struct pg_lex lex = {.state = PG_LEX_BLOCK};
            cursor->at += 2 + pg_lex_comment(&lex, cursor->at + 2, left - 2);
        } else {
            return;
        }
    }
}

static bool in_name(char byte)
{
    unsigned char c = (unsigned char)byte;
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
           c >= 0x80;
}

/* A name, with or without quotes; false: there is none. */
static bool take_name(struct cursor *cursor, size_t *ret_size)
{
    const char *from = cursor->at, *at = from;
    if (cursor->end - at >= 3 && (*at == 'U' || *at == 'u') && at[1] == '&' && at[2] == '"')
        at += 2;
    if (at < cursor->end && *at == '"') {
        do {
            at = memchr(at + 1, '"', (size_t)(cursor->end - at - 1));
            if (!at)
                return false;
            at++;
        } while (at < cursor->end && *at == '"');
    } else {
        while (at < cursor->end && in_name(*at))
            at++;
    }
    cursor->at = at;
    *ret_size = (size_t)(at - from);
    return at > from;
}

static bool take_word(struct cursor *cursor, const char *word)
{
    struct cursor after = *cursor;
    size_t size = 0;
    if (!take_name(&after, &size) || size != strlen(word) || strncasecmp(cursor->at, word, size) != 0)
        return false;
    cursor->at = after.at;
    return true;
}

static bool take_columns(struct cursor *cursor)
{
    size_t size;
    do {
        cursor->at++; /* '(' or ',' */
        skip_space(cursor);
        if (!take_name(cursor, &size))
            return false;
        skip_space(cursor);
    } while (cursor->at < cursor->end && *cursor->at == ',');
    return cursor->at < cursor->end && *cursor->at++ == ')';
}

bool pg_script_copy_parts(const char *text, size_t size, const char **ret_name, size_t *ret_name_size,
                          const char **ret_columns, size_t *ret_columns_size)
{
    struct cursor cursor = {text, text + size};
    const char *name, *name_end, *columns;
    size_t ignored, columns_size = 0;
    skip_space(&cursor);
    if (!take_word(&cursor, "copy"))
        return false;
    skip_space(&cursor);
    name = cursor.at;
    for (;;) {
        if (!take_name(&cursor, &ignored))
            return false;
        name_end = cursor.at;
        skip_space(&cursor);
        if (cursor.at == cursor.end || *cursor.at != '.')
            break;
        cursor.at++;
        skip_space(&cursor);
    }
    columns = cursor.at;
    if (cursor.at < cursor.end && *cursor.at == '(') {
        if (!take_columns(&cursor))
            return false;
        columns_size = (size_t)(cursor.at - columns);
    }
    skip_space(&cursor);
    if (!take_word(&cursor, "from"))
        return false;
    skip_space(&cursor);
    if (!take_word(&cursor, "stdin"))
        return false;
    *ret_name = name;
    *ret_name_size = (size_t)(name_end - name);
    *ret_columns = columns;
    *ret_columns_size = columns_size;
    return true;
}
