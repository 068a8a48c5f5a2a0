/* SPDX-License-Identifier: Apache-2.0
 *
 * Restoring entries beneath a folder.
 */
#include "tar_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define WRITE_BACK_STEP (8 << 20) /* the disk is set to work this often, so that little is left for the end */

struct tar_unpack {
    const struct hf_host *host;
    int root_fd;
    struct tar_unpack_options options;
    struct tar_later later;
    struct tar_lost lost;
    atomic_bool saw_end;
};

/* One call of tar_unpack_part or _finish. */
struct job {
    struct tar_unpack *unpack;
    const struct hf_host *host;
    struct hf_ctx *ctx;
    struct tar_in *in;
    int parent_root, parent_fd;    /* the folder that the last entry went into; parent_fd -1: none yet */
    char parent[TAR_MAX_PATH + 1]; /* its path beneath parent_root                                      */
};

/* Where an entry goes. */
struct place {
    int root_fd;
    const char *path; /* beneath root_fd; points into clean */
    char clean[TAR_MAX_PATH + 1];
};

static int refuse(struct job *job, const char *path, const char *why)
{
    return job->host->fail(job->ctx, HF_E_REFUSED, "tar entry '%s' is refused: %s", TAR_SHOW(path), why);
}

static int failed(struct job *job, const char *doing, const char *path)
{
    int error = errno;
    char why[128];
    int code = error == ENOSPC || error == EDQUOT                     ? HF_E_NOSPACE
               : error == EACCES || error == EPERM || error == EROFS  ? HF_E_AUTH
               : error == ENOMEM                                      ? HF_E_NOMEM
               : error == ELOOP || error == EXDEV || error == ENOTDIR ? HF_E_REFUSED
               : error == EEXIST                                      ? HF_E_REFUSED
                                                                      : HF_E_IO;
    const char *text = strerror_r(error, why, sizeof(why));
    if (error == ELOOP || error == EXDEV || error == ENOTDIR)
        text = "its path leads through a link or a file";
    else if (error == EEXIST)
        text = "the name is taken, or comes twice";
    return job->host->fail(job->ctx, code, "%s '%s': %s", doing, TAR_SHOW(path), text);
}

/* Without "./", "//" and a final '/'. NULL when fine, otherwise why not. An empty result is the root itself. */
static const char *clean_path(const char *path, char clean[TAR_MAX_PATH + 1])
{
    size_t used = 0;
    int depth = 0;
    if (*path == 0)
        return "it has no name";
    if (*path == '/')
        return "its name is absolute";
    for (const char *p = path; *p;) {
        size_t length = strcspn(p, "/");
        if (length == 2 && p[0] == '.' && p[1] == '.')
            return "its name contains '..'";
        if (length > NAME_MAX || used + length + 1 > TAR_MAX_PATH)
            return "its name is too long";
        if (length > 0 && !(length == 1 && *p == '.')) {
            if (++depth > TAR_MAX_DEPTH)
                return "it lies too deep";
            if (used)
                clean[used++] = '/';
            memcpy(clean + used, p, length);
            used += length;
        }
        p += length;
        p += strspn(p, "/");
    }
    clean[used] = 0;
    return NULL;
}

static uint32_t depth_of(const char *path)
{
    uint32_t depth = *path != 0;
    for (; *path; path++)
        depth += *path == '/';
    return depth;
}

/* A link is inside when its target is relative and climbs no further than to the root, only at its beginning: after a
 * name, ".." could start from wherever another link leads. */
static bool leads_out(const char *path, const char *target)
{
    uint32_t folders = depth_of(path) - 1, up = 0;
    bool named = false;
    if (*target == '/')
        return true;
    for (const char *p = target; *p;) {
        size_t length = strcspn(p, "/");
        bool parent = length == 2 && p[0] == '.' && p[1] == '.';
        if (parent && (named || ++up > folders))
            return true;
        named = named || (!parent && length > 0 && !(length == 1 && *p == '.'));
        p += length;
        p += strspn(p, "/");
    }
    return false;
}

