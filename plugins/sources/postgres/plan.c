/* SPDX-License-Identifier: Apache-2.0
 *
 * Which parts a database becomes: large tables in ranges of their pages, small ones together, an index that takes long
 * by itself, and the rest of what pg_dump writes before and after.
 */
#include <stdio.h>

#include "backup.h"

enum { GROUP_TABLES_MAX = 200 };

/* ---- pieces ---- */

/* A part's name: letters, digits and what is harmless of the rest. *ret_changed: something was replaced. */
static void make_safe(const char *text, char *safe, size_t room, bool *ret_changed)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t used = 0;
    *ret_changed = strlen(text) >= room;
    for (; *text && used + 1 < room; text++) {
        bool fine = strchr(allowed, *text) != NULL;
        *ret_changed = *ret_changed || !fine;
        safe[used++] = fine ? *text : '-';
    }
    safe[used] = 0;
}

struct pg_piece *pg_plan_add(struct pg_database *database, struct hf_ctx *ctx, enum pg_piece_kind kind, uint32_t phase,
                             const char *name, uint64_t number)
{
    struct pg_piece *piece = calloc(1, sizeof(*piece));
    if (piece && database->piece_count == database->piece_room) {
        size_t room = database->piece_room ? database->piece_room * 2 : 64;
        struct pg_piece **pieces = reallocarray(database->pieces, room, sizeof(struct pg_piece *));
        if (pieces) {
            database->pieces = pieces;
            database->piece_room = room;
        }
    }
    if (!piece || database->piece_count == database->piece_room) {
        free(piece);
        (void)pg_nomem(ctx);
        return NULL;
    }
    database->pieces[database->piece_count++] = piece;
    piece->kind = kind;
    piece->phase = phase;
    if (number > 0)
        (void)snprintf(piece->name, sizeof(piece->name), "%s:%llu", name, (unsigned long long)number);
    else
        (void)snprintf(piece->name, sizeof(piece->name), "%s", name);
    return piece;
}

char *pg_plan_subject(struct hf_ctx *ctx, const char *schema, const char *relation, uint32_t oid)
{
    char whole[300], safe[140];
    bool changed = false;
    (void)snprintf(whole, sizeof(whole), "%s.%s", schema, relation);
    make_safe(whole, safe, sizeof(safe), &changed);
    return changed ? pg_format(ctx, "%s@%u", safe, oid) : pg_format(ctx, "%s", safe);
}

/* ---- phases 0 and 1 ---- */

static int plan_before(struct pg_database *database, struct hf_ctx *ctx)
{
    const struct pg_schema *schema = &database->schema;
    const struct pg_schema_entry *last = NULL;
    struct pg_piece *piece = pg_plan_add(database, ctx, PG_PIECE_TEXT, 0, "pre-data", 0);
    const char *at = schema->text.data, *end = at ? at + schema->preamble : NULL;
    if (!piece)
        return HF_E_NOMEM;
    while (at < end) { /* the time is the manifest's matter */
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((stop ? stop + 1 : end) - at);
        if (strncmp(at, "-- Started on ", 14) != 0)
            pg_text_add_bytes(&piece->text, at, size);
        at += size;
    }
    pg_text_add(&piece->text, "\n\n");
    for (size_t i = 0; i < schema->after; i++) {
        if (pg_schema_is_privilege(&schema->entries[i]))
            continue;
        pg_schema_write(schema, &schema->entries[i], last, &piece->text);
        last = &schema->entries[i];
    }
    piece->estimate = piece->text.used;
    return pg_text_check(&piece->text, ctx);
}

/* Configuration of extensions in its order, then the largest first. Partitions that go through their root are never put
 * together with others: all are of its group. */
static int by_size(const void *a, const void *b)
{
    const struct pg_table *const *x = a, *const *y = b;
    if ((*x)->rank != (*y)->rank && ((*x)->rank < 0 || (*y)->rank < 0))
        return (*x)->rank < 0 ? 1 : -1;
    if ((*x)->rank != (*y)->rank)
        return (*x)->rank < (*y)->rank ? -1 : 1;
    if (!(*x)->root != !(*y)->root)
        return (*x)->root ? -1 : 1;
    if ((*x)->bytes != (*y)->bytes)
        return (*x)->bytes > (*y)->bytes ? -1 : 1;
    return *x < *y ? -1 : *x > *y; /* by name */
}

static int set_group(struct pg_table *table, struct hf_ctx *ctx, const char *group)
{
    table->group = strdup(group);
    return table->group ? HF_OK : pg_nomem(ctx);
}

