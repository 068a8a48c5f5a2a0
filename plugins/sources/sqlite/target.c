/* SPDX-License-Identifier: Apache-2.0
 *
 * The swap. A -wal beside a database that it does not belong to would be played into it and destroy it, so the old one
 * must be gone before the new database has the name; and without its -wal the old database may lack what was written
 * last. Hence the order:
 *
 *  1. if nobody uses the old database, SQLite itself merges its -wal or rolls back its -journal;
 *  2. the old database gets a second name, NAME.before-ID;
 *  3. what is still there of -wal and -journal is renamed to NAME.before-ID-wal and -journal, and -shm is removed;
 *  4. the new database is renamed to NAME, which replaces the old one's first name.
 *
 * A crash after 1 and before 4 leaves the old database, whole, under NAME. Only if 1 was not possible, because the old
 * database is damaged or in use, a crash between 3 and 4 leaves it without its -wal under NAME; with it, it is whole
 * under NAME.before-ID. No crash brings an old -wal together with the new database.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "sqlite.h"

static char *join(const char *a, const char *b)
{
    char *text = NULL;
    return asprintf(&text, "%s%s", a, b) < 0 ? NULL : text;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static int sync_folder(const char *path)
{
    SQ_TEXT folder = folder_of(path);
    SQ_FD fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    return fd >= 0 && fsync(fd) == 0 ? HF_OK : HF_E_IO;
}

static int fail_errno(struct hf_ctx *ctx, const char *doing, const char *path)
{
    int error = errno;
    return sq_host->fail(ctx, sq_code_of_errno(error), "%s '%s': %s", doing, path, strerror(error));
}

/* A hidden file that a crashed restore left is taken out of the way; one that a running restore has locked is not. */
static int take_leftover(struct hf_ctx *ctx, const char *path)
{
    SQ_FD fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? HF_OK : fail_errno(ctx, "open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return sq_host->fail(ctx, HF_E_BUSY, "another restore is writing '%s'", path);
    return unlink(path) == 0 || errno == ENOENT ? HF_OK : fail_errno(ctx, "remove", path);
}

int sq_target_make(struct hf_ctx *ctx, struct sq_target *target, const char *id)
{
    SQ_TEXT folder = folder_of(target->final);
    const char *base = strrchr(target->final, '/');
    char *path = NULL;
    if (!folder || asprintf(&path, "%s/.%s.holdfast-%s", folder, base ? base + 1 : target->final, id) < 0)
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    int result = take_leftover(ctx, path);
    int fd = result == HF_OK ? open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (result == HF_OK && fd < 0)
        result = fail_errno(ctx, "make", path);
    if (fd >= 0) {
        (void)flock(fd, LOCK_EX | LOCK_NB); /* ours alone: it was made just now */
        target->image.fd = fd;
        target->image.path = path;
        return HF_OK;
    }
    free(path);
    return result;
}

int sq_target_finish(struct hf_ctx *ctx, struct sq_target *target)
{
    struct sq_image *image = &target->image;
    struct stat info;
    if (fstat(image->fd, &info) != 0)
        return fail_errno(ctx, "look at", image->path);
    if (target->has_owner && (info.st_uid != target->uid || info.st_gid != target->gid) &&
        fchown(image->fd, target->uid, target->gid) != 0) {
        if (errno != EPERM)
            return fail_errno(ctx, "give its owner to", image->path);
        (void)sq_host->finding(ctx, HF_WARNING, "owner-not-restored", target->final,
                               "belonged to user %u and group %u, which only root can bring back",
                               (unsigned)target->uid, (unsigned)target->gid);
    }
    if (fchmod(image->fd, target->mode & 0777) != 0)
        return fail_errno(ctx, "set the mode of", image->path);
    if (fsync(image->fd) != 0)
        return fail_errno(ctx, "sync", image->path);
    return HF_OK;
}

/* Step 1. Failing is fine: the steps that follow do not rely on it. */
static void settle_old(const char *path)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
        sqlite3_exec(db, "select count(*) from sqlite_schema", NULL, NULL, NULL) == SQLITE_OK)
        (void)sqlite3_exec(db, "pragma wal_checkpoint(truncate)", NULL, NULL, NULL);
    sqlite3_close_v2(db);
}

static bool is_there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

static bool has_end(const char *path, const char *end)
{
    SQ_TEXT name = join(path, end);
    return name && is_there(name);
}

/* NAME.before-ID, or with a number when an earlier restore of the same backup left one. */
static char *free_aside(const char *final, const char *id)
{
    for (unsigned i = 1; i < 10000; i++) {
        char *aside = NULL;
        int made =
            i == 1 ? asprintf(&aside, "%s.before-%s", final, id) : asprintf(&aside, "%s.before-%s.%u", final, id, i);
        if (made < 0)
            return NULL;
        if (!is_there(aside) && !has_end(aside, "-wal") && !has_end(aside, "-journal"))
            return aside;
        free(aside);
    }
    return NULL;
}

