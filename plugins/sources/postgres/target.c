/* SPDX-License-Identifier: Apache-2.0
 *
 * Databases that a restore makes. Nothing is ever loaded into one that was there before, but for single tables: a
 * database of another name is made, marked by its comment, and renamed when all is well.
 */
#include <stdio.h>

#include "restore.h"

static const char mark[] = "holdfast: being restored";

/* As much of `name` as fits in `room`, and no half character of UTF-8. */
static int cut(const char *name, size_t room)
{
    size_t size = strnlen(name, room + 1);
    if (size > room) {
        size = room;
        while (size > 0 && ((unsigned char)name[size] & 0xC0) == 0x80)
            size--;
    }
    return (int)size;
}

void pg_name_beside(const char *name, const char *word, const char *id, char ret_name[PG_NAME_ROOM])
{
    enum { HASH = 9, TAIL = 24 };
    char whole[512];
    int size = snprintf(whole, sizeof(whole), "%s_%s_%s", name, word, id);
    if (size >= 0 && size <= PG_NAME_MAX) {
        memcpy(ret_name, whole, (size_t)size + 1);
        return;
    }
    /* The end of the id is its time, which is worth reading; the hash keeps apart what looks the same. */
    size_t id_size = strlen(id);
    const char *tail = id_size > TAIL ? id + id_size - TAIL : id;
    XXH64_hash_t hash = XXH3_64bits_withSeed(name, strlen(name), XXH3_64bits(id, id_size));
    size_t rest = strlen(word) + 2 + strlen(tail) + HASH;
    (void)snprintf(ret_name, PG_NAME_ROOM, "%.*s_%s_%s_%08x", cut(name, PG_NAME_MAX - rest), name, word, tail,
                   (unsigned)hash);
}

int pg_database_describe(struct pg_conn *conn, const char *database, json_t **ret_properties)
{
    PGresult *answer = NULL;
    pg_auto_text name = pg_quote_literal(conn, database);
    if (!name)
        return pg_nomem(conn->ctx);
    int result = pg_queryf(
        conn, "describe the database", &answer,
        "SELECT json_build_object('name', d.datname, 'owner', pg_get_userbyid(d.datdba),"
        " 'encoding', pg_encoding_to_char(d.encoding), 'provider', coalesce(j->>'datlocprovider', 'c'),"
        " 'collate', d.datcollate, 'ctype', d.datctype,"
        " 'locale', coalesce(j->>'datlocale', j->>'daticulocale'), 'icu_rules', j->>'daticurules',"
        " 'tablespace', t.spcname, 'connection_limit', d.datconnlimit, 'template', d.datistemplate,"
        " 'comment', shobj_description(d.oid, 'pg_database'),"
        " 'acl', CASE WHEN d.datacl IS NOT NULL THEN (SELECT coalesce(json_agg(json_build_object("
        "   'grantee', CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END,"
        "   'privilege', a.privilege_type, 'grantable', a.is_grantable)), '[]') FROM aclexplode(d.datacl) a) END,"
        " 'settings', (SELECT json_agg(json_build_object("
        "   'role', CASE s.setrole WHEN 0 THEN NULL ELSE pg_get_userbyid(s.setrole) END, 'setting', one))"
        "   FROM pg_db_role_setting s, unnest(s.setconfig) one WHERE s.setdatabase = d.oid))"
        " FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace, to_jsonb(d) j WHERE d.datname = %s",
        name);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    if (PQntuples(rows) == 0) {
        *ret_properties = NULL;
        return HF_OK;
    }
    json_t *properties = pg_json_of_server(PQgetvalue(rows, 0, 0));
    if (!properties)
        return pg_host->fail(conn->ctx, HF_E_FAIL, "describe the database '%s': what the server says is no JSON",
                             database);
    *ret_properties = properties;
    return HF_OK;
}

/* 16384: the first OID that no initdb gives. What belongs to an extension, or to another object (an index, a row type),
 * is not asked for. */
