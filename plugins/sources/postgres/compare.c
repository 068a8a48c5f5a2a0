/* SPDX-License-Identifier: Apache-2.0
 *
 * Every row that was loaded, read again and summed up, over several connections that one thread listens to. Large
 * tables are read in ranges of their pages, so that all connections have work to the end.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "restore.h"

enum { RANGE_PAGES = 16384, MOST = 64 }; /* 128 MiB */

struct table {
    struct table *next;
    const char *name; /* the fact's key */
    struct pg_rows expected, found;
    bool is_there, is_root;
    uint64_t pages, asked; /* pages of it that were given out; a table in one piece counts as one */
    char *columns, *where;
};

struct slot {
    struct pg_conn *conn;
    struct table *table; /* being read; NULL: idle */
    bool copying;
    struct pg_rows rows;
};

struct compare {
    struct hf_ctx *ctx;
    struct table *tables, *next;
    struct slot slots[MOST];
    size_t count;
    bool ranges; /* the server finds pages by ctid without reading the others */
};

/* ---- what is to be read ---- */

static char *copy_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? strdup(text) : NULL;
}

static int add_tables(struct compare *compare, const struct pg_target *target, json_t *facts, json_t *layout)
{
    const char *name;
    json_t *fact;
    struct table **last = &compare->tables;
    json_object_foreach(facts, name, fact)
    {
        if (target->only.count > 0 && !pg_only_find(&target->only, name, strlen(name)))
            continue;
        struct table *table = calloc(1, sizeof(*table));
        if (!table)
            return pg_nomem(compare->ctx);
        *last = table;
        last = &table->next;
        table->name = name;
        const json_t *place = json_object_get(layout, name);
        table->columns = copy_text(place, "columns");
        table->where = copy_text(place, "where");
        bool readable = pg_is_name(name) && pg_is_columns(table->columns ? table->columns : "");
        if (!readable || !pg_rows_of_json(fact, &table->expected))
            return pg_host->fail(compare->ctx, HF_E_CORRUPT, "what the backup recorded of table '%s' is not readable",
                                 name);
    }
    /* Whatever has rows in the backup has a fact: one that is gone must not mean that there is nothing to compare. */
    json_object_foreach(layout, name, fact)
    {
        const char *root = json_string_value(json_object_get(fact, "root")); /* whose rows a partition's are */
        if (!json_object_get(facts, root ? root : name))
            return pg_host->fail(compare->ctx, HF_E_CORRUPT, "what the backup recorded of table '%s' is missing", name);
    }
    return HF_OK;
}

/* Sizes and kinds, in one query: there may be thousands. */
static int look_at_tables(struct compare *compare, struct pg_conn *conn)
{
    PGresult *answer = NULL;
    int result =
        pg_query(conn, "look at the tables",
                 "SELECT n.nspname, c.relname, c.relkind = 'p',"
                 " pg_relation_size(c.oid) / current_setting('block_size')::bigint"
                 " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')",
                 &answer);
    pg_auto_rows rows = answer;
    pg_auto_json found = json_object();
    if (result < 0 || !found)
        return result < 0 ? result : pg_nomem(compare->ctx);
    for (int i = 0; i < PQntuples(rows); i++) {
        pg_auto_text key = pg_name_key(PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1));
        if (!key || json_object_set_new_nocheck(found, key, json_integer(i)) != 0)
            return pg_nomem(compare->ctx);
    }
    for (struct table *table = compare->tables; table; table = table->next) {
        pg_auto_text schema = NULL, relation = NULL, key = NULL;
        if (pg_name_split(table->name, strlen(table->name), &schema, &relation))
            key = pg_name_key(schema, relation);
        const json_t *index = key ? json_object_get(found, key) : NULL;
        if (!index)
            return pg_host->fail(compare->ctx, HF_E_CORRUPT, "table '%s' was not restored", table->name);
        int row = (int)json_integer_value(index);
        table->is_root = PQgetvalue(rows, row, 2)[0] == 't';
        table->pages = strtoull(PQgetvalue(rows, row, 3), NULL, 10);
    }
    return HF_OK;
}

