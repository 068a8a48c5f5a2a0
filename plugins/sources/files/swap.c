/* SPDX-License-Identifier: Apache-2.0
 *
 * Building beside, then swapping.
 *
 * Beside each place's folder, in it, lies ".holdfast-ID": there the new things grow under their own names. What a
 * crashed restore left there holds nothing that was ever in place, so the next one removes it, whatever its backup: a
 * former thing is only moved to NAME.before-ID, in one step with the new one's arrival. The folder of a restore that is
 * alive is locked.
 */
#include "files.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define BESIDE ".holdfast-"
#define MAX_FOLDERS 200 /* each keeps two descriptors open */
#define MAX_BEFORE 1000

/* A folder in which things are to be replaced. */
struct folder {
    char *path;
    int fd, beside_fd;
    dev_t dev;
    ino_t ino;
    bool whole; /* everything that was built goes into it */
};

enum place_state { PLACE_WAITING, PLACE_MOVED, PLACE_SWAPPED };

struct place {
    size_t folder;
    char *path; /* full */
    const char *name;
    char *before; /* where the former thing is kept */
    enum place_state state;
};

struct swap {
    const struct hf_host *host;
    bool replace, committed;
    char beside[64 + 16];
    char *id;
    struct folder *folders;
    size_t folder_count;
    struct place *places;
    size_t place_count;
    char **made; /* folders made on the way, outermost first */
    size_t made_count;
};

