/* SPDX-License-Identifier: Apache-2.0
 *
 * A script into a server: statements one by one, so that an error names its statement, and COPY data straight from the
 * pieces they come in.
 */
#include <stdio.h>

#include "restore.h"

/* COPY data are handed to libpq in pieces of this size at most, which its buffer grows to. */
enum { PIECE = 256 * 1024 };

struct load {
    struct pg_conn *conn;
    struct pg_target *target;
    const struct hf_part *part;
    struct hf_reader *reader;
    char entry[400];                     /* whose statements come now: "TABLE public.t"; "" before the first */
    char table[2 * PG_NAME_MAX * 2 + 8]; /* which it belongs to; "" */
    char type[64];
    bool first;           /* no entry was seen yet: the preamble */
    bool skip;            /* the entry, or the COPY data, are not wanted */
    bool may_fail;        /* single tables: what refers to a table that is not there */
    struct pg_only *only; /* whose definition the entry is */
    uint64_t first_line;  /* of the data of the COPY at hand; 0: none came yet */
    char copy[400];       /* its statement, for people */
    json_t *schemas;      /* that are there by now; as the entries write them */
};

/* A result without any field of the server's is the connection's own trouble. */
static int fail_statement(struct load *load, const PGresult *result, const char *shown)
{
    bool lost = !PQresultErrorField(result, PG_DIAG_SQLSTATE);
    int code = pg_fail_statement(load->conn, lost ? NULL : result, shown);
    struct hf_ctx *ctx = load->conn->ctx;
    bool role = !lost && pg_has_state(result, "42704") && strstr(PQresultErrorMessage(result), "role \"");
    if (load->entry[0])
        code = pg_host->fail(ctx, code, "restore %s", load->entry);
    if (role)
        return pg_host->hint(ctx,
                             "make the role first (CREATE ROLE, or the artifact 'globals' if one was backed up), or "
                             "back up with owner = no and acl = no");
    if (!lost && load->target->only.count > 0 && code == HF_E_FAIL)
        return pg_host->hint(ctx,
                             "--only restores tables without the types and functions they use: make those first, or "
                             "restore everything with --to");
    return code;
}

static int run(struct load *load, const char *text, const char *shown)
{
    PGresult *answer = NULL;
    int result = pg_try(load->conn, text, &answer);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    if (rows && PQresultStatus(rows) == PGRES_COPY_IN)
        return pg_host->fail(load->conn->ctx, HF_E_CORRUPT,
                             "restore %s: the statement asks for data that do not follow", load->entry);
    return !rows || pg_is_error(rows) ? fail_statement(load, rows, shown) : HF_OK;
}

/* ---- sessions ---- */

int pg_statements_add(struct hf_ctx *ctx, struct pg_statements *list, const char *text, const char *shown,
                      const char *entry)
{
    struct pg_statement *statement = calloc(1, sizeof(*statement));
    if (statement) {
        statement->text = strdup(text);
        statement->shown = strdup(shown);
        statement->entry = strdup(entry);
    }
    if (!list->last)
        list->last = &list->first;
    if (statement && statement->text && statement->shown && statement->entry) {
        *list->last = statement;
        list->last = &statement->next;
        return HF_OK;
    }
    if (statement) {
        free(statement->text);
        free(statement->shown);
        free(statement->entry);
    }
    free(statement);
    return pg_nomem(ctx);
}

void pg_statements_clear(struct pg_statements *list)
{
    while (list->first) {
        struct pg_statement *statement = list->first;
        list->first = statement->next;
        free(statement->text);
        free(statement->shown);
        free(statement->entry);
        free(statement);
    }
    list->last = NULL;
}

