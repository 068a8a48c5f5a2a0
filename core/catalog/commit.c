/* SPDX-License-Identifier: Apache-2.0
 *
 * How backups appear and disappear: at any crash the sink holds a whole backup, or records from which the next sweep
 * makes it either whole or gone.
 */
#include "catalog/objects.h"
#include "catalog/records.h"

#include "base/log.h"

#include <string.h>

static char *record_key(const char *id, const char *suffix)
{
    return hf_strf("%s%s", id, suffix);
}

static int refuse_taken(struct hf_ctx *ctx, struct hf_instance *sink, const char *key)
{
    bool there = false;
    int rc = hf_object_stat(ctx, sink, key, &there, NULL);

    if (rc < 0)
        return rc;
    if (!there)
        return HF_OK;
    hf_fail(ctx, HF_E_EXISTS, "%s: object '%s' is there already", sink->who, key);
    return hf_hint(
        ctx, "if it is no backup of yours, move it out of the way; otherwise look whether the clock was set back");
}

static int write_record(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_manifest *manifest,
                        const char *kind, const char *suffix)
{
    hf_auto_free char *key = record_key(manifest->id, suffix), *text = hf_record_text(manifest, kind);

    return hf_object_write_passing(ctx, sink, key, "application/json", text, strlen(text));
}

int hf_commit_begin(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_manifest *manifest)
{
    hf_auto_free char *manifest_key = NULL, *sha256_key = NULL;
    int rc = hf_manifest_check(ctx, "the new backup's manifest", manifest);

    if (rc < 0)
        return rc;
    manifest_key = hf_key_manifest(manifest->id);
    sha256_key = hf_key_sha256(manifest->id);
    rc = refuse_taken(ctx, sink, manifest_key);
    if (rc == HF_OK)
        rc = refuse_taken(ctx, sink, sha256_key);
    for (size_t i = 0; i < manifest->artifact_count && rc == HF_OK; i++)
        rc = refuse_taken(ctx, sink, manifest->artifacts[i].key);
    return rc < 0 ? rc : write_record(ctx, sink, manifest, "commit", HF_SUFFIX_COMMIT);
}

int hf_commit_end(struct hf_ctx *ctx, struct hf_instance *sink, const char *id)
{
    hf_auto_free char *key = record_key(id, HF_SUFFIX_COMMIT);
    struct hf_ctx aside = hf_ctx_aside(ctx);
    int rc;

    aside.cancel = NULL;
    rc = hf_object_remove(&aside, sink, key);
    hf_error_merge(&ctx->error, &aside.error);
    return rc;
}

static int remove_derived(struct hf_ctx *ctx, struct hf_instance *sink, const char *id, const char *suffix)
{
    hf_auto_free char *key = record_key(id, suffix);

    return hf_object_remove(ctx, sink, key);
}

int hf_backup_remove(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_manifest *manifest)
{
    const char *id = manifest->id;
    int rc;

    /* One that a failed removal left may stand in the way. */
    rc = remove_derived(ctx, sink, id, HF_SUFFIX_REMOVING);
    if (rc == HF_OK)
        rc = write_record(ctx, sink, manifest, "removing", HF_SUFFIX_REMOVING);
    if (rc == HF_OK)
        rc = remove_derived(ctx, sink, id, HF_SUFFIX_MANIFEST);
    if (rc == HF_OK)
        rc = remove_derived(ctx, sink, id, HF_SUFFIX_VERIFIED);
    if (rc == HF_OK)
        rc = remove_derived(ctx, sink, id, HF_SUFFIX_SHA256);
    for (size_t i = 0; i < manifest->artifact_count && rc == HF_OK; i++)
        rc = hf_object_remove(ctx, sink, manifest->artifacts[i].key);
    if (rc == HF_OK)
        rc = remove_derived(ctx, sink, id, HF_SUFFIX_REMOVING);
    return rc;
}

/* Removes what the record names, and only what has the size that it says: anything else somebody else put there. */
static int remove_named(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_record *record)
{
    for (size_t i = 0; i < record->count; i++) {
        const struct hf_record_object *object = &record->objects[i];
        uint64_t bytes = 0;
        bool there = false;
        int rc = hf_object_stat(ctx, sink, object->key, &there, &bytes);

        if (rc == HF_OK && there && bytes != object->bytes)
            hf_log(HF_LOG_WARNING, sink->who, "object '%s' is not what an interrupted run left there, and stays",
                   object->key);
        else if (rc == HF_OK && there)
            rc = hf_object_remove(ctx, sink, object->key);
        if (rc < 0)
            return rc;
    }
    return HF_OK;
}

/* HF_END when the record is none: it is reported and stays, since what it names cannot be trusted. */
static int load_record(struct hf_ctx *ctx, struct hf_instance *sink, const char *key, const char *id, const char *kind,
                       struct hf_record *ret_record)
{
    struct hf_ctx aside = hf_ctx_aside(ctx);
    hf_auto_free char *data = NULL;
    size_t size;
    int rc = hf_object_read(&aside, sink, key, HF_RECORD_MAX_BYTES, &data, &size);

