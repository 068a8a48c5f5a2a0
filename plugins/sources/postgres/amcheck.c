/* SPDX-License-Identifier: Apache-2.0
 *
 * Every B-tree index and every table read in full, by the server's own extension amcheck: pages and rows are sound, and
 * each row is found in each index.
 */
#include "audit.h"
#include "restore.h"

struct amcheck {
    const struct pg_audit *audit;
    char *schema;         /* where the extension's functions are, quoted */
    bool indexes, tables; /* what it offers */
    size_t damaged, skipped;
};

static const char about[] = "amcheck";

/* Of an extension that is older than its server not all functions are there. */
static int find_extension(struct amcheck *amcheck)
{
    const struct pg_audit *audit = amcheck->audit;
    PGresult *answer = NULL;
    size_t told = 0;
    int result =
        pg_query(audit->conn, "look for amcheck",
                 "SELECT quote_ident(n.nspname),"
                 " to_regprocedure(format('%I.bt_index_check(regclass, boolean)', n.nspname)) IS NOT NULL OR"
                 " to_regprocedure(format('%I.bt_index_check(regclass, boolean, boolean)', n.nspname)) IS NOT NULL,"
                 " EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname = 'verify_heapam')"
                 " FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'amcheck'",
                 &answer);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    if (PQntuples(rows) == 0)
        return pg_audit_tell(
            audit, &told, HF_ERROR, "amcheck-missing", about,
            "extension amcheck is not in database '%s': install the server's contrib package, and CREATE "
            "EXTENSION amcheck there",
            audit->conn->database);
    amcheck->schema = strdup(PQgetvalue(rows, 0, 0));
    amcheck->indexes = PQgetvalue(rows, 0, 1)[0] == 't';
    amcheck->tables = PQgetvalue(rows, 0, 2)[0] == 't';
    if (!amcheck->schema)
        return pg_nomem(audit->ctx);
    if (!amcheck->indexes)
        return pg_audit_tell(audit, &told, HF_WARNING, "amcheck-old", about,
                             "is too old to look for each row in each index: ALTER EXTENSION amcheck UPDATE");
    if (!amcheck->tables)
        pg_host->log(audit->ctx, HF_LOG_INFO, "indexes only: this amcheck has no check of tables (PostgreSQL 14 has)");
    return HF_OK;
}

/* What the server says instead of an answer. Damage is an error of its own class; a relation that was dropped, or that
 * somebody has locked, is none; and without rights nothing is known. */
