/* SPDX-License-Identifier: Apache-2.0
 *
 * Could a backup work? The server is asked what it is and what the role may read of all that would be backed up;
 * nothing is read, locked or changed.
 */
#include "pattern.h"

enum { TELL_AT_MOST = 50 };

struct check {
    const struct pg_source *source;
    struct hf_ctx *ctx;
    struct pg_conn *conn; /* to the database at hand */
    char *role;           /* quoted */
    bool super;
    size_t bad; /* what a backup could not read */
};

/* A finding without which a backup would be better; `bad` counts those without which it works at all. */
static int tell(struct check *check, int severity, const char *code, const char *subject, const char *what,
                const char *statement)
{
    if (severity == HF_ERROR && ++check->bad > TELL_AT_MOST)
        return HF_OK;
    int result = pg_host->finding(check->ctx, severity, code, subject, "%s%s%s", what, statement ? ": " : "",
                                  statement ? statement : "");
    return result < 0 ? result : HF_OK;
}

/* ---- the server ---- */

static int check_server(struct check *check)
{
    PGresult *answer = NULL;
    const char *host = PQhost(check->conn->pq);
    int result =
        pg_query(check->conn, "look at the server",
                 "SELECT current_setting('server_version'), quote_ident(current_user), pg_is_in_recovery(),"
                 " r.rolsuper, CASE WHEN r.rolsuper THEN ', a superuser' WHEN r.rolbypassrls THEN ', with BYPASSRLS'"
                 " ELSE '' END, current_setting('hot_standby_feedback'),"
                 " current_setting('max_standby_streaming_delay') FROM pg_roles r WHERE r.rolname = current_user",
                 &answer);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    if (PQntuples(rows) != 1)
        return pg_host->fail(check->ctx, HF_E_FAIL, "the server does not know the role that is connected");
    bool standby = PQgetvalue(rows, 0, 2)[0] == 't';
    check->super = PQgetvalue(rows, 0, 3)[0] == 't';
    check->role = strdup(PQgetvalue(rows, 0, 1));
    if (!check->role)
        return pg_nomem(check->ctx);
    result =
        pg_host->finding(check->ctx, HF_INFO, "server", host ? host : "server", "PostgreSQL %s%s, as role %s%s",
                         PQgetvalue(rows, 0, 0), standby ? ", a standby" : "", check->role, PQgetvalue(rows, 0, 4));
    if (result >= 0 && standby && !strcmp(PQgetvalue(rows, 0, 5), "off") && strcmp(PQgetvalue(rows, 0, 6), "-1") != 0)
        result =
            pg_host->finding(check->ctx, HF_WARNING, "standby-conflict", host ? host : "server",
                             "a backup that takes longer than max_standby_streaming_delay (%s) may be ended by what "
                             "the primary does: set hot_standby_feedback = on",
                             PQgetvalue(rows, 0, 6));
    return result < 0 ? result : HF_OK;
}

static int check_globals(struct check *check)
{
    PGresult *answer = NULL;
    if (!check->source->globals || !check->source->role_passwords)
        return HF_OK;
    int result = pg_query(check->conn, "look at the privileges",
                          "SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT')", &answer);
    pg_auto_rows rows = answer;
    if (result < 0 || PQgetvalue(rows, 0, 0)[0] == 't')
        return result;
    return tell(check, HF_ERROR, "no-privilege", "pg_authid",
                "only a superuser may read the hashes of passwords: leave role_passwords out", NULL);
}

static int check_tool(struct check *check, const char *name)
{
    pg_auto_text path = NULL;
    int version = 0;
    int result = pg_tool_find(check->source, check->ctx, name, check->conn->version, &path, &version);
    if (result < 0)
        return result;
    result = pg_host->finding(check->ctx, HF_INFO, name, path, "version %d.%d", version / 10000, version % 10000);
    return result < 0 ? result : HF_OK;
}

/* ---- what would be read ---- */

enum { NAME, SCHEMA, KIND, READABLE, USABLE, HIDDEN };

