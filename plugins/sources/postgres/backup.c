/* SPDX-License-Identifier: Apache-2.0
 *
 * Backup: all snapshots are taken at the begin, so that whatever is wrong shows before the first byte; then the parts
 * of each database are read on as many connections as the core has threads.
 */
#include <ctype.h>
#include <stdio.h>

#include "backup.h"
#include "pattern.h"

/* A connection in a database's snapshot. */
struct worker {
    struct worker *next;
    struct pg_database *database;
    struct pg_conn *conn;
};

struct session {
    const struct pg_source *source;
    struct pg_place place;
    struct pg_database *databases;
    size_t count, at; /* the one whose pieces are listed now */
    struct pg_text globals;
    struct pg_piece globals_piece;
    bool globals_listed;
    pthread_mutex_t lock; /* of what follows, and of the databases' facts */
    struct worker *idle;
};

static void free_session(struct session *session)
{
    while (session->idle) {
        struct worker *worker = session->idle;
        session->idle = worker->next;
        pg_close(worker->conn);
        free(worker);
    }
    for (size_t i = 0; i < session->count; i++)
        pg_database_clear(&session->databases[i]);
    free(session->databases);
    pg_text_clear(&session->globals_piece.text);
    pg_place_clear(&session->place);
    pthread_mutex_destroy(&session->lock);
    free(session);
}

/* ---- which databases ---- */

/* '_' separates a name's pieces, and a key's letters are few. Two that become the same are told apart by their OID. */
static char *artifact_name(struct hf_ctx *ctx, const char *database, const char *oid, const struct session *session)
{
    char safe[100];
    size_t used = 0;
    for (const char *at = database; *at && used + 1 < sizeof(safe); at++)
        safe[used++] = isalnum((unsigned char)*at) || *at == '.' ? *at : '-';
    safe[used] = 0;
    if (safe[0] == '.')
        safe[0] = '-';
    bool taken = !strcmp(safe, "globals") || used == 0;
    for (size_t i = 0; i < session->count; i++)
        taken = taken || !strcmp(session->databases[i].artifact, safe);
    return taken ? pg_format(ctx, "%s-%s", safe, oid) : pg_format(ctx, "%s", safe);
}

static int add_database(struct session *session, struct hf_ctx *ctx, const char *name, const char *oid)
{
    struct pg_database *databases = reallocarray(session->databases, session->count + 1, sizeof(*databases));
    if (!databases)
        return pg_nomem(ctx);
    session->databases = databases;
    struct pg_database *database = &databases[session->count];
    *database = (struct pg_database){
        .name = name ? strdup(name) : NULL,
        .artifact = name ? artifact_name(ctx, name, oid, session) : strdup(""),
        .filtered = session->source->schema.count > 0 || session->source->table.count > 0,
    };
    session->count++;
    return database->artifact && (database->name || !name) ? HF_OK : pg_nomem(ctx);
}

/* Several, by their names. Templates are not for data. */
static int find_databases(struct session *session, struct hf_ctx *ctx)
{
    const struct pg_source *source = session->source;
    struct pg_text sql = {0};
    PGresult *answer = NULL;
    struct pg_conn *opened = NULL;
    int result = pg_open(source, ctx, NULL, source->maintenance_db, &opened);
    pg_auto_conn conn = opened;
    if (result < 0)
        return result;
    result = pg_place_of(conn, ctx, &session->place);
    pg_text_add(&sql, "SELECT datname, oid FROM pg_database WHERE datallowconn AND NOT datistemplate AND (");
    result = result == HF_OK ? pg_pattern_condition(conn, &source->databases, NULL, "datname", NULL, &sql) : result;
    pg_text_add(&sql, ") AND NOT (");
    result =
        result == HF_OK ? pg_pattern_condition(conn, &source->exclude_databases, NULL, "datname", NULL, &sql) : result;
    pg_text_add(&sql, ") ORDER BY datname COLLATE \"C\"");
    result = result == HF_OK ? pg_text_check(&sql, ctx) : result;
    result = result == HF_OK ? pg_query(conn, "list the databases", sql.data, &answer) : result;
    pg_auto_rows rows = answer;
    pg_text_clear(&sql);
    for (int i = 0; result == HF_OK && i < PQntuples(rows); i++)
        result = add_database(session, ctx, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1));
    if (result == HF_OK && session->count == 0) {
        (void)pg_host->fail(ctx, HF_E_NOTFOUND, "no database of the server matches 'databases'");
        return pg_host->hint(ctx, "'*' matches all but templates; see what there is with: psql -l");
    }
    return result;
}

/* ---- begin ---- */

