/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing an object. libs3 wants to know a body's length before its first byte, so what is written waits in a file of
 * the run's temporary folder: the whole object while it is small, and each segment of a larger one, which is stored as
 * soon as it is full.
 */
#include "ls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

struct put {
    struct ls *self;
    char key[LS_KEY_MAX + 1], owner[LS_KEY_MAX + 1], id[LS_ID + 1], media[128];
    bool passing; /* a record, whose key is claimed */
    char *temp;   /* the file's name                           */
    FILE *file;   /* NULL once prepared                        */
    uint64_t waiting, bytes;
    uint64_t count;          /* segments that are stored               */
    char (*md5)[LS_MD5_HEX]; /* theirs */
};

static void put_free(struct put *put)
{
    if (put->file)
        (void)fclose(put->file); /* thrown away */
    if (put->temp)
        (void)unlink(put->temp); /* the folder goes anyway */
    free(put->temp);
    free(put->md5);
    free(put);
}

/* Segments that a failed put leaves; those that stay, the next sweep takes. */
static void drop_segments(struct put *put, struct hf_ctx *ctx)
{
    char path[LS_PATH_MAX];
    for (uint64_t i = 0; i < put->count; i++) {
        ls_segment_path(put->self, put->owner, put->id, i, path);
        if (ls_delete(put->self, ctx, path) == HF_OK)
            continue;
        ls_host->log(ctx, HF_LOG_WARNING, "cannot remove '%s': the next run will", path);
        return;
    }
}

void ls_put_abort(void *opaque, struct hf_ctx *ctx)
{
    struct put *put = opaque;
    drop_segments(put, ctx);
    put_free(put);
}

static int open_temp(struct put *put, struct hf_ctx *ctx)
{
    const char *folder = ls_host->tempdir(ctx);
    if (!folder)
        return HF_E_IO; /* the reason is recorded */
    if (asprintf(&put->temp, "%s/libs3.XXXXXX", folder) < 0) {
        put->temp = NULL;
        return ls_fail_nomem(ctx);
    }
    int fd = mkostemp(put->temp, O_CLOEXEC);
    put->file = fd >= 0 ? fdopen(fd, "w+b") : NULL;
    if (put->file)
        return HF_OK;
    if (fd >= 0)
        (void)close(fd);
    return ls_host->fail(ctx, HF_E_IO, "cannot make a file in '%s': %s", folder, strerror(errno));
}

static int fail_exists(const struct put *put, struct hf_ctx *ctx)
{
    return ls_host->fail(ctx, HF_E_EXISTS, "'%s/%s%s' exists already", put->self->bucket, put->self->prefix, put->key);
}

static int check_free(struct put *put, struct hf_ctx *ctx)
{
    struct ls_name name;
    struct ls_look look;
    int status = ls_find(put->self, ctx, put->key, &name, &look);
    return status == HF_OK ? fail_exists(put, ctx) : status == HF_E_NOTFOUND ? HF_OK : status;
}

static int choose_id(struct put *put, struct hf_ctx *ctx)
{
    unsigned char random[LS_ID / 2];
    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return ls_host->fail(ctx, HF_E_FAIL, "cannot get random bytes: %s", strerror(errno));
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(put->id + 2 * i, 3, "%02x", random[i]);
    return HF_OK;
}

int ls_put_begin(void *opaque, struct hf_ctx *ctx, const struct hf_put_request *request, void **ret_put)
{
    const char *owner = HF_HAS(request, owner) ? request->owner : request->key;
    int status = ls_key_check(ctx, request->key);
    if (status == HF_OK)
        status = ls_key_check(ctx, owner);
    struct put *put = status == HF_OK ? calloc(1, sizeof(*put)) : NULL;
    if (!put)
        return status == HF_OK ? ls_fail_nomem(ctx) : status;
    put->self = opaque;
    snprintf(put->key, sizeof(put->key), "%s", request->key);
    snprintf(put->owner, sizeof(put->owner), "%s", owner);
    put->passing = request->flags & HF_PUT_PASSING;
    snprintf(put->media, sizeof(put->media), "%s", request->media ? request->media : "application/octet-stream");
    status = choose_id(put, ctx);
    if (status == HF_OK)
        status = check_free(put, ctx);
    if (status == HF_OK)
        status = open_temp(put, ctx);
    if (status != HF_OK) {
        put_free(put);
        return status;
    }
    *ret_put = put;
    return HF_OK;
}

static int note_md5(struct put *put, struct hf_ctx *ctx, const char *path)
{
    struct ls_look look;
    if (put->count % 1024 == 0) {
        void *more = reallocarray(put->md5, put->count + 1024, sizeof(*put->md5));
        if (!more)
            return ls_fail_nomem(ctx);
        put->md5 = more;
    }
    int status = ls_head(put->self, ctx, path, &look);
    if (status == HF_E_NOTFOUND)
        return ls_host->fail(ctx, HF_E_IO, "'%s/%s' is gone again", put->self->bucket, path);
    if (status == HF_OK)
        snprintf(put->md5[put->count], LS_MD5_HEX, "%.32s", ls_is_md5(look.etag) ? look.etag : "-");
    return status;
}

