/* SPDX-License-Identifier: Apache-2.0
 *
 * The git sink: for what people write, and want to see the changes of.
 */
#include "git.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const struct hf_host *gs_host;

static void sink_close(void *opaque)
{
    struct gs *self = opaque;
    if (!self)
        return;
    char **texts[] = {&self->path,     &self->remote,  &self->author_name,    &self->author_email, &self->username,
                      &self->password, &self->ssh_key, &self->ssh_passphrase, &self->host_key,     &self->ca_file};
    if (self->path)
        gs_run_unlock(self);
    gs_blob_release(self->held);
    git_repository_free(self->repo);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        free(*texts[i]);
    free(self);
}

static int sink_open(struct hf_ctx *ctx, const struct hf_config *config, void **ret_self)
{
    struct gs *self = calloc(1, sizeof(*self));
    if (!self)
        return gs_fail_nomem(ctx);
    self->run_lock = -1;
    int status = gs_configure(self, ctx, config);
    if (status != HF_OK) {
        sink_close(self);
        return status;
    }
    *ret_self = self;
    return HF_OK;
}

static int check_remote(struct gs *self, struct hf_ctx *ctx)
{
    struct gs_talk talk;
    int status = gs_talk_open(&talk, self, ctx, GIT_DIRECTION_PUSH);
    if (status == HF_OK)
        gs_talk_close(&talk);
    return status;
}

static int sink_check(void *opaque, struct hf_ctx *ctx)
{
    struct gs *self = opaque;
    char path[4352];
    int status = gs_repo_open(self, ctx, false);
    if (status == HF_E_NOTFOUND)
        return gs_host->finding(ctx, HF_INFO, "repository-missing", self->path, "the first backup will make '%s'",
                                self->path);
    if (status != HF_OK)
        return status;
    static const char *const folders[] = {"objects", "refs", "."};
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        snprintf(path, sizeof(path), "%s/%s", self->path, folders[i]);
        if (access(path, W_OK | X_OK) == 0)
            continue;
        gs_host->fail(ctx, HF_E_AUTH, "'%s' cannot be written to", path);
        return gs_host->hint(ctx, "user id %u needs to own the repository", (unsigned)geteuid());
    }
    return self->remote ? check_remote(self, ctx) : HF_OK;
}

static void sink_locate(void *opaque, const char *key, char *text, size_t size)
{
    const struct gs *self = opaque;
    char ref[GS_REF_MAX];
    gs_key_ref(GS_REFS_OBJECTS, key, ref);
    snprintf(text, size, "%s %s", self->path, ref);
}

static const struct hf_sink operations = {
    .size = sizeof(struct hf_sink),
    .check = sink_check,
    .put_begin = gs_put_begin,
    .put_write = gs_put_write,
    .put_prepare = gs_put_prepare,
    .put_commit = gs_put_commit,
    .put_abort = gs_put_abort,
    .get_begin = gs_get_begin,
    .get_read = gs_get_read,
    .get_end = gs_get_end,
    .stat = gs_stat,
    .list = gs_list,
    .remove = gs_remove,
    .sweep = gs_sweep,
    .locate = sink_locate,
};

static const struct hf_plugin plugin = {
    .size = sizeof(struct hf_plugin),
    .kind = HF_SINK,
    .name = "git",
    .version = "1.0.0",
    .summary = "store backups in a Git repository, with a readable history",
    .description =
        "For configuration and other small things that people write. Each object is a file in a commit of its "
        "own, under refs/holdfast/KEY: 'git show refs/holdfast/KEY:KEY' gives it back bit for bit. Each backup whose "
        "artifact is a tar (from a source like files; stored plain, or by gzip or zstd) also becomes a commit of the "
        "files "
        "on the branch holdfast/PROFILE: 'git log -p holdfast/PROFILE' shows what changed. Owners, times, empty "
        "folders "
        "and names that git does not keep, like .git, are in the artifact only. What is encrypted has no readable "
        "history.\n\n"
        "With a remote, everything is pushed before it counts as stored; a run begins by bringing both repositories in "
        "step. A repository that is missing here, with create, is fetched as a whole.\n\n"
        "Retention removes refs and never rewrites the history; what no ref names any more, 'git gc "
        "--prune=1.hour.ago' in "
        "the "
        "repository takes away. Put together and read back, objects need room in temp_dir.",
    .caps = HF_CAP_HISTORY,
    .threads = HF_PER_INSTANCE,
    .option_stride = sizeof(struct hf_option),
    .options = gs_options,
    .option_count = GS_OPTION_COUNT,
    .open = sink_open,
    .close = sink_close,
    .operations = &operations,
};

/* Durable means on the disk: files and the folders that name them. */
static int init(const struct hf_host *host)
{
    gs_host = host;
    return git_libgit2_init() < 0 || git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1) != 0 || gs_watch_init() != 0
               ? HF_E_FAIL
               : HF_OK;
}

const struct hf_module *holdfast_module_v1(void)
{
    static const struct hf_plugin *const plugins[] = {&plugin};
    static const struct hf_module module = {
        .size = sizeof(struct hf_module),
        .min_host = 1,
        .license = "Apache-2.0",
        .plugins = plugins,
        .plugin_count = 1,
        .init = init,
    };
    return &module;
}
