/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows: from the server into the pipeline's blocks, counted and summed up on the way.
 */
#include <stdarg.h>
#include <stdio.h>

#include "backup.h"

/* ---- out ---- */

static bool flush(struct pg_out *out)
{
    if (out->used > 0 && out->result == HF_OK)
        out->result = pg_host->commit(out->writer, out->used);
    out->used = out->room = 0;
    return out->result == HF_OK;
}

void pg_out_add(struct pg_out *out, const void *data, size_t size)
{
    const char *from = data;
    while (size > 0 && out->result == HF_OK) {
        if (out->used == out->room) {
            void *space = NULL;
            if (!flush(out))
                return;
            out->result = pg_host->reserve(out->writer, &space, &out->room);
            if (out->result != HF_OK)
                return;
            out->space = space;
        }
        size_t piece = out->room - out->used < size ? out->room - out->used : size;
        memcpy(out->space + out->used, from, piece);
        out->used += piece;
        from += piece;
        size -= piece;
    }
}

void pg_out_text(struct pg_out *out, const char *text)
{
    pg_out_add(out, text, strlen(text));
}

void pg_out_format(struct pg_out *out, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int size = vasprintf(&text, format, args);
    va_end(args);
    if (size < 0) {
        out->result = out->result == HF_OK ? HF_E_NOMEM : out->result;
        return;
    }
    pg_out_add(out, text, (size_t)size);
    free(text);
}

int pg_out_end(struct pg_out *out)
{
    (void)flush(out);
    return out->result;
}

/* pg_dump writes names in comments so, lest one ends the comment. */
static void add_name(struct pg_out *out, const char *name)
{
    for (; *name; name++) {
        size_t plain = strcspn(name, "\r\n");
        pg_out_add(out, name, plain);
        name += plain;
        if (!*name)
            return;
        pg_out_text(out, " ");
    }
}

void pg_out_entry(struct pg_out *out, const char *prefix, const char *name, const char *type, const char *schema,
                  const char *owner, const char *table)
{
    pg_auto_text escaped = table ? pg_script_escape(table) : NULL;
    if (table && !escaped)
        out->result = out->result == HF_OK ? HF_E_NOMEM : out->result;
    pg_out_format(out, "--\n-- %sName: ", prefix);
    add_name(out, name);
    pg_out_format(out, "; Type: %s; Schema: ", type);
    add_name(out, schema);
    pg_out_text(out, "; Owner: ");
    add_name(out, owner[0] ? owner : "-");
    if (escaped)
        pg_out_format(out, "\n-- Table: %s", escaped);
    pg_out_text(out, "\n--\n\n");
}

/* ---- rows ---- */

/* As short as it may be: the server is fastest without a query around the table. */
static int statement(struct pg_conn *conn, const struct pg_piece *piece, const struct pg_table *table,
                     struct pg_text *sql)
{
    bool whole = piece->to == 0;
    const char *columns = table->columns;
    size_t size = strlen(columns);
    if (whole && !table->where && !table->root) {
        pg_text_addf(sql, "COPY %s %s TO STDOUT", table->name, columns);
        return pg_text_check(sql, conn->ctx);
    }
    pg_text_add(sql, "COPY (SELECT ");
    if (size > 2)
        pg_text_add_bytes(sql, columns + 1, size - 2);
    pg_text_addf(sql, " FROM ONLY %s", table->name);
    if (table->where)
        pg_text_addf(sql, " %s", table->where);
    if (!whole)
        pg_text_addf(sql, " WHERE ctid >= '(%llu,0)'", (unsigned long long)piece->from);
    if (!whole && piece->to != UINT64_MAX)
        pg_text_addf(sql, " AND ctid < '(%llu,0)'", (unsigned long long)piece->to);
    pg_text_add(sql, ") TO STDOUT");
    return pg_text_check(sql, conn->ctx);
}

