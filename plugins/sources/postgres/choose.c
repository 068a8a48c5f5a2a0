/* SPDX-License-Identifier: Apache-2.0
 *
 * Which databases a restore makes, and which tables it takes.
 */
#include "restore.h"

/* The profile's database as libpq understands it, which need not exist: a connection is begun to nowhere. */
static int database_name(const struct pg_restore *session, struct hf_ctx *ctx, char **ret_name)
{
    const struct pg_source *source = session->source;
    const char *keys[8] = {0}, *values[8] = {0};
    size_t count = 0;
    if (source->service && source->service[0]) {
        keys[count] = "service";
        values[count++] = source->service;
    }
    if (source->url && source->url[0]) {
        keys[count] = "dbname";
        values[count++] = source->url;
    }
    keys[count] = "host";
    values[count++] = "/";
    keys[count] = "hostaddr";
    values[count++] = "";
    keys[count] = "port";
    values[count++] = "";
    PGconn *pq = PQconnectStartParams(keys, values, 1);
    const char *name = pq ? PQdb(pq) : NULL;
    char *copy = name && name[0] ? strdup(name) : NULL;
    PQfinish(pq);
    if (!copy)
        return pg_host->fail(ctx, HF_E_CONFIG, "no database is named: neither by --to nor by the profile");
    *ret_name = copy;
    return HF_OK;
}

static bool init_locks(struct pg_target *target)
{
    if (pthread_mutex_init(&target->lock, NULL) != 0)
        return false;
    if (pthread_mutex_init(&target->serial, NULL) == 0)
        return true;
    pthread_mutex_destroy(&target->lock);
    return false;
}

/* Takes over `database`. */
static int add_target(struct pg_restore *session, struct hf_ctx *ctx, const char *artifact, char *database,
                      struct pg_target **ret_target)
{
    struct pg_target *target = calloc(1, sizeof(*target));
    if (target && !init_locks(target)) {
        free(target);
        target = NULL;
    }
    if (!target) {
        free(database);
        return pg_nomem(ctx);
    }
    target->source = session->source;
    target->database = database;
    target->artifact = strdup(artifact);
    target->properties = pg_recorded_context(ctx, artifact, PG_CONTEXT_DATABASE);
    target->next = session->targets;
    session->targets = target;
    if (!target->artifact || !database)
        return pg_nomem(ctx);
    *ret_target = target;
    return HF_OK;
}

/* Of a name in --only what follows "DATABASE/", if it begins so. */
static const char *after_database(const char *name, const char *database)
{
    size_t size = strlen(database);
    return strncmp(name, database, size) == 0 && name[size] == '/' ? name + size + 1 : NULL;
}

/* A partition whose rows nobody can tell from the others'. */
static int check_roots(struct hf_ctx *ctx, const struct pg_only_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct pg_only *only = &list->items[i];
        if (!only->root || pg_only_find(list, only->root, strlen(only->root)))
            continue;
        (void)pg_host->fail(ctx, HF_E_REFUSED, "the rows of '%s' are stored with those of all partitions of '%s'",
                            only->given, only->root);
        return pg_host->hint(ctx,
                             "--only takes '%s' and each of its partitions, all of them; or restore everything into "
                             "another database with --to DBNAME",
                             only->root);
    }
    return HF_OK;
}

/* With several databases --only takes their names, and DATABASE/SCHEMA.TABLE; with one, tables. */
static int choose(struct hf_ctx *ctx, const struct hf_restore_request *request, struct pg_target *target, bool several,
                  bool *matched)
{
    pg_auto_json layout = pg_recorded_context(ctx, target->artifact, PG_CONTEXT_LAYOUT);
    bool whole = false;
    int result = HF_OK;
    target->selected = request->only_count == 0;
    for (size_t i = 0; i < request->only_count && result == HF_OK; i++) {
        const char *name = request->only[i];
        const char *table = after_database(name, target->database);
        if (!table && target->artifact[0])
            table = after_database(name, target->artifact);
        bool database = target->artifact[0] && (!strcmp(name, target->database) || !strcmp(name, target->artifact));
        if (!database && !table && several)
            continue;
        matched[i] = true;
        target->selected = true;
        whole = whole || database;
        if (!database)
            result = pg_only_add(ctx, &target->only, table ? table : name, layout);
    }
    if (whole)
        pg_only_clear(&target->only);
    return result == HF_OK ? check_roots(ctx, &target->only) : result;
}

static int add_recorded(struct pg_restore *session, struct hf_ctx *ctx, const struct hf_restore_request *request,
                        json_t *databases, bool *matched)
{
    const char *artifact;
    json_t *name;
    bool several = json_object_size(databases) > 1;
    json_object_foreach(databases, artifact, name)
    {
        const char *database = json_string_value(name);
        struct pg_target *target = NULL;
        if (!database)
            return pg_host->fail(ctx, HF_E_CORRUPT, "the backup does not say what database '%s' is", artifact);
        int result = add_target(session, ctx, artifact, strdup(database), &target);
        result = result == HF_OK ? choose(ctx, request, target, several, matched) : result;
        if (result < 0)
            return result;
    }
    return HF_OK;
}

static int rename_selected(struct pg_restore *session, struct hf_ctx *ctx, const char *to)
{
    struct pg_target *chosen = NULL;
    for (struct pg_target *target = session->targets; target; target = target->next) {
        if (!target->selected)
            continue;
        if (chosen) {
            (void)pg_host->fail(ctx, HF_E_REFUSED, "--to names one database, and the backup has several: '%s', '%s' …",
                                chosen->database, target->database);
            return pg_host->hint(ctx, "choose one of them with --only DATABASE, or leave --to out");
        }
        chosen = target;
    }
    if (chosen) {
        free(chosen->database);
        chosen->database = strdup(to);
    }
    return !chosen || chosen->database ? HF_OK : pg_nomem(ctx);
}

int pg_restore_choose(struct pg_restore *session, struct hf_ctx *ctx, const struct hf_restore_request *request)
{
    pg_auto_json databases = pg_recorded_context(ctx, "", PG_CONTEXT_DATABASES);
    bool *matched = calloc(request->only_count + 1, sizeof(*matched));
    struct pg_target *target = NULL;
    char *name = NULL;
    int result = matched ? HF_OK : pg_nomem(ctx);
    if (databases && result == HF_OK) {
        result = add_recorded(session, ctx, request, databases, matched);
        result = result == HF_OK && request->to ? rename_selected(session, ctx, request->to) : result;
    } else if (result == HF_OK) {
        name = request->to ? strdup(request->to) : NULL;
        result = request->to ? (name ? HF_OK : pg_nomem(ctx)) : database_name(session, ctx, &name);
        result = result == HF_OK ? add_target(session, ctx, "", name, &target) : result;
        result = result == HF_OK ? choose(ctx, request, target, false, matched) : result;
    }
    for (size_t i = 0; i < request->only_count && result == HF_OK; i++) {
        if (matched[i])
            continue;
        (void)pg_host->fail(ctx, HF_E_NOTFOUND, "the backup has no database '%s'", request->only[i]);
        result =
            pg_host->hint(ctx, "--only takes DATABASE or DATABASE/SCHEMA.TABLE when a backup has several databases");
    }
    free(matched);
    return result;
}
