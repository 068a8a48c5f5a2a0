/* SPDX-License-Identifier: Apache-2.0
 *
 * Backup: one database after the other is copied when its turn to be listed comes, and the copy's bytes are the parts.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sqlite.h"

#define PART_BYTES (32u << 20)

/* A copy of a database. Its name is gone already; it exists as long as it is open. */
struct copy {
    struct copy *next;
    int fd;
    uint64_t size;
    atomic_size_t parts_left;
};

struct piece {
    struct piece *next;
    struct copy *copy;
    uint64_t offset, size;
    char name[24];
};

struct session {
    struct sq_source *source;
    struct sq_list list;
    size_t at, good;      /* databases: the next one; those that were copied */
    struct copy *copies;  /* the newest first */
    struct piece *pieces; /* the newest first */
    uint64_t offset;      /* of the newest copy: what is listed */
    unsigned count;
};

int sq_skip_or_raise(struct hf_ctx *ctx, void *arg, const char *subject, const struct sq_problem *problem)
{
    const struct sq_source *source = arg;
    if (!source->skip || problem->fatal)
        return sq_raise(ctx, problem);
    int result = sq_host->finding(ctx, HF_ERROR, "database-skipped", subject, "%s%s%s", problem->text,
                                  problem->hint[0] ? "; " : "", problem->hint);
    return result < 0 ? result : HF_OK;
}

int sq_begin(void *self, struct hf_ctx *ctx, void **ret_session)
{
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    session->source = self;
    int result = sq_find(ctx, self, sq_skip_or_raise, self, &session->list);
    if (result == HF_OK && session->list.count == 0)
        result = sq_host->fail(ctx, HF_E_NOTFOUND, "there is no database to back up");
    if (result == HF_OK) {
        *ret_session = session;
        return HF_OK;
    }
    sq_list_clear(&session->list);
    free(session);
    return result;
}

static int temporary_file(struct hf_ctx *ctx, char **ret_path, struct sq_problem *problem)
{
    const char *folder = sq_host->tempdir(ctx);
    if (!folder)
        return sq_fatal(problem, HF_E_IO, "the temporary folder could not be made");
    char *path = NULL;
    if (asprintf(&path, "%s/copy-XXXXXX", folder) < 0)
        return sq_fatal(problem, HF_E_NOMEM, "out of memory");
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        int error = errno;
        free(path);
        return sq_fatal(problem, sq_code_of_errno(error), "make a file in '%s': %s", folder, strerror(error));
    }
    close(fd); /* nothing was written */
    *ret_path = path;
    return HF_OK;
}

/* What the copy holds goes on record; damage is a problem of the database. */
static int record(struct hf_ctx *ctx, const struct session *session, const struct sq_database *database,
                  const char *copy_path, struct sq_problem *problem)
{
    const struct sq_found *found = &session->list.items[session->at];
    struct sq_report_text report;
    SQ_TEXT facts = NULL;
    SQ_TEXT context = NULL;
    if (sq_examine(ctx, copy_path, session->source->check, session->source->cache_bytes, &report, &facts, problem) < 0)
        return problem->code;
    if (report.damaged) {
        sq_problem(problem, HF_E_CORRUPT, "'%s' is corrupt: %s", found->path, report.damage);
        sq_hint(problem, "save what can be read with: sqlite3 '%.120s' .recover", found->path);
        return problem->code;
    }
    sq_report_minor(ctx, found->path, &report);
    if (database->before.st_size == 0)
        (void)sq_host->finding(ctx, HF_WARNING, "database-empty", found->path,
                               "the file has no bytes: an empty database");
    if (database->recovered)
        (void)sq_host->finding(ctx, HF_INFO, "journal-rolled-back", found->path,
                               "a transaction that a crash had interrupted was rolled back first");
    context = sq_context_json(database);
    if (!facts || !context)
        return sq_fatal(problem, HF_E_NOMEM, "'%s': its facts could not be told", found->path);
    if (sq_host->fact(ctx, found->artifact, facts) < 0 || sq_host->context(ctx, found->artifact, context) < 0)
        return sq_fatal(problem, HF_E_FAIL, "'%s': its facts could not be recorded", found->path);
    return HF_OK;
}

static int open_copy(struct session *session, const char *path, struct sq_problem *problem)
{
    struct copy *copy = calloc(1, sizeof(*copy));
    if (!copy)
        return sq_fatal(problem, HF_E_NOMEM, "out of memory");
    struct stat info;
    copy->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (copy->fd < 0 || fstat(copy->fd, &info) != 0) {
        int error = errno;
        if (copy->fd >= 0)
            close(copy->fd);
        free(copy);
        return sq_fatal(problem, HF_E_IO, "open the temporary copy '%s': %s", path, strerror(error));
    }
    copy->size = (uint64_t)info.st_size;
    atomic_init(&copy->parts_left, (size_t)((copy->size + PART_BYTES - 1) / PART_BYTES));
    copy->next = session->copies;
    session->copies = copy;
    session->offset = 0;
    session->count = 0;
    return HF_OK;
}

