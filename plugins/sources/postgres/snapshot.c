/* SPDX-License-Identifier: Apache-2.0
 *
 * One database at one moment: the snapshot, the locks that keep it readable, and what is to be read in it.
 */
#include <stdio.h>

#include "backup.h"

enum { LOCKS_AT_ONCE = 500, ATTEMPTS = 5 };

int pg_snapshot_join(struct pg_conn *conn, const char *snapshot)
{
    pg_auto_text literal = pg_quote_literal(conn, snapshot);
    if (!literal)
        return pg_nomem(conn->ctx);
    return pg_commandf(conn, "join the snapshot",
                       "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT %s", literal);
}

static int begin(struct pg_database *database)
{
    PGresult *answer = NULL;
    struct pg_conn *conn = database->leader;
    int result = pg_query(conn, "take the snapshot",
                          "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
                          "SELECT pg_export_snapshot(), pg_is_in_recovery(), current_database()",
                          &answer);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    free(database->snapshot);
    database->snapshot = strdup(PQgetvalue(rows, 0, 0));
    database->standby = PQgetvalue(rows, 0, 1)[0] == 't';
    if (!database->name)
        database->name = strdup(PQgetvalue(rows, 0, 2));
    return database->snapshot && database->name ? HF_OK : pg_nomem(conn->ctx);
}

/* What is locked keeps its name but for its schema's. */
static int check_names(struct pg_conn *conn, const struct pg_table *const *tables, size_t count, size_t *ret_at)
{
    struct pg_text sql = {0};
    PGresult *answer = NULL;
    pg_text_add(&sql, "SELECT at FROM (VALUES");
    for (size_t i = 0; i < count; i++) {
        pg_auto_text name = pg_quote_literal(conn, tables[i]->name);
        if (!name) {
            pg_text_clear(&sql);
            return pg_nomem(conn->ctx);
        }
        pg_text_addf(&sql, "%s (%zu, %u, %s)", i > 0 ? "," : "", i, tables[i]->oid, name);
    }
    pg_text_add(&sql, ") t (at, oid, name) WHERE to_regclass(name)::oid IS DISTINCT FROM oid::oid LIMIT 1");
    int result = pg_text_check(&sql, conn->ctx);
    result = result == HF_OK ? pg_query(conn, "look whether tables keep their names", sql.data, &answer) : result;
    pg_auto_rows rows = answer;
    pg_text_clear(&sql);
    if (result == HF_OK)
        *ret_at = PQntuples(rows) > 0 ? strtoull(PQgetvalue(rows, 0, 0), NULL, 10) : count;
    return result;
}

int pg_tables_check(struct pg_conn *conn, const struct pg_table *const *tables, size_t count,
                    const struct pg_table **ret_other)
{
    const struct pg_table *other = NULL;
    for (size_t at = 0; at < count && !other; at += LOCKS_AT_ONCE) {
        size_t some = count - at < LOCKS_AT_ONCE ? count - at : LOCKS_AT_ONCE, found = some;
        int result = check_names(conn, tables + at, some, &found);
        if (result < 0)
            return result;
        other = found < some ? tables[at + found] : NULL;
    }
    *ret_other = other;
    return HF_OK;
}

/* Whoever would change the tables' shape waits until the backup ends. *ret_same: none was gone. */
static int lock_tables(struct pg_database *database, bool *ret_same)
{
    struct pg_conn *conn = database->leader;
    for (size_t at = 0; at < database->table_count;) {
        struct pg_text sql = {0};
        size_t end = at + LOCKS_AT_ONCE < database->table_count ? at + LOCKS_AT_ONCE : database->table_count;
        for (size_t i = at; i < end; i++)
            pg_text_addf(&sql, "%s%s", i == at ? "LOCK TABLE ONLY " : ", ONLY ", database->tables[i].name);
        pg_text_add(&sql, " IN ACCESS SHARE MODE");
        PGresult *answer = NULL;
        int result = pg_text_check(&sql, conn->ctx);
        result = result == HF_OK ? pg_try(conn, sql.data, &answer) : result;
        pg_auto_rows rows = answer;
        pg_text_clear(&sql);
        if (result < 0)
            return result;
        if (pg_has_state(rows, "42P01") || pg_has_state(rows, "3F000")) { /* no such table, no such schema */
            *ret_same = false;
            return HF_OK;
        }
        if (!rows || pg_is_error(rows))
            result = pg_fail(conn, rows, "lock the tables");
        if (result == HF_E_BUSY)
            return pg_host->hint(
                conn->ctx, "somebody changes a table's definition, or waits to; see pg_locks, or raise lock_timeout");
        if (result < 0)
            return result;
        at = end;
    }
    return HF_OK;
}

static int check_all_names(struct pg_database *database, bool *ret_same)
{
    const struct pg_table *other = NULL, **tables = calloc(database->table_count + 1, sizeof(*tables));
    if (!tables)
        return pg_nomem(database->leader->ctx);
    for (size_t i = 0; i < database->table_count; i++)
        tables[i] = &database->tables[i];
    int result = pg_tables_check(database->leader, tables, database->table_count, &other);
    free(tables);
    if (result == HF_OK && other)
        *ret_same = false;
    return result;
}

/* TRUNCATE and some forms of ALTER TABLE between the snapshot and the locks leave a table that this snapshot would see
 * empty. The catalogs in the snapshot still name the table's old file, the server knows the new one. */
static int check_files(struct pg_database *database, bool *ret_same)
{
    PGresult *answer = NULL;
    int result = pg_query(database->leader, "look for tables that changed meanwhile",
                          "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relfilenode <> 0 AND oid >= 16384"
                          " AND relpersistence <> 't' AND relfilenode <> pg_relation_filenode(oid)",
                          &answer);
    pg_auto_rows rows = answer;
    if (result == HF_OK && strcmp(PQgetvalue(rows, 0, 0), "0") != 0)
        *ret_same = false;
    return result;
}

