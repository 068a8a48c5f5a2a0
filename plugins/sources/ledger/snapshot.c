/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot.h"

#include "util.h"

#include <fcntl.h>
#include <string.h>

/* Each retry means that a segment of 10 MiB filled up, or a day was sealed, within the last few milliseconds. */
#define TRIES 8

/* Reads _CURRENT; absent is fine. 0 or a negative errno. */
static int read_current(int dir_fd, struct small_file *ret_file, struct stat *ret_stat)
{
    char buffer[CURRENT_MAX + 1];
    size_t have = 0;
    AUTO_FD fd = openat(dir_fd, "_CURRENT", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT || errno == ELOOP ? 0 : -errno;
    if (fstat(fd, ret_stat) < 0)
        return -errno;
    if (!S_ISREG(ret_stat->st_mode))
        return 0;
    while (have < sizeof(buffer)) {
        ssize_t got = read(fd, buffer + have, sizeof(buffer) - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return small_file_add(ret_file, buffer, have, CURRENT_MAX) < 0 ? -ENOMEM : 0;
}

static bool same_content(const struct small_file *a, const struct small_file *b)
{
    return a->present == b->present && a->size == b->size && !a->data == !b->data &&
           (!a->data || memcmp(a->data, b->data, a->size) == 0);
}

/* Segments by ordinal, the plain one before its gzipped twin; then the rest by name, the seal last, so that a copy that
 * ends early does not look sealed. */
static int compare_entries(const void *a, const void *b)
{
    const struct snapshot_entry *x = a, *y = b;

    if ((x->kind == SNAPSHOT_SEGMENT) != (y->kind == SNAPSHOT_SEGMENT))
        return x->kind == SNAPSHOT_SEGMENT ? -1 : 1;
    if (x->kind == SNAPSHOT_SEGMENT && x->ordinal != y->ordinal)
        return x->ordinal < y->ordinal ? -1 : 1;
    bool x_seal = strcmp(x->name, "_SEALED") == 0, y_seal = strcmp(y->name, "_SEALED") == 0;
    if (x_seal != y_seal)
        return x_seal ? 1 : -1;
    return strcmp(x->name, y->name);
}

/* Kind and size of one name. 0, or a negative errno. */
static int classify(int dir_fd, struct snapshot_entry *entry)
{
    struct stat st;

    if (fstatat(dir_fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    entry->size = (uint64_t)st.st_size;
    if (S_ISDIR(st.st_mode))
        entry->kind = SNAPSHOT_FOLDER;
    else if (!S_ISREG(st.st_mode))
        entry->kind = SNAPSHOT_ODD;
    return 0;
}

/* Marks what may grow, and makes an ordinary file of a gzipped segment whose plain one is still there: gzip writes the
 * one before it removes the other, so it may be unfinished. */
static void settle(struct snapshot *s)
{
    uint32_t current = s->current.data ? current_parse(s->current.data, s->current.size) : 0, last = 0;

    for (size_t i = 0; i < s->count; i++) {
        struct snapshot_entry *entry = &s->entries[i], *before = i ? entry - 1 : NULL;

        if (entry->kind != SNAPSHOT_SEGMENT)
            continue;
        if (before && before->kind == SNAPSHOT_SEGMENT && before->ordinal == entry->ordinal)
            entry->kind = SNAPSHOT_FILE;
        else
            last = entry->ordinal;
    }
    for (size_t i = 0; i < s->count; i++) {
        struct snapshot_entry *entry = &s->entries[i];

        entry->may_grow = entry->kind == SNAPSHOT_SEGMENT && !entry->gzipped && !s->sealed &&
                          (entry->ordinal == current || entry->ordinal == last);
    }
}

/* The names that matter, in order, as entries without sizes. 0 or a negative errno. */
static int list_entries(struct snapshot *s)
{
    int code = names_list(s->dir_fd, &s->names);

    if (code < 0)
        return code;
    s->entries = calloc(s->names.count + 1, sizeof(*s->entries));
    if (!s->entries)
        return -ENOMEM;
    for (size_t i = 0; i < s->names.count; i++) {
        struct snapshot_entry *entry = &s->entries[s->count];

        entry->name = s->names.items[i];
        if (name_is_left_out(entry->name) || (strcmp(entry->name, "_CURRENT") == 0 && s->current.data))
            continue;
        entry->kind =
            segment_name_parse(entry->name, &entry->ordinal, &entry->gzipped) ? SNAPSHOT_SEGMENT : SNAPSHOT_FILE;
        s->count++;
    }
    if (s->count)
        qsort(s->entries, s->count, sizeof(*s->entries), compare_entries);
    return 0;
}

/* Takes the sizes, from the last entry to the first. 0, 1 when something vanished, or a negative errno. */
static int take_sizes(struct snapshot *s)
{
    int vanished = 0;

    for (size_t i = s->count; i-- > 0;) {
        int code = classify(s->dir_fd, &s->entries[i]);
        if (code < 0 && code != -ENOENT)
            return code;
        if (code < 0) {
            vanished = 1;
            s->count--;
            memmove(&s->entries[i], &s->entries[i + 1], (s->count - i) * sizeof(*s->entries));
        }
    }
    return vanished;
}

static bool has_entry(const struct snapshot *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->entries[i].name, name) == 0)
            return true;
    return false;
}

/* One look. 0, 1 when the writer moved on meanwhile, or a negative errno. */
static int look(struct snapshot *s)
{
    struct small_file again = {0};
    struct stat again_stat;
    int code = read_current(s->dir_fd, &s->current, &s->current_stat);

    if (code == 0)
        code = list_entries(s);
    if (code == 0)
        code = take_sizes(s);
    if (code < 0)
        return code;
    int moved = code;
    code = read_current(s->dir_fd, &again, &again_stat);
    moved |= !same_content(&again, &s->current);
    small_file_clear(&again);
    if (code < 0)
        return code;
    s->sealed = has_entry(s, "_SEALED");
    moved |= s->sealed != (faccessat(s->dir_fd, "_SEALED", F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    moved |= s->sealed && !has_entry(s, "_manifest.json");
    return moved;
}

/* When the writer never stood still: what came after the segment that _CURRENT named is left out, so that the result is
 * a prefix all the same. */
static void cut_after_current(struct snapshot *s)
{
    uint32_t current = s->current.data ? current_parse(s->current.data, s->current.size) : 0;
    size_t kept = 0;
    struct small_file now = {0};
    struct stat st;
    bool moved = read_current(s->dir_fd, &now, &st) == 0 && now.present && !same_content(&now, &s->current);

    small_file_clear(&now);
    if (!current || !moved)
        return;
    for (size_t i = 0; i < s->count; i++)
        if (s->entries[i].kind != SNAPSHOT_SEGMENT || s->entries[i].ordinal <= current)
            s->entries[kept++] = s->entries[i];
    s->count = kept;
}

static void forget(struct snapshot *s)
{
    free(s->entries);
    names_free(&s->names);
    small_file_clear(&s->current);
    s->entries = NULL;
    s->count = 0;
    s->sealed = false;
}

static int open_partition(const struct hf_host *host, struct hf_ctx *ctx, int ledger_fd, const char *partition,
                          struct snapshot *s)
{
    s->dir_fd = openat(ledger_fd, partition, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (s->dir_fd < 0 && errno == ENOENT)
        return HF_E_NOTFOUND;
    if (s->dir_fd < 0)
        return host->fail(ctx, errno_code(errno), "open partition '%s': %s", partition, strerror(errno));
    if (fstat(s->dir_fd, &s->stat) < 0)
        return host->fail(ctx, HF_E_IO, "stat partition '%s': %s", partition, strerror(errno));
    return HF_OK;
}

int snapshot_take(const struct hf_host *host, struct hf_ctx *ctx, int ledger_fd, const char *partition,
                  struct snapshot *ret_snapshot)
{
    struct snapshot *s = ret_snapshot;

    *s = (struct snapshot){.dir_fd = -1};
    int code = open_partition(host, ctx, ledger_fd, partition, s);
    for (int try = 1; code == HF_OK; try++) {
        int seen = look(s);
        if (seen == 1 && try == TRIES)
            cut_after_current(s);
        if (seen == 0 || (seen == 1 && try == TRIES)) {
            settle(s);
            return HF_OK;
        }
        if (seen < 0)
            return host->fail(ctx, errno_code(-seen), "read partition '%s': %s", partition, strerror(-seen));
        forget(s);
        code = host->sleep_ms(ctx, try);
    }
    return code;
}

void snapshot_clear(struct snapshot *s)
{
    forget(s);
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    s->dir_fd = -1;
}
