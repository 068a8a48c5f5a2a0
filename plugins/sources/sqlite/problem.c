/* SPDX-License-Identifier: Apache-2.0
 *
 * What went wrong with a database, in words.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sqlite.h"

int sq_code_of_errno(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return HF_E_NOTFOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return HF_E_AUTH;
    case ENOSPC:
    case EDQUOT:
        return HF_E_NOSPACE;
    case ENOMEM:
        return HF_E_NOMEM;
    case EEXIST:
        return HF_E_EXISTS;
    default:
        return HF_E_IO;
    }
}

int sq_problem(struct sq_problem *problem, int code, const char *format, ...)
{
    problem->code = code;
    problem->hint[0] = 0;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(problem->text, sizeof(problem->text), format, args);
    va_end(args);
    return code;
}

int sq_fatal(struct sq_problem *problem, int code, const char *format, ...)
{
    problem->code = code;
    problem->fatal = true;
    problem->hint[0] = 0;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(problem->text, sizeof(problem->text), format, args);
    va_end(args);
    return code;
}

void sq_hint(struct sq_problem *problem, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(problem->hint, sizeof(problem->hint), format, args);
    va_end(args);
}

int sq_problem_errno(struct sq_problem *problem, int error, const char *doing, const char *path)
{
    int code = sq_problem(problem, sq_code_of_errno(error), "%s '%s': %s", doing, path, strerror(error));
    if (code == HF_E_NOTFOUND)
        sq_hint(problem, "the database is not there any more; correct 'path' if it moved for good");
    if (code == HF_E_AUTH)
        sq_hint(problem, "run as a user who may read '%s' and the folders above it", path);
    if (code == HF_E_NOMEM)
        problem->fatal = true;
    return code;
}

static int problem_cannot_open(struct sq_problem *problem, int error, const char *path)
{
    if (error)
        return sq_problem_errno(problem, error, "open", path);
    sq_problem(problem, HF_E_IO, "'%s' cannot be opened", path);
    sq_hint(problem, "a database in WAL mode needs a folder that the backup's user may write to");
    return problem->code;
}

int sq_problem_sqlite(struct sq_problem *problem, int rc, sqlite3 *db, const char *path)
{
    /* The connection's message belongs to its last call; when that was another one, the code's general words fit. */
    const char *said = db && sqlite3_extended_errcode(db) == rc ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    int error = db ? sqlite3_system_errno(db) : 0;
    switch (rc & 0xff) {
    case SQLITE_NOTADB:
        sq_problem(problem, HF_E_CORRUPT, "'%s' is not an SQLite database, or it is encrypted", path);
        sq_hint(problem, "leave it out with 'exclude', or protect it with the files source");
        return problem->code;
    case SQLITE_CORRUPT:
        sq_problem(problem, HF_E_CORRUPT, "'%s' is corrupt: %s", path, said);
        sq_hint(problem,
                "look at it with: sqlite3 '%.80s' 'pragma integrity_check'; save what can be read with .recover", path);
        return problem->code;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        sq_problem(problem, HF_E_BUSY, "'%s' is locked by another process for longer than busy_timeout", path);
        sq_hint(problem, "raise 'busy_timeout', or see why the application keeps its transaction open");
        return problem->code;
    case SQLITE_CANTOPEN:
        return problem_cannot_open(problem, error, path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        sq_problem(problem, HF_E_AUTH, "'%s' cannot be read without writing beside it: %s", path, said);
        sq_hint(problem, "run as a user who may write to the database's folder, as its application does");
        return problem->code;
    case SQLITE_NOMEM:
        return sq_fatal(problem, HF_E_NOMEM, "'%s': out of memory", path);
    case SQLITE_INTERRUPT:
        return sq_fatal(problem, HF_E_CANCELLED, "'%s': stopped", path);
    case SQLITE_FULL:
        return sq_fatal(problem, HF_E_NOSPACE, "'%s': no space left", path);
    case SQLITE_IOERR:
        return sq_problem(problem, HF_E_IO, "read '%s': %s", path, error ? strerror(error) : said);
    default:
        return sq_problem(problem, HF_E_FAIL, "'%s': %s", path, said);
    }
}

int sq_raise(struct hf_ctx *ctx, const struct sq_problem *problem)
{
    if (problem->code == HF_E_CANCELLED)
        return problem->code; /* whoever stopped the run gave the reason */
    (void)sq_host->fail(ctx, problem->code, "%s", problem->text);
    if (problem->hint[0])
        (void)sq_host->hint(ctx, "%s", problem->hint);
    return problem->code;
}
