/* SPDX-License-Identifier: Apache-2.0
 *
 * Restore: every refusal comes before anything is changed; then each database is loaded beside its target, on as many
 * connections as the core has threads.
 */
#include <stdio.h>
#include <time.h>

#include "restore.h"

static const char globals[] = "globals"; /* the artifact of roles and tablespaces */

double pg_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void pg_restore_free(struct pg_restore *session)
{
    while (session->targets) {
        struct pg_target *target = session->targets;
        session->targets = target->next;
        pg_target_free(target);
    }
    pg_close(session->keeper);
    pg_place_clear(&session->place);
    pthread_mutex_destroy(&session->lock);
    free(session->id);
    free(session);
}

/* ---- begin ---- */

/* A database cannot be renamed by those who are connected to it. */
static const char *maintenance_db(const struct pg_restore *session)
{
    const char *usual = session->source->maintenance_db;
    for (const struct pg_target *target = session->targets; target; target = target->next) {
        if (target->selected && !strcmp(target->database, usual))
            return strcmp(usual, "template1") != 0 ? "template1" : "postgres";
    }
    return usual;
}

static int open_keeper(struct pg_restore *session, struct hf_ctx *ctx)
{
    session->maintenance = maintenance_db(session);
    int result = pg_open(session->source, ctx, NULL, session->maintenance, &session->keeper);
    return result == HF_OK ? pg_place_of(session->keeper, ctx, &session->place) : result;
}

int pg_restore_begin(void *self, struct hf_ctx *ctx, const struct hf_restore_request *request, void **ret_session)
{
    struct pg_restore *session = calloc(1, sizeof(*session));
    if (session && pthread_mutex_init(&session->lock, NULL) != 0) {
        free(session);
        session = NULL;
    }
    if (!session)
        return pg_nomem(ctx);
    session->source = self;
    session->replace = request->replace != 0;
    session->id = strdup(request->id);
    int result = session->id ? pg_restore_choose(session, ctx, request) : pg_nomem(ctx);
    result = result == HF_OK ? open_keeper(session, ctx) : result;
    for (struct pg_target *target = session->targets; target && result == HF_OK; target = target->next) {
        if (target->selected)
            result = pg_target_check(target, session->keeper, &session->place, session->id, session->replace);
    }
    if (result < 0) {
        pg_restore_free(session);
        return result;
    }
    session->started = pg_now();
    *ret_session = session;
    return HF_OK;
}

/* ---- parts ---- */

static struct pg_target *target_of(struct pg_restore *session, const struct hf_part *part)
{
    const char *artifact = part->artifact ? part->artifact : "";
    for (struct pg_target *target = session->targets; target; target = target->next) {
        if (!strcmp(target->artifact, artifact) || (part->flags & HF_PART_WHOLE))
            return target;
    }
    return NULL;
}

int pg_restore_select(void *arg, struct hf_ctx *ctx, const struct hf_part *part)
{
    struct pg_restore *session = arg;
    struct pg_target *target = target_of(session, part);
    if (!target && part->artifact && !strcmp(part->artifact, globals)) {
        pg_host->log(ctx, HF_LOG_INFO,
                     "roles and tablespaces are not restored: they are in the artifact '%s', for psql", globals);
        return 0;
    }
    if (!target)
        return pg_host->fail(ctx, HF_E_CORRUPT, "the backup does not say what database '%s' is", part->artifact);
    if (!target->selected || target->only.count == 0 || part->phase == 0 || part->phase == 3)
        return target->selected;
    if (part->group && !strcmp(part->group, "sequences"))
        return 1;
    for (size_t i = 0; i < target->only.count; i++) {
        if (target->only.items[i].group && part->group && !strcmp(target->only.items[i].group, part->group))
            return 1;
    }
    return 0;
}

/* A connection that nobody uses, or a new one. */
int pg_take_conn(struct pg_restore *session, struct pg_target *target, struct hf_ctx *ctx, struct pg_conn **ret_conn)
{
    struct pg_conn *conn = NULL;
    pthread_mutex_lock(&target->lock);
    if (target->idle_count > 0)
        conn = target->idle[--target->idle_count];
    else
        target->open_count++;
    if (target->open_count > target->open_most)
        target->open_most = target->open_count;
    pthread_mutex_unlock(&target->lock);
    if (conn) {
        conn->ctx = ctx;
        *ret_conn = conn;
        return HF_OK;
    }
    int result =
        pg_open(session->source, ctx, &session->place, target->into ? target->database : target->beside, &conn);
    result = result == HF_OK ? pg_load_prepare(conn, target) : result;
    if (result < 0) {
        pg_close(conn);
        pthread_mutex_lock(&target->lock);
        target->open_count--;
        pthread_mutex_unlock(&target->lock);
        return result;
    }
    *ret_conn = conn;
    return HF_OK;
}

