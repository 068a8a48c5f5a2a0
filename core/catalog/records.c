/* SPDX-License-Identifier: Apache-2.0
 *
 * The small JSON records beside the artifacts: verification, commit, removal.
 */
#include "catalog/records.h"
#include "catalog/json_write.h"
#include "catalog/objects.h"
#include "catalog/scan.h"

#include "base/log.h"

#include <string.h>

enum { RECORD_SCHEMA = 1, WORD_MAX = 64, VERIFIED_TRIES = 5 };

struct verified_file {
    uint64_t schema, errors;
    char *id, *level;
    bool whole;
    int64_t time_ms;
};

static void clear_verified(struct verified_file *file)
{
    free(file->id);
    free(file->level);
}

static int parse_verified(struct hf_ctx *ctx, const char *key, const char *id, const char *data, size_t size,
                          struct hf_verified *ret_verified)
{
    static const struct hf_scan_member members[] = {
        {"schema", HF_SCAN_SIZE, offsetof(struct verified_file, schema), RECORD_SCHEMA, NULL},
        {"id", HF_SCAN_TEXT, offsetof(struct verified_file, id), HF_KEY_MAX, NULL},
        {"level", HF_SCAN_TEXT, offsetof(struct verified_file, level), WORD_MAX, NULL},
        {"whole", HF_SCAN_BOOL, offsetof(struct verified_file, whole), 0, NULL},
        {"time", HF_SCAN_TIME, offsetof(struct verified_file, time_ms), 0, NULL},
        {"errors", HF_SCAN_SIZE, offsetof(struct verified_file, errors), INT64_MAX, NULL},
    };
    __attribute__((cleanup(clear_verified))) struct verified_file file = {0};
    hf_auto_free char *what = hf_strf("verification record '%s'", key);
    struct hf_scan scan;
    int level;

    hf_scan_init(&scan, ctx, what, data, size);
    if (hf_scan_object(&scan, members, HF_COUNT(members), &file) != HF_OK || hf_scan_end(&scan) != HF_OK)
        return HF_E_CORRUPT;
    level = hf_level_parse(file.level);
    if (level < 0)
        return hf_fail(ctx, HF_E_CORRUPT, "%s: a level that there is not", what);
    if (strcmp(file.id, id) != 0)
        return hf_fail(ctx, HF_E_CORRUPT, "%s: belongs to another backup", what);
    if (file.whole && file.errors > 0)
        return hf_fail(ctx, HF_E_CORRUPT, "%s: whole, and yet with errors", what);
    *ret_verified = (struct hf_verified){level, file.whole, file.time_ms, file.errors};
    return HF_OK;
}

int hf_verified_read(struct hf_ctx *ctx, struct hf_instance *sink, const char *id, struct hf_verified *ret_verified)
{
    hf_auto_free char *key = hf_strf("%s" HF_SUFFIX_VERIFIED, id), *data = NULL;
    size_t size;
    int rc = hf_object_read(ctx, sink, key, HF_VERIFIED_MAX_BYTES, &data, &size);

    return rc < 0 ? rc : parse_verified(ctx, key, id, data, size, ret_verified);
}

static int write_verified(struct hf_ctx *ctx, struct hf_instance *sink, const char *key, const char *text,
                          size_t length)
{
    /* A crash between the two leaves a backup that counts as never verified: safe. Another run may write its own there.
     */
    for (int i = 0;; i++) {
        int rc = hf_object_remove(ctx, sink, key);

        if (rc == HF_OK)
            rc = hf_object_write_passing(ctx, sink, key, "application/json", text, length);
        if (rc != HF_E_EXISTS || i == VERIFIED_TRIES)
            return rc;
        hf_error_clear(&ctx->error);
    }
}

int hf_verified_write(struct hf_ctx *ctx, struct hf_instance *sink, const char *id, const struct hf_verified *verified)
{
    hf_auto_free char *key = hf_strf("%s" HF_SUFFIX_VERIFIED, id), *manifest_key = hf_key_manifest(id);
    hf_auto_text struct hf_text text = {0};
    bool there = false;
    int rc;

    hf_text_addf(&text, "{\n \"schema\": %d,\n ", RECORD_SCHEMA);
    hf_json_write_member(&text, "id", id);
    hf_text_addf(&text, ",\n \"level\": \"%s\",\n \"whole\": %s,\n \"time\": ", hf_level_text(verified->level),
                 verified->whole ? "true" : "false");
    hf_json_write_time(&text, verified->time_ms);
    hf_text_addf(&text, ",\n \"errors\": %llu\n}\n", (unsigned long long)verified->errors);
    rc = write_verified(ctx, sink, key, text.data, text.length);
    /* A run of another machine that removes the backup begins with the manifest: the record may have come after it. */
    if (rc == HF_OK)
        rc = hf_object_stat(ctx, sink, manifest_key, &there, NULL);
    return rc == HF_OK && !there ? hf_object_remove(ctx, sink, key) : rc;
}

void hf_record_clear(struct hf_record *record)
{
    for (size_t i = 0; i < record->count; i++)
        free(record->objects[i].key);
    free(record->objects);
    free(record->id);
    free(record->kind);
    free(record->writer);
    *record = (struct hf_record){0};
}

struct hf_record hf_record_of(const struct hf_manifest *manifest, const char *kind, const char *writer)
{
    hf_auto_free char *sha256 = hf_manifest_sha256_text(manifest);
    struct hf_record record = {.id = hf_strdup(manifest->id), .kind = hf_strdup(kind), .writer = hf_strdup(writer)};

