/* SPDX-License-Identifier: Apache-2.0
 *
 * From options to a session. libpq does all of it, so everything that it understands works; but it is polled, so that a
 * stop of the run is heeded.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "server.h"

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* ---- url ---- */

static bool is_uri(const char *url)
{
    return !strncmp(url, "postgresql://", 13) || !strncmp(url, "postgres://", 11);
}

/* What libpq says about a malformed one shows pieces of it, any of which may be of the password. */
static int malformed(struct hf_ctx *ctx, const char *said)
{
    const char *cut = said;
    while ((cut = strchr(cut, '"')) && cut[1] && cut[2] == '"')
        cut += 3;
    int size = cut ? (int)(cut - said) : (int)strcspn(said, "\n");
    (void)pg_host->fail(ctx, HF_E_CONFIG, "'url' is not understood: %.*s%s", size, said, cut ? "…" : "");
    return pg_host->hint(ctx,
                         "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with %%40 for '@' and %%2F for '/' in "
                         "the password, or host=… dbname=… user=…");
}

/* A password with '@' or '/' that was not encoded ends up in the wrong place, from where it would be shown. */
static bool is_misread(const PQconninfoOption *options)
{
    const char *user = NULL;
    for (const PQconninfoOption *option = options; option->keyword; option++)
        user = !strcmp(option->keyword, "user") ? option->val : user;
    for (const PQconninfoOption *option = options; option->keyword; option++) {
        bool host = !strcmp(option->keyword, "host"), port = !strcmp(option->keyword, "port");
        bool database = !strcmp(option->keyword, "dbname");
        if (option->val && strchr(option->val, '@') && (host || port || (database && !user)))
            return true;
    }
    return false;
}

int pg_url_check(struct hf_ctx *ctx, const char *url)
{
    char *said = NULL;
    if (!is_uri(url) && !strchr(url, '='))
        return malformed(ctx, "it is neither a URL nor a list of KEY=VALUE");
    PQconninfoOption *options = PQconninfoParse(url, &said);
    if (!options) {
        int result = said ? malformed(ctx, said) : pg_nomem(ctx);
        PQfreemem(said);
        return result;
    }
    for (const PQconninfoOption *option = options; option->keyword; option++) {
        if (option->val && option->val[0] && (option->dispchar[0] == '*' || !strcmp(option->keyword, "password")))
            pg_host->redact(ctx, option->val);
    }
    int result = is_uri(url) && is_misread(options) ? malformed(ctx, "there is an '@' too many") : HF_OK;
    PQconninfoFree(options);
    return result;
}

/* ---- parameters ---- */

enum { PARAMETERS = 16 };

struct parameters {
    const char *keys[PARAMETERS + 1], *values[PARAMETERS + 1];
    size_t count;
    int expand;
    char name[100];
};

static void add(struct parameters *to, const char *key, const char *value)
{
    if (!value || !value[0] || to->count == PARAMETERS)
        return;
    to->keys[to->count] = key;
    to->values[to->count++] = value;
}

/* Of a key that stands there twice, the later value counts. The silence of a peer that is gone is noticed after two
 * minutes, where the system's default is two hours. */
static void fill(struct parameters *to, const struct pg_source *source, struct hf_ctx *ctx,
                 const struct pg_place *place, const char *database)
{
    const char *profile = pg_host->profile(ctx);
    (void)snprintf(to->name, sizeof(to->name), "holdfast%s%s", profile ? " " : "", profile ? profile : "");
    add(to, "fallback_application_name", to->name);
    add(to, "keepalives_idle", "60");
    add(to, "keepalives_interval", "10");
    add(to, "keepalives_count", "6");
    add(to, "service", source->service);
    add(to, "dbname", source->url);
    to->expand = source->url != NULL; /* only the first "dbname" is taken apart */
    if (place) {
        add(to, "host", place->host);
        add(to, "hostaddr", place->hostaddr);
        add(to, "port", place->port);
    }
    add(to, "dbname", database);
}

/* ---- the session ---- */

static void note(void *arg, const PGresult *notice)
{
    const struct pg_conn *conn = arg;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY);
    const char *said = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    if (conn->ctx && said)
        pg_host->log(conn->ctx, HF_LOG_DEBUG, "server: %s: %s", severity ? severity : "notice", said);
}

/* The database's own encoding, so that nothing is converted and nothing can fail to be. */
static int prepare(struct pg_conn *conn, const struct pg_source *source)
{
    const char *encoding = PQparameterStatus(conn->pq, "server_encoding");
    struct pg_text sql = {0};
    pg_auto_text literal = encoding ? pg_quote_literal(conn, encoding) : NULL;
    if (encoding && !literal)
        return pg_nomem(conn->ctx);
    if (literal)
        pg_text_addf(&sql, "SET client_encoding = %s;", literal);
    pg_text_addf(&sql,
                 "SET standard_conforming_strings = on; SET search_path = ''; SET lock_timeout = %lld;"
                 "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;",
                 (long long)source->lock_timeout_ms);
    if (conn->version >= 140000)
        pg_text_add(&sql, "SET idle_session_timeout = 0;");
    if (conn->version >= 170000)
        pg_text_add(&sql, "SET transaction_timeout = 0;");
    pg_text_add(&sql, "SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC';"
                      "SET bytea_output = 'hex'; SET extra_float_digits = 3; SET row_security = off;"
                      "SET synchronize_seqscans = off; SET quote_all_identifiers = off; SET array_nulls = on;"
                      "SET default_transaction_read_only = off");
    int result = pg_text_check(&sql, conn->ctx);
    result = result == HF_OK ? pg_command(conn, "prepare the session", sql.data) : result;
    pg_text_clear(&sql);
    return result;
}

