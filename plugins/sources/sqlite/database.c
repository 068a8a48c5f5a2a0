/* SPDX-License-Identifier: Apache-2.0
 *
 * A live database, opened so that nothing about it changes.
 *
 * A database in WAL mode is opened read-only when its -wal is there: such a connection never checkpoints. When there is
 * no -wal, a read-only connection would make one and leave it behind; a read-write one makes it, too, but takes it away
 * when it closes as the last, so that is what is used. Nothing is ever written through it (query_only).
 *
 * Files of a live database are only touched through SQLite: closing any other descriptor of them would drop the locks
 * that this process holds (POSIX).
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sqlite.h"

#define HEADER_BYTES 100

int64_t sq_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int on_busy(void *arg, int count)
{
    struct sq_database *database = arg;
    int64_t now = sq_now_ms();
    if (count == 0)
        database->busy_since_ms = now;
    int64_t left = database->busy_since_ms + database->busy_timeout_ms - now;
    int64_t pause = count < 10 ? 1 : 3; /* a busy writer leaves only short gaps */
    if (left <= 0)
        return 0;
    return sq_host->sleep_ms(database->ctx, pause < left ? pause : left) == HF_OK;
}

char *sq_immutable_uri(const char *path)
{
    static const char tail[] = "?immutable=1";
    char *uri = malloc(sizeof("file:") + 3 * strlen(path) + sizeof(tail));
    if (!uri)
        return NULL;
    char *out = stpcpy(uri, "file:");
    for (const unsigned char *at = (const unsigned char *)path; *at; at++) {
        if (isascii(*at) && (isalnum(*at) || strchr("/._-", *at)))
            *out++ = (char)*at;
        else
            out += sprintf(out, "%%%02X", *at);
    }
    strcpy(out, tail);
    return uri;
}

/* Whether `real` with this ending is there; an unclear answer counts as yes, the careful side. */
static bool has_companion(const char *real, const char *end)
{
    SQ_TEXT path = NULL;
    struct stat info;
    if (asprintf(&path, "%s%s", real, end) < 0) {
        path = NULL;
        return true;
    }
    return stat(path, &info) == 0 || errno != ENOENT;
}

static bool folder_writable(const char *real)
{
    SQ_TEXT folder = strdup(real);
    char *slash = folder ? strrchr(folder, '/') : NULL;
    if (!slash)
        return true;
    slash[slash == folder] = 0;
    return faccessat(AT_FDCWD, folder, W_OK, AT_EACCESS) == 0;
}

static int connect_database(struct sq_database *database, int flags)
{
    sqlite3_close_v2(database->db);
    database->db = NULL;
    SQ_TEXT uri = database->immutable ? sq_immutable_uri(database->real) : NULL;
    if (database->immutable && !uri)
        return SQLITE_NOMEM;
    int rc = sqlite3_open_v2(uri ? uri : database->real, &database->db,
                             flags | SQLITE_OPEN_NOMUTEX | (uri ? SQLITE_OPEN_URI : 0), NULL);
    if (rc != SQLITE_OK)
        return rc;
    (void)sqlite3_extended_result_codes(database->db, 1);
    (void)sqlite3_busy_handler(database->db, on_busy, database);
    (void)sqlite3_db_config(database->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return sqlite3_exec(database->db, "pragma query_only = on", NULL, NULL, NULL);
}

/* Through SQLite's own descriptor, for the reason told above. */
static bool is_wal_mode(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    unsigned char header[HEADER_BYTES] = {0};
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file || !file->pMethods)
        return false;
    if (file->pMethods->xRead(file, header, sizeof(header), 0) != SQLITE_OK)
        return false;
    return !memcmp(header, "SQLite format 3", 16) && header[19] == 2;
}

/* The first look inside; nearly all that can be wrong with a database shows here. */
static int read_schema(sqlite3 *db)
{
    return sqlite3_exec(db, "select count(*) from sqlite_schema", NULL, NULL, NULL);
}

