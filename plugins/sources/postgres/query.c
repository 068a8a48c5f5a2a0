/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements, sent and waited for. libpq's own calls that wait do not heed a stop of the run.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <time.h>

#include "server.h"

enum { DRAIN_MS = 5000 }; /* how long the server may take to give up what it was told to */

/* ---- waiting ---- */

int pg_wait(struct pg_conn *conn, bool write)
{
    struct pollfd waits[] = {
        {.fd = PQsocket(conn->pq), .events = write ? POLLIN | POLLOUT : POLLIN},
        {.fd = pg_host->cancel_fd(conn->ctx), .events = POLLIN},
    };
    for (;;) {
        if (pg_host->cancelled(conn->ctx))
            return HF_E_CANCELLED;
        int ready = poll(waits, 2, 1000);
        if (ready < 0 && errno != EINTR)
            return pg_host->fail(conn->ctx, HF_E_IO, "wait for the server: %s", strerror(errno));
        if (ready > 0 && waits[0].revents) {
            /* A server that is busy writing to us reads nothing: take what it says, or both wait forever. What is wrong
             * with the connection shows when the caller flushes. */
            if (write && (waits[0].revents & ~POLLOUT))
                (void)PQconsumeInput(conn->pq);
            return pg_host->cancelled(conn->ctx) ? HF_E_CANCELLED : HF_OK;
        }
        /* With TLS, bytes may have come in that poll() does not know of, of a record larger than libpq's room. */
        if (ready == 0 && PQsslInUse(conn->pq))
            return HF_OK;
    }
}

static void tell_to_cancel(struct pg_conn *conn)
{
    char said[256];
    PGcancel *cancel = PQgetCancel(conn->pq);
    if (cancel && !PQcancel(cancel, said, sizeof(said)) && conn->ctx)
        pg_host->log(conn->ctx, HF_LOG_DEBUG, "the server could not be told to stop: %s", said);
    PQfreeCancel(cancel);
}

/* Takes what is there. true: there is more to come. */
static bool take_rest(struct pg_conn *conn)
{
    while (!PQisBusy(conn->pq)) {
        char *data = NULL;
        int size = 0;
        PGresult *result = PQgetResult(conn->pq);
        ExecStatusType status = PQresultStatus(result);
        PQclear(result);
        if (!result || PQstatus(conn->pq) == CONNECTION_BAD)
            return false;
        if (status == PGRES_COPY_IN && PQputCopyEnd(conn->pq, "stopped") < 0)
            return false;
        if (status != PGRES_COPY_OUT)
            continue;
        while ((size = PQgetCopyData(conn->pq, &data, 1)) > 0)
            PQfreemem(data);
        if (size == 0)
            return true;
    }
    return true;
}

void pg_drain(struct pg_conn *conn)
{
    struct timespec begun, now;
    if (PQstatus(conn->pq) != CONNECTION_OK || PQtransactionStatus(conn->pq) != PQTRANS_ACTIVE)
        return;
    tell_to_cancel(conn);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    while (take_rest(conn)) {
        struct pollfd wait = {.fd = PQsocket(conn->pq), .events = PQflush(conn->pq) > 0 ? POLLIN | POLLOUT : POLLIN};
        clock_gettime(CLOCK_MONOTONIC, &now);
        int64_t left = DRAIN_MS - (now.tv_sec - begun.tv_sec) * 1000 - (now.tv_nsec - begun.tv_nsec) / 1000000;
        if (left <= 0 || (poll(&wait, 1, (int)left) < 0 && errno != EINTR))
            return; /* the connection stays busy: whoever uses it learns that */
        if (!PQconsumeInput(conn->pq))
            return;
    }
}

/* ---- statements ---- */

/* Until there is a result to fetch; that the connection is lost shows in the result. */
int pg_await(struct pg_conn *conn)
{
    for (;;) {
        int unsent = PQflush(conn->pq);
        if (unsent <= 0 && !PQisBusy(conn->pq))
            return HF_OK;
        if (PQstatus(conn->pq) == CONNECTION_BAD)
            return HF_OK;
        int result = pg_wait(conn, unsent > 0);
        if (result < 0)
            return result;
        if (!PQconsumeInput(conn->pq))
            return HF_OK;
    }
}

