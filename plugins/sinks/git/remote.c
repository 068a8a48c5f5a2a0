/* SPDX-License-Identifier: Apache-2.0
 *
 * The other repository. It is the one that counts: an object is pushed before it is visible here, and removed there
 * first.
 */
#include "git.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libgit2 keeps the certificates that it trusts for the process as a whole: of several instances, one talks at a time.
 */
static pthread_mutex_t talking = PTHREAD_MUTEX_INITIALIZER;
static bool own_certificates; /* protected by it: they are not the system's */

static int trust(const struct gs *self)
{
    static const char system_file[] = "/etc/ssl/certs/ca-certificates.crt";
    const char *file = self->ca_file ? self->ca_file : own_certificates ? system_file : NULL;
    if (!file)
        return 0;
    own_certificates = self->ca_file != NULL;
    return git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, file, NULL);
}

static int on_push_progress(unsigned current, unsigned total, size_t bytes, void *opaque)
{
    const struct gs_talk *talk = opaque;
    (void)current, (void)total, (void)bytes;
    return gs_host->cancelled(talk->ctx) ? GIT_EUSER : 0;
}

static int on_fetch_progress(const git_indexer_progress *progress, void *opaque)
{
    const struct gs_talk *talk = opaque;
    (void)progress;
    return gs_host->cancelled(talk->ctx) ? GIT_EUSER : 0;
}

static int on_push_status(const char *ref, const char *status, void *opaque)
{
    struct gs_talk *talk = opaque;
    if (!status)
        return 0;
    if (talk->may_fail && !strcmp(ref, talk->may_fail))
        gs_host->log(talk->ctx, HF_LOG_WARNING, "the remote '%s' does not take '%s': %s", talk->self->remote, ref,
                     status);
    else
        snprintf(talk->refused, sizeof(talk->refused), "'%s': %s", ref, status);
    return 0;
}

int gs_talk_fail(struct gs_talk *talk, int rc, const char *doing)
{
    struct gs *self = talk->self;
    const git_error *error = git_error_last();
    if (gs_host->cancelled(talk->ctx))
        return HF_E_CANCELLED;
    if (atomic_load(&talk->stalled)) {
        char time[32];
        snprintf(time, sizeof(time), "%lld s", (long long)(self->stall_ms / 1000));
        gs_host->fail(talk->ctx, HF_E_UNREACHABLE, "cannot %s the remote '%s': nothing came or went for %s", doing,
                      self->remote, time);
        return gs_host->hint(talk->ctx,
                             "look whether it works: git ls-remote '%s'; if it may take so long, raise "
                             "stall_timeout",
                             self->remote);
    }
    int code = rc == GIT_EAUTH || talk->bad_certificate ? HF_E_AUTH : HF_E_UNREACHABLE;
    gs_host->fail(talk->ctx, code, "cannot %s the remote '%s': %s", doing, self->remote,
                  error && error->message ? error->message : "libgit2 gives no reason");
    if (talk->bad_certificate && self->host_key)
        gs_host->hint(talk->ctx,
                      "its host key is not the one of host_key; compare: ssh-keyscan '%s' | ssh-keygen -lf -",
                      talk->host);
    else if (talk->bad_certificate && self->remote && !strncmp(self->remote, "https:", 6))
        gs_host->hint(talk->ctx, "name the file with the authority that signed its certificate in ca_file");
    else if (talk->bad_certificate)
        gs_host->hint(talk->ctx,
                      "put its key into ~/.ssh/known_hosts after looking at it, or its fingerprint into host_key");
    else if (rc == GIT_EAUTH)
        gs_host->hint(talk->ctx, "look at username, and ssh_key or password, in the sink's section");
    else if (self->remote)
        gs_host->hint(talk->ctx,
                      "look whether it answers: git ls-remote '%s'; a repository that is not there yet is made there: "
                      "git init --bare PATH",
                      self->remote);
    return code;
}

/* As it stands in the profile: nobody's url.….insteadOf leads it elsewhere (and libgit2 1.5 loses memory looking for
 * one). */
