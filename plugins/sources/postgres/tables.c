/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose rows are read: the tables of pg_dump's schema, and what extensions call their configuration.
 */
#include <stdio.h>

#include "backup.h"
#include "pattern.h"

/* Columns of the query. */
enum {
    OID,
    KIND,
    PERSISTENCE,
    SCHEMA,
    RELATION,
    NAME,
    OWNER,
    HEAP,
    PAGES,
    BYTES,
    COLUMNS,
    CONDITION,
    RANK,
    ROOT,
    WANTED
};

/* Rows move to another partition when a hash comes out otherwise, which it does where it is taken from OIDs: of an
 * enum's value, in whatever it is contained, and of what is named (regclass). The operator class knows, also where the
 * key is an expression. Such a tree is loaded through its root. An extension's tables have their constraints from the
 * beginning: those that others refer to come first, by rank. The last column: the data were not excluded by a pattern.
 */
static const char query[] =
    "WITH RECURSIVE tree(root, oid) AS ("
    " SELECT p.partrelid, p.partrelid FROM pg_partitioned_table p WHERE p.partstrat = 'h' AND EXISTS ("
    "   SELECT FROM pg_opclass k WHERE k.oid = ANY (p.partclass) AND k.opcnamespace = 'pg_catalog'::regnamespace"
    "   AND k.opcname IN ('enum_ops', 'array_ops', 'record_ops', 'range_ops', 'multirange_ops', 'oid_ops'))"
    " UNION ALL SELECT tree.root, i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid),"
    "config AS (SELECT unnest(extconfig) AS oid, unnest(extcondition) AS condition FROM pg_extension),"
    "ranks(oid, rank) AS (SELECT oid, 0 FROM config UNION SELECT k.conrelid, ranks.rank + 1 FROM ranks JOIN "
    "pg_constraint k"
    "  ON k.contype = 'f' AND k.confrelid = ranks.oid AND k.conrelid <> k.confrelid WHERE ranks.rank < 100)"
    "SELECT c.oid, c.relkind, c.relpersistence, n.nspname, c.relname, format('%%I.%%I', n.nspname, c.relname),"
    " pg_get_userbyid(c.relowner), coalesce(am.amname = 'heap', false),"
    " coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::bigint, coalesce(pg_table_size(c.oid), 0),"
    " (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a"
    "  WHERE a.attrelid = coalesce(root.oid, c.oid) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),"
    " config.condition, (SELECT max(rank) FROM ranks WHERE ranks.oid = config.oid), root.name, %s"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am am ON am.oid = c.relam"
    " LEFT JOIN config ON config.oid = c.oid LEFT JOIN LATERAL (SELECT r.oid, format('%%I.%%I', rn.nspname, r.relname) "
    "AS name"
    "  FROM tree JOIN pg_class r ON r.oid = tree.root JOIN pg_namespace rn ON rn.oid = r.relnamespace"
    "  WHERE tree.oid = c.oid AND tree.root <> c.oid"
    "  ORDER BY (SELECT count(*) FROM tree t WHERE t.root = tree.root) DESC LIMIT 1) root ON true"
    " WHERE c.relkind IN ('r', 'S') AND c.relpersistence <> 't' ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE "
    "\"C\"";