/* Runs what may fail without harm to the transaction that it is in, if it is in one. */
static int try_apart(struct load *load, const char *text, PGresult **ret_result)
{
    struct pg_conn *conn = load->conn;
    PGresult *answer = NULL;
    bool inside = PQtransactionStatus(conn->pq) == PQTRANS_INTRANS;
    int result = inside ? pg_command(conn, "set a savepoint", "SAVEPOINT holdfast") : HF_OK;
    result = result == HF_OK ? pg_try(conn, text, &answer) : result;
    if (result == HF_OK && inside && PQstatus(conn->pq) == CONNECTION_OK)
        result = pg_command(conn, "release the savepoint",
                            pg_is_error(answer) ? "ROLLBACK TO SAVEPOINT holdfast; RELEASE SAVEPOINT holdfast"
                                                : "RELEASE SAVEPOINT holdfast");
    if (result < 0)
        PQclear(answer);
    else
        *ret_result = answer;
    return result;
}

/* A setting that the script's preamble makes. pg_dump of a newer version names some that an older server has not. */
static int run_preamble(struct load *load, const char *text)
{
    PGresult *answer = NULL;
    int result = try_apart(load, text, &answer);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    if (pg_has_state(rows, "42704") && !strncmp(text, "SET ", 4)) {
        pg_host->log(load->conn->ctx, HF_LOG_DEBUG, "left out, because the server has no such setting: %s", text);
        return HF_OK;
    }
    return !rows || pg_is_error(rows) ? fail_statement(load, rows, text) : HF_OK;
}

int pg_load_prepare(struct pg_conn *conn, struct pg_target *target)
{
    long long kilobytes = (long long)target->source->maintenance_work_mem / 1024;
    struct load load = {.conn = conn, .target = target};
    int result;
    if (PQsetnonblocking(conn->pq, 1) != 0)
        return pg_fail(conn, NULL, "prepare the connection");
    result =
        pg_commandf(conn, "prepare the session",
                    "SET synchronous_commit = off; SET maintenance_work_mem = '%lldkB'; SET jit = off; "
                    "SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed'; "
                    "SET default_tablespace = ''; SET client_min_messages = warning",
                    kilobytes);
    for (const struct pg_statement *at = target->preamble.first; at && result == HF_OK; at = at->next)
        result = run_preamble(&load, at->text);
    return result;
}

static int run_may_fail(struct load *load, const char *text);
static const char attach_entry[] = "TABLE ATTACH ";

int pg_load_deferred(struct pg_conn *conn, struct pg_target *target)
{
    struct load load = {.conn = conn, .target = target};
    int result = HF_OK;
    for (const struct pg_statement *at = target->deferred.first; at && result == HF_OK; at = at->next) {
        (void)snprintf(load.entry, sizeof(load.entry), "%s", at->entry);
        bool attach = target->only.count > 0 && !strncmp(at->entry, attach_entry, sizeof(attach_entry) - 1);
        result = attach ? run_may_fail(&load, at->text) : run(&load, at->text, at->shown);
    }
    if (result == HF_OK)
        pg_statements_clear(&target->deferred);
    return result;
}

/* ---- COPY ---- */

/* The server's last word about a COPY that it gave up. */
static int copy_failed(struct load *load)
{
    PGresult *answer = NULL;
    int result = PQputCopyEnd(load->conn->pq, "stopped") < 0 ? HF_OK : pg_await(load->conn);
    if (result < 0)
        return result;
    answer = PQgetResult(load->conn->pq);
    result = fail_statement(load, answer, load->copy);
    PQclear(answer);
    return result;
}

static int copy_data(struct load *load, const char *data, size_t size)
{
    while (size > 0) {
        size_t piece = size < PIECE ? size : PIECE;
        int unsent;
        int put = PQputCopyData(load->conn->pq, data, (int)piece);
        if (put <= 0)
            return put < 0 ? copy_failed(load) : pg_nomem(load->conn->ctx);
        while ((unsent = PQflush(load->conn->pq)) > 0) {
            int result = pg_wait(load->conn, true);
            if (result < 0)
                return result;
        }
        if (unsent < 0)
            return copy_failed(load);
        data += piece;
        size -= piece;
    }
    return HF_OK;
}

