/* SPDX-License-Identifier: Apache-2.0
 *
 * What a database file holds that nobody writes any more: its facts, and whether it is sound.
 *
 * Facts are one JSON object with sorted keys: page_size, page_count, user_version, application_id, schema_sha256 and
 * tables, which maps every table with storage of its own (virtual ones have none, but their shadow tables do) to its
 * number of rows. A name that is no UTF-8 is written as "hex:" and its bytes in hexadecimal, and so is one that begins
 * with "hex:"; a table that SQL cannot reach, e.g. for want of its collation, has null rows. The schema's digest is
 * SHA-256 over type, name, tbl_name and sql of each row of sqlite_schema in the byte order of these, each as four bytes
 * of length, most significant first, and the text; a NULL as four bytes 0xff.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "sqlite.h"

#define MAX_MESSAGES 100

struct examine {
    struct hf_ctx *ctx;
    const char *path;
    sqlite3 *db;
    struct sq_problem *problem;
    struct sq_report_text *report;
};

static void free_statement(sqlite3_stmt **statement)
{
    (void)sqlite3_finalize(*statement);
}

#define STATEMENT __attribute__((cleanup(free_statement))) sqlite3_stmt *

static void add_text(char *text, size_t size, const char *more)
{
    size_t used = strlen(text);
    if (used + 3 < size)
        snprintf(text + used, size - used, "%s%s", used ? "; " : "", more);
}

static int set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0 ? SQLITE_OK : SQLITE_NOMEM;
}

static int set_pragma(sqlite3 *db, json_t *object, const char *name)
{
    char sql[64];
    STATEMENT statement = NULL;
    snprintf(sql, sizeof(sql), "pragma %s", name);
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    return rc == SQLITE_ROW ? set(object, name, json_integer(sqlite3_column_int64(statement, 0))) : rc;
}

static int digest_column(EVP_MD_CTX *digest, sqlite3_stmt *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    if (!text && sqlite3_column_type(statement, column) != SQLITE_NULL)
        return SQLITE_NOMEM;
    uint32_t size = text ? (uint32_t)sqlite3_column_bytes(statement, column) : UINT32_MAX;
    unsigned char length[4] = {(unsigned char)(size >> 24), (unsigned char)(size >> 16), (unsigned char)(size >> 8),
                               (unsigned char)size};
    bool good =
        EVP_DigestUpdate(digest, length, sizeof(length)) == 1 && (!text || EVP_DigestUpdate(digest, text, size) == 1);
    return good ? SQLITE_OK : SQLITE_NOMEM;
}

static int set_schema_digest(sqlite3 *db, json_t *object)
{
    STATEMENT statement = NULL;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    int rc = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 ? SQLITE_OK : SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, "select type, name, tbl_name, sql from sqlite_schema order by 1, 2, 3, 4", -1,
                                &statement, NULL);
    while (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
        if (rc != SQLITE_ROW)
            break;
        rc = SQLITE_OK;
        for (int column = 0; column < 4 && rc == SQLITE_OK; column++)
            rc = digest_column(digest, statement, column);
    }
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    char text[2 * EVP_MAX_MD_SIZE + 1];
    if (rc == SQLITE_DONE)
        rc = EVP_DigestFinal_ex(digest, sum, &size) == 1 ? SQLITE_OK : SQLITE_NOMEM;
    EVP_MD_CTX_free(digest);
    if (rc != SQLITE_OK)
        return rc;
    for (unsigned i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", sum[i]);
    return set(object, "schema_sha256", json_string(text));
}

/* NOT INDEXED helps where an index needs a collation that only the application has. */
static int count_rows(sqlite3 *db, const char *name, json_t **ret_rows)
{
    static const char *const ways[] = {"select count(*) from \"%w\"", "select count(*) from \"%w\" not indexed"};
    int rc = SQLITE_ERROR;
    for (size_t i = 0; i < 2 && (rc & 0xff) == SQLITE_ERROR; i++) {
        STATEMENT statement = NULL;
        char *sql = sqlite3_mprintf(ways[i], name);
        rc = sql ? sqlite3_prepare_v2(db, sql, -1, &statement, NULL) : SQLITE_NOMEM;
        sqlite3_free(sql);
        if (rc != SQLITE_OK)
            continue;
        rc = sqlite3_step(statement);
        if (rc != SQLITE_ROW)
            return rc;
        *ret_rows = json_integer(sqlite3_column_int64(statement, 0));
        return *ret_rows ? SQLITE_OK : SQLITE_NOMEM;
    }
    if ((rc & 0xff) != SQLITE_ERROR)
        return rc;
    *ret_rows = json_null();
    return SQLITE_OK;
}