static int store_segment(struct put *put, struct hf_ctx *ctx)
{
    char path[LS_PATH_MAX];
    if (put->count == LS_SEGMENTS_MAX)
        return ls_host->fail(ctx, HF_E_REFUSED, "'%s' would have more than %d segments: raise segment", put->key,
                             LS_SEGMENTS_MAX);
    ls_segment_path(put->self, put->owner, put->id, put->count, path);
    int status = ls_store(put->self, ctx, path, put->file, put->waiting, "application/octet-stream");
    if (status == HF_OK)
        status = note_md5(put, ctx, path);
    if (status != HF_OK)
        return status;
    put->count++;
    put->waiting = 0;
    rewind(put->file);
    if (ftruncate(fileno(put->file), 0) != 0)
        return ls_host->fail(ctx, HF_E_IO, "cannot empty '%s': %s", put->temp, strerror(errno));
    return HF_OK;
}

int ls_put_write(void *opaque, struct hf_ctx *ctx, const struct hf_block *block)
{
    struct put *put = opaque;
    size_t used = 0;
    while (used < block->used) {
        if (put->waiting == put->self->segment) {
            int status = store_segment(put, ctx);
            if (status != HF_OK)
                return status;
        }
        size_t piece = block->used - used;
        if (piece > put->self->segment - put->waiting)
            piece = (size_t)(put->self->segment - put->waiting);
        if (fwrite(block->data + used, 1, piece, put->file) != piece)
            return ls_host->fail(ctx, errno == ENOSPC ? HF_E_NOSPACE : HF_E_IO,
                                 "cannot write to temp_dir, where segments of '%s' are put together: %s", put->key,
                                 strerror(errno));
        used += piece;
        put->waiting += piece;
        put->bytes += piece;
    }
    return HF_OK;
}

/* What is small waits, without a descriptor, for its commit. */
int ls_put_prepare(void *opaque, struct hf_ctx *ctx)
{
    struct put *put = opaque;
    if (put->count > 0 && put->waiting > 0) {
        int status = store_segment(put, ctx);
        if (status != HF_OK)
            return status;
    }
    FILE *file = put->file;
    put->file = NULL;
    if (fclose(file) != 0)
        return ls_host->fail(ctx, errno == ENOSPC ? HF_E_NOSPACE : HF_E_IO, "cannot write to temp_dir: %s",
                             strerror(errno));
    return HF_OK;
}

struct search {
    const struct put *put;
    uint64_t count;
};

static int count_segment(void *arg, const char *name, uint64_t bytes, int64_t modified)
{
    struct search *search = arg;
    struct ls_name item;
    (void)bytes, (void)modified;
    ls_name_parse(name, &item);
    search->count += item.kind == LS_SEGMENT && !strcmp(item.id, search->put->id);
    return 0;
}

/* A run of another machine may have swept them, when this one has taken longer than its sweep_after. */
static int check_segments(struct put *put, struct hf_ctx *ctx)
{
    char start[LS_KEY_MAX + 32];
    struct search search = {.put = put};
    snprintf(start, sizeof(start), "%s.segment-%s-", put->owner, put->id);
    int status = ls_each(put->self, ctx, start, count_segment, &search);
    if (status != HF_OK || search.count == put->count)
        return status;
    ls_host->fail(ctx, HF_E_IO, "of the %llu segments of '%s' %llu are there: another run has removed the others",
                  (unsigned long long)put->count, put->key, (unsigned long long)search.count);
    return ls_host->hint(ctx, "raise sweep_after above the time that the longest run takes, on all machines that write "
                              "to the same place");
}

static int commit_index(struct put *put, struct hf_ctx *ctx)
{
    struct ls_index index = {.segment = put->self->segment, .count = put->count, .bytes = put->bytes};
    char path[LS_PATH_MAX];
    uint64_t size = 0;
    FILE *file = NULL;
    snprintf(index.owner, sizeof(index.owner), "%s", put->owner);
    ls_index_path(put->self, put->key, put->id, put->count, put->bytes, path);
    int status = check_segments(put, ctx);
    if (status == HF_OK)
        status = ls_index_write(&index, ctx, (const char(*)[LS_MD5_HEX])put->md5, &file, &size);
    if (status != HF_OK)
        return status;
    status = ls_store(put->self, ctx, path, file, size, "text/plain");
    (void)fclose(file); /* read from */
    return status;
}

static int commit_plain(struct put *put, struct hf_ctx *ctx)
{
    char path[LS_PATH_MAX];
    FILE *file = fopen(put->temp, "rbe");
    if (!file)
        return ls_host->fail(ctx, HF_E_IO, "cannot open '%s': %s", put->temp, strerror(errno));
    ls_path(put->self, put->key, path);
    int status = ls_store(put->self, ctx, path, file, put->bytes, put->media);
    (void)fclose(file); /* read from */
    return status;
}

/* libs3 can make no PUT depend on anything: it is looked at once more. Another run of the same name has yielded at the
 * record that both begin with. */
int ls_put_commit(void *opaque, struct hf_ctx *ctx)
{
    struct put *put = opaque;
    char claim[LS_PATH_MAX];
    int status = put->file ? ls_put_prepare(put, ctx) : HF_OK;
    if (status == HF_OK)
        status = put->passing ? ls_claim(put->self, ctx, put->key, put->id + LS_ID / 2, claim) : check_free(put, ctx);
    bool claimed = status == HF_OK && put->passing;
    if (status == HF_OK)
        status = put->count > 0 ? commit_index(put, ctx) : commit_plain(put, ctx);
    if (claimed)
        ls_claim_end(put->self, ctx, claim);
    if (status == HF_OK)
        put_free(put);
    return status;
}