static int copy_database(struct hf_ctx *ctx, struct session *session, struct sq_problem *problem)
{
    const struct sq_found *found = &session->list.items[session->at];
    struct sq_database database;
    SQ_TEXT path = NULL;
    int result = sq_database_open(ctx, session->source, found->path, &database, problem);
    if (result < 0)
        return result;
    result = temporary_file(ctx, &path, problem);
    if (result == HF_OK) {
        result = sq_copy(session->source, &database, path, problem);
        result = result == HF_OK ? record(ctx, session, &database, path, problem) : result;
        result = result == HF_OK ? open_copy(session, path, problem) : result;
        if (unlink(path) != 0 && result == HF_OK)
            result = sq_fatal(problem, HF_E_IO, "remove '%s': %s", path, strerror(errno));
    }
    sq_database_close(&database);
    return result;
}

static int list_piece(struct hf_ctx *ctx, struct session *session, struct hf_part *ret_part)
{
    struct copy *copy = session->copies;
    struct piece *piece = calloc(1, sizeof(*piece));
    if (!piece)
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    uint64_t left = copy->size - session->offset;
    *piece = (struct piece){.next = session->pieces,
                            .copy = copy,
                            .offset = session->offset,
                            .size = left < PART_BYTES ? left : PART_BYTES};
    snprintf(piece->name, sizeof(piece->name), "bytes-%06u", ++session->count);
    session->pieces = piece;
    session->offset += piece->size;
    *ret_part = (struct hf_part){.size = ret_part->size,
                                 .phase = 1,
                                 .artifact = session->list.items[session->at - 1].artifact,
                                 .name = piece->name,
                                 .group = "",
                                 .suffix = ".db",
                                 .media = "application/vnd.sqlite3",
                                 .estimate = piece->size,
                                 .cookie = piece};
    return HF_OK;
}

int sq_next_part(void *arg, struct hf_ctx *ctx, struct hf_part *ret_part)
{
    struct session *session = arg;
    while (!session->copies || session->offset == session->copies->size) {
        if (session->at == session->list.count)
            break;
        struct sq_problem problem = {0};
        int result = copy_database(ctx, session, &problem);
        if (result == HF_OK)
            session->good++;
        else if ((result = sq_skip_or_raise(ctx, session->source, session->list.items[session->at].path, &problem)) < 0)
            return result;
        session->at++;
    }
    if (session->copies && session->offset < session->copies->size)
        return list_piece(ctx, session, ret_part);
    if (session->good > 0)
        return HF_END;
    (void)sq_host->fail(ctx, HF_E_FAIL, "none of %zu databases could be backed up", session->list.count);
    return sq_host->hint(ctx, "the findings say why for each");
}

int sq_backup_part(void *arg, struct hf_ctx *ctx, const struct hf_part *part, struct hf_writer *writer)
{
    (void)arg;
    struct piece *piece = part->cookie;
    uint64_t done = 0;
    while (done < piece->size) {
        void *space = NULL;
        size_t size = 0;
        int result = sq_host->reserve(writer, &space, &size);
        if (result < 0)
            return result;
        uint64_t left = piece->size - done;
        ssize_t got = pread(piece->copy->fd, space, size < left ? size : (size_t)left, (off_t)(piece->offset + done));
        if (got < 0 && errno == EINTR)
            got = 0;
        else if (got < 0)
            return sq_host->fail(ctx, HF_E_IO, "read the copy of '%s': %s", part->artifact, strerror(errno));
        else if (got == 0)
            return sq_host->fail(ctx, HF_E_IO, "the copy of '%s' became shorter", part->artifact);
        result = sq_host->commit(writer, (size_t)got);
        if (result < 0)
            return result;
        done += (uint64_t)got;
    }
    if (atomic_fetch_sub(&piece->copy->parts_left, 1) == 1) {
        close(piece->copy->fd); /* only read from; gives the disk space back */
        piece->copy->fd = -1;
    }
    return HF_OK;
}

int sq_end(void *arg, struct hf_ctx *ctx, int status)
{
    struct session *session = arg;
    (void)ctx;
    while (session->pieces) {
        struct piece *piece = session->pieces;
        session->pieces = piece->next;
        free(piece);
    }
    while (session->copies) {
        struct copy *copy = session->copies;
        session->copies = copy->next;
        if (copy->fd >= 0)
            close(copy->fd);
        free(copy);
    }
    sq_list_clear(&session->list);
    free(session);
    return status < 0 ? status : HF_OK;
}
