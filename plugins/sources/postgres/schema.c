/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema as the real pg_dump writes it, taken apart into its entries, so that each goes to the part where it can be
 * restored at once with others. With --verbose pg_dump numbers its entries and says what each depends on.
 */
#include <stdio.h>

#include "backup.h"
#include "restore.h"

static const char set_tablespace[] = "SET default_tablespace";
static const char set_access_method[] = "SET default_table_access_method";

/* ---- owners: which relation is it about? ---- */

static int compare_owners(const void *a, const void *b)
{
    const struct pg_owner *x = a, *y = b;
    if (x->class_oid != y->class_oid)
        return x->class_oid < y->class_oid ? -1 : 1;
    return x->oid < y->oid ? -1 : x->oid > y->oid;
}

int pg_owners_read(struct pg_conn *conn, struct pg_owners *ret_owners)
{
    PGresult *answer = NULL;
    int result =
        pg_query(conn, "list what belongs to the tables",
                 "WITH o(class, oid, relation) AS ("
                 " SELECT 'pg_class'::regclass::oid, c.oid, CASE c.relkind WHEN 'S' THEN"
                 "   (SELECT d.refobjid FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid "
                 "AND d.objsubid = 0"
                 "    AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') LIMIT 1) ELSE c.oid END"
                 " FROM pg_class c WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND c.relpersistence <> 't'"
                 " UNION ALL SELECT 'pg_class'::regclass, indexrelid, indrelid FROM pg_index"
                 " UNION ALL SELECT 'pg_constraint'::regclass, oid, conrelid FROM pg_constraint WHERE conrelid <> 0"
                 " UNION ALL SELECT 'pg_attrdef'::regclass, oid, adrelid FROM pg_attrdef"
                 " UNION ALL SELECT 'pg_trigger'::regclass, oid, tgrelid FROM pg_trigger"
                 " UNION ALL SELECT 'pg_rewrite'::regclass, oid, ev_class FROM pg_rewrite"
                 " UNION ALL SELECT 'pg_policy'::regclass, oid, polrelid FROM pg_policy"
                 " UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, stxrelid FROM pg_statistic_ext)"
                 " SELECT o.class, o.oid, o.relation, c.relkind, format('%I.%I', n.nspname, c.relname)"
                 " FROM o JOIN pg_class c ON c.oid = o.relation JOIN pg_namespace n ON n.oid = c.relnamespace"
                 " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')",
                 &answer);
    if (result < 0)
        return result;
    size_t count = (size_t)PQntuples(answer);
    struct pg_owner *items = calloc(count + 1, sizeof(*items));
    if (!items) {
        PQclear(answer);
        return pg_nomem(conn->ctx);
    }
    for (size_t i = 0; i < count; i++) {
        int row = (int)i;
        items[i] = (struct pg_owner){.class_oid = (uint32_t)strtoul(PQgetvalue(answer, row, 0), NULL, 10),
                                     .oid = (uint32_t)strtoul(PQgetvalue(answer, row, 1), NULL, 10),
                                     .relation = (uint32_t)strtoul(PQgetvalue(answer, row, 2), NULL, 10),
                                     .kind = PQgetvalue(answer, row, 3)[0],
                                     .name = PQgetvalue(answer, row, 4)};
    }
    qsort(items, count, sizeof(*items), compare_owners);
    *ret_owners = (struct pg_owners){.rows = answer, .items = items, .count = count};
    return HF_OK;
}

const struct pg_owner *pg_owners_find(const struct pg_owners *owners, uint32_t class_oid, uint32_t oid)
{
    struct pg_owner key = {.class_oid = class_oid, .oid = oid};
    return oid ? bsearch(&key, owners->items, owners->count, sizeof(key), compare_owners) : NULL;
}

void pg_owners_clear(struct pg_owners *owners)
{
    PQclear(owners->rows);
    free(owners->items);
    *owners = (struct pg_owners){0};
}

/* ---- what pg_dump is asked for ---- */

struct arguments {
    const char **items;
    size_t count, room;
};

static bool add(struct arguments *arguments, const char *text)
{
    if (arguments->count + 1 >= arguments->room) {
        size_t room = arguments->room ? arguments->room * 2 : 32;
        const char **items = reallocarray(arguments->items, room, sizeof(*items));
        if (!items)
            return false;
        arguments->items = items;
        arguments->room = room;
    }
    arguments->items[arguments->count++] = text;
    arguments->items[arguments->count] = NULL;
    return true;
}