/* Renames FROM+end to TO+end. An empty one is worth nothing and is removed. */
static int move_end(struct hf_ctx *ctx, const char *from, const char *to, const char *end, bool *ret_moved)
{
    SQ_TEXT old = join(from, end);
    SQ_TEXT new = join(to, end);
    struct stat info;
    if (!old || !new)
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    if (lstat(old, &info) != 0)
        return errno == ENOENT ? HF_OK : fail_errno(ctx, "look at", old);
    if (S_ISREG(info.st_mode) && info.st_size == 0)
        return unlink(old) == 0 ? HF_OK : fail_errno(ctx, "remove", old);
    if (rename(old, new) != 0)
        return fail_errno(ctx, "move aside", old);
    *ret_moved = true;
    return HF_OK;
}

/* Steps 2 and 3. */
static int move_old(struct hf_ctx *ctx, struct sq_target *target)
{
    SQ_TEXT shm = join(target->final, "-shm");
    if (!shm)
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    if (target->exists) {
        /* Without hard links the old one is moved away, and for a moment there is none. */
        if (link(target->final, target->aside) != 0 && rename(target->final, target->aside) != 0)
            return fail_errno(ctx, "keep the old", target->final);
        target->kept = true;
    }
    int result = move_end(ctx, target->final, target->aside, "-wal", &target->moved_wal);
    if (result == HF_OK)
        result = move_end(ctx, target->final, target->aside, "-journal", &target->moved_journal);
    if (result == HF_OK && unlink(shm) != 0 && errno != ENOENT)
        result = fail_errno(ctx, "remove", shm);
    if (result == HF_OK && sync_folder(target->final) < 0)
        result = sq_host->fail(ctx, HF_E_IO, "sync the folder of '%s': %s", target->final, strerror(errno));
    return result;
}

/* Step 4. A name that was free must still be: what came up meanwhile is somebody's. */
static int take_name(struct hf_ctx *ctx, struct sq_target *target)
{
    const char *path = target->image.path;
    int rc = target->exists ? rename(path, target->final)
                            : renameat2(AT_FDCWD, path, AT_FDCWD, target->final, RENAME_NOREPLACE);
    if (rc != 0 && !target->exists && (errno == EINVAL || errno == ENOSYS))
        rc = link(path, target->final) == 0 ? unlink(path) : -1; /* a file system without RENAME_NOREPLACE */
    if (rc == 0)
        return HF_OK;
    if (errno == EEXIST)
        return sq_host->fail(ctx, HF_E_REFUSED, "'%s' came into being meanwhile", target->final);
    return fail_errno(ctx, "rename to", target->final);
}

int sq_target_swap(struct hf_ctx *ctx, struct sq_target *target, const char *id)
{
    char holder[128];
    bool has_logs = has_end(target->final, "-wal") || has_end(target->final, "-journal");
    target->held = sq_holders(target->final, holder, sizeof(holder));
    if (target->held) {
        sq_host->log(ctx, HF_LOG_WARNING,
                     "%s still has the old '%s' open: restart it, what it writes now is not in the new one", holder,
                     target->final);
        (void)sq_host->finding(ctx, HF_WARNING, "database-in-use", target->final,
                               "%s still has the old database open and must be restarted", holder);
    }
    if (target->exists && has_logs && !target->held)
        settle_old(target->final);
    target->aside = free_aside(target->final, id);
    if (!target->aside)
        return sq_host->fail(ctx, HF_E_EXISTS, "too many kept databases beside '%s'", target->final);
    int result = move_old(ctx, target);
    result = result == HF_OK ? take_name(ctx, target) : result;
    if (result < 0)
        return result;
    target->swapped = true;
    if (sync_folder(target->final) < 0)
        return sq_host->fail(ctx, HF_E_IO, "sync the folder of '%s': %s", target->final, strerror(errno));
    return HF_OK;
}

static void move_back(struct hf_ctx *ctx, const struct sq_target *target, const char *end)
{
    SQ_TEXT from = join(target->aside, end);
    SQ_TEXT to = join(target->final, end);
    if (!from || !to || rename(from, to) != 0)
        sq_host->log(ctx, HF_LOG_ERROR, "'%s%s' could not be moved back to '%s%s'", target->aside, end, target->final,
                     end);
}

void sq_target_undo(struct hf_ctx *ctx, struct sq_target *target)
{
    if (target->image.path && !target->swapped)
        (void)unlink(target->image.path); /* there is no more that could be done about it */
    if (target->kept) {
        /* rename() does nothing when both are names of one file, so the second name may still have to go. */
        if (rename(target->aside, target->final) != 0)
            sq_host->log(ctx, HF_LOG_ERROR, "the old database could not be moved back and is '%s'", target->aside);
        else if (!target->swapped)
            (void)unlink(target->aside);
    } else if (target->swapped && unlink(target->final) != 0) {
        sq_host->log(ctx, HF_LOG_ERROR, "'%s' could not be removed", target->final);
    }
    if (target->moved_wal)
        move_back(ctx, target, "-wal");
    if (target->moved_journal)
        move_back(ctx, target, "-journal");
    if (target->kept || target->swapped)
        (void)sync_folder(target->final);
}

void sq_target_clear(struct sq_target *target)
{
    if (target->image.fd >= 0)
        close(target->image.fd); /* synced before, or thrown away */
    free(target->image.artifact);
    free(target->image.path);
    free(target->final);
    free(target->aside);
}