static int open_and_read(struct sq_database *database)
{
    bool had_wal = has_companion(database->real, "-wal");
    int rc = connect_database(database, SQLITE_OPEN_READONLY);
    if (rc != SQLITE_OK)
        return rc;
    database->wal = is_wal_mode(database->db);
    if (database->wal && !had_wal) {
        rc = connect_database(database, SQLITE_OPEN_READWRITE);
        if (rc != SQLITE_OK)
            return rc;
    }
    rc = read_schema(database->db);
    if (rc == SQLITE_READONLY_ROLLBACK) {
        /* A crash left a transaction half done. Its journal is rolled back as by any reader that may write; without
         * that, there is no consistent state to copy. */
        rc = connect_database(database, SQLITE_OPEN_READWRITE);
        rc = rc == SQLITE_OK ? read_schema(database->db) : rc;
        database->recovered = rc == SQLITE_OK;
    }
    int kind = rc & 0xff;
    if (database->wal && !had_wal && (kind == SQLITE_CANTOPEN || kind == SQLITE_READONLY) &&
        !folder_writable(database->real) && !has_companion(database->real, "-wal")) {
        /* Without a -wal, all of the database is in its file, and SQLite only misses a place for its own -wal. That
         * nobody wrote meanwhile is found out after the copy, by the file's times and a -wal that came up. */
        database->immutable = true;
        rc = connect_database(database, SQLITE_OPEN_READONLY);
        rc = rc == SQLITE_OK ? read_schema(database->db) : rc;
    }
    return rc;
}

static int set_cache(sqlite3 *db, int64_t bytes)
{
    char sql[64];
    snprintf(sql, sizeof(sql), "pragma cache_size = -%lld", (long long)(bytes / 1024));
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int take_mode(void *arg, int count, char **values, char **names)
{
    (void)names;
    struct sq_database *database = arg;
    if (count == 1 && values[0])
        snprintf(database->journal_mode, sizeof(database->journal_mode), "%s", values[0]);
    return 0;
}

int sq_database_open(struct hf_ctx *ctx, const struct sq_source *source, const char *path,
                     struct sq_database *ret_database, struct sq_problem *problem)
{
    *ret_database = (struct sq_database){.ctx = ctx, .path = path, .busy_timeout_ms = source->busy_timeout_ms};
    ret_database->real = realpath(path, NULL);
    if (!ret_database->real || stat(ret_database->real, &ret_database->before) != 0) {
        sq_problem_errno(problem, errno, "open", path);
        sq_database_close(ret_database);
        return problem->code;
    }
    if (!S_ISREG(ret_database->before.st_mode)) {
        sq_problem(problem, HF_E_UNSUPPORTED, "'%s' is not a regular file", path);
        sq_database_close(ret_database);
        return problem->code;
    }
    int rc = open_and_read(ret_database);
    rc = rc == SQLITE_OK ? set_cache(ret_database->db, source->cache_bytes) : rc;
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(ret_database->db, "pragma journal_mode", take_mode, ret_database, NULL);
    if (rc == SQLITE_OK)
        return HF_OK;
    sq_problem_sqlite(problem, rc, ret_database->db, path);
    sq_database_close(ret_database);
    if (sq_host->cancelled(ctx))
        return sq_fatal(problem, HF_E_CANCELLED, "'%s': stopped", path);
    return problem->code;
}

void sq_database_close(struct sq_database *database)
{
    sqlite3_close_v2(database->db);
    free(database->real);
    database->db = NULL;
    database->real = NULL;
}

int sq_database_hold(struct sq_database *database, struct sq_problem *problem)
{
    int rc = sqlite3_exec(database->db, "begin", NULL, NULL, NULL);
    rc = rc == SQLITE_OK ? read_schema(database->db) : rc;
    if (rc == SQLITE_OK)
        return HF_OK;
    sq_problem_sqlite(problem, rc, database->db, database->path);
    sq_database_release(database);
    if (sq_host->cancelled(database->ctx))
        return sq_fatal(problem, HF_E_CANCELLED, "'%s': stopped", database->path);
    return problem->code;
}

void sq_database_release(struct sq_database *database)
{
    if (!sqlite3_get_autocommit(database->db))
        (void)sqlite3_exec(database->db, "rollback", NULL, NULL, NULL); /* it only read */
}
