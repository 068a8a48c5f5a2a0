/* SPDX-License-Identifier: Apache-2.0
 *
 * The live server against what the newest backup recorded. Nothing is written, so a standby is as good as its primary.
 */
#include <stdarg.h>
#include <stdio.h>

#include "audit.h"

enum { TELL_AT_MOST = 50 };

/* ---- findings ---- */

static int find(const struct pg_audit *audit, int severity, const char *code, const char *name, const char *text)
{
    pg_auto_text subject = audit->database[0] ? pg_format(audit->ctx, "%s/%s", audit->database, name) : NULL;
    if (audit->database[0] && !subject)
        return pg_nomem(audit->ctx);
    int result = pg_host->finding(audit->ctx, severity, code, subject ? subject : name, "%s", text);
    return result < 0 ? result : HF_OK;
}

int pg_audit_tell(const struct pg_audit *audit, size_t *told, int severity, const char *code, const char *name,
                  const char *format, ...)
{
    va_list args;
    char *text = NULL;
    if (++*told > TELL_AT_MOST)
        return HF_OK;
    va_start(args, format);
    int size = vasprintf(&text, format, args);
    va_end(args);
    if (size < 0)
        return pg_nomem(audit->ctx);
    int result = find(audit, severity, code, name, text);
    free(text);
    return result;
}

int pg_audit_told(const struct pg_audit *audit, size_t told, int severity, const char *code, const char *what)
{
    char text[120];
    if (told <= TELL_AT_MOST)
        return HF_OK;
    (void)snprintf(text, sizeof(text), "the same is true of %zu more", told - TELL_AT_MOST);
    return find(audit, severity, code, what, text);
}

/* ---- one database ---- */

static int look(struct pg_audit *audit, bool amcheck)
{
    PGresult *answer = NULL;
    int result = pg_command(audit->conn, "begin the audit", "SET default_transaction_read_only = on");
    result = result == HF_OK ? pg_query(audit->conn, "begin the audit", "SELECT pg_is_in_recovery()", &answer) : result;
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    audit->standby = PQgetvalue(rows, 0, 0)[0] == 't';
    result = pg_audit_tables(audit);
    result = result == HF_OK ? pg_audit_catalog(audit) : result;
    return result == HF_OK && amcheck ? pg_audit_amcheck(audit) : result;
}

static int audit_one(const struct pg_source *source, struct hf_ctx *ctx, bool amcheck)
{
    struct pg_audit audit = {.source = source, .ctx = ctx, .artifact = "", .database = ""};
    int result = pg_open(source, ctx, NULL, NULL, &audit.conn);
    result = result == HF_OK ? look(&audit, amcheck) : result;
    pg_close(audit.conn);
    return result;
}

/* ---- several ---- */

static int is_there(struct pg_conn *conn, const char *database, bool *ret_there)
{
    PGresult *answer = NULL;
    pg_auto_text name = pg_quote_literal(conn, database);
    if (!name)
        return pg_nomem(conn->ctx);
    int result = pg_queryf(conn, "look for the database", &answer,
                           "SELECT FROM pg_database WHERE datname = %s AND datallowconn", name);
    pg_auto_rows rows = answer;
    if (result == HF_OK)
        *ret_there = PQntuples(rows) > 0;
    return result;
}

static int audit_named(const struct pg_source *source, struct pg_conn *keeper, const struct pg_place *place,
                       const char *artifact, const char *database, bool amcheck)
{
    struct pg_audit audit = {.source = source, .ctx = keeper->ctx, .artifact = artifact, .database = database};
    bool there = false;
    int result = is_there(keeper, database, &there);
    if (result == HF_OK && !there)
        return pg_host->finding(keeper->ctx, HF_ERROR, "database-gone", database,
                                "the newest backup has this database, and the server has not");
    result = result == HF_OK ? pg_open(source, keeper->ctx, place, database, &audit.conn) : result;
    result = result == HF_OK ? look(&audit, amcheck) : result;
    pg_close(audit.conn);
    return result;
}

static int audit_all(const struct pg_source *source, struct hf_ctx *ctx, json_t *databases, bool amcheck)
{
    struct pg_place place = {0};
    const char *artifact;
    json_t *name;
    struct pg_conn *opened = NULL;
    int result = pg_open(source, ctx, NULL, source->maintenance_db, &opened);
    pg_auto_conn keeper = opened;
    result = result == HF_OK ? pg_place_of(keeper, ctx, &place) : result;
    json_object_foreach(databases, artifact, name)
    {
        if (result >= 0 && json_is_string(name))
            result = audit_named(source, keeper, &place, artifact, json_string_value(name), amcheck);
    }
    pg_place_clear(&place);
    return result < 0 ? result : HF_OK;
}

static bool is_asked(const struct pg_source *source, const struct hf_pair *request, size_t count)
{
    bool asked = source->amcheck;
    for (size_t i = 0; i < count; i++) {
        const char *value = request[i].value ? request[i].value : "yes";
        if (!strcmp(request[i].key, "amcheck"))
            asked = !strcmp(value, "yes") || !strcmp(value, "true") || !strcmp(value, "on") || !strcmp(value, "1");
    }
    return asked;
}

int pg_audit(void *self, struct hf_ctx *ctx, const struct hf_pair *request, size_t count)
{
    const struct pg_source *source = self;
    pg_auto_json databases = pg_recorded_context(ctx, "", PG_CONTEXT_DATABASES);
    bool amcheck = is_asked(source, request, count);
    bool several = json_object_size(databases) > 0 && !json_object_get(databases, "");
    return several ? audit_all(source, ctx, databases, amcheck) : audit_one(source, ctx, amcheck);
}