static bool add_list(struct arguments *arguments, const struct pg_list *list, const char *option)
{
    bool good = true;
    for (size_t i = 0; i < list->count && good; i++)
        good = add(arguments, option) && add(arguments, list->items[i]);
    return good;
}

/* Large objects are not asked for: we write them ourselves, as many at once as there are connections. */
static bool add_all(struct arguments *arguments, const struct pg_source *source, const char *snapshot,
                    const char *lock_timeout)
{
    bool good = add(arguments, "--verbose") && add(arguments, "-B") && add(arguments, "--section=pre-data") &&
                add(arguments, "--section=post-data") && add(arguments, "--snapshot") && add(arguments, snapshot);
    if (lock_timeout[0])
        good = good && add(arguments, "--lock-wait-timeout") && add(arguments, lock_timeout);
    if (!source->owner)
        good = good && add(arguments, "--no-owner");
    if (!source->acl)
        good = good && add(arguments, "--no-privileges");
    return good && add_list(arguments, &source->schema, "--schema") &&
           add_list(arguments, &source->exclude_schema, "--exclude-schema") &&
           add_list(arguments, &source->table, "--table") &&
           add_list(arguments, &source->exclude_table, "--exclude-table");
}

/* Its exit code alone does not say that all of it arrived: a wrapper, for example, may lose it. */
static int check_end(struct hf_ctx *ctx, const char *path, const struct pg_text *text)
{
    static const char end[] = "\n-- PostgreSQL database dump complete\n";
    const size_t tail = 400 + sizeof(end);
    const char *from = text->used > tail ? text->data + (text->used - tail) : text->data;
    if (from && memmem(from, (size_t)(text->data + text->used - from), end, sizeof(end) - 1))
        return HF_OK;
    return pg_host->fail(ctx, HF_E_FAIL, "'%s' ended without an error, and its output has no end", path);
}

static int run(const struct pg_source *source, struct pg_conn *conn, const char *snapshot, struct pg_text *ret_text)
{
    struct arguments arguments = {0};
    char lock_timeout[32] = "";
    char *found = NULL;
    int version = 0;
    int result = pg_tool_find(source, conn->ctx, "pg_dump", conn->version, &found, &version);
    pg_auto_text path = found;
    if (result < 0)
        return result;
    if (source->lock_timeout_ms > 0)
        (void)snprintf(lock_timeout, sizeof(lock_timeout), "%lld", (long long)source->lock_timeout_ms);
    result = add_all(&arguments, source, snapshot, lock_timeout) ? HF_OK : pg_nomem(conn->ctx);
    if (result == HF_OK)
        result = pg_tool_run(source, conn, path, arguments.items, ret_text);
    free(arguments.items);
    return result == HF_OK ? check_end(conn->ctx, path, ret_text) : result;
}

/* ---- its text taken apart ---- */

struct reader {
    struct hf_ctx *ctx;
    struct pg_schema *schema;
    bool given;              /* the text was handed to the script reader */
    const char *settings[2]; /* that hold now: tablespace, access method */
};

static int64_t give_text(void *arg, const void **ret_data)
{
    struct reader *reader = arg;
    if (reader->given)
        return 0;
    reader->given = true;
    *ret_data = reader->schema->text.data;
    return (int64_t)reader->schema->text.used;
}

static char *copy_of(const char *text)
{
    return text ? strdup(text) : NULL;
}

static int take_entry(struct reader *reader, const struct pg_token *token)
{
    struct pg_schema *schema = reader->schema;
    const struct pg_entry *from = &token->entry;
    if (schema->count == schema->room) {
        size_t room = schema->room ? schema->room * 2 : 256;
        struct pg_schema_entry *entries = reallocarray(schema->entries, room, sizeof(*entries));
        if (!entries)
            return pg_nomem(reader->ctx);
        schema->entries = entries;
        schema->room = room;
    }
    struct pg_schema_entry *entry = &schema->entries[schema->count++];
    *entry = (struct pg_schema_entry){.type = copy_of(from->type),
                                      .name = copy_of(from->name),
                                      .schema = copy_of(from->schema),
                                      .dump_id = from->dump_id,
                                      .class_oid = from->class_oid,
                                      .oid = from->oid,
                                      .dependency_count = from->dependency_count,
                                      .begin = token->begin,
                                      .body = token->end,
                                      .end = token->end,
                                      .tablespace = reader->settings[0],
                                      .access_method = reader->settings[1]};
    entry->dependencies = calloc(from->dependency_count + 1, sizeof(*entry->dependencies));
    if (entry->dependencies && from->dependency_count > 0)
        memcpy(entry->dependencies, from->dependencies, from->dependency_count * sizeof(*entry->dependencies));
    bool whole = entry->dependencies && (entry->type || !from->type) && (entry->name || !from->name) &&
                 (entry->schema || !from->schema);
    return whole ? HF_OK : pg_nomem(reader->ctx);
}

