/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables against what was recorded of them: new, gone, emptied, or with far fewer rows.
 *
 * Counting reads a table in full, so it is done only where the server's own estimate suggests a loss, or where there is
 * none: an estimate that is not far below what was recorded is believed. Whether a table has any row at all is always
 * asked, for an estimate is as old as the last ANALYZE.
 */
#include "audit.h"
#include "pattern.h"
#include "restore.h"

enum { AT_ONCE = 50 }; /* tables in one query: each takes a lock until its end */

struct table {
    const char *name; /* quoted, as the server writes it */
    bool root;        /* partitioned: its rows are its partitions' */
    double estimate;  /* below 0: none */
    uint64_t rows;    /* recorded */
    bool some;        /* it has rows now */
};

struct tables {
    const struct pg_audit *audit;
    PGresult *live;
    json_t *index; /* pg_name_key → the row in `live` */
    json_t *recorded;
    struct table *items; /* those that are both recorded with rows, and live */
    size_t count;
};

enum { SCHEMA, RELATION, NAME, KIND, ESTIMATE, READABLE, WANTED, ROOT_SCHEMA, ROOT };

/* ---- what there is ---- */

static int read_live(struct tables *tables)
{
    struct pg_text sql = {0};
    /* Before version 14 the estimate of a table that was never looked at is 0, and so is that of an empty one. */
    pg_text_add(&sql, "SELECT n.nspname, c.relname, format('%I.%I', n.nspname, c.relname), c.relkind,"
                      " CASE WHEN c.reltuples > 0 THEN c.reltuples ELSE -1 END,"
                      " NOT (c.relpersistence = 'u' AND pg_is_in_recovery()),"
                      " NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid"
                      "  AND d.deptype = 'e')");
    int result = pg_pattern_data_selection(tables->audit->conn, tables->audit->source, &sql);
    pg_text_add(&sql, ", m.nspname, r.relname"
                      " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                      " LEFT JOIN pg_class r ON r.oid = pg_partition_root(c.oid) AND r.oid <> c.oid"
                      " LEFT JOIN pg_namespace m ON m.oid = r.relnamespace"
                      " WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'"
                      " AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'"
                      " ORDER BY 1, 2");
    result = result == HF_OK ? pg_text_check(&sql, tables->audit->ctx) : result;
    result = result == HF_OK ? pg_query(tables->audit->conn, "list the tables", sql.data, &tables->live) : result;
    pg_text_clear(&sql);
    for (int i = 0; result == HF_OK && i < PQntuples(tables->live); i++) {
        pg_auto_text key = pg_name_key(PQgetvalue(tables->live, i, SCHEMA), PQgetvalue(tables->live, i, RELATION));
        if (!key || json_object_set_new_nocheck(tables->index, key, json_integer(i)) != 0)
            result = pg_nomem(tables->audit->ctx);
    }
    return result;
}

/* The row of a recorded table; -1: it is gone. */
static int find_live(const struct tables *tables, const char *name)
{
    pg_auto_text schema = NULL, relation = NULL;
    if (!pg_name_split(name, strlen(name), &schema, &relation))
        return -1;
    pg_auto_text key = pg_name_key(schema, relation);
    const json_t *row = key ? json_object_get(tables->index, key) : NULL;
    return row ? (int)json_integer_value(row) : -1;
}

static int match(struct tables *tables)
{
    const struct pg_audit *audit = tables->audit;
    const char *name;
    json_t *value;
    size_t gone = 0;
    int result = HF_OK;
    json_object_foreach(tables->recorded, name, value)
    {
        struct pg_rows rows = {0};
        int row = find_live(tables, name);
        if (!pg_rows_of_json(value, &rows))
            return pg_host->fail(audit->ctx, HF_E_CORRUPT, "what the backup recorded of table '%s' is not readable",
                                 name);
        if (row < 0)
            result = pg_audit_tell(audit, &gone, HF_ERROR, "table-gone", name,
                                   "the newest backup has it with %llu rows, and the server has it no more",
                                   (unsigned long long)rows.rows);
        else if (rows.rows > 0 && PQgetvalue(tables->live, row, READABLE)[0] == 't')
            tables->items[tables->count++] = (struct table){
                .name = PQgetvalue(tables->live, row, NAME),
                .root = PQgetvalue(tables->live, row, KIND)[0] == 'p',
                .estimate = strtod(PQgetvalue(tables->live, row, ESTIMATE), NULL),
                .rows = rows.rows,
            };
        if (result < 0)
            return result;
    }
    return pg_audit_told(audit, gone, HF_ERROR, "table-gone", "other tables");
}

static bool is_recorded(const json_t *known, const char *schema, const char *relation)
{
    pg_auto_text key = pg_name_key(schema, relation);
    return key && json_object_get(known, key);
}

