/* SPDX-License-Identifier: Apache-2.0
 *
 * Restore: unpacked beside the target, read back and compared with the facts, then swapped in.
 */
#include "ledger.h"
#include "snapshot.h"
#include "target.h"
#include "util.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <string.h>
#include <tar.h>

struct restore {
    const struct ledger *ledger;
    struct target target;
    struct tar_unpack *unpack;
    bool replace, whole;
    char **only;
    size_t only_count;
    pthread_mutex_t lock; /* of everything below                                                                 */
    bool *found;          /* one for each of `only`                                                              */
    char *base;           /* first component of every entry                                                      */
};

/* 1: to be restored; notes that it is in the backup. */
static int select_partition(struct restore *r, const char *name, size_t length)
{
    int selected = r->only_count == 0;

    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->only_count; i++) {
        if (strlen(r->only[i]) == length && memcmp(r->only[i], name, length) == 0)
            selected = r->found[i] = true;
    }
    pthread_mutex_unlock(&r->lock);
    return selected;
}

static int check_all_found(struct restore *r, struct hf_ctx *ctx)
{
    const char *missing = NULL;

    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->only_count && !missing; i++)
        if (!r->found[i])
            missing = r->only[i];
    pthread_mutex_unlock(&r->lock);
    if (!missing)
        return HF_OK;
    r->ledger->host->fail(ctx, HF_E_NOTFOUND, "the backup holds no partition '%s'", missing);
    return r->ledger->host->hint(ctx,
                                 "--only takes days as the backup has them, such as 2026-01-30 or 2026-01-30-late");
}

/* Which entries to unpack; all lie under one folder, whose name the first one tells. */
static int wanted(void *arg, struct hf_ctx *ctx, struct archive_entry *entry)
{
    struct restore *r = arg;
    const char *path = archive_entry_pathname(entry);
    int code = 1;

    while (path[0] == '.' && path[1] == '/')
        path += 2 + strspn(path + 2, "/");
    if (!*path || strcmp(path, ".") == 0)
        return 0;
    size_t base = strcspn(path, "/");
    pthread_mutex_lock(&r->lock);
    if (!r->base)
        r->base = strndup(path, base);
    if (!r->base)
        code = HF_E_NOMEM;
    else if (strlen(r->base) != base || memcmp(r->base, path, base) != 0)
        code = HF_E_REFUSED;
    pthread_mutex_unlock(&r->lock);
    if (code == HF_E_NOMEM)
        return r->ledger->host->fail(ctx, code, "out of memory");
    if (code < 0)
        return r->ledger->host->fail(ctx, code, "tar entry '%s' lies outside the ledger's folder", TAR_SHOW(path));
    const char *name = path + base + strspn(path + base, "/");
    if (r->only_count && (!*name || !select_partition(r, name, strcspn(name, "/"))))
        return 0;
    const char *slash = strrchr(path, '/');
    return strcmp(slash ? slash + 1 : path, "_LOCK") != 0;
}

/* The ledger's place: below `to` under the name that it had, or where it was. To be freed. */
static char *target_path(const struct ledger *ledger, struct hf_ctx *ctx, const char *to)
{
    const char *text = ledger->host->get_context(ctx, LEDGER_FACT);
    json_t *context = text ? json_loads(text, 0, NULL) : NULL;
    const char *recorded = json_string_value(json_object_get(context, "path"));
    const char *slash = recorded ? strrchr(recorded, '/') : NULL;
    char *path = NULL;

    if (!slash || !slash[1])
        recorded = NULL;
    if (!to)
        path = strdup(recorded ? recorded : ledger->path);
    else if (asprintf(&path, "%s%s%s", to, *to && to[strlen(to) - 1] == '/' ? "" : "/",
                      recorded ? slash + 1 : ledger->base) < 0)
        path = NULL;
    json_decref(context);
    return path;
}

static void restore_free(struct restore *r)
{
    tar_unpack_free(r->unpack);
    for (size_t i = 0; i < r->only_count; i++)
        free(r->only[i]);
    free(r->only);
    free(r->found);
    free(r->base);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static int take_request(struct restore *r, struct hf_ctx *ctx, const struct hf_restore_request *request)
{
    const struct hf_host *host = r->ledger->host;

    r->replace = request->replace != 0;
    r->only = calloc(request->only_count + 1, sizeof(char *));
    r->found = calloc(request->only_count + 1, sizeof(bool));
    if (!r->only || !r->found)
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < request->only_count; i++) {
        if (!partition_name_parse(request->only[i], NULL)) {
            host->fail(ctx, HF_E_NOTFOUND, "'%s' is not a partition's name", request->only[i]);
            return host->hint(ctx, "--only takes days as the backup has them, such as 2026-01-30 or 2026-01-30-late");
        }
        r->only[i] = strdup(request->only[i]);
        if (!r->only[i])
            return host->fail(ctx, HF_E_NOMEM, "out of memory");
        r->only_count++;
    }
    return HF_OK;
}

