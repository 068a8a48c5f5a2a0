/* SPDX-License-Identifier: Apache-2.0
 *
 * How backups appear and disappear: at any crash the sink holds a whole backup, or records from which the next sweep
 * makes it either whole or gone.
 */
#include "catalog/objects.h"
#include "catalog/records.h"

#include <string.h>

/* What stands under the name of one of our records. */
enum found { FOUND_NOTHING, FOUND_OURS, FOUND_OTHERS, FOUND_SPOILED };

static int look(struct hf_ctx *ctx, struct hf_instance *sink, const char *id, const char *kind, enum found *ret_found)
{
    __attribute__((cleanup(hf_record_clear))) struct hf_record record = {0};
    struct hf_ctx aside = hf_ctx_aside(ctx);
    int rc = hf_record_read(&aside, sink, id, kind, &record);

    if (rc < 0 && rc != HF_E_NOTFOUND && rc != HF_E_CORRUPT) {
        hf_error_merge(&ctx->error, &aside.error);
        return rc;
    }
    hf_error_clear(&aside.error);
    *ret_found = rc == HF_E_NOTFOUND             ? FOUND_NOTHING
                 : rc == HF_E_CORRUPT            ? FOUND_SPOILED
                 : hf_record_ours(&record, sink) ? FOUND_OURS
                                                 : FOUND_OTHERS;
    return HF_OK;
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
    return hf_hint(ctx,
                   "if it is no backup of yours, move it out of the way; otherwise another machine began one in the "
                   "same second, or the clock was set back");
}

static int write_record(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_manifest *manifest,
                        const char *kind, uint64_t hours)
{
    __attribute__((cleanup(hf_record_clear))) struct hf_record record = hf_record_of(manifest, kind, sink->writer);

    record.hours = hours;
    return hf_record_write(ctx, sink, &record);
}

static int begin(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_manifest *manifest, uint64_t hours,
                 struct hf_commit *commit)
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
    if (rc == HF_OK)
        rc = write_record(ctx, sink, manifest, HF_COMMIT, hours);
    if (rc == HF_E_EXISTS && ctx->error.hint == NULL)
        rc = hf_hint(ctx, "another machine began a backup in the same second: let them begin at different times");
    commit->begun = rc == HF_OK;
    return rc;
}

int hf_commit_begin(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_manifest *manifest,
                    struct hf_commit *commit)
{
    return begin(ctx, sink, manifest, 0, commit);
}

static bool same_objects(const struct hf_record *one, const struct hf_record *other)
{
    bool same = one->count == other->count;

    for (size_t i = 0; same && i < one->count; i++)
        same =
            strcmp(one->objects[i].key, other->objects[i].key) == 0 && one->objects[i].bytes == other->objects[i].bytes;
    return same;
}

/* Is there the record of a copying of the same objects, by a run that shared our lock, and therefore has ended? */
static int find_copying(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_manifest *manifest,
                        bool *ret_same)
{
    __attribute__((cleanup(hf_record_clear))) struct hf_record wanted = hf_record_of(manifest, HF_COMMIT, NULL);
    __attribute__((cleanup(hf_record_clear))) struct hf_record record = {0};
    struct hf_ctx aside = hf_ctx_aside(ctx);
    int rc = hf_record_read(&aside, sink, manifest->id, HF_COMMIT, &record);

    if (rc == HF_E_NOTFOUND || rc == HF_E_CORRUPT) { /* the beginning will tell */
        hf_error_clear(&aside.error);
        return HF_OK;
    }
    if (rc == HF_OK && !hf_record_ours(&record, sink)) {
        hf_fail(&aside, HF_E_BUSY, "%s: another machine's run is storing '%s'", sink->who, manifest->id);
        rc = hf_hint(&aside, "when it does not end, what it left is taken back by a run that finds it old enough");
    } else if (rc == HF_OK) {
        *ret_same = record.hours > 0 && same_objects(&record, &wanted);
        if (!*ret_same)
            rc = hf_record_settle(&aside, sink, manifest->id, HF_COMMIT, HF_SETTLE_NOW, 0);
    }
    hf_error_merge(&ctx->error, &aside.error);
    return rc;
}

/* What is there of an artifact that the record names is whole: none is put before it was read to its end. */
static int look_had(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_manifest *manifest, bool *ret_had)
{
    int rc = HF_OK;

    for (size_t i = 0; rc == HF_OK && i < manifest->artifact_count; i++) {
        const struct hf_manifest_artifact *artifact = &manifest->artifacts[i];
        uint64_t bytes = 0;

        rc = hf_object_stat(ctx, sink, artifact->key, &ret_had[i], &bytes);
        if (rc == HF_OK && ret_had[i] && bytes != artifact->bytes)
            rc = refuse_taken(ctx, sink, artifact->key);
    }
    return rc;
}

int hf_commit_resume(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_manifest *manifest,
                     struct hf_commit *commit, bool *ret_had)
{
    hf_auto_free char *manifest_key = hf_key_manifest(manifest->id), *sha256_key = hf_key_sha256(manifest->id);
    bool same = false;
    int rc = hf_manifest_check(ctx, "the copy's manifest", manifest);

    if (rc == HF_OK)
        rc = find_copying(ctx, sink, manifest, &same);
    if (rc < 0 || !same)
        return rc < 0 ? rc : begin(ctx, sink, manifest, HF_COPYING_HOURS, commit);
    rc = refuse_taken(ctx, sink, manifest_key);
    if (rc == HF_OK)
        rc = hf_object_remove(ctx, sink, sha256_key); /* it is written anew */
    if (rc == HF_OK)
        rc = look_had(ctx, sink, manifest, ret_had);
    commit->begun = rc == HF_OK;
    return rc;
}