/* All rows of one COPY. A connection that ends before the server has said how many there were is a failure. */
static int stream(struct pg_conn *conn, const char *doing, struct pg_out *out, struct pg_rows *rows)
{
    PGconn *pq = conn->pq;
    char *row = NULL;
    bool waited = true; /* since there were no rows: libpq takes only so much of what has come at a time */
    int size;
    while ((size = PQgetCopyData(pq, &row, 1)) >= 0) {
        if (size == 0) {
            int result = waited ? HF_OK : pg_wait(conn, false);
            waited = !waited;
            if (result < 0)
                return result;
            if (!PQconsumeInput(pq))
                return pg_fail(conn, NULL, doing);
            continue;
        }
        waited = true;
        pg_rows_add(rows, row, (size_t)size - 1);
        pg_out_add(out, row, (size_t)size);
        PQfreemem(row);
        if (out->result != HF_OK)
            return out->result;
    }
    return size == -1 ? HF_OK : pg_fail(conn, NULL, doing);
}

static int finish(struct pg_conn *conn, const char *doing, uint64_t rows)
{
    PGresult *answer = NULL;
    int result = pg_finish(conn, &answer);
    pg_auto_rows last = answer;
    if (result < 0)
        return result;
    if (PQresultStatus(last) != PGRES_COMMAND_OK)
        return pg_fail(conn, PQresultErrorField(last, PG_DIAG_SQLSTATE) ? last : NULL, doing);
    unsigned long long said = strtoull(PQcmdTuples(last), NULL, 10);
    if (said == rows)
        return HF_OK;
    return pg_host->fail(conn->ctx, HF_E_FAIL, "%s: the server says it sent %llu rows, and %llu came", doing, said,
                         (unsigned long long)rows);
}

static int copy_table(struct pg_conn *conn, const struct pg_piece *piece, const struct pg_table *table,
                      struct pg_out *out, struct pg_rows *ret_rows)
{
    struct pg_rows rows = {0};
    struct pg_text sql = {0};
    PGresult *answer = NULL;
    pg_auto_text doing = pg_format(conn->ctx, "read table %s", table->name);
    int result = doing ? statement(conn, piece, table, &sql) : HF_E_NOMEM;
    result = result == HF_OK ? pg_try(conn, sql.data, &answer) : result;
    pg_text_clear(&sql);
    pg_auto_rows begin = answer;
    if (result < 0)
        return result;
    if (PQresultStatus(begin) != PGRES_COPY_OUT)
        return pg_fail(conn, PQresultErrorField(begin, PG_DIAG_SQLSTATE) ? begin : NULL, doing);
    pg_out_entry(out, "Data for ", table->relation, "TABLE DATA", table->schema, table->owner,
                 table->root ? table->root : table->name);
    pg_out_format(out, "COPY %s %s FROM stdin;\n", table->root ? table->root : table->name, table->columns);
    result = stream(conn, doing, out, &rows);
    result = result == HF_OK ? finish(conn, doing, rows.rows) : result;
    pg_out_text(out, "\\.\n\n\n");
    *ret_rows = rows;
    return result == HF_OK ? out->result : result;
}

/* Tables are locked, but not their schemas' names. */
static int check_names(struct pg_conn *conn, const struct pg_piece *piece)
{
    const struct pg_table *other = NULL;
    int result = pg_tables_check(conn, (const struct pg_table *const *)piece->tables, piece->table_count, &other);
    if (result < 0 || !other)
        return result;
    (void)pg_host->fail(conn->ctx, HF_E_FAIL, "table %s has become another one while it was read", other->name);
    return pg_host->hint(conn->ctx, "back up when nobody renames schemas");
}

int pg_copy_write(struct pg_conn *conn, const struct pg_piece *piece, struct pg_out *out, struct pg_rows *ret_rows)
{
    int result = HF_OK;
    for (size_t i = 0; i < piece->table_count && result == HF_OK; i++)
        result = copy_table(conn, piece, piece->tables[i], out, &ret_rows[i]);
    return result == HF_OK ? check_names(conn, piece) : result;
}