static int copy_end(struct load *load, uint64_t rows)
{
    PGresult *answer = NULL;
    if (PQputCopyEnd(load->conn->pq, NULL) < 0)
        return copy_failed(load);
    int result = pg_finish(load->conn, &answer);
    pg_auto_rows end = answer;
    if (result < 0)
        return result;
    if (!end || pg_is_error(end))
        return fail_statement(load, end, load->copy);
    unsigned long long taken = strtoull(PQcmdTuples(end), NULL, 10);
    if (taken == rows)
        return HF_OK;
    return pg_host->fail(load->conn->ctx, HF_E_CORRUPT, "restore %s: the server took %llu rows of %llu", load->entry,
                         taken, (unsigned long long)rows);
}

static int copy_begin(struct load *load, const struct pg_token *token)
{
    PGresult *answer = NULL;
    load->first_line = 0;
    (void)snprintf(load->copy, sizeof(load->copy), "%s", token->text);
    int result = pg_try(load->conn, token->text, &answer);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    return rows && PQresultStatus(rows) == PGRES_COPY_IN ? HF_OK : fail_statement(load, rows, token->text);
}

/* ---- entries ---- */

static void note_entry(struct load *load, const struct pg_entry *entry)
{
    const char *schema = entry->schema && strcmp(entry->schema, "-") != 0 ? entry->schema : "";
    (void)snprintf(load->entry, sizeof(load->entry), "%s '%s%s%s'", entry->type ? entry->type : "entry", schema,
                   schema[0] ? "." : "", entry->name ? entry->name : "");
    (void)snprintf(load->type, sizeof(load->type), "%s", entry->type ? entry->type : "");
    load->table[0] = 0;
    if (entry->table && strlen(entry->table) < sizeof(load->table))
        (void)snprintf(load->table, sizeof(load->table), "%s", entry->table);
    load->first = false;
    load->skip = false;
    load->may_fail = false;
    load->only = NULL;
}

/* Making a schema needs a right that using it does not, even where IF NOT EXISTS finds it. */
static int make_schema(struct load *load, const char *name)
{
    struct pg_conn *conn = load->conn;
    PGresult *answer = NULL;
    pg_auto_text schema = pg_quote_ident(conn, name), literal = pg_quote_literal(conn, name);
    if (!schema || !literal)
        return pg_nomem(conn->ctx);
    int result =
        pg_queryf(conn, "look for the table's schema", &answer, "SELECT FROM pg_namespace WHERE nspname = %s", literal);
    pg_auto_rows rows = answer;
    return result < 0 || PQntuples(rows) > 0 ? result
                                             : pg_commandf(conn, "make the table's schema", "CREATE SCHEMA %s", schema);
}

/* Whoever is to own the table must be allowed to make one there. In a database of the restore's own that may be
 * granted, if it is not as it was in the one that was backed up; superusers need no such thing. */
static int let_own(struct load *load, const char *name, const char *owner)
{
    struct pg_conn *conn = load->conn;
    PGresult *answer = NULL;
    if (load->target->into || !owner)
        return HF_OK;
    pg_auto_text schema = pg_quote_ident(conn, name), literal = pg_quote_literal(conn, name);
    pg_auto_text role = pg_quote_ident(conn, owner), role_literal = pg_quote_literal(conn, owner);
    if (!schema || !literal || !role || !role_literal)
        return pg_nomem(conn->ctx);
    int result = pg_queryf(conn, "look whether the table's owner may own it", &answer,
                           "SELECT FROM pg_namespace n, pg_roles r, pg_roles me WHERE n.nspname = %s AND r.rolname = %s"
                           " AND me.rolname = current_user AND NOT me.rolsuper AND pg_has_role(n.nspowner, 'USAGE')"
                           " AND NOT has_schema_privilege(r.oid, n.oid, 'CREATE')",
                           literal, role_literal);
    pg_auto_rows rows = answer;
    if (result < 0 || PQntuples(rows) == 0)
        return result;
    return pg_commandf(conn, "let the table's owner own it", "GRANT USAGE, CREATE ON SCHEMA %s TO %s", schema, role);
}

