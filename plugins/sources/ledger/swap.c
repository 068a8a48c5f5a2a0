/* SPDX-License-Identifier: Apache-2.0
 *
 * The last step of a restore: what was built takes its place. Everything can be undone until nothing can fail any more.
 */
#include "target.h"
#include "util.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define KEPT_MAX 100 /* restores of one backup whose replaced ledgers are all still there                        */

/* Renames, also a folder that its owner may not write to, which moving to another parent takes. -1 and errno. */
static int move(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    struct stat st;

    if (renameat2(from_fd, from, to_fd, to, flags) == 0)
        return 0;
    if (errno == EINVAL && flags == RENAME_NOREPLACE) {
        /* The file system does not know the flag. */
        if (fstatat(to_fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            errno = EEXIST;
            return -1;
        }
        return renameat(from_fd, from, to_fd, to);
    }
    int error = errno;
    if (error != EACCES || flags == RENAME_EXCHANGE || fstatat(from_fd, from, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISDIR(st.st_mode) || (st.st_mode & S_IWUSR) || fchmodat(from_fd, from, st.st_mode | S_IWUSR, 0) < 0) {
        errno = error;
        return -1;
    }
    int moved = renameat2(from_fd, from, to_fd, to, flags);
    error = errno;
    if (fchmodat(moved == 0 ? to_fd : from_fd, moved == 0 ? to : from, st.st_mode & 07777, 0) < 0 && moved == 0)
        return -1;
    errno = error;
    return moved;
}

/* A name that is free: `wanted`, or `wanted`.2 and so on. 0 or a negative errno. */
static int free_name(int dir_fd, const char *wanted, char **ret_name)
{
    for (int i = 1; i <= KEPT_MAX; i++) {
        char *name = NULL;
        struct stat st;

        if ((i == 1 ? asprintf(&name, "%s", wanted) : asprintf(&name, "%s.%d", wanted, i)) < 0)
            return -ENOMEM;
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
            *ret_name = name;
            return 0;
        }
        free(name);
    }
    return -EEXIST;
}

/* Puts from_fd/from in the place of to_fd/to, which is kept as kept_fd/kept. The new one first takes the name that the
 * old one is kept under; then both change names in one step, so that a crash at any moment leaves one of them in place
 * and loses neither. 0 or a negative errno. */
static int exchange(int from_fd, const char *from, int to_fd, const char *to, int kept_fd, const char *kept)
{
    if (move(from_fd, from, kept_fd, kept, RENAME_NOREPLACE) < 0)
        return -errno;
    if (renameat2(kept_fd, kept, to_fd, to, RENAME_EXCHANGE) == 0)
        return 0;
    int error = errno;
    if (move(kept_fd, kept, from_fd, from, RENAME_NOREPLACE) < 0)
        return -errno;
    if (error != EINVAL && error != ENOSYS && error != EACCES)
        return -error;
    /* The file system knows no exchange, or a folder may not be written to: then there is a moment with neither. */
    if (move(to_fd, to, kept_fd, kept, RENAME_NOREPLACE) < 0)
        return -errno;
    if (move(from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0)
        return 0;
    error = errno;
    return move(kept_fd, kept, to_fd, to, RENAME_NOREPLACE) < 0 ? -errno : -error;
}

static int swap_whole(const struct hf_host *host, struct hf_ctx *ctx, struct target *t, const char *base, bool replace)
{
    AUTO_FREE char *wanted = NULL;
    AUTO_FREE char *kept = NULL;
    int code = 0;

    if (t->fd >= 0 && !t->empty && replace) {
        if (asprintf(&wanted, "%s.before-%s", t->name, t->id) < 0) {
            wanted = NULL;
            code = -ENOMEM;
        }
        if (code == 0)
            code = free_name(t->parent_fd, wanted, &kept);
        if (code == 0)
            code = exchange(t->stage_fd, base, t->parent_fd, t->name, t->parent_fd, kept);
    } else if (move(t->stage_fd, base, t->parent_fd, t->name, t->fd >= 0 ? 0 : RENAME_NOREPLACE) < 0) {
        code = -errno;
    }
    if (code == -ENOTEMPTY || code == -EEXIST)
        return host->fail(ctx, HF_E_REFUSED, "the target '%s' is not empty any more", t->path);
    if (code < 0)
        return host->fail(ctx, errno_code(-code), "put the restored ledger to '%s': %s", t->path, strerror(-code));
    if (fsync(t->parent_fd) < 0)
        return host->fail(ctx, errno_code(errno), "write '%s' to disk: %s", t->parent, strerror(errno));
    if (kept)
        host->log(ctx, HF_LOG_INFO, "the old ledger is kept as '%s/%s'", t->parent, kept);
    return HF_OK;
}

/* What was moved so far, for undoing it. */
struct moves {
    struct target *target;
    int base_fd, before_fd;
    char *before; /* the folder for what is replaced; NULL: not made yet                                          */
    struct names old_names, new_names;
    bool *old_away, *new_there; /* of each name: was it moved?                                                     */
};

static int open_before(struct moves *m)
{
    AUTO_FREE char *wanted = NULL;
    int code;

    if (asprintf(&wanted, BEFORE_PREFIX "%s", m->target->id) < 0) {
        wanted = NULL;
        return -ENOMEM;
    }
    code = free_name(m->target->fd, wanted, &m->before);
    if (code < 0)
        return code;
    if (mkdirat(m->target->fd, m->before, 0755) < 0) {
        code = -errno;
        free(m->before);
        m->before = NULL;
        return code;
    }
    m->before_fd = openat(m->target->fd, m->before, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return m->before_fd < 0 ? -errno : 0;
}

/* Which of the new names it is; SIZE_MAX: none. */
static size_t find_new(const struct moves *m, const char *name)
{
    for (size_t i = 0; i < m->new_names.count; i++)
        if (strcmp(m->new_names.items[i], name) == 0)
            return i;
    return SIZE_MAX;
}

/* Which of the target's names give way: all, or those that come anew. */
static bool gives_way(const struct moves *m, const char *name)
{
    if (m->target->only)
        return find_new(m, name) != SIZE_MAX;
    return !name_is_left_out(name) && strncmp(name, BEFORE_PREFIX, sizeof(BEFORE_PREFIX) - 1) != 0;
}

/* One of the target's names, which the new one of that name takes in the same step. */
static int move_old(struct moves *m, size_t index)
{
    struct target *t = m->target;
    const char *name = m->old_names.items[index];
    size_t heir = find_new(m, name);
    int code = m->before ? 0 : open_before(m);

    if (code < 0)
        return code;
    if (heir != SIZE_MAX)
        code = exchange(m->base_fd, name, t->fd, name, m->before_fd, name);
    else if (move(t->fd, name, m->before_fd, name, RENAME_NOREPLACE) < 0)
        code = -errno;
    if (code < 0)
        return code;
    m->old_away[index] = true;
    if (heir != SIZE_MAX)
        m->new_there[heir] = true;
    return 0;
}

static int move_all(struct moves *m, bool replace)
{
    struct target *t = m->target;

    m->old_away = calloc(m->old_names.count + 1, sizeof(bool));
    m->new_there = calloc(m->new_names.count + 1, sizeof(bool));
    if (!m->old_away || !m->new_there)
        return -ENOMEM;
    for (size_t i = 0; replace && i < m->old_names.count; i++) {
        int code = gives_way(m, m->old_names.items[i]) ? move_old(m, i) : 0;
        if (code < 0)
            return code;
    }
    for (size_t i = 0; i < m->new_names.count; i++) {
        const char *name = m->new_names.items[i];
        if (!m->new_there[i] && move(m->base_fd, name, t->fd, name, RENAME_NOREPLACE) < 0)
            return -errno;
        m->new_there[i] = true;
    }
    return 0;
}

/* 0, or a negative errno when the old state could not be brought back. */
static int undo(struct moves *m)
{
    struct target *t = m->target;
    int code = 0;

    for (size_t i = m->new_there ? m->new_names.count : 0; i-- > 0;) {
        const char *name = m->new_names.items[i];
        if (m->new_there[i] && move(t->fd, name, m->base_fd, name, RENAME_NOREPLACE) < 0)
            code = -errno;
    }
    for (size_t i = m->old_away ? m->old_names.count : 0; i-- > 0;) {
        const char *name = m->old_names.items[i];
        if (m->old_away[i] && move(m->before_fd, name, t->fd, name, RENAME_NOREPLACE) < 0)
            code = -errno;
    }
    if (m->before && unlinkat(t->fd, m->before, AT_REMOVEDIR) < 0 && code == 0)
        code = -errno;
    return code;
}

/* A mount point keeps its folder, so that takes on the mode and time of the one that was built, as it was before the
 * moves. 0 or a negative errno. */
static int settle_folder(const struct moves *m, const struct stat *built)
{
    struct target *t = m->target;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, built->st_mtim};

    if (m->before_fd >= 0 && fsync(m->before_fd) < 0)
        return -errno;
    if (!t->only) {
        if (geteuid() == 0 && fchown(t->fd, built->st_uid, built->st_gid) < 0)
            return -errno;
        if (fchmod(t->fd, built->st_mode & 07777) < 0 || futimens(t->fd, times) < 0)
            return -errno;
    }
    return fsync(t->fd) < 0 ? -errno : 0;
}

static int swap_in_place(const struct hf_host *host, struct hf_ctx *ctx, struct target *t, const char *base,
                         bool replace)
{
    struct moves m = {.target = t, .before_fd = -1};
    struct stat built = {0};

    m.base_fd = openat(t->stage_fd, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int code = m.base_fd < 0 || fstat(m.base_fd, &built) < 0 ? -errno : names_list(m.base_fd, &m.new_names);
    if (code == 0)
        code = names_list(t->fd, &m.old_names);
    if (code == 0)
        code = move_all(&m, replace);
    if (code == 0)
        code = settle_folder(&m, &built);
    if (code < 0) {
        int undone = undo(&m);
        if (undone < 0)
            host->log(ctx, HF_LOG_ERROR, "'%s' could not be brought back to what it was: %s; see '%s' in it", t->path,
                      strerror(-undone), m.before ? m.before : t->stage_name);
        code = host->fail(ctx, code == -EEXIST ? HF_E_REFUSED : errno_code(-code),
                          "put what was restored into '%s': %s", t->path, strerror(-code));
    } else if (m.before) {
        host->log(ctx, HF_LOG_INFO, "what was replaced is kept in '%s/%s'", t->path, m.before);
    }
    if (m.base_fd >= 0)
        close(m.base_fd);
    if (m.before_fd >= 0)
        close(m.before_fd);
    free(m.before);
    free(m.old_away);
    free(m.new_there);
    names_free(&m.new_names);
    names_free(&m.old_names);
    return code;
}

int target_swap(const struct hf_host *host, struct hf_ctx *ctx, struct target *t, const char *base, bool replace)
{
    struct stat st;

    if (!base || fstatat(t->stage_fd, base, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
        return host->fail(ctx, HF_E_CORRUPT, "the backup holds no ledger");
    if (t->in_place)
        return swap_in_place(host, ctx, t, base, replace);
    return swap_whole(host, ctx, t, base, replace);
}