int swap_new(const struct hf_host *host, struct hf_ctx *ctx, const char *id, bool replace, struct swap **ret_swap)
{
    struct swap *swap = calloc(1, sizeof(*swap));
    if (!swap || !(swap->id = strdup(id))) {
        free(swap);
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    swap->host = host;
    swap->replace = replace;
    snprintf(swap->beside, sizeof(swap->beside), BESIDE "%.64s", id);
    *ret_swap = swap;
    return HF_OK;
}

static int find_folder(struct swap *swap, struct hf_ctx *ctx, const char *path, size_t *ret_index)
{
    for (size_t i = swap->folder_count; i-- > 0;)
        if (strcmp(swap->folders[i].path, path) == 0) {
            *ret_index = i;
            return HF_OK;
        }
    if (swap->folder_count == MAX_FOLDERS) {
        swap->host->fail(ctx, HF_E_REFUSED, "the files come from more than %d folders", MAX_FOLDERS);
        return swap->host->hint(ctx, "restore them with --to DIR, or a part of them with --only PATH");
    }
    struct folder *bigger = realloc(swap->folders, (swap->folder_count + 1) * sizeof(*bigger));
    if (!bigger)
        return swap->host->fail(ctx, HF_E_NOMEM, "out of memory");
    swap->folders = bigger;
    char *copy = strdup(path);
    if (!copy)
        return swap->host->fail(ctx, HF_E_NOMEM, "out of memory");
    swap->folders[swap->folder_count] = (struct folder){.path = copy, .fd = -1, .beside_fd = -1};
    *ret_index = swap->folder_count++;
    return HF_OK;
}

int swap_add(struct swap *swap, struct hf_ctx *ctx, const char *path)
{
    const struct hf_host *host = swap->host;
    struct stat st;
    if (lstat(path, &st) == 0 && !swap->replace) {
        host->fail(ctx, HF_E_REFUSED, "'%s' exists", TAR_SHOW(path));
        return host->hint(ctx, "restore elsewhere with --to DIR, or use --replace, which keeps the old one beside");
    }
    char *folder = strdup(path), *copy = strdup(path);
    struct place *bigger = realloc(swap->places, (swap->place_count + 1) * sizeof(*bigger));
    if (bigger)
        swap->places = bigger;
    if (!folder || !copy || !bigger) {
        free(folder);
        free(copy);
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    struct place place = {.path = copy, .name = strrchr(copy, '/') + 1};
    char *slash = strrchr(folder, '/');
    slash[slash == folder] = 0;
    int code = find_folder(swap, ctx, folder, &place.folder);
    free(folder);
    if (code < 0) {
        free(copy);
        return code;
    }
    swap->places[swap->place_count++] = place;
    return HF_OK;
}

static int note_made(struct swap *swap, const char *path, size_t length)
{
    char **bigger = realloc(swap->made, (swap->made_count + 1) * sizeof(*bigger));
    if (!bigger)
        return -1;
    swap->made = bigger;
    swap->made[swap->made_count] = strndup(path, length);
    return swap->made[swap->made_count] ? (void)swap->made_count++, 0 : -1;
}

/* Makes what is missing of the path, and remembers it, to take it away should the restore fail. */
static int make_way(struct swap *swap, struct hf_ctx *ctx, const char *path)
{
    for (const char *end = path + 1;; end++) {
        end += strcspn(end, "/");
        char *part = strndup(path, (size_t)(end - path));
        int r = part ? mkdir(part, 0755) : -1, error = errno;
        free(part);
        if (r == 0 && note_made(swap, path, (size_t)(end - path)) < 0)
            return swap->host->fail(ctx, HF_E_NOMEM, "out of memory");
        errno = error;
        if (r < 0 && error != EEXIST && error != EISDIR && error != EROFS)
            return files_errno(swap->host, ctx, "make the folder", path);
        if (*end == 0)
            return HF_OK;
    }
}

/* Does the text end like a backup's id, in _YYYYMMDD_HHMMSS? */
static bool ends_in_time(const char *text)
{
    static const char form[] = "_00000000_000000";
    size_t length = strlen(text);
    bool fits = length > sizeof(form) - 1;
    const char *end = fits ? text + length - (sizeof(form) - 1) : text;
    for (size_t i = 0; fits && form[i]; i++)
        fits = form[i] == '_' ? end[i] == '_' : end[i] >= '0' && end[i] <= '9';
    return fits;
}

bool swap_is_beside(const char *name)
{
    return strncmp(name, BESIDE, sizeof(BESIDE) - 1) == 0 && ends_in_time(name);
}

/* Removes a folder beside that nobody works in. 0 also when there is none; -1 and errno, EWOULDBLOCK: somebody does. */
static int remove_beside(int fd, const char *name)
{
    int old = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (old < 0)
        return errno == ENOENT ? 0 : -1;
    int r = flock(old, LOCK_EX | LOCK_NB), saved;
    if (r == 0)
        r = tar_remove_tree(fd, name);
    saved = errno;
    close(old);
    errno = saved;
    return r;
}

/* What crashed restores of other backups left in the folder. It only takes space, so what cannot be removed is named.
 */
static void sweep(struct swap *swap, struct hf_ctx *ctx, const struct folder *folder)
{
    int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    struct stat st;
    if (!dir && fd >= 0)
        close(fd);
    while (dir && (entry = readdir(dir))) {
        if (!swap_is_beside(entry->d_name) || strcmp(entry->d_name, swap->beside) == 0 ||
            fstatat(folder->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode) ||
            (st.st_mode & 07777) != 0700 || st.st_uid != geteuid())
            continue;
        if (remove_beside(folder->fd, entry->d_name) < 0 && errno != EWOULDBLOCK)
            swap->host->log(ctx, HF_LOG_WARNING, "'%s/%s', left by an interrupted restore, cannot be removed",
                            TAR_SHOW(folder->path), TAR_SHOW(entry->d_name));
    }
    if (dir)
        closedir(dir);
}

static int open_folder(struct swap *swap, struct hf_ctx *ctx, struct folder *folder)
{
    struct stat st;
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd < 0 && errno == ENOENT) {
        int code = make_way(swap, ctx, folder->path);
        if (code < 0)
            return code;
        folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (folder->fd < 0 || fstat(folder->fd, &st) < 0)
        return files_errno(swap->host, ctx, "open the folder", folder->path);
    folder->dev = st.st_dev;
    folder->ino = st.st_ino;
    return HF_OK;
}

static int busy(struct swap *swap, struct hf_ctx *ctx, const struct folder *folder)
{
    swap->host->fail(ctx, HF_E_BUSY, "another restore of this backup is at work in '%s'", TAR_SHOW(folder->path));
    return swap->host->hint(ctx, "wait for it to end");
}

static int make_beside(struct swap *swap, struct hf_ctx *ctx, struct folder *folder)
{
    if (remove_beside(folder->fd, swap->beside) < 0)
        return errno == EWOULDBLOCK
                   ? busy(swap, ctx, folder)
                   : files_errno(swap->host, ctx, "remove what a former restore left in", folder->path);
    if (mkdirat(folder->fd, swap->beside, 0700) < 0)
        return errno == EEXIST ? busy(swap, ctx, folder)
                               : files_errno(swap->host, ctx, "make a folder in", folder->path);
    int fd = openat(folder->fd, swap->beside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) { /* another one has it already: it is not ours to remove */
        close(fd);
        return busy(swap, ctx, folder);
    }
    folder->beside_fd = fd;
    return fd < 0 ? files_errno(swap->host, ctx, "open a folder in", folder->path) : HF_OK;
}

static int prepare_folder(struct swap *swap, struct hf_ctx *ctx, struct folder *folder)
{
    const struct hf_host *host = swap->host;
    int code = open_folder(swap, ctx, folder);
    if (code < 0)
        return code;
    for (const struct folder *other = swap->folders; other < folder; other++)
        if (other->dev == folder->dev && other->ino == folder->ino) { /* the same by another way */
            folder->beside_fd = fcntl(other->beside_fd, F_DUPFD_CLOEXEC, 0);
            return folder->beside_fd < 0 ? files_errno(host, ctx, "open a folder in", folder->path) : HF_OK;
        }
    sweep(swap, ctx, folder);
    return make_beside(swap, ctx, folder);
}

int swap_add_inside(struct swap *swap, struct hf_ctx *ctx, const char *path)
{
    size_t index;
    int code = find_folder(swap, ctx, path, &index);
    if (code == HF_OK)
        swap->folders[index].whole = true;
    return code;
}

int swap_inside_fd(const struct swap *swap)
{
    return swap->folders[0].beside_fd;
}

int swap_prepare(struct swap *swap, struct hf_ctx *ctx)
{
    int code = HF_OK;
    for (size_t i = 0; i < swap->folder_count && code == HF_OK; i++)
        code = prepare_folder(swap, ctx, &swap->folders[i]);
    return code;
}

int swap_fd(const struct swap *swap, size_t index)
{
    return swap->folders[swap->places[index].folder].beside_fd;
}

const char *swap_name(const struct swap *swap, size_t index)
{
    return swap->places[index].name;
}

/* A rename that never overwrites, also where the file system has no such thing: nobody else may use the names then. */
static int move_new(int from_fd, const char *from, int to_fd, const char *to)
{
    struct stat st;
    if (renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (fstatat(to_fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(from_fd, from, to_fd, to);
}

/* The new thing first takes the name that the former is kept under; then both change names in one step, so that a crash
 * at any moment loses neither. */
static int exchange(struct swap *swap, struct folder *folder, struct place *place)
{
    for (int n = 1;; n++) {
        char number[16] = "";
        if (n > 1)
            snprintf(number, sizeof(number), "-%d", n);
        free(place->before);
        place->before = NULL;
        if (asprintf(&place->before, "%s.before-%s%s", place->name, swap->id, number) < 0) {
            place->before = NULL;
            errno = ENOMEM;
            return -1;
        }
        if (move_new(folder->beside_fd, place->name, folder->fd, place->before) == 0)
            break;
        if (errno != EEXIST || n == MAX_BEFORE)
            return -1;
    }
    if (renameat2(folder->fd, place->before, folder->fd, place->name, RENAME_EXCHANGE) == 0) {
        place->state = PLACE_SWAPPED;
        return 0;
    }
    int saved = errno;
    if (move_new(folder->fd, place->before, folder->beside_fd, place->name) < 0)
        return -1;
    if (saved != EINVAL && saved != ENOSYS) {
        errno = saved;
        return -1;
    }
    /* Without an exchange there is a moment with neither in place. */
    if (move_new(folder->fd, place->name, folder->fd, place->before) < 0)
        return -1;
    if (move_new(folder->beside_fd, place->name, folder->fd, place->name) == 0) {
        place->state = PLACE_SWAPPED;
        return 0;
    }
    saved = errno;
    move_new(folder->fd, place->before, folder->fd, place->name);
    errno = saved;
    return -1;
}

static int commit_place(struct swap *swap, struct hf_ctx *ctx, struct place *place)
{
    struct folder *folder = &swap->folders[place->folder];
    struct stat st;
    if (fstatat(folder->beside_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? swap->host->finding(ctx, HF_WARNING, "nothing-restored", TAR_SHOW(place->path),
                                                     "the backup holds nothing of it; what is there was left alone")
                               : files_errno(swap->host, ctx, "look at", place->path);
    bool exists = fstatat(folder->fd, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (exists && swap->replace && exchange(swap, folder, place) < 0) {
        bool mounted = errno == EBUSY;
        int code = files_errno(swap->host, ctx, "replace", place->path);
        return mounted ? swap->host->hint(ctx, "a mount point cannot be replaced: empty it, or name a folder in it")
                       : code;
    }
    if (exists && swap->replace)
        return HF_OK;
    if (move_new(folder->beside_fd, place->name, folder->fd, place->name) < 0)
        return files_errno(swap->host, ctx, "put in place", place->path);
    place->state = PLACE_MOVED;
    return HF_OK;
}

static void take_back(struct swap *swap, struct hf_ctx *ctx, struct place *place)
{
    struct folder *folder = &swap->folders[place->folder];
    int r = 0;
    if (place->state == PLACE_MOVED)
        r = move_new(folder->fd, place->name, folder->beside_fd, place->name);
    if (place->state == PLACE_SWAPPED) {
        r = renameat2(folder->fd, place->before, folder->fd, place->name, RENAME_EXCHANGE);
        if (r == 0)
            r = move_new(folder->fd, place->before, folder->beside_fd, place->name);
    }
    if (r < 0)
        swap->host->log(ctx, HF_LOG_ERROR, "'%s' could not be put back: the former one is '%s'", TAR_SHOW(place->path),
                        place->before ? TAR_SHOW(place->before) : "gone");
    place->state = PLACE_WAITING;
}

static int sync_all(struct swap *swap, struct hf_ctx *ctx, bool contents)
{
    for (size_t i = 0; i < swap->folder_count; i++) {
        struct folder *folder = &swap->folders[i];
        if ((contents ? syncfs(folder->beside_fd) : fsync(folder->fd)) < 0)
            return files_errno(swap->host, ctx, "write to disk", folder->path);
    }
    return HF_OK;
}

/* Makes a place of each thing that was built in a folder that takes all. */
static int list_built(struct swap *swap, struct hf_ctx *ctx)
{
    int code = HF_OK;
    for (size_t i = 0; i < swap->folder_count && code == HF_OK; i++) {
        struct folder *folder = &swap->folders[i];
        if (!folder->whole)
            continue;
        int fd = openat(folder->beside_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir)
            return files_errno(swap->host, ctx, "open a folder in", folder->path);
        while (code == HF_OK) {
            errno = 0;
            struct dirent *entry = readdir(dir);
            char *path = NULL;
            if (!entry && !errno)
                break;
            if (!entry || asprintf(&path, "%s/%s", folder->path, entry->d_name) < 0)
                code = files_errno(swap->host, ctx, "list", folder->path);
            else if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                code = swap_add(swap, ctx, path);
            free(path);
        }
        closedir(dir);
    }
    return code;
}

int swap_commit(struct swap *swap, struct hf_ctx *ctx)
{
    int code = list_built(swap, ctx);
    if (code == HF_OK)
        code = sync_all(swap, ctx, true);
    size_t done = 0;
    while (code == HF_OK && done < swap->place_count)
        code = commit_place(swap, ctx, &swap->places[done++]);
    if (code == HF_OK)
        code = sync_all(swap, ctx, false);
    if (code < 0) {
        while (done-- > 0)
            take_back(swap, ctx, &swap->places[done]);
        return code;
    }
    swap->committed = true;
    for (size_t i = 0; i < swap->place_count; i++)
        if (swap->places[i].state == PLACE_SWAPPED)
            swap->host->log(ctx, HF_LOG_INFO, "the former '%s' is kept as '%s' beside it",
                            TAR_SHOW(swap->places[i].path), TAR_SHOW(swap->places[i].before));
    return HF_OK;
}

void swap_free(struct swap *swap, struct hf_ctx *ctx)
{
    if (!swap)
        return;
    for (size_t i = 0; i < swap->folder_count; i++) {
        struct folder *folder = &swap->folders[i];
        if (folder->beside_fd >= 0 && tar_remove_tree(folder->fd, swap->beside) < 0)
            swap->host->log(ctx, HF_LOG_WARNING, "'%s/%s' could not be removed", TAR_SHOW(folder->path), swap->beside);
        if (folder->beside_fd >= 0)
            close(folder->beside_fd);
        if (folder->fd >= 0)
            close(folder->fd);
        free(folder->path);
    }
    for (size_t i = swap->made_count; i-- > 0;) {
        if (!swap->committed)
            rmdir(swap->made[i]); /* somebody else may use it by now */
        free(swap->made[i]);
    }
    for (size_t i = 0; i < swap->place_count; i++) {
        free(swap->places[i].path);
        free(swap->places[i].before);
    }
    free(swap->made);
    free(swap->folders);
    free(swap->places);
    free(swap->id);
    free(swap);
}