static int check_version(struct pg_conn *conn)
{
    const char *version = PQparameterStatus(conn->pq, "server_version");
    conn->version = PQserverVersion(conn->pq);
    if (conn->version >= PG_OLDEST)
        return HF_OK;
    (void)pg_host->fail(conn->ctx, HF_E_UNSUPPORTED, "the server is PostgreSQL %s; %d or newer is needed",
                        version ? version : "of an unknown version", PG_OLDEST / 10000);
    return pg_host->hint(conn->ctx, "upgrade it: PostgreSQL supports a version for five years");
}

/* ---- connecting ---- */

/* A URL's, a service's or the environment's, unless the profile says otherwise. */
static int64_t timeout_of(const struct pg_source *source, PGconn *pq)
{
    int64_t timeout = source->connect_timeout_ms;
    PQconninfoOption *options = pg_host->is_set(source->config, "connect_timeout") ? NULL : PQconninfo(pq);
    for (const PQconninfoOption *option = options; option && option->keyword; option++) {
        long seconds = option->val && !strcmp(option->keyword, "connect_timeout") ? strtol(option->val, NULL, 10) : 0;
        if (seconds > 0)
            timeout = seconds < 1000000 ? seconds * 1000 : timeout;
    }
    PQconninfoFree(options);
    return timeout;
}

static int too_slow(struct pg_conn *conn, int64_t timeout)
{
    const char *host = PQhost(conn->pq), *port = PQport(conn->pq);
    (void)pg_host->fail(conn->ctx, HF_E_UNREACHABLE, "connect to '%s', port %s: no answer within %.3g s",
                        host && host[0] ? host : "the server", port ? port : "?", (double)timeout / 1000);
    return pg_host->hint(conn->ctx, "is a firewall in between? 'connect_timeout' says how long to wait");
}

/* Waits for what libpq waits for. HF_END: the time is over. */
static int await(struct pg_conn *conn, PostgresPollingStatusType wanted, int64_t until)
{
    struct pollfd waits[] = {
        {.fd = PQsocket(conn->pq), .events = wanted == PGRES_POLLING_WRITING ? POLLOUT : POLLIN},
        {.fd = pg_host->cancel_fd(conn->ctx), .events = POLLIN},
    };
    for (;;) {
        int64_t left = until - now_ms();
        if (pg_host->cancelled(conn->ctx))
            return HF_E_CANCELLED;
        if (left <= 0)
            return HF_END;
        int ready = poll(waits, 2, left < 1000 ? (int)left : 1000);
        if (ready < 0 && errno != EINTR)
            return pg_host->fail(conn->ctx, HF_E_IO, "wait for the server: %s", strerror(errno));
        if (ready > 0 && waits[0].revents)
            return HF_OK;
    }
}

/* HF_END: it takes too long. */
static int connect_to(struct pg_conn *conn, int64_t timeout)
{
    int64_t until = now_ms() + timeout;
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
    (void)PQsetErrorVerbosity(conn->pq, PQERRORS_VERBOSE); /* the only way to learn the SQLSTATE */
    while (wanted != PGRES_POLLING_OK) {
        int result = await(conn, wanted, until);
        if (result != HF_OK)
            return result;
        wanted = PQconnectPoll(conn->pq);
        if (wanted == PGRES_POLLING_FAILED)
            return pg_fail_connect(conn, true);
    }
    (void)PQsetErrorVerbosity(conn->pq, PQERRORS_DEFAULT);
    const char *password = PQpass(conn->pq);
    if (password && password[0])
        pg_host->redact(conn->ctx, password);
    return HF_OK;
}

/* ---- several hosts ---- */

/* The item of a list with commas; the last one when there are not so many. */
static const char *item(const char *list, size_t index, size_t *ret_size)
{
    const char *comma;
    for (; index > 0 && (comma = strchr(list, ',')); index--)
        list = comma + 1;
    *ret_size = strcspn(list, ",");
    return list;
}

static bool is_item(const char *list, size_t index, const char *text)
{
    size_t size = 0;
    const char *at = item(list, index, &size);
    return size == strlen(text) && !strncmp(at, text, size);
}

/* What follows item `index`; one port may be for all hosts. */
static char *after(const char *list, size_t index)
{
    size_t size = 0;
    const char *at = item(list, index, &size);
    return strdup(at[size] ? at + size + 1 : strchr(list, ',') ? "" : list);
}