/* Back to the others; one that failed is closed, which rolls back what it did. */
void pg_give_conn(struct pg_target *target, struct pg_conn *conn, int result)
{
    pthread_mutex_lock(&target->lock);
    target->no_space = target->no_space || result == HF_E_NOSPACE;
    if (result == HF_OK && target->idle_count == target->idle_room) {
        struct pg_conn **idle = reallocarray(target->idle, target->idle_room + 8, sizeof(struct pg_conn *));
        target->idle = idle ? idle : target->idle;
        target->idle_room += idle ? 8 : 0;
    }
    if (result == HF_OK && target->idle_count < target->idle_room) {
        conn->ctx = NULL;
        target->idle[target->idle_count++] = conn;
        conn = NULL;
    } else {
        target->open_count--;
    }
    pthread_mutex_unlock(&target->lock);
    pg_close(conn);
}

void pg_close_idle(struct pg_target *target)
{
    while (target->idle_count > 0)
        pg_close(target->idle[--target->idle_count]);
}

static int make_target(struct pg_restore *session, struct pg_target *target, struct hf_ctx *ctx)
{
    int result = HF_OK;
    pthread_mutex_lock(&session->lock);
    if (!target->made && !target->into) {
        session->keeper->ctx = ctx;
        result = pg_target_make(target, session->keeper);
        session->keeper->ctx = NULL;
    }
    pthread_mutex_unlock(&session->lock);
    return result;
}

/* A name that --only gives and no entry of the schema has. */
static int check_found(struct pg_target *target, struct hf_ctx *ctx)
{
    for (size_t i = 0; i < target->only.count; i++) {
        const struct pg_only *only = &target->only.items[i];
        if (only->found)
            continue;
        (void)pg_host->fail(ctx, HF_E_NOTFOUND, "the backup has no table '%s'", only->given);
        return pg_host->hint(ctx, "--only takes SCHEMA.TABLE; `holdfast show` lists what there is");
    }
    return HF_OK;
}

/* Before the last phase: afterwards privileges, policies and a REFRESH that calls nextval() may be in the way. */
static int before_last(struct pg_restore *session, struct pg_target *target, struct hf_ctx *ctx)
{
    struct pg_conn *conn = NULL;
    int result = pg_take_conn(session, target, ctx, &conn);
    if (result < 0)
        return result;
    result = pg_load_deferred(conn, target);
    pg_give_conn(target, conn, result);
    return result == HF_OK ? pg_compare(session, ctx, target) : result;
}

static int load_part(struct pg_restore *session, struct pg_target *target, struct hf_ctx *ctx,
                     const struct hf_part *part, struct hf_reader *reader)
{
    struct pg_conn *conn = NULL;
    int result = part->phase == 3 ? before_last(session, target, ctx) : HF_OK;
    result = result == HF_OK ? pg_take_conn(session, target, ctx, &conn) : result;
    if (result < 0)
        return result;
    if (target->into && PQtransactionStatus(conn->pq) == PQTRANS_IDLE)
        result = pg_command(conn, "begin the transaction", "BEGIN");
    result = result == HF_OK ? pg_load_part(conn, target, part, reader) : result;
    if (result == HF_OK && part->phase == 0)
        result = check_found(target, ctx);
    pg_give_conn(target, conn, result);
    return result;
}

int pg_restore_part(void *arg, struct hf_ctx *ctx, const struct hf_part *part, struct hf_reader *reader)
{
    struct pg_restore *session = arg;
    struct pg_target *target = target_of(session, part);
    if (!target)
        return pg_host->fail(ctx, HF_E_CORRUPT, "the backup does not say what database '%s' is", part->artifact);
    if (part->flags & HF_PART_WHOLE) /* then it is the only part, and nobody else looks */
        target->whole = true;
    int result = make_target(session, target, ctx);
    if (result < 0 || !target->into)
        return result < 0 ? result : load_part(session, target, ctx, part, reader);
    pthread_mutex_lock(&target->serial);
    bool failed = target->failed;
    result = failed ? HF_E_CANCELLED : load_part(session, target, ctx, part, reader);
    target->failed = result < 0;
    pthread_mutex_unlock(&target->serial);
    /* The transaction is gone. Whoever lost it tells why, and stops the run, which is not to end with this instead. */
    if (failed)
        (void)pg_host->sleep_ms(ctx, 10000);
    return result;
}
