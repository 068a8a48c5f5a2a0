/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding, reading, listing and removing objects.
 */
#include "git.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct get {
    struct gs *self;
    struct gs_blob *blob;
    uint64_t offset, left;
    bool to_end;
    char key[GS_KEY_MAX + 1];
};

static int not_found(const struct gs *self, struct hf_ctx *ctx, const char *key)
{
    return gs_host->fail(ctx, HF_E_NOTFOUND, "there is no '%s' in '%s'", key, self->path);
}

/* The object's own commit gives its time, and its blob under the key. What libgit2 returns, GIT_EMISMATCH when the
 * commit holds no such blob; nothing is recorded. */
static int look(const struct gs *self, const char *key, const git_oid *oid, git_oid *ret_blob, uint64_t *ret_bytes,
                int64_t *ret_seconds)
{
    git_odb *odb = NULL;
    git_commit *commit = NULL;
    git_tree *tree = NULL;
    git_object_t type = GIT_OBJECT_INVALID;
    size_t bytes = 0;
    int rc = git_repository_odb(&odb, self->repo);
    if (rc == 0)
        rc = git_commit_lookup(&commit, self->repo, oid);
    if (rc == 0)
        rc = git_commit_tree(&tree, commit);
    const git_tree_entry *entry = rc == 0 ? git_tree_entry_byname(tree, key) : NULL;
    if (entry) {
        *ret_blob = *git_tree_entry_id(entry);
        rc = git_odb_read_header(&bytes, &type, odb, ret_blob);
        if (ret_seconds)
            *ret_seconds = (int64_t)git_commit_time(commit);
    }
    git_tree_free(tree);
    git_commit_free(commit);
    git_odb_free(odb);
    if (rc == 0 && type != GIT_OBJECT_BLOB) {
        git_error_set_str(GIT_ERROR_REFERENCE, "its ref names no commit that holds it");
        rc = GIT_EMISMATCH;
    }
    if (rc == 0)
        *ret_bytes = bytes;
    return rc;
}

int gs_object_look(struct gs *self, struct hf_ctx *ctx, const char *key, const git_oid *oid, git_oid *ret_blob,
                   uint64_t *ret_bytes, int64_t *ret_seconds)
{
    int rc = look(self, key, oid, ret_blob, ret_bytes, ret_seconds);
    return rc == 0 ? HF_OK : gs_fail(self, ctx, rc, "'%s' of '%s' cannot be read", key, self->path);
}

int gs_object_find(struct gs *self, struct hf_ctx *ctx, const char *key, git_oid *ret_blob, uint64_t *ret_bytes,
                   int64_t *ret_seconds)
{
    char ref[GS_REF_MAX];
    git_oid oid;
    int status = gs_key_check(ctx, key);
    if (status == HF_OK)
        status = gs_repo_open(self, ctx, false);
    if (status == HF_E_NOTFOUND)
        return not_found(self, ctx, key);
    if (status != HF_OK)
        return status;
    gs_key_ref(GS_REFS_OBJECTS, key, ref);
    int rc = git_reference_name_to_id(&oid, self->repo, ref);
    if (rc == GIT_ENOTFOUND)
        return not_found(self, ctx, key);
    if (rc != 0)
        return gs_fail(self, ctx, rc, "cannot look for '%s' in '%s'", key, self->path);
    return gs_object_look(self, ctx, key, &oid, ret_blob, ret_bytes, ret_seconds);
}