/* 1 and the place, 0: left out, or a failure. */
static int find_place(struct job *job, const char *path, struct place *place)
{
    struct tar_unpack *u = job->unpack;
    const char *why = clean_path(path, place->clean);
    if (why)
        return refuse(job, path, why);
    place->root_fd = u->root_fd;
    place->path = place->clean;
    if (!u->options.place)
        return 1;
    int r = u->options.place(u->options.arg, job->ctx, place->clean, &place->root_fd, &place->path);
    return r < 0 ? r : r != 0;
}

static int later(struct job *job, struct tar_later_item *item)
{
    const char *tempdir = job->host->tempdir(job->ctx);
    if (!tempdir)
        return job->host->fail(job->ctx, HF_E_IO, "make a temporary folder");
    if (tar_later_add(&job->unpack->later, tempdir, item) < 0)
        return failed(job, "write a temporary file for", item->path);
    return HF_OK;
}

struct implied {
    struct job *job;
    int root_fd;
};

/* A folder that was made for what lies in it; its own entry may come later, or never. */
static int note_implied(void *arg, const char *path, size_t length)
{
    struct implied *implied = arg;
    char copy[TAR_MAX_PATH + 1];
    memcpy(copy, path, length);
    copy[length] = 0;
    return later(implied->job,
                 &(struct tar_later_item){
                     .kind = TAR_LATER_PARENT, .depth = depth_of(copy), .root_fd = implied->root_fd, .path = copy});
}

/* The folder of a path, and the path's last component. */
static int open_parent(struct job *job, int root_fd, const char *path, bool make, int *ret_fd, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    *ret_name = slash ? slash + 1 : path;
    if (job->parent_fd >= 0 && job->parent_root == root_fd && strlen(job->parent) == length &&
        memcmp(job->parent, path, length) == 0) {
        *ret_fd = job->parent_fd;
        return HF_OK;
    }
    if (job->parent_fd >= 0)
        close(job->parent_fd);
    memcpy(job->parent, path, length);
    job->parent[length] = 0;
    job->parent_root = root_fd;
    job->parent_fd = tar_open_beneath(root_fd, length ? job->parent : ".", O_PATH | O_DIRECTORY, 0);
    if (job->parent_fd < 0 && errno == ENOENT && make) {
        struct implied implied = {.job = job, .root_fd = root_fd};
        job->parent_fd = tar_make_folders(root_fd, job->parent, note_implied, &implied);
    }
    if (job->parent_fd < 0)
        return make || errno != ENOENT ? failed(job, "make the folder of", path) : HF_E_NOTFOUND;
    *ret_fd = job->parent_fd;
    return HF_OK;
}