static const char content_query[] =
    "WITH n AS (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_' AND nspname <> 'pg_toast'),"
    " o(class, oid) AS ("
    " SELECT 'pg_namespace'::regclass, oid FROM pg_namespace WHERE nspname <> 'public' AND oid IN (TABLE n)"
    " UNION ALL SELECT 'pg_class'::regclass, oid FROM pg_class"
    "  WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND relnamespace IN (TABLE n)"
    " UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type WHERE typnamespace IN (TABLE n)"
    " UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace IN (TABLE n)"
    " UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator"
    " UNION ALL SELECT 'pg_opclass'::regclass, oid FROM pg_opclass"
    " UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily"
    " UNION ALL SELECT 'pg_am'::regclass, oid FROM pg_am"
    " UNION ALL SELECT 'pg_language'::regclass, oid FROM pg_language"
    " UNION ALL SELECT 'pg_collation'::regclass, oid FROM pg_collation"
    " UNION ALL SELECT 'pg_conversion'::regclass, oid FROM pg_conversion"
    " UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast"
    " UNION ALL SELECT 'pg_transform'::regclass, oid FROM pg_transform"
    " UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper"
    " UNION ALL SELECT 'pg_foreign_server'::regclass, oid FROM pg_foreign_server"
    " UNION ALL SELECT 'pg_ts_config'::regclass, oid FROM pg_ts_config"
    " UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict"
    " UNION ALL SELECT 'pg_ts_parser'::regclass, oid FROM pg_ts_parser"
    " UNION ALL SELECT 'pg_ts_template'::regclass, oid FROM pg_ts_template"
    " UNION ALL SELECT 'pg_event_trigger'::regclass, oid FROM pg_event_trigger"
    " UNION ALL SELECT 'pg_publication'::regclass, oid FROM pg_publication"
    " UNION ALL SELECT 'pg_default_acl'::regclass, oid FROM pg_default_acl"
    " UNION ALL SELECT 'pg_largeobject'::regclass, oid FROM pg_largeobject_metadata"
    " UNION ALL SELECT 'pg_subscription'::regclass, oid FROM pg_subscription"
    "  WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    " SELECT pg_describe_object(class, oid, 0) FROM o WHERE oid >= CASE WHEN class = 'pg_largeobject'::regclass THEN 1"
    " ELSE 16384 END AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid"
    " AND d.deptype IN ('e', 'i')) LIMIT 1";

static int find_content(struct pg_conn *conn, char **ret_what)
{
    PGresult *answer = NULL;
    int result = pg_query(conn, "look whether the database is empty", content_query, &answer);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    char *what = PQntuples(rows) > 0 ? strdup(PQgetvalue(rows, 0, 0)) : NULL;
    if (PQntuples(rows) > 0 && !what)
        return pg_nomem(conn->ctx);
    *ret_what = what;
    return HF_OK;
}

/* A new database has the extensions that template1 has. Another one was wanted in this. */
static int find_extension(const struct pg_target *target, struct pg_conn *conn, const struct pg_place *place,
                          char **ret_what)
{
    static const char query[] = "SELECT extname FROM pg_extension WHERE oid >= 16384 ORDER BY 1";
    PGresult *answer = NULL, *usual = NULL;
    struct pg_conn *opened = NULL;
    int result = pg_query(conn, "list the extensions", query, &answer);
    pg_auto_rows rows = answer;
    if (result < 0 || PQntuples(rows) == 0)
        return result;
    result = pg_open(target->source, conn->ctx, place, "template1", &opened);
    pg_auto_conn template = opened;
    result = result == HF_OK ? pg_query(template, "list the extensions", query, &usual) : result;
    pg_auto_rows known = usual;
    for (int i = 0; result == HF_OK && i < PQntuples(rows); i++) {
        bool found = false;
        for (int j = 0; j < PQntuples(known); j++)
            found = found || !strcmp(PQgetvalue(rows, i, 0), PQgetvalue(known, j, 0));
        if (found)
            continue;
        *ret_what = pg_format(conn->ctx, "extension %s", PQgetvalue(rows, i, 0));
        return *ret_what ? HF_OK : HF_E_NOMEM;
    }
    return result;
}

