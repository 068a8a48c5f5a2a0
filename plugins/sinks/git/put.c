/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing an object: into a temporary file, since git wants to know a blob's size before its first byte; then as a blob
 * and a tag, which nothing names and nobody sees; then its ref.
 */
#include "git.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct put {
    struct gs *self;
    int fd;
    uint64_t bytes;
    bool prepared, has_tree; /* has_tree: a commit goes with it */
    git_oid object, tree;
    char key[GS_KEY_MAX + 1], media[128];
};

static int fail_large(const struct gs *self, struct hf_ctx *ctx, const char *key)
{
    gs_host->fail(ctx, HF_E_REFUSED, "'%s' is larger than max_object, %llu MiB, and git is not made for large objects",
                  key, (unsigned long long)(self->max_object >> 20));
    return gs_host->hint(ctx, "store it in another sink (dir, s3), leave large files out of the source, or raise "
                              "max_object");
}

static int check_free(struct put *put, struct hf_ctx *ctx)
{
    char ref[GS_REF_MAX];
    git_oid oid;
    gs_key_ref(GS_REFS_OBJECTS, put->key, ref);
    int rc = git_reference_name_to_id(&oid, put->self->repo, ref);
    if (rc == 0)
        return gs_host->fail(ctx, HF_E_EXISTS, "'%s' exists already in '%s'", put->key, put->self->path);
    return rc == GIT_ENOTFOUND ? HF_OK
                               : gs_fail(put->self, ctx, rc, "cannot look for '%s' in '%s'", put->key, put->self->path);
}

static void put_free(struct put *put)
{
    if (put->fd >= 0)
        (void)close(put->fd); /* it has no name */
    free(put);
}

int gs_put_begin(void *opaque, struct hf_ctx *ctx, const struct hf_put_request *request, void **ret_put)
{
    struct gs *self = opaque;
    int status = gs_key_check(ctx, request->key);
    if (status == HF_OK && request->size_hint > self->max_object)
        status = fail_large(self, ctx, request->key);
    if (status == HF_OK)
        status = gs_repo_open(self, ctx, true);
    if (status != HF_OK)
        return status;
    struct put *put = calloc(1, sizeof(*put));
    if (!put)
        return gs_fail_nomem(ctx);
    put->self = self;
    put->fd = -1;
    snprintf(put->key, sizeof(put->key), "%s", request->key);
    snprintf(put->media, sizeof(put->media), "%s", request->media ? request->media : "application/octet-stream");
    status = check_free(put, ctx);
    if (status == HF_OK)
        status = gs_temp_file(ctx, &put->fd);
    if (status != HF_OK) {
        put_free(put);
        return status;
    }
    *ret_put = put;
    return HF_OK;
}

int gs_put_write(void *opaque, struct hf_ctx *ctx, const struct hf_block *block)
{
    struct put *put = opaque;
    const unsigned char *data = block->data;
    if (block->used > put->self->max_object - put->bytes)
        return fail_large(put->self, ctx, put->key);
    for (size_t left = block->used; left > 0;) {
        ssize_t wrote = write(put->fd, data, left);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return gs_host->fail(ctx, errno == ENOSPC ? HF_E_NOSPACE : HF_E_IO,
                                 "cannot write '%s' to temp_dir, where it is put together: %s", put->key,
                                 strerror(errno));
        data += wrote;
        left -= (size_t)wrote;
        put->bytes += (uint64_t)wrote;
    }
    return HF_OK;
}