/* ---- reading ---- */

/* "(a, b)" as a list to select. */
static void add_columns(struct pg_text *sql, const struct table *table)
{
    size_t size = table->columns ? strlen(table->columns) : 0;
    if (size >= 2)
        pg_text_add_bytes(sql, table->columns + 1, size - 2);
}

/* The table's next piece. */
static void next_statement(struct compare *compare, struct table *table, struct pg_text *sql)
{
    /* A condition is an extension's own text, whose end nobody knows but the parser. */
    bool split = compare->ranges && !table->is_root && !table->where && table->pages > RANGE_PAGES;
    uint64_t from = table->asked, to = split ? from + RANGE_PAGES : table->pages;
    const char *word = table->where && !strncasecmp(table->where, "WHERE ", 6) ? " " : " WHERE ";
    table->asked = to > 0 ? to : 1;
    if (!split && !table->is_root && !table->where) {
        pg_text_addf(sql, "COPY %s %s TO STDOUT", table->name, table->columns ? table->columns : "");
        return;
    }
    pg_text_add(sql, "COPY (SELECT ");
    add_columns(sql, table);
    pg_text_addf(sql, " FROM %s%s", table->is_root ? "" : "ONLY ", table->name);
    if (table->where)
        pg_text_addf(sql, "%s%s", word, table->where);
    if (split)
        pg_text_addf(sql, " WHERE ctid >= '(%llu,0)'", (unsigned long long)from);
    if (split && to < table->pages)
        pg_text_addf(sql, " AND ctid < '(%llu,0)'", (unsigned long long)to);
    pg_text_add(sql, ") TO STDOUT");
}

static int start(struct compare *compare, struct slot *slot)
{
    struct pg_text sql = {0};
    while (compare->next && compare->next->asked >= (compare->next->pages > 0 ? compare->next->pages : 1))
        compare->next = compare->next->next;
    if (!compare->next)
        return HF_OK;
    next_statement(compare, compare->next, &sql);
    int result = pg_text_check(&sql, compare->ctx);
    if (result == HF_OK && !PQsendQuery(slot->conn->pq, sql.data))
        result = pg_fail(slot->conn, NULL, "read the table back");
    pg_text_clear(&sql);
    slot->table = compare->next;
    slot->copying = false;
    slot->rows = (struct pg_rows){0};
    return result;
}

static int fail_slot(struct slot *slot, PGresult *result)
{
    char doing[200];
    (void)snprintf(doing, sizeof(doing), "read '%.150s' back", slot->table->name);
    return pg_fail(slot->conn, PQresultErrorField(result, PG_DIAG_SQLSTATE) ? result : NULL, doing);
}

/* Rows that have arrived. *ret_end: that was the last. */
static int take_rows(struct slot *slot, bool *ret_end)
{
    char *row = NULL;
    int size;
    while ((size = PQgetCopyData(slot->conn->pq, &row, 1)) > 0) {
        pg_rows_add(&slot->rows, row, (size_t)size - 1);
        PQfreemem(row);
    }
    *ret_end = size == -1;
    return size == -2 ? fail_slot(slot, NULL) : HF_OK;
}

/* What the connection has for us, as far as it goes without waiting. */
static int listen_to(struct slot *slot)
{
    bool end = false;
    int result = HF_OK;
    if (!PQconsumeInput(slot->conn->pq))
        return fail_slot(slot, NULL);
    while (result == HF_OK && slot->table) {
        if (slot->copying) {
            result = take_rows(slot, &end);
            if (result < 0 || !end)
                return result;
            slot->copying = false;
        }
        if (PQisBusy(slot->conn->pq))
            return HF_OK;
        PGresult *answer = PQgetResult(slot->conn->pq);
        ExecStatusType status = PQresultStatus(answer);
        if (!answer) {
            pg_rows_merge(&slot->table->found, &slot->rows);
            slot->table = NULL;
        } else if (status == PGRES_COPY_OUT) {
            slot->copying = true;
        } else if (status != PGRES_COMMAND_OK) {
            result = fail_slot(slot, answer);
        }
        PQclear(answer);
    }
    return result;
}