/* ---- may it be? ---- */

/* A table that is to be restored into a database must not be there. */
static int check_absent(struct pg_target *target, struct pg_conn *conn)
{
    for (size_t i = 0; i < target->only.count; i++) {
        const struct pg_only *only = &target->only.items[i];
        PGresult *answer = NULL;
        pg_auto_text schema = pg_quote_literal(conn, only->schema), relation = pg_quote_literal(conn, only->relation);
        if (!schema || !relation)
            return pg_nomem(conn->ctx);
        int result = pg_queryf(conn, "look for the table", &answer,
                               "SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                               " WHERE n.nspname = %s AND c.relname = %s",
                               schema, relation);
        pg_auto_rows rows = answer;
        if (result < 0)
            return result;
        if (PQntuples(rows) == 0)
            continue;
        (void)pg_host->fail(conn->ctx, HF_E_REFUSED, "'%s' exists in database '%s'", only->given, target->database);
        return pg_host->hint(conn->ctx, "rename it first (ALTER TABLE … RENAME), or restore into another database with "
                                        "--to DBNAME");
    }
    return HF_OK;
}

/* The database that is there. */
static int check_existing(struct pg_target *target, struct hf_ctx *ctx, const struct pg_place *place, bool replace)
{
    struct pg_conn *opened = NULL;
    pg_auto_text what = NULL;
    int result = pg_open(target->source, ctx, place, target->database, &opened);
    pg_auto_conn conn = opened;
    if (result < 0)
        return result;
    target->into = target->only.count > 0;
    if (target->into && replace)
        return pg_host->fail(ctx, HF_E_REFUSED, "--only adds tables to database '%s', and replaces nothing in it",
                             target->database);
    if (target->into)
        return check_absent(target, conn);
    result = find_content(conn, &what);
    if (result == HF_OK && !what)
        result = find_extension(target, conn, place, &what);
    if (result < 0)
        return result;
    target->empty = !what;
    if (!what || replace)
        return HF_OK;
    (void)pg_host->fail(ctx, HF_E_REFUSED, "database '%s' is not empty: it has %s", target->database, what);
    return pg_host->hint(ctx,
                         "restore into a new database with --to DBNAME, or in its place with --replace, which keeps "
                         "the old one beside it");
}

/* May this role make databases, and rename the one that is there? */
static int check_role(const struct pg_target *target, struct pg_conn *keeper)
{
    PGresult *answer = NULL;
    pg_auto_text name = pg_quote_literal(keeper, target->database);
    if (!name)
        return pg_nomem(keeper->ctx);
    int result = pg_queryf(keeper, "look at the role", &answer,
                           "SELECT current_user, rolsuper OR rolcreatedb, rolsuper OR coalesce((SELECT"
                           " pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = %s), true)"
                           " FROM pg_roles WHERE rolname = current_user",
                           name);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    bool creates = PQntuples(rows) == 1 && PQgetvalue(rows, 0, 1)[0] == 't';
    bool owns = PQntuples(rows) == 1 && PQgetvalue(rows, 0, 2)[0] == 't';
    const char *role = PQntuples(rows) == 1 ? PQgetvalue(rows, 0, 0) : "";
    if (!creates) {
        (void)pg_host->fail(keeper->ctx, HF_E_AUTH, "role '%s' may not make databases", role);
        return pg_host->hint(keeper->ctx, "a restore makes a database beside the target and renames it: ALTER ROLE … "
                                          "CREATEDB, or connect as another role");
    }
    if (owns)
        return HF_OK;
    (void)pg_host->fail(keeper->ctx, HF_E_AUTH, "role '%s' does not own database '%s'", role, target->database);
    return pg_host->hint(keeper->ctx, "the old database is renamed, which only its owner or a superuser may");
}

