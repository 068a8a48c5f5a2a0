/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics at the end of a restore. A table with parts on another server asks that server for rows of them, which may
 * be far away or gone: such a table is left out, what it has here is not.
 */
#include "restore.h"

/* Partitioned tables, and parents, that have a foreign table below them. */
static const char far_query[] =
    "WITH RECURSIVE above (oid) AS (SELECT i.inhparent FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    "  WHERE c.relkind = 'f' UNION SELECT i.inhparent FROM pg_inherits i JOIN above a ON a.oid = i.inhrelid)";

static int add_names(struct pg_conn *conn, struct pg_text *sql)
{
    PGresult *answer = NULL;
    pg_auto_text query =
        pg_format(conn->ctx,
                  "%s SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n"
                  " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't'"
                  " AND n.nspname <> 'pg_toast' AND c.oid NOT IN (TABLE above) AND EXISTS (TABLE above)",
                  far_query);
    if (!query)
        return pg_nomem(conn->ctx);
    int result = pg_query(conn, "look for tables with parts elsewhere", query, &answer);
    pg_auto_rows rows = answer;
    for (int i = 0; result == HF_OK && i < PQntuples(rows); i++)
        pg_text_addf(sql, "%s%s", i > 0 ? ", " : " ", PQgetvalue(rows, i, 0));
    return result;
}

static int add_only(const struct pg_target *target, struct pg_conn *conn, struct pg_text *sql)
{
    for (size_t i = 0; i < target->only.count; i++) {
        pg_auto_text schema = pg_quote_ident(conn, target->only.items[i].schema);
        pg_auto_text relation = pg_quote_ident(conn, target->only.items[i].relation);
        if (!schema || !relation)
            return pg_nomem(conn->ctx);
        pg_text_addf(sql, "%s%s.%s", i > 0 ? ", " : " ", schema, relation);
    }
    return HF_OK;
}

static int run(struct pg_target *target, struct pg_conn *conn, const char *sql)
{
    PGresult *answer = NULL;
    /* With single tables this is part of the one transaction, which an error would end. */
    int result = target->into ? pg_command(conn, "analyze", "SAVEPOINT holdfast_analyze") : HF_OK;
    result = result == HF_OK ? pg_try(conn, sql, &answer) : result;
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    bool failed = !rows || pg_is_error(rows);
    if (failed && PQstatus(conn->pq) != CONNECTION_OK)
        return pg_fail(conn, rows, "analyze");
    if (target->into)
        result = pg_command(conn, "analyze",
                            failed ? "ROLLBACK TO SAVEPOINT holdfast_analyze" : "RELEASE SAVEPOINT holdfast_analyze");
    if (failed && result == HF_OK)
        result = pg_host->finding(conn->ctx, HF_WARNING, "not-analyzed", target->database,
                                  "ANALYZE failed, and the first queries may be slow: %s",
                                  rows ? PQresultErrorField(rows, PG_DIAG_MESSAGE_PRIMARY) : "no answer");
    return result;
}

int pg_analyze(struct pg_target *target, struct pg_conn *conn)
{
    struct pg_text sql = {0};
    pg_text_add(&sql, "ANALYZE");
    int result = target->only.count > 0 ? add_only(target, conn, &sql) : add_names(conn, &sql);
    result = result == HF_OK ? pg_text_check(&sql, conn->ctx) : result;
    result = result == HF_OK ? run(target, conn, sql.data) : result;
    pg_text_clear(&sql);
    return result < 0 ? result : HF_OK;
}
