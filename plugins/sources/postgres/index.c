/* SPDX-License-Identifier: Apache-2.0
 *
 * PRIMARY KEY and UNIQUE constraints taken apart, as pg_dump writes them:
 * ALTER TABLE ONLY table ADD CONSTRAINT name PRIMARY KEY (columns) [INCLUDE (…)] [WITH (…)] [DEFERRABLE [INITIALLY
 * DEFERRED]]
 */
#include "restore.h"

struct cursor {
    const char *at;
};

static bool take_word(struct cursor *cursor, const char *word)
{
    size_t size = strlen(word);
    if (strncmp(cursor->at, word, size) != 0)
        return false;
    cursor->at += size;
    return true;
}

/* An identifier, quoted or not. */
static bool take_name(struct cursor *cursor)
{
    const char *begin = cursor->at;
    if (*begin != '"') {
        while ((*cursor->at >= 'a' && *cursor->at <= 'z') || (*cursor->at >= '0' && *cursor->at <= '9') ||
               *cursor->at == '_' || *cursor->at == '$')
            cursor->at++;
        return cursor->at > begin;
    }
    for (cursor->at++; *cursor->at; cursor->at++) {
        if (*cursor->at == '"' && *++cursor->at != '"')
            return true;
    }
    return false;
}

static bool take_names(struct cursor *cursor, char separator)
{
    do {
        while (separator == ',' && *cursor->at == ' ')
            cursor->at++;
        if (!take_name(cursor))
            return false;
    } while (*cursor->at == separator && *cursor->at++);
    return true;
}

/* WITH (fillfactor='70'): to the closing parenthesis, which may stand in quotes before. */
static bool take_settings(struct cursor *cursor)
{
    for (char quote = 0; *cursor->at; cursor->at++) {
        if (quote)
            quote = *cursor->at == quote ? 0 : quote;
        else if (*cursor->at == '\'' || *cursor->at == '"')
            quote = *cursor->at;
        else if (*cursor->at == ')')
            return cursor->at++, true;
    }
    return false;
}

bool pg_is_name(const char *text)
{
    struct cursor cursor = {text};
    return take_names(&cursor, '.') && !*cursor.at;
}

bool pg_is_columns(const char *text)
{
    struct cursor cursor = {text};
    return !*text || (take_word(&cursor, "(") && take_names(&cursor, ',') && take_word(&cursor, ")") && !*cursor.at);
}

bool pg_constraint_split(const char *statement, char **ret_table, char **ret_index, char **ret_adopt)
{
    struct cursor cursor = {statement};
    if (!take_word(&cursor, "ALTER TABLE ONLY "))
        return false;
    const char *table = cursor.at;
    bool good = take_names(&cursor, '.');
    int table_size = (int)(cursor.at - table);
    good = good && take_word(&cursor, "\n    ADD CONSTRAINT ");
    const char *name = cursor.at;
    good = good && take_name(&cursor);
    int name_size = (int)(cursor.at - name);
    bool primary = good && take_word(&cursor, " PRIMARY KEY (");
    bool distinct = good && !primary && take_word(&cursor, " UNIQUE NULLS NOT DISTINCT (");
    good = good && (primary || distinct || take_word(&cursor, " UNIQUE ("));
    const char *columns = cursor.at - 1;
    good = good && take_names(&cursor, ',') && take_word(&cursor, ")");
    if (good && take_word(&cursor, " INCLUDE ("))
        good = take_names(&cursor, ',') && take_word(&cursor, ")");
    int columns_size = (int)(cursor.at - columns);
    const char *settings = cursor.at;
    if (good && take_word(&cursor, " WITH ("))
        good = take_settings(&cursor);
    int settings_size = (int)(cursor.at - settings);
    const char *rest = cursor.at;
    if (!good || (*rest && strcmp(rest, " DEFERRABLE") != 0 && strcmp(rest, " DEFERRABLE INITIALLY DEFERRED") != 0))
        return false;
    struct pg_text index = {0}, adopt = {0};
    pg_text_addf(&index, "CREATE UNIQUE INDEX %.*s ON %.*s USING btree %.*s%s%.*s", name_size, name, table_size, table,
                 columns_size, columns, distinct ? " NULLS NOT DISTINCT" : "", settings_size, settings);
    pg_text_addf(&adopt, "ALTER TABLE ONLY %.*s ADD CONSTRAINT %.*s %s USING INDEX %.*s%s", table_size, table,
                 name_size, name, primary ? "PRIMARY KEY" : "UNIQUE", name_size, name, rest);
    char *name_of_table = strndup(table, (size_t)table_size);
    if (index.failed || adopt.failed || !name_of_table) {
        pg_text_clear(&index);
        pg_text_clear(&adopt);
        free(name_of_table);
        return false;
    }
    *ret_table = name_of_table;
    *ret_index = index.data;
    *ret_adopt = adopt.data;
    return true;
}