/* What would be in the way of the renaming, hours later; and what does not move to the new database with the name. */
static int check_renaming(const struct pg_target *target, struct pg_conn *keeper)
{
    PGresult *answer = NULL;
    pg_auto_text name = pg_quote_literal(keeper, target->database);
    if (!name)
        return pg_nomem(keeper->ctx);
    int result = pg_queryf(keeper, "look at the old database", &answer,
                           "SELECT (SELECT gid FROM pg_prepared_xacts WHERE database = %s LIMIT 1),"
                           " (SELECT string_agg(slot_name, ', ') FROM pg_replication_slots WHERE database = %s)",
                           name, name);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    if (!PQgetisnull(rows, 0, 0)) {
        (void)pg_host->fail(keeper->ctx, HF_E_REFUSED,
                            "database '%s' has a prepared transaction ('%s'), and cannot be renamed", target->database,
                            PQgetvalue(rows, 0, 0));
        return pg_host->hint(keeper->ctx, "COMMIT PREPARED or ROLLBACK PREPARED it first");
    }
    if (PQgetisnull(rows, 0, 1))
        return HF_OK;
    result =
        pg_host->finding(keeper->ctx, HF_WARNING, "replication-slot", target->database,
                         "its logical replication slots (%s) stay with the old database: subscribers have to be set up "
                         "again",
                         PQgetvalue(rows, 0, 1));
    return result < 0 ? result : HF_OK;
}

/* NAME_before_ID, or with _2, _3 … behind it: the old database of an earlier restore is not touched. */
static int free_name(struct pg_target *target, struct pg_conn *keeper, const char *id)
{
    for (unsigned i = 1; i < 1000; i++) {
        char numbered[300];
        json_t *taken = NULL;
        (void)snprintf(numbered, sizeof(numbered), i > 1 ? "%.200s_%u" : "%.200s", id, i);
        pg_name_beside(target->database, "before", numbered, target->before);
        int result = pg_database_describe(keeper, target->before, &taken);
        if (result < 0 || !taken)
            return result;
        json_decref(taken);
    }
    return pg_host->fail(keeper->ctx, HF_E_EXISTS, "there is no free name to keep database '%s' by", target->database);
}

int pg_target_check(struct pg_target *target, struct pg_conn *keeper, const struct pg_place *place, const char *id,
                    bool replace)
{
    json_t *existing = NULL;
    size_t size = strlen(target->database);
    if (size == 0 || size > PG_NAME_MAX)
        return pg_host->fail(keeper->ctx, HF_E_CONFIG, "'%s' is no database's name: 1 to %d bytes", target->database,
                             PG_NAME_MAX);
    pg_name_beside(target->database, "restore", id, target->beside);
    int result = pg_database_describe(keeper, target->database, &existing);
    if (result < 0)
        return result;
    target->exists = existing != NULL;
    if (existing) {
        json_decref(target->properties);
        target->properties = existing;
        result = check_existing(target, keeper->ctx, place, replace);
    }
    if (result == HF_OK && !target->into)
        result = check_role(target, keeper);
    if (result < 0 || !target->exists || target->into)
        return result;
    result = check_renaming(target, keeper);
    return result == HF_OK ? free_name(target, keeper, id) : result;
}

/* ---- made and dropped ---- */

static const char *text_of(const struct pg_target *target, const char *key)
{
    return json_string_value(json_object_get(target->properties, key));
}

/* " KEY 'value'" */
static int add_option(struct pg_conn *keeper, struct pg_text *sql, const char *option, const char *value)
{
    if (!value)
        return HF_OK;
    pg_auto_text literal = pg_quote_literal(keeper, value);
    if (!literal)
        return pg_nomem(keeper->ctx);
    pg_text_addf(sql, " %s %s", option, literal);
    return HF_OK;
}

