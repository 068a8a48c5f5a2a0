/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a restore: what was loaded is compared with what was backed up, analyzed, and only then takes its place;
 * otherwise it is dropped, and everything is as it was.
 */
#include "restore.h"

enum { COMPARE_AT_ONCE = 8 }; /* connections that one thread listens to */

static bool is_loaded(const struct pg_target *target)
{
    return target->made || (target->into && target->idle_count > 0);
}

/* A script without phases, or with nothing in the last, still has its constraints waiting. */
static int complete(struct pg_restore *session, struct hf_ctx *ctx, struct pg_target *target)
{
    struct pg_conn *conn = NULL;
    int result = target->deferred.first ? pg_take_conn(session, target, ctx, &conn) : HF_OK;
    if (!conn)
        return result;
    result = pg_load_deferred(conn, target);
    pg_give_conn(target, conn, result);
    return result;
}

static int compare(struct pg_restore *session, struct hf_ctx *ctx, struct pg_target *target)
{
    struct pg_conn *conns[COMPARE_AT_ONCE];
    size_t count = 0, wanted = target->idle_count;
    int result = HF_OK;
    if (target->whole) {
        pg_host->log(ctx, HF_LOG_INFO, "nothing to compare with: without a manifest nothing is known of '%s'",
                     target->database);
        return HF_OK;
    }
    wanted = wanted < 1 ? 1 : wanted > COMPARE_AT_ONCE ? COMPARE_AT_ONCE : wanted;
    while (result == HF_OK && count < wanted) {
        result = pg_take_conn(session, target, ctx, &conns[count]);
        count += result == HF_OK;
    }
    result = result == HF_OK ? pg_compare_tables(ctx, target, conns, count) : result;
    result = result == HF_OK ? pg_compare_sequences(ctx, target, conns[0]) : result;
    if (result == HF_OK && target->only.count == 0)
        result = pg_compare_objects(ctx, target, conns[0]);
    for (size_t i = 0; i < count; i++)
        pg_give_conn(target, conns[i], result);
    if (result == HF_E_CORRUPT)
        return pg_host->hint(ctx, "the target is as it was; compare = no restores it anyway");
    return result;
}

int pg_compare(struct pg_restore *session, struct hf_ctx *ctx, struct pg_target *target)
{
    double started = pg_now();
    if (!session->source->compare || target->compared)
        return HF_OK;
    int result = compare(session, ctx, target);
    target->compared = result == HF_OK;
    target->compare_seconds = pg_now() - started;
    return result;
}

static int look_at_chosen(struct pg_restore *session, struct hf_ctx *ctx, struct pg_target *target)
{
    struct pg_conn *conn = NULL;
    int result = target->only.count > 0 ? pg_take_conn(session, target, ctx, &conn) : HF_OK;
    if (!conn)
        return result;
    result = pg_only_check(target, conn);
    pg_give_conn(target, conn, result);
    return result;
}

static int analyze(struct pg_restore *session, struct hf_ctx *ctx, struct pg_target *target)
{
    struct pg_conn *conn = NULL;
    int result = pg_take_conn(session, target, ctx, &conn);
    if (result < 0)
        return result;
    result = pg_analyze(target, conn);
    pg_give_conn(target, conn, result);
    return result;
}

static int check(struct pg_restore *session, struct hf_ctx *ctx, struct pg_target *target)
{
    struct pg_text text = {0};
    int result = complete(session, ctx, target);
    result = result == HF_OK ? look_at_chosen(session, ctx, target) : result;
    result = result == HF_OK ? pg_compare(session, ctx, target) : result;
    double loaded = pg_now();
    if (result == HF_OK && session->source->analyze)
        result = analyze(session, ctx, target);
    if (result < 0)
        return result;
    pg_text_addf(&text, "'%s' loaded in %.1f s", target->database, loaded - session->started - target->compare_seconds);
    if (target->compared && !target->whole)
        pg_text_addf(&text, ", compared in %.1f s", target->compare_seconds);
    if (session->source->analyze)
        pg_text_addf(&text, ", analyzed in %.1f s", pg_now() - loaded);
    result = pg_text_check(&text, ctx);
    if (result == HF_OK)
        pg_host->log(ctx, HF_LOG_INFO, "%s", text.data);
    pg_text_clear(&text);
    return result;
}

/* The keeper was idle for as long as the restore took, which not every network bears. */
static int wake_keeper(struct pg_restore *session, struct hf_ctx *ctx)
{
    PGresult *answer = NULL;
    bool alive = false;
    if (session->keeper) {
        session->keeper->ctx = ctx;
        int result = pg_try(session->keeper, "SELECT 1", &answer);
        alive = answer && !pg_is_error(answer);
        PQclear(answer);
        if (result < 0 || alive)
            return result;
    }
    pg_close(session->keeper);
    session->keeper = NULL;
    return pg_open(session->source, ctx, &session->place, session->maintenance, &session->keeper);
}

static int swap(struct pg_restore *session, struct hf_ctx *ctx)
{
    struct pg_conn *opened = NULL;
    bool made = false;
    for (struct pg_target *target = session->targets; target; target = target->next)
        made = made || target->made;
    int result = made ? wake_keeper(session, ctx) : HF_OK;
    result = result == HF_OK && made ? pg_open(session->source, ctx, &session->place, session->maintenance, &opened)
                                     : result;
    pg_auto_conn killer = opened;
    return result == HF_OK && made ? pg_swap(session->targets, session->keeper, killer) : result;
}

/* Single tables in a database that was there. */
static int commit(struct pg_restore *session, struct hf_ctx *ctx, struct pg_target *target)
{
    struct pg_conn *conn = NULL;
    int result = pg_take_conn(session, target, ctx, &conn);
    if (result < 0)
        return result;
    result = pg_command(conn, "commit", "SET LOCAL synchronous_commit = on");
    result = result == HF_OK ? pg_command(conn, "commit", "COMMIT") : result;
    pg_give_conn(target, conn, result);
    return result;
}

static int finish(struct pg_restore *session, struct hf_ctx *ctx)
{
    int result = HF_OK;
    for (struct pg_target *target = session->targets; target && result == HF_OK; target = target->next) {
        if (is_loaded(target))
            result = check(session, ctx, target);
        if (!target->into)
            pg_close_idle(target); /* nobody may be connected to what is renamed */
    }
    result = result == HF_OK ? swap(session, ctx) : result;
    for (struct pg_target *target = session->targets; target && result == HF_OK; target = target->next) {
        if (target->into && is_loaded(target))
            result = commit(session, ctx, target);
    }
    return result;
}

static void undo(struct pg_restore *session, struct hf_ctx *ctx)
{
    for (struct pg_target *target = session->targets; target; target = target->next) {
        pg_close_idle(target);
        if (!target->made)
            continue;
        if (PQstatus(session->keeper ? session->keeper->pq : NULL) != CONNECTION_OK)
            (void)wake_keeper(session, ctx);
        if (session->keeper) {
            session->keeper->ctx = ctx;
            pg_target_drop(target, session->keeper);
        } else {
            pg_host->log(
                ctx, HF_LOG_WARNING,
                "the half restored database '%s' could not be dropped; the next restore of this backup drops it",
                target->beside);
        }
    }
}

int pg_restore_end(void *arg, struct hf_ctx *ctx, int status)
{
    struct pg_restore *session = arg;
    int result = status == HF_OK ? finish(session, ctx) : HF_OK;
    if (status < 0 || result < 0)
        undo(session, ctx);
    pg_restore_free(session);
    return result;
}