static int compare_oids(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* What pg_dump wrote a definition of, sorted. */
static uint32_t *dumped_relations(const struct pg_schema *schema, size_t *ret_count)
{
    uint32_t *oids = calloc(schema->count + 1, sizeof(*oids));
    size_t count = 0;
    for (size_t i = 0; oids && i < schema->count; i++) {
        if (schema->entries[i].class_oid == PG_CLASS_OID)
            oids[count++] = schema->entries[i].oid;
    }
    if (oids)
        qsort(oids, count, sizeof(*oids), compare_oids);
    *ret_count = count;
    return oids;
}

/* SQL that says whether the relation's rows are wanted. */
static int add_wanted(const struct pg_source *source, struct pg_conn *conn, struct pg_text *sql)
{
    struct pg_text oids = {0};
    int result = pg_pattern_tables(conn, &source->exclude_table_data, &oids);
    if (result == HF_OK && oids.used > 0)
        pg_text_addf(sql, "c.oid NOT IN (%s)", oids.data);
    else
        pg_text_add(sql, "true");
    pg_text_clear(&oids);
    return result;
}

static char *copy_of(PGresult *rows, int row, int column)
{
    return PQgetisnull(rows, row, column) ? NULL : strdup(PQgetvalue(rows, row, column));
}

static bool fill_table(const struct pg_source *source, const struct pg_conn *conn, PGresult *rows, int row,
                       struct pg_table *table)
{
    struct pg_text columns = {0};
    bool config = !PQgetisnull(rows, row, CONDITION);
    if (!PQgetisnull(rows, row, COLUMNS))
        pg_text_addf(&columns, "(%s)", PQgetvalue(rows, row, COLUMNS));
    else
        pg_text_add(&columns, "");
    *table = (struct pg_table){
        .oid = (uint32_t)strtoul(PQgetvalue(rows, row, OID), NULL, 10),
        .name = copy_of(rows, row, NAME),
        .relation = copy_of(rows, row, RELATION),
        .schema = copy_of(rows, row, SCHEMA),
        .owner = source->owner ? copy_of(rows, row, OWNER) : strdup(""),
        .columns = columns.data ? columns.data : strdup(""),
        .where = config && PQgetlength(rows, row, CONDITION) > 0 ? copy_of(rows, row, CONDITION) : NULL,
        .rank = config ? atoi(PQgetvalue(rows, row, RANK)) : -1,
        .root = copy_of(rows, row, ROOT),
        .pages = strtoull(PQgetvalue(rows, row, PAGES), NULL, 10),
        .bytes = strtoull(PQgetvalue(rows, row, BYTES), NULL, 10),
        .ranges = PQgetvalue(rows, row, HEAP)[0] == 't' && conn->version >= 140000 && !config,
    };
    return !columns.failed && table->name && table->relation && table->schema && table->owner && table->columns &&
           (table->where || !config || PQgetlength(rows, row, CONDITION) == 0) &&
           (table->root || PQgetisnull(rows, row, ROOT));
}

static bool fill_sequence(const struct pg_source *source, const struct pg_database *database, PGresult *rows, int row,
                          struct pg_sequence *sequence)
{
    const struct pg_owner *owner =
        pg_owners_find(&database->owners, PG_CLASS_OID, (uint32_t)strtoul(PQgetvalue(rows, row, OID), NULL, 10));
    *sequence = (struct pg_sequence){.name = copy_of(rows, row, NAME),
                                     .relation = copy_of(rows, row, RELATION),
                                     .schema = copy_of(rows, row, SCHEMA),
                                     .owner = source->owner ? copy_of(rows, row, OWNER) : strdup(""),
                                     .table = owner ? strdup(owner->name) : NULL};
    return sequence->name && sequence->relation && sequence->schema && sequence->owner && (sequence->table || !owner);
}

/* Rows of unlogged tables are not on a standby. */
static bool is_readable(struct pg_database *database, PGresult *rows, int row)
{
    if (!database->standby || PQgetvalue(rows, row, PERSISTENCE)[0] != 'u')
        return true;
    (void)pg_host->finding(database->leader->ctx, HF_WARNING, "unlogged-left-out", PQgetvalue(rows, row, NAME),
                           "an unlogged table has no rows on a standby: only its definition is in the backup");
    return false;
}

static int take_relation(const struct pg_source *source, struct pg_database *database, PGresult *rows, int row)
{
    bool good;
    if (!is_readable(database, rows, row))
        return HF_OK;
    if (PQgetvalue(rows, row, KIND)[0] == 'S')
        good = fill_sequence(source, database, rows, row, &database->sequences[database->sequence_count++]);
    else
        good = fill_table(source, database->leader, rows, row, &database->tables[database->table_count++]);
    return good ? HF_OK : pg_nomem(database->leader->ctx);
}

/* Tables that become one share its counts. Their root has no rows, so the first of them stands for it. */
static void join_partitions(struct pg_database *database)
{
    for (size_t i = 0; i < database->table_count; i++) {
        struct pg_table *table = &database->tables[i];
        table->into = table;
        for (size_t j = 0; table->root && j < i && table->into == table; j++) {
            if (database->tables[j].root && !strcmp(database->tables[j].root, table->root))
                table->into = database->tables[j].into;
        }
    }
}

int pg_plan_tables(const struct pg_source *source, struct pg_database *database)
{
    struct hf_ctx *ctx = database->leader->ctx;
    struct pg_text wanted = {0};
    PGresult *answer = NULL;
    size_t dumped_count = 0;
    uint32_t *dumped = dumped_relations(&database->schema, &dumped_count);
    int result = dumped ? add_wanted(source, database->leader, &wanted) : pg_nomem(ctx);
    result = result == HF_OK ? pg_text_check(&wanted, ctx) : result;
    result = result == HF_OK ? pg_queryf(database->leader, "list the tables", &answer, query, wanted.data) : result;
    pg_auto_rows rows = answer;
    pg_text_clear(&wanted);
    size_t most = result == HF_OK ? (size_t)PQntuples(rows) : 0;
    database->tables = calloc(most + 1, sizeof(*database->tables));
    database->sequences = calloc(most + 1, sizeof(*database->sequences));
    if (result == HF_OK && (!database->tables || !database->sequences))
        result = pg_nomem(ctx);
    for (size_t i = 0; i < most && result == HF_OK; i++) {
        uint32_t oid = (uint32_t)strtoul(PQgetvalue(rows, (int)i, OID), NULL, 10);
        bool config = !PQgetisnull(rows, (int)i, CONDITION) && !database->filtered;
        bool has = bsearch(&oid, dumped, dumped_count, sizeof(oid), compare_oids) != NULL;
        if ((has || config) && PQgetvalue(rows, (int)i, WANTED)[0] == 't')
            result = take_relation(source, database, rows, (int)i);
    }
    free(dumped);
    if (result == HF_OK)
        join_partitions(database);
    return result;
}
