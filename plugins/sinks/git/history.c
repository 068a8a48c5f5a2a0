/* SPDX-License-Identifier: Apache-2.0
 *
 * The readable history: a branch for each profile, and on it a commit for each backup, of the files as they were. It
 * grows when a manifest becomes visible, and is never rewritten: what retention removes are refs of objects.
 */
#include "git.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char manifest_suffix[] = ".manifest.json";

static bool is_tar(const char *suffix)
{
    return !strcmp(suffix, ".tar") || !strcmp(suffix, ".tar.gz") || !strcmp(suffix, ".tar.zst");
}

/* Is the object an artifact of the manifest's backup that git can show? *ret_folder: where in the tree. Keys are
 * PROFILE[_ARTIFACT]_TIME.SUFFIX, or ARTIFACT_PROFILE_TIME.SUFFIX. */
static bool belongs(const struct gs_name *backup, const char *key, char *ret_folder)
{
    struct gs_name name;
    *ret_folder = 0;
    if (!gs_name_parse(key, &name) || strcmp(name.time, backup->time) != 0 || !is_tar(name.suffix))
        return false;
    size_t profile = strlen(backup->profile), length = (size_t)(name.suffix - key) - strlen(name.time) - 1;
    if (!strcmp(name.profile, backup->profile)) {
        if (length > profile)
            snprintf(ret_folder, GS_KEY_MAX + 1, "%.*s", (int)(length - profile - 1), key + profile + 1);
        return true;
    }
    if (length <= profile + 1 || strncmp(key + length - profile, backup->profile, profile) != 0 ||
        key[length - profile - 1] != '_')
        return false;
    snprintf(ret_folder, GS_KEY_MAX + 1, "%.*s", (int)(length - profile - 1), key);
    return true;
}

int gs_history_prepare(struct gs *self, struct hf_ctx *ctx, const char *key, git_oid *ret_tree, bool *ret_made)
{
    struct gs_name backup;
    struct gs_refs refs = {0};
    char folder[GS_KEY_MAX + 1];
    size_t tars = 0, left_out = 0;
    *ret_made = false;
    if (!gs_name_parse(key, &backup) || strcmp(backup.suffix, manifest_suffix) != 0)
        return HF_OK;
    struct gs_tree *tree = gs_tree_new();
    int status = tree ? gs_refs_find(self, ctx, GS_REFS_OBJECTS, "", &refs) : gs_fail_nomem(ctx);
    for (size_t i = 0; status == HF_OK && i < refs.count; i++) {
        if (!belongs(&backup, refs.items[i].key, folder))
            continue;
        tars++;
        status = gs_unpack(self, ctx, refs.items[i].key, folder, tree);
    }
    gs_refs_clear(&refs);
    if (status == HF_OK && tars > 0)
        status = gs_tree_write(self, ctx, tree, ret_tree, &left_out);
    gs_tree_free(tree);
    if (left_out > 0)
        gs_host->log(
            ctx, HF_LOG_WARNING,
            "%zu entries of '%.*s' have names that git does not keep, like '.git': they are in the artifact only",
            left_out, (int)(backup.suffix - key), key);
    *ret_made = status == HF_OK && tars > 0;
    return status;
}

/* *ret_commit NULL: the branch does not exist yet. */
static int find_tip(struct gs *self, const char *key, git_commit **ret_commit)
{
    char ref[GS_REF_MAX];
    git_oid oid;
    int rc = gs_branch_of(key, ref) ? git_reference_name_to_id(&oid, self->repo, ref) : GIT_EINVALIDSPEC;
    *ret_commit = NULL;
    if (rc == 0)
        rc = git_commit_lookup(ret_commit, self->repo, &oid);
    return rc == GIT_ENOTFOUND ? 0 : rc;
}