static int set_tables(sqlite3 *db, json_t *object)
{
    STATEMENT statement = NULL;
    SQ_JSON tables = json_object();
    int rc = tables ? SQLITE_OK : SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        rc =
            sqlite3_prepare_v2(db, "select name from sqlite_schema where type = 'table' and rootpage > 0 order by name",
                               -1, &statement, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        json_t *rows = NULL;
        rc = name ? count_rows(db, name, &rows) : SQLITE_NOMEM;
        if (rc != SQLITE_OK)
            break;
        SQ_JSON key = sq_text_to_json(name);
        rc = key && json_object_set(tables, json_string_value(key), rows) == 0 ? SQLITE_OK : SQLITE_NOMEM;
        json_decref(rows);
    }
    return rc == SQLITE_DONE ? (json_object_set(object, "tables", tables) == 0 ? SQLITE_OK : SQLITE_NOMEM) : rc;
}

static int tell_facts(sqlite3 *db, char **ret_facts)
{
    static const char *const pragmas[] = {"page_size", "page_count", "user_version", "application_id"};
    SQ_JSON object = json_object();
    int rc = object ? SQLITE_OK : SQLITE_NOMEM;
    for (size_t i = 0; i < sizeof(pragmas) / sizeof(*pragmas) && rc == SQLITE_OK; i++)
        rc = set_pragma(db, object, pragmas[i]);
    rc = rc == SQLITE_OK ? set_schema_digest(db, object) : rc;
    rc = rc == SQLITE_OK ? set_tables(db, object) : rc;
    if (rc != SQLITE_OK)
        return rc;
    *ret_facts = json_dumps(object, JSON_SORT_KEYS | JSON_COMPACT);
    return *ret_facts ? SQLITE_OK : SQLITE_NOMEM;
}

/* Rows that break a declared constraint came in while the database was live; the file itself is sound. Only what
 * SQLite's words begin with tells: names of tables and indexes, which come after, may hold any words. */
static bool is_violation(const char *message)
{
    static const char *const starts[] = {"NULL value in ", "NUMERIC value in ", "TEXT value in ",
                                         "CHECK constraint failed in "};
    static const char *const types[] = {"INTEGER", "INT", "REAL", "TEXT", "BLOB", "ANY"}; /* of strict tables */
    for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
        if (!strncmp(message, starts[i], strlen(starts[i])))
            return true;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(*types) && !strncmp(message, "non-", 4); i++) {
        size_t size = strlen(types[i]);
        if (!strncmp(message + 4, types[i], size) && !strncmp(message + 4 + size, " value in ", 10))
            return true;
    }
    return false;
}

static int run_check(struct examine *examine, enum sq_level level)
{
    char sql[48];
    STATEMENT statement = NULL;
    struct sq_report_text *report = examine->report;
    snprintf(sql, sizeof(sql), "pragma %s(%d)", level == SQ_CHECK_FULL ? "integrity_check" : "quick_check",
             MAX_MESSAGES);
    int rc = sqlite3_prepare_v2(examine->db, sql, -1, &statement, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *message = (const char *)sqlite3_column_text(statement, 0);
        rc = message ? SQLITE_OK : SQLITE_NOMEM;
        if (!message || !strcmp(message, "ok"))
            continue;
        bool violation = is_violation(message);
        *(violation ? &report->violated : &report->damaged) += 1;
        if (violation)
            add_text(report->violation, sizeof(report->violation), message);
        else
            add_text(report->damage, sizeof(report->damage), message);
    }
    if ((rc & 0xff) == SQLITE_ERROR) { /* "no such collation sequence": the application's own, unknown here */
        add_text(report->incomplete, sizeof(report->incomplete), sqlite3_errmsg(examine->db));
        return SQLITE_DONE;
    }
    return rc;
}

