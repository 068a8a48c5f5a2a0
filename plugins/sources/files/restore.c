/* SPDX-License-Identifier: Apache-2.0
 *
 * Putting files back: where they came from, or beneath a folder of the user's choice.
 */
#include "files.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A path that is restored; in the original place also the one that changes places. */
struct wanted {
    char *path; /* "/srv/app" */
    atomic_bool seen;
};

struct restore {
    const struct files *self;
    const struct hf_host *host;
    struct swap *swap;
    struct tar_unpack *unpack;
    char **roots; /* of the backup, in the order they were walked; none for a bare archive */
    size_t root_count;
    struct part_index *index; /* NULL: unknown */
    struct wanted *wanted;    /* sorted, none within another; none at all: everything */
    size_t wanted_count;
    bool in_place; /* swap's places are those of wanted, in the same order */
    bool only;     /* wanted is what the user asked for */
    int root_fd;   /* with --to: where everything goes */
    bool own_root_fd;
};

static void restore_free(struct restore *restore, struct hf_ctx *ctx)
{
    tar_unpack_free(restore->unpack);
    if (restore->own_root_fd)
        close(restore->root_fd);
    swap_free(restore->swap, ctx);
    for (size_t i = 0; i < restore->wanted_count; i++)
        free(restore->wanted[i].path);
    free(restore->wanted);
    files_paths_free(restore->roots, restore->root_count);
    index_free(restore->index);
    free(restore);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct wanted *)a)->path, ((const struct wanted *)b)->path);
}

/* The wanted path that `path` (with its leading '/') is, or lies in. */
static struct wanted *find_wanted(const struct restore *restore, const char *path)
{
    char part[TAR_MAX_PATH + 2];
    size_t length = strlen(path);
    memcpy(part, path, length + 1);
    for (;;) {
        struct wanted key = {.path = part};
        struct wanted *found = bsearch(&key, restore->wanted, restore->wanted_count, sizeof(struct wanted), by_path);
        char *slash = strrchr(part, '/');
        if (found || !slash)
            return found;
        *slash = 0;
    }
}

/* For the unpacker: where an entry or a link's target belongs. */
static int place(void *arg, struct hf_ctx *ctx, const char *path, int *ret_root_fd, const char **ret_path)
{
    struct restore *restore = arg;
    char full[TAR_MAX_PATH + 2];
    (void)ctx;
    if (!restore->wanted_count)
        return 1;
    snprintf(full, sizeof(full), "/%s", path);
    struct wanted *wanted = find_wanted(restore, full);
    if (!wanted)
        return 0;
    atomic_store(&wanted->seen, true);
    if (restore->in_place) {
        *ret_root_fd = swap_fd(restore->swap, (size_t)(wanted - restore->wanted));
        *ret_path = path + (strrchr(wanted->path, '/') - wanted->path); /* from its last name on */
    }
    return 1;
}

static int set_wanted(struct restore *restore, struct hf_ctx *ctx, char **paths, size_t count)
{
    const struct hf_host *host = restore->host;
    restore->wanted = calloc(count, sizeof(*restore->wanted));
    if (!restore->wanted)
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        restore->wanted[i].path = paths[i];
        paths[i] = NULL;
        restore->wanted_count++;
    }
    qsort(restore->wanted, count, sizeof(*restore->wanted), by_path);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        char *path = restore->wanted[i].path;
        restore->wanted_count =
            kept; /* for find_wanted: those before are sorted, and a folder comes before its contents */
        if (find_wanted(restore, path))
            free(path);
        else
            restore->wanted[kept++].path = path;
    }
    restore->wanted_count = kept;
    return HF_OK;
}

/* --only: as full paths, with or without the leading '/'. */
static int take_only(struct restore *restore, struct hf_ctx *ctx, const struct hf_restore_request *request)
{
    const struct hf_host *host = restore->host;
    restore->only = true;
    char **paths = calloc(request->only_count, sizeof(*paths));
    int code = paths ? HF_OK : host->fail(ctx, HF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < request->only_count && code == HF_OK; i++) {
        char *absolute = NULL;
        if (asprintf(&absolute, "/%s", request->only[i]) < 0)
            absolute = NULL;
        paths[i] = absolute ? path_normal(absolute) : NULL;
        free(absolute);
        if (!paths[i] || !*paths[i] || strlen(paths[i]) > TAR_MAX_PATH)
            code =
                host->fail(ctx, HF_E_CONFIG, "'%s' is no path that could be in a backup", TAR_SHOW(request->only[i]));
    }
    if (code == HF_OK)
        code = set_wanted(restore, ctx, paths, request->only_count);
    files_paths_free(paths, paths ? request->only_count : 0);
    return code;
}

