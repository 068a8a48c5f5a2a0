/* SPDX-License-Identifier: Apache-2.0
 *
 * Which relations the profile's patterns select, all of them together.
 */
#include "pattern.h"

/* A list that is empty selects nothing. */
static int add_tables(struct pg_conn *conn, const struct pg_list *patterns, const char *word, struct pg_text *sql)
{
    struct pg_text oids = {0};
    int result = pg_pattern_tables(conn, patterns, &oids);
    if (result == HF_OK)
        pg_text_addf(sql, " AND c.oid %s (%s)", word, oids.used > 0 ? oids.data : "0");
    pg_text_clear(&oids);
    return result;
}

static int add_schemas(struct pg_conn *conn, const struct pg_list *patterns, const char *word, struct pg_text *sql)
{
    pg_text_addf(sql, " AND %s(", word);
    int result = pg_pattern_condition(conn, patterns, NULL, "n.nspname", NULL, sql);
    pg_text_add(sql, ")");
    return result;
}

int pg_pattern_selection(struct pg_conn *conn, const struct pg_source *source, struct pg_text *sql)
{
    int result = HF_OK;
    if (source->table.count > 0)
        result = add_tables(conn, &source->table, "IN", sql);
    else if (source->schema.count > 0)
        result = add_schemas(conn, &source->schema, "", sql);
    if (result == HF_OK && source->exclude_schema.count > 0)
        result = add_schemas(conn, &source->exclude_schema, "NOT ", sql);
    if (result == HF_OK && source->exclude_table.count > 0)
        result = add_tables(conn, &source->exclude_table, "NOT IN", sql);
    return result < 0 ? result : pg_text_check(sql, conn->ctx);
}

int pg_pattern_data_selection(struct pg_conn *conn, const struct pg_source *source, struct pg_text *sql)
{
    int result = pg_pattern_selection(conn, source, sql);
    if (result == HF_OK && source->exclude_table_data.count > 0)
        result = add_tables(conn, &source->exclude_table_data, "NOT IN", sql);
    return result < 0 ? result : pg_text_check(sql, conn->ctx);
}