static bool is_damage(int rc)
{
    int kind = rc & 0xff;
    return kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || rc == SQLITE_IOERR_SHORT_READ;
}

static int look_inside(struct examine *examine, enum sq_level level, int64_t cache_bytes, char **ret_facts)
{
    char sql[64];
    snprintf(sql, sizeof(sql), "pragma cache_size = -%lld", (long long)(cache_bytes / 1024));
    int rc = sqlite3_exec(examine->db, sql, NULL, NULL, NULL); /* the first to read the file */
    if (rc == SQLITE_OK)
        rc = level == SQ_CHECK_NONE ? SQLITE_DONE : run_check(examine, level);
    if (rc == SQLITE_DONE || is_damage(rc)) {
        if (rc != SQLITE_DONE) {
            examine->report->damaged++;
            add_text(examine->report->damage, sizeof(examine->report->damage), sqlite3_errmsg(examine->db));
        }
        rc = tell_facts(examine->db, ret_facts);
    }
    if (is_damage(rc)) {
        if (examine->report->damaged++ == 0)
            add_text(examine->report->damage, sizeof(examine->report->damage), sqlite3_errmsg(examine->db));
        rc = SQLITE_OK;
    }
    if (sq_host->cancelled(examine->ctx))
        return sq_fatal(examine->problem, HF_E_CANCELLED, "check '%s': stopped", examine->path);
    return rc == SQLITE_OK ? HF_OK : sq_problem_sqlite(examine->problem, rc, examine->db, examine->path);
}

static int open_unchanged(const char *path, sqlite3 **ret_db)
{
    SQ_TEXT uri = sq_immutable_uri(path);
    if (!uri)
        return SQLITE_NOMEM;
    int rc = sqlite3_open_v2(uri, ret_db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
    if (rc != SQLITE_OK)
        return rc;
    (void)sqlite3_extended_result_codes(*ret_db, 1);
    (void)sqlite3_db_config(*ret_db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(*ret_db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return sqlite3_exec(*ret_db, "pragma cell_size_check = on", NULL, NULL, NULL);
}

int sq_examine(struct hf_ctx *ctx, const char *path, enum sq_level level, int64_t cache_bytes,
               struct sq_report_text *ret_report, char **ret_facts, struct sq_problem *problem)
{
    *ret_report = (struct sq_report_text){0};
    struct examine examine = {.ctx = ctx, .path = path, .problem = problem, .report = ret_report};
    int rc = open_unchanged(path, &examine.db), result;
    struct sq_watch watch;
    if (rc != SQLITE_OK) {
        result = sq_problem_sqlite(problem, rc, examine.db, path);
    } else if (sq_watch_start(&watch, ctx, examine.db) < 0) {
        result = sq_fatal(problem, HF_E_FAIL, "check '%s': no thread or descriptor is left", path);
    } else {
        result = look_inside(&examine, level, cache_bytes, ret_facts);
        sq_watch_stop(&watch);
    }
    sqlite3_close_v2(examine.db);
    return result;
}

void sq_report_minor(struct hf_ctx *ctx, const char *subject, const struct sq_report_text *report)
{
    if (report->violated)
        (void)sq_host->finding(ctx, HF_WARNING, "constraint-violated", subject, "rows break declared constraints: %s",
                               report->violation);
    if (report->incomplete[0])
        (void)sq_host->finding(ctx, HF_WARNING, "check-incomplete", subject, "could not be checked in full: %s",
                               report->incomplete);
}
