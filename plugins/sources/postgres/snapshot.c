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

/* Whoever would change the tables' shape waits until the backup ends. */
static int lock_tables(struct pg_database *database)
{
    for (size_t at = 0; at < database->table_count;) {
        struct pg_text sql = {0};
        size_t end = at + LOCKS_AT_ONCE < database->table_count ? at + LOCKS_AT_ONCE : database->table_count;
        for (size_t i = at; i < end; i++)
            pg_text_addf(&sql, "%s%s", i == at ? "LOCK TABLE ONLY " : ", ONLY ", database->tables[i].name);
        pg_text_add(&sql, " IN ACCESS SHARE MODE");
        int result = pg_text_check(&sql, database->leader->ctx);
        result = result == HF_OK ? pg_command(database->leader, "lock the tables", sql.data) : result;
        pg_text_clear(&sql);
        if (result == HF_E_BUSY)
            return pg_host->hint(
                database->leader->ctx,
                "somebody changes a table's definition, or waits to; see pg_locks, or raise lock_timeout");
        if (result < 0)
            return result;
        at = end;
    }
    return HF_OK;
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
    if (result == HF_OK)
        *ret_same = strcmp(PQgetvalue(rows, 0, 0), "0") == 0;
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

static int look(const struct pg_source *source, struct pg_database *database, bool *ret_same)
{
    int result = begin(database);
    result = result == HF_OK ? pg_owners_read(database->leader, &database->owners) : result;
    result = result == HF_OK
                 ? pg_schema_dump(source, database->leader, database->snapshot, &database->owners, &database->schema)
                 : result;
    result = result == HF_OK ? pg_plan_tables(source, database) : result;
    result = result == HF_OK ? lock_tables(database) : result;
    return result == HF_OK ? check_files(database, ret_same) : result;
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
                            "tables of '%s' were truncated or rewritten in each of %d attempts to take a "
                            "snapshot",
                            database->name, (int)ATTEMPTS);
        return pg_host->hint(ctx, "back up when no TRUNCATE, VACUUM FULL or ALTER TABLE runs all the time");
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