/* What the backup says about itself; nothing when there is only the archive. */
static int read_context(struct restore *restore, struct hf_ctx *ctx)
{
    const char *json = restore->host->get_context(ctx, "files");
    if (json && files_context_from_json(json, &restore->roots, &restore->root_count, &restore->index) < 0)
        return restore->host->fail(ctx, HF_E_CORRUPT, "the backup's list of paths cannot be read");
    return HF_OK;
}

/* The paths of the backup, when it is to go back to where it came from. */
static int take_recorded(struct restore *restore, struct hf_ctx *ctx)
{
    const struct hf_host *host = restore->host;
    if (!restore->root_count) {
        host->fail(ctx, HF_E_REFUSED, "the archive alone does not say where its files came from");
        return host->hint(ctx, "restore into a new folder with --to DIR");
    }
    char **paths = calloc(restore->root_count, sizeof(*paths));
    int code = paths ? HF_OK : host->fail(ctx, HF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < restore->root_count && code == HF_OK; i++)
        if (!(paths[i] = strdup(restore->roots[i])))
            code = host->fail(ctx, HF_E_NOMEM, "out of memory");
    if (code == HF_OK)
        code = set_wanted(restore, ctx, paths, restore->root_count);
    files_paths_free(paths, paths ? restore->root_count : 0);
    return code;
}

static int prepare_in_place(struct restore *restore, struct hf_ctx *ctx)
{
    const struct hf_host *host = restore->host;
    int code = restore->wanted_count ? HF_OK : take_recorded(restore, ctx);
    restore->in_place = true;
    for (size_t i = 0; i < restore->wanted_count && code == HF_OK; i++) {
        if (!*restore->wanted[i].path) {
            host->fail(ctx, HF_E_REFUSED, "'/' cannot be replaced while the system runs");
            return host->hint(ctx, "restore into a new folder with --to DIR, or a part with --only PATH");
        }
        code = swap_add(restore->swap, ctx, restore->wanted[i].path);
    }
    return code == HF_OK ? swap_prepare(restore->swap, ctx) : code;
}

/* 1: empty but for what an interrupted restore left, 0: not, -1 and errno: also when it is no folder. */
static int folder_empty(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return -1;
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir(dir)) &&
           (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || swap_is_beside(entry->d_name)))
        ;
    int r = entry ? 0 : errno ? -1 : 1;
    closedir(dir);
    return r;
}

/* An absolute path of --to, also when it does not exist yet. */
static char *absolute_to(const char *to)
{
    char *real = realpath(to, NULL), *joined = NULL, *normal;
    if (real || errno != ENOENT)
        return real;
    if (*to == '/')
        return path_normal(to);
    char *here = realpath(".", NULL);
    if (here && asprintf(&joined, "%s/%s", here, to) < 0)
        joined = NULL;
    normal = joined ? path_normal(joined) : NULL;
    free(here);
    free(joined);
    return normal;
}

