/* SPDX-License-Identifier: Apache-2.0
 *
 * What went wrong with the server, in words: code, message, and what to do about it.
 */
#include <ctype.h>
#include <stdio.h>

#include "server.h"

enum { SAID_MAX = 1200, STATE_SIZE = 6 };

/* ---- SQLSTATE ---- */

struct known {
    const char *state; /* all of it, or a class of two characters */
    int code;
    const char *hint;
};

/* The first that fits. https://www.postgresql.org/docs/current/errcodes-appendix.html */
static const struct known states[] = {
    {"08", HF_E_UNREACHABLE, NULL},
    {"57P01", HF_E_UNREACHABLE, "the server was shut down, or somebody ended the session; look at the server's log"},
    {"57P02", HF_E_UNREACHABLE, "the server crashed; look at its log"},
    {"57P03", HF_E_UNREACHABLE, "the server is starting, stopping or recovering; try again in a while"},
    {"57P04", HF_E_UNREACHABLE, "somebody dropped the database meanwhile"},
    {"57P", HF_E_UNREACHABLE, NULL},
    {"28P01", HF_E_AUTH,
     "correct user and password in 'url', in the service file or in the password file (PGPASSFILE)"},
    {"28", HF_E_AUTH, "see the server's pg_hba.conf, and which user connects"},
    {"42501", HF_E_AUTH,
     "grant the role what it lacks; for a backup, membership in pg_read_all_data (server 14 and newer) is enough for "
     "tables"},
    {"3D000", HF_E_NOTFOUND, "correct the database's name in 'url' or 'service', or create it"},
    {"53100", HF_E_NOSPACE, "make room on the server's disk"},
    {"53200", HF_E_FAIL, "the server is out of memory: lower 'jobs' or 'maintenance_work_mem'"},
    {"53300", HF_E_BUSY, "lower 'jobs', or raise the server's max_connections"},
    {"53400", HF_E_FAIL, NULL},
    {"54000", HF_E_NOSPACE, NULL},
    {"55P03", HF_E_BUSY, "another session holds a lock, ALTER TABLE for example; try again, or raise 'lock_timeout'"},
    {"55006", HF_E_BUSY, "it is being used by other sessions"},
    {"40P01", HF_E_BUSY, "other sessions lock the same tables; try again"},
    {"40001", HF_E_BUSY, "try again; on a standby raise max_standby_streaming_delay or set hot_standby_feedback = on"},
    {"57014", HF_E_FAIL, "somebody cancelled the statement, or a timeout did"},
    {"42P04", HF_E_EXISTS, NULL},
    {"0A000", HF_E_UNSUPPORTED, NULL},
    {"25006", HF_E_REFUSED, "the server is a standby, or read-only: restore to the primary"},
    {"58030", HF_E_IO, "look at the server's log and disks"},
    {"XX001", HF_E_CORRUPT, "the server's own data are damaged; look at its log before anything else"},
    {"XX002", HF_E_CORRUPT, "an index on the server is damaged: REINDEX makes it anew"},
};

static const struct known *known_state(const char *state)
{
    for (size_t i = 0; state && i < sizeof(states) / sizeof(*states); i++) {
        if (!strncmp(state, states[i].state, strlen(states[i].state)))
            return &states[i];
    }
    return NULL;
}

/* ---- what was said ---- */

/* On one line, spaces for line breaks, and no longer than it can be read. */
static void flatten(const char *said, size_t most, char *ret_text, size_t room)
{
    size_t used = 0, limit = most < room - 1 ? most : room - 1;
    for (const char *at = said; *at && used < limit; at++) {
        bool space = isspace((unsigned char)*at);
        if (!space)
            ret_text[used++] = *at;
        else if (used > 0 && ret_text[used - 1] != ' ')
            ret_text[used++] = ' ';
    }
    while (used > 0 && ret_text[used - 1] == ' ')
        used--;
    ret_text[used] = 0;
}

static const char *field(const PGresult *result, int which)
{
    const char *value = result ? PQresultErrorField(result, which) : NULL;
    return value ? value : "";
}

/* "message (detail; context)", or what libpq itself says. */
static void describe(const struct pg_conn *conn, const PGresult *result, struct pg_text *text)
{
    char said[SAID_MAX], detail[400], context[300];
    const char *message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    if (!message[0])
        message = result && PQresultErrorMessage(result)[0] ? PQresultErrorMessage(result) : PQerrorMessage(conn->pq);
    flatten(message, SAID_MAX, said, sizeof(said));
    flatten(field(result, PG_DIAG_MESSAGE_DETAIL), sizeof(detail), detail, sizeof(detail));
    flatten(field(result, PG_DIAG_CONTEXT), sizeof(context), context, sizeof(context));
    pg_text_add(text, said[0] ? said : "the connection to the server is lost");
    if (detail[0] || context[0])
        pg_text_addf(text, " (%s%s%s)", detail, detail[0] && context[0] ? "; " : "", context);
}