/* A setting for the entries that follow. */
static int take_setting(struct reader *reader, const struct pg_token *token, size_t which)
{
    struct pg_schema *schema = reader->schema;
    char **settings = reallocarray(schema->settings, schema->setting_count + 1, sizeof(*settings));
    char *text = settings ? strndup(token->text, token->size) : NULL;
    schema->settings = settings ? settings : schema->settings;
    if (!text)
        return pg_nomem(reader->ctx);
    schema->settings[schema->setting_count++] = text;
    reader->settings[which] = text;
    return HF_OK;
}

static int take(struct reader *reader, const struct pg_token *token)
{
    struct pg_schema *schema = reader->schema;
    static const char restrict_word[] = "\\restrict ";
    switch (token->kind) {
    case PG_ENTRY:
        return take_entry(reader, token);
    case PG_META:
        if (strncmp(token->text, restrict_word, sizeof(restrict_word) - 1) != 0 || schema->restrict_key)
            return HF_OK;
        schema->restrict_key = strdup(token->text + sizeof(restrict_word) - 1);
        return schema->restrict_key ? HF_OK : pg_nomem(reader->ctx);
    case PG_STATEMENT:
        if (!strncmp(token->text, set_tablespace, sizeof(set_tablespace) - 1))
            return take_setting(reader, token, 0);
        if (!strncmp(token->text, set_access_method, sizeof(set_access_method) - 1))
            return take_setting(reader, token, 1);
        if (schema->count > 0)
            schema->entries[schema->count - 1].end = token->end;
        else
            schema->preamble = token->end;
        return token->copy
                   ? pg_host->fail(reader->ctx, HF_E_FAIL, "pg_dump wrote data where only a schema was asked for")
                   : HF_OK;
    case PG_SCRIPT_END:
        return HF_END;
    default:
        return pg_host->fail(reader->ctx, HF_E_FAIL, "pg_dump wrote data where only a schema was asked for");
    }
}

static int read_text(struct hf_ctx *ctx, struct pg_schema *schema)
{
    struct reader reader = {.ctx = ctx, .schema = schema};
    struct pg_script *script = pg_script_new(give_text, &reader);
    struct pg_token token;
    const char *problem = NULL;
    int result = script ? HF_OK : pg_nomem(ctx);
    while (result == HF_OK) {
        result = pg_script_next(script, &token, &problem);
        if (result == HF_OK)
            result = take(&reader, &token);
        else if (problem)
            result = pg_host->fail(ctx, HF_E_FAIL, "pg_dump's text cannot be read: %s", problem);
        else if (result == HF_E_NOMEM)
            result = pg_nomem(ctx);
    }
    pg_script_free(script);
    return result == HF_END ? HF_OK : result;
}

/* ---- which relation an entry belongs to ---- */

static int compare_dump_ids(const void *a, const void *b)
{
    const struct pg_schema_entry *const *x = a, *const *y = b;
    return (*x)->dump_id < (*y)->dump_id ? -1 : (*x)->dump_id > (*y)->dump_id;
}

static bool same_text(const char *a, const char *b)
{
    return a && b && !strcmp(a, b);
}

/* Privileges, comments and the like have no number in the catalogs, but depend on what they are about. Of several that
 * one counts whose name stands in the entry's ("TABLE t", "COLUMN t.a"). */
