/* SPDX-License-Identifier: Apache-2.0
 *
 * Which parts the indexes become, and what else pg_dump writes behind the data: an index that takes long stands by
 * itself, so that it can be built while others are.
 */
#include "backup.h"

static const uint64_t INDEX_ALONE_BYTES = 4 << 20;

/* An index of the database: what it costs to build, against reading plain rows. Measured on tables of some hundred MB.
 */
struct index {
    uint32_t oid, constraint;
    uint64_t bytes, cost;
};

struct indexes {
    struct index *by_oid, *by_constraint;
    size_t count, constraint_count;
};

static int compare_index(const void *a, const void *b)
{
    const struct index *x = a, *y = b;
    return x->oid < y->oid ? -1 : x->oid > y->oid;
}

static int compare_constraint(const void *a, const void *b)
{
    const struct index *x = a, *y = b;
    return x->constraint < y->constraint ? -1 : x->constraint > y->constraint;
}

static uint64_t cost_of(const char *method, uint64_t bytes)
{
    if (!strcmp(method, "gin"))
        return bytes * 14;
    if (!strcmp(method, "gist") || !strcmp(method, "spgist"))
        return bytes * 8;
    return bytes * 3;
}

static int read_indexes(struct pg_conn *conn, struct indexes *indexes)
{
    PGresult *answer = NULL;
    int result = pg_query(conn, "list the indexes",
                          "SELECT c.oid, coalesce((SELECT min(k.oid) FROM pg_constraint k WHERE k.conindid = c.oid"
                          " AND k.contype IN ('p', 'u', 'x') AND k.conrelid = i.indrelid), 0),"
                          " coalesce(pg_relation_size(c.oid), 0), a.amname"
                          " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam"
                          " WHERE c.relkind = 'i' AND c.relpersistence <> 't' AND i.indexrelid >= 16384",
                          &answer);
    pg_auto_rows rows = answer;
    size_t count = result == HF_OK ? (size_t)PQntuples(rows) : 0;
    indexes->by_oid = calloc(count + 1, sizeof(*indexes->by_oid));
    indexes->by_constraint = calloc(count + 1, sizeof(*indexes->by_constraint));
    if (result < 0 || !indexes->by_oid || !indexes->by_constraint)
        return result < 0 ? result : pg_nomem(conn->ctx);
    for (size_t i = 0; i < count; i++) {
        struct index *index = &indexes->by_oid[i];
        index->oid = (uint32_t)strtoul(PQgetvalue(rows, (int)i, 0), NULL, 10);
        index->constraint = (uint32_t)strtoul(PQgetvalue(rows, (int)i, 1), NULL, 10);
        index->bytes = strtoull(PQgetvalue(rows, (int)i, 2), NULL, 10);
        index->cost = cost_of(PQgetvalue(rows, (int)i, 3), index->bytes);
        if (index->constraint)
            indexes->by_constraint[indexes->constraint_count++] = *index;
    }
    indexes->count = count;
    qsort(indexes->by_oid, count, sizeof(*indexes->by_oid), compare_index);
    qsort(indexes->by_constraint, indexes->constraint_count, sizeof(*indexes->by_constraint), compare_constraint);
    return HF_OK;
}

static const struct index *find_index(const struct indexes *indexes, const struct pg_schema_entry *entry)
{
    struct index key = {.oid = entry->oid, .constraint = entry->oid};
    if (entry->class_oid == PG_CLASS_OID)
        return bsearch(&key, indexes->by_oid, indexes->count, sizeof(key), compare_index);
    return entry->oid
               ? bsearch(&key, indexes->by_constraint, indexes->constraint_count, sizeof(key), compare_constraint)
               : NULL;
}

static int compare_tables(const void *a, const void *b)
{
    const struct pg_table *const *x = a, *const *y = b;
    return (*x)->oid < (*y)->oid ? -1 : (*x)->oid > (*y)->oid;
}

static struct pg_table *find_table(struct pg_table *const *by_oid, size_t count, uint32_t oid)
{
    struct pg_table key = {.oid = oid}, *pointer = &key;
    struct pg_table *const *found = bsearch(&pointer, by_oid, count, sizeof(*by_oid), compare_tables);
    return found ? *found : NULL;
}

