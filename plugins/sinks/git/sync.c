/* SPDX-License-Identifier: Apache-2.0
 *
 * At the beginning of a run: what crashed runs left is tidied up, and the two repositories are brought in step. What
 * one has and the other has not, the other gets: a crash can leave an object in the remote alone, and a new remote has
 * none at all. Objects are named here only once all of them have come, manifests last, so that a backup is never half
 * visible.
 */
#include "git.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { EXPLICIT_MAX = 500, LEFTOVER_AGE = 24 * 3600 };

struct list {
    char **items;
    size_t count, room;
};

static void list_clear(struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
}

static int list_add(struct list *list, struct hf_ctx *ctx, const char *from, const char *to)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 16;
        char **items = reallocarray(list->items, room, sizeof(*items));
        if (!items)
            return gs_fail_nomem(ctx);
        list->items = items;
        list->room = room;
    }
    if (asprintf(&list->items[list->count], "%s:%s", from, to) < 0)
        return gs_fail_nomem(ctx);
    list->count++;
    return HF_OK;
}

static bool is_manifest(const char *key)
{
    size_t length = strlen(key), suffix = strlen(".manifest.json");
    return length > suffix && !strcmp(key + length - suffix, ".manifest.json");
}

static int compare_key(const void *key, const void *item)
{
    return strcmp(key, ((const struct gs_ref *)item)->key);
}

static const struct gs_ref *find(const struct gs_refs *refs, const char *key)
{
    return refs->count ? bsearch(key, refs->items, refs->count, sizeof(*refs->items), compare_key) : NULL;
}

/* What the remote has and we have not. Many are asked for by a pattern. */
static int list_missing(struct gs_talk *talk, const struct gs_refs *ours, struct list *list)
{
    const git_remote_head **heads = NULL;
    size_t count = 0, missing = 0;
    char key[GS_KEY_MAX + 1], to[GS_REF_MAX];
    int status = gs_talk_refs(talk, &heads, &count);
    for (size_t i = 0; status == HF_OK && i < count && missing < EXPLICIT_MAX; i++) {
        if (gs_ref_key(GS_REFS_BRANCHES, heads[i]->name, key))
            gs_key_ref(GS_REFS_FETCHED_BRANCH, key, to);
        else if (gs_ref_key(GS_REFS_OBJECTS, heads[i]->name, key) && !find(ours, key))
            gs_key_ref(GS_REFS_FETCHED, key, to);
        else
            continue;
        char from[GS_REF_MAX + 1] = "+";
        strncat(from, heads[i]->name, GS_REF_MAX - 1);
        status = list_add(list, talk->ctx, from, to);
        missing++;
    }
    if (status != HF_OK || missing < EXPLICIT_MAX)
        return status;
    list_clear(list);
    *list = (struct list){0};
    status = list_add(list, talk->ctx, "+" GS_REFS_OBJECTS "*", GS_REFS_FETCHED "*");
    return status == HF_OK ? list_add(list, talk->ctx, "+" GS_REFS_BRANCHES "*", GS_REFS_FETCHED_BRANCH "*") : status;
}

static int name_fetched(struct gs *self, struct hf_ctx *ctx, const struct gs_refs *fetched, const struct gs_refs *ours,
                        bool manifests)
{
    for (size_t i = 0; i < fetched->count; i++) {
        const struct gs_ref *item = &fetched->items[i];
        git_reference *made = NULL;
        char ref[GS_REF_MAX];
        if (is_manifest(item->key) != manifests || find(ours, item->key))
            continue;
        gs_key_ref(GS_REFS_OBJECTS, item->key, ref);
        int rc = git_reference_create(&made, self->repo, ref, &item->oid, 0, NULL);
        git_reference_free(made);
        if (rc != 0)
            return gs_fail(self, ctx, rc, "cannot make '%s' visible in '%s'", item->key, self->path);
        gs_host->log(ctx, HF_LOG_INFO, "fetched '%s' from '%s'", item->key, self->remote);
    }
    return HF_OK;
}

static int drop_all(struct gs *self, struct hf_ctx *ctx, const char *folder, const char *prefix)
{
    struct gs_refs refs = {0};
    int status = gs_refs_find(self, ctx, folder, prefix, &refs);
    for (size_t i = 0; status == HF_OK && i < refs.count; i++)
        status = gs_ref_remove(self, ctx, refs.items[i].ref);
    gs_refs_clear(&refs);
    return status;
}

