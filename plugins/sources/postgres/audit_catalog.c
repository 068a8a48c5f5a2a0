/* SPDX-License-Identifier: Apache-2.0
 *
 * What the catalogs say is wrong: indexes that are not used, collations whose order may have changed under the indexes,
 * sequences that will give numbers that are taken, transaction numbers that run out.
 */
#include "audit.h"

enum { AT_ONCE = 50 }; /* sequences in one query */

static int check_indexes(const struct pg_audit *audit)
{
    PGresult *answer = NULL;
    size_t told = 0;
    /* One that is being built concurrently is not yet valid, and rightly so. */
    int result = pg_query(audit->conn, "look at the indexes",
                          "SELECT format('%I.%I', n.nspname, c.relname), i.indrelid::regclass::text, c.relkind"
                          " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
                          " JOIN pg_namespace n ON n.oid = c.relnamespace"
                          " WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) AND c.relpersistence <> 't'"
                          " AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid"
                          "  AND p.datname = current_database()) ORDER BY 1",
                          &answer);
    pg_auto_rows rows = answer;
    for (int i = 0; result == HF_OK && i < PQntuples(rows); i++) {
        const char *name = PQgetvalue(rows, i, 0), *table = PQgetvalue(rows, i, 1);
        result = PQgetvalue(rows, i, 2)[0] == 'I'
                     ? pg_audit_tell(audit, &told, HF_WARNING, "index-invalid", name,
                                     "is not valid: not every partition of %s has it", table)
                     : pg_audit_tell(audit, &told, HF_ERROR, "index-invalid", name,
                                     "is not valid, and not used for %s: REINDEX INDEX CONCURRENTLY %s, or drop it",
                                     table, name);
    }
    return result == HF_OK ? pg_audit_told(audit, told, HF_ERROR, "index-invalid", "other indexes") : result;
}

/* ---- collations ---- */

static int check_database_collation(const struct pg_audit *audit)
{
    PGresult *answer = NULL;
    size_t told = 0;
    if (audit->conn->version < 150000)
        return HF_OK; /* older servers do not record it */
    int result = pg_query(audit->conn, "look at the database's collation",
                          "SELECT quote_ident(datname), datcollversion, pg_database_collation_actual_version(oid)"
                          " FROM pg_database WHERE datname = current_database() AND datcollversion IS NOT NULL"
                          " AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)",
                          &answer);
    pg_auto_rows rows = answer;
    if (result < 0 || PQntuples(rows) == 0)
        return result;
    const char *name = PQgetvalue(rows, 0, 0);
    return pg_audit_tell(
        audit, &told, HF_WARNING, "collation-version", name,
        "was made with version %s of its collation, and the machine has %s: its indexes on text may be in "
        "another order (REINDEX DATABASE %s, then ALTER DATABASE %s REFRESH COLLATION VERSION)",
        PQgetvalue(rows, 0, 1), PQgetvalue(rows, 0, 2), name, name);
}

/* Hundreds come with the server; only those that a column uses, or somebody made, matter. */
static int check_collations(const struct pg_audit *audit)
{
    PGresult *answer = NULL;
    size_t told = 0;
    int result = pg_query(audit->conn, "look at the collations",
                          "WITH used AS MATERIALIZED (SELECT * FROM pg_collation c WHERE collversion IS NOT NULL"
                          "  AND collencoding IN (-1, pg_char_to_encoding(getdatabaseencoding()))"
                          "  AND (c.oid >= 16384 OR c.oid IN (SELECT attcollation FROM pg_attribute"
                          "   WHERE attrelid >= 16384 AND attcollation <> 0)))"
                          " SELECT format('%I.%I', n.nspname, u.collname), u.collversion,"
                          "  pg_collation_actual_version(u.oid)"
                          " FROM used u JOIN pg_namespace n ON n.oid = u.collnamespace"
                          " WHERE u.collversion IS DISTINCT FROM pg_collation_actual_version(u.oid) ORDER BY 1",
                          &answer);
    pg_auto_rows rows = answer;
    for (int i = 0; result == HF_OK && i < PQntuples(rows); i++)
        result =
            pg_audit_tell(audit, &told, HF_WARNING, "collation-version", PQgetvalue(rows, i, 0),
                          "was made with version %s, and the machine has %s: indexes that use it may be in another "
                          "order (REINDEX them, then ALTER COLLATION %s REFRESH VERSION)",
                          PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2), PQgetvalue(rows, i, 0));
    return result == HF_OK ? pg_audit_told(audit, told, HF_WARNING, "collation-version", "other collations") : result;
}

/* ---- sequences ---- */

enum { SEQUENCE, TABLE, COLUMN };