    if (rc == HF_OK)
        rc = hf_record_parse(&aside, key, id, kind, data, size, ret_record);
    if (rc == HF_E_CORRUPT) {
        hf_log(HF_LOG_WARNING, sink->who, "'%s' is left alone: %s", key, aside.error.text);
        rc = HF_END;
        hf_error_clear(&aside.error);
    }
    hf_error_merge(&ctx->error, &aside.error);
    return rc;
}

/* The same; HF_END when the sink has locked one of them: the record stays, and a later run tries again. */
static int remove_unlocked(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_record *record)
{
    struct hf_ctx aside = hf_ctx_aside(ctx);
    int rc = remove_named(&aside, sink, record);

    if (rc == HF_E_REFUSED) {
        hf_log(HF_LOG_WARNING, NULL, "what an interrupted run left stays for now: %s", aside.error.text);
        hf_error_clear(&aside.error);
        rc = HF_END;
    }
    hf_error_merge(&ctx->error, &aside.error);
    return rc;
}

/* Takes an interrupted commit or removal to its end. */
static int settle(struct hf_ctx *ctx, struct hf_instance *sink, const char *id, const char *kind, const char *suffix)
{
    hf_auto_free char *key = record_key(id, suffix), *manifest_key = hf_key_manifest(id);
    hf_auto_free char *verified_key = record_key(id, HF_SUFFIX_VERIFIED);
    bool removing = strcmp(kind, "removing") == 0, complete = false;
    __attribute__((cleanup(hf_record_clear))) struct hf_record record = {0};
    int rc = hf_object_stat(ctx, sink, manifest_key, &complete, NULL);

    /* A verified backup was complete: one that lost its manifest since is not for us to remove. */
    if (rc == HF_OK && !complete && !removing)
        rc = hf_object_stat(ctx, sink, verified_key, &complete, NULL);
    if (rc < 0)
        return rc;
    if (!complete) {
        rc = load_record(ctx, sink, key, id, kind, &record);
        if (rc != HF_OK)
            return rc == HF_END ? HF_OK : rc;
        hf_log(HF_LOG_INFO, sink->who, "%s backup '%s'",
               removing ? "finishing the removal of" : "taking back the incomplete", id);
        rc = removing ? hf_object_remove(ctx, sink, verified_key) : HF_OK;
        if (rc == HF_OK)
            rc = remove_unlocked(ctx, sink, &record);
        if (rc == HF_END)
            return HF_OK;
    }
    return rc < 0 ? rc : hf_object_remove(ctx, sink, key);
}

int hf_commit_abort(struct hf_ctx *ctx, struct hf_instance *sink, const char *id)
{
    hf_auto_free char *key = record_key(id, HF_SUFFIX_COMMIT);
    struct hf_ctx aside = hf_ctx_aside(ctx);
    bool there = false;
    int rc;

    aside.cancel = NULL;
    rc = hf_object_stat(&aside, sink, key, &there, NULL);
    if (rc == HF_OK && there)
        rc = settle(&aside, sink, id, "commit", HF_SUFFIX_COMMIT);
    hf_error_merge(&ctx->error, &aside.error);
    return rc;
}

struct found_records {
    const char *profile;
    struct hf_strings commits, removals; /* ids */
};

static void note_record(const char *profile, const char *key, const char *suffix, struct hf_strings *ids)
{
    hf_auto_free char *id = NULL, *owner = NULL;

    if (!hf_text_ends(key, suffix))
        return;
    id = hf_strndup(key, strlen(key) - strlen(suffix));
    if (hf_id_parse(id, &owner, NULL) && strcmp(owner, profile) == 0)
        hf_strings_take(ids, hf_steal(id));
}

static int each_object(void *arg, const struct hf_object *object)
{
    struct found_records *found = arg;

    note_record(found->profile, object->key, HF_SUFFIX_COMMIT, &found->commits);
    note_record(found->profile, object->key, HF_SUFFIX_REMOVING, &found->removals);
    return 0;
}

static void clear_found(struct found_records *found)
{
    hf_strings_clear(&found->commits);
    hf_strings_clear(&found->removals);
}

int hf_catalog_sweep(struct hf_ctx *ctx, struct hf_instance *sink, const char *profile)
{
    __attribute__((cleanup(clear_found))) struct found_records found = {.profile = profile};
    hf_auto_free char *prefix = hf_strf("%s_", profile);
    const struct hf_sink *ops = &sink->loaded->sink;
    int rc;

    /* First, since it tells whether another run is at work here, whose records must not be settled. */
    if (ops->sweep != NULL) {
        hf_instance_enter(sink, ctx);
        rc = hf_instance_leave(sink, ctx, ops->sweep(sink->self, ctx, prefix, 0));
        if (rc < 0)
            return rc;
    }
    hf_instance_enter(sink, ctx);
    rc = hf_instance_leave(sink, ctx, ops->list(sink->self, ctx, prefix, each_object, &found));
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < found.commits.count; i++) {
        rc = settle(ctx, sink, found.commits.items[i], "commit", HF_SUFFIX_COMMIT);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < found.removals.count; i++) {
        rc = settle(ctx, sink, found.removals.items[i], "removing", HF_SUFFIX_REMOVING);
        if (rc < 0)
            return rc;
    }
    return HF_OK;
}