/* A branch of ours that the remote's continues goes on there. One that continues the remote's is pushed, if it is asked
 * for; of two that part, each stays as it is. */
static int match_branch(struct gs *self, struct hf_ctx *ctx, const struct gs_ref *theirs, bool *ret_ahead)
{
    char ref[GS_REF_MAX];
    git_oid ours;
    *ret_ahead = false;
    gs_key_ref(GS_REFS_BRANCHES, theirs->key, ref);
    int rc = git_reference_name_to_id(&ours, self->repo, ref);
    if (rc == 0 && git_oid_equal(&ours, &theirs->oid))
        return HF_OK;
    if (rc == 0 && git_graph_descendant_of(self->repo, &ours, &theirs->oid) == 1) {
        *ret_ahead = true;
        return HF_OK;
    }
    if (rc == 0 && git_graph_descendant_of(self->repo, &theirs->oid, &ours) != 1) {
        gs_host->log(ctx, HF_LOG_WARNING,
                     "the branch 'holdfast/%s' here and that of '%s' have parted: new commits stay here, until one "
                     "is chosen, theirs by: git -C '%s' fetch '%s' '+holdfast/%s:holdfast/%s'",
                     theirs->key, self->remote, self->path, self->remote, theirs->key, theirs->key);
        return HF_OK;
    }
    if (rc == 0 || rc == GIT_ENOTFOUND) {
        git_reference *made = NULL;
        rc = git_reference_create(&made, self->repo, ref, &theirs->oid, 1, NULL);
        git_reference_free(made);
        if (rc == 0 && git_repository_head_unborn(self->repo) == 1)
            rc = git_repository_set_head(self->repo, ref);
    }
    return rc == 0 ? HF_OK : gs_fail(self, ctx, rc, "cannot move '%s' of '%s'", ref, self->path);
}

static int take_fetched(struct gs *self, struct hf_ctx *ctx, const struct gs_refs *ours)
{
    struct gs_refs fetched = {0}, branches = {0};
    int status = gs_refs_find(self, ctx, GS_REFS_FETCHED, "", &fetched);
    if (status == HF_OK)
        status = gs_refs_find(self, ctx, GS_REFS_FETCHED_BRANCH, "", &branches);
    for (size_t i = 0; status == HF_OK && i < branches.count; i++) {
        bool ahead;
        status = match_branch(self, ctx, &branches.items[i], &ahead);
    }
    for (int manifests = 0; status == HF_OK && manifests < 2; manifests++)
        status = name_fetched(self, ctx, &fetched, ours, manifests);
    gs_refs_clear(&fetched);
    gs_refs_clear(&branches);
    if (status == HF_OK)
        status = drop_all(self, ctx, GS_REFS_FETCHED, "");
    return status == HF_OK ? drop_all(self, ctx, GS_REFS_FETCHED_BRANCH, "") : status;
}

static int fetch(struct gs *self, struct hf_ctx *ctx, const struct gs_refs *ours, struct gs_talk *talk)
{
    struct list list = {0};
    int status = list_missing(talk, ours, &list);
    if (status == HF_OK && list.count > 0)
        status = gs_talk_fetch(talk, list.items, list.count);
    if (status == HF_OK)
        status = take_fetched(self, ctx, ours);
    list_clear(&list);
    return status;
}

/* What we have beneath prefix and the remote has not, manifests last; and the branch, when it is ahead. */
static int list_lacking(struct gs *self, struct gs_talk *talk, const struct gs_refs *ours, const char *prefix,
                        struct list *list, char *branch)
{
    git_oid oid, tip;
    int status = HF_OK;
    for (int manifests = 0; manifests < 2; manifests++)
        for (size_t i = 0; status == HF_OK && i < ours->count; i++) {
            const struct gs_ref *item = &ours->items[i];
            if (strncmp(item->key, prefix, strlen(prefix)) == 0 && is_manifest(item->key) == manifests &&
                !gs_talk_has(talk, item->ref, &oid))
                status = list_add(list, talk->ctx, item->ref, item->ref);
        }
    snprintf(branch, GS_REF_MAX, GS_REFS_BRANCHES "%.*s", (int)strcspn(prefix, "_"), prefix);
    if (status != HF_OK || git_reference_name_to_id(&tip, self->repo, branch) != 0)
        return status;
    if (!gs_talk_has(talk, branch, &oid) ||
        (!git_oid_equal(&oid, &tip) && git_graph_descendant_of(self->repo, &tip, &oid) == 1))
        status = list_add(list, talk->ctx, branch, branch);
    return status;
}

