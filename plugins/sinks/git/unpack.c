/* SPDX-License-Identifier: Apache-2.0
 *
 * A tar artifact as a tree of git. Folders, files and symbolic links are what git knows; owners, times and attributes
 * stand in the artifact alone, which is what is restored. Nothing of the archive touches the file system.
 */
#include "git.h"
#include "tar_parts.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_SIZE = 256 << 10, SMALL_FILE = 1 << 20, GROWTH_MAX = 16 };

struct unpack {
    struct gs *self;
    struct hf_ctx *ctx;
    struct gs_blob *blob;
    struct gs_tree *tree;
    const char *key, *folder;
    struct archive *archive;
    uint64_t offset;   /* of the artifact, read so far            */
    uint64_t unpacked; /* of its files: bounded, as it may expand */
    char *piece;
    int code; /* why reading failed */
};

static la_ssize_t on_read(struct archive *archive, void *arg, const void **ret_data)
{
    struct unpack *unpack = arg;
    int64_t got = gs_blob_read(unpack->blob, unpack->ctx, unpack->offset, unpack->piece, PIECE_SIZE);
    if (got < 0 || gs_host->cancelled(unpack->ctx)) {
        unpack->code = got < 0 ? (int)got : HF_E_CANCELLED;
        archive_set_error(archive, EIO, "it cannot be read");
        return -1;
    }
    unpack->offset += (uint64_t)got;
    *ret_data = unpack->piece;
    return (la_ssize_t)got;
}

static int fail_archive(struct unpack *unpack)
{
    const char *why = archive_error_string(unpack->archive);
    if (unpack->code)
        return unpack->code;
    return gs_host->fail(unpack->ctx, HF_E_CORRUPT, "'%s' cannot be unpacked for the readable history: %s", unpack->key,
                         why ? why : "it is no tar");
}

/* All of an entry's bytes to `take`; zeros for its holes. */
static int each_piece(struct unpack *unpack, uint64_t size, int (*take)(void *, const char *, size_t), void *arg)
{
    static const char zeros[64 << 10];
    uint64_t at = 0;
    int rc = 0;
    while (rc == 0 && at < size) {
        const void *data = NULL;
        size_t used = 0;
        la_int64_t offset = 0;
        int r = archive_read_data_block(unpack->archive, &data, &used, &offset);
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN && r != ARCHIVE_EOF)
            return fail_archive(unpack);
        uint64_t until = r == ARCHIVE_EOF ? size : (uint64_t)offset;
        for (; rc == 0 && at < until && until <= size;) {
            size_t hole = until - at < sizeof(zeros) ? (size_t)(until - at) : sizeof(zeros);
            rc = take(arg, zeros, hole);
            at += hole;
        }
        if (r == ARCHIVE_EOF)
            break;
        if (until < at || used > size - at)
            return gs_host->fail(unpack->ctx, HF_E_CORRUPT, "'%s' is a tar whose sizes contradict each other",
                                 unpack->key);
        if (rc == 0)
            rc = take(arg, data, used);
        at += used;
    }
    return rc == 0 ? HF_OK : gs_fail(unpack->self, unpack->ctx, rc, "cannot store a file of '%s'", unpack->key);
}

struct memory {
    char *at;
};

static int to_memory(void *arg, const char *data, size_t size)
{
    struct memory *memory = arg;
    memcpy(memory->at, data, size);
    memory->at += size;
    return 0;
}

static int to_stream(void *arg, const char *data, size_t size)
{
    return git_odb_stream_write(arg, data, size);
}

/* A small one at once: what is there already, as most of a configuration is, is not written again. */
static int store_file(struct unpack *unpack, uint64_t size, git_oid *ret_oid)
{
    struct gs *self = unpack->self;
    git_odb *odb = NULL;
    git_odb_stream *stream = NULL;
    char *data = NULL;
    int rc = git_repository_odb(&odb, self->repo), status = HF_OK;
    if (rc == 0 && size <= SMALL_FILE) {
        data = malloc(size + 1);
        struct memory memory = {.at = data};
        status = data ? each_piece(unpack, size, to_memory, &memory) : gs_fail_nomem(unpack->ctx);
        if (status == HF_OK)
            rc = git_odb_write(ret_oid, odb, data, size, GIT_OBJECT_BLOB);
    } else if (rc == 0 && (rc = git_odb_open_wstream(&stream, odb, size, GIT_OBJECT_BLOB)) == 0) {
        status = each_piece(unpack, size, to_stream, stream);
        if (status == HF_OK)
            rc = git_odb_stream_finalize_write(ret_oid, stream);
    }
    if (rc != 0)
        status = gs_fail(self, unpack->ctx, rc, "cannot store a file of '%s'", unpack->key);
    free(data);
    git_odb_stream_free(stream);
    git_odb_free(odb);
    return status;
}

static int check_growth(struct unpack *unpack, uint64_t more)
{
    uint64_t most = unpack->self->max_object * GROWTH_MAX;
    if (more <= most && unpack->unpacked <= most - more) {
        unpack->unpacked += more;
        return HF_OK;
    }
    gs_host->fail(unpack->ctx, HF_E_REFUSED, "'%s' holds more than %llu MiB of files, too much for a readable history",
                  unpack->key, (unsigned long long)(most >> 20));
    return gs_host->hint(unpack->ctx, "store it in another sink (dir, s3), or raise max_object");
}

