/* SPDX-License-Identifier: Apache-2.0
 *
 * What a database is besides its name and locale: owner, privileges, settings, connection limit, comment. pg_dump says
 * none of it without --create.
 */
#include <stdio.h>

#include "restore.h"

struct apply {
    struct pg_target *target;
    struct pg_conn *keeper;
    char *name; /* of the database beside, quoted */
};

/* The backup may come from a server with other roles: what cannot be set is told, and the rest is set. */
static int set(struct apply *apply, const char *what, const struct pg_text *sql)
{
    struct pg_conn *keeper = apply->keeper;
    PGresult *answer = NULL;
    int result = pg_text_check(sql, keeper->ctx);
    result = result == HF_OK ? pg_command(keeper, "set a savepoint", "SAVEPOINT holdfast") : result;
    result = result == HF_OK ? pg_try(keeper, sql->data, &answer) : result;
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    if (!rows || !PQresultErrorField(rows, PG_DIAG_SQLSTATE))
        return pg_is_error(rows) ? pg_fail(keeper, NULL, what)
                                 : pg_command(keeper, "release the savepoint", "RELEASE SAVEPOINT holdfast");
    result = pg_command(keeper, "release the savepoint", "ROLLBACK TO SAVEPOINT holdfast; RELEASE SAVEPOINT holdfast");
    return result < 0
               ? result
               : pg_host->finding(keeper->ctx, HF_WARNING, "database-property", apply->target->database,
                                  "%s cannot be restored: %s", what, PQresultErrorField(rows, PG_DIAG_MESSAGE_PRIMARY));
}

static int set_owner(struct apply *apply, const char *owner)
{
    struct pg_text sql = {0};
    pg_auto_text role = pg_quote_ident(apply->keeper, owner);
    if (!role)
        return pg_nomem(apply->keeper->ctx);
    pg_text_addf(&sql, "ALTER DATABASE %s OWNER TO %s", apply->name, role);
    int result = set(apply, "the owner", &sql);
    pg_text_clear(&sql);
    return result;
}

/* Privileges are those that every database has unless it says otherwise: first none, then what is recorded. */
static int set_acl(struct apply *apply, const json_t *acl, const char *owner)
{
    struct pg_text sql = {0};
    size_t i;
    json_t *item;
    pg_auto_text role = owner ? pg_quote_ident(apply->keeper, owner) : NULL;
    pg_text_addf(&sql, "REVOKE ALL ON DATABASE %s FROM PUBLIC", apply->name);
    if (role)
        pg_text_addf(&sql, ", %s", role);
    int result = set(apply, "the privileges", &sql);
    json_array_foreach((json_t *)acl, i, item)
    {
        const char *grantee = json_string_value(json_object_get(item, "grantee"));
        const char *privilege = json_string_value(json_object_get(item, "privilege"));
        pg_auto_text to = grantee ? pg_quote_ident(apply->keeper, grantee) : strdup("PUBLIC");
        /* A word of the server's, but from outside: nothing else gets into the statement. */
        if (!privilege || strspn(privilege, "ABCDEFGHIJKLMNOPQRSTUVWXYZ ") != strlen(privilege) || result < 0)
            continue;
        pg_text_clear(&sql);
        pg_text_addf(&sql, "GRANT %s ON DATABASE %s TO %s%s", privilege, apply->name, to ? to : "",
                     json_is_true(json_object_get(item, "grantable")) ? " WITH GRANT OPTION" : "");
        result = to ? set(apply, "a privilege", &sql) : pg_nomem(apply->keeper->ctx);
    }
    pg_text_clear(&sql);
    return result;
}

/* Settings whose value is a list of names, as the server quotes them (variable_is_guc_list_quote in pg_dump). */
static bool is_list(const char *name, size_t size)
{
    static const char *const names[] = {"local_preload_libraries",  "search_path",      "session_preload_libraries",
                                        "shared_preload_libraries", "temp_tablespaces", "unix_socket_directories"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strlen(names[i]) == size && strncmp(name, names[i], size) == 0)
            return true;
    }
    return false;
}

/* One item of `a, "b c"`, without quotes; NULL at the end. */
static char *next_item(const char **at)
{
    *at += strspn(*at, ", ");
    char *item = **at ? strdup(*at) : NULL;
    size_t used = 0;
    if (!item)
        return NULL;
    for (bool quoted = false; **at && (quoted || **at != ','); (*at)++) {
        if (**at == '"' && quoted && (*at)[1] == '"')
            item[used++] = *(*at)++;
        else if (**at == '"')
            quoted = !quoted;
        else
            item[used++] = **at;
    }
    item[used] = 0;
    return item;
}