int gs_get_begin(void *opaque, struct hf_ctx *ctx, const char *key, uint64_t offset, uint64_t length, void **ret_get)
{
    struct gs *self = opaque;
    git_oid oid;
    uint64_t bytes = 0;
    int status = gs_object_find(self, ctx, key, &oid, &bytes, NULL);
    if (status != HF_OK)
        return status;
    if (offset > bytes || (length != UINT64_MAX && length > bytes - offset))
        return gs_host->fail(ctx, HF_E_CORRUPT, "'%s' of '%s' ends at byte %llu, too early", key, self->path,
                             (unsigned long long)bytes);
    struct get *get = calloc(1, sizeof(*get));
    if (!get)
        return gs_fail_nomem(ctx);
    get->self = self;
    get->offset = offset;
    get->left = length == UINT64_MAX ? bytes - offset : length;
    snprintf(get->key, sizeof(get->key), "%s", key);
    status = gs_blob_hold(self, ctx, &oid, bytes, &get->blob);
    if (status != HF_OK) {
        free(get);
        return status;
    }
    *ret_get = get;
    return HF_OK;
}

int64_t gs_get_read(void *opaque, struct hf_ctx *ctx, void *data, size_t size)
{
    struct get *get = opaque;
    if (size > get->left)
        size = (size_t)get->left;
    if (size == 0)
        return 0;
    int64_t got = gs_blob_read(get->blob, ctx, get->offset, data, size);
    if (got == 0)
        return gs_host->fail(ctx, HF_E_CORRUPT, "'%s' of '%s' ends too early", get->key, get->self->path);
    if (got > 0) {
        get->offset += (uint64_t)got;
        get->left -= (uint64_t)got;
    }
    return got;
}

void gs_get_end(void *opaque)
{
    struct get *get = opaque;
    if (!get)
        return;
    gs_blob_release(get->blob);
    free(get);
}

int gs_stat(void *opaque, struct hf_ctx *ctx, const char *key, struct hf_object *ret_object)
{
    git_oid oid;
    uint64_t bytes = 0;
    int64_t seconds = 0;
    int status = gs_object_find(opaque, ctx, key, &oid, &bytes, &seconds);
    if (status == HF_OK) {
        ret_object->key = key;
        ret_object->bytes = bytes;
        ret_object->modified_ms = seconds * 1000;
    }
    return status;
}

int gs_list(void *opaque, struct hf_ctx *ctx, const char *prefix, int (*each)(void *, const struct hf_object *),
            void *arg)
{
    struct gs *self = opaque;
    struct gs_refs refs = {0};
    int status = gs_repo_open(self, ctx, false);
    if (status != HF_OK)
        return status == HF_E_NOTFOUND ? HF_OK : status;
    status = gs_refs_find(self, ctx, GS_REFS_OBJECTS, prefix, &refs);
    for (size_t i = 0; status == HF_OK && i < refs.count; i++) {
        struct hf_object object = {.size = sizeof(object), .key = refs.items[i].key};
        int64_t seconds = 0;
        git_oid oid;
        int rc = look(self, object.key, &refs.items[i].oid, &oid, &object.bytes, &seconds);
        /* One that is damaged must not keep anybody from the others: it is there, and empty. */
        if (rc != 0 && gs_code(rc) == HF_E_CORRUPT)
            gs_warn(ctx, "'%s' of '%s' is damaged", object.key, self->path);
        else if (rc != 0)
            status = gs_fail(self, ctx, rc, "'%s' of '%s' cannot be read", object.key, self->path);
        object.modified_ms = seconds * 1000;
        if (status == HF_OK)
            status = each(arg, &object);
    }
    gs_refs_clear(&refs);
    return status;
}

int gs_remove(void *opaque, struct hf_ctx *ctx, const char *key)
{
    struct gs *self = opaque;
    char ref[GS_REF_MAX];
    int lock = -1, status = gs_key_check(ctx, key);
    if (status == HF_OK)
        status = gs_repo_open(self, ctx, false);
    if (status != HF_OK)
        return status == HF_E_NOTFOUND ? HF_OK : status;
    gs_key_ref(GS_REFS_OBJECTS, key, ref);
    status = gs_lock(self, ctx, &lock);
    /* The remote first: a crash in between, and the next run fetches nothing back that was to go. */
    if (status == HF_OK && self->remote)
        status = gs_remote_remove(self, ctx, key);
    if (status == HF_OK)
        status = gs_ref_remove(self, ctx, ref);
    gs_unlock(&lock);
    return status;
}
