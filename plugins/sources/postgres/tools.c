/* SPDX-License-Identifier: Apache-2.0
 *
 * PostgreSQL's own programs: which one fits the server, and running it against the server that a connection leads to.
 *
 * A child gets the connection's parameters as libpq takes them without any argument: each that has an environment
 * variable by it, so that no value needs quoting; the others, and those that are secret, in a service file that only we
 * can read.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "postgres.h"

enum { OUTPUT_MAX = 1 << 30 };

/* ---- running ---- */

/* The child's output, to its end. Not fit for more than `most` bytes. */
static int read_output(struct hf_ctx *ctx, int fd, size_t most, const char *path, struct pg_text *output)
{
    for (;;) {
        char piece[65536];
        struct pollfd waits[] = {{.fd = fd, .events = POLLIN}, {.fd = pg_host->cancel_fd(ctx), .events = POLLIN}};
        int ready = poll(waits, 2, 1000);
        if (pg_host->cancelled(ctx))
            return HF_E_CANCELLED;
        if (ready < 0 && errno != EINTR)
            return pg_host->fail(ctx, HF_E_IO, "wait for '%s': %s", path, strerror(errno));
        if (ready <= 0 || !waits[0].revents)
            continue;
        ssize_t size = read(fd, piece, sizeof(piece));
        if (size < 0 && errno != EINTR && errno != EAGAIN)
            return pg_host->fail(ctx, HF_E_IO, "read what '%s' writes: %s", path, strerror(errno));
        if (size == 0)
            return HF_OK;
        if (size > 0 && (size_t)size > most - output->used)
            return pg_host->fail(ctx, HF_E_FAIL, "'%s' writes more than %zu bytes", path, most);
        if (size > 0)
            pg_text_add_bytes(output, piece, (size_t)size);
        if (output->failed)
            return pg_nomem(ctx);
    }
}

/* Has the server ended our session meanwhile? What the program says of it then is the consequence and not the cause. */
static bool is_gone(struct pg_conn *conn)
{
    struct pollfd wait = {.fd = PQsocket(conn->pq), .events = POLLIN};
    while (PQconsumeInput(conn->pq)) {
        if (poll(&wait, 1, 0) <= 0)
            return false;
    }
    return true;
}

/* What pg_dump says is what the server said to it. */
static const char *hint_of(const char *errors)
{
    static const char *const hints[][2] = {
        {"permission denied", "the role lacks a privilege: holdfast check names each one that is missing, as a GRANT"},
        {"row-level security", "the role must own the table, or have BYPASSRLS, to read all of its rows"},
        {"statement timeout", /* which pg_dump sets while it locks */
         "somebody holds a lock on the table, with ALTER TABLE for example: see pg_locks; 'lock_timeout' "
         "says how long to wait"},
        {"no matching",
         "the patterns of 'schema' and 'table' find nothing; capital letters count only within double quotes"},
    };
    for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++) {
        if (strstr(errors, hints[i][0]))
            return hints[i][1];
    }
    return NULL;
}

static int run(struct pg_conn *conn, const struct hf_spawn *what, size_t most, struct pg_text *output)
{
    struct hf_ctx *ctx = conn->ctx;
    struct hf_child *child = NULL;
    int out = -1;
    int result = pg_host->spawn(ctx, what, &child, &out);
    if (result < 0)
        return result;
    result = read_output(ctx, out, most, what->argv[0], output);
    if (result < 0) {
        (void)pg_host->reap(ctx, child, 1, NULL);
        return result;
    }
    if (is_gone(conn)) {
        (void)pg_host->reap(ctx, child, 1, NULL);
        return pg_fail(conn, NULL, "hold the snapshot");
    }
    char *errors = NULL;
    result = pg_host->reap(ctx, child, 0, &errors);
    const char *hint = result < 0 && errors ? hint_of(errors) : NULL;
    free(errors);
    return hint ? pg_host->hint(ctx, "%s", hint) : result;
}

/* ---- finding ---- */

struct search {
    struct hf_ctx *ctx;
    const char *name;
    int server_version;
    char *best;
    int best_version;
    int newest; /* of all that were looked at */
};

