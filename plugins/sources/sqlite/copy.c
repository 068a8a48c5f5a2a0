/* SPDX-License-Identifier: Apache-2.0
 *
 * A consistent copy, by SQLite's online backup API.
 *
 * In WAL mode a read transaction is held over the whole copy: writers go on, and the copy is of one moment. Otherwise
 * writers would have to wait, so the lock is given back between steps; SQLite starts over when one wrote meanwhile.
 * When that happens too often the lock is kept, and the copy ends in one go.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sqlite.h"

#define MAX_RESTARTS 3

static int open_copy(const struct sq_source *source, const char *path, sqlite3 **ret_db, struct sq_problem *problem)
{
    sqlite3 *db = NULL;
    char sql[160];
    /* Scratch: if the power fails, so does the backup. Page changes need no way back, and nobody else looks at it. */
    snprintf(sql, sizeof(sql),
             "pragma journal_mode = off; pragma synchronous = off; pragma locking_mode = exclusive; "
             "pragma cache_size = -%lld",
             (long long)(source->cache_bytes / 1024));
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        (void)sqlite3_extended_result_codes(db, 1);
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        *ret_db = db;
        return HF_OK;
    }
    int error = db ? sqlite3_system_errno(db) : 0;
    sq_fatal(problem, error ? sq_code_of_errno(error) : HF_E_IO, "make the temporary copy '%s': %s", path,
             error ? strerror(error) : sqlite3_errstr(rc));
    sqlite3_close_v2(db);
    return problem->code;
}

/* Whose failure it is: what fails in the copy concerns the run. error: what the system said, 0 when it did not; a
 * backup step leaves it in errno and nowhere else. */
static int step_problem(struct sq_problem *problem, int rc, int error, const struct sq_database *database)
{
    int kind = rc & 0xff;
    bool write = rc == SQLITE_IOERR_WRITE || rc == SQLITE_IOERR_TRUNCATE || rc == SQLITE_IOERR_FSYNC;
    if (kind == SQLITE_FULL || write || kind == SQLITE_READONLY) {
        bool full = kind == SQLITE_FULL || error == ENOSPC || error == EDQUOT;
        sq_fatal(problem, full ? HF_E_NOSPACE : HF_E_IO, "copy '%s' to the temporary folder: %s", database->path,
                 full    ? "no space left"
                 : error ? strerror(error)
                         : sqlite3_errstr(rc));
        if (full)
            sq_hint(problem,
                    "the temporary folder needs room for the largest database, and for two when there are several");
        return problem->code;
    }
    return sq_problem_sqlite(problem, rc, database->db, database->path);
}

static void tell_progress(struct sq_database *database, int done, int total, int64_t page_bytes)
{
    if (total > 0 && done >= 0 && done <= total)
        sq_host->progress(database->ctx, (uint64_t)done * (uint64_t)page_bytes, (uint64_t)total * (uint64_t)page_bytes);
}

static int64_t page_bytes_of(sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    int64_t bytes = 0;
    if (sqlite3_prepare_v2(db, "pragma page_size", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        bytes = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return bytes >= 512 ? bytes : 4096;
}

static int run_steps(struct sq_database *database, sqlite3_backup *backup, int pages, int64_t page_bytes,
                     struct sq_problem *problem)
{
    bool held = !sqlite3_get_autocommit(database->db);
    int restarts = 0, done = 0;
    for (;;) {
        errno = 0;
        int rc = sqlite3_backup_step(backup, pages), error = errno;
        if (sq_host->cancelled(database->ctx))
            return sq_fatal(problem, HF_E_CANCELLED, "copy '%s': stopped", database->path);
        if (rc != SQLITE_OK && rc != SQLITE_DONE)
            return step_problem(problem, rc, error, database);
        int total = sqlite3_backup_pagecount(backup), now = total - sqlite3_backup_remaining(backup);
        tell_progress(database, now, total, page_bytes);
        if (rc == SQLITE_DONE)
            return HF_OK;
        restarts += now <= done;
        done = now;
        if (restarts > MAX_RESTARTS && !held) {
            sq_host->log(database->ctx, HF_LOG_INFO, "'%s' keeps changing: writers wait until its copy is made",
                         database->path);
            if (sq_database_hold(database, problem) < 0)
                return problem->code;
            held = true;
        }
    }
}

/* Read past SQLite's locks, a file is only known to be good when it is still the same afterwards. */
static int look_after(const struct sq_database *database, struct sq_problem *problem)
{
    struct stat now;
    if (stat(database->path, &now) != 0)
        return sq_problem_errno(problem, errno, "copy", database->path);
    if (now.st_dev != database->before.st_dev || now.st_ino != database->before.st_ino) {
        sq_problem(problem, HF_E_BUSY, "'%s' was replaced by another file while it was copied", database->path);
        sq_hint(problem, "run the backup again");
        return problem->code;
    }
    if (!database->immutable)
        return HF_OK;
    SQ_TEXT wal = NULL;
    if (asprintf(&wal, "%s-wal", database->real) < 0) {
        wal = NULL;
        return sq_fatal(problem, HF_E_NOMEM, "out of memory");
    }
    const struct stat *before = &database->before;
    if (access(wal, F_OK) == 0 || now.st_size != before->st_size || now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != before->st_mtim.tv_nsec) {
        sq_problem(problem, HF_E_BUSY, "'%s' was written while it was copied without locks", database->path);
        sq_hint(problem, "run as a user who may write to the database's folder, so that SQLite can lock it");
        return problem->code;
    }
    return HF_OK;
}

int sq_copy(const struct sq_source *source, struct sq_database *database, const char *copy_path,
            struct sq_problem *problem)
{
    sqlite3 *copy = NULL;
    if (open_copy(source, copy_path, &copy, problem) < 0)
        return problem->code;
    int64_t page_bytes = page_bytes_of(database->db);
    int64_t pages = source->step_bytes / page_bytes;
    int result = database->wal ? sq_database_hold(database, problem) : HF_OK;
    if (result == HF_OK) {
        sqlite3_backup *backup = sqlite3_backup_init(copy, "main", database->db, "main");
        if (!backup) {
            result = sq_fatal(problem, HF_E_FAIL, "copy '%s': %s", database->path, sqlite3_errmsg(copy));
        } else {
            result = run_steps(database, backup, pages > 0 ? (int)pages : 1, page_bytes, problem);
            int rc = sqlite3_backup_finish(backup);
            if (result == HF_OK && rc != SQLITE_OK)
                result = step_problem(problem, rc, 0, database);
        }
        sq_database_release(database);
    }
    if (sqlite3_close(copy) != SQLITE_OK && result == HF_OK)
        result = sq_fatal(problem, HF_E_IO, "close the temporary copy of '%s'", database->path);
    return result == HF_OK ? look_after(database, problem) : result;
}
