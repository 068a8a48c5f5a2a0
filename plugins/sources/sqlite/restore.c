/* SPDX-License-Identifier: Apache-2.0
 *
 * Restore: every refusal comes before anything is changed; then the databases are written beside their targets and
 * checked; only when all are good they are swapped in, and if one of the swaps fails, those before it are undone.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "sqlite.h"

struct target {
    struct target *next;
    struct sq_target it;
    char *artifact, *origin; /* origin: where it was, NULL when that is not known */
    bool selected, whole;
};

struct made {
    struct made *next;
    char *folder;
};

struct session {
    const struct sq_source *source;
    char *id, *to;
    char **only;
    bool *matched; /* of `only` */
    size_t only_count;
    bool replace;
    pthread_mutex_t lock; /* of everything below */
    struct target *targets;
    struct made *made; /* folders, the newest first */
    bool only_checked;
};

static void free_session(struct session *session)
{
    while (session->targets) {
        struct target *target = session->targets;
        session->targets = target->next;
        sq_target_clear(&target->it);
        free(target->artifact);
        free(target->origin);
        free(target);
    }
    while (session->made) {
        struct made *made = session->made;
        session->made = made->next;
        free(made->folder);
        free(made);
    }
    for (size_t i = 0; i < session->only_count; i++)
        free(session->only[i]);
    free(session->only);
    free(session->matched);
    free(session->id);
    free(session->to);
    pthread_mutex_destroy(&session->lock);
    free(session);
}