/* "pg_dump (PostgreSQL) 15.20 (Debian …)", "… 18beta1" → as PQserverVersion(). 0: it is not that. */
static int parse_version(const char *said)
{
    const char *at = strstr(said, "(PostgreSQL) ");
    char *end = NULL;
    if (!at)
        return 0;
    long major = strtol(at + strlen("(PostgreSQL) "), &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    return major >= 10 && major < 1000 && minor >= 0 && minor < 10000 ? (int)(major * 10000 + minor) : 0;
}

/* *ret_version 0: it does not run, or is something else. */
static int version_of(struct search *search, const char *path, int *ret_version)
{
    struct pg_text said = {0};
    const char *const argv[] = {path, "--version", NULL};
    struct hf_spawn what = {.size = sizeof(what), .argv = argv};
    struct hf_child *child = NULL;
    int out = -1, result = pg_host->spawn(search->ctx, &what, &child, &out);
    if (result < 0)
        return result;
    result = read_output(search->ctx, out, 65536, path, &said);
    (void)pg_host->reap(search->ctx, child, 1, NULL); /* what it prints counts, not how it ends */
    if (result == HF_OK)
        *ret_version = said.data ? parse_version(said.data) : 0;
    pg_text_clear(&said);
    return result;
}

/* Debian's programs in PATH are one script that chooses by clusters of this machine; the real ones are asked instead.
 */
static bool is_real(const char *path, const char *name)
{
    char real[PATH_MAX];
    if (access(path, X_OK) != 0 || !realpath(path, real))
        return false;
    const char *base = strrchr(real, '/');
    return base && !strcmp(base + 1, name);
}

static int consider(struct search *search, const char *path)
{
    int version = 0;
    if (!is_real(path, search->name) || (search->best && !strcmp(search->best, path)))
        return HF_OK;
    int result = version_of(search, path, &version);
    if (result < 0)
        return result;
    search->newest = version > search->newest ? version : search->newest;
    if (version / 10000 < search->server_version / 10000 || version <= search->best_version)
        return HF_OK;
    char *copy = strdup(path);
    if (!copy)
        return pg_nomem(search->ctx);
    free(search->best);
    search->best = copy;
    search->best_version = version;
    return HF_OK;
}

static int consider_in(struct search *search, const char *folder, size_t size)
{
    if (size == 0 || folder[0] != '/')
        return HF_OK;
    pg_auto_text path = pg_format(search->ctx, "%.*s/%s", (int)size, folder, search->name);
    return path ? consider(search, path) : HF_E_NOMEM;
}

static int consider_glob(struct search *search, const char *folders)
{
    glob_t found = {0};
    int result = HF_OK, globbed = glob(folders, GLOB_ONLYDIR, NULL, &found);
    for (size_t i = 0; globbed == 0 && i < found.gl_pathc && result == HF_OK; i++)
        result = consider_in(search, found.gl_pathv[i], strlen(found.gl_pathv[i]));
    globfree(&found);
    return globbed == GLOB_NOSPACE ? pg_nomem(search->ctx) : result;
}

static int consider_path(struct search *search)
{
    const char *at = getenv("PATH");
    int result = HF_OK;
    while (at && *at && result == HF_OK) {
        size_t size = strcspn(at, ":");
        result = consider_in(search, at, size);
        at += size + (at[size] == ':');
    }
    return result;
}

static int not_found(const struct search *search, const struct pg_source *source)
{
    int server = search->server_version / 10000;
    if (search->newest > 0)
        (void)pg_host->fail(search->ctx, HF_E_NOTFOUND,
                            "the newest '%s' here is of version %d.%d, and the server is of %d", search->name,
                            search->newest / 10000, search->newest % 10000, server);
    else
        (void)pg_host->fail(search->ctx, HF_E_NOTFOUND, "no '%s' is found%s%s", search->name,
                            source->pg_bin ? " in " : "", source->pg_bin ? source->pg_bin : "");
    return pg_host->hint(search->ctx,
                         "install the package postgresql-client-%d or newer (Debian; elsewhere postgresql%d), or "
                         "set 'pg_bin' to the folder of %s",
                         server, server, search->name);
}

int pg_tool_find(const struct pg_source *source, struct hf_ctx *ctx, const char *name, int server_version,
                 char **ret_path, int *ret_version)
{
    struct search search = {.ctx = ctx, .name = name, .server_version = server_version};
    int result;
    if (source->pg_bin) {
        result = consider_in(&search, source->pg_bin, strlen(source->pg_bin));
    } else {
        result = consider_glob(&search, "/usr/lib/postgresql/*/bin");
        result = result == HF_OK ? consider_glob(&search, "/usr/pgsql-*/bin") : result;
        result = result == HF_OK ? consider_path(&search) : result;
    }
    if (result == HF_OK && !search.best)
        result = not_found(&search, source);
    if (result < 0) {
        free(search.best);
        return result;
    }
    *ret_path = search.best;
    *ret_version = search.best_version;
    return HF_OK;
}

/* ---- the connection's parameters ---- */

/* "NAME=value" for a child; released with release(). */
struct environment {
    struct hf_ctx *ctx;
    char **items;
    size_t count;
    struct pg_text service; /* the service file */
    char *path;             /* where it lies; NULL until then */
};

static int add_variable(struct environment *to, const char *name, const char *value)
{
    char **items = reallocarray(to->items, to->count + 2, sizeof(*items));
    if (!items)
        return pg_nomem(to->ctx);
    to->items = items;
    items[to->count] = value ? pg_format(to->ctx, "%s=%s", name, value) : pg_format(to->ctx, "%s", name);
    if (!items[to->count])
        return HF_E_NOMEM;
    items[++to->count] = NULL;
    return HF_OK;
}

/* libpq reads lines of at most 1023 bytes, and takes white space from their ends. */
static bool fits_service_file(const char *keyword, const char *value)
{
    size_t size = strlen(value);
    return strlen(keyword) + size < 1000 && !strpbrk(value, "\r\n") &&
           (size == 0 || !strchr(" \t\v\f", value[size - 1]));
}

static int add_parameter(struct environment *to, const PQconninfoOption *option, const char *value)
{
    bool secret = option->dispchar[0] == '*' || !strcmp(option->keyword, "password");
    bool has_variable = option->envvar && option->envvar[0];
    bool fits = value && value[0] && fits_service_file(option->keyword, value);
    if (fits && (secret || !has_variable)) {
        pg_text_addf(&to->service, "%s=%s\n", option->keyword, value);
        return has_variable ? add_variable(to, option->envvar, NULL) : HF_OK;
    }
    if (has_variable)
        return add_variable(to, option->envvar, value && value[0] ? value : NULL);
    if (!value || !value[0])
        return HF_OK;
    return pg_host->fail(to->ctx, HF_E_UNSUPPORTED, "the connection's '%s' is too long, or ends with a space",
                         option->keyword);
}

/* What the connection has come to: of several hosts the one that it leads to, the password wherever it came from. */
static const char *value_of(const struct pg_conn *conn, const PQconninfoOption *option)
{
    static const struct {
        const char *keyword;
        char *(*get)(const PGconn *);
    } known[] = {{"host", PQhost}, {"hostaddr", PQhostaddr}, {"port", PQport},
                 {"dbname", PQdb}, {"user", PQuser},         {"password", PQpass}};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (!strcmp(option->keyword, known[i].keyword))
            return known[i].get(conn->pq);
    }
    /* Its output is to be in the encoding of the database, whatever the role's or the environment's is. */
    if (!strcmp(option->keyword, "client_encoding"))
        return PQparameterStatus(conn->pq, "server_encoding");
    if (!strcmp(option->keyword, "application_name"))
        return PQparameterStatus(conn->pq, "application_name");
    return option->val;
}

