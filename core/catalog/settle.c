/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of the records that runs left: those of our own at once, since we hold their lock; those of others, who
 * may be at work now, only when they are old.
 *
 * No clock keeps a backup from being spoiled. Who takes another's commit back leaves a removal record, removes the
 * commit record, and only then looks whether there is a manifest; the other makes its manifest visible and then looks
 * whether its record is there. So either it sees that it was taken back, and fails; or the manifest is seen here, and
 * stays.
 */
#include "catalog/objects.h"
#include "catalog/records.h"

#include "base/log.h"

#include <string.h>

enum { HOUR_MS = 3600 * 1000 };

/* In the sink's time, which machines that can write to it share but for minutes; one without a time, or of the future,
 * is never old. */
static bool is_old(const struct hf_record *record, int64_t modified_ms)
{
    uint64_t hours = record->hours > HF_OTHERS_AFTER_HOURS ? record->hours : HF_OTHERS_AFTER_HOURS;

    return modified_ms > 0 && hf_time_now_ms() - modified_ms >= (int64_t)hours * HOUR_MS;
}

/* Of our own: what a copying has brought waits for the next to go on with it. */
static bool waits(const struct hf_record *record, int64_t modified_ms)
{
    int64_t age_ms = hf_time_now_ms() - modified_ms, most_ms = (int64_t)record->hours * HOUR_MS;

    return modified_ms > 0 && age_ms < most_ms && age_ms > -most_ms;
}

/* A commit goes on as a removal. HF_END: another run does it already. */
static int take_over(struct hf_ctx *ctx, struct hf_instance *sink, struct hf_record *record)
{
    struct hf_ctx aside = hf_ctx_aside(ctx);
    int rc;

    free(record->kind);
    free(record->writer);
    record->kind = hf_strdup(HF_REMOVING);
    record->writer = hf_strdup(sink->writer);
    rc = hf_record_write(&aside, sink, record);
    if (rc == HF_E_EXISTS) {
        hf_error_clear(&aside.error);
        rc = HF_END;
    }
    hf_error_merge(&ctx->error, &aside.error);
    return rc;
}

/* The manifest is not there, so that what the record names goes, and then the record. */
static int finish(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_record *record)
{
    hf_auto_free char *key = hf_record_key(record->id, record->kind), *manifest_key = hf_key_manifest(record->id);
    hf_auto_free char *commit_key = hf_record_key(record->id, HF_COMMIT);
    hf_auto_free char *verified_key = hf_strf("%s" HF_SUFFIX_VERIFIED, record->id);
    bool removing = strcmp(record->kind, HF_REMOVING) == 0, shown = false;
    int rc = HF_OK;

    hf_log(HF_LOG_INFO, sink->who, "%s backup '%s'",
           removing ? "finishing the removal of" : "taking back the incomplete", record->id);
    if (removing) {
        rc = hf_object_remove(ctx, sink, commit_key);
        if (rc == HF_OK)
            rc = hf_object_stat(ctx, sink, manifest_key, &shown, NULL);
        if (rc == HF_OK && !shown)
            rc = hf_object_remove(ctx, sink, verified_key);
    }
    if (rc == HF_OK && !shown)
        rc = hf_record_remove_named(ctx, sink, record);
    return rc == HF_OK ? hf_object_remove(ctx, sink, key) : rc;
}

/* One that cannot be read is reported, and stays as long as there is no manifest, since what it names cannot be
 * trusted. */
static int settle_spoiled(struct hf_ctx *ctx, struct hf_instance *sink, const char *key, bool complete, const char *why)
{
    if (complete)
        return hf_object_remove(ctx, sink, key);
    hf_log(HF_LOG_WARNING, sink->who, "'%s' is left alone: %s", key, why);
    return HF_OK;
}

static int settle(struct hf_ctx *ctx, struct hf_instance *sink, struct hf_record *record, bool complete,
                  enum hf_settle how, int64_t modified_ms)
{
    hf_auto_free char *key = hf_record_key(record->id, record->kind);
    bool ours = hf_record_ours(record, sink), dead = ours || how != HF_SETTLE_AMONG;
    int rc = HF_OK;