/* As long as it is there, no other run has begun to take this backup back. */
static int check_record(struct hf_ctx *ctx, struct hf_instance *sink, const char *id)
{
    enum found found = FOUND_NOTHING;
    int rc = look(ctx, sink, id, HF_COMMIT, &found);

    if (rc < 0 || found == FOUND_OURS)
        return rc;
    hf_fail(ctx, HF_E_FAIL, "%s: another run took backup '%s' back while this one was storing it", sink->who, id);
    return hf_hint(ctx,
                   "it does so with what looks dead, %d hours after the storing began: has this machine stood "
                   "still so long, or is a clock wrong?",
                   HF_OTHERS_AFTER_HOURS);
}

int hf_commit_show(struct hf_ctx *ctx, struct hf_instance *sink, const char *id, const char *text, size_t size,
                   struct hf_commit *commit)
{
    hf_auto_free char *key = hf_key_manifest(id);
    int rc = check_record(ctx, sink, id);

    if (rc == HF_OK)
        rc = hf_object_write(ctx, sink, key, "application/json", text, size);
    commit->shown = commit->shown || rc == HF_OK;
    /* Who takes back removes the record, and then looks for the manifest: so one of the two sees the other. */
    return rc == HF_OK ? check_record(ctx, sink, id) : rc;
}

int hf_commit_hide(struct hf_ctx *ctx, struct hf_instance *sink, const char *id, struct hf_commit *commit)
{
    hf_auto_free char *key = hf_key_manifest(id);
    int rc = hf_object_remove(ctx, sink, key);

    commit->shown = commit->shown && rc != HF_OK;
    return rc;
}

int hf_commit_end(struct hf_ctx *ctx, struct hf_instance *sink, const char *id)
{
    hf_auto_free char *key = hf_record_key(id, HF_COMMIT);
    struct hf_ctx aside = hf_ctx_aside(ctx);
    int rc;

    aside.cancel = NULL;
    rc = hf_object_remove(&aside, sink, key);
    hf_error_merge(&ctx->error, &aside.error);
    return rc;
}

/* The record is gone: what this run put there after it was taken back, or before, is named by the manifest alone. */
static int abort_unrecorded(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_manifest *manifest)
{
    __attribute__((cleanup(hf_record_clear))) struct hf_record record = hf_record_of(manifest, HF_COMMIT, NULL);
    hf_auto_free char *key = hf_key_manifest(manifest->id);
    bool there = false;
    int rc = hf_object_stat(ctx, sink, key, &there, NULL);

    /* A manifest that is not ours: another run stored the same backup, as copying does. */
    if (rc == HF_OK && !there)
        rc = hf_record_remove_named(ctx, sink, &record);
    return rc < 0 ? rc : HF_OK;
}

static int abort_commit(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_manifest *manifest,
                        struct hf_commit *commit)
{
    enum found found = FOUND_NOTHING;
    int rc = commit->shown ? hf_commit_hide(ctx, sink, manifest->id, commit) : HF_OK;

    if (rc == HF_OK)
        rc = look(ctx, sink, manifest->id, HF_COMMIT, &found);
    if (rc == HF_OK && found == FOUND_OURS)
        rc = hf_record_settle(ctx, sink, manifest->id, HF_COMMIT, HF_SETTLE_NOW, 0);
    else if (rc == HF_OK && found == FOUND_NOTHING)
        rc = abort_unrecorded(ctx, sink, manifest);
    return rc;
}

int hf_commit_abort(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_manifest *manifest,
                    struct hf_commit *commit)
{
    struct hf_ctx aside = hf_ctx_aside(ctx);
    int rc;

    if (!commit->begun)
        return HF_OK;
    aside.cancel = NULL;
    rc = abort_commit(&aside, sink, manifest, commit);
    hf_error_merge(&ctx->error, &aside.error);
    return rc;
}

/* HF_E_BUSY: another run is at it. */
static int begin_removal(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_manifest *manifest)
{
    hf_auto_free char *key = hf_record_key(manifest->id, HF_REMOVING);
    struct hf_ctx aside = hf_ctx_aside(ctx);
    enum found found = FOUND_NOTHING;
    int rc = look(&aside, sink, manifest->id, HF_REMOVING, &found);

    if (rc == HF_OK && (found == FOUND_OURS || found == FOUND_SPOILED)) /* left by a removal that failed */
        rc = hf_object_remove(&aside, sink, key);
    if (rc == HF_OK && found != FOUND_OTHERS)
        rc = write_record(&aside, sink, manifest, HF_REMOVING, 0);
    if (rc == HF_E_EXISTS || (rc == HF_OK && found == FOUND_OTHERS)) {
        hf_error_clear(&aside.error);
        rc = hf_fail(&aside, HF_E_BUSY, "%s: another run is removing backup '%s'", sink->who, manifest->id);
    }
    hf_error_merge(&ctx->error, &aside.error);
    return rc;
}

static int remove_derived(struct hf_ctx *ctx, struct hf_instance *sink, const char *id, const char *suffix)
{
    hf_auto_free char *key = hf_strf("%s%s", id, suffix);

    return hf_object_remove(ctx, sink, key);
}

int hf_backup_remove(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_manifest *manifest)
{
    const char *id = manifest->id;
    int rc = begin_removal(ctx, sink, manifest);

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