static bool is_left_out(const char *keyword)
{
    static const char *const names[] = {"service", "fallback_application_name", "replication"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!strcmp(keyword, names[i]))
            return true;
    }
    return false;
}

static int write_all(struct hf_ctx *ctx, int fd, const char *path, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return pg_host->fail(ctx, errno == ENOSPC ? HF_E_NOSPACE : HF_E_IO, "write '%s': %s", path,
                                 strerror(errno));
        data += written;
        size -= (size_t)written;
    }
    return HF_OK;
}

static int write_service_file(struct environment *to)
{
    const char *folder = pg_host->tempdir(to->ctx);
    if (!folder)
        return HF_E_FAIL; /* which is recorded */
    pg_auto_text path = pg_format(to->ctx, "%s/service-XXXXXX", folder);
    if (!path)
        return HF_E_NOMEM;
    int fd = mkostemp(path, O_CLOEXEC); /* mode 0600 */
    if (fd < 0)
        return pg_host->fail(to->ctx, HF_E_IO, "make '%s': %s", path, strerror(errno));
    int result = write_all(to->ctx, fd, path, to->service.data, to->service.used);
    if (close(fd) != 0 && result == HF_OK)
        result = pg_host->fail(to->ctx, HF_E_IO, "write '%s': %s", path, strerror(errno));
    to->path = path;
    path = NULL;
    result = result == HF_OK ? add_variable(to, "PGSERVICEFILE", to->path) : result;
    return result == HF_OK ? add_variable(to, "PGSERVICE", "holdfast") : result;
}

