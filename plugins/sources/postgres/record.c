/* SPDX-License-Identifier: Apache-2.0
 *
 * What is recorded of a backup: facts that verification finds again in the artifact, and what else was so at that
 * moment.
 */
#include <stdio.h>

#include "backup.h"

/* ---- context ---- */

/* One row and column of JSON, under the key. */
static int record_query(struct pg_database *database, const char *key, const char *doing, const char *sql)
{
    PGresult *answer = NULL;
    struct pg_conn *conn = database->leader;
    int result = pg_query(conn, doing, sql, &answer);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    json_t *value =
        PQntuples(rows) == 1 && !PQgetisnull(rows, 0, 0) ? pg_json_of_server(PQgetvalue(rows, 0, 0)) : json_object();
    return value ? pg_report_context(conn->ctx, database->artifact, key, value)
                 : pg_host->fail(conn->ctx, HF_E_FAIL, "%s: what the server says is no JSON", doing);
}

static int record_properties(struct pg_database *database)
{
    json_t *properties = NULL;
    int result = pg_database_describe(database->leader, database->name, &properties);
    if (result < 0 || !properties)
        return result;
    return pg_report_context(database->leader->ctx, database->artifact, PG_CONTEXT_DATABASE, properties);
}

int pg_record_database(const struct pg_source *source, struct pg_database *database)
{
    (void)source;
    bool versions = database->leader->version >= 150000;
    int result = record_query(database, PG_CONTEXT_SERVER, "ask for the server's version",
                              "SELECT json_build_object('version', current_setting('server_version'), 'number',"
                              " current_setting('server_version_num')::int, 'standby', pg_is_in_recovery())");
    if (result == HF_OK)
        result = record_query(database, PG_CONTEXT_SNAPSHOT, "ask for the snapshot's place in the log",
                              "SELECT json_build_object('lsn', CASE WHEN pg_is_in_recovery() THEN"
                              " pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END, 'time', now())");
    if (result == HF_OK)
        result = record_query(database, PG_CONTEXT_EXTENSIONS, "list the extensions",
                              "SELECT json_object_agg(extname, extversion ORDER BY extname) FROM pg_extension");
    if (result == HF_OK)
        result = record_query(
            database, PG_CONTEXT_COLLATIONS, "list the collations' versions",
            versions
                ? "SELECT json_object_agg(name, version ORDER BY name) FROM (SELECT format('%I.%I', n.nspname,"
                  " c.collname) AS name, c.collversion AS version FROM pg_collation c JOIN pg_namespace n ON n.oid ="
                  " c.collnamespace WHERE c.oid >= 16384 AND c.collversion IS NOT NULL UNION ALL SELECT '',"
                  " datcollversion FROM pg_database WHERE datname = current_database() AND datcollversion IS NOT NULL) "
                  "v"
                : "SELECT json_object_agg(format('%I.%I', n.nspname, c.collname), c.collversion) FROM pg_collation c"
                  " JOIN pg_namespace n ON n.oid = c.collnamespace WHERE c.oid >= 16384 AND c.collversion IS NOT NULL");
    return result == HF_OK ? record_properties(database) : result;
}

static int set_text(json_t *object, const char *key, const char *text)
{
    return text ? json_object_set_new_nocheck(object, key, json_string_nocheck(text)) : 0;
}

/* Of a partition whose rows stand as those of its root only that is told. */
static int add_partition(json_t *layout, const struct pg_table *table)
{
    json_t *place = json_pack("{s:s, s:s}", "part", table->group, "root", table->root);
    return place ? json_object_set_new_nocheck(layout, table->name, place) : -1;
}

static int add_place(json_t *layout, const struct pg_table *table)
{
    json_t *place = json_object();
    int failed = place ? 0 : -1;
    failed = failed == 0 ? set_text(place, "part", table->group) : failed;
    failed = failed == 0 ? set_text(place, "columns", table->columns) : failed;
    failed = failed == 0 ? set_text(place, "where", table->where) : failed;
    if (failed != 0) {
        json_decref(place);
        return failed;
    }
    return json_object_set_new_nocheck(layout, table->root ? table->root : table->name, place);
}

/* ---- facts ---- */

static int record_tables(struct hf_ctx *ctx, const struct pg_database *database)
{
    json_t *tables = json_object(), *layout = json_object();
    int failed = tables && layout ? 0 : -1;
    for (size_t i = 0; i < database->table_count && failed == 0; i++) {
        const struct pg_table *table = &database->tables[i];
        failed = table->root ? add_partition(layout, table) : 0;
        if (table->into != table || failed != 0)
            continue;
        failed =
            json_object_set_new_nocheck(tables, table->root ? table->root : table->name, pg_rows_json(&table->rows));
        failed = failed == 0 ? add_place(layout, table) : failed;
    }
    if (failed != 0) {
        json_decref(tables);
        json_decref(layout);
        return pg_nomem(ctx);
    }
    int result = pg_report_fact(ctx, database->artifact, PG_FACT_TABLES, tables);
    int also = pg_report_context(ctx, database->artifact, PG_CONTEXT_LAYOUT, layout);
    return result < 0 ? result : also;
}

static int record_objects(struct hf_ctx *ctx, const struct pg_database *database)
{
    const struct pg_objects *objects = &database->object_sum;
    char sum[17];
    (void)snprintf(sum, sizeof(sum), "%016llx", (unsigned long long)objects->rows.sum);
    json_t *fact = json_pack("{s:I, s:I, s:s}", "count", (json_int_t)objects->rows.rows, "bytes",
                             (json_int_t)objects->bytes, "sum", sum);
    return fact ? pg_report_fact(ctx, database->artifact, PG_FACT_LARGE_OBJECTS, fact) : pg_nomem(ctx);
}

int pg_record_facts(struct hf_ctx *ctx, const struct pg_database *database)
{
    int result = record_tables(ctx, database);
    if (result == HF_OK && database->sequence_values)
        result = pg_report_fact(ctx, database->artifact, PG_FACT_SEQUENCES, json_incref(database->sequence_values));
    return result == HF_OK && database->objects ? record_objects(ctx, database) : result;
}