int sq_restore_begin(void *self, struct hf_ctx *ctx, const struct hf_restore_request *request, void **ret_session)
{
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    if (pthread_mutex_init(&session->lock, NULL) != 0) {
        free(session);
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    session->source = self;
    session->replace = request->replace != 0;
    session->id = strdup(request->id);
    session->to = request->to ? strdup(request->to) : NULL;
    session->only = calloc(request->only_count + 1, sizeof(*session->only));
    session->matched = calloc(request->only_count + 1, sizeof(*session->matched));
    bool good = session->id && session->only && session->matched && (session->to || !request->to);
    for (size_t i = 0; good && i < request->only_count; i++) {
        session->only[i] = strdup(request->only[i]);
        session->only_count += session->only[i] != NULL;
        good = session->only[i] != NULL;
    }
    struct stat info;
    int result = good ? HF_OK : sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    if (good && session->to && stat(session->to, &info) == 0 && !S_ISDIR(info.st_mode)) {
        (void)sq_host->fail(ctx, HF_E_REFUSED, "'%s' is not a folder", session->to);
        result = sq_host->hint(ctx, "databases keep their names; --to is the folder they go to");
    }
    if (result < 0) {
        free_session(session);
        return result;
    }
    *ret_session = session;
    return HF_OK;
}

/* The manifest is outside input: what it says must look like what a backup wrote. */
static int read_context(struct hf_ctx *ctx, struct target *target)
{
    const char *text = target->whole ? NULL : sq_host->get_context(ctx, target->artifact);
    SQ_JSON context = text ? json_loads(text, 0, NULL) : NULL;
    target->it.mode = 0644;
    if (!context)
        return HF_OK;
    target->origin = sq_text_from_json(json_object_get(context, "path"));
    const char *base = target->origin ? strrchr(target->origin, '/') : NULL;
    if (!base || !base[1] || !strcmp(base, "/.") || !strcmp(base, "/..") || strlen(target->origin) >= PATH_MAX)
        return sq_host->fail(ctx, HF_E_CORRUPT, "'%s': the manifest's original path is not one", target->artifact);
    const char *mode = json_string_value(json_object_get(context, "mode"));
    const json_t *uid = json_object_get(context, "uid"), *gid = json_object_get(context, "gid");
    if (mode)
        target->it.mode = (mode_t)(strtoul(mode, NULL, 8) & 0777);
    target->it.has_owner = json_is_integer(uid) && json_is_integer(gid);
    target->it.uid = (uid_t)json_integer_value(uid);
    target->it.gid = (gid_t)json_integer_value(gid);
    return HF_OK;
}

static bool is_wanted(struct session *session, const struct target *target)
{
    bool wanted = session->only_count == 0;
    const char *base = target->origin ? strrchr(target->origin, '/') : NULL;
    for (size_t i = 0; i < session->only_count; i++) {
        const char *name = session->only[i];
        if (strcmp(name, target->artifact) != 0 && !(base && !strcmp(name, base + 1)) &&
            !(target->origin && !strcmp(name, target->origin)))
            continue;
        session->matched[i] = true;
        wanted = true;
    }
    return wanted;
}

static bool is_taken(const struct session *session, const char *path)
{
    for (const struct target *other = session->targets; other; other = other->next) {
        if (other->selected && other->it.final && !strcmp(other->it.final, path))
            return true;
    }
    return false;
}

static int set_final(struct hf_ctx *ctx, const struct session *session, struct target *target)
{
    char **final = &target->it.final;
    const char *base = target->origin ? strrchr(target->origin, '/') + 1 : NULL;
    const char *artifact = target->artifact[0] ? target->artifact : "restored";
    if (!session->to && !target->origin) {
        (void)sq_host->fail(ctx, HF_E_REFUSED, "where '%s' was is not known", artifact);
        return sq_host->hint(ctx, "say where it goes with --to DIR");
    }
    int made = !session->to ? asprintf(final, "%s", target->origin)
               : base       ? asprintf(final, "%s/%s", session->to, base)
                            : asprintf(final, "%s/%s.db", session->to, artifact);
    if (made >= 0 && base && is_taken(session, *final)) {
        /* Two of the same name into one folder: the second has its artifact's name, which no other has. */
        free(*final);
        made = asprintf(final, "%s/%s.db", session->to ? session->to : ".", artifact);
    }
    if (made < 0) {
        *final = NULL;
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    if (is_taken(session, *final))
        return sq_host->fail(ctx, HF_E_REFUSED, "two databases would be restored to '%s'", *final);
    struct stat info;
    if (lstat(*final, &info) != 0 || !S_ISLNK(info.st_mode))
        return HF_OK;
    char *real = realpath(*final, NULL); /* the link stays, what it leads to is replaced */
    if (!real)
        return sq_host->fail(ctx, HF_E_REFUSED, "'%s' is a link that leads nowhere", *final);
    free(*final);
    *final = real;
    return HF_OK;
}

static int refuse_or_accept(struct hf_ctx *ctx, const struct session *session, struct sq_target *target)
{
    struct stat info;
    char holder[128];
    target->exists = lstat(target->final, &info) == 0;
    if (!target->exists && errno != ENOENT && errno != ENOTDIR)
        return sq_host->fail(ctx, sq_code_of_errno(errno), "look at '%s': %s", target->final, strerror(errno));
    if (target->exists && !S_ISREG(info.st_mode))
        return sq_host->fail(ctx, HF_E_REFUSED, "'%s' exists and is not a regular file", target->final);
    if (target->exists) {
        target->mode = info.st_mode & 0777;
        target->uid = info.st_uid;
        target->gid = info.st_gid;
        target->has_owner = true;
    }
    if (session->replace)
        return HF_OK;
    if (sq_holders(target->final, holder, sizeof(holder))) {
        (void)sq_host->fail(ctx, HF_E_REFUSED, "'%s' is open in %s", target->final, holder);
        return sq_host->hint(ctx,
                             "stop it first, or restore elsewhere with --to DIR; --replace swaps the database anyway, "
                             "and keeps the old one beside it");
    }
    if (!target->exists)
        return HF_OK;
    (void)sq_host->fail(ctx, HF_E_REFUSED, "'%s' exists", target->final);
    return sq_host->hint(
        ctx, "restore elsewhere with --to DIR, or over it with --replace, which keeps the old one beside it");
}

/* Called with the lock held. */
static int add_target(struct hf_ctx *ctx, struct session *session, const struct hf_part *part,
                      struct target **ret_target)
{
    struct target *target = calloc(1, sizeof(*target));
    if (!target)
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    target->it.image.fd = -1;
    target->whole = (part->flags & HF_PART_WHOLE) != 0;
    target->artifact = strdup(part->artifact ? part->artifact : "");
    target->it.image.artifact = strdup(part->artifact ? part->artifact : "");
    int result =
        target->artifact && target->it.image.artifact ? HF_OK : sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    result = result == HF_OK ? read_context(ctx, target) : result;
    if (result == HF_OK && !target->whole)
        target->it.image.expected = sq_facts_bytes(sq_host->get_fact(ctx, target->artifact));
    if (result == HF_OK && is_wanted(session, target)) {
        result = set_final(ctx, session, target);
        result = result == HF_OK ? refuse_or_accept(ctx, session, &target->it) : result;
        target->selected = true;
    }
    if (result == HF_OK)
        *ret_target = target;
    target->next = session->targets; /* also a refused one, to be freed */
    session->targets = target;
    return result;
}

static int target_of(struct hf_ctx *ctx, struct session *session, const struct hf_part *part,
                     struct target **ret_target)
{
    const char *artifact = part->artifact ? part->artifact : "";
    for (struct target *target = session->targets; target; target = target->next) {
        if (!strcmp(target->artifact, artifact)) {
            *ret_target = target;
            return HF_OK;
        }
    }
    return add_target(ctx, session, part, ret_target);
}

int sq_restore_select(void *arg, struct hf_ctx *ctx, const struct hf_part *part)
{
    struct session *session = arg;
    struct target *target = NULL;
    pthread_mutex_lock(&session->lock);
    int result = target_of(ctx, session, part, &target);
    pthread_mutex_unlock(&session->lock);
    return result < 0 ? result : target->selected;
}

/* Called with the lock held, when all artifacts are known. */
static int check_only(struct hf_ctx *ctx, struct session *session)
{
    for (size_t i = 0; i < session->only_count && !session->only_checked; i++) {
        if (session->matched[i])
            continue;
        (void)sq_host->fail(ctx, HF_E_NOTFOUND, "the backup has no database '%s'", session->only[i]);
        return sq_host->hint(
            ctx, "--only takes artifact names, file names and original paths, as `holdfast show` lists them");
    }
    session->only_checked = true;
    return HF_OK;
}

static int make_folders(struct hf_ctx *ctx, struct session *session, const char *final)
{
    SQ_TEXT path = strdup(final);
    if (!path)
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    for (char *at = path + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        if (mkdir(path, 0755) == 0) {
            struct made *made = calloc(1, sizeof(*made));
            if (made && (made->folder = strdup(path))) {
                made->next = session->made;
                session->made = made;
            } else {
                free(made);
                (void)rmdir(path);
                return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
            }
        } else if (errno != EEXIST) {
            return sq_host->fail(ctx, sq_code_of_errno(errno), "make the folder '%s': %s", path, strerror(errno));
        }
        *at = '/';
    }
    return HF_OK;
}

int sq_restore_part(void *arg, struct hf_ctx *ctx, const struct hf_part *part, struct hf_reader *reader)
{
    struct session *session = arg;
    struct target *target = NULL;
    pthread_mutex_lock(&session->lock);
    int result = target_of(ctx, session, part, &target);
    if (result == HF_OK && target->selected) {
        result = check_only(ctx, session);
        if (result == HF_OK && target->it.image.fd < 0) {
            result = make_folders(ctx, session, target->it.final);
            result = result == HF_OK ? sq_target_make(ctx, &target->it, session->id) : result;
        }
    }
    pthread_mutex_unlock(&session->lock);
    if (result < 0 || !target->selected)
        return result;
    return sq_image_write(ctx, &target->it.image, part, reader);
}

static int check_image(struct hf_ctx *ctx, const struct session *session, struct target *target)
{
    struct sq_image *image = &target->it.image;
    const char *fact = target->whole ? NULL : sq_host->get_fact(ctx, target->artifact);
    struct sq_report_text report;
    struct sq_problem problem = {0};
    SQ_TEXT facts = NULL;
    uint64_t written = atomic_load(&image->written);
    int result = HF_OK;
    if (image->expected && written != image->expected)
        return sq_host->fail(ctx, HF_E_CORRUPT, "'%s' has %llu bytes instead of %llu", target->artifact,
                             (unsigned long long)written, (unsigned long long)image->expected);
    if (sq_examine(ctx, image->path, fact ? SQ_CHECK_QUICK : SQ_CHECK_FULL, session->source->cache_bytes, &report,
                   &facts, &problem) < 0)
        return sq_raise(ctx, &problem);
    if (report.damaged)
        result = sq_host->fail(ctx, HF_E_CORRUPT, "'%s' is damaged: %s", target->it.final, report.damage);
    else if (fact && (!facts || !sq_facts_equal(facts, fact)))
        result = sq_host->fail(ctx, HF_E_CORRUPT, "'%s' does not hold what the backup recorded", target->it.final);
    if (result < 0)
        return sq_host->hint(ctx,
                             "restore another backup, or decode the artifact by hand and save what can be read with "
                             "sqlite3's .recover");
    sq_report_minor(ctx, target->it.final, &report);
    return sq_target_finish(ctx, &target->it);
}

static int swap_all(struct hf_ctx *ctx, struct session *session)
{
    int result = HF_OK;
    for (struct target *target = session->targets; target && result == HF_OK; target = target->next) {
        if (target->it.image.fd >= 0)
            result = check_image(ctx, session, target);
    }
    for (struct target *target = session->targets; target && result == HF_OK; target = target->next) {
        if (target->it.image.fd >= 0)
            result = sq_target_swap(ctx, &target->it, session->id);
    }
    for (struct target *target = session->targets; target && result == HF_OK; target = target->next) {
        if (target->it.kept || target->it.moved_wal || target->it.moved_journal)
            sq_host->log(ctx, HF_LOG_INFO, "what was of the old '%s' is kept as '%s'", target->it.final,
                         target->it.aside);
    }
    return result;
}

static void undo_all(struct hf_ctx *ctx, struct session *session)
{
    for (struct target *target = session->targets; target; target = target->next) {
        if (target->it.image.path)
            sq_target_undo(ctx, &target->it);
    }
    for (struct made *made = session->made; made; made = made->next)
        (void)rmdir(made->folder); /* not if somebody put something into it meanwhile */
}

int sq_restore_end(void *arg, struct hf_ctx *ctx, int status)
{
    struct session *session = arg;
    int result = status < 0 ? status : check_only(ctx, session);
    if (result >= 0)
        result = swap_all(ctx, session);
    if (result < 0)
        undo_all(ctx, session);
    free_session(session);
    return result < 0 ? result : HF_OK;
}