static int write_at(struct job *job, int fd, const char *path, const char *data, size_t size, int64_t offset)
{
    while (size) {
        ssize_t done = pwrite(fd, data, size, offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return failed(job, "write", path);
        data += done;
        size -= (size_t)done;
        offset += done;
    }
    return HF_OK;
}

static int write_data(struct job *job, struct archive_entry *entry, int fd, const char *path)
{
    int64_t end = 0, started = 0, size = archive_entry_size(entry);
    for (;;) {
        const void *data;
        size_t length;
        int64_t offset;
        int code = tar_in_data(job->in, &data, &length, &offset);
        if (code == HF_END)
            break;
        if (code < 0)
            return code;
        if (offset < end || (archive_entry_size_is_set(entry) && offset + (int64_t)length > size))
            return job->host->fail(job->ctx, HF_E_CORRUPT, "tar entry '%s': its data do not fit its size",
                                   TAR_SHOW(path));
        if ((code = write_at(job, fd, path, data, length, offset)) < 0)
            return code;
        end = offset + (int64_t)length;
        if (end - started >= WRITE_BACK_STEP) {
            sync_file_range(fd, started, end - started, SYNC_FILE_RANGE_WRITE); /* a hint; finish() checks */
            started = end;
        }
    }
    if (end < size && ftruncate(fd, size) < 0)
        return failed(job, "set the size of", path);
    return HF_OK;
}

static int make_file(struct job *job, struct archive_entry *entry, const struct place *place, int parent,
                     const char *name, const struct tar_meta *meta)
{
    const char *doing = "write";
    int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(job, "make", place->path);
    int code = write_data(job, entry, fd, place->path);
    if (code == HF_OK && tar_meta_apply(meta, &job->unpack->options, &job->unpack->lost, place->path, fd, &doing) < 0)
        code = failed(job, doing, place->path);
    if (close(fd) < 0 && code == HF_OK)
        code = failed(job, "close", place->path);
    return code;
}

static int make_folder(struct job *job, const struct place *place, int parent, const char *name,
                       const struct tar_meta *meta)
{
    if (mkdirat(parent, name, 0700) < 0) {
        struct stat st;
        if (errno != EEXIST)
            return failed(job, "make the folder", place->path);
        if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return failed(job, "look at", place->path);
        errno = EEXIST;
        if (!S_ISDIR(st.st_mode))
            return failed(job, "make the folder", place->path);
    }
    return later(job, &(struct tar_later_item){.kind = TAR_LATER_FOLDER,
                                               .depth = depth_of(place->path),
                                               .root_fd = place->root_fd,
                                               .path = place->path,
                                               .meta = *meta});
}

static int make_symlink(struct job *job, const char *path, const char *target, int parent, const char *name,
                        const struct tar_meta *meta)
{
    const char *doing = "make the link";
    if (symlinkat(target, parent, name) < 0 ||
        tar_meta_apply_at(meta, &job->unpack->options, &job->unpack->lost, path, parent, name, S_IFLNK, &doing) < 0)
        return failed(job, doing, path);
    return HF_OK;
}

static int unpack_symlink(struct job *job, struct archive_entry *entry, const struct place *place, int parent,
                          const char *name, const struct tar_meta *meta)
{
    const char *target = archive_entry_symlink(entry);
    if (!target || !*target || strlen(target) > TAR_MAX_PATH)
        return refuse(job, place->clean, "it is a link without a sensible target");
    if (!leads_out(place->path, target))
        return make_symlink(job, place->path, target, parent, name, meta);
    if (!job->unpack->options.outside_links) {
        char why[600];
        snprintf(why, sizeof(why), "it is a link that leads out, to '%s'", TAR_SHOW(target));
        return refuse(job, place->clean, why);
    }
    return later(
        job,
        &(struct tar_later_item){
            .kind = TAR_LATER_SYMLINK, .root_fd = place->root_fd, .path = place->path, .link = target, .meta = *meta});
}

/* HF_E_NOTFOUND, unrecorded: the target is not there (yet). */
static int make_hardlink(struct job *job, int target_root, const char *target, int root_fd, const char *path)
{
    const char *name, *target_name, *slash = strrchr(target, '/');
    char folder[TAR_MAX_PATH + 1] = ".";
    int parent;
    if (slash) {
        memcpy(folder, target, (size_t)(slash - target));
        folder[slash - target] = 0;
    }
    target_name = slash ? slash + 1 : target;
    int code = open_parent(job, root_fd, path, true, &parent, &name);
    if (code < 0)
        return code;
    int from = tar_open_beneath(target_root, folder, O_PATH | O_DIRECTORY, 0);
    if (from < 0)
        return errno == ENOENT ? HF_E_NOTFOUND : failed(job, "find the target of the hard link", path);
    int r = linkat(from, target_name, parent, name, 0), saved = errno;
    close(from);
    errno = saved;
    if (r == 0)
        return HF_OK;
    return errno == ENOENT ? HF_E_NOTFOUND : failed(job, "make the hard link", path);
}

static int unpack_hardlink(struct job *job, const char *link, const struct place *place)
{
    struct place target;
    const char *why = clean_path(link, target.clean);
    if (why || !*target.clean) {
        char text[600];
        snprintf(text, sizeof(text), "it is a hard link that leads out, to '%s'", TAR_SHOW(link));
        return refuse(job, place->clean, text);
    }
    int code = find_place(job, link, &target);
    if (code < 0)
        return code;
    if (code == 0) {
        job->host->fail(job->ctx, HF_E_NOTFOUND, "'%s' is a hard link to '%s', which is not selected",
                        TAR_SHOW(place->clean), TAR_SHOW(link));
        return job->host->hint(job->ctx, "select '%s', too", TAR_SHOW(link));
    }
    code = make_hardlink(job, target.root_fd, target.path, place->root_fd, place->path);
    if (code != HF_E_NOTFOUND)
        return code;
    return later(job, &(struct tar_later_item){.kind = TAR_LATER_HARDLINK,
                                               .root_fd = place->root_fd,
                                               .link_fd = target.root_fd,
                                               .path = place->path,
                                               .link = target.path});
}

static int make_special(struct job *job, struct archive_entry *entry, const struct place *place, int parent,
                        const char *name, const struct tar_meta *meta)
{
    mode_t type = archive_entry_filetype(entry);
    bool device = type == S_IFCHR || type == S_IFBLK;
    if (device && (!job->unpack->options.devices || geteuid() != 0)) {
        int code = refuse(job, place->clean, "it is a device");
        if (job->unpack->options.devices)
            job->host->hint(job->ctx, "devices can only be made by root");
        return code;
    }
    if (!device && type != S_IFIFO)
        return refuse(job, place->clean, "it is of no kind that can be restored");
    const char *doing = "make";
    if (mknodat(parent, name, type | 0600, device ? archive_entry_rdev(entry) : 0) < 0 ||
        tar_meta_apply_at(meta, &job->unpack->options, &job->unpack->lost, place->path, parent, name, type, &doing) < 0)
        return failed(job, doing, place->path);
    return HF_OK;
}

static int unpack_entry(struct job *job, struct archive_entry *entry)
{
    struct tar_unpack *u = job->unpack;
    const char *path = archive_entry_pathname(entry), *why, *name;
    struct place place;
    int parent;
    if (!path)
        return refuse(job, "", "it has no name");
    if ((why = clean_path(path, place.clean))) /* also of an entry that nobody wants: the archive is not honest */
        return refuse(job, path, why);
    int code = u->options.wanted ? u->options.wanted(u->options.arg, job->ctx, entry) : 1;
    if (code <= 0)
        return code;
    code = find_place(job, archive_entry_pathname(entry), &place);
    if (code <= 0)
        return code;
    const char *link = archive_entry_hardlink(entry);
    mode_t type = archive_entry_filetype(entry);
    if (!*place.path) /* the root belongs to the caller */
        return !link && type == AE_IFDIR ? HF_OK : refuse(job, path, "it would replace the target folder");
    if (link)
        return unpack_hardlink(job, link, &place);
    code = open_parent(job, place.root_fd, place.path, true, &parent, &name);
    if (code < 0)
        return code;
    struct tar_meta meta;
    if (tar_meta_take(entry, u->options.xattrs, &meta) < 0)
        return job->host->fail(job->ctx, HF_E_NOMEM, "out of memory");
    if (type == AE_IFREG)
        code = make_file(job, entry, &place, parent, name, &meta);
    else if (type == AE_IFDIR)
        code = make_folder(job, &place, parent, name, &meta);
    else if (type == AE_IFLNK)
        code = unpack_symlink(job, entry, &place, parent, name, &meta);
    else
        code = make_special(job, entry, &place, parent, name, &meta);
    tar_meta_clear(&meta);
    return code;
}

static struct job *job_new(struct tar_unpack *unpack, struct hf_ctx *ctx)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job) {
        unpack->host->fail(ctx, HF_E_NOMEM, "out of memory");
        return NULL;
    }
    *job = (struct job){.unpack = unpack, .host = unpack->host, .ctx = ctx, .parent_fd = -1};
    return job;
}

