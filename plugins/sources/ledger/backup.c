/* SPDX-License-Identifier: Apache-2.0
 *
 * Backup: one part with the folder itself and what is no partition, one part per partition, and the tar's end.
 */
#include "ledger.h"
#include "snapshot.h"
#include "store.h"
#include "util.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct backup {
    const struct ledger *ledger;
    int fd; /* of the ledger's folder                                                                            */
    struct stat stat;
    struct names names; /* of the top level, as found when the backup began                                      */
    char **partitions, **others; /* both point into names                                                        */
    size_t partition_count, other_count;
    size_t next; /* 0: base, 1 to partition_count: partitions, then the end                                      */
    atomic_size_t stored;
};

static void backup_free(struct backup *b)
{
    if (b->fd >= 0)
        close(b->fd);
    names_free(&b->names);
    free(b->partitions);
    free(b->others);
    free(b);
}

static int sort_names(struct backup *b)
{
    b->partitions = calloc(b->names.count + 1, sizeof(char *));
    b->others = calloc(b->names.count + 1, sizeof(char *));
    if (!b->partitions || !b->others)
        return -ENOMEM;
    for (size_t i = 0; i < b->names.count; i++) {
        char *name = b->names.items[i];
        struct stat st;

        if (name_is_left_out(name))
            continue;
        if (partition_name_parse(name, NULL) && fstatat(b->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(st.st_mode))
            b->partitions[b->partition_count++] = name;
        else
            b->others[b->other_count++] = name;
    }
    return 0;
}

static int open_ledger(struct backup *b, struct hf_ctx *ctx)
{
    const struct hf_host *host = b->ledger->host;
    const char *path = b->ledger->path;

    b->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (b->fd < 0)
        return host->fail(ctx, errno_code(errno), "open ledger '%s': %s", path, strerror(errno));
    if (fstat(b->fd, &b->stat) < 0)
        return host->fail(ctx, HF_E_IO, "stat ledger '%s': %s", path, strerror(errno));
    int code = names_list(b->fd, &b->names);
    if (code == 0)
        code = sort_names(b);
    if (code < 0)
        return host->fail(ctx, errno_code(-code), "list ledger '%s': %s", path, strerror(-code));
    return HF_OK;
}

/* An empty folder in the place of a ledger that had days is no ledger to back up: its disk is not mounted, or it is
 * lost. Taken as one, it would push the good backups out in time. */
static int check_empty(const struct ledger *ledger, struct hf_ctx *ctx)
{
    const char *text = ledger->host->get_fact(ctx, LEDGER_FACT);
    json_t *fact = text ? json_loads(text, 0, NULL) : NULL;
    long long before = json_integer_value(json_object_get(fact, "partitions"));

    json_decref(fact);
    if (before == 0)
        return ledger->host->finding(ctx, HF_WARNING, "empty-ledger", ledger->path, "has no partitions");
    ledger->host->fail(ctx, HF_E_UNREACHABLE, "ledger '%s' has no partitions, and the last backup of it has %lld",
                       ledger->path, before);
    return ledger->host->hint(
        ctx, "is its disk mounted? If it was emptied on purpose, back it up by a profile of another name");
}

int ledger_begin(void *self, struct hf_ctx *ctx, void **ret_session)
{
    struct ledger *ledger = self;
    struct backup *b = calloc(1, sizeof(*b));

    if (!b)
        return ledger->host->fail(ctx, HF_E_NOMEM, "out of memory");
    b->ledger = ledger;
    b->fd = -1;
    int code = open_ledger(b, ctx);
    if (code == HF_OK && b->partition_count == 0)
        code = check_empty(ledger, ctx);
    if (code == HF_OK)
        code = report_missing_days(ledger->host, ctx, (const char *const *)b->partitions, b->partition_count);
    if (code < 0) {
        backup_free(b);
        return code;
    }
    *ret_session = b;
    return HF_OK;
}

/* Bytes of the files in a partition, for progress; what cannot be read is left to the part itself. */
static uint64_t estimate(int ledger_fd, const char *partition)
{
    struct names names = {0};
    uint64_t bytes = 0;
    AUTO_FD fd = openat(ledger_fd, partition, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || names_list(fd, &names) < 0)
        return 0;
    for (size_t i = 0; i < names.count; i++) {
        struct stat st;

        if (fstatat(fd, names.items[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            bytes += (uint64_t)st.st_size;
    }
    names_free(&names);
    return bytes;
}

int ledger_next_part(void *session, struct hf_ctx *ctx, struct hf_part *ret_part)
{
    struct backup *b = session;
    size_t index = b->next;

    (void)ctx;
    if (index > b->partition_count + 1)
        return HF_END;
    b->next++;
    ret_part->artifact = "";
    ret_part->suffix = ".tar";
    ret_part->media = "application/x-tar";
    if (index == 0) {
        ret_part->name = ret_part->group = PART_BASE;
        ret_part->phase = 0;
    } else if (index <= b->partition_count) {
        ret_part->name = ret_part->group = b->partitions[index - 1];
        ret_part->phase = 1;
        ret_part->estimate = estimate(b->fd, ret_part->name);
    } else {
        ret_part->name = ret_part->group = PART_END;
        ret_part->phase = 3;
    }
    return HF_OK;
}

static int store_base(const struct backup *b, struct store *store)
{
    int code = store_folder(store, b->ledger->base, &b->stat);

    for (size_t i = 0; i < b->other_count && code == HF_OK; i++) {
        AUTO_FREE char *path = NULL;

        if (asprintf(&path, "%s/%s", b->ledger->base, b->others[i]) < 0) {
            path = NULL;
            return store->host->fail(store->ctx, HF_E_NOMEM, "out of memory");
        }
        code = store_tree(store, b->fd, b->others[i], path);
    }
    return code;
}

/* What one partition's part works with. */
struct work {
    const struct backup *backup;
    struct store store;
    struct snapshot snapshot;
    struct partition_check check;
    const char *name;
};

static int feed_check(void *arg, const void *data, size_t size)
{
    return segment_check_feed(arg, data, size);
}

/* How many bytes of an opened segment to take: what was there when the snapshot was taken, and of a segment that is
 * being written only whole frames. */
static int segment_size(struct work *w, int fd, const struct snapshot_entry *entry, const char *path,
                        const struct stat *st, uint64_t *ret_size)
{
    const struct hf_host *host = w->store.host;
    const char *subject = path + strlen(w->backup->ledger->base) + 1;
    uint64_t size = entry->size;
    struct segment_cut cut;
    int code = HF_OK;

    if ((uint64_t)st->st_size < size) {
        code = host->finding(w->store.ctx, HF_ERROR, "segment-shrank", subject,
                             "has lost %" PRIu64 " bytes since the backup began", size - (uint64_t)st->st_size);
        size = (uint64_t)st->st_size;
    }
    if (code == HF_OK && entry->may_grow) {
        int seen = segment_cut_find(fd, size, w->store.buffer, LEDGER_BUFFER, &cut);
        if (seen < 0)
            return host->fail(w->store.ctx, errno_code(-seen), "read '%s': %s", path, strerror(-seen));
        if (cut.torn && !cut.recoverable) {
            code = host->finding(w->store.ctx, HF_INFO, "torn-tail", subject,
                                 "a partial frame of %" PRIu64 " bytes at offset %" PRIu64 " is left out",
                                 size - cut.whole, cut.whole);
            size = cut.whole;
        }
    }
    *ret_size = size;
    return code;
}

static int store_segment_file(struct work *w, int fd, const struct snapshot_entry *entry, const char *file,
                              const char *path, const struct stat *st)
{
    const struct hf_host *host = w->store.host;
    struct segment_check check;
    uint64_t size = 0, lacking = 0;
    int code = segment_size(w, fd, entry, path, st, &size);

    if (code < 0)
        return code;
    code = segment_check_begin(&check, w->name, file);
    if (code < 0)
        code = host->fail(w->store.ctx, code, "check '%s': out of memory", path);
    if (code == HF_OK)
        code = store_file(&w->store, fd, path, st, size, feed_check, &check, &lacking);
    segment_check_end(&check);
    if (code == HF_OK && partition_check_add(&w->check, &check.result) < 0)
        code = host->fail(w->store.ctx, HF_E_NOMEM, "out of memory");
    if (code == HF_OK && lacking)
        code = host->finding(w->store.ctx, HF_ERROR, "segment-shrank", path + strlen(w->backup->ledger->base) + 1,
                             "became shorter while it was read; %" PRIu64 " bytes are stored as zeros", lacking);
    return code;
}

/* A segment, or, when the writer has gzipped it since the snapshot, its gzipped form. *ret_gone: neither is there. */
static int store_segment(struct work *w, const struct snapshot_entry *entry, bool *ret_gone)
{
    char file[SEGMENT_NAME_MAX];
    struct snapshot_entry taken = *entry;

    *ret_gone = false;
    snprintf(file, sizeof(file), "%s", entry->name);
    for (;;) {
        AUTO_FREE char *path = NULL;
        AUTO_FD fd = -1;
        struct stat st;

        if (asprintf(&path, "%s/%s/%s", w->backup->ledger->base, w->name, file) < 0) {
            path = NULL;
            return w->store.host->fail(w->store.ctx, HF_E_NOMEM, "out of memory");
        }
        int code = store_open_file(&w->store, w->snapshot.dir_fd, file, path, &fd, &st);
        if (code == HF_OK) {
            if (taken.gzipped && !entry->gzipped)
                taken.size = (uint64_t)st.st_size;
            return store_segment_file(w, fd, &taken, file, path, &st);
        }
        if (code != HF_E_NOTFOUND)
            return code;
        if (taken.gzipped)
            break;
        taken.gzipped = true;
        taken.may_grow = false;
        snprintf(file, sizeof(file), "signals-%03u.wal.gz", entry->ordinal);
    }
    *ret_gone = true;
    return HF_OK;
}

static int store_manifest(struct work *w, const char *path)
{
    AUTO_FD fd = -1;
    struct stat st;
    uint64_t size, done = 0;
    int code = store_open_file(&w->store, w->snapshot.dir_fd, "_manifest.json", path, &fd, &st);

    if (code < 0)
        return code == HF_E_NOTFOUND ? HF_OK : code; /* its absence is reported with the partition */
    for (size = (uint64_t)st.st_size; done < size && done < MANIFEST_MAX;) {
        ssize_t got = pread(fd, w->store.buffer, LEDGER_BUFFER, (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return w->store.host->fail(w->store.ctx, errno_code(errno), "read '%s': %s", path, strerror(errno));
        if (got == 0)
            break;
        if (small_file_add(&w->check.manifest, w->store.buffer, (size_t)got, MANIFEST_MAX) < 0)
            return w->store.host->fail(w->store.ctx, HF_E_NOMEM, "out of memory");
        done += (uint64_t)got;
    }
    if (!w->check.manifest.data) {
        w->check.manifest.present = true;
        return store_file(&w->store, fd, path, &st, size, NULL, NULL, &done);
    }
    return store_bytes(&w->store, path, &st, w->check.manifest.data, w->check.manifest.size);
}

static int store_entry(struct work *w, size_t index)
{
    struct snapshot_entry *entry = &w->snapshot.entries[index];
    AUTO_FREE char *path = NULL;
    bool gone = false;

    if (asprintf(&path, "%s/%s/%s", w->backup->ledger->base, w->name, entry->name) < 0) {
        path = NULL;
        return w->store.host->fail(w->store.ctx, HF_E_NOMEM, "out of memory");
    }
    switch (entry->kind) {
    case SNAPSHOT_SEGMENT: {
        int code = store_segment(w, entry, &gone);
        if (code == HF_OK && gone)
            code =
                w->store.host->finding(w->store.ctx, HF_ERROR, "vanished", path + strlen(w->backup->ledger->base) + 1,
                                       "was there when the backup began, and is gone");
        return code;
    }
    case SNAPSHOT_ODD:
        return store_left_out(&w->store, path);
    case SNAPSHOT_FILE:
        if (strcmp(entry->name, "_manifest.json") == 0)
            return store_manifest(w, path);
        if (partition_check_has(&w->check, entry->ordinal)) {
            /* The gzipped twin of a segment; already stored if the plain one was gone by then. */
            const struct segment_result *last = &w->check.segments[w->check.count - 1];
            if (last->gzipped)
                return HF_OK;
            int code = w->store.host->finding(w->store.ctx, HF_INFO, "segment-twice",
                                              path + strlen(w->backup->ledger->base) + 1,
                                              "is kept unchecked, because the plain segment is there, too");
            if (code < 0)
                return code;
        }
        break;
    default:
        break;
    }
    return store_tree(&w->store, w->snapshot.dir_fd, entry->name, path);
}

static int store_current(struct work *w)
{
    const struct small_file *current = &w->snapshot.current;
    AUTO_FREE char *path = NULL;

    w->check.current.present = current->present;
    if (!current->data)
        return HF_OK;
    if (small_file_add(&w->check.current, current->data, current->size, CURRENT_MAX) < 0)
        return w->store.host->fail(w->store.ctx, HF_E_NOMEM, "out of memory");
    if (asprintf(&path, "%s/%s/_CURRENT", w->backup->ledger->base, w->name) < 0) {
        path = NULL;
        return w->store.host->fail(w->store.ctx, HF_E_NOMEM, "out of memory");
    }
    return store_bytes(&w->store, path, &w->snapshot.current_stat, current->data, current->size);
}

static int store_partition(struct work *w)
{
    AUTO_FREE char *path = NULL;

    if (asprintf(&path, "%s/%s", w->backup->ledger->base, w->name) < 0) {
        path = NULL;
        return w->store.host->fail(w->store.ctx, HF_E_NOMEM, "out of memory");
    }
    w->check.sealed = w->snapshot.sealed;
    int code = store_folder(&w->store, path, &w->snapshot.stat);
    bool current_stored = false;

    for (size_t i = 0; i < w->snapshot.count && code == HF_OK; i++) {
        if (!current_stored && w->snapshot.entries[i].kind != SNAPSHOT_SEGMENT && w->snapshot.entries[i].ordinal == 0) {
            current_stored = true;
            code = store_current(w);
        }
        if (code == HF_OK)
            code = store_entry(w, i);
    }
    if (code == HF_OK && !current_stored)
        code = store_current(w);
    return code;
}

static int report_partition(struct work *w)
{
    const struct hf_host *host = w->store.host;
    AUTO_FREE char *facts = partition_facts(&w->check);

    if (!facts)
        return host->fail(w->store.ctx, HF_E_NOMEM, "out of memory");
    int code = host->fact(w->store.ctx, w->name, facts);
    return code < 0 ? code : partition_report(host, w->store.ctx, &w->check, HF_ERROR);
}

static int backup_partition(struct backup *b, struct work *w)
{
    const struct hf_host *host = w->store.host;
    int code = snapshot_take(host, w->store.ctx, b->fd, w->name, &w->snapshot);

    if (code == HF_E_NOTFOUND)
        return host->finding(w->store.ctx, HF_ERROR, "vanished", w->name,
                             "the partition was there when the backup began, "
                             "and is gone");
    if (code == HF_OK)
        code = store_partition(w);
    if (code == HF_OK)
        code = report_partition(w);
    if (code == HF_OK)
        atomic_fetch_add(&b->stored, 1);
    return code;
}

int ledger_backup_part(void *session, struct hf_ctx *ctx, const struct hf_part *part, struct hf_writer *writer)
{
    struct backup *b = session;
    struct work w = {.backup = b, .name = part->name, .snapshot = {.dir_fd = -1}};
    bool is_base = part->phase == 0, is_end = part->phase == 3;
    int code = store_open(&w.store, b->ledger->host, ctx, writer);

    if (code < 0)
        return code;
    partition_check_init(&w.check, w.name);
    if (is_base)
        code = store_base(b, &w.store);
    else if (!is_end)
        code = backup_partition(b, &w);
    partition_check_clear(&w.check);
    snapshot_clear(&w.snapshot);
    return store_close(&w.store, is_end, code);
}

int ledger_end(void *session, struct hf_ctx *ctx, int status)
{
    struct backup *b = session;
    const struct ledger *ledger = b->ledger;
    int code = HF_OK;

    if (status == HF_OK) {
        AUTO_FREE char *fact = ledger_fact(ledger->base, atomic_load(&b->stored));
        AUTO_FREE char *context = ledger_context(ledger->path);
        if (!fact || !context)
            code = ledger->host->fail(ctx, HF_E_NOMEM, "out of memory");
        if (code == HF_OK)
            code = ledger->host->fact(ctx, LEDGER_FACT, fact);
        if (code == HF_OK)
            code = ledger->host->context(ctx, LEDGER_FACT, context);
    }
    backup_free(b);
    return code;
}