static int send(struct gs *self, struct hf_ctx *ctx, const struct list *list, const char *branch)
{
    struct gs_talk talk;
    int status = gs_talk_open(&talk, self, ctx, GIT_DIRECTION_PUSH);
    if (status != HF_OK)
        return status;
    talk.may_fail = branch;
    gs_host->log(ctx, HF_LOG_INFO, "sending %zu objects that '%s' lacks", list->count, self->remote);
    status = gs_talk_push(&talk, list->items, list->count);
    gs_talk_close(&talk);
    return status;
}

/* An object never changes, so one that does was changed by somebody else, or by damage. */
static void warn_changed(struct gs *self, struct gs_talk *talk, const struct gs_refs *ours)
{
    const git_remote_head **heads = NULL;
    size_t count = 0;
    char key[GS_KEY_MAX + 1];
    if (gs_talk_refs(talk, &heads, &count) != HF_OK)
        return; /* it was listed before */
    for (size_t i = 0; i < count; i++) {
        const struct gs_ref *item = gs_ref_key(GS_REFS_OBJECTS, heads[i]->name, key) ? find(ours, key) : NULL;
        if (item && !git_oid_equal(&item->oid, &heads[i]->oid))
            gs_host->log(talk->ctx, HF_LOG_WARNING, "'%s' in the remote '%s' is not what was stored there", key,
                         self->remote);
    }
}

/* What the remote has is asked for once; only if it lacks something is it called again. */
int gs_sync(struct gs *self, struct hf_ctx *ctx, const char *prefix)
{
    struct gs_refs ours = {0};
    struct gs_talk talk;
    struct list lacking = {0};
    char branch[GS_REF_MAX] = "";
    int status = gs_refs_find(self, ctx, GS_REFS_OBJECTS, "", &ours);
    if (status == HF_OK)
        status = gs_talk_open(&talk, self, ctx, GIT_DIRECTION_FETCH);
    if (status == HF_OK) {
        warn_changed(self, &talk, &ours);
        if (prefix)
            status = list_lacking(self, &talk, &ours, prefix, &lacking, branch);
        if (status == HF_OK) /* last: libgit2 forgets then what the remote has */
            status = fetch(self, ctx, &ours, &talk);
        gs_talk_close(&talk);
    }
    if (status == HF_OK && lacking.count > 0)
        status = send(self, ctx, &lacking, branch);
    list_clear(&lacking);
    gs_refs_clear(&ours);
    return status;
}

/* What libgit2 leaves when it is killed while it writes an object. Others may be writing now: only old ones go. */
static void remove_leftovers(const struct gs *self, struct hf_ctx *ctx)
{
    char path[4352];
    snprintf(path, sizeof(path), "%s/objects", self->path);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        struct stat st;
        int fd = dirfd(folder);
        if (strncmp(entry->d_name, "tmp_", 4) == 0 && fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && time(NULL) - st.st_mtime > LEFTOVER_AGE && unlinkat(fd, entry->d_name, 0) == 0)
            gs_host->log(ctx, HF_LOG_INFO, "removed '%s/%s', left by a run that did not end", path, entry->d_name);
    }
    if (folder)
        (void)closedir(folder);
}

int gs_sweep(void *opaque, struct hf_ctx *ctx, const char *prefix, int64_t older_than_ms)
{
    struct gs *self = opaque;
    int lock = -1, status = gs_repo_open(self, ctx, false);
    (void)older_than_ms; /* what is left is told from what is being written by the lock */
    if (status != HF_OK)
        return status == HF_E_NOTFOUND ? HF_OK : status;
    status = gs_run_lock(self, ctx, prefix);
    if (status == HF_OK)
        status = gs_lock(self, ctx, &lock);
    if (status == HF_OK)
        status = drop_all(self, ctx, GS_REFS_PARTIAL, prefix);
    if (status == HF_OK)
        status = drop_all(self, ctx, GS_REFS_PARTIAL_COMMIT, prefix);
    if (status == HF_OK)
        status = gs_history_resume(self, ctx, prefix);
    if (status == HF_OK && self->remote)
        status = gs_sync(self, ctx, prefix);
    gs_unlock(&lock);
    if (status == HF_OK)
        remove_leftovers(self, ctx);
    /* Runs with repositories of their own meet in the remote, where nothing is locked. */
    return status == HF_OK && !self->remote ? HF_ALONE : status;
}