static int add_value(struct apply *apply, struct pg_text *sql, const char *value, bool list)
{
    const char *at = value, *comma = "";
    if (!list || !value[0]) {
        pg_auto_text literal = pg_quote_literal(apply->keeper, value);
        pg_text_add(sql, literal ? literal : "");
        return literal ? HF_OK : pg_nomem(apply->keeper->ctx);
    }
    for (;;) {
        pg_auto_text item = next_item(&at);
        if (!item)
            return HF_OK;
        pg_auto_text literal = pg_quote_literal(apply->keeper, item);
        if (!literal)
            return pg_nomem(apply->keeper->ctx);
        pg_text_addf(sql, "%s%s", comma, literal);
        comma = ", ";
    }
}

static int set_setting(struct apply *apply, const char *role, const char *setting)
{
    struct pg_text sql = {0};
    const char *equal = strchr(setting, '=');
    if (!equal)
        return pg_host->fail(apply->keeper->ctx, HF_E_CORRUPT, "'%s' is no setting of a database", setting);
    pg_auto_text key = strndup(setting, (size_t)(equal - setting));
    pg_auto_text name = key ? pg_quote_ident(apply->keeper, key) : NULL;
    pg_auto_text who = role ? pg_quote_ident(apply->keeper, role) : NULL;
    char what[160];
    (void)snprintf(what, sizeof(what), "the setting '%.*s'", (int)(equal - setting), setting);
    if (!name || (role && !who))
        return pg_nomem(apply->keeper->ctx);
    if (who)
        pg_text_addf(&sql, "ALTER ROLE %s IN DATABASE %s SET %s TO ", who, apply->name, name);
    else
        pg_text_addf(&sql, "ALTER DATABASE %s SET %s TO ", apply->name, name);
    int result = add_value(apply, &sql, equal + 1, is_list(setting, (size_t)(equal - setting)));
    result = result == HF_OK ? set(apply, what, &sql) : result;
    pg_text_clear(&sql);
    return result;
}

/* Also takes away the mark of a database that is not whole. */
static int set_comment(struct apply *apply, const char *comment)
{
    pg_auto_text literal = comment ? pg_quote_literal(apply->keeper, comment) : strdup("NULL");
    if (!literal)
        return pg_nomem(apply->keeper->ctx);
    return pg_commandf(apply->keeper, "set the comment", "COMMENT ON DATABASE %s IS %s", apply->name, literal);
}

static int set_limit(struct apply *apply, const json_t *properties)
{
    struct pg_text sql = {0};
    const json_t *limit = json_object_get(properties, "connection_limit");
    int result = HF_OK;
    if (json_is_integer(limit) && json_integer_value(limit) >= 0) {
        pg_text_addf(&sql, "ALTER DATABASE %s CONNECTION LIMIT %lld", apply->name,
                     (long long)json_integer_value(limit));
        result = set(apply, "the connection limit", &sql);
        pg_text_clear(&sql);
    }
    if (result == HF_OK && json_is_true(json_object_get(properties, "template"))) {
        pg_text_addf(&sql, "ALTER DATABASE %s IS_TEMPLATE true", apply->name);
        result = set(apply, "being a template", &sql);
        pg_text_clear(&sql);
    }
    return result;
}

int pg_properties_apply(struct pg_target *target, struct pg_conn *keeper)
{
    const json_t *properties = target->properties;
    const char *owner = json_string_value(json_object_get(properties, "owner"));
    const json_t *acl = json_object_get(properties, "acl"), *settings = json_object_get(properties, "settings");
    size_t i;
    json_t *item;
    pg_auto_text name = pg_quote_ident(keeper, target->beside);
    struct apply apply = {.target = target, .keeper = keeper, .name = name};
    if (!name)
        return pg_nomem(keeper->ctx);
    /* Of a database that is there all is kept; of a recorded one what the profile restores of everything else, too. */
    bool owns = target->exists || target->source->owner, grants = target->exists || target->source->acl;
    int result = set_comment(&apply, json_string_value(json_object_get(properties, "comment")));
    result = result == HF_OK ? set_limit(&apply, properties) : result;
    json_array_foreach((json_t *)settings, i, item)
    {
        const char *role = json_string_value(json_object_get(item, "role"));
        const char *setting = json_string_value(json_object_get(item, "setting"));
        if (result == HF_OK && setting)
            result = set_setting(&apply, role, setting);
    }
    if (result == HF_OK && grants && json_is_array(acl))
        result = set_acl(&apply, acl, owner);
    return result == HF_OK && owns && owner ? set_owner(&apply, owner) : result;
}