static int tell_relation(struct check *check, const PGresult *rows, int row)
{
    const char *name = PQgetvalue(rows, row, NAME), *schema = PQgetvalue(rows, row, SCHEMA);
    bool sequence = PQgetvalue(rows, row, KIND)[0] == 'S';
    int result = HF_OK;
    if (PQgetvalue(rows, row, USABLE)[0] != 't') {
        pg_auto_text grant = pg_format(check->ctx, "GRANT USAGE ON SCHEMA %s TO %s", schema, check->role);
        result = grant ? tell(check, HF_ERROR, "no-privilege", name, "the role may not look into its schema", grant)
                       : HF_E_NOMEM;
    }
    if (result == HF_OK && PQgetvalue(rows, row, READABLE)[0] != 't') {
        pg_auto_text grant =
            pg_format(check->ctx, "GRANT SELECT ON %s %s TO %s", sequence ? "SEQUENCE" : "TABLE", name, check->role);
        result = grant ? tell(check, HF_ERROR, "no-privilege", name, "the role may not read it", grant) : HF_E_NOMEM;
    }
    if (result == HF_OK && PQgetvalue(rows, row, HIDDEN)[0] == 't') {
        pg_auto_text alter = pg_format(check->ctx, "ALTER ROLE %s BYPASSRLS", check->role);
        result = alter ? tell(check, HF_ERROR, "row-security", name, "row security hides rows from the role", alter)
                       : HF_E_NOMEM;
    }
    return result;
}

/* pg_dump locks every table, also those without their rows. */
static int check_relations(struct check *check)
{
    struct pg_text sql = {0};
    PGresult *answer = NULL;
    pg_text_add(&sql,
                "SELECT * FROM (SELECT format('%I.%I', n.nspname, c.relname), quote_ident(n.nspname), c.relkind,"
                " CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT')"
                "  ELSE has_table_privilege(c.oid, 'SELECT') END AS readable,"
                " has_schema_privilege(n.oid, 'USAGE') AS usable, row_security_active(c.oid) AS hidden"
                " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't'"
                " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
                " AND (c.oid IN (SELECT unnest(extconfig) FROM pg_extension) OR NOT EXISTS (SELECT FROM pg_depend d"
                "  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))");
    int result = pg_pattern_selection(check->conn, check->source, &sql);
    pg_text_add(&sql, ") x WHERE NOT readable OR NOT usable OR hidden ORDER BY 1");
    result = result == HF_OK ? pg_text_check(&sql, check->ctx) : result;
    result = result == HF_OK ? pg_query(check->conn, "look at the privileges", sql.data, &answer) : result;
    pg_text_clear(&sql);
    pg_auto_rows rows = answer;
    for (int i = 0; result == HF_OK && i < PQntuples(rows); i++)
        result = tell_relation(check, rows, i);
    return result;
}

/* pg_dump takes them with the whole database only. They have privileges of their own, and no role reads all of them. */
static int check_objects(struct check *check)
{
    PGresult *answer = NULL;
    if (check->super || check->source->table.count > 0 || check->source->schema.count > 0)
        return HF_OK;
    int result =
        pg_query(check->conn, "look at the large objects",
                 "SELECT count(*), min(m.oid) FROM pg_largeobject_metadata m"
                 " WHERE NOT current_setting('lo_compat_privileges')::boolean AND NOT pg_has_role(m.lomowner, 'USAGE')"
                 " AND NOT EXISTS (SELECT FROM aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT'"
                 "  AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))",
                 &answer);
    pg_auto_rows rows = answer;
    if (result < 0 || !strcmp(PQgetvalue(rows, 0, 0), "0"))
        return result;
    pg_auto_text what =
        pg_format(check->ctx, "the role may not read %s large objects, for example this", PQgetvalue(rows, 0, 0));
    pg_auto_text grant =
        pg_format(check->ctx, "GRANT SELECT ON LARGE OBJECT %s TO %s", PQgetvalue(rows, 0, 1), check->role);
    return what && grant ? tell(check, HF_ERROR, "no-privilege", PQgetvalue(rows, 0, 1), what, grant) : HF_E_NOMEM;
}

/* ---- what would be in the way ---- */

static int check_locks(struct check *check)
{
    PGresult *answer = NULL;
    int result =
        pg_query(check->conn, "look at the locks",
                 "SELECT l.relation::regclass, coalesce('session ' || l.pid, 'a prepared transaction')"
                 " FROM pg_locks l WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.granted"
                 " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                 " AND l.relation >= 16384 AND l.pid IS DISTINCT FROM pg_backend_pid() LIMIT 10",
                 &answer);
    pg_auto_rows rows = answer;
    for (int i = 0; result == HF_OK && i < PQntuples(rows); i++) {
        pg_auto_text what =
            pg_format(check->ctx, "%s has locked it, and a backup waits for that no longer than lock_timeout",
                      PQgetvalue(rows, i, 1));
        result = what ? tell(check, HF_WARNING, "locked", PQgetvalue(rows, i, 0), what, NULL) : HF_E_NOMEM;
    }
    return result;
}