static int take_globals(struct session *session, struct hf_ctx *ctx)
{
    const struct pg_source *source = session->source;
    const char *arguments[] = {"--globals-only", source->role_passwords ? NULL : "--no-role-passwords", NULL};
    struct pg_conn *leader = session->databases[0].leader;
    char *found = NULL;
    int version = 0;
    int result = pg_tool_find(source, ctx, "pg_dumpall", leader->version, &found, &version);
    pg_auto_text path = found;
    struct pg_piece *piece = &session->globals_piece;
    result = result == HF_OK ? pg_tool_run(source, leader, path, arguments, &piece->text) : result;
    piece->kind = PG_PIECE_TEXT;
    piece->phase = 3;
    (void)snprintf(piece->name, sizeof(piece->name), "globals");
    piece->estimate = piece->text.used;
    return result;
}

static int record_databases(const struct session *session, struct hf_ctx *ctx)
{
    json_t *names = json_object();
    if (session->source->databases.count == 0) { /* one, which has no name of its own in the backup */
        json_decref(names);
        return HF_OK;
    }
    for (size_t i = 0; names && i < session->count; i++) {
        const struct pg_database *database = &session->databases[i];
        if (json_object_set_new(names, database->artifact, json_string_nocheck(database->name)) != 0) {
            json_decref(names);
            return pg_nomem(ctx);
        }
    }
    return names ? pg_report_context(ctx, "", PG_CONTEXT_DATABASES, names) : pg_nomem(ctx);
}

static uint64_t estimate_all(const struct session *session)
{
    uint64_t bytes = session->globals_piece.estimate;
    for (size_t i = 0; i < session->count; i++) {
        for (size_t j = 0; j < session->databases[i].piece_count; j++)
            bytes += session->databases[i].pieces[j]->estimate;
    }
    return bytes;
}

static int begin(struct session *session, struct hf_ctx *ctx)
{
    const struct pg_source *source = session->source;
    int result = source->databases.count > 0 ? find_databases(session, ctx) : add_database(session, ctx, NULL, "");
    for (size_t i = 0; i < session->count && result == HF_OK; i++) {
        struct pg_database *database = &session->databases[i];
        result = pg_open(source, ctx, session->place.port ? &session->place : NULL, database->name, &database->leader);
        if (result == HF_OK && !session->place.port)
            result = pg_place_of(database->leader, ctx, &session->place);
        result = result == HF_OK ? pg_snapshot_take(source, database) : result;
    }
    result = result == HF_OK && source->globals ? take_globals(session, ctx) : result;
    pg_host->progress(ctx, 0, estimate_all(session));
    return result == HF_OK ? record_databases(session, ctx) : result;
}

int pg_begin(void *self, struct hf_ctx *ctx, void **ret_session)
{
    struct session *session = calloc(1, sizeof(*session));
    if (session && pthread_mutex_init(&session->lock, NULL) != 0) {
        free(session);
        session = NULL;
    }
    if (!session)
        return pg_nomem(ctx);
    session->source = self;
    int result = begin(session, ctx);
    if (result < 0) {
        free_session(session);
        return result;
    }
    *ret_session = session;
    return HF_OK;
}

/* ---- parts ---- */

static void describe(const struct pg_database *database, struct pg_piece *piece, struct hf_part *ret_part)
{
    ret_part->phase = piece->phase;
    ret_part->artifact = database ? database->artifact : "globals";
    ret_part->flags = database ? 0 : HF_PART_ASIDE;
    ret_part->name = piece->name;
    ret_part->group = piece->group;
    ret_part->suffix = ".sql";
    ret_part->media = "application/sql";
    ret_part->estimate = piece->estimate;
    ret_part->cost = piece->cost;
    ret_part->cookie = piece;
}

int pg_next_part(void *arg, struct hf_ctx *ctx, struct hf_part *ret_part)
{
    (void)ctx;
    struct session *session = arg;
    while (session->at < session->count) {
        struct pg_database *database = &session->databases[session->at];
        if (database->next < database->piece_count) {
            describe(database, database->pieces[database->next++], ret_part);
            return HF_OK;
        }
        session->at++;
    }
    if (!session->source->globals || session->globals_listed)
        return HF_END;
    session->globals_listed = true;
    describe(NULL, &session->globals_piece, ret_part);
    return HF_OK;
}