/* What the ref names: a commit of one file, the object, so that every tool of git can fetch, show and keep it. */
static int make_commit(struct put *put, struct hf_ctx *ctx, const git_oid *blob)
{
    const struct gs *self = put->self;
    char message[GS_KEY_MAX + 256];
    git_treebuilder *builder = NULL;
    git_signature *author = NULL;
    git_tree *tree = NULL;
    git_oid oid;
    snprintf(message, sizeof(message), "%s\n\n%s, %llu bytes\n", put->key, put->media, (unsigned long long)put->bytes);
    int rc = git_treebuilder_new(&builder, self->repo, NULL);
    if (rc == 0)
        rc = git_treebuilder_insert(NULL, builder, put->key, blob, GIT_FILEMODE_BLOB);
    if (rc == 0)
        rc = git_treebuilder_write(&oid, builder);
    if (rc == 0)
        rc = git_tree_lookup(&tree, self->repo, &oid);
    if (rc == 0)
        rc = git_signature_new(&author, self->author_name, self->author_email, (git_time_t)time(NULL), 0);
    if (rc == 0)
        rc = git_commit_create(&put->object, self->repo, NULL, author, author, NULL, message, tree, 0, NULL);
    git_signature_free(author);
    git_tree_free(tree);
    git_treebuilder_free(builder);
    return rc == 0 ? HF_OK : gs_fail(put->self, ctx, rc, "cannot store '%s' in '%s'", put->key, self->path);
}

int gs_put_prepare(void *opaque, struct hf_ctx *ctx)
{
    struct put *put = opaque;
    git_oid blob;
    int status = gs_blob_store(put->self, ctx, put->fd, put->bytes, &blob);
    if (status == HF_OK)
        status = make_commit(put, ctx, &blob);
    if (status == HF_OK)
        status = gs_history_prepare(put->self, ctx, put->key, &put->tree, &put->has_tree);
    put->prepared = status == HF_OK;
    return status;
}

/* With the lock held. What a crash leaves between the steps, the next run finishes (the commit is pending) or removes.
 */
static int publish(struct put *put, struct hf_ctx *ctx)
{
    struct gs *self = put->self;
    char ref[GS_REF_MAX], pending[GS_REF_MAX];
    git_reference *made = NULL;
    git_oid commit;
    int status = check_free(put, ctx), rc;
    gs_key_ref(GS_REFS_OBJECTS, put->key, ref);
    gs_key_ref(GS_REFS_PENDING, put->key, pending);
    if (status == HF_OK && put->has_tree)
        status = gs_history_commit(self, ctx, put->key, &put->tree, &commit);
    if (status == HF_OK && self->remote)
        status = gs_remote_put(self, ctx, put->key, &put->object, put->has_tree ? &commit : NULL);
    if (status == HF_OK && put->has_tree) {
        rc = git_reference_create(&made, self->repo, pending, &commit, 1, NULL);
        status = rc == 0 ? HF_OK : gs_fail(self, ctx, rc, "cannot make '%s' in '%s'", pending, self->path);
        git_reference_free(made);
        made = NULL;
    }
    if (status == HF_OK) {
        rc = git_reference_create(&made, self->repo, ref, &put->object, 0, NULL);
        status = rc == 0 ? HF_OK : gs_fail(self, ctx, rc, "cannot make '%s' visible in '%s'", put->key, self->path);
        git_reference_free(made);
    }
    if (status != HF_OK || !put->has_tree)
        return status;
    /* It is visible. A history that lags behind is no reason to take it back: the next run brings it up. */
    if (gs_history_advance(self, put->key, &commit) != 0 || (rc = git_reference_remove(self->repo, pending)) != 0)
        gs_warn(ctx, "the history of '%s' lags behind, until the next run", self->path);
    return HF_OK;
}

int gs_put_commit(void *opaque, struct hf_ctx *ctx)
{
    struct put *put = opaque;
    int lock = -1, status = put->prepared ? HF_OK : gs_put_prepare(put, ctx);
    if (status == HF_OK)
        status = gs_lock(put->self, ctx, &lock);
    if (status == HF_OK)
        status = publish(put, ctx);
    gs_unlock(&lock);
    if (status == HF_OK)
        put_free(put);
    return status;
}

void gs_put_abort(void *opaque, struct hf_ctx *ctx)
{
    (void)ctx;
    put_free(opaque);
}