static int check_prepared(struct check *check)
{
    PGresult *answer = NULL;
    int result = pg_query(check->conn, "look at the prepared transactions",
                          "SELECT gid, to_char(prepared, 'YYYY-MM-DD HH24:MI') FROM pg_prepared_xacts"
                          " WHERE database = current_database() AND prepared < now() - interval '1 hour'"
                          " ORDER BY prepared LIMIT 10",
                          &answer);
    pg_auto_rows rows = answer;
    for (int i = 0; result == HF_OK && i < PQntuples(rows); i++) {
        pg_auto_text what =
            pg_format(check->ctx,
                      "is prepared since %s: it keeps its locks, and what it did is in no backup until it is "
                      "committed",
                      PQgetvalue(rows, i, 1));
        result =
            what ? tell(check, HF_WARNING, "prepared-transaction", PQgetvalue(rows, i, 0), what, NULL) : HF_E_NOMEM;
    }
    return result;
}

/* ---- databases ---- */

static int check_database(struct check *check)
{
    PGresult *answer = NULL;
    int result =
        pg_query(check->conn, "measure the database",
                 "SELECT pg_size_pretty(pg_database_size(current_database())), getdatabaseencoding()", &answer);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    result = pg_host->finding(check->ctx, HF_INFO, "database", check->conn->database, "%s, encoding %s",
                              PQgetvalue(rows, 0, 0), PQgetvalue(rows, 0, 1));
    result = result < 0 ? result : check_relations(check);
    result = result < 0 ? result : check_objects(check);
    result = result < 0 ? result : check_locks(check);
    return result < 0 ? result : check_prepared(check);
}

static int list_databases(struct check *check, PGresult **ret_names)
{
    struct pg_text sql = {0};
    pg_text_add(&sql, "SELECT datname, has_database_privilege(oid, 'CONNECT') FROM pg_database"
                      " WHERE datallowconn AND NOT datistemplate AND (");
    int result = pg_pattern_condition(check->conn, &check->source->databases, NULL, "datname", NULL, &sql);
    pg_text_add(&sql, ") AND NOT (");
    result = result == HF_OK
                 ? pg_pattern_condition(check->conn, &check->source->exclude_databases, NULL, "datname", NULL, &sql)
                 : result;
    pg_text_add(&sql, ") ORDER BY 1");
    result = result == HF_OK ? pg_text_check(&sql, check->ctx) : result;
    result = result == HF_OK ? pg_query(check->conn, "list the databases", sql.data, ret_names) : result;
    pg_text_clear(&sql);
    if (result == HF_OK && PQntuples(*ret_names) == 0)
        return pg_host->fail(check->ctx, HF_E_NOTFOUND, "no database fits the patterns of 'databases'");
    return result;
}

static int check_selected(struct check *check)
{
    struct pg_conn *keeper = check->conn;
    struct pg_place place = {0};
    PGresult *answer = NULL;
    int result = list_databases(check, &answer);
    pg_auto_rows names = answer;
    result = result == HF_OK ? pg_place_of(keeper, check->ctx, &place) : result;
    for (int i = 0; result == HF_OK && i < PQntuples(names); i++) {
        const char *name = PQgetvalue(names, i, 0);
        if (PQgetvalue(names, i, 1)[0] != 't') {
            result = tell(check, HF_ERROR, "no-privilege", name, "the role may not connect to the database", NULL);
            continue;
        }
        check->conn = NULL;
        result = pg_open(check->source, check->ctx, &place, name, &check->conn);
        result = result == HF_OK ? check_database(check) : result;
        pg_close(check->conn);
        check->conn = keeper;
    }
    check->conn = keeper;
    pg_place_clear(&place);
    return result;
}

/* Everything that is wrong is told, not only the first. */
static int judge(const struct check *check)
{
    if (check->bad == 0)
        return HF_OK;
    (void)pg_host->fail(check->ctx, HF_E_AUTH, "role %s lacks what a backup needs, in %zu case%s", check->role,
                        check->bad, check->bad == 1 ? "" : "s");
    return pg_host->hint(
        check->ctx, "the findings say what to grant%s",
        check->conn->version >= 140000 ? "; GRANT pg_read_all_data gives all tables and sequences at once" : "");
}

int pg_check(void *self, struct hf_ctx *ctx)
{
    struct check check = {.source = self, .ctx = ctx};
    bool several = check.source->databases.count > 0;
    int result = pg_open(check.source, ctx, NULL, several ? check.source->maintenance_db : NULL, &check.conn);
    result = result == HF_OK ? check_server(&check) : result;
    result = result == HF_OK ? check_globals(&check) : result;
    if (result == HF_OK)
        result = several ? check_selected(&check) : check_database(&check);
    result = result == HF_OK ? check_tool(&check, "pg_dump") : result;
    if (result == HF_OK && check.source->globals)
        result = check_tool(&check, "pg_dumpall");
    result = result == HF_OK ? judge(&check) : result;
    pg_close(check.conn);
    free(check.role);
    return result;
}