static int ask_sequences(const struct pg_audit *audit, const PGresult *list, int from, int to, size_t *told)
{
    struct pg_text sql = {0};
    PGresult *answer = NULL;
    for (int i = from; i < to; i++)
        pg_text_addf(&sql,
                     "%sSELECT %d, most, last_value FROM %s, (SELECT max(%s) AS most FROM %s) m"
                     " WHERE most > last_value OR (most = last_value AND NOT is_called)",
                     i > from ? " UNION ALL " : "", i, PQgetvalue(list, i, SEQUENCE), PQgetvalue(list, i, COLUMN),
                     PQgetvalue(list, i, TABLE));
    int result = pg_text_check(&sql, audit->ctx);
    result = result == HF_OK ? pg_query(audit->conn, "look at the sequences", sql.data, &answer) : result;
    pg_auto_rows rows = answer;
    pg_text_clear(&sql);
    for (int i = 0; result == HF_OK && i < PQntuples(rows); i++) {
        int which = atoi(PQgetvalue(rows, i, 0));
        result = pg_audit_tell(audit, told, HF_WARNING, "sequence-behind", PQgetvalue(list, which, SEQUENCE),
                               "is at %s, and column %s of %s has %s already: the next row's number will be taken",
                               PQgetvalue(rows, i, 2), PQgetvalue(list, which, COLUMN), PQgetvalue(list, which, TABLE),
                               PQgetvalue(rows, i, 1));
    }
    return result;
}

/* Those that number a column which is unique by an index: the index knows the column's maximum at once. */
static int check_sequences(const struct pg_audit *audit)
{
    PGresult *answer = NULL;
    size_t told = 0;
    int result =
        pg_query(audit->conn, "list the sequences",
                 "SELECT format('%I.%I', m.nspname, s.relname), format('%I.%I', n.nspname, t.relname),"
                 "  quote_ident(a.attname)"
                 " FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'"
                 " JOIN pg_sequence q ON q.seqrelid = s.oid AND q.seqincrement > 0 AND NOT q.seqcycle"
                 " JOIN pg_namespace m ON m.oid = s.relnamespace"
                 " JOIN pg_class t ON t.oid = d.refobjid AND t.relkind = 'r' AND t.relpersistence <> 't'"
                 " JOIN pg_namespace n ON n.oid = t.relnamespace"
                 " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid"
                 "  AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)"
                 " WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass"
                 " AND d.deptype IN ('a', 'i')"
                 " AND NOT (pg_is_in_recovery() AND 'u' IN (t.relpersistence, s.relpersistence))"
                 " AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indisunique AND i.indisvalid"
                 "  AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum)"
                 " AND has_table_privilege(t.oid, 'SELECT') AND has_table_privilege(s.oid, 'SELECT')"
                 " AND NOT row_security_active(t.oid) ORDER BY 1",
                 &answer);
    pg_auto_rows rows = answer;
    int count = PQntuples(rows);
    for (int i = 0; result == HF_OK && i < count; i += AT_ONCE)
        result = ask_sequences(audit, rows, i, i + AT_ONCE < count ? i + AT_ONCE : count, &told);
    return result == HF_OK ? pg_audit_told(audit, told, HF_WARNING, "sequence-behind", "other sequences") : result;
}

/* ---- transaction numbers ---- */

/* The server stops taking writes at 2^31 less a margin, and warns in its own log only shortly before. */
static int check_age(const struct pg_audit *audit)
{
    enum { OLD = 1000000000, TOO_OLD = 1800000000 };
    PGresult *answer = NULL;
    size_t told = 0;
    int result = pg_query(audit->conn, "look at the database's age",
                          "SELECT quote_ident(datname), age(datfrozenxid), mxid_age(datminmxid) FROM pg_database"
                          " WHERE datname = current_database()",
                          &answer);
    pg_auto_rows rows = answer;
    if (result < 0 || PQntuples(rows) == 0)
        return result;
    long long age = strtoll(PQgetvalue(rows, 0, 1), NULL, 10), multi = strtoll(PQgetvalue(rows, 0, 2), NULL, 10);
    long long oldest = age > multi ? age : multi;
    return oldest < OLD
               ? HF_OK
               : pg_audit_tell(audit, &told, oldest < TOO_OLD ? HF_WARNING : HF_ERROR, "wraparound",
                               PQgetvalue(rows, 0, 0),
                               "its oldest %s is %lld transactions old, and at about 2100 million the server takes "
                               "no more writes: see why autovacuum does not get there, and VACUUM FREEZE",
                               age >= multi ? "row" : "row lock", oldest);
}

int pg_audit_catalog(const struct pg_audit *audit)
{
    int result = check_indexes(audit);
    result = result == HF_OK ? check_database_collation(audit) : result;
    result = result == HF_OK ? check_collations(audit) : result;
    result = result == HF_OK ? check_sequences(audit) : result;
    return result == HF_OK ? check_age(audit) : result;
}