static int store_link(struct unpack *unpack, const char *target, git_oid *ret_oid)
{
    git_odb *odb = NULL;
    int rc = git_repository_odb(&odb, unpack->self->repo);
    if (rc == 0)
        rc = git_odb_write(ret_oid, odb, target, strlen(target), GIT_OBJECT_BLOB);
    git_odb_free(odb);
    return rc == 0 ? HF_OK : gs_fail(unpack->self, unpack->ctx, rc, "cannot store a link of '%s'", unpack->key);
}

/* The path beneath the artifact's folder; free it. */
static char *place(const struct unpack *unpack, const char *path)
{
    char *text = NULL;
    if (asprintf(&text, "%s%s%s", unpack->folder, *unpack->folder ? "/" : "", path) < 0)
        return NULL;
    return text;
}

/* A second name of a file. */
static int put_hard_link(struct unpack *unpack, const char *path, const char *target)
{
    git_oid oid;
    git_filemode_t mode;
    char *place_of_target = place(unpack, target);
    if (!place_of_target)
        return gs_fail_nomem(unpack->ctx);
    bool found = gs_tree_get(unpack->tree, place_of_target, &oid, &mode);
    free(place_of_target);
    return found ? gs_tree_put(unpack->tree, unpack->ctx, path, &oid, mode) : HF_OK;
}

static int put_entry(struct unpack *unpack, struct archive_entry *entry, const char *path)
{
    const char *hard = archive_entry_hardlink(entry), *soft = archive_entry_symlink(entry);
    mode_t mode = archive_entry_mode(entry);
    uint64_t size = archive_entry_size_is_set(entry) ? (uint64_t)archive_entry_size(entry) : 0;
    git_oid oid;
    int status = HF_OK;
    if (hard)
        return put_hard_link(unpack, path, hard);
    if (S_ISDIR(mode))
        return gs_tree_put(unpack->tree, unpack->ctx, path, NULL, GIT_FILEMODE_TREE);
    if (S_ISLNK(mode) && soft) {
        status = store_link(unpack, soft, &oid);
        return status == HF_OK ? gs_tree_put(unpack->tree, unpack->ctx, path, &oid, GIT_FILEMODE_LINK) : status;
    }
    if (!S_ISREG(mode))
        return HF_OK; /* git knows no pipes and devices */
    status = check_growth(unpack, size);
    if (status == HF_OK)
        status = store_file(unpack, size, &oid);
    git_filemode_t kind = mode & 0111 ? GIT_FILEMODE_BLOB_EXECUTABLE : GIT_FILEMODE_BLOB;
    return status == HF_OK ? gs_tree_put(unpack->tree, unpack->ctx, path, &oid, kind) : status;
}

static int each_entry(struct unpack *unpack)
{
    for (;;) {
        struct archive_entry *entry = NULL;
        /* In the C locale, names are handed over as the bytes that they are. */
        locale_t before = uselocale(tar_locale(TAR_PLAIN));
        int r = archive_read_next_header(unpack->archive, &entry);
        uselocale(before);
        if (r == ARCHIVE_EOF)
            return HF_OK;
        if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
            return fail_archive(unpack);
        const char *name = archive_entry_pathname(entry);
        char *path = name && *name != '/' ? place(unpack, name) : NULL;
        int status = HF_OK;
        if (name && *name == '/')
            return gs_tree_put(unpack->tree, unpack->ctx, name, NULL, GIT_FILEMODE_TREE); /* which says why not */
        if (!path)
            return name ? gs_fail_nomem(unpack->ctx) : fail_archive(unpack);
        status = put_entry(unpack, entry, path);
        free(path);
        if (status != HF_OK)
            return status;
    }
}

int gs_unpack(struct gs *self, struct hf_ctx *ctx, const char *key, const char *folder, struct gs_tree *tree)
{
    struct unpack unpack = {.self = self, .ctx = ctx, .tree = tree, .key = key, .folder = folder};
    git_oid oid;
    uint64_t bytes = 0;
    int status = gs_object_find(self, ctx, key, &oid, &bytes, NULL);
    if (status == HF_OK)
        status = gs_blob_hold(self, ctx, &oid, bytes, &unpack.blob);
    if (status != HF_OK)
        return status;
    unpack.piece = malloc(PIECE_SIZE);
    unpack.archive = archive_read_new();
    if (!unpack.piece || !unpack.archive)
        status = gs_fail_nomem(ctx);
    else if (archive_read_support_filter_gzip(unpack.archive) != ARCHIVE_OK ||
             archive_read_support_filter_zstd(unpack.archive) != ARCHIVE_OK ||
             archive_read_support_format_tar(unpack.archive) != ARCHIVE_OK ||
             archive_read_support_format_empty(unpack.archive) != ARCHIVE_OK ||
             archive_read_open(unpack.archive, &unpack, NULL, on_read, NULL) != ARCHIVE_OK)
        status = fail_archive(&unpack);
    if (status == HF_OK)
        status = each_entry(&unpack);
    archive_read_free(unpack.archive);
    free(unpack.piece);
    gs_blob_release(unpack.blob);
    return status;
}
