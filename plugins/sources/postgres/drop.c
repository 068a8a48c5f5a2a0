/* SPDX-License-Identifier: Apache-2.0
 *
 * Databases that a restore made and that are not to stay. Nothing here is stopped by what stopped the restore.
 */
#include "restore.h"

enum { KEYS = 100 };

/* Where the keeper is, but in another database. */
static PGconn *connect_beside(struct pg_conn *keeper, const char *database)
{
    const char *keys[KEYS + 1] = {0}, *values[KEYS + 1] = {0};
    size_t count = 0;
    PQconninfoOption *options = PQconninfo(keeper->pq);
    for (const PQconninfoOption *option = options; option && option->keyword && count < KEYS; option++) {
        bool named = strcmp(option->keyword, "dbname") == 0;
        if (!named && !option->val)
            continue;
        keys[count] = option->keyword;
        values[count++] = named ? database : option->val;
    }
    PGconn *pq = PQconnectdbParams(keys, values, 0);
    PQconninfoFree(options);
    return pq;
}

static void drop_subscription(PGconn *pq, const char *name)
{
    static const char *const statements[] = {"ALTER SUBSCRIPTION %s DISABLE",
                                             "ALTER SUBSCRIPTION %s SET (slot_name = NONE)", "DROP SUBSCRIPTION %s"};
    char *quoted = PQescapeIdentifier(pq, name, strlen(name));
    for (size_t i = 0; quoted && i < sizeof(statements) / sizeof(*statements); i++) {
        struct pg_text sql = {0};
        const char *place = strchr(statements[i], '%');
        pg_text_add_bytes(&sql, statements[i], (size_t)(place - statements[i]));
        pg_text_add(&sql, quoted);
        pg_text_add(&sql, place + 2);
        if (!sql.failed)
            PQclear(PQexec(pq, sql.data));
        pg_text_clear(&sql);
    }
    PQfreemem(quoted);
}

void pg_make_room(struct pg_conn *keeper, const char *database)
{
    PGconn *pq = connect_beside(keeper, database);
    PGresult *rows =
        PQexec(pq, "SET search_path = ''; SELECT format('DROP %s %s CASCADE', CASE relkind WHEN 'm'"
                   " THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, oid::regclass) FROM pg_class"
                   " WHERE relkind IN ('r', 'm') AND oid >= 16384 ORDER BY pg_total_relation_size(oid) DESC"
                   " LIMIT 50");
    for (int i = 0; PQresultStatus(rows) == PGRES_TUPLES_OK && i < PQntuples(rows); i++)
        PQclear(PQexec(pq, PQgetvalue(rows, i, 0)));
    PQclear(rows);
    PQfinish(pq);
}

void pg_drop_subscriptions(struct pg_conn *keeper, const char *database)
{
    const char *parameters[] = {database};
    PGresult *rows = PQexecParams(keeper->pq,
                                  "SELECT s.subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid"
                                  " WHERE d.datname = $1",
                                  1, NULL, parameters, NULL, NULL, 0);
    if (PQresultStatus(rows) == PGRES_TUPLES_OK && PQntuples(rows) > 0) {
        PGconn *pq = connect_beside(keeper, database);
        for (int i = 0; pq && PQstatus(pq) == CONNECTION_OK && i < PQntuples(rows); i++)
            drop_subscription(pq, PQgetvalue(rows, i, 0));
        PQfinish(pq);
    }
    PQclear(rows);
}