static int create_statement(struct pg_target *target, struct pg_conn *keeper, struct pg_text *sql)
{
    const char *word = text_of(target, "provider"), *tablespace = target->exists ? text_of(target, "tablespace") : NULL;
    char provider = word ? word[0] : 'c';
    pg_auto_text name = pg_quote_ident(keeper, target->beside);
    if (tablespace && !strcmp(tablespace, "pg_default"))
        tablespace = NULL; /* template0's; whoever names it needs a right to it that others do not need */
    pg_auto_text space = tablespace ? pg_quote_ident(keeper, tablespace) : NULL;
    if (!name || (tablespace && !space))
        return pg_nomem(keeper->ctx);
    pg_text_addf(sql, "CREATE DATABASE %s TEMPLATE template0", name);
    int result = add_option(keeper, sql, "ENCODING", text_of(target, "encoding"));
    result = result == HF_OK ? add_option(keeper, sql, "LC_COLLATE", text_of(target, "collate")) : result;
    result = result == HF_OK ? add_option(keeper, sql, "LC_CTYPE", text_of(target, "ctype")) : result;
    /* Version 15 has providers, and what is not said comes from template0, which need not be of the same. */
    if (keeper->version >= 150000 || provider != 'c')
        pg_text_addf(sql, " LOCALE_PROVIDER %s", provider == 'i' ? "icu" : provider == 'b' ? "builtin" : "libc");
    if (provider == 'i' || provider == 'b')
        result = result == HF_OK ? add_option(keeper, sql, provider == 'i' ? "ICU_LOCALE" : "BUILTIN_LOCALE",
                                              text_of(target, "locale"))
                                 : result;
    result = result == HF_OK ? add_option(keeper, sql, "ICU_RULES", text_of(target, "icu_rules")) : result;
    if (space)
        pg_text_addf(sql, " TABLESPACE %s", space);
    return result < 0 ? result : pg_text_check(sql, keeper->ctx);
}

/* Between a database's making and its mark there is a moment, in which it is empty. */
static int check_leftover(struct pg_target *target, struct pg_conn *keeper, const json_t *leftover)
{
    const char *comment = json_string_value(json_object_get(leftover, "comment"));
    struct pg_place place = {0};
    struct pg_conn *opened = NULL;
    pg_auto_text what = NULL;
    if (comment && !strcmp(comment, mark))
        return HF_OK;
    int result = pg_place_of(keeper, keeper->ctx, &place);
    result = result == HF_OK ? pg_open(target->source, keeper->ctx, &place, target->beside, &opened) : result;
    pg_auto_conn conn = opened;
    result = result == HF_OK ? find_content(conn, &what) : result;
    pg_place_clear(&place);
    if (result < 0 || (!comment && !what))
        return result;
    (void)pg_host->fail(keeper->ctx, HF_E_EXISTS, "database '%s' exists, and is not marked as half restored",
                        target->beside);
    return pg_host->hint(keeper->ctx, "rename or drop it if nobody needs it");
}

/* One that a killed restore of this backup left, and nobody works on. */
static int drop_leftover(struct pg_target *target, struct pg_conn *keeper)
{
    json_t *found = NULL;
    int result = pg_database_describe(keeper, target->beside, &found);
    pg_auto_json leftover = found;
    if (result < 0 || !leftover)
        return result;
    pg_auto_text name = pg_quote_ident(keeper, target->beside);
    if (!name)
        return pg_nomem(keeper->ctx);
    result = check_leftover(target, keeper, leftover);
    if (result < 0)
        return result;
    pg_host->log(keeper->ctx, HF_LOG_INFO, "'%s' is left over from a restore that was killed, and is dropped",
                 target->beside);
    target->made = true; /* so that it goes, too, when this is stopped */
    pg_drop_subscriptions(keeper, target->beside);
    return pg_commandf(keeper, "drop what a killed restore left", "DROP DATABASE %s WITH (FORCE)", name);
}

/* The lock lives as long as the keeper's session: whoever has it is at work, whoever left a database without it is not.
 */
