/* SPDX-License-Identifier: Apache-2.0
 *
 * Verification from the artifact alone: every frame, sequence, gzipped segment and seal is checked again, and the facts
 * are told again for the core to compare. Damage that the facts of the backup already show is the ledger's, not the
 * backup's, and only a warning here.
 */
#include "ledger.h"
#include "partition.h"
#include "util.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <tar.h>

struct verify {
    const struct ledger *ledger;
    pthread_mutex_t lock; /* of everything below                                                                 */
    char *base;           /* first component of every entry                                                      */
    struct names partitions;
};

/* One part. */
struct reading {
    struct verify *verify;
    const struct hf_host *host;
    struct hf_ctx *ctx;
    struct tar_in *in;
    struct partition_check check;
    bool seen; /* the partition has entries                                                                      */
};

int ledger_verify_begin(void *self, struct hf_ctx *ctx, void **ret_session)
{
    struct ledger *ledger = self;
    struct verify *v = calloc(1, sizeof(*v));

    if (!v)
        return ledger->host->fail(ctx, HF_E_NOMEM, "out of memory");
    v->ledger = ledger;
    pthread_mutex_init(&v->lock, NULL);
    *ret_session = v;
    return HF_OK;
}

/* Every entry lies under one folder, the same in all parts. 1: fine, 0: another one, or a failure. */
static int base_agrees(struct reading *r, const char *path, size_t length)
{
    struct verify *v = r->verify;
    int result = 1;

    pthread_mutex_lock(&v->lock);
    if (!v->base)
        v->base = strndup(path, length);
    if (!v->base)
        result = HF_E_NOMEM;
    else if (strlen(v->base) != length || memcmp(v->base, path, length) != 0)
        result = 0;
    pthread_mutex_unlock(&v->lock);
    return result < 0 ? r->host->fail(r->ctx, HF_E_NOMEM, "out of memory") : result;
}

/* Hands an entry's data on: 0, or a failure. */
static int each_piece(struct reading *r, const char *path, int (*see)(void *arg, const void *data, size_t size),
                      void *arg)
{
    int64_t expected = 0;

    for (;;) {
        const void *data;
        size_t size;
        int64_t offset;
        int code = tar_in_data(r->in, &data, &size, &offset);

        if (code == HF_END)
            return HF_OK;
        if (code < 0)
            return code;
        if (offset != expected)
            return r->host->fail(r->ctx, HF_E_CORRUPT, "tar entry '%s' has a hole at offset %lld", TAR_SHOW(path),
                                 (long long)expected);
        if (see(arg, data, size) < 0)
            return r->host->fail(r->ctx, HF_E_NOMEM, "check '%s': out of memory", TAR_SHOW(path));
        expected = offset + (int64_t)size;
    }
}

static int see_segment(void *arg, const void *data, size_t size)
{
    return segment_check_feed(arg, data, size);
}

static int see_current(void *arg, const void *data, size_t size)
{
    return small_file_add(arg, data, size, CURRENT_MAX);
}

static int see_manifest(void *arg, const void *data, size_t size)
{
    return small_file_add(arg, data, size, MANIFEST_MAX);
}

static int verify_segment(struct reading *r, const char *path, const char *file)
{
    struct segment_check check;
    int code = segment_check_begin(&check, r->check.name, file);

    if (code < 0)
        r->host->fail(r->ctx, code, "check '%s': out of memory", TAR_SHOW(path));
    if (code == HF_OK)
        code = each_piece(r, path, see_segment, &check);
    segment_check_end(&check);
    if (code == HF_OK && partition_check_add(&r->check, &check.result) < 0)
        code = r->host->fail(r->ctx, HF_E_NOMEM, "out of memory");
    return code;
}

/* `name`: what follows the partition's folder in the path. */
static int verify_file(struct reading *r, const char *path, const char *name)
{
    uint32_t ordinal;
    bool gzipped;

    if (segment_name_parse(name, &ordinal, &gzipped))
        return partition_check_has(&r->check, ordinal) ? HF_OK : verify_segment(r, path, name);
    if (strcmp(name, "_SEALED") == 0) {
        r->check.sealed = true;
    } else if (strcmp(name, "_CURRENT") == 0) {
        r->check.current.present = true;
        return each_piece(r, path, see_current, &r->check.current);
    } else if (strcmp(name, "_manifest.json") == 0) {
        r->check.manifest.present = true;
        return each_piece(r, path, see_manifest, &r->check.manifest);
    }
    return HF_OK;
}