/* A script of chosen tables, as pg_dump -t makes it, says nothing of the schemas they are in. */
static int whole_schema(struct load *load, const struct pg_entry *entry)
{
    const char *name = strcmp(load->type, "SCHEMA") == 0 ? entry->name : entry->schema;
    if (load->part->phase > 0 || entry->data || !name || !strcmp(name, "-") || json_object_get(load->schemas, name))
        return HF_OK;
    if (!load->schemas)
        load->schemas = json_object();
    if (json_object_set_new_nocheck(load->schemas, name, json_true()) != 0)
        return pg_nomem(load->conn->ctx);
    return strcmp(load->type, "SCHEMA") == 0 ? HF_OK : make_schema(load, name);
}

/* Of a backup's script only what belongs to the chosen tables. Their schema is made if it is missing. */
static int select_entry(struct load *load, const struct pg_entry *entry)
{
    const struct pg_only_list *list = &load->target->only;
    if (list->count == 0)
        return whole_schema(load, entry);
    if (entry->data) { /* of a table's rows the COPY decides; pg_dump's large objects are not wanted */
        load->skip = strcmp(load->type, "TABLE DATA") != 0;
        return HF_OK;
    }
    struct pg_only *only = entry->table ? pg_only_find(list, entry->table, strlen(entry->table)) : NULL;
    load->skip = !only;
    load->only = only;
    if (!only)
        return HF_OK;
    load->may_fail = strcmp(load->type, "FK CONSTRAINT") == 0 || strcmp(load->type, "PUBLICATION TABLE") == 0 ||
                     strstr(load->type, "ATTACH") != NULL;
    if (load->part->phase > 0 || only->found)
        return HF_OK;
    only->found = true;
    int result = make_schema(load, only->schema);
    return result < 0 ? result : let_own(load, only->schema, entry->owner);
}

/* A foreign key to a table that was not chosen, or a partition of one: left out, and told. */
static int run_may_fail(struct load *load, const char *text)
{
    PGresult *answer = NULL;
    int result = try_apart(load, text, &answer);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    bool absent = pg_has_state(rows, "42P01") || pg_has_state(rows, "3F000") || pg_has_state(rows, "42704");
    const char *why = PQresultErrorField(rows, PG_DIAG_MESSAGE_PRIMARY);
    if (!rows || (pg_is_error(rows) && !absent))
        return fail_statement(load, rows, text);
    return !absent ? HF_OK
                   : pg_host->finding(load->conn->ctx, HF_WARNING, "left-out",
                                      load->table[0] ? load->table : load->entry, "%s is left out: %s", load->entry,
                                      why ? why : "it refers to something that is not there");
}

/* ---- statements ---- */