static int compare_ids(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

struct after {
    struct pg_database *database;
    struct hf_ctx *ctx;
    const struct pg_schema *schema;
    struct indexes indexes;
    struct pg_table **by_oid;
    uint32_t *late; /* dump ids of all entries behind the data, sorted */
    size_t late_count;
    struct item {
        const struct pg_schema_entry *entry;
        const struct index *index;
        const char *group;
        size_t order;
    } * items; /* of phase 2 */
    size_t item_count;
    bool *taken; /* per entry: it is of phase 2 */
};

/* Does it need anything that comes after the data, too? Then it keeps its place in pg_dump's order. */
static bool stands_alone(const struct after *after, const struct pg_schema_entry *entry)
{
    for (size_t i = 0; i < entry->dependency_count; i++) {
        if (bsearch(&entry->dependencies[i], after->late, after->late_count, sizeof(*after->late), compare_ids))
            return false;
    }
    return true;
}

static void choose_early(struct after *after)
{
    for (size_t i = after->schema->after; i < after->schema->count; i++) {
        const struct pg_schema_entry *entry = &after->schema->entries[i];
        const struct index *index = entry->owner ? find_index(&after->indexes, entry) : NULL;
        const struct pg_table *table =
            index ? find_table(after->by_oid, after->database->table_count, entry->owner->relation) : NULL;
        if (!table || entry->owner->kind != 'r' || !stands_alone(after, entry))
            continue;
        after->taken[i] = true;
        after->items[after->item_count++] =
            (struct item){.entry = entry, .index = index, .group = table->group, .order = i};
    }
}

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int group = strcmp(x->group, y->group);
    return group ? group : x->order < y->order ? -1 : x->order > y->order;
}

static struct pg_piece *add_indexes(struct after *after, const char *name, const char *group)
{
    struct pg_piece *piece = pg_plan_add(after->database, after->ctx, PG_PIECE_TEXT, 2, name, 0);
    if (piece) {
        piece->group = strdup(group);
        if (!piece->group)
            (void)pg_nomem(after->ctx);
    }
    return piece && piece->group ? piece : NULL;
}

static int add_large_index(struct after *after, const struct item *item)
{
    const struct pg_schema_entry *entry = item->entry;
    /* "t t_pkey" of a constraint. With more blanks it is not clear which one separates the two, and both make the name.
     */
    const char *space = entry->name && entry->class_oid != PG_CLASS_OID ? strchr(entry->name, ' ') : NULL;
    const char *name = space && !strchr(space + 1, ' ') ? space + 1 : entry->name;
    pg_auto_text subject =
        pg_plan_subject(after->ctx, entry->schema ? entry->schema : "", name ? name : "", item->index->oid);
    pg_auto_text whole = subject ? pg_format(after->ctx, "index:%s", subject) : NULL;
    struct pg_piece *piece = whole ? add_indexes(after, whole, item->group) : NULL;
    if (!piece)
        return HF_E_NOMEM;
    pg_schema_write(after->schema, entry, NULL, &piece->text);
    piece->cost = item->index->cost;
    piece->estimate = piece->text.used;
    return pg_text_check(&piece->text, after->ctx);
}

/* Those of one group: the large ones by themselves, the others together. */
static int add_group(struct after *after, const struct item *items, size_t count)
{
    const struct pg_schema_entry *last = NULL;
    struct pg_piece *small = NULL;
    int result = HF_OK;
    for (size_t i = 0; i < count && result == HF_OK; i++) {
        if (items[i].index->bytes >= INDEX_ALONE_BYTES) {
            result = add_large_index(after, &items[i]);
            continue;
        }
        if (!small) {
            pg_auto_text name = pg_format(after->ctx, "indexes:%s", items[i].group);
            small = name ? add_indexes(after, name, items[i].group) : NULL;
            if (!small)
                return HF_E_NOMEM;
        }
        pg_schema_write(after->schema, items[i].entry, last, &small->text);
        last = items[i].entry;
        small->cost += items[i].index->cost;
        small->estimate = small->text.used;
        result = pg_text_check(&small->text, after->ctx);
    }
    return result;
}

/* Privileges come after everything that they could forbid: an owner may have no right to write into a table. And before
 * what runs with the rights of somebody else. As pg_restore does it. Event triggers, which could forbid anything, are
 * the very last: pg_dump has REFRESH behind them. */
static const struct pg_schema_entry *add_privileges(const struct pg_schema *schema, const struct pg_schema_entry *last,
                                                    struct pg_text *text)
{
    for (size_t i = 0; i < schema->count; i++) {
        if (!pg_schema_is_privilege(&schema->entries[i]))
            continue;
        pg_schema_write(schema, &schema->entries[i], last, text);
        last = &schema->entries[i];
    }
    return last;
}