static int name_remote(struct gs_talk *talk)
{
    git_remote_create_options options;
    (void)git_remote_create_options_init(&options, GIT_REMOTE_CREATE_OPTIONS_VERSION);
    options.repository = talk->self->repo;
    options.flags = GIT_REMOTE_CREATE_SKIP_INSTEADOF | GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC;
    return git_remote_create_with_opts(&talk->remote, talk->self->remote, &options);
}

int gs_talk_open(struct gs_talk *talk, struct gs *self, struct hf_ctx *ctx, git_direction direction)
{
    *talk = (struct gs_talk){.self = self, .ctx = ctx};
    git_remote_init_callbacks(&talk->callbacks, GIT_REMOTE_CALLBACKS_VERSION);
    talk->callbacks.payload = talk;
    talk->callbacks.push_transfer_progress = on_push_progress;
    talk->callbacks.transfer_progress = on_fetch_progress;
    talk->callbacks.push_update_reference = on_push_status;
    gs_credentials_set(talk);
    pthread_mutex_lock(&talking);
    git_proxy_options proxy;
    (void)git_proxy_options_init(&proxy, GIT_PROXY_OPTIONS_VERSION);
    proxy.type = GIT_PROXY_AUTO;
    int rc = 0, code = gs_watch_start(talk);
    if (code == HF_OK)
        rc = trust(self);
    if (code == HF_OK && rc == 0)
        rc = name_remote(talk);
    if (code == HF_OK && rc == 0)
        rc = git_remote_connect(talk->remote, direction, &talk->callbacks, &proxy, NULL);
    if (code == HF_OK && rc == 0)
        return HF_OK;
    if (code == HF_OK)
        code = gs_talk_fail(talk, rc, "reach");
    gs_talk_close(talk);
    return code;
}

void gs_talk_close(struct gs_talk *talk)
{
    if (talk->remote) {
        (void)git_remote_disconnect(talk->remote);
        git_remote_free(talk->remote);
    }
    talk->remote = NULL;
    gs_watch_stop(talk);
    pthread_mutex_unlock(&talking);
}

int gs_talk_refs(struct gs_talk *talk, const git_remote_head ***ret_heads, size_t *ret_count)
{
    int rc = git_remote_ls(ret_heads, ret_count, talk->remote);
    return rc == 0 ? HF_OK : gs_talk_fail(talk, rc, "list");
}

bool gs_talk_has(struct gs_talk *talk, const char *ref, git_oid *ret_oid)
{
    const git_remote_head **heads = NULL;
    size_t count = 0;
    if (git_remote_ls(&heads, &count, talk->remote) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!strcmp(heads[i]->name, ref)) {
            *ret_oid = heads[i]->oid;
            return true;
        }
    return false;
}

int gs_talk_push(struct gs_talk *talk, char *const *refspecs, size_t count)
{
    git_push_options options;
    git_strarray list = {.strings = (char **)refspecs, .count = count};
    (void)git_push_options_init(&options, GIT_PUSH_OPTIONS_VERSION);
    options.callbacks = talk->callbacks;
    options.proxy_opts.type = GIT_PROXY_AUTO;
    *talk->refused = 0;
    int rc = git_remote_upload(talk->remote, &list, &options);
    if (rc == GIT_ENONFASTFORWARD)
        return gs_host->fail(talk->ctx, HF_E_BUSY, "the remote '%s' has a newer history", talk->self->remote);
    if (rc != 0)
        return gs_talk_fail(talk, rc, "push to");
    if (!*talk->refused)
        return HF_OK;
    gs_host->fail(talk->ctx, HF_E_AUTH, "the remote '%s' does not take %s", talk->self->remote, talk->refused);
    return gs_host->hint(talk->ctx, "are refs/holdfast/* and branches holdfast/* protected there, or full its disk?");
}

int gs_talk_fetch(struct gs_talk *talk, char *const *refspecs, size_t count)
{
    git_fetch_options options;
    git_strarray list = {.strings = (char **)refspecs, .count = count};
    (void)git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION);
    options.callbacks = talk->callbacks;
    options.proxy_opts.type = GIT_PROXY_AUTO;
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    options.update_fetchhead = 0;
    int rc = git_remote_fetch(talk->remote, &list, &options, NULL);
    return rc == 0 ? HF_OK : gs_talk_fail(talk, rc, "fetch from");
}