/* libpq goes on to the next host by itself when one refuses, but not when one is silent: that is for whoever polls it.
 * *ret_rest: the hosts after the one at hand. HF_END: there is none. */
static int hosts_after(struct pg_conn *conn, struct pg_place *ret_rest)
{
    const char *host = "", *hostaddr = "", *port = "", *this_host = PQhost(conn->pq), *this_port = PQport(conn->pq);
    PQconninfoOption *options = PQconninfo(conn->pq);
    if (!options)
        return pg_nomem(conn->ctx);
    for (const PQconninfoOption *option = options; option->keyword; option++) {
        const char *value = option->val ? option->val : "";
        host = !strcmp(option->keyword, "host") ? value : host;
        hostaddr = !strcmp(option->keyword, "hostaddr") ? value : hostaddr;
        port = !strcmp(option->keyword, "port") ? value : port;
    }
    const char *list = hostaddr[0] ? hostaddr : host;
    size_t count = 1, at = 0;
    for (const char *comma = list; (comma = strchr(comma, ',')); comma++)
        count++;
    while (at < count - 1 && (!is_item(host[0] ? host : hostaddr, at, this_host ? this_host : "") ||
                              !is_item(port, at, this_port ? this_port : "")))
        at++;
    bool more = at + 1 < count;
    struct pg_place rest = {0};
    if (more)
        rest = (struct pg_place){.host = after(host, at), .hostaddr = after(hostaddr, at), .port = after(port, at)};
    PQconninfoFree(options);
    if (more && (!rest.host || !rest.hostaddr || !rest.port)) {
        pg_place_clear(&rest);
        return pg_nomem(conn->ctx);
    }
    *ret_rest = rest;
    return more ? HF_OK : HF_END;
}

/* ---- all together ---- */

static int start(struct pg_conn *conn, const struct pg_source *source, const struct pg_place *place,
                 const char *database, int64_t *ret_timeout)
{
    struct parameters parameters = {.count = 0};
    fill(&parameters, source, conn->ctx, place, database);
    PQfinish(conn->pq);
    conn->pq = PQconnectStartParams(parameters.keys, parameters.values, parameters.expand);
    if (!conn->pq)
        return pg_nomem(conn->ctx);
    (void)PQsetNoticeReceiver(conn->pq, note, conn);
    if (PQstatus(conn->pq) == CONNECTION_BAD)
        return pg_fail_connect(conn, false);
    *ret_timeout = timeout_of(source, conn->pq);
    return connect_to(conn, *ret_timeout);
}

static int start_anywhere(struct pg_conn *conn, const struct pg_source *source, const struct pg_place *place,
                          const char *database)
{
    struct pg_place hosts = {0};
    int64_t timeout = 0;
    int result = start(conn, source, place, database, &timeout);
    while (result == HF_END) {
        struct pg_place rest = {0};
        result = hosts_after(conn, &rest);
        if (result == HF_END)
            result = too_slow(conn, timeout);
        pg_place_clear(&hosts);
        hosts = rest;
        if (result == HF_OK)
            result = start(conn, source, &hosts, database, &timeout);
    }
    pg_place_clear(&hosts);
    return result;
}

int pg_open(const struct pg_source *source, struct hf_ctx *ctx, const struct pg_place *place, const char *database,
            struct pg_conn **ret_conn)
{
    struct pg_conn *opened = calloc(1, sizeof(*opened));
    pg_auto_conn conn = opened;
    if (!conn)
        return pg_nomem(ctx);
    conn->ctx = ctx;
    int result = start_anywhere(conn, source, place, database);
    result = result == HF_OK ? check_version(conn) : result;
    result = result == HF_OK ? prepare(conn, source) : result;
    if (result < 0)
        return result;
    const char *name = PQdb(conn->pq);
    conn->database = strdup(name ? name : "");
    if (!conn->database)
        return pg_nomem(ctx);
    *ret_conn = conn;
    conn = NULL;
    return HF_OK;
}

void pg_close(struct pg_conn *conn)
{
    if (!conn)
        return;
    conn->ctx = NULL; /* a notice would find it gone */
    PQfinish(conn->pq);
    free(conn->database);
    free(conn);
}

/* ---- place ---- */

void pg_place_clear(struct pg_place *place)
{
    free(place->host);
    free(place->hostaddr);
    free(place->port);
    *place = (struct pg_place){0};
}

static bool copy(const char *text, char **ret_copy)
{
    *ret_copy = strdup(text ? text : "");
    return *ret_copy;
}

int pg_place_of(const struct pg_conn *conn, struct hf_ctx *ctx, struct pg_place *ret_place)
{
    struct pg_place place = {0};
    if (!copy(PQhost(conn->pq), &place.host) || !copy(PQhostaddr(conn->pq), &place.hostaddr) ||
        !copy(PQport(conn->pq), &place.port)) {
        pg_place_clear(&place);
        return pg_nomem(ctx);
    }
    *ret_place = place;
    return HF_OK;
}
