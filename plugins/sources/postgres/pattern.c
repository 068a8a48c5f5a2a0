/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns of names to regular expressions, and to what they select.
 */
#include "pattern.h"

/* ---- one pattern ---- */

static int bad_pattern(struct hf_ctx *ctx, const char *pattern, const char *what, const char *hint)
{
    (void)pg_host->fail(ctx, HF_E_CONFIG, "pattern '%s': %s", pattern, what);
    return pg_host->hint(ctx, "%s", hint);
}

/* One character, at *at, of which it takes what belongs together. */
static void add_character(struct pg_text *regex, const char **at, bool *quoted)
{
    char c = *(*at)++;
    if (c == '"') {
        if (*quoted && **at == '"')
            pg_text_add_bytes(regex, (*at)++, 1);
        else
            *quoted = !*quoted;
    } else if (!*quoted && c >= 'A' && c <= 'Z') {
        pg_text_addf(regex, "%c", c - 'A' + 'a');
    } else if (!*quoted && c == '*') {
        pg_text_add(regex, ".*");
    } else if (!*quoted && c == '?') {
        pg_text_add(regex, ".");
    } else {
        bool special = *quoted && strchr("|*+?()[]{}.^$\\", c);
        if (special || c == '$' || (c == '[' && **at == ']'))
            pg_text_add(regex, "\\");
        pg_text_add_bytes(regex, &c, 1);
    }
}

/* What stands before the first '.' outside of quotes goes to *schema, the rest to *name. *ret_dots: how many there are.
 */
static void translate(const char *pattern, struct pg_text *schema, struct pg_text *name, size_t *ret_dots,
                      bool *ret_open)
{
    bool quoted = false;
    size_t dots = 0;
    pg_text_add(name, "^(");
    for (const char *at = pattern; *at;) {
        if (*at != '.' || quoted) {
            add_character(name, &at, &quoted);
            continue;
        }
        at++;
        if (dots++ > 0)
            continue;
        pg_text_add(name, ")$");
        *schema = *name;
        *name = (struct pg_text){0};
        pg_text_add(name, "^(");
    }
    pg_text_add(name, ")$");
    *ret_dots = dots;
    *ret_open = quoted;
}

static int judge(struct hf_ctx *ctx, const char *pattern, bool want_schema, size_t dots, bool open)
{
    if (!pattern[0])
        return bad_pattern(ctx, pattern, "it is empty", "'*' is every name");
    if (open)
        return bad_pattern(ctx, pattern, "a closing '\"' is missing", "a '\"' within a quoted name is written twice");
    if (dots > 1 || (dots == 1 && !want_schema))
        return bad_pattern(ctx, pattern, want_schema ? "it has more than a schema and a name" : "it names two things",
                           "a '.' that belongs to a name stands in double quotes");
    return HF_OK;
}

int pg_pattern_regex(struct hf_ctx *ctx, const char *pattern, bool want_schema, char **ret_schema, char **ret_name)
{
    struct pg_text schema = {0}, name = {0};
    size_t dots = 0;
    bool open = false;
    translate(pattern, &schema, &name, &dots, &open);
    int result = judge(ctx, pattern, want_schema, dots, open);
    if (result == HF_OK && (schema.failed || name.failed))
        result = pg_nomem(ctx);
    if (result < 0) {
        pg_text_clear(&schema);
        pg_text_clear(&name);
        return result;
    }
    if (ret_schema)
        *ret_schema = schema.data;
    *ret_name = name.data;
    return HF_OK;
}

/* ---- conditions ---- */

/* "column OPERATOR(pg_catalog.~) 'regex' …": names compare byte by byte, which the operator shall not. */
static int add_match(struct pg_conn *conn, struct pg_text *sql, const char *column, const char *regex)
{
    pg_auto_text literal = pg_quote_literal(conn, regex);
    if (!literal)
        return pg_nomem(conn->ctx);
    pg_text_addf(sql, "%s OPERATOR(pg_catalog.~) %s COLLATE pg_catalog.default", column, literal);
    return HF_OK;
}

static int add_pattern(struct pg_conn *conn, const char *pattern, const char *schema, const char *name,
                       const char *visible, struct pg_text *sql)
{
    char *schema_regex = NULL, *name_regex = NULL;
    int result = pg_pattern_regex(conn->ctx, pattern, schema != NULL, &schema_regex, &name_regex);
    pg_auto_text of_schema = schema_regex, of_name = name_regex;
    if (result < 0)
        return result;
    pg_text_add(sql, "(");
    result = add_match(conn, sql, name, of_name);
    if (result == HF_OK && of_schema) {
        pg_text_add(sql, " AND ");
        result = add_match(conn, sql, schema, of_schema);
    } else if (visible) {
        pg_text_addf(sql, " AND %s", visible);
    }
    pg_text_add(sql, ")");
    return result;
}

int pg_pattern_condition(struct pg_conn *conn, const struct pg_list *patterns, const char *schema, const char *name,
                         const char *visible, struct pg_text *sql)
{
    int result = HF_OK;
    if (patterns->count == 0)
        pg_text_add(sql, "false");
    for (size_t i = 0; i < patterns->count && result == HF_OK; i++) {
        pg_text_add(sql, i > 0 ? " OR " : "");
        result = add_pattern(conn, patterns->items[i], schema, name, visible, sql);
    }
    return result < 0 ? result : pg_text_check(sql, conn->ctx);
}

/* With the role's own search_path, as pg_dump does. */
int pg_pattern_tables(struct pg_conn *conn, const struct pg_list *patterns, struct pg_text *ret_oids)
{
    struct pg_text sql = {0};
    PGresult *answer = NULL;
    if (patterns->count == 0)
        return HF_OK;
    pg_text_add(&sql, "RESET search_path; SELECT pg_catalog.string_agg(c.oid::pg_catalog.text, ',' ORDER BY c.oid)"
                      " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                      " WHERE c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND (");
    int result =
        pg_pattern_condition(conn, patterns, "n.nspname", "c.relname", "pg_catalog.pg_table_is_visible(c.oid)", &sql);
    pg_text_add(&sql, "); SET search_path = ''");
    result = result == HF_OK ? pg_text_check(&sql, conn->ctx) : result;
    result = result == HF_OK ? pg_query(conn, "look for the tables of the patterns", sql.data, &answer) : result;
    pg_text_clear(&sql);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    if (PQntuples(rows) > 0)
        pg_text_add(ret_oids, PQgetvalue(rows, 0, 0));
    return pg_text_check(ret_oids, conn->ctx);
}