/* Something is wrong, and the server said nothing about it. */
static bool is_lost(const struct pg_conn *conn, const PGresult *result)
{
    return !field(result, PG_DIAG_SQLSTATE)[0] && PQstatus(conn->pq) == CONNECTION_BAD;
}

static int code_of(const struct pg_conn *conn, const PGresult *result, const struct known *known)
{
    if (known)
        return known->code;
    return is_lost(conn, result) ? HF_E_UNREACHABLE : HF_E_FAIL;
}

static int hint(struct pg_conn *conn, const PGresult *result, const struct known *known, int code)
{
    const char *servers = field(result, PG_DIAG_MESSAGE_HINT);
    if (strstr(field(result, PG_DIAG_MESSAGE_PRIMARY), "row-level security"))
        return pg_host->hint(conn->ctx, "the role must own the table, or have BYPASSRLS, to read all of its rows");
    if (known && known->hint)
        return pg_host->hint(conn->ctx, "%s", known->hint);
    if (is_lost(conn, result))
        return pg_host->hint(conn->ctx, "look at the server's log: it stopped, or the network did");
    return servers[0] ? pg_host->hint(conn->ctx, "%s", servers) : code;
}

/* What a restore may lack is not what a backup may. */
static const char restoring_hint[] = "restore as a superuser, or as a role that is a member of all that own what is "
                                     "restored: by another 'url', for this "
                                     "command alone";

/* `doing` and, of a restore's statement, `tail` around what was said. */
static int fail(struct pg_conn *conn, const PGresult *result, const char *doing, const char *tail)
{
    const struct known *known = known_state(PQresultErrorField(result, PG_DIAG_SQLSTATE));
    int code = code_of(conn, result, known);
    struct pg_text text = {0};
    if (pg_host->cancelled(conn->ctx))
        return HF_E_CANCELLED; /* it is our own doing, and whoever stopped the run gave the reason */
    describe(conn, result, &text);
    if (text.failed)
        (void)pg_nomem(conn->ctx);
    else
        (void)pg_host->fail(conn->ctx, code, "%s%s%s%s", doing, doing[0] ? ": " : "", text.data, tail);
    pg_text_clear(&text);
    if (tail[0] && code == HF_E_AUTH)
        return pg_host->hint(conn->ctx, "%s", restoring_hint);
    return hint(conn, result, known, code);
}

int pg_fail(struct pg_conn *conn, const PGresult *result, const char *doing)
{
    return fail(conn, result, doing, "");
}

/* ---- statements ---- */

/* Nothing after the word "password" is for other eyes; a connection string has it inside of quotes. */
static size_t size_to_show(const char *statement)
{
    const char *secret = strcasestr(statement, "password");
    return secret ? (size_t)(secret - statement) : strlen(statement);
}

/* The line with the character (not byte) that the server points at, from 1. *ret_number 0: it is not there. */
static const char *pointed_line(const struct pg_conn *conn, const char *statement, long position, size_t *ret_size,
                                unsigned *ret_number)
{
    int encoding = PQclientEncoding(conn->pq);
    const char *line = statement, *at = statement;
    unsigned number = 1;
    for (; *at && position > 1; position--) {
        if (*at == '\n') {
            line = at + 1;
            number++;
        }
        int size = PQmblen(at, encoding);
        at += strnlen(at, size > 0 ? (size_t)size : 1);
    }
    *ret_size = strcspn(line, "\n");
    *ret_number = *at ? number : 0;
    return line;
}

int pg_fail_statement(struct pg_conn *conn, const PGresult *result, const char *statement)
{
    enum { SHOWN = 300, LINE = 160 };
    char shown[SHOWN + 1], line[LINE + 1] = "", tail[SHOWN + LINE + 100];
    long position = strtol(field(result, PG_DIAG_STATEMENT_POSITION), NULL, 10);
    size_t size = size_to_show(statement), most = size < SHOWN ? size : SHOWN, line_size = 0;
    unsigned number = 0;
    const char *pointed = position > 0 ? pointed_line(conn, statement, position, &line_size, &number) : statement;
    flatten(statement, most, shown, sizeof(shown));
    if (number > 1 && pointed < statement + size)
        flatten(pointed, line_size < LINE ? line_size : LINE, line, sizeof(line));
    bool cut = most < strlen(statement);
    if (line[0])
        (void)snprintf(tail, sizeof(tail), "; statement: %s%s; its line %u: %s", shown, cut ? " …" : "", number, line);
    else
        (void)snprintf(tail, sizeof(tail), "; statement: %s%s", shown, cut ? " …" : "");
    return fail(conn, result, "", tail);
}

/* ---- connecting ---- */

/* libpq tells the SQLSTATE only in the text of its verbose messages, "FATAL:  28P01: password …": *ret_state is the
 * last one of them, and they are taken out, and so are the lines that say where in the server's source it was. */