int ledger_restore_begin(void *self, struct hf_ctx *ctx, const struct hf_restore_request *request, void **ret_session)
{
    struct ledger *ledger = self;
    const struct hf_host *host = ledger->host;
    struct restore *r = calloc(1, sizeof(*r));

    if (!r)
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    r->ledger = ledger;
    r->target = (struct target){.parent_fd = -1, .fd = -1, .stage_fd = -1};
    pthread_mutex_init(&r->lock, NULL);
    int code = take_request(r, ctx, request);
    AUTO_FREE char *path = target_path(ledger, ctx, request->to);
    if (code == HF_OK && !path)
        code = host->fail(ctx, HF_E_NOMEM, "out of memory");
    if (code == HF_OK)
        code = target_prepare(host, ctx, &r->target, path, request);
    if (code == HF_OK) {
        struct tar_unpack_options options = {.owners = geteuid() == 0, .wanted = wanted, .arg = r};
        code = tar_unpack_new(host, r->target.stage_fd, &options, &r->unpack);
        if (code < 0)
            host->fail(ctx, code, "prepare to unpack");
    }
    if (code < 0) {
        target_clear(host, ctx, &r->target, false);
        restore_free(r);
        return code;
    }
    *ret_session = r;
    return HF_OK;
}

int ledger_restore_select(void *session, struct hf_ctx *ctx, const struct hf_part *part)
{
    struct restore *r = session;

    (void)ctx;
    if (part->flags & HF_PART_WHOLE)
        return 1;
    if (strcmp(part->name, PART_END) == 0)
        return 0;
    if (strcmp(part->name, PART_BASE) == 0)
        return r->only_count == 0;
    return select_partition(r, part->name, strlen(part->name));
}

static int read_segment(const struct hf_host *host, struct hf_ctx *ctx, int fd, const char *path,
                        struct segment_check *check, unsigned char *buffer)
{
    for (;;) {
        ssize_t got = read(fd, buffer, LEDGER_BUFFER);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return host->fail(ctx, errno_code(errno), "read back '%s': %s", path, strerror(errno));
        if (got == 0)
            return HF_OK;
        if (host->cancelled(ctx))
            return HF_E_CANCELLED;
        if (segment_check_feed(check, buffer, (size_t)got) < 0)
            return host->fail(ctx, HF_E_NOMEM, "check '%s': out of memory", path);
    }
}

/* The partition as it lies on disk. */
static int read_partition(const struct hf_host *host, struct hf_ctx *ctx, const struct snapshot *snapshot,
                          struct partition_check *p)
{
    AUTO_FREE unsigned char *buffer = malloc(LEDGER_BUFFER);
    int code = buffer ? HF_OK : host->fail(ctx, HF_E_NOMEM, "out of memory");

