/* SPDX-License-Identifier: Apache-2.0
 *
 * The swap. A -wal beside a database that it does not belong to would be played into it and destroy it, so the old one
 * must be gone before the new database has the name; and without its -wal the old database may lack what was written
 * last. Hence the order:
 *
 *  1. SQLite itself merges the old -wal or rolls back the old -journal, and its write lock is kept until the end;
 *  2. the old database gets a second name, NAME.before-ID;
 *  3. what is still there of -wal and -journal is renamed to NAME.before-ID-wal and -journal; -shm is removed, or goes
 *     with them while a process uses it;
 *  4. the new database is renamed to NAME, which replaces the old one's first name.
 *
 * A crash after 1 and before 4 leaves the old database, whole, under NAME. Only if 1 was not possible, because the old
 * database is damaged or somebody is in a transaction, a crash between 3 and 4 leaves it without its -wal under NAME;
 * with it, it is whole under NAME.before-ID. No crash brings an old -wal together with the new database.
 */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "sqlite.h"

#define HIDDEN ".holdfast-"
#define MAX_STEM 140  /* bytes of a database's name in the names beside it, which have room for an id, too */
#define SETTLE_MS 500 /* how long to wait for somebody's transaction, each time */
#define SETTLE_ATTEMPTS 4

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

/* A database's name, or, when names made of it could become too long, its beginning and a digest of it. */
static char *stem_of(const char *final)
{
    const char *slash = strrchr(final, '/'), *base = slash ? slash + 1 : final;
    char *stem = NULL;
    if (strlen(base) <= MAX_STEM)
        return strdup(base);
    return asprintf(&stem, "%.*s-%016llx", MAX_STEM - 17, base, (unsigned long long)sq_hash_text(base)) < 0 ? NULL
                                                                                                            : stem;
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

/* Those of crashed restores of other backups. One that cannot be removed is in nobody's way. */
static void sweep_others(struct hf_ctx *ctx, const char *folder, const char *stem)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    size_t length = strlen(stem);
    while (dir && (entry = readdir(dir))) {
        const char *name = entry->d_name;
        SQ_TEXT path = NULL;
        if (name[0] != '.' || strncmp(name + 1, stem, length) != 0 ||
            fnmatch(HIDDEN "*_????????_??????", name + 1 + length, 0) != 0)
            continue;
        if (asprintf(&path, "%s/%s", folder, name) < 0) {
            path = NULL;
            continue;
        }
        SQ_FD fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && unlink(path) == 0)
            sq_host->log(ctx, HF_LOG_INFO, "removed '%s', left by a restore that did not end", path);
    }
    if (dir)
        closedir(dir);
}

int sq_target_make(struct hf_ctx *ctx, struct sq_target *target, const char *id)
{
    SQ_TEXT folder = folder_of(target->final);
    SQ_TEXT stem = stem_of(target->final);
    char *path = NULL;
    if (!folder || !stem || asprintf(&path, "%s/.%s" HIDDEN "%s", folder, stem, id) < 0)
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    int result = take_leftover(ctx, path);
    if (result == HF_OK)
        sweep_others(ctx, folder, stem);
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

static bool same_file(const char *path, const char *other)
{
    struct stat one, two;
    return lstat(path, &one) == 0 && lstat(other, &two) == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

/* NAME.before-ID, or with a number when an earlier restore of the same backup left one. One that crashed may have left
 * only a second name of what is still the database: that will do. */
static char *free_aside(const char *final, const char *id)
{
    SQ_TEXT folder = folder_of(final);
    SQ_TEXT stem = stem_of(final);
    for (unsigned i = 1; folder && stem && i < 10000; i++) {
        char *aside = NULL;
        int made = i == 1 ? asprintf(&aside, "%s/%s.before-%s", folder, stem, id)
                          : asprintf(&aside, "%s/%s.before-%s.%u", folder, stem, id, i);
        if (made < 0)
            return NULL;
        if ((!is_there(aside) || same_file(aside, final)) && !has_end(aside, "-wal") && !has_end(aside, "-journal"))
            return aside;
        free(aside);
    }
    return NULL;
}

static bool has_bytes(const char *path, const char *end)
{
    SQ_TEXT name = join(path, end);
    struct stat info;
    return !name || (lstat(name, &info) == 0 && info.st_size > 0);
}

static bool run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Step 1. Failing is fine: the steps that follow do not rely on it. The connection stays: nobody writes any more. */
static void settle_old(struct sq_target *target)
{
    bool good =
        sqlite3_open_v2(target->final, &target->old, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(target->old, SETTLE_MS) == SQLITE_OK;
    for (int i = 0; good && i < SETTLE_ATTEMPTS; i++) {
        good = run(target->old, "select count(*) from sqlite_schema") &&
               run(target->old, "pragma wal_checkpoint(truncate)") && run(target->old, "begin immediate");
        if (!good || !has_bytes(target->final, "-wal"))
            break;
        good = run(target->old, "rollback"); /* somebody wrote in between */
    }
}

static void let_go_old(struct sq_target *target)
{
    /* Closing must not touch what lies beside the new database; SQLite knows that the old one moved, too. */
    if (target->old && target->swapped)
        (void)sqlite3_db_config(target->old, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close_v2(target->old); /* rolls back a transaction that changed nothing */
    target->old = NULL;
}

/* Renames NAME+end to NAME.before-ID+end. An empty one that nobody uses is worth nothing and is removed. */
static int move_end(struct hf_ctx *ctx, const struct sq_target *target, const char *end, bool *ret_moved)
{
    SQ_TEXT old = join(target->final, end);
    SQ_TEXT new = join(target->aside, end);
    struct stat info;
    if (!old || !new)
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    if (lstat(old, &info) != 0)
        return errno == ENOENT ? HF_OK : fail_errno(ctx, "look at", old);
    if (!target->held && S_ISREG(info.st_mode) && info.st_size == 0)
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
    int result = move_end(ctx, target, "-wal", &target->moved_wal);
    if (result == HF_OK)
        result = move_end(ctx, target, "-journal", &target->moved_journal);
    if (result == HF_OK && target->held) /* who uses the old database goes on with all of its files */
        result = move_end(ctx, target, "-shm", &target->moved_shm);
    if (result == HF_OK && !target->held && unlink(shm) != 0 && errno != ENOENT)
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
    target->aside = free_aside(target->final, id);
    if (!target->aside)
        return sq_host->fail(ctx, HF_E_EXISTS, "too many kept databases beside '%s'", target->final);
    if (target->exists && (has_logs || target->held))
        settle_old(target);
    int result = move_old(ctx, target);
    result = result == HF_OK ? take_name(ctx, target) : result;
    target->swapped = result == HF_OK;
    let_go_old(target);
    if (result < 0)
        return result;
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
    if (target->moved_shm)
        move_back(ctx, target, "-shm");
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
