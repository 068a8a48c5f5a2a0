/* SPDX-License-Identifier: Apache-2.0
 *
 * Sequences and large objects, compared with what was recorded.
 */
#include <stdio.h>

#include "restore.h"

enum { AT_ONCE = 200, OBJECTS_AT_ONCE = 10000 };

/* Sequences that belong to the chosen tables, for all others were not restored. */
static int add_owned(struct pg_target *target, struct pg_conn *conn, json_t *owned)
{
    for (size_t i = 0; i < target->only.count; i++) {
        PGresult *answer = NULL;
        pg_auto_text schema = pg_quote_literal(conn, target->only.items[i].schema);
        pg_auto_text relation = pg_quote_literal(conn, target->only.items[i].relation);
        if (!schema || !relation)
            return pg_nomem(conn->ctx);
        int result = pg_queryf(conn, "list the table's sequences", &answer,
                               "SELECT format('%%I.%%I', m.nspname, s.relname) FROM pg_class c"
                               " JOIN pg_namespace n ON n.oid = c.relnamespace"
                               " JOIN pg_depend d ON d.refobjid = c.oid AND d.refclassid = 'pg_class'::regclass"
                               "  AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')"
                               " JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'"
                               " JOIN pg_namespace m ON m.oid = s.relnamespace"
                               " WHERE n.nspname = %s AND c.relname = %s",
                               schema, relation);
        pg_auto_rows rows = answer;
        if (result < 0)
            return result;
        for (int row = 0; row < PQntuples(rows); row++) {
            if (json_object_set_new_nocheck(owned, PQgetvalue(rows, row, 0), json_true()) != 0)
                return pg_nomem(conn->ctx);
        }
    }
    return HF_OK;
}

/* A query of so many sequences, against their facts in the same order. */
static int check_batch(struct pg_conn *conn, struct pg_text *sql, const char *const *names, const json_t *const *facts,
                       size_t count)
{
    PGresult *answer = NULL;
    int result = pg_text_check(sql, conn->ctx);
    if (count == 0 || result < 0)
        return result;
    pg_text_add(sql, " ORDER BY 1");
    result = pg_query(conn, "read the sequences back", sql->data, &answer);
    pg_auto_rows rows = answer;
    for (size_t i = 0; result == HF_OK && i < count; i++) {
        long long expected = (long long)json_integer_value(json_array_get(facts[i], 0));
        bool called = json_is_true(json_array_get(facts[i], 1));
        const char *value = PQgetvalue(rows, (int)i, 1);
        if (strtoll(value, NULL, 10) != expected || (PQgetvalue(rows, (int)i, 2)[0] == 't') != called)
            result = pg_host->fail(conn->ctx, HF_E_CORRUPT, "sequence '%s' is at %s instead of %lld%s", names[i], value,
                                   expected, called ? "" : ", not called yet");
    }
    pg_text_clear(sql);
    return result;
}

int pg_compare_sequences(struct hf_ctx *ctx, struct pg_target *target, struct pg_conn *conn)
{
    pg_auto_json facts = pg_recorded_fact(ctx, target->artifact, PG_FACT_SEQUENCES);
    pg_auto_json owned = json_object();
    const char *names[AT_ONCE];
    const json_t *values[AT_ONCE];
    struct pg_text sql = {0};
    size_t count = 0;
    const char *name;
    json_t *value;
    int result = owned ? add_owned(target, conn, owned) : pg_nomem(ctx);
    json_object_foreach(facts, name, value)
    {
        if (result < 0 || (target->only.count > 0 && !json_object_get(owned, name)))
            continue;
        if (!pg_is_name(name)) {
            result =
                pg_host->fail(ctx, HF_E_CORRUPT, "what the backup recorded of sequence '%s' is not readable", name);
            continue;
        }
        pg_text_addf(&sql, "%sSELECT %zu, last_value, is_called FROM %s", count > 0 ? " UNION ALL " : "", count, name);
        names[count] = name;
        values[count++] = value;
        if (count < AT_ONCE)
            continue;
        result = check_batch(conn, &sql, names, values, count);
        count = 0;
    }
    result = result == HF_OK ? check_batch(conn, &sql, names, values, count) : result;
    pg_text_clear(&sql);
    return result;
}

static int drop_data(void *arg, const char *data, size_t size)
{
    (void)arg;
    (void)data;
    (void)size;
    return HF_OK;
}

static int read_objects(struct pg_conn *conn, struct pg_objects *objects)
{
    unsigned long long last = 0;
    for (int count = OBJECTS_AT_ONCE; count == OBJECTS_AT_ONCE;) {
        PGresult *answer = NULL;
        int result = pg_queryf(conn, "list the large objects", &answer,
                               "SELECT oid FROM pg_largeobject_metadata WHERE oid > %llu ORDER BY oid LIMIT %d", last,
                               (int)OBJECTS_AT_ONCE);
        pg_auto_rows rows = answer;
        if (result < 0)
            return result;
        count = PQntuples(rows);
        for (int i = 0; i < count; i++) {
            last = strtoull(PQgetvalue(rows, i, 0), NULL, 10);
            result = pg_object_write(conn, (Oid)last, drop_data, NULL, objects);
            if (result < 0)
                return result;
        }
    }
    return HF_OK;
}

int pg_compare_objects(struct hf_ctx *ctx, struct pg_target *target, struct pg_conn *conn)
{
    pg_auto_json fact = pg_recorded_fact(ctx, target->artifact, PG_FACT_LARGE_OBJECTS);
    struct pg_objects found = {0};
    const char *sum = json_string_value(json_object_get(fact, "sum"));
    if (!fact)
        return HF_OK;
    if (!sum)
        return pg_host->fail(ctx, HF_E_CORRUPT, "what the backup recorded of large objects is not readable");
    int result = pg_command(conn, "read the large objects back", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    result = result == HF_OK ? read_objects(conn, &found) : result;
    result = result == HF_OK ? pg_command(conn, "read the large objects back", "COMMIT") : result;
    if (result < 0)
        return result;
    uint64_t count = (uint64_t)json_integer_value(json_object_get(fact, "count"));
    uint64_t bytes = (uint64_t)json_integer_value(json_object_get(fact, "bytes"));
    if (found.rows.rows == count && found.bytes == bytes && found.rows.sum == strtoull(sum, NULL, 16))
        return HF_OK;
    return pg_host->fail(
        ctx, HF_E_CORRUPT,
        "there are %llu large objects of %llu bytes instead of %llu of %llu, or others than were backed up",
        (unsigned long long)found.rows.rows, (unsigned long long)found.bytes, (unsigned long long)count,
        (unsigned long long)bytes);
}