static int judge(struct amcheck *amcheck, const PGresult *answer, const char *name, const char *doing)
{
    const struct pg_audit *audit = amcheck->audit;
    const char *text = PQresultErrorField(answer, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(answer, PG_DIAG_MESSAGE_DETAIL);
    const char *state = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
    if (!state || !text || !strncmp(state, "57", 2) || !strncmp(state, "08", 2) || !strncmp(state, "53", 2))
        return pg_fail(audit->conn, state ? answer : NULL, doing);
    if (!strcmp(state, "42501")) {
        (void)pg_fail(audit->conn, answer, doing);
        return pg_host->hint(audit->ctx,
                             "connect as a superuser, or GRANT EXECUTE ON FUNCTION … of amcheck to the role");
    }
    if (!strcmp(state, "42P01") || !strcmp(state, "42704"))
        return HF_OK;
    if (!strcmp(state, "55P03") || !strcmp(state, "40P01") || !strcmp(state, "40001"))
        return pg_audit_tell(audit, &amcheck->skipped, HF_WARNING, "amcheck-skipped", name, "was not checked: %s",
                             text);
    return pg_audit_tell(audit, &amcheck->damaged, HF_ERROR, "amcheck", name, "%s%s%s", text, detail ? ": " : "",
                         detail ? detail : "");
}

static int check_index(struct amcheck *amcheck, const char *oid, const char *name)
{
    struct pg_conn *conn = amcheck->audit->conn;
    PGresult *answer = NULL;
    pg_auto_text sql =
        pg_format(amcheck->audit->ctx, "SELECT %s.bt_index_check(%s::regclass, true)", amcheck->schema, oid);
    int result = sql ? pg_try(conn, sql, &answer) : HF_E_NOMEM;
    pg_auto_rows rows = answer;
    return result == HF_OK && (!rows || pg_is_error(rows)) ? judge(amcheck, rows, name, "check the index") : result;
}

static int check_table(struct amcheck *amcheck, const char *oid, const char *name)
{
    const struct pg_audit *audit = amcheck->audit;
    PGresult *answer = NULL;
    pg_auto_text sql = pg_format(audit->ctx,
                                 "SELECT blkno, offnum, msg, count(*) OVER () FROM %s.verify_heapam(%s::regclass,"
                                 " check_toast => true) LIMIT 3",
                                 amcheck->schema, oid);
    int result = sql ? pg_try(audit->conn, sql, &answer) : HF_E_NOMEM;
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    if (!rows || pg_is_error(rows))
        return judge(amcheck, rows, name, "check the table");
    for (int i = 0; i < PQntuples(rows) && result == HF_OK; i++)
        result = pg_audit_tell(audit, &amcheck->damaged, HF_ERROR, "amcheck", name, "block %s, row %s: %s (%s in all)",
                               PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2),
                               PQgetvalue(rows, i, 3));
    return result;
}

static int check_all(struct amcheck *amcheck)
{
    const struct pg_audit *audit = amcheck->audit;
    PGresult *answer = NULL;
    uint64_t done = 0, total = 0;
    /* The system's own, too; not what other sessions keep for themselves, nor what a standby has no data of. */
    int result =
        pg_queryf(audit->conn, "list tables and indexes", &answer,
                  "SELECT c.oid, format('%%I.%%I', n.nspname, c.relname), c.relkind = 'i',"
                  " pg_relation_size(c.oid)"
                  " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am a ON a.oid = c.relam"
                  " LEFT JOIN pg_index i ON i.indexrelid = c.oid"
                  " WHERE c.relpersistence <> 't' AND NOT (c.relpersistence = 'u' AND pg_is_in_recovery())"
                  " AND ((%s AND c.relkind = 'i' AND a.amname = 'btree' AND i.indisvalid AND i.indisready)"
                  "  OR (%s AND c.relkind IN ('r', 'm', 't') AND a.amname = 'heap'))"
                  " ORDER BY pg_relation_size(c.oid) DESC",
                  amcheck->indexes ? "true" : "false", amcheck->tables ? "true" : "false");
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    for (int i = 0; i < PQntuples(rows); i++)
        total += strtoull(PQgetvalue(rows, i, 3), NULL, 10);
    for (int i = 0; i < PQntuples(rows) && result == HF_OK; i++) {
        const char *oid = PQgetvalue(rows, i, 0), *name = PQgetvalue(rows, i, 1);
        result = PQgetvalue(rows, i, 2)[0] == 't' ? check_index(amcheck, oid, name) : check_table(amcheck, oid, name);
        done += strtoull(PQgetvalue(rows, i, 3), NULL, 10);
        pg_host->progress(audit->ctx, done, total);
    }
    result = result == HF_OK ? pg_audit_told(audit, amcheck->damaged, HF_ERROR, "amcheck", "others") : result;
    return result == HF_OK ? pg_audit_told(audit, amcheck->skipped, HF_WARNING, "amcheck-skipped", "others") : result;
}

int pg_audit_amcheck(const struct pg_audit *audit)
{
    struct amcheck amcheck = {.audit = audit};
    int result = find_extension(&amcheck);
    if (result == HF_OK && (amcheck.indexes || amcheck.tables))
        result = check_all(&amcheck);
    free(amcheck.schema);
    return result;
}