static const struct pg_owner *owner_by_dependency(const struct pg_schema_entry *entry,
                                                  struct pg_schema_entry *const *sorted, size_t count)
{
    const struct pg_owner *first = NULL;
    for (size_t i = 0; i < entry->dependency_count; i++) {
        struct pg_schema_entry key = {.dump_id = entry->dependencies[i]}, *pointer = &key;
        struct pg_schema_entry *const *found = bsearch(&pointer, sorted, count, sizeof(*sorted), compare_dump_ids);
        if (!found || !(*found)->owner)
            continue;
        if (same_text((*found)->schema, entry->schema) && entry->name && (*found)->name &&
            strstr(entry->name, (*found)->name))
            return (*found)->owner;
        first = first ? first : (*found)->owner;
    }
    return first;
}

static bool is_attach(const struct pg_schema_entry *entry)
{
    return same_text(entry->type, "TABLE ATTACH") || same_text(entry->type, "INDEX ATTACH");
}

static int add_name(json_t *names, struct hf_ctx *ctx, const struct pg_schema_entry *entry, const char *kind,
                    const char *name, size_t at)
{
    pg_auto_text key = pg_format(ctx, "%s\n%s\n%s", kind, entry->schema ? entry->schema : "", name);
    if (!key)
        return HF_E_NOMEM;
    if (json_object_get(names, key))
        return HF_OK;
    return json_object_set_new_nocheck(names, key, json_integer((json_int_t)at)) == 0 ? HF_OK : pg_nomem(ctx);
}

/* Of a constraint's entry the name is "TABLE CONSTRAINT", either of which may have spaces. */
static int name_entries(struct hf_ctx *ctx, const struct pg_schema *schema, json_t *names)
{
    int result = HF_OK;
    for (size_t i = 0; i < schema->count && result == HF_OK; i++) {
        const struct pg_schema_entry *entry = &schema->entries[i];
        if (!entry->owner || !entry->name)
            continue;
        if (same_text(entry->type, "TABLE") || same_text(entry->type, "FOREIGN TABLE"))
            result = add_name(names, ctx, entry, "TABLE ATTACH", entry->name, i);
        else if (same_text(entry->type, "INDEX"))
            result = add_name(names, ctx, entry, "INDEX ATTACH", entry->name, i);
        for (const char *at = same_text(entry->type, "CONSTRAINT") ? strchr(entry->name, ' ') : NULL;
             at && result == HF_OK; at = strchr(at + 1, ' '))
            result = add_name(names, ctx, entry, "INDEX ATTACH", at + 1, i);
    }
    return result;
}

/* That a partition, or its index, becomes part of the whole belongs to the partition. Only the name says which it is.
 */
static int find_owners_of_attach(struct hf_ctx *ctx, struct pg_schema *schema)
{
    size_t first = 0;
    while (first < schema->count && !is_attach(&schema->entries[first]))
        first++;
    if (first == schema->count)
        return HF_OK;
    pg_auto_json names = json_object();
    int result = names ? name_entries(ctx, schema, names) : pg_nomem(ctx);
    for (size_t i = first; i < schema->count && result == HF_OK; i++) {
        struct pg_schema_entry *entry = &schema->entries[i];
        if (!is_attach(entry) || !entry->name)
            continue;
        pg_auto_text key = pg_format(ctx, "%s\n%s\n%s", entry->type, entry->schema ? entry->schema : "", entry->name);
        if (!key)
            return HF_E_NOMEM;
        const json_t *at = json_object_get(names, key);
        if (at)
            entry->owner = schema->entries[json_integer_value(at)].owner;
    }
    return result;
}

static int find_owners(struct hf_ctx *ctx, struct pg_schema *schema, const struct pg_owners *owners)
{
    struct pg_schema_entry **sorted = calloc(schema->count + 1, sizeof(struct pg_schema_entry *));
    if (!sorted)
        return pg_nomem(ctx);
    for (size_t i = 0; i < schema->count; i++) {
        struct pg_schema_entry *entry = &schema->entries[i];
        entry->owner = pg_owners_find(owners, entry->class_oid, entry->oid);
        sorted[i] = entry;
    }
    qsort(sorted, schema->count, sizeof(*sorted), compare_dump_ids);
    for (size_t i = 0; i < schema->count; i++) {
        struct pg_schema_entry *entry = &schema->entries[i];
        if (entry->class_oid == 0)
            entry->owner = owner_by_dependency(entry, sorted, schema->count);
    }
    free(sorted);
    return find_owners_of_attach(ctx, schema);
}

/* ---- where the data belong ---- */

/* Types of entries that pg_dump writes after the data, and none of them before: what its getters give
 * SECTION_POST_DATA. The others, comments and privileges for example, stand behind what they are about. */