static void job_free(struct job *job)
{
    if (job->parent_fd >= 0)
        close(job->parent_fd);
    tar_in_close(job->in);
    free(job);
}

int tar_unpack_part(struct tar_unpack *unpack, struct hf_ctx *ctx, struct hf_reader *reader)
{
    struct job *job = job_new(unpack, ctx);
    if (!job)
        return HF_E_NOMEM;
    int code = tar_in_open(unpack->host, ctx, reader, &job->in);
    while (code == HF_OK) {
        struct archive_entry *entry;
        code = tar_in_next(job->in, &entry);
        if (code == HF_OK)
            code = unpack_entry(job, entry);
    }
    if (code == HF_END && tar_in_saw_end(job->in))
        atomic_store(&unpack->saw_end, true);
    job_free(job);
    return code == HF_END ? HF_OK : code;
}

bool tar_unpack_saw_end(struct tar_unpack *unpack)
{
    return atomic_load(&unpack->saw_end);
}

static int finish_folder(struct job *job, const struct tar_later_item *item)
{
    static const struct tar_meta implied = {.mode = 0755};
    const char *doing = "open";
    int fd = tar_open_beneath(item->root_fd, item->path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return failed(job, doing, item->path);
    int r;
    if (item->kind == TAR_LATER_PARENT) {
        doing = "set the mode of";
        r = fchmod(fd, implied.mode);
    } else {
        r = tar_meta_apply(&item->meta, &job->unpack->options, &job->unpack->lost, item->path, fd, &doing);
    }
    int code = r < 0 ? failed(job, doing, item->path) : HF_OK;
    close(fd);
    return code;
}

static int finish_item(struct job *job, const struct tar_later_item *item)
{
    const char *name;
    int parent, code;
    switch (item->kind) {
    case TAR_LATER_SYMLINK:
        code = open_parent(job, item->root_fd, item->path, true, &parent, &name);
        return code < 0 ? code : make_symlink(job, item->path, item->link, parent, name, &item->meta);
    case TAR_LATER_HARDLINK:
        code = make_hardlink(job, item->link_fd, item->link, item->root_fd, item->path);
        if (code == HF_E_NOTFOUND)
            return job->host->fail(job->ctx, HF_E_CORRUPT,
                                   "the target of the hard link '%s', '%s', is not in the archive",
                                   TAR_SHOW(item->path), TAR_SHOW(item->link));
        return code;
    default:
        return finish_folder(job, item);
    }
}

/* All items of one kind; folders only of one depth. */
static int finish_pass(struct job *job, enum tar_later_kind kind, uint32_t depth)
{
    struct tar_later *queue = &job->unpack->later;
    struct tar_later_item item;
    int r = tar_later_rewind(queue), code = HF_OK;
    while (r == 0 && code == HF_OK && (r = tar_later_next(queue, &item)) > 0) {
        r = 0;
        if (job->host->cancelled(job->ctx))
            code = HF_E_CANCELLED;
        else if (item.kind == (uint32_t)kind && (kind != TAR_LATER_FOLDER || item.depth == depth))
            code = finish_item(job, &item);
        else
            continue;
    }
    return r < 0 ? failed(job, "read back a temporary file of", "the restore") : code;
}

int tar_unpack_finish(struct tar_unpack *unpack, struct hf_ctx *ctx)
{
    struct job *job = job_new(unpack, ctx);
    if (!job)
        return HF_E_NOMEM;
    int code = HF_OK;
    if (unpack->later.count) {
        code = finish_pass(job, TAR_LATER_SYMLINK, 0);
        if (code == HF_OK)
            code = finish_pass(job, TAR_LATER_HARDLINK, 0);
        if (code == HF_OK)
            code = finish_pass(job, TAR_LATER_PARENT, 0);
    }
    /* Deepest first: a folder's mode may shut the way to what is below. */
    for (uint32_t depth = TAR_MAX_DEPTH; code == HF_OK && depth > 0; depth--)
        if (unpack->later.at_depth[depth])
            code = finish_pass(job, TAR_LATER_FOLDER, depth);
    if (code == HF_OK && unpack->root_fd >= 0 && syncfs(unpack->root_fd) < 0)
        code = failed(job, "write to disk", "the restored files");
    if (code == HF_OK && unpack->lost.count)
        code = unpack->host->finding(ctx, HF_WARNING, "attributes-not-restored", "extended attributes",
                                     "%llu could not be set, the first is %s", (unsigned long long)unpack->lost.count,
                                     unpack->lost.first);
    job_free(job);
    return code;
}

int tar_unpack_new(const struct hf_host *host, int root_fd, const struct tar_unpack_options *options,
                   struct tar_unpack **ret_unpack)
{
    struct tar_unpack *unpack = calloc(1, sizeof(*unpack));
    if (!unpack)
        return HF_E_NOMEM;
    unpack->host = host;
    unpack->root_fd = root_fd;
    if (options)
        unpack->options = *options;
    pthread_mutex_init(&unpack->later.lock, NULL);
    pthread_mutex_init(&unpack->lost.lock, NULL);
    *ret_unpack = unpack;
    return HF_OK;
}

void tar_unpack_free(struct tar_unpack *unpack)
{
    if (!unpack)
        return;
    tar_later_clear(&unpack->later);
    pthread_mutex_destroy(&unpack->later.lock);
    pthread_mutex_destroy(&unpack->lost.lock);
    free(unpack);
}