    record.room = manifest->artifact_count + 1;
    record.objects = hf_alloc_array(record.room, sizeof(*record.objects));
    for (size_t i = 0; i < manifest->artifact_count; i++)
        record.objects[record.count++] =
            (struct hf_record_object){hf_strdup(manifest->artifacts[i].key), manifest->artifacts[i].bytes};
    record.objects[record.count++] = (struct hf_record_object){hf_key_sha256(manifest->id), strlen(sha256)};
    return record;
}

char *hf_record_key(const char *id, const char *kind)
{
    return hf_strf("%s.%s.json", id, kind);
}

char *hf_record_text(const struct hf_record *record)
{
    hf_auto_text struct hf_text text = {0};

    hf_text_addf(&text, "{\n \"schema\": %d,\n \"kind\": \"%s\",\n \"id\": \"%s\",\n ", RECORD_SCHEMA, record->kind,
                 record->id);
    if (record->writer != NULL) {
        hf_json_write_member(&text, "writer", record->writer);
        hf_text_addf(&text, ",\n ");
    }
    if (record->hours > 0)
        hf_text_addf(&text, "\"hours\": %llu,\n ", (unsigned long long)record->hours);
    hf_text_addf(&text, "\"objects\": [");
    for (size_t i = 0; i < record->count; i++)
        hf_text_addf(&text, "%s\n  {\"key\": \"%s\", \"bytes\": %llu}", i > 0 ? "," : "", record->objects[i].key,
                     (unsigned long long)record->objects[i].bytes);
    hf_text_addf(&text, "\n ]\n}\n");
    return hf_steal(text.data);
}

int hf_record_write(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_record *record)
{
    hf_auto_free char *key = hf_record_key(record->id, record->kind), *text = hf_record_text(record);

    return hf_object_write_passing(ctx, sink, key, "application/json", text, strlen(text));
}

int hf_record_read(struct hf_ctx *ctx, struct hf_instance *sink, const char *id, const char *kind,
                   struct hf_record *ret_record)
{
    hf_auto_free char *key = hf_record_key(id, kind), *data = NULL;
    size_t size;
    int rc = hf_object_read(ctx, sink, key, HF_RECORD_MAX_BYTES, &data, &size);

    return rc == HF_OK ? hf_record_parse(ctx, key, id, kind, data, size, ret_record) : rc;
}

bool hf_record_ours(const struct hf_record *record, const struct hf_instance *sink)
{
    return record->writer == NULL || hf_text_equal(record->writer, sink->writer);
}

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

int hf_record_remove_named(struct hf_ctx *ctx, struct hf_instance *sink, const struct hf_record *record)
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

static int read_object(struct hf_scan *scan, void *target)
{
    static const struct hf_scan_member members[] = {
        {"key", HF_SCAN_TEXT, offsetof(struct hf_record_object, key), HF_KEY_MAX, NULL},
        {"bytes", HF_SCAN_SIZE, offsetof(struct hf_record_object, bytes), INT64_MAX, NULL},
    };
    struct hf_record *record = target;

    if (record->count == record->room) {
        record->room = record->room ? record->room * 2 : 8;
        record->objects = hf_realloc_array(record->objects, record->room, sizeof(*record->objects));
    }
    record->objects[record->count] = (struct hf_record_object){0};
    return hf_scan_object(scan, members, HF_COUNT(members), &record->objects[record->count++]);
}

static int read_objects(struct hf_scan *scan, void *target)
{
    return hf_scan_array(scan, HF_MANIFEST_MAX_ARTIFACTS + 1, read_object, target);
}

struct record_file {
    struct hf_record record;
    uint64_t schema;
};

static int check_record(struct hf_ctx *ctx, const char *what, const char *id, const char *kind,
                        const struct hf_record *record)
{
    hf_auto_free char *sha256_key = hf_key_sha256(id);

    if (strcmp(record->id, id) != 0 || strcmp(record->kind, kind) != 0)
        return hf_fail(ctx, HF_E_CORRUPT, "%s: is for another backup or of another kind", what);
    for (size_t i = 0; i < record->count; i++) {
        const char *key = record->objects[i].key;

        if (!hf_key_of(key, id) || (hf_key_record(key) && strcmp(key, sha256_key) != 0))
            return hf_fail(ctx, HF_E_CORRUPT, "%s: names an object that is not of this backup", what);
    }
    return HF_OK;
}

int hf_record_parse(struct hf_ctx *ctx, const char *key, const char *id, const char *kind, const char *data,
                    size_t size, struct hf_record *ret_record)
{
    static const struct hf_scan_member members[] = {
        {"schema", HF_SCAN_SIZE, offsetof(struct record_file, schema), RECORD_SCHEMA, NULL},
        {"kind", HF_SCAN_TEXT, offsetof(struct record_file, record.kind), WORD_MAX, NULL},
        {"id", HF_SCAN_TEXT, offsetof(struct record_file, record.id), HF_KEY_MAX, NULL},
        {"writer", HF_SCAN_MAY_TEXT, offsetof(struct record_file, record.writer), WORD_MAX, NULL},
        {"hours", HF_SCAN_MAY_SIZE, offsetof(struct record_file, record.hours), HF_RECORD_HOURS_MAX, NULL},
        {"objects", HF_SCAN_CALL, offsetof(struct record_file, record), 0, read_objects},
    };
    hf_auto_free char *what = hf_strf("record '%s'", key);
    struct record_file file = {0};
    struct hf_scan scan;
    int rc = HF_OK;

    hf_scan_init(&scan, ctx, what, data, size);
    if (hf_scan_object(&scan, members, HF_COUNT(members), &file) != HF_OK || hf_scan_end(&scan) != HF_OK ||
        check_record(ctx, what, id, kind, &file.record) != HF_OK)
        rc = HF_E_CORRUPT;
    if (rc == HF_OK)
        *ret_record = file.record;
    else
        hf_record_clear(&file.record);
    return rc;
}