/* Of those that the profile's patterns select, and no extension brought. */
static int tell_new(struct tables *tables)
{
    pg_auto_json known = json_object();
    const char *name;
    json_t *value;
    size_t told = 0;
    int result = known ? HF_OK : pg_nomem(tables->audit->ctx);
    json_object_foreach(tables->recorded, name, value)
    {
        pg_auto_text schema = NULL, relation = NULL;
        if (!pg_name_split(name, strlen(name), &schema, &relation))
            continue;
        pg_auto_text key = pg_name_key(schema, relation);
        if (!key || json_object_set_new_nocheck(known, key, json_true()) != 0)
            return pg_nomem(tables->audit->ctx);
    }
    for (int i = 0; result == HF_OK && i < PQntuples(tables->live); i++) {
        const char *root = PQgetvalue(tables->live, i, ROOT);
        if (PQgetvalue(tables->live, i, KIND)[0] == 'p' || PQgetvalue(tables->live, i, WANTED)[0] != 't' ||
            is_recorded(known, PQgetvalue(tables->live, i, SCHEMA), PQgetvalue(tables->live, i, RELATION)) ||
            (root[0] && is_recorded(known, PQgetvalue(tables->live, i, ROOT_SCHEMA), root)))
            continue;
        result = pg_audit_tell(tables->audit, &told, HF_INFO, "table-new", PQgetvalue(tables->live, i, NAME),
                               "is not in the newest backup");
    }
    return result == HF_OK ? pg_audit_told(tables->audit, told, HF_INFO, "table-new", "other tables") : result;
}

/* ---- rows ---- */

static const char *only(const struct table *table)
{
    return table->root ? "" : "ONLY ";
}

/* Is there a row? Of so many tables in one query. */
static int ask_some(const struct tables *tables, size_t from, size_t to)
{
    struct pg_text sql = {0};
    PGresult *answer = NULL;
    for (size_t i = from; i < to; i++)
        pg_text_addf(&sql, "%sSELECT %zu, EXISTS (SELECT FROM %s%s)", i > from ? " UNION ALL " : "", i,
                     only(&tables->items[i]), tables->items[i].name);
    int result = pg_text_check(&sql, tables->audit->ctx);
    result = result == HF_OK ? pg_query(tables->audit->conn, "look into the tables", sql.data, &answer) : result;
    pg_auto_rows rows = answer;
    pg_text_clear(&sql);
    for (int i = 0; result == HF_OK && i < PQntuples(rows); i++) {
        size_t which = strtoull(PQgetvalue(rows, i, 0), NULL, 10);
        if (which < tables->count)
            tables->items[which].some = PQgetvalue(rows, i, 1)[0] == 't';
    }
    return result;
}

static int tell_emptied(struct tables *tables)
{
    size_t told = 0;
    int result = HF_OK;
    for (size_t i = 0; i < tables->count && result == HF_OK; i += AT_ONCE)
        result = ask_some(tables, i, i + AT_ONCE < tables->count ? i + AT_ONCE : tables->count);
    for (size_t i = 0; i < tables->count && result == HF_OK; i++) {
        if (!tables->items[i].some)
            result = pg_audit_tell(tables->audit, &told, HF_ERROR, "table-emptied", tables->items[i].name,
                                   "is empty; the newest backup has %llu rows of it",
                                   (unsigned long long)tables->items[i].rows);
    }
    return result == HF_OK ? pg_audit_told(tables->audit, told, HF_ERROR, "table-emptied", "other tables") : result;
}

static int tell_fallen(struct tables *tables)
{
    size_t told = 0;
    int result = HF_OK;
    for (size_t i = 0; i < tables->count && result == HF_OK; i++) {
        const struct table *table = &tables->items[i];
        PGresult *answer = NULL;
        if (!table->some || table->estimate >= (double)table->rows / 2)
            continue;
        result = pg_queryf(tables->audit->conn, "count the rows", &answer, "SELECT count(*) FROM %s%s", only(table),
                           table->name);
        pg_auto_rows rows = answer;
        uint64_t now = result == HF_OK ? strtoull(PQgetvalue(rows, 0, 0), NULL, 10) : 0;
        if (result == HF_OK && now < table->rows - table->rows / 2)
            result = pg_audit_tell(tables->audit, &told, HF_WARNING, "rows-fell", table->name,
                                   "has %llu rows; the newest backup has %llu of it", (unsigned long long)now,
                                   (unsigned long long)table->rows);
    }
    return result == HF_OK ? pg_audit_told(tables->audit, told, HF_WARNING, "rows-fell", "other tables") : result;
}

int pg_audit_tables(const struct pg_audit *audit)
{
    struct tables tables = {.audit = audit, .index = json_object()};
    tables.recorded = pg_recorded_fact(audit->ctx, audit->artifact, PG_FACT_TABLES);
    tables.items = calloc(json_object_size(tables.recorded) + 1, sizeof(*tables.items));
    int result = tables.index && tables.items ? HF_OK : pg_nomem(audit->ctx);
    if (result == HF_OK && !tables.recorded) {
        pg_host->log(audit->ctx, HF_LOG_INFO, "no tables are recorded%s%s to compare with",
                     audit->database[0] ? " of " : "", audit->database);
    } else if (result == HF_OK) {
        result = read_live(&tables);
        result = result == HF_OK ? match(&tables) : result;
        result = result == HF_OK ? tell_emptied(&tables) : result;
        result = result == HF_OK ? tell_fallen(&tables) : result;
        result = result == HF_OK ? tell_new(&tables) : result;
    }
    PQclear(tables.live);
    json_decref(tables.index);
    json_decref(tables.recorded);
    free(tables.items);
    return result;
}