static int commit_tree(struct gs *self, const char *key, const git_oid *tree_oid, git_oid *ret_commit)
{
    struct gs_name backup;
    git_signature *author = NULL;
    git_commit *tip = NULL;
    git_tree *tree = NULL;
    char message[GS_KEY_MAX + 2];
    if (!gs_name_parse(key, &backup))
        return GIT_EINVALIDSPEC;
    snprintf(message, sizeof(message), "%.*s\n", (int)(backup.suffix - key), key);
    int rc = find_tip(self, key, &tip);
    if (rc == 0)
        rc = git_tree_lookup(&tree, self->repo, tree_oid);
    if (rc == 0)
        rc = git_signature_new(&author, self->author_name, self->author_email, (git_time_t)gs_name_seconds(&backup), 0);
    if (rc == 0)
        rc = git_commit_create(ret_commit, self->repo, NULL, author, author, NULL, message, tree, tip ? 1 : 0,
                               (const git_commit **)&tip);
    git_signature_free(author);
    git_tree_free(tree);
    git_commit_free(tip);
    return rc;
}

int gs_history_commit(struct gs *self, struct hf_ctx *ctx, const char *key, const git_oid *tree, git_oid *ret_commit)
{
    int rc = commit_tree(self, key, tree, ret_commit);
    return rc == 0 ? HF_OK : gs_fail(self, ctx, rc, "cannot make the commit of '%s' in '%s'", key, self->path);
}

int gs_history_advance(struct gs *self, const char *key, const git_oid *commit)
{
    char ref[GS_REF_MAX];
    git_reference *made = NULL;
    int rc = gs_branch_of(key, ref) ? git_reference_create(&made, self->repo, ref, commit, 1, NULL) : GIT_EINVALIDSPEC;
    git_reference_free(made);
    /* So that 'git log' and 'git clone' show something by themselves. */
    if (rc == 0 && git_repository_head_unborn(self->repo) == 1)
        rc = git_repository_set_head(self->repo, ref);
    return rc;
}

/* The manifest is visible: its commit goes onto the branch, unless it is there. */
static int resume(struct gs *self, const struct gs_ref *pending)
{
    git_commit *tip = NULL, *commit = NULL;
    git_oid oid = pending->oid;
    int rc = find_tip(self, pending->key, &tip);
    if (rc == 0)
        rc = git_commit_lookup(&commit, self->repo, &pending->oid);
    const git_oid *tip_oid = tip ? git_commit_id(tip) : NULL;
    bool there =
        rc == 0 && tip && (git_oid_equal(tip_oid, &oid) || git_graph_descendant_of(self->repo, tip_oid, &oid) == 1);
    bool fits =
        rc == 0 && (tip ? git_commit_parentcount(commit) == 1 && git_oid_equal(git_commit_parent_id(commit, 0), tip_oid)
                        : git_commit_parentcount(commit) == 0);
    if (rc == 0 && !there && !fits) /* the branch has moved on */
        rc = commit_tree(self, pending->key, git_commit_tree_id(commit), &oid);
    if (rc == 0 && !there)
        rc = gs_history_advance(self, pending->key, &oid);
    git_commit_free(commit);
    git_commit_free(tip);
    return rc;
}

int gs_history_resume(struct gs *self, struct hf_ctx *ctx, const char *prefix)
{
    struct gs_refs refs = {0};
    int status = gs_refs_find(self, ctx, GS_REFS_PENDING, prefix, &refs);
    for (size_t i = 0; status == HF_OK && i < refs.count; i++) {
        char ref[GS_REF_MAX];
        git_oid oid;
        gs_key_ref(GS_REFS_OBJECTS, refs.items[i].key, ref);
        int rc = git_reference_name_to_id(&oid, self->repo, ref);
        if (rc == 0)
            rc = resume(self, &refs.items[i]);
        if (rc != 0 && rc != GIT_ENOTFOUND)
            status = gs_fail(self, ctx, rc, "cannot bring the history of '%s' up to date", self->path);
        if (status == HF_OK)
            status = gs_ref_remove(self, ctx, refs.items[i].ref);
    }
    gs_refs_clear(&refs);
    return status;
}
