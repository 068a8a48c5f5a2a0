/* SPDX-License-Identifier: Apache-2.0
 *
 * The moment in which the new databases become the old ones' successors: one transaction of renames.
 */
#include <poll.h>

#include "restore.h"

enum { ROUND_MS = 100 };

/* Ends the sessions of a database that is being renamed. No new ones get in meanwhile: they wait for the renaming. What
 * has no user is a worker of autovacuum, which the server ends by itself, and nobody but a superuser may. */
static int end_sessions(struct pg_conn *killer, const char *database, uint64_t *ended)
{
    PGresult *answer = NULL;
    pg_auto_text name = pg_quote_literal(killer, database);
    pg_auto_text sql = name ? pg_format(killer->ctx,
                                        "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity"
                                        " WHERE datname = %s AND pid <> pg_backend_pid() AND usesysid IS NOT NULL",
                                        name)
                            : NULL;
    int result = sql ? pg_try(killer, sql, &answer) : pg_nomem(killer->ctx);
    pg_auto_rows rows = answer;
    if (result < 0)
        return result;
    if (pg_has_state(rows, "42501")) {
        (void)pg_host->fail(killer->ctx, HF_E_AUTH, "end the sessions of '%s': %s", database,
                            PQresultErrorField(rows, PG_DIAG_MESSAGE_PRIMARY));
        return pg_host->hint(
            killer->ctx, "end the sessions of '%s' first, or restore as a superuser or a member of pg_signal_backend",
            database);
    }
    if (!rows || pg_is_error(rows))
        return pg_fail(killer, rows, "end the sessions of the database");
    *ended += strtoull(PQgetvalue(rows, 0, 0), NULL, 10);
    return HF_OK;
}

/* Has the keeper's statement ended, or does it after a while? */
static bool is_done(struct pg_conn *keeper)
{
    struct pollfd wait = {.fd = PQsocket(keeper->pq), .events = POLLIN};
    if (PQflush(keeper->pq) == 0 && PQisBusy(keeper->pq))
        (void)poll(&wait, 1, ROUND_MS);
    return !PQconsumeInput(keeper->pq) || !PQisBusy(keeper->pq);
}

/* Monitoring connects to every database that it finds, so also to the new one. */
static int rename_database(struct pg_conn *keeper, struct pg_conn *killer, const char *from, const char *to,
                           uint64_t *ended)
{
    struct hf_ctx *ctx = keeper->ctx;
    PGresult *answer = NULL;
    pg_auto_text old = pg_quote_ident(keeper, from), new = pg_quote_ident(keeper, to);
    pg_auto_text sql = old && new ? pg_format(ctx, "ALTER DATABASE %s RENAME TO %s", old, new) : NULL;
    pg_auto_text doing = pg_format(ctx, "rename '%s' to '%s'", from, to);
    if (!sql || !doing)
        return pg_nomem(ctx);
    if (!PQsendQuery(keeper->pq, sql))
        return pg_fail(keeper, NULL, doing);
    /* The server gives the renaming five seconds for others to leave. */
    int result = end_sessions(killer, from, ended);
    while (result == HF_OK && !is_done(keeper))
        result = pg_host->cancelled(ctx) ? HF_E_CANCELLED : end_sessions(killer, from, ended);
    if (result < 0) {
        pg_drain(keeper);
        return result;
    }
    result = pg_finish(keeper, &answer);
    pg_auto_rows rows = answer;
    return result == HF_OK && (!rows || pg_is_error(rows)) ? pg_fail(keeper, rows, doing) : result;
}

/* From here on it is done or not done, and only the server knows: a stop is not heeded before it has said so. */
static int commit(struct pg_conn *keeper)
{
    PGresult *rows = NULL;
    if (PQsetnonblocking(keeper->pq, 0) != 0)
        return pg_fail(keeper, NULL, "commit the renaming");
    rows = PQexec(keeper->pq, "COMMIT");
    bool done = PQresultStatus(rows) == PGRES_COMMAND_OK && strcmp(PQcmdStatus(rows), "COMMIT") == 0;
    int result =
        done ? HF_OK : pg_fail(keeper, PQresultErrorField(rows, PG_DIAG_SQLSTATE) ? rows : NULL, "commit the renaming");
    PQclear(rows);
    return result;
}

/* What was empty is not worth keeping. */
static void tidy(struct pg_target *target, struct pg_conn *keeper)
{
    PGresult *answer = NULL;
    if (!target->exists)
        return;
    if (!target->empty) {
        pg_host->log(keeper->ctx, HF_LOG_INFO, "the old database '%s' is kept as '%s'", target->database,
                     target->before);
        return;
    }
    pg_auto_text name = pg_quote_ident(keeper, target->before);
    pg_auto_text sql = name ? pg_format(keeper->ctx, "DROP DATABASE %s", name) : NULL;
    if (!sql || pg_try(keeper, sql, &answer) < 0 || pg_is_error(answer))
        pg_host->log(keeper->ctx, HF_LOG_WARNING, "the old database, which was empty, could not be dropped: it is '%s'",
                     target->before);
    PQclear(answer);
}

int pg_swap(struct pg_target *targets, struct pg_conn *keeper, struct pg_conn *killer)
{
    uint64_t ended = 0, others = 0;
    int result = pg_command(keeper, "begin the renaming", "BEGIN; SET LOCAL synchronous_commit = on");
    for (struct pg_target *target = targets; target && result == HF_OK; target = target->next) {
        if (!target->made)
            continue;
        result = pg_properties_apply(target, keeper);
        if (result == HF_OK && target->exists)
            result = rename_database(keeper, killer, target->database, target->before, &ended);
        if (result == HF_OK)
            result = rename_database(keeper, killer, target->beside, target->database, &others);
    }
    result = result == HF_OK ? commit(keeper) : result;
    if (result < 0)
        return result; /* the transaction goes with the keeper's next statement or its connection */
    if (ended > 0)
        pg_host->log(keeper->ctx, HF_LOG_INFO, "%llu session%s of the old database %s ended", (unsigned long long)ended,
                     ended == 1 ? "" : "s", ended == 1 ? "was" : "were");
    for (struct pg_target *target = targets; target; target = target->next) {
        if (!target->made)
            continue;
        target->swapped = true;
        target->made = false;
        tidy(target, keeper);
    }
    return HF_OK;
}