static void forget(struct pg_database *database)
{
    for (size_t i = 0; i < database->table_count; i++) {
        struct pg_table *table = &database->tables[i];
        free(table->name);
        free(table->relation);
        free(table->schema);
        free(table->owner);
        free(table->columns);
        free(table->where);
        free(table->root);
        free(table->group);
    }
    for (size_t i = 0; i < database->sequence_count; i++) {
        struct pg_sequence *sequence = &database->sequences[i];
        free(sequence->name);
        free(sequence->relation);
        free(sequence->schema);
        free(sequence->owner);
        free(sequence->table);
    }
    free(database->tables);
    free(database->sequences);
    database->tables = NULL;
    database->sequences = NULL;
    database->table_count = database->sequence_count = 0;
    pg_schema_clear(&database->schema);
    pg_owners_clear(&database->owners);
}

/* pg_dump reads the catalogs in the snapshot, and has the server describe what stands there as it is now: of what was
 * dropped meanwhile it cannot. *ret_gone: something was. */
static int look_for_gone(struct pg_conn *conn, bool *ret_gone)
{
    PGresult *answer = NULL;
    int result = pg_query(
        conn, "look for what was dropped meanwhile",
        "SELECT EXISTS (SELECT FROM pg_class WHERE oid >= 16384 AND has_table_privilege(oid, 'SELECT') IS NULL)"
        " OR EXISTS (SELECT FROM pg_proc WHERE oid >= 16384 AND has_function_privilege(oid, 'EXECUTE') IS NULL)"
        " OR EXISTS (SELECT FROM pg_type WHERE oid >= 16384 AND has_type_privilege(oid, 'USAGE') IS NULL)"
        " OR EXISTS (SELECT FROM pg_namespace WHERE oid >= 16384 AND has_schema_privilege(oid, 'USAGE') IS NULL)"
        " OR EXISTS (SELECT FROM pg_constraint WHERE oid >= 16384 AND pg_get_constraintdef(oid) IS NULL)",
        &answer);
    pg_auto_rows rows = answer;
    if (result == HF_OK)
        *ret_gone = PQgetvalue(rows, 0, 0)[0] == 't';
    return result;
}

static int dump_schema(const struct pg_source *source, struct pg_database *database, bool *ret_same)
{
    struct pg_conn *conn = database->leader;
    bool gone = false;
    int result = pg_schema_dump(source, conn, database->snapshot, &database->owners, &database->schema);
    if (result != HF_E_FAIL || look_for_gone(conn, &gone) != HF_OK || !gone)
        return result;
    pg_host->log(conn->ctx, HF_LOG_INFO, "something was dropped while pg_dump read the catalogs; it is run again");
    *ret_same = false;
    return HF_OK;
}

static int look(const struct pg_source *source, struct pg_database *database, bool *ret_same)
{
    int result = begin(database);
    result = result == HF_OK ? pg_owners_read(database->leader, &database->owners) : result;
    *ret_same = true;
    result = result == HF_OK ? dump_schema(source, database, ret_same) : result;
    result = result == HF_OK && *ret_same ? pg_plan_tables(source, database) : result;
    result = result == HF_OK && *ret_same ? lock_tables(database, ret_same) : result;
    result = result == HF_OK && *ret_same ? check_all_names(database, ret_same) : result;
    return result == HF_OK && *ret_same ? check_files(database, ret_same) : result;
}

int pg_snapshot_take(const struct pg_source *source, struct pg_database *database)
{
    struct hf_ctx *ctx = database->leader->ctx;
    bool same = false;
    int result = HF_OK;
    for (int attempt = 0; attempt < ATTEMPTS && !same; attempt++) {
        forget(database);
        if (attempt > 0)
            result = pg_command(database->leader, "begin again", "ROLLBACK");
        result = result == HF_OK ? look(source, database, &same) : result;
        if (result < 0)
            return result;
    }
    if (!same) {
        (void)pg_host->fail(ctx, HF_E_BUSY,
                            "tables of '%s' were dropped, renamed, truncated or rewritten in each of %d attempts to "
                            "take a snapshot",
                            database->name, (int)ATTEMPTS);
        return pg_host->hint(ctx, "back up when no DROP, TRUNCATE, VACUUM FULL or ALTER TABLE runs all the time");
    }
    result = pg_plan_data(source, database);
    result = result == HF_OK ? pg_plan_after(database) : result;
    pg_schema_clear(&database->schema); /* its pieces have all of it */
    return result == HF_OK ? pg_record_database(source, database) : result;
}

int pg_snapshot_check(struct pg_database *database, struct hf_ctx *ctx)
{
    database->leader->ctx = ctx;
    int result = pg_command(database->leader, "look whether the tables stayed locked", "SELECT 1");
    database->leader->ctx = NULL;
    if (result < 0 && result != HF_E_CANCELLED)
        return pg_host->hint(ctx,
                             "the session that locked the tables was ended while others read: what they read may have "
                             "changed, so nothing is kept; run the backup again");
    return result;
}

static void free_piece(struct pg_piece *piece)
{
    pg_text_clear(&piece->text);
    free(piece->group);
    free(piece->tables);
    free(piece);
}

void pg_database_clear(struct pg_database *database)
{
    forget(database);
    for (size_t i = 0; i < database->piece_count; i++)
        free_piece(database->pieces[i]);
    free(database->pieces);
    json_decref(database->sequence_values);
    pg_close(database->leader);
    free(database->name);
    free(database->artifact);
    free(database->snapshot);
    *database = (struct pg_database){0};
}
