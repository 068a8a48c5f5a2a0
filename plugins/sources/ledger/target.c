/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include "util.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <tar.h>

static int no_memory(const struct hf_host *host, struct hf_ctx *ctx)
{
    return host->fail(ctx, HF_E_NOMEM, "out of memory");
}

/* Splits the path, following a link at its end, so that what is swapped is the folder and not the link. */
static int split_path(struct target *t, const char *path)
{
    t->path = realpath(path, NULL);
    if (!t->path && errno != ENOENT)
        return -errno;
    if (!t->path)
        t->path = strdup(path);
    if (!t->path)
        return -ENOMEM;
    char *slash = strrchr(t->path, '/');
    t->name = strdup(slash ? slash + 1 : t->path);
    t->parent = slash == t->path ? strdup("/") : slash ? strndup(t->path, (size_t)(slash - t->path)) : strdup(".");
    if (!t->name || !t->parent)
        return -ENOMEM;
    return *t->name ? 0 : -EINVAL;
}

/* Makes the folders that lead to the target, and notes the topmost. 0 or a negative errno. */
static int make_parents(struct target *t)
{
    AUTO_FREE char *path = strdup(t->parent);
    if (!path)
        return -ENOMEM;
    for (char *p = path + 1;; p++) {
        char c = *p;

        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(path, 0755) == 0) {
            if (!t->made)
                t->made = strdup(path);
            if (!t->made) {
                rmdir(path);
                return -ENOMEM;
            }
        } else if (errno != EEXIST && !(errno == EROFS && access(path, F_OK) == 0)) {
            return -errno;
        }
        *p = c;
        if (c == '\0')
            return 0;
    }
}

static void remove_parents(struct target *t)
{
    AUTO_FREE char *path = t->made ? strdup(t->parent) : NULL;

    while (path && strlen(path) >= strlen(t->made) && rmdir(path) == 0) {
        char *slash = strrchr(path, '/');
        if (!slash)
            break;
        *slash = '\0';
    }
}

