/* SPDX-License-Identifier: Apache-2.0
 *
 * Single tables: which ones --only means. Names are compared by what they say, not by how they are quoted.
 */
#include <stdio.h>

#include "restore.h"

/* One identifier from *at on, without its quotes; `last` takes a bare one to the very end, whatever stands there. NULL:
 * a quote is missing, or memory. */
static char *unquote(const char **at, const char *end, bool last)
{
    char *name = malloc((size_t)(end - *at) + 1);
    size_t used = 0;
    bool open = *at < end && **at == '"';
    if (!name)
        return NULL;
    if (open) {
        for ((*at)++; *at < end && open; (*at)++) {
            if (**at == '"' && (*at + 1 == end || (*at)[1] != '"'))
                open = false;
            else
                name[used++] = **at == '"' ? *++*at : **at;
        }
    } else {
        while (*at < end && (last || **at != '.'))
            name[used++] = *(*at)++;
    }
    name[used] = 0;
    if (!open)
        return name;
    free(name);
    return NULL;
}

bool pg_name_split(const char *name, size_t size, char **ret_schema, char **ret_relation)
{
    const char *at = name, *end = name + size;
    char *schema = unquote(&at, end, false), *relation = NULL;
    if (schema && schema[0] && at < end && *at == '.') {
        at++;
        relation = unquote(&at, end, true);
    }
    if (relation && relation[0] && at == end) {
        *ret_schema = schema;
        *ret_relation = relation;
        return true;
    }
    free(schema);
    free(relation);
    return false;
}

char *pg_name_key(const char *schema, const char *relation)
{
    char *key = NULL;
    return asprintf(&key, "%zu.%s.%s", strlen(schema), schema, relation) < 0 ? NULL : key;
}

static bool is_same(const struct pg_only *only, const char *table, size_t size)
{
    if (only->table)
        return strlen(only->table) == size && memcmp(only->table, table, size) == 0;
    pg_auto_text schema = NULL, relation = NULL;
    return pg_name_split(table, size, &schema, &relation) && !strcmp(schema, only->schema) &&
           !strcmp(relation, only->relation);
}

struct pg_only *pg_only_find(const struct pg_only_list *list, const char *table, size_t size)
{
    for (size_t i = 0; i < list->count; i++) {
        if (is_same(&list->items[i], table, size))
            return &list->items[i];
    }
    return NULL;
}

static int look_up(struct hf_ctx *ctx, struct pg_only *only, const json_t *layout)
{
    const char *table;
    json_t *place;
    json_object_foreach((json_t *)layout, table, place)
    {
        if (!is_same(only, table, strlen(table)))
            continue;
        const char *group = json_string_value(json_object_get(place, "part"));
        const char *root = json_string_value(json_object_get(place, "root"));
        only->table = strdup(table);
        only->group = group ? strdup(group) : NULL;
        only->root = root ? strdup(root) : NULL;
        return only->table && (only->group || !group) && (only->root || !root) ? HF_OK : pg_nomem(ctx);
    }
    return HF_OK;
}

static void clear_one(struct pg_only *only)
{
    free(only->given);
    free(only->schema);
    free(only->relation);
    free(only->table);
    free(only->group);
    free(only->root);
}

static bool is_listed(const struct pg_only_list *list, const struct pg_only *only)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!strcmp(list->items[i].schema, only->schema) && !strcmp(list->items[i].relation, only->relation))
            return true;
    }
    return false;
}

int pg_only_add(struct hf_ctx *ctx, struct pg_only_list *list, const char *given, const json_t *layout)
{
    struct pg_only only = {0};
    struct pg_only *items = reallocarray(list->items, list->count + 1, sizeof(*items));
    if (!items)
        return pg_nomem(ctx);
    list->items = items;
    only.given = strdup(given);
    if (!only.given)
        return pg_nomem(ctx);
    if (!pg_name_split(given, strlen(given), &only.schema, &only.relation)) {
        free(only.given);
        (void)pg_host->fail(ctx, HF_E_CONFIG, "--only '%s' names no table", given);
        return pg_host->hint(ctx, "write it with its schema: public.%s", given);
    }
    if (is_listed(list, &only)) {
        clear_one(&only);
        return HF_OK;
    }
    int result = look_up(ctx, &only, layout);
    items[list->count++] = only;
    return result;
}

int pg_only_check(struct pg_target *target, struct pg_conn *conn)
{
    int result = HF_OK;
    for (size_t i = 0; i < target->only.count && result >= 0; i++) {
        const struct pg_only *only = &target->only.items[i];
        PGresult *answer = NULL;
        pg_auto_text schema = pg_quote_literal(conn, only->schema), relation = pg_quote_literal(conn, only->relation);
        if (!schema || !relation)
            return pg_nomem(conn->ctx);
        result = pg_queryf(conn, "look for partitions", &answer,
                           "SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'p'"
                           " AND n.nspname = %s AND c.relname = %s"
                           " AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid)",
                           schema, relation);
        pg_auto_rows rows = answer;
        if (result == HF_OK && PQntuples(rows) > 0)
            result = pg_host->finding(conn->ctx, HF_WARNING, "no-partitions", only->given,
                                      "its rows are in its partitions, which --only has to name, too");
    }
    return result < 0 ? result : HF_OK;
}

void pg_only_clear(struct pg_only_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        clear_one(&list->items[i]);
    free(list->items);
    *list = (struct pg_only_list){0};
}