static bool comes_after(const char *type)
{
    static const char *const types[] = {"CHECK CONSTRAINT",
                                        "CONSTRAINT",
                                        "DEFAULT ACL",
                                        "EVENT TRIGGER",
                                        "FK CONSTRAINT",
                                        "INDEX",
                                        "INDEX ATTACH",
                                        "MATERIALIZED VIEW DATA",
                                        "POLICY",
                                        "PUBLICATION",
                                        "PUBLICATION TABLE",
                                        "PUBLICATION TABLES IN SCHEMA",
                                        "ROW SECURITY",
                                        "RULE",
                                        "STATISTICS",
                                        "SUBSCRIPTION",
                                        "SUBSCRIPTION TABLE",
                                        "TRIGGER"};
    for (size_t i = 0; type && i < sizeof(types) / sizeof(*types); i++) {
        if (!strcmp(types[i], type))
            return true;
    }
    return false;
}

static void find_after(struct pg_schema *schema)
{
    schema->after = 0;
    while (schema->after < schema->count && !comes_after(schema->entries[schema->after].type))
        schema->after++;
}

int pg_schema_dump(const struct pg_source *source, struct pg_conn *conn, const char *snapshot,
                   const struct pg_owners *owners, struct pg_schema *ret_schema)
{
    struct pg_schema schema = {0};
    int result = run(source, conn, snapshot, &schema.text);
    result = result == HF_OK ? read_text(conn->ctx, &schema) : result;
    result = result == HF_OK ? find_owners(conn->ctx, &schema, owners) : result;
    if (result < 0) {
        pg_schema_clear(&schema);
        return result;
    }
    find_after(&schema);
    *ret_schema = schema;
    return HF_OK;
}

void pg_schema_clear(struct pg_schema *schema)
{
    for (size_t i = 0; i < schema->count; i++) {
        free(schema->entries[i].type);
        free(schema->entries[i].name);
        free(schema->entries[i].schema);
        free(schema->entries[i].dependencies);
    }
    for (size_t i = 0; i < schema->setting_count; i++)
        free(schema->settings[i]);
    free(schema->entries);
    free(schema->settings);
    free(schema->restrict_key);
    pg_text_clear(&schema->text);
    *schema = (struct pg_schema){0};
}

bool pg_schema_is_privilege(const struct pg_schema_entry *entry)
{
    return entry->type && (!strcmp(entry->type, "ACL") || !strcmp(entry->type, "DEFAULT ACL"));
}

/* ---- as it shall stand in the artifact ---- */

static bool begins(const char *line, size_t size, const char *word)
{
    size_t length = strlen(word);
    return size >= length && !memcmp(line, word, length);
}

/* Without pg_dump's numbers, which mean nothing elsewhere, and with the relation's name before the last "--". */
static void write_header(const struct pg_schema *schema, const struct pg_schema_entry *entry, struct pg_text *out)
{
    const char *at = schema->text.data + entry->begin, *end = schema->text.data + entry->body;
    pg_auto_text table = entry->owner ? pg_script_escape(entry->owner->name) : NULL;
    if (entry->owner && !table)
        out->failed = true;
    for (size_t line = 0; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((stop ? stop + 1 : end) - at);
        bool last = at + size >= end;
        if (last && line > 0 && table)
            pg_text_addf(out, "-- Table: %s\n", table);
        if (!begins(at, size, "-- TOC entry ") && !begins(at, size, "-- Dependencies: "))
            pg_text_add_bytes(out, at, size);
        at += size;
    }
}

static void write_setting(const char *setting, const char *before, struct pg_text *out)
{
    if (setting && (!before || strcmp(setting, before) != 0))
        pg_text_addf(out, "%s;\n\n", setting);
}

void pg_schema_write(const struct pg_schema *schema, const struct pg_schema_entry *entry,
                     const struct pg_schema_entry *before, struct pg_text *out)
{
    write_setting(entry->tablespace, before ? before->tablespace : NULL, out);
    if (entry < schema->entries + schema->after) /* nothing behind the data is stored by one */
        write_setting(entry->access_method, before ? before->access_method : NULL, out);
    write_header(schema, entry, out);
    pg_text_add_bytes(out, schema->text.data + entry->body, (size_t)(entry->end - entry->body));
    pg_text_add(out, "\n\n\n");
}