static int build_beside(struct restore *restore, struct hf_ctx *ctx, const char *to)
{
    int code = swap_add(restore->swap, ctx, to);
    if (code == HF_OK)
        code = swap_prepare(restore->swap, ctx);
    if (code < 0)
        return code;
    int beside = swap_fd(restore->swap, 0);
    const char *name = swap_name(restore->swap, 0);
    if (mkdirat(beside, name, 0755) == 0)
        restore->root_fd = openat(beside, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (restore->root_fd < 0)
        return files_errno(restore->host, ctx, "make a folder beside", to);
    restore->own_root_fd = true;
    return HF_OK;
}

/* An empty folder is filled as it is: it may be a mount point, and has an owner and a mode of its own. */
static int prepare_to(struct restore *restore, struct hf_ctx *ctx, const struct hf_restore_request *request)
{
    const struct hf_host *host = restore->host;
    char *to = absolute_to(request->to);
    if (!to)
        return files_errno(host, ctx, "restore to", request->to);
    int empty = folder_empty(*to ? to : "/"), code;
    if (empty < 0 && errno != ENOENT) {
        code = files_errno(host, ctx, "restore to", request->to);
    } else if (empty == 0 && !request->replace) {
        host->fail(ctx, HF_E_REFUSED, "'%s' is not empty", TAR_SHOW(request->to));
        code = host->hint(ctx, "name a new or empty folder, or use --replace, which keeps the old one beside");
    } else if (empty == 1) {
        code = swap_add_inside(restore->swap, ctx, to);
        if (code == HF_OK)
            code = swap_prepare(restore->swap, ctx);
        restore->root_fd = code == HF_OK ? swap_inside_fd(restore->swap) : -1;
    } else if (!*to || strcmp(to, "/") == 0) {
        code = host->fail(ctx, HF_E_REFUSED, "'/' cannot be replaced");
    } else {
        code = build_beside(restore, ctx, to);
    }
    free(to);
    return code;
}

static int start_unpacking(struct restore *restore, struct hf_ctx *ctx)
{
    const struct files *self = restore->self;
    bool known = restore->root_count > 0;
    struct tar_unpack_options options = {
        .owners = geteuid() == 0,
        .xattrs = self->xattrs,
        .devices = known && geteuid() == 0,
        .outside_links =
            self->outside_links == FILES_OUTSIDE_KEEP || (self->outside_links == FILES_OUTSIDE_AUTO && known),
        .place = place,
        .arg = restore,
    };
    if (tar_unpack_new(restore->host, restore->root_fd, &options, &restore->unpack) < 0)
        return restore->host->fail(ctx, HF_E_NOMEM, "out of memory");
    return HF_OK;
}

int files_restore_begin(void *arg, struct hf_ctx *ctx, const struct hf_restore_request *request, void **ret_session)
{
    const struct files *self = arg;
    const struct hf_host *host = self->host;
    struct restore *restore = calloc(1, sizeof(*restore));
    if (!restore)
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    restore->self = self;
    restore->host = host;
    restore->root_fd = -1;
    int code = swap_new(host, ctx, request->id, request->replace != 0, &restore->swap);
    if (code == HF_OK)
        code = read_context(restore, ctx);
    if (code == HF_OK && request->only_count)
        code = take_only(restore, ctx, request);
    if (code == HF_OK)
        code = request->to ? prepare_to(restore, ctx, request) : prepare_in_place(restore, ctx);
    if (code == HF_OK)
        code = start_unpacking(restore, ctx);
    if (code < 0) {
        restore_free(restore, ctx);
        return code;
    }
    *ret_session = restore;
    return HF_OK;
}

/* With --only: the parts that can hold what is wanted. */
int files_restore_select(void *arg, struct hf_ctx *ctx, const struct hf_part *part)
{
    struct restore *restore = arg;
    uint32_t number;
    (void)ctx;
    if (!restore->only || !restore->index || part_number(part->name, &number) < 0)
        return 1;
    for (size_t i = 0; number && i < restore->wanted_count; i++)
        if (index_holds(restore->index, number, restore->roots, restore->root_count, restore->wanted[i].path))
            return 1;
    return 0;
}

int files_restore_part(void *arg, struct hf_ctx *ctx, const struct hf_part *part, struct hf_reader *reader)
{
    struct restore *restore = arg;
    int code = tar_unpack_part(restore->unpack, ctx, reader);
    if (code == HF_OK && (part->flags & HF_PART_WHOLE) && !tar_unpack_saw_end(restore->unpack)) {
        code = restore->host->fail(ctx, HF_E_CORRUPT, "the archive was cut short: it has no end marker");
    }
    if (code == HF_E_REFUSED && restore->self->outside_links == FILES_OUTSIDE_AUTO && !restore->root_count)
        restore->host->hint(ctx,
                            "if the archive is your own, set 'outside_links = keep' in [source] for links that lead "
                            "out; what else is refused does not come from holdfast");
    return code;
}

/* A name that was asked for and is not there is a mistake of the user's, or a loss. */
static int check_only(struct restore *restore, struct hf_ctx *ctx)
{
    for (size_t i = 0; i < restore->wanted_count; i++)
        if (!atomic_load(&restore->wanted[i].seen))
            return restore->host->fail(ctx, HF_E_NOTFOUND, "'%s' is not in the backup",
                                       TAR_SHOW(restore->wanted[i].path));
    return HF_OK;
}

int files_restore_end(void *arg, struct hf_ctx *ctx, int status)
{
    struct restore *restore = arg;
    int code = status;
    if (code == HF_OK)
        code = restore->only ? check_only(restore, ctx) : HF_OK;
    if (code == HF_OK)
        code = tar_unpack_finish(restore->unpack, ctx);
    if (code == HF_OK)
        code = swap_commit(restore->swap, ctx);
    restore_free(restore, ctx);
    return status == HF_OK ? code : HF_OK;
}