static int stray(struct reading *r, const char *path)
{
    return r->host->finding(r->ctx, HF_ERROR, "stray-entry", path, "does not belong into the part '%s'", r->check.name);
}

static int verify_entry(struct reading *r, struct archive_entry *entry, bool is_partition)
{
    const char *path = archive_entry_pathname(entry);
    if (!path)
        return r->host->fail(r->ctx, HF_E_CORRUPT, "a tar entry has no name");
    size_t base = strcspn(path, "/");
    int agrees = base_agrees(r, path, base);
    if (agrees < 0)
        return agrees;
    if (!agrees)
        return stray(r, path);
    if (!is_partition)
        return HF_OK;
    const char *name = path + base + (path[base] == '/');
    size_t length = strlen(r->check.name);
    if (strncmp(name, r->check.name, length) != 0 || (name[length] && name[length] != '/'))
        return stray(r, path);
    r->seen = true;
    name += length + (name[length] == '/');
    if (!*name || strchr(name, '/') || archive_entry_filetype(entry) != AE_IFREG)
        return HF_OK;
    return verify_file(r, path, name);
}

static int note_partition(struct verify *v, const char *name)
{
    struct names *names = &v->partitions;
    int code = HF_OK;

    pthread_mutex_lock(&v->lock);
    char **items = reallocarray(names->items, names->count + 1, sizeof(*items));
    if (items) {
        names->items = items;
        items[names->count] = strdup(name);
    }
    if (items && items[names->count])
        names->count++;
    else
        code = HF_E_NOMEM;
    pthread_mutex_unlock(&v->lock);
    return code;
}

static int report(struct reading *r)
{
    AUTO_FREE char *facts = partition_facts(&r->check);

    if (!facts || note_partition(r->verify, r->check.name) < 0)
        return r->host->fail(r->ctx, HF_E_NOMEM, "out of memory");
    const char *recorded = r->host->get_fact(r->ctx, r->check.name);
    bool known = recorded && facts_equal(recorded, facts);
    int code = r->host->fact(r->ctx, r->check.name, facts);
    return code < 0 ? code : partition_report(r->host, r->ctx, &r->check, known ? HF_WARNING : HF_ERROR);
}

int ledger_verify_part(void *session, struct hf_ctx *ctx, const struct hf_part *part, struct hf_reader *reader)
{
    struct verify *v = session;
    struct reading r = {.verify = v, .host = v->ledger->host, .ctx = ctx};
    bool is_partition = part->phase == 1 || partition_name_parse(part->name, NULL);
    int code = tar_in_open(r.host, ctx, reader, &r.in);

    if (code < 0)
        return code;
    partition_check_init(&r.check, part->name);
    while (code == HF_OK) {
        struct archive_entry *entry;

        code = tar_in_next(r.in, &entry);
        if (code == HF_OK)
            code = verify_entry(&r, entry, is_partition);
    }
    if (code == HF_END && strcmp(part->name, PART_END) == 0 && !tar_in_saw_end(r.in))
        code = r.host->finding(ctx, HF_ERROR, "no-end", part->name, "the tar lacks its end-of-archive marker");
    if (code == HF_END)
        code = HF_OK;
    if (code == HF_OK && r.seen)
        code = report(&r);
    partition_check_clear(&r.check);
    tar_in_close(r.in);
    return code;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int ledger_verify_end(void *session, struct hf_ctx *ctx, int status)
{
    struct verify *v = session;
    const struct hf_host *host = v->ledger->host;
    struct names *names = &v->partitions;
    int code = HF_OK;

    if (status == HF_OK) {
        AUTO_FREE char *fact = ledger_fact(v->base ? v->base : "", names->count);
        if (names->count)
            qsort(names->items, names->count, sizeof(*names->items), compare_names);
        code = fact ? host->fact(ctx, LEDGER_FACT, fact) : host->fail(ctx, HF_E_NOMEM, "out of memory");
        if (code == HF_OK)
            code = report_missing_days(host, ctx, (const char *const *)names->items, names->count);
    }
    pthread_mutex_destroy(&v->lock);
    names_free(names);
    free(v->base);
    free(v);
    return code;
}