    if (!dead && !is_old(record, modified_ms)) {
        hf_log(HF_LOG_INFO, sink->who, "'%s' is another run's, at work or dead for not long, and is left alone", key);
        return HF_OK;
    }
    if (complete)
        return hf_object_remove(ctx, sink, key);
    if (ours && how != HF_SETTLE_NOW && waits(record, modified_ms)) {
        hf_log(HF_LOG_INFO, sink->who, "what has been copied of '%s' waits for the copying to go on", record->id);
        return HF_OK;
    }
    if (!dead && strcmp(record->kind, HF_COMMIT) == 0)
        rc = take_over(ctx, sink, record);
    return rc == HF_OK ? finish(ctx, sink, record) : rc;
}

int hf_record_settle(struct hf_ctx *ctx, struct hf_instance *sink, const char *id, const char *kind, enum hf_settle how,
                     int64_t modified_ms)
{
    hf_auto_free char *key = hf_record_key(id, kind), *manifest_key = hf_key_manifest(id);
    hf_auto_free char *verified_key = hf_strf("%s" HF_SUFFIX_VERIFIED, id);
    __attribute__((cleanup(hf_record_clear))) struct hf_record record = {0};
    struct hf_ctx aside = hf_ctx_aside(ctx);
    bool complete = false;
    int rc = hf_object_stat(&aside, sink, manifest_key, &complete, NULL);

    /* A verified backup was complete: one that lost its manifest since is not for us to remove. */
    if (rc == HF_OK && !complete && strcmp(kind, HF_COMMIT) == 0)
        rc = hf_object_stat(&aside, sink, verified_key, &complete, NULL);
    if (rc == HF_OK)
        rc = hf_record_read(&aside, sink, id, kind, &record);
    if (rc == HF_OK) {
        rc = settle(&aside, sink, &record, complete, how, modified_ms);
    } else if (rc == HF_E_NOTFOUND) { /* its run has ended */
        hf_error_clear(&aside.error);
        rc = HF_OK;
    } else if (rc == HF_E_CORRUPT) {
        rc = settle_spoiled(ctx, sink, key, complete, aside.error.text);
        hf_error_clear(&aside.error);
    }
    hf_error_merge(&ctx->error, &aside.error);
    return rc < 0 ? rc : HF_OK;
}

struct found_record {
    char *id;
    const char *kind;
    int64_t modified_ms;
};

struct found_records {
    const char *profile;
    struct found_record *items;
    size_t count, room;
};

static void note_record(struct found_records *found, const struct hf_object *object, const char *suffix,
                        const char *kind)
{
    hf_auto_free char *id = NULL, *owner = NULL;

    if (!hf_text_ends(object->key, suffix))
        return;
    id = hf_strndup(object->key, strlen(object->key) - strlen(suffix));
    if (!hf_id_parse(id, &owner, NULL) || strcmp(owner, found->profile) != 0)
        return;
    if (found->count == found->room) {
        found->room = found->room ? found->room * 2 : 8;
        found->items = hf_realloc_array(found->items, found->room, sizeof(*found->items));
    }
    found->items[found->count++] = (struct found_record){hf_steal(id), kind, object->modified_ms};
}

static int each_object(void *arg, const struct hf_object *object)
{
    note_record(arg, object, HF_SUFFIX_COMMIT, HF_COMMIT);
    note_record(arg, object, HF_SUFFIX_REMOVING, HF_REMOVING);
    return 0;
}

static void clear_found(struct found_records *found)
{
    for (size_t i = 0; i < found->count; i++)
        free(found->items[i].id);
    free(found->items);
}

/* Of one id, the commit record is looked at first: it is listed first. */
int hf_catalog_sweep(struct hf_ctx *ctx, struct hf_instance *sink, const char *profile)
{
    __attribute__((cleanup(clear_found))) struct found_records found = {.profile = profile};
    hf_auto_free char *prefix = hf_strf("%s_", profile);
    const struct hf_sink *ops = &sink->loaded->sink;
    int rc = HF_OK;
    bool alone;

    /* First, since it tells whether another run is at work here, whose records must not be settled. */
    if (ops->sweep != NULL) {
        hf_instance_enter(sink, ctx);
        rc = hf_instance_leave(sink, ctx, ops->sweep(sink->self, ctx, prefix, 0));
        if (rc < 0)
            return rc;
    }
    alone = rc == HF_ALONE;
    hf_instance_enter(sink, ctx);
    rc = hf_instance_leave(sink, ctx, ops->list(sink->self, ctx, prefix, each_object, &found));
    for (size_t i = 0; i < found.count && rc == HF_OK; i++)
        rc = hf_record_settle(ctx, sink, found.items[i].id, found.items[i].kind,
                              alone ? HF_SETTLE_ALONE : HF_SETTLE_AMONG, found.items[i].modified_ms);
    return rc;
}