static struct pg_piece *add_rows(struct pg_database *database, struct hf_ctx *ctx, const char *name, uint64_t number,
                                 const char *group, struct pg_table *const *tables, size_t count)
{
    struct pg_piece *piece = pg_plan_add(database, ctx, PG_PIECE_ROWS, 1, name, number);
    if (!piece)
        return NULL;
    piece->group = strdup(group);
    piece->tables = calloc(count, sizeof(struct pg_table *));
    if (!piece->group || !piece->tables) {
        (void)pg_nomem(ctx);
        return NULL;
    }
    memcpy(piece->tables, tables, count * sizeof(struct pg_table *));
    piece->table_count = count;
    for (size_t i = 0; i < count; i++)
        piece->estimate += tables[i]->bytes;
    return piece;
}

/* The last range has no end: pages may have been added since the table was measured. */
static int plan_large(const struct pg_source *source, struct pg_database *database, struct hf_ctx *ctx,
                      struct pg_table *table)
{
    uint64_t size = (uint64_t)source->part_bytes, parts = table->ranges ? (table->bytes + size / 2) / size : 1;
    pg_auto_text subject = pg_plan_subject(ctx, table->schema, table->relation, table->oid);
    if (!subject)
        return HF_E_NOMEM;
    parts = parts > table->pages ? table->pages : parts;
    parts = parts < 1 ? 1 : parts;
    int result = table->into->group ? HF_OK : set_group(table->into, ctx, subject);
    if (result == HF_OK && !table->group)
        result = set_group(table, ctx, table->into->group);
    for (uint64_t i = 0; i < parts && result == HF_OK; i++) {
        struct pg_piece *piece = add_rows(database, ctx, subject, i + 1, table->group, &table, 1);
        if (!piece)
            return HF_E_NOMEM;
        piece->estimate = table->bytes / parts;
        if (parts == 1)
            continue;
        piece->from = table->pages * i / parts;
        piece->to = i + 1 < parts ? table->pages * (i + 1) / parts : UINT64_MAX;
    }
    return result;
}

static int plan_small(struct pg_database *database, struct hf_ctx *ctx, struct pg_table *const *tables, size_t count,
                      uint64_t number)
{
    char group[40];
    (void)snprintf(group, sizeof(group), "tables-%llu", (unsigned long long)number);
    if (!add_rows(database, ctx, group, 0, group, tables, count))
        return HF_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        if (set_group(tables[i], ctx, group) < 0)
            return HF_E_NOMEM;
    }
    return HF_OK;
}

/* Ten thousand tables must not be ten thousand parts, nor one part that keeps a single connection busy. */
static int plan_tables(const struct pg_source *source, struct pg_database *database, struct hf_ctx *ctx)
{
    uint64_t part = (uint64_t)source->part_bytes, number = 0;
    struct pg_table **sorted = calloc(database->table_count + 1, sizeof(struct pg_table *));
    size_t at = 0;
    int result = sorted ? HF_OK : pg_nomem(ctx);
    for (size_t i = 0; sorted && i < database->table_count; i++)
        sorted[i] = &database->tables[i];
    if (sorted)
        qsort(sorted, database->table_count, sizeof(*sorted), by_size);
    while (sorted && at < database->table_count && sorted[at]->rank >= 0)
        at++;
    if (result == HF_OK && at > 0) /* one after the other, however large they are */
        result = plan_small(database, ctx, sorted, at, ++number);
    for (; result == HF_OK && at < database->table_count && (sorted[at]->root || sorted[at]->bytes > part / 4); at++)
        result = plan_large(source, database, ctx, sorted[at]);
    while (result == HF_OK && at < database->table_count) {
        size_t count = 0;
        uint64_t bytes = 0;
        while (at + count < database->table_count && count < GROUP_TABLES_MAX && bytes < part / 2)
            bytes += sorted[at + count++]->bytes;
        result = plan_small(database, ctx, sorted + at, count, ++number);
        at += count;
    }
    free(sorted);
    return result;
}

int pg_plan_data(const struct pg_source *source, struct pg_database *database)
{
    struct hf_ctx *ctx = database->leader->ctx;
    int result = plan_before(database, ctx);
    result = result == HF_OK ? plan_tables(source, database, ctx) : result;
    if (result == HF_OK && database->sequence_count > 0) {
        struct pg_piece *piece = pg_plan_add(database, ctx, PG_PIECE_SEQUENCES, 1, "sequences", 0);
        if (!piece)
            return HF_E_NOMEM;
        piece->group = strdup("sequences");
        piece->estimate = database->sequence_count * 200;
        result = piece->group ? HF_OK : pg_nomem(ctx);
    }
    return result == HF_OK ? pg_objects_plan(source, database) : result;
}