static void parse_connect_message(const char *said, char ret_state[STATE_SIZE], struct pg_text *text)
{
    ret_state[0] = 0;
    for (const char *line = said; *line;) {
        size_t size = strcspn(line, "\n");
        const char *mark = memmem(line, size, ":  ", 3), *state = mark ? mark + 3 : NULL, *from = line;
        size_t width = state ? strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") : 0;
        if (width == STATE_SIZE - 1 && !strncmp(state + width, ": ", 2)) {
            memcpy(ret_state, state, width);
            ret_state[width] = 0;
            const char *severity = mark;
            while (severity > line && severity[-1] != ' ')
                severity--;
            pg_text_add_bytes(text, line, (size_t)(severity - line));
            from = state + width + 2;
        }
        if (strncmp(line, "LOCATION:", 9) != 0) {
            pg_text_add_bytes(text, from, size - (size_t)(from - line));
            pg_text_add(text, "\n");
        }
        line += size + (line[size] == '\n');
    }
}

struct phrase {
    const char *words;
    int code;
    const char *hint;
};

/* What libpq finds out by itself has no code at all. The plugin's process speaks English: it sets no locale. */
static const struct phrase phrases[] = {
    {"no password supplied", HF_E_AUTH, "give one in 'url', in the password file (PGPASSFILE) or in PGPASSWORD"},
    {"certificate verify failed", HF_E_AUTH, "sslrootcert must name the certificate that signed the server's"},
    {"server certificate for", HF_E_AUTH, "connect by a host name that the server's certificate has"},
    {"does not support SSL", HF_E_CONFIG, "the server has no TLS: turn it on there (ssl = on), or lower sslmode"},
    {"root certificate file", HF_E_CONFIG, "put it there, name another with sslrootcert, or lower sslmode"},
    {"certificate file", HF_E_CONFIG, "see sslcert"},
    {"private key file", HF_E_CONFIG, "see sslkey; nobody else may be allowed to read it"},
    {"definition of service", HF_E_CONFIG,
     "services are in ~/.pg_service.conf, or in the file that PGSERVICEFILE names"},
    {"service file", HF_E_CONFIG, NULL},
    {"could not translate host name", HF_E_UNREACHABLE, "is the host's name spelled right, and known here?"},
    {"session is", HF_E_UNREACHABLE, "no server is of the kind that target_session_attrs asks for"},
    {"server is", HF_E_UNREACHABLE, "no server is of the kind that target_session_attrs asks for"},
    {"Is the server running", HF_E_UNREACHABLE, "is a server running there? pg_isready -h HOST -p PORT asks it"},
};

static const struct phrase *known_phrase(const char *said)
{
    for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++) {
        if (strstr(said, phrases[i].words))
            return &phrases[i];
    }
    return NULL;
}

/* 28000 says little by itself. */
static const char *auth_hint(const char *said, const char *usual)
{
    if (strstr(said, "no pg_hba.conf entry"))
        return "the server's pg_hba.conf must allow this user, database and host; if it says 'no encryption', try "
               "sslmode=require";
    if (strstr(said, "Peer authentication"))
        return "run as the system user of that name, or connect with a password (host=localhost)";
    if (strstr(said, "does not exist"))
        return "create the role (CREATE ROLE … LOGIN), or name another user in 'url'";
    return usual;
}

static int fail_with(struct hf_ctx *ctx, int code, const char *said, const char *what_to_do)
{
    (void)pg_host->fail(ctx, code, "%s", said);
    return what_to_do ? pg_host->hint(ctx, "%s", what_to_do) : code;
}

/* "Connection refused Is the server running on …?": the hint asks that. With several addresses each has its own. */
static void drop_question(char *said)
{
    char *question = strstr(said, " Is the server running"), *end = question ? strchr(question, '?') : NULL;
    if (end && end[1] == 0)
        *question = 0;
}

int pg_fail_connect(struct pg_conn *conn, bool begun)
{
    char state[STATE_SIZE], said[SAID_MAX];
    struct pg_text text = {0};
    parse_connect_message(PQerrorMessage(conn->pq), state, &text);
    flatten(text.data ? text.data : "connecting failed", SAID_MAX, said, sizeof(said));
    pg_text_clear(&text);
    drop_question(said);
    const struct known *known = known_state(state[0] ? state : NULL);
    if (known)
        return fail_with(conn->ctx, known->code == HF_E_BUSY ? HF_E_UNREACHABLE : known->code, said,
                         known->code == HF_E_AUTH ? auth_hint(said, known->hint) : known->hint);
    if (state[0])
        return fail_with(conn->ctx, HF_E_FAIL, said, NULL);
    const struct phrase *phrase = known_phrase(said);
    if (phrase)
        return fail_with(conn->ctx, phrase->code, said, phrase->hint);
    /* An address that fails at once, a socket's file that is not there for example, does so before the connection
     * begins. */
    bool tried = begun || strstr(said, "connection to server") || strstr(said, "could not connect to server");
    if (!tried)
        return fail_with(conn->ctx, HF_E_CONFIG, said,
                         "see 'url', 'service' and the environment (PGHOST, PGSSLMODE, …)");
    return fail_with(conn->ctx, HF_E_UNREACHABLE, said,
                     "is a server running there? pg_isready -h HOST -p PORT asks it");
}