    p->sealed = snapshot->sealed;
    p->current.present = snapshot->current.present;
    if (code == HF_OK && snapshot->current.data &&
        small_file_add(&p->current, snapshot->current.data, snapshot->current.size, CURRENT_MAX) < 0)
        code = host->fail(ctx, HF_E_NOMEM, "out of memory");
    for (size_t i = 0; i < snapshot->count && code == HF_OK; i++) {
        const struct snapshot_entry *entry = &snapshot->entries[i];
        struct segment_check check;
        bool is_manifest = strcmp(entry->name, "_manifest.json") == 0;

        if (entry->kind != SNAPSHOT_SEGMENT && !is_manifest)
            continue;
        AUTO_FD fd = openat(snapshot->dir_fd, entry->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
            return host->fail(ctx, errno_code(errno), "read back '%s/%s': %s", p->name, entry->name, strerror(errno));
        if (is_manifest) {
            ssize_t got;
            p->manifest.present = true;
            while ((got = read(fd, buffer, LEDGER_BUFFER)) > 0)
                if (small_file_add(&p->manifest, buffer, (size_t)got, MANIFEST_MAX) < 0)
                    return host->fail(ctx, HF_E_NOMEM, "out of memory");
            if (got < 0)
                code =
                    host->fail(ctx, errno_code(errno), "read back '%s/%s': %s", p->name, entry->name, strerror(errno));
            continue;
        }
        code = segment_check_begin(&check, p->name, entry->name);
        if (code < 0)
            host->fail(ctx, code, "out of memory");
        if (code == HF_OK)
            code = read_segment(host, ctx, fd, entry->name, &check, buffer);
        segment_check_end(&check);
        if (code == HF_OK && partition_check_add(p, &check.result) < 0)
            code = host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    return code;
}

static int compare_with_facts(const struct restore *r, struct hf_ctx *ctx, struct partition_check *p)
{
    const struct hf_host *host = r->ledger->host;
    const char *recorded = r->whole ? NULL : host->get_fact(ctx, p->name);
    AUTO_FREE char *facts = partition_facts(p);

    if (!facts)
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    if (recorded && !facts_equal(recorded, facts))
        return host->fail(ctx, HF_E_CORRUPT, "the restored partition '%s' differs from what was backed up: %s", p->name,
                          facts);
    if (!recorded && !r->whole)
        host->log(ctx, HF_LOG_WARNING, "the backup has no facts of partition '%s' to compare with", p->name);
    return partition_report(host, ctx, p, HF_WARNING);
}

/* Reads a restored partition back, and compares. */
static int check_restored(struct restore *r, struct hf_ctx *ctx, const char *name)
{
    const struct hf_host *host = r->ledger->host;
    struct partition_check p;
    struct snapshot snapshot = {.dir_fd = -1};
    AUTO_FREE char *base = NULL;

    pthread_mutex_lock(&r->lock);
    base = r->base ? strdup(r->base) : NULL;
    pthread_mutex_unlock(&r->lock);
    AUTO_FD fd = base ? openat(r->target.stage_fd, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    partition_check_init(&p, name);
    int code = fd < 0 ? HF_E_NOTFOUND : snapshot_take(host, ctx, fd, name, &snapshot);
    if (code == HF_OK) {
        code = read_partition(host, ctx, &snapshot, &p);
        if (code == HF_OK)
            code = compare_with_facts(r, ctx, &p);
    } else if (code == HF_E_NOTFOUND) {
        /* A partition that vanished while it was backed up has an empty part, and no facts. */
        code = host->get_fact(ctx, name) ? host->fail(ctx, HF_E_CORRUPT, "partition '%s' is not in its part", name)
                                         : HF_OK;
    }
    snapshot_clear(&snapshot);
    partition_check_clear(&p);
    return code;
}

int ledger_restore_part(void *session, struct hf_ctx *ctx, const struct hf_part *part, struct hf_reader *reader)
{
    struct restore *r = session;
    int code = HF_OK;

    if (part->flags & HF_PART_WHOLE)
        r->whole = true;
    else
        code = check_all_found(r, ctx);
    if (code == HF_OK)
        code = tar_unpack_part(r->unpack, ctx, reader);
    if (code == HF_OK && r->whole && !tar_unpack_saw_end(r->unpack))
        code = r->ledger->host->fail(ctx, HF_E_CORRUPT, "the tar ends early: it lacks its end-of-archive marker");
    if (code == HF_OK && !r->whole && partition_name_parse(part->name, NULL))
        code = check_restored(r, ctx, part->name);
    return code;
}

/* Without a manifest there are no facts; the ledger's own checks are all there is. */
static int check_whole(struct restore *r, struct hf_ctx *ctx)
{
    const struct hf_host *host = r->ledger->host;
    struct names names = {0};
    AUTO_FD fd = r->base ? openat(r->target.stage_fd, r->base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;

    if (fd < 0)
        return host->fail(ctx, HF_E_CORRUPT, "the artifact holds no ledger");
    int code = names_list(fd, &names);
    if (code < 0)
        return host->fail(ctx, errno_code(-code), "list what was restored: %s", strerror(-code));
    for (size_t i = 0; i < names.count && code == HF_OK; i++)
        if (partition_name_parse(names.items[i], NULL))
            code = check_restored(r, ctx, names.items[i]);
    names_free(&names);
    return code;
}

int ledger_restore_end(void *session, struct hf_ctx *ctx, int status)
{
    struct restore *r = session;
    const struct hf_host *host = r->ledger->host;
    int code = status;

    if (code == HF_OK)
        code = check_all_found(r, ctx);
    if (code == HF_OK && r->whole)
        code = check_whole(r, ctx);
    if (code == HF_OK)
        code = tar_unpack_finish(r->unpack, ctx);
    if (code == HF_OK)
        code = target_swap(host, ctx, &r->target, r->base, r->replace);
    int cleared = target_clear(host, ctx, &r->target, code == HF_OK);
    restore_free(r);
    if (status < 0)
        return HF_OK;
    return code < 0 ? code : cleared;
}