static int wait_for_any(struct compare *compare)
{
    struct pollfd waits[MOST + 1];
    int cancel = pg_host->cancel_fd(compare->ctx);
    for (size_t i = 0; i < compare->count; i++) {
        struct slot *slot = &compare->slots[i];
        short events = PQflush(slot->conn->pq) > 0 ? POLLIN | POLLOUT : POLLIN;
        waits[i] = (struct pollfd){.fd = slot->table ? PQsocket(slot->conn->pq) : -1, .events = events};
    }
    waits[compare->count] = (struct pollfd){.fd = cancel, .events = POLLIN};
    if (poll(waits, compare->count + 1, 1000) < 0 && errno != EINTR)
        return pg_host->fail(compare->ctx, HF_E_IO, "wait for the server: %s", strerror(errno));
    if (pg_host->cancelled(compare->ctx))
        return HF_E_CANCELLED;
    for (size_t i = 0; i < compare->count; i++) {
        int result = waits[i].revents ? listen_to(&compare->slots[i]) : HF_OK;
        if (result < 0)
            return result;
    }
    return HF_OK;
}

static int read_all(struct compare *compare)
{
    compare->next = compare->tables;
    for (;;) {
        bool busy = false;
        for (size_t i = 0; i < compare->count; i++) {
            struct slot *slot = &compare->slots[i];
            int result = slot->table ? HF_OK : start(compare, slot);
            if (result < 0)
                return result;
            busy = busy || slot->table;
        }
        if (!busy)
            return HF_OK;
        int result = wait_for_any(compare);
        if (result < 0)
            return result;
    }
}

static int judge(struct compare *compare)
{
    const struct table *worst = NULL;
    size_t different = 0;
    for (const struct table *table = compare->tables; table; table = table->next) {
        if (table->found.rows == table->expected.rows && table->found.sum == table->expected.sum)
            continue;
        worst = worst ? worst : table;
        different++;
    }
    if (!worst)
        return HF_OK;
    if (worst->found.rows != worst->expected.rows)
        return pg_host->fail(compare->ctx, HF_E_CORRUPT,
                             "table '%s' has %llu rows instead of %llu (%zu table%s differ)", worst->name,
                             (unsigned long long)worst->found.rows, (unsigned long long)worst->expected.rows, different,
                             different == 1 ? "" : "s");
    return pg_host->fail(
        compare->ctx, HF_E_CORRUPT,
        "table '%s' has its %llu rows, but not with what was in them: checksum %016llx instead of %016llx "
        "(%zu table%s differ)",
        worst->name, (unsigned long long)worst->found.rows, (unsigned long long)worst->found.sum,
        (unsigned long long)worst->expected.sum, different, different == 1 ? "" : "s");
}

int pg_compare_tables(struct hf_ctx *ctx, struct pg_target *target, struct pg_conn *const *conns, size_t count)
{
    struct compare *compare = calloc(1, sizeof(*compare));
    pg_auto_json facts = pg_recorded_fact(ctx, target->artifact, PG_FACT_TABLES);
    pg_auto_json layout = pg_recorded_context(ctx, target->artifact, PG_CONTEXT_LAYOUT);
    if (!compare)
        return pg_nomem(ctx);
    compare->ctx = ctx;
    compare->count = count < MOST ? count : MOST;
    compare->ranges = conns[0]->version >= 140000;
    for (size_t i = 0; i < compare->count; i++)
        compare->slots[i].conn = conns[i];
    int result = add_tables(compare, target, facts, layout);
    result = result == HF_OK ? look_at_tables(compare, conns[0]) : result;
    result = result == HF_OK ? read_all(compare) : result;
    result = result == HF_OK ? judge(compare) : result;
    while (compare->tables) {
        struct table *table = compare->tables;
        compare->tables = table->next;
        free(table->columns);
        free(table->where);
        free(table);
    }
    free(compare);
    return result;
}