/* What is pushed must have a name here, but not the one that would make it visible. */
static int name_partial(struct gs *self, struct hf_ctx *ctx, const char *folder, const char *key, const git_oid *oid,
                        const char *target, char **ret_refspec)
{
    char ref[GS_REF_MAX];
    git_reference *made = NULL;
    gs_key_ref(folder, key, ref);
    int rc = git_reference_create(&made, self->repo, ref, oid, 1, NULL);
    git_reference_free(made);
    if (rc != 0)
        return gs_fail(self, ctx, rc, "cannot make '%s' in '%s'", ref, self->path);
    if (asprintf(ret_refspec, "%s:%s", ref, target) < 0) {
        *ret_refspec = NULL;
        return gs_fail_nomem(ctx);
    }
    return HF_OK;
}

static void drop_partial(struct gs *self, struct hf_ctx *ctx, const char *key)
{
    static const char *const folders[] = {GS_REFS_PARTIAL, GS_REFS_PARTIAL_COMMIT};
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        char ref[GS_REF_MAX];
        gs_key_ref(folders[i], key, ref);
        if (git_reference_remove(self->repo, ref) != 0)
            gs_host->log(ctx, HF_LOG_DEBUG, "'%s' stays until the next run", ref);
    }
}

/* Does the remote's branch lead to the commit? Otherwise it goes without: the next sweep tells. */
static bool branch_fits(struct gs_talk *talk, const char *branch, const git_oid *commit)
{
    git_oid tip;
    git_repository *repo = talk->self->repo;
    if (!gs_talk_has(talk, branch, &tip))
        return true;
    if (git_oid_equal(&tip, commit) || git_graph_descendant_of(repo, commit, &tip) == 1)
        return true;
    gs_host->log(talk->ctx, HF_LOG_WARNING, "the branch '%s' of the remote '%s' has commits that are not here", branch,
                 talk->self->remote);
    return false;
}

int gs_remote_put(struct gs *self, struct hf_ctx *ctx, const char *key, const git_oid *object, const git_oid *commit)
{
    struct gs_talk talk;
    char ref[GS_REF_MAX], branch[GS_REF_MAX], *refspecs[2] = {NULL, NULL};
    git_oid there;
    size_t count = 1;
    int status = gs_talk_open(&talk, self, ctx, GIT_DIRECTION_PUSH);
    if (status != HF_OK)
        return status;
    gs_key_ref(GS_REFS_OBJECTS, key, ref);
    if (gs_talk_has(&talk, ref, &there))
        status = gs_host->fail(ctx, HF_E_EXISTS, "'%s' exists already in the remote '%s'", key, self->remote);
    if (status == HF_OK)
        status = name_partial(self, ctx, GS_REFS_PARTIAL, key, object, ref, &refspecs[0]);
    if (status == HF_OK && commit && gs_branch_of(key, branch) && branch_fits(&talk, branch, commit)) {
        status = name_partial(self, ctx, GS_REFS_PARTIAL_COMMIT, key, commit, branch, &refspecs[1]);
        talk.may_fail = branch;
        count = 2;
    }
    if (status == HF_OK)
        status = gs_talk_push(&talk, refspecs, count);
    gs_talk_close(&talk);
    drop_partial(self, ctx, key);
    free(refspecs[0]);
    free(refspecs[1]);
    return status;
}

int gs_remote_remove(struct gs *self, struct hf_ctx *ctx, const char *key)
{
    struct gs_talk talk;
    char refspec[GS_REF_MAX + 1] = ":", *list[] = {refspec};
    git_oid there;
    int status = gs_talk_open(&talk, self, ctx, GIT_DIRECTION_PUSH);
    if (status != HF_OK)
        return status;
    gs_key_ref(GS_REFS_OBJECTS, key, refspec + 1);
    if (gs_talk_has(&talk, refspec + 1, &there))
        status = gs_talk_push(&talk, list, 1);
    gs_talk_close(&talk);
    return status;
}