static bool is_copy(ExecStatusType status)
{
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

static bool is_good(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY;
}

/* All results: the last one with rows, if any, and the first that is an error. */
static int collect(struct pg_conn *conn, PGresult **rows, PGresult **error)
{
    for (;;) {
        int result = pg_await(conn);
        if (result < 0) {
            pg_drain(conn);
            return result;
        }
        PGresult *next = PQgetResult(conn->pq);
        if (!next)
            return HF_OK;
        ExecStatusType status = PQresultStatus(next);
        PGresult **keep = is_good(next) ? (status == PGRES_TUPLES_OK ? rows : NULL) : *error ? NULL : error;
        if (keep) {
            PQclear(*keep);
            *keep = next;
        } else {
            PQclear(next);
        }
        if (is_copy(status))
            pg_drain(conn);
        if (PQstatus(conn->pq) == CONNECTION_BAD)
            return HF_OK;
    }
}

static int run(struct pg_conn *conn, const char *doing, const char *sql, PGresult **ret_rows)
{
    PGresult *answer = NULL, *wrong = NULL;
    if (pg_host->cancelled(conn->ctx))
        return HF_E_CANCELLED;
    if (!PQsendQuery(conn->pq, sql))
        return pg_fail(conn, NULL, doing);
    int result = collect(conn, &answer, &wrong);
    pg_auto_rows rows = answer, error = wrong;
    if (result < 0)
        return result;
    if (error && is_copy(PQresultStatus(error)))
        return pg_host->fail(conn->ctx, HF_E_FAIL, "%s: the statement copies data, which nobody asked for", doing);
    if (error || PQstatus(conn->pq) == CONNECTION_BAD)
        return pg_fail(conn, error, doing);
    if (!ret_rows)
        return HF_OK;
    if (!rows)
        return pg_host->fail(conn->ctx, HF_E_FAIL, "%s: the server answered without rows", doing);
    *ret_rows = rows;
    rows = NULL;
    return HF_OK;
}

int pg_query(struct pg_conn *conn, const char *doing, const char *sql, PGresult **ret_rows)
{
    return run(conn, doing, sql, ret_rows);
}

int pg_command(struct pg_conn *conn, const char *doing, const char *sql)
{
    return run(conn, doing, sql, NULL);
}

static int run_formatted(struct pg_conn *conn, const char *doing, PGresult **ret_rows, const char *format, va_list args)
{
    char *formatted = NULL;
    if (vasprintf(&formatted, format, args) < 0)
        return pg_nomem(conn->ctx);
    pg_auto_text sql = formatted;
    return run(conn, doing, sql, ret_rows);
}

int pg_queryf(struct pg_conn *conn, const char *doing, PGresult **ret_rows, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = run_formatted(conn, doing, ret_rows, format, args);
    va_end(args);
    return result;
}

int pg_commandf(struct pg_conn *conn, const char *doing, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = run_formatted(conn, doing, NULL, format, args);
    va_end(args);
    return result;
}

/* ---- results that may be errors ---- */

bool pg_is_error(const PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
    case PGRES_COPY_IN:
    case PGRES_NONFATAL_ERROR:
        return false;
    default:
        return true;
    }
}

bool pg_has_state(const PGresult *result, const char *sqlstate)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state && !strcmp(state, sqlstate);
}

int pg_finish(struct pg_conn *conn, PGresult **ret_result)
{
    PGresult *kept = NULL;
    for (;;) {
        int result = pg_await(conn);
        if (result < 0) {
            PQclear(kept);
            return result;
        }
        PGresult *next = PQgetResult(conn->pq);
        ExecStatusType status = PQresultStatus(next);
        if (!next)
            break;
        if (kept && pg_is_error(kept)) {
            PQclear(next);
        } else {
            PQclear(kept);
            kept = next;
        }
        if (is_copy(status) || (PQstatus(conn->pq) == CONNECTION_BAD && pg_is_error(kept)))
            break;
    }
    *ret_result = kept;
    return HF_OK;
}

int pg_try(struct pg_conn *conn, const char *sql, PGresult **ret_result)
{
    if (!PQsendQuery(conn->pq, sql)) {
        *ret_result = PQmakeEmptyPGresult(conn->pq, PGRES_FATAL_ERROR);
        return *ret_result ? HF_OK : pg_nomem(conn->ctx);
    }
    return pg_finish(conn, ret_result);
}

/* ---- quoting ---- */

/* libpq's memory may not be for free() everywhere. */
static char *owned(char *quoted)
{
    char *text = quoted ? strdup(quoted) : NULL;
    PQfreemem(quoted);
    return text;
}

char *pg_quote_ident(struct pg_conn *conn, const char *name)
{
    return owned(PQescapeIdentifier(conn->pq, name, strlen(name)));
}

char *pg_quote_literal(struct pg_conn *conn, const char *text)
{
    return owned(PQescapeLiteral(conn->pq, text, strlen(text)));
}