static int fill_environment(struct environment *to, const struct pg_source *source, const struct pg_conn *conn)
{
    char seconds[24];
    PQconninfoOption *options = PQconninfo(conn->pq);
    int result = options ? HF_OK : pg_nomem(to->ctx);
    pg_text_add(&to->service, "[holdfast]\n");
    (void)snprintf(seconds, sizeof(seconds), "%lld", (long long)(source->connect_timeout_ms + 999) / 1000);
    for (const PQconninfoOption *option = options; result == HF_OK && option->keyword; option++) {
        const char *value = value_of(conn, option);
        if (!strcmp(option->keyword, "connect_timeout") && (!value || !value[0]))
            value = seconds;
        if (!is_left_out(option->keyword))
            result = add_parameter(to, option, value);
    }
    PQconninfoFree(options);
    result = result == HF_OK ? pg_text_check(&to->service, to->ctx) : result;
    return result == HF_OK ? write_service_file(to) : result;
}

static void release(struct environment *environment)
{
    if (environment->path && unlink(environment->path) != 0)
        pg_host->log(environment->ctx, HF_LOG_DEBUG, "remove '%s': %s", environment->path, strerror(errno));
    for (size_t i = 0; i < environment->count; i++) {
        explicit_bzero(environment->items[i], strlen(environment->items[i]));
        free(environment->items[i]);
    }
    free(environment->items);
    free(environment->path);
    if (environment->service.data)
        explicit_bzero(environment->service.data, environment->service.used);
    pg_text_clear(&environment->service);
}

/* ---- both ---- */

/* pg_dumpall takes the database that it begins with from no variable. A name may look like a connection string, which
 * it would take for one. */
static char *database_argument(const struct pg_conn *conn, const char *path)
{
    const char *base = strrchr(path, '/'), *name = PQdb(conn->pq);
    bool all = !strcmp(base ? base + 1 : path, "pg_dumpall");
    bool plain = name && name[0] && !strchr(name, '=') && strncmp(name, "postgres://", 11) != 0 &&
                 strncmp(name, "postgresql://", 13) != 0;
    return all && plain ? pg_format(conn->ctx, "--database=%s", name) : NULL;
}

/* The program, what each of them needs, and `args`; NULL: out of memory. */
static const char **arguments_of(const char *path, const char *database, const char *const *args)
{
    size_t given = 0, count = 0;
    while (args[given])
        given++;
    const char **argv = calloc(given + 4, sizeof(*argv));
    if (!argv)
        return NULL;
    argv[count++] = path;
    argv[count++] = "--no-password"; /* it would ask for one at the terminal */
    if (database)
        argv[count++] = database;
    memcpy(argv + count, args, given * sizeof(*argv));
    return argv;
}

int pg_tool_run(const struct pg_source *source, struct pg_conn *conn, const char *path, const char *const *args,
                struct pg_text *ret_output)
{
    struct environment environment = {.ctx = conn->ctx};
    pg_auto_text database = database_argument(conn, path);
    const char **argv = arguments_of(path, database, args);
    int result = argv ? fill_environment(&environment, source, conn) : pg_nomem(conn->ctx);
    if (result == HF_OK) {
        struct hf_spawn what = {.size = sizeof(what), .argv = argv, .env = (const char *const *)environment.items};
        result = run(conn, &what, OUTPUT_MAX, ret_output);
    }
    release(&environment);
    free(argv);
    return result;
}