static int lock_name(struct pg_target *target, struct pg_conn *keeper)
{
    PGresult *answer = NULL;
    int64_t key = (int64_t)XXH3_64bits(target->beside, strlen(target->beside));
    int result =
        pg_queryf(keeper, "lock the target's name", &answer, "SELECT pg_try_advisory_lock(%lld)", (long long)key);
    pg_auto_rows rows = answer;
    if (result < 0 || PQgetvalue(rows, 0, 0)[0] == 't')
        return result;
    return pg_host->fail(keeper->ctx, HF_E_BUSY, "this backup is being restored to '%s' already", target->database);
}

int pg_target_make(struct pg_target *target, struct pg_conn *keeper)
{
    struct pg_text sql = {0};
    PGresult *answer = NULL;
    int result = lock_name(target, keeper);
    result = result == HF_OK ? drop_leftover(target, keeper) : result;
    result = result == HF_OK ? create_statement(target, keeper, &sql) : result;
    target->made = target->made || result == HF_OK; /* a stop that comes now does not keep the server from making it */
    result = result == HF_OK ? pg_try(keeper, sql.data, &answer) : result;
    pg_auto_rows rows = answer;
    if (result == HF_OK && (!rows || pg_is_error(rows))) {
        target->made = false;
        /* 42601: a server that has no providers, or not this one, does not know the word */
        bool locale = pg_has_state(rows, "42809") || pg_has_state(rows, "22023") || pg_has_state(rows, "42601");
        result = pg_fail_statement(keeper, rows, sql.data);
        if (locale)
            result = pg_host->hint(keeper->ctx,
                                   "if the server lacks the locale, install it there, or make an empty "
                                   "database '%s' with one that it has, and restore into that",
                                   target->database);
    }
    pg_text_clear(&sql);
    if (result < 0)
        return result;
    pg_auto_text name = pg_quote_ident(keeper, target->beside);
    if (!name)
        return pg_nomem(keeper->ctx);
    return pg_commandf(keeper, "mark the database", "COMMENT ON DATABASE %s IS '%s'", name, mark);
}

/* Not stopped by what stopped the restore: PQexec also reads away what a stopped statement left. */
void pg_target_drop(struct pg_target *target, struct pg_conn *keeper)
{
    PGresult *rows = NULL;
    pg_auto_text name = pg_quote_ident(keeper, target->beside);
    pg_auto_text sql = name ? pg_format(keeper->ctx, "DROP DATABASE IF EXISTS %s WITH (FORCE)", name) : NULL;
    (void)PQsetnonblocking(keeper->pq, 0);
    if (PQtransactionStatus(keeper->pq) != PQTRANS_IDLE)
        PQclear(PQexec(keeper->pq, "ROLLBACK"));
    if (target->no_space)
        pg_make_room(keeper, target->beside);
    pg_drop_subscriptions(keeper, target->beside);
    rows = sql ? PQexec(keeper->pq, sql) : NULL;
    if (sql && PQstatus(keeper->pq) != CONNECTION_OK) { /* whoever ended our sessions has ended this one, too */
        PQreset(keeper->pq);
        pg_drop_subscriptions(keeper, target->beside);
        PQclear(rows);
        rows = PQexec(keeper->pq, sql);
    }
    if (PQresultStatus(rows) == PGRES_COMMAND_OK)
        target->made = false;
    else
        pg_host->log(
            keeper->ctx, HF_LOG_WARNING,
            "the half restored database '%s' could not be dropped, which the next restore of this backup does: %s",
            target->beside, PQerrorMessage(keeper->pq));
    PQclear(rows);
}

void pg_target_free(struct pg_target *target)
{
    pg_close_idle(target);
    free(target->idle);
    pg_statements_clear(&target->preamble);
    pg_statements_clear(&target->deferred);
    pg_only_clear(&target->only);
    json_decref(target->properties);
    free(target->artifact);
    free(target->database);
    pthread_mutex_destroy(&target->lock);
    pthread_mutex_destroy(&target->serial);
    free(target);
}