static bool begins(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

/* GIN collects entries in memory up to maintenance_work_mem before it writes them, and is fastest when they stay in the
 * processor's cache; yet each time it sweeps the whole index. A 64th of the table keeps the sweeps few, however large.
 */
static int gin_memory(struct load *load, bool set)
{
    long long option = (long long)load->target->source->maintenance_work_mem;
    PGresult *answer = NULL;
    if (!set)
        return pg_commandf(load->conn, "prepare the session", "SET maintenance_work_mem = '%lldkB'", option / 1024);
    pg_auto_text table = pg_quote_literal(load->conn, load->table);
    if (!table)
        return pg_nomem(load->conn->ctx);
    int result = pg_queryf(load->conn, "measure the table", &answer, "SELECT pg_table_size(%s::regclass)", table);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    long long memory = strtoll(PQgetvalue(rows, 0, 0), NULL, 10) / 64;
    memory = memory < (8 << 20) ? 8 << 20 : memory;
    memory = memory > option ? option : memory;
    return pg_commandf(load->conn, "prepare the session", "SET maintenance_work_mem = '%lldkB'", memory / 1024);
}

/* Is it an ordinary table? Only those can adopt an index as a constraint. */
static int is_ordinary(struct load *load, const char *table, bool *ret_ordinary)
{
    PGresult *answer = NULL;
    pg_auto_text literal = pg_quote_literal(load->conn, table);
    if (!literal)
        return pg_nomem(load->conn->ctx);
    int result = pg_queryf(load->conn, "look at the table", &answer,
                           "SELECT relkind FROM pg_class WHERE oid = to_regclass(%s) AND relkind = 'r'", literal);
    pg_auto_rows rows = answer;
    if (result == HF_OK)
        *ret_ordinary = PQntuples(rows) == 1;
    return result;
}

static int put_off(struct load *load, const char *text, const char *shown)
{
    pthread_mutex_lock(&load->target->lock);
    int result = pg_statements_add(load->conn->ctx, &load->target->deferred, text, shown, load->entry);
    pthread_mutex_unlock(&load->target->lock);
    return result;
}

/* Several indexes of a table can be built at once, but ALTER TABLE would wait for them all, and its connection would do
 * nothing meanwhile: the index of a constraint is built as an ordinary one, and ALTER TABLE adopts it later. */
static int run_constraint(struct load *load, const char *text)
{
    pg_auto_text table = NULL, index = NULL, adopt = NULL;
    bool ordinary = false;
    int result = pg_constraint_split(text, &table, &index, &adopt) ? is_ordinary(load, table, &ordinary) : HF_OK;
    if (result < 0 || !ordinary)
        return result < 0 ? result : run(load, text, text);
    result = run(load, index, text);
    return result < 0 ? result : put_off(load, adopt, text);
}

/* Indexes are built now. Whatever is said about one besides (a comment, statistics, that the table is clustered by it,
 * that it belongs to a partitioned one) may speak of a constraint that has not adopted its index yet, and comes after
 * that. */
static int run_index(struct load *load, const char *text)
{
    bool gin = load->table[0] && begins(text, "CREATE INDEX ") && strstr(text, " USING gin (");
    if (begins(text, "ALTER TABLE ") && strstr(text, "\n    ADD CONSTRAINT "))
        return run_constraint(load, text);
    if (!begins(text, "CREATE ") && !begins(text, "SET "))
        return put_off(load, text, text);
    int result = gin ? gin_memory(load, true) : HF_OK;
    result = result == HF_OK ? run(load, text, text) : result;
    return result == HF_OK && gin ? gin_memory(load, false) : result;
}

/* Event triggers act on what comes after them, of which pg_dump has some more (REFRESH MATERIALIZED VIEW): they are
 * made at the very end. */
static bool is_about_event_trigger(const char *text)
{
    return begins(text, "CREATE EVENT TRIGGER ") || begins(text, "ALTER EVENT TRIGGER ") ||
           begins(text, "COMMENT ON EVENT TRIGGER ");
}

static int run_statement(struct load *load, const struct pg_token *token)
{
    const char *text = token->text;
    bool only = load->target->only.count > 0;
    if (load->first && !token->copy && (begins(text, "SET ") || begins(text, "SELECT pg_catalog.set_config("))) {
        int result = run_preamble(load, text);
        return result < 0 || load->target->whole
                   ? result
                   : pg_statements_add(load->conn->ctx, &load->target->preamble, text, text, "");
    }
    if (only && token->copy) {
        const char *table = NULL, *columns = NULL;
        size_t table_size = 0, columns_size = 0;
        load->skip = !pg_script_copy_parts(text, token->size, &table, &table_size, &columns, &columns_size) ||
                     !pg_only_find(&load->target->only, table, table_size);
    }
    /* Settings between two entries are for those that follow, whoever they belong to. */
    if (load->skip && !(!token->copy && begins(text, "SET default_")))
        return HF_OK;
    if (token->copy)
        return copy_begin(load, token);
    /* A table that is there already gives a partition its indexes, unless it has them. But where rows come through the
     * root it is needed before. */
    if (only && load->only && !load->only->root && !strcmp(load->type, "TABLE ATTACH"))
        return put_off(load, text, text);
    if (load->may_fail)
        return run_may_fail(load, text);
    if (is_about_event_trigger(text))
        return put_off(load, text, text);
    return load->part->phase == 2 && !load->target->into ? run_index(load, text) : run(load, text, text);
}

/* psql's own commands: \restrict is for psql alone, and no other may stand in a backup. */
static int meta_command(struct load *load, const struct pg_token *token)
{
    if (begins(token->text, "\\restrict ") || begins(token->text, "\\unrestrict "))
        return HF_OK;
    (void)pg_host->fail(load->conn->ctx, HF_E_UNSUPPORTED, "line %llu: '%.60s' is a command of psql, not SQL",
                        (unsigned long long)token->line, token->text);
    return pg_host->hint(load->conn->ctx, "restore such a script with psql: gunzip -c FILE | psql -v ON_ERROR_STOP=1");
}

static int64_t more(void *arg, const void **ret_data)
{
    struct load *load = arg;
    return pg_host->borrow(load->reader, ret_data);
}

static int take(struct load *load, const struct pg_token *token)
{
    int result = HF_OK;
    switch (token->kind) {
    case PG_ENTRY:
        note_entry(load, &token->entry);
        return select_entry(load, &token->entry);
    case PG_META:
        return meta_command(load, token);
    case PG_STATEMENT:
        return run_statement(load, token);
    case PG_COPY_DATA:
        load->first_line = load->first_line ? load->first_line : token->line;
        return load->skip ? HF_OK : copy_data(load, token->text, token->size);
    case PG_COPY_END:
        result = load->skip ? HF_OK : copy_end(load, load->first_line ? token->line - load->first_line : 0);
        load->skip = false;
        return result;
    case PG_SCRIPT_END:
        return HF_END;
    }
    return HF_OK;
}

/* While other connections are at work, the processors are shared out by them: workers that the server adds to one build
 * would only slow down the others, of which the longest decides. The last one gets them. */
static int share_processors(struct pg_conn *conn, struct pg_target *target)
{
    pthread_mutex_lock(&target->lock);
    bool alone = target->open_count - target->idle_count <= 1;
    pthread_mutex_unlock(&target->lock);
    return pg_command(conn, "prepare the session",
                      alone ? "RESET max_parallel_maintenance_workers" : "SET max_parallel_maintenance_workers = 0");
}

int pg_load_part(struct pg_conn *conn, struct pg_target *target, const struct hf_part *part, struct hf_reader *reader)
{
    struct load load = {.conn = conn, .target = target, .part = part, .reader = reader};
    struct pg_script *script = pg_script_new(more, &load);
    struct pg_token token;
    const char *problem = NULL;
    int result = script ? HF_OK : pg_nomem(conn->ctx);
    load.first = part->phase == 0 || target->whole;
    if (result == HF_OK && part->phase == 2)
        result = share_processors(conn, target);
    while (result == HF_OK) {
        result = pg_script_next(script, &token, &problem);
        if (result == HF_OK)
            result = take(&load, &token);
        else if (problem)
            result = pg_host->fail(conn->ctx, result, "part '%s': %s", part->name, problem);
        else if (result == HF_E_NOMEM)
            result = pg_nomem(conn->ctx);
    }
    pg_script_free(script);
    json_decref(load.schemas);
    return result == HF_END ? HF_OK : result;
}