/* 1: a writer holds this file's lock, by flock or by fcntl; 0: nobody does, or there is none. */
static int lock_is_held(int dir_fd, const char *path)
{
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    AUTO_FD fd = openat(dir_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return 0;
    if (flock(fd, LOCK_SH | LOCK_NB) < 0)
        return errno == EWOULDBLOCK;
    flock(fd, LOCK_UN);
    return fcntl(fd, F_GETLK, &range) == 0 && range.l_type != F_UNLCK;
}

/* Is the partition one of those that are asked for? */
static bool is_asked_for(const struct hf_restore_request *request, const char *name)
{
    for (size_t i = 0; i < request->only_count; i++)
        if (strcmp(request->only[i], name) == 0)
            return true;
    return request->only_count == 0;
}

/* Refuses a ledger that a writer is working on; with --replace that is only worth a warning, when it concerns what is
 * replaced. */
static int mind_writer(const struct hf_host *host, struct hf_ctx *ctx, const struct target *t,
                       const struct names *names, const struct hf_restore_request *request)
{
    for (size_t i = 0; i < names->count; i++) {
        char path[PARTITION_NAME_MAX + 8];

        if (!partition_name_parse(names->items[i], NULL) ||
            (request->replace && !is_asked_for(request, names->items[i])))
            continue;
        snprintf(path, sizeof(path), "%s/_LOCK", names->items[i]);
        if (!lock_is_held(t->fd, path))
            continue;
        if (request->replace) {
            host->log(ctx, HF_LOG_WARNING, "a writer holds '%s/%s'; what it appends goes to what is replaced", t->path,
                      path);
            return HF_OK;
        }
        host->fail(ctx, HF_E_REFUSED, "a writer holds '%s/%s'", t->path, path);
        return host->hint(ctx, "send SIGUSR1 to the application to pause its writing and SIGUSR2 afterwards, or use "
                               "--replace");
    }
    return HF_OK;
}

static bool has_name(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

static bool is_mount_point(int fd)
{
    struct statx sx;

    return statx(fd, "", AT_EMPTY_PATH, 0, &sx) == 0 && (sx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) &&
           (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* What stands in the target's place already, and whether the request may touch it. */
static int look_at(const struct hf_host *host, struct hf_ctx *ctx, struct target *t, const struct names *names,
                   const struct hf_restore_request *request)
{
    t->empty = true;
    for (size_t i = 0; i < names->count; i++)
        t->empty &= name_is_left_out(names->items[i]);
    /* A folder that holds nothing but what no backup has, such as lost+found or a lock, keeps that. */
    t->in_place = is_mount_point(t->fd) || (t->empty ? names->count > 0 : t->only);
    if (t->empty)
        return HF_OK;
    if (request->replace)
        return mind_writer(host, ctx, t, names, request);
    if (!t->only) {
        host->fail(ctx, HF_E_REFUSED, "the target '%s' is not empty", t->path);
        return host->hint(ctx,
                          "--replace keeps what is there as '%s.before-%s'; --only DAY restores a single day; --to DIR "
                          "restores elsewhere",
                          t->name, t->id);
    }
    for (size_t i = 0; i < request->only_count; i++) {
        if (!has_name(names, request->only[i]))
            continue;
        host->fail(ctx, HF_E_REFUSED, "the ledger '%s' has a partition '%s' already", t->path, request->only[i]);
        return host->hint(ctx, "--replace keeps it in '%s/" BEFORE_PREFIX "%s'", t->path, t->id);
    }
    return mind_writer(host, ctx, t, names, request);
}

static int open_target(const struct hf_host *host, struct hf_ctx *ctx, struct target *t,
                       const struct hf_restore_request *request)
{
    struct names names = {0};

    t->parent_fd = open(t->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->parent_fd < 0)
        return host->fail(ctx, errno_code(errno), "open '%s': %s", t->parent, strerror(errno));
    t->fd = openat(t->parent_fd, t->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (t->fd < 0 && errno == ENOENT) {
        t->empty = true;
        return HF_OK;
    }
    if (t->fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return host->fail(ctx, HF_E_REFUSED, "the target '%s' is not a folder", t->path);
    if (t->fd < 0)
        return host->fail(ctx, errno_code(errno), "open '%s': %s", t->path, strerror(errno));
    int code = names_list(t->fd, &names);
    if (code < 0)
        return host->fail(ctx, errno_code(-code), "list '%s': %s", t->path, strerror(-code));
    code = look_at(host, ctx, t, &names, request);
    names_free(&names);
    return code;
}

/* Removes the stages that crashed restores of other backups left; one of a run that is still alive is locked. */
static int sweep(const struct hf_host *host, struct hf_ctx *ctx, const struct target *t, int root)
{
    AUTO_FREE char *prefix = NULL;
    struct names names = {0};

    if ((t->in_place ? asprintf(&prefix, STAGE_PREFIX) : asprintf(&prefix, ".%s.holdfast-", t->name)) < 0) {
        prefix = NULL;
        return no_memory(host, ctx);
    }
    int code = names_list(root, &names);
    if (code < 0)
        return host->fail(ctx, errno_code(-code), "list the folder of '%s': %s", t->path, strerror(-code));
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i];

        if (strncmp(name, prefix, strlen(prefix)) != 0 || strcmp(name, t->stage_name) == 0)
            continue;
        AUTO_FD fd = openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && tar_remove_tree(root, name) < 0)
            host->log(ctx, HF_LOG_WARNING, "'%s', left by an interrupted restore, cannot be removed: %s", name,
                      strerror(errno));
    }
    names_free(&names);
    return HF_OK;
}

static int claim_stage(const struct hf_host *host, struct hf_ctx *ctx, const struct target *t, int root)
{
    AUTO_FD old = openat(root, t->stage_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (old >= 0 && flock(old, LOCK_EX | LOCK_NB) < 0)
        return host->fail(ctx, HF_E_BUSY, "another run is restoring to '%s'", t->path);
    if (old >= 0 && tar_remove_tree(root, t->stage_name) < 0)
        return host->fail(ctx, errno_code(errno), "remove the left over '%s': %s", t->stage_name, strerror(errno));
    if (mkdirat(root, t->stage_name, 0700) < 0)
        return host->fail(ctx, errno_code(errno), "make '%s' beside '%s': %s", t->stage_name, t->path, strerror(errno));
    return HF_OK;
}

static int make_stage(const struct hf_host *host, struct hf_ctx *ctx, struct target *t)
{
    int root = t->in_place ? t->fd : t->parent_fd;
    int printed = t->in_place ? asprintf(&t->stage_name, STAGE_PREFIX "%s", t->id)
                              : asprintf(&t->stage_name, ".%s.holdfast-%s", t->name, t->id);
    if (printed < 0) {
        t->stage_name = NULL;
        return no_memory(host, ctx);
    }
    int code = sweep(host, ctx, t, root);
    if (code == HF_OK)
        code = claim_stage(host, ctx, t, root);
    if (code < 0) {
        free(t->stage_name); /* not ours, so not to be removed */
        t->stage_name = NULL;
        return code;
    }
    t->stage_fd = openat(root, t->stage_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (t->stage_fd < 0 || flock(t->stage_fd, LOCK_EX | LOCK_NB) < 0)
        return host->fail(ctx, errno_code(errno), "open '%s' beside '%s': %s", t->stage_name, t->path, strerror(errno));
    return HF_OK;
}

int target_prepare(const struct hf_host *host, struct hf_ctx *ctx, struct target *t, const char *path,
                   const struct hf_restore_request *request)
{
    *t = (struct target){.parent_fd = -1, .fd = -1, .stage_fd = -1, .only = request->only_count > 0};
    t->id = strdup(request->id);
    if (!t->id)
        return no_memory(host, ctx);
    for (char *p = t->id; *p; p++)
        if (*p == '/')
            *p = '_';
    int code = split_path(t, path);
    if (code == 0)
        code = make_parents(t);
    if (code < 0)
        return host->fail(ctx, errno_code(-code), "prepare the target '%s': %s", path, strerror(-code));
    code = open_target(host, ctx, t, request);
    return code < 0 ? code : make_stage(host, ctx, t);
}

int target_clear(const struct hf_host *host, struct hf_ctx *ctx, struct target *t, bool done)
{
    int root = t->in_place ? t->fd : t->parent_fd, code = HF_OK;

    if (t->stage_name && tar_remove_tree(root, t->stage_name) < 0)
        code = host->fail(ctx, errno_code(errno), "remove '%s': %s", t->stage_name, strerror(errno));
    if (t->stage_fd >= 0)
        close(t->stage_fd);
    if (t->fd >= 0)
        close(t->fd);
    if (t->parent_fd >= 0)
        close(t->parent_fd);
    if (!done)
        remove_parents(t);
    free(t->path);
    free(t->parent);
    free(t->name);
    free(t->made);
    free(t->stage_name);
    free(t->id);
    *t = (struct target){.parent_fd = -1, .fd = -1, .stage_fd = -1};
    return code;
}