static int take_worker(struct session *session, struct hf_ctx *ctx, struct pg_database *database,
                       struct worker **ret_worker)
{
    struct worker *worker = NULL, *other = NULL;
    pthread_mutex_lock(&session->lock);
    for (struct worker **at = &session->idle; *at && !worker; at = *at ? &(*at)->next : at) {
        if ((*at)->database != database)
            continue;
        worker = *at;
        *at = worker->next;
        break;
    }
    if (!worker && session->idle) { /* one of a database that is done: its connection is not needed any more */
        other = session->idle;
        session->idle = other->next;
    }
    pthread_mutex_unlock(&session->lock);
    if (other) {
        pg_close(other->conn);
        free(other);
    }
    if (worker) {
        worker->conn->ctx = ctx;
        *ret_worker = worker;
        return HF_OK;
    }
    worker = calloc(1, sizeof(*worker));
    if (!worker)
        return pg_nomem(ctx);
    worker->database = database;
    int result = pg_open(session->source, ctx, &session->place, database->name, &worker->conn);
    result = result == HF_OK ? pg_snapshot_join(worker->conn, database->snapshot) : result;
    if (result < 0) {
        pg_close(worker->conn);
        free(worker);
        return result;
    }
    *ret_worker = worker;
    return HF_OK;
}

static void give_worker(struct session *session, struct worker *worker, int result)
{
    if (result < 0) {
        pg_close(worker->conn);
        free(worker);
        return;
    }
    worker->conn->ctx = NULL;
    pthread_mutex_lock(&session->lock);
    worker->next = session->idle;
    session->idle = worker;
    pthread_mutex_unlock(&session->lock);
}

static int write_rows(struct session *session, struct pg_conn *conn, const struct pg_piece *piece, struct pg_out *out)
{
    struct pg_rows *rows = calloc(piece->table_count + 1, sizeof(*rows));
    int result = rows ? pg_copy_write(conn, piece, out, rows) : pg_nomem(conn->ctx);
    pthread_mutex_lock(&session->lock);
    for (size_t i = 0; result == HF_OK && i < piece->table_count; i++)
        pg_rows_merge(&piece->tables[i]->into->rows, &rows[i]);
    pthread_mutex_unlock(&session->lock);
    free(rows);
    return result;
}

static int write_sequences(struct pg_conn *conn, struct pg_database *database, struct pg_out *out)
{
    database->sequence_values = json_object(); /* one part has them all */
    return database->sequence_values ? pg_sequences_write(conn, database, out, database->sequence_values)
                                     : pg_nomem(conn->ctx);
}

static int write_objects(struct session *session, struct pg_conn *conn, struct pg_database *database,
                         const struct pg_piece *piece, struct pg_out *out)
{
    struct pg_objects objects = {0};
    int result = pg_objects_write(session->source, conn, piece, out, &objects);
    pthread_mutex_lock(&session->lock);
    pg_rows_merge(&database->object_sum.rows, &objects.rows);
    database->object_sum.bytes += objects.bytes;
    pthread_mutex_unlock(&session->lock);
    return result;
}

static int write_piece(struct session *session, struct hf_ctx *ctx, struct pg_database *database,
                       struct pg_piece *piece, struct pg_out *out)
{
    struct worker *worker = NULL;
    int result = take_worker(session, ctx, database, &worker);
    if (result < 0)
        return result;
    if (piece->kind == PG_PIECE_ROWS)
        result = write_rows(session, worker->conn, piece, out);
    else if (piece->kind == PG_PIECE_SEQUENCES)
        result = write_sequences(worker->conn, database, out);
    else
        result = write_objects(session, worker->conn, database, piece, out);
    give_worker(session, worker, result);
    return result;
}

static struct pg_database *database_of(struct session *session, const struct hf_part *part)
{
    for (size_t i = 0; i < session->count; i++) {
        if (session->databases[i].artifact == part->artifact)
            return &session->databases[i];
    }
    return NULL;
}

int pg_backup_part(void *arg, struct hf_ctx *ctx, const struct hf_part *part, struct hf_writer *writer)
{
    struct session *session = arg;
    struct pg_piece *piece = part->cookie;
    struct pg_out out = {.writer = writer};
    int result = HF_OK;
    if (piece->kind == PG_PIECE_TEXT) {
        pg_out_add(&out, piece->text.data, piece->text.used);
        pg_text_clear(&piece->text);
    } else {
        result = write_piece(session, ctx, database_of(session, part), piece, &out);
    }
    int written = pg_out_end(&out);
    return result < 0 ? result : written;
}

int pg_end(void *arg, struct hf_ctx *ctx, int status)
{
    struct session *session = arg;
    int result = HF_OK;
    for (size_t i = 0; status == HF_OK && i < session->count && result == HF_OK; i++) {
        result = pg_snapshot_check(&session->databases[i], ctx);
        result = result == HF_OK ? pg_record_facts(ctx, &session->databases[i]) : result;
    }
    free_session(session);
    return result;
}