static bool is_after_privileges(const struct pg_schema_entry *entry)
{
    return entry->type && !strcmp(entry->type, "MATERIALIZED VIEW DATA");
}

static bool is_about_event_trigger(const struct pg_schema_entry *entry)
{
    static const char prefix[] = "EVENT TRIGGER ";
    return entry->type && (!strcmp(entry->type, "EVENT TRIGGER") ||
                           ((!strcmp(entry->type, "COMMENT") || !strcmp(entry->type, "SECURITY LABEL")) &&
                            entry->name && !strncmp(entry->name, prefix, sizeof(prefix) - 1)));
}

static void add_event_triggers(const struct after *after, const struct pg_schema_entry *last, struct pg_text *text)
{
    for (size_t i = after->schema->after; i < after->schema->count; i++) {
        const struct pg_schema_entry *entry = &after->schema->entries[i];
        if (!is_about_event_trigger(entry))
            continue;
        pg_schema_write(after->schema, entry, last, text);
        last = entry;
    }
}

static int add_rest(struct after *after)
{
    struct pg_database *database = after->database;
    const struct pg_schema_entry *last = NULL;
    struct pg_piece *piece = pg_plan_add(database, after->ctx, PG_PIECE_TEXT, 3, "post-data", 0);
    if (!piece)
        return HF_E_NOMEM;
    bool granted = false;
    for (size_t i = after->schema->after; i < after->schema->count; i++) {
        const struct pg_schema_entry *entry = &after->schema->entries[i];
        if (after->taken[i] || pg_schema_is_privilege(entry) || is_about_event_trigger(entry))
            continue;
        if (!granted && is_after_privileges(entry)) {
            last = add_privileges(after->schema, last, &piece->text);
            granted = true;
        }
        pg_schema_write(after->schema, entry, last, &piece->text);
        last = entry;
    }
    if (!granted)
        last = add_privileges(after->schema, last, &piece->text);
    add_event_triggers(after, last, &piece->text);
    pg_text_add(&piece->text, "--\n-- PostgreSQL database dump complete\n--\n\n");
    if (after->schema->restrict_key)
        pg_text_addf(&piece->text, "\\unrestrict %s\n\n", after->schema->restrict_key);
    piece->estimate = piece->text.used;
    return pg_text_check(&piece->text, after->ctx);
}

static int plan_after(struct after *after)
{
    size_t tables = after->database->table_count;
    int result = HF_OK;
    for (size_t i = after->schema->after; i < after->schema->count; i++)
        after->late[after->late_count++] = after->schema->entries[i].dump_id;
    qsort(after->late, after->late_count, sizeof(*after->late), compare_ids);
    for (size_t i = 0; i < tables; i++)
        after->by_oid[i] = &after->database->tables[i];
    qsort(after->by_oid, tables, sizeof(*after->by_oid), compare_tables);
    choose_early(after);
    qsort(after->items, after->item_count, sizeof(*after->items), compare_items);
    for (size_t from = 0, to; from < after->item_count && result == HF_OK; from = to) {
        for (to = from + 1; to < after->item_count && !strcmp(after->items[from].group, after->items[to].group);)
            to++;
        result = add_group(after, after->items + from, to - from);
    }
    return result == HF_OK ? add_rest(after) : result;
}

int pg_plan_after(struct pg_database *database)
{
    struct hf_ctx *ctx = database->leader->ctx;
    struct after after = {.database = database, .ctx = ctx, .schema = &database->schema};
    size_t entries = database->schema.count + 1;
    int result = read_indexes(database->leader, &after.indexes);
    after.late = calloc(entries, sizeof(*after.late));
    after.items = calloc(entries, sizeof(*after.items));
    after.taken = calloc(entries, sizeof(*after.taken));
    after.by_oid = calloc(database->table_count + 1, sizeof(struct pg_table *));
    if (result == HF_OK && (!after.late || !after.items || !after.taken || !after.by_oid))
        result = pg_nomem(ctx);
    result = result == HF_OK ? plan_after(&after) : result;
    free(after.indexes.by_oid);
    free(after.indexes.by_constraint);
    free(after.late);
    free(after.items);
    free(after.taken);
    free(after.by_oid);
    return result;
}
