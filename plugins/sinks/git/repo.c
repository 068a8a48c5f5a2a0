/* SPDX-License-Identifier: Apache-2.0
 *
 * The repository, and how calls fail.
 */
#include "git.h"
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int gs_fail_nomem(struct hf_ctx *ctx)
{
    return gs_host->fail(ctx, HF_E_NOMEM, "out of memory");
}

/* libgit2 keeps no errno, but its text. */
static int code_of_text(const char *text)
{
    static const struct {
        int error, code;
    } known[] = {{ENOSPC, HF_E_NOSPACE}, {EDQUOT, HF_E_NOSPACE}, {EACCES, HF_E_AUTH},
                 {EPERM, HF_E_AUTH},     {EROFS, HF_E_AUTH},     {ESTALE, HF_E_UNREACHABLE}};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strstr(text, strerror(known[i].error)))
            return known[i].code;
    return HF_E_IO;
}

static int code_of(int rc, const git_error *error)
{
    switch (rc) {
    case GIT_ENOTFOUND:
    case GIT_EMISMATCH:
        return HF_E_CORRUPT; /* of things that something else names; who looks for one asks for the code itself */
    case GIT_EEXISTS:
        return HF_E_EXISTS;
    case GIT_ELOCKED:
        return HF_E_BUSY;
    case GIT_EAUTH:
    case GIT_ECERTIFICATE:
    case GIT_EOWNER:
        return HF_E_AUTH;
    default:
        break;
    }
    switch (error ? error->klass : 0) {
    case GIT_ERROR_NOMEMORY:
        return HF_E_NOMEM;
    case GIT_ERROR_ZLIB:
        return HF_E_CORRUPT;
    case GIT_ERROR_NET:
    case GIT_ERROR_SSL:
    case GIT_ERROR_SSH:
    case GIT_ERROR_HTTP:
        return HF_E_UNREACHABLE;
    default:
        return error && error->message ? code_of_text(error->message) : HF_E_IO;
    }
}

int gs_code(int rc)
{
    return code_of(rc, git_error_last());
}

int gs_fail(struct gs *self, struct hf_ctx *ctx, int rc, const char *format, ...)
{
    const git_error *error = git_error_last();
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    int code = code_of(rc, error);
    gs_host->fail(ctx, code, "%s: %s", text, error && error->message ? error->message : "libgit2 gives no reason");
    if (rc == GIT_EOWNER)
        gs_host->hint(ctx, "it belongs to another user; git config --global --add safe.directory '%s'", self->path);
    else if (code == HF_E_NOSPACE)
        gs_host->hint(ctx, "give '%s' more room, or run: git -C '%s' gc --prune=1.hour.ago", self->path, self->path);
    return code;
}

void gs_warn(struct hf_ctx *ctx, const char *format, ...)
{
    const git_error *error = git_error_last();
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    gs_host->log(ctx, HF_LOG_WARNING, "%s: %s", text, error && error->message ? error->message : "no reason given");
}

int gs_fail_errno(struct gs *self, struct hf_ctx *ctx, int error, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)self;
    return gs_host->fail(ctx, code_of_text(strerror(error)), "%s: %s", text, strerror(error));
}

static int fail_missing(const struct gs *self, struct hf_ctx *ctx)
{
    gs_host->fail(ctx, HF_E_UNREACHABLE, "there is no repository '%s'", self->path);
    return self->remote
               ? gs_host->hint(ctx, "set create = yes, or fetch it: git clone --mirror '%s' '%s'", self->remote,
                               self->path)
               : gs_host->hint(ctx, "mount its disk, set create = yes, or make it: git init --bare '%s'", self->path);
}

/* What a making that was killed left: its process is gone. */
static void sweep_made(const struct gs *self)
{
    char pattern[4352];
    glob_t found = {0};
    int start = snprintf(pattern, sizeof(pattern), "%s.making-*", self->path);
    if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        long pid = strtol(found.gl_pathv[i] + start - 1, NULL, 10);
        if (pid > 0 && (pid == (long)getpid() || (kill((pid_t)pid, 0) != 0 && errno == ESRCH)))
            (void)tar_remove_tree(AT_FDCWD, found.gl_pathv[i]); /* one that stays is in nobody's way */
    }
    globfree(&found);
}

static int name_made(struct gs *self, struct hf_ctx *ctx, const char *path)
{
    char parent[4400];
    snprintf(parent, sizeof(parent), "%s/..", path);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && rename(path, self->path) == 0 && (fsync(fd) == 0 || errno == EINVAL);
    int error = errno;
    if (fd >= 0)
        (void)close(fd);
    return done ? HF_OK : gs_fail_errno(self, ctx, error, "cannot make the repository '%s'", self->path);
}

/* Beside its place, and named when it is complete: one that holds nothing yet must not look as if there were nothing.
 */
static int make(struct gs *self, struct hf_ctx *ctx)
{
    git_repository_init_options options;
    char path[4352];
    (void)git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
    options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH;
    options.mode = 0750;
    options.description = "Backups of Holdfast: objects under refs/holdfast, readable history in branches holdfast/...";
    snprintf(path, sizeof(path), "%s.making-%ld", self->path, (long)getpid());
    sweep_made(self);
    int rc = git_repository_init_ext(&self->repo, path, &options), status = HF_OK;
    if (rc != 0)
        status = gs_fail(self, ctx, rc, "cannot make the repository '%s'", self->path);
    if (status == HF_OK && self->remote)
        status = gs_sync(self, ctx, NULL);
    git_repository_free(self->repo);
    self->repo = NULL;
    if (status == HF_OK)
        status = name_made(self, ctx, path);
    if (status == HF_OK && (rc = git_repository_open_bare(&self->repo, self->path)) != 0)
        status = gs_fail(self, ctx, rc, "cannot open the repository '%s'", self->path);
    if (status == HF_OK)
        gs_host->log(ctx, HF_LOG_INFO, "made the repository '%s'", self->path);
    else if (tar_remove_tree(AT_FDCWD, path) != 0)
        gs_host->log(ctx, HF_LOG_WARNING, "cannot remove '%s': %s", path, strerror(errno));
    return status;
}

int gs_repo_open(struct gs *self, struct hf_ctx *ctx, bool wanted)
{
    struct stat st;
    if (self->repo)
        return HF_OK;
    bool missing = stat(self->path, &st) != 0 && errno == ENOENT;
    if (missing && !self->create)
        return fail_missing(self, ctx);
    if (missing)
        return wanted || self->remote ? make(self, ctx) : HF_E_NOTFOUND;
    int rc = git_repository_open_bare(&self->repo, self->path);
    if (rc == 0)
        return HF_OK;
    if (rc != GIT_ENOTFOUND)
        return gs_fail(self, ctx, rc, "cannot open the repository '%s'", self->path);
    gs_host->fail(ctx, HF_E_UNREACHABLE, "'%s' is not a bare repository of git", self->path);
    return gs_host->hint(ctx, "name an empty place and set create = yes, or make one: git init --bare '%s'",
                         self->path);
}
