/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include <string.h>

static void add_artifact(struct hf_manifest *manifest, const char *name)
{
    struct hf_manifest_artifact *artifact = hf_manifest_add_artifact(manifest);
    struct hf_manifest_part *part;

    artifact->key = hf_key_artifact(manifest->id, name, ".db", ".gz");
    artifact->name = hf_strdup(name);
    artifact->suffix = hf_strdup(".db");
    artifact->media = hf_strdup("application/vnd.sqlite3");
    artifact->bytes = strlen(artifact->key);
    artifact->raw_bytes = 300;
    memset(artifact->sha256, 'a', HF_SHA256_HEX - 1);
    memset(artifact->raw_sha256, 'b', HF_SHA256_HEX - 1);
    for (uint64_t i = 0; i < 2; i++) {
        part = hf_manifest_add_part(artifact);
        part->name = hf_strf("%s-%d", name, (int)i);
        part->group = hf_strdup(i ? "table" : "");
        part->phase = (uint32_t)i;
        part->raw_offset = 100 * i;
        part->raw_size = 100 + 100 * i;
        part->stored_offset = 3 + 8 * i;
        part->stored_size = 8;
        memset(part->xxh128, 'c', HF_XXH128_HEX - 1);
    }
}

struct hf_manifest *sample_manifest(const char *id)
{
    struct hf_manifest *manifest = hf_manifest_new();

    manifest->id = hf_strdup(id);
    ck_assert(hf_id_parse(id, &manifest->profile, &manifest->start_ms));
    manifest->host = hf_strdup("db1");
    manifest->tool_version = hf_strdup("0.1.0");
    manifest->source_plugin = hf_strdup("sqlite");
    manifest->source_version = hf_strdup("0.1.0");
    manifest->start_ms += 7;
    manifest->end_ms = manifest->start_ms + 1500;
    manifest->stages = hf_alloc(sizeof(*manifest->stages));
    manifest->stages[0] = (struct hf_manifest_stage){hf_strdup("gzip"), hf_strdup("0.1.0")};
    manifest->stage_count = 1;
    hf_json_append(manifest->sinks, json_string("local"));
    hf_json_set(manifest->options, "source", json_pack("{s:s}", "path", "/data/*.db"));
    add_artifact(manifest, "events");
    add_artifact(manifest, "signals");
    hf_json_set(manifest->facts, "rows", json_pack("{s:i}", "signals", 12));
    hf_json_set(manifest->facts, "a", json_true());
    hf_json_set(manifest->context, "path", json_string("/data/signals.db"));
    hf_manifest_add_finding(manifest, HF_WARNING, "odd", "signals", "something is odd");
    return manifest;
}

struct hf_manifest *sample_manifest_aside(const char *id)
{
    struct hf_manifest *manifest = sample_manifest(id);
    struct hf_manifest_artifact *artifact = &manifest->artifacts[0];

    free(artifact->key);
    artifact->key = hf_key_aside(id, artifact->name, artifact->suffix, ".gz");
    artifact->bytes = strlen(artifact->key);
    return manifest;
}

int sample_publish_in(struct hf_ctx *ctx, struct memory_sink *sink, const struct hf_manifest *manifest,
                      struct hf_commit *commit)
{
    hf_auto_free char *sha256_key = hf_key_sha256(manifest->id);
    hf_auto_free char *sha256 = hf_manifest_sha256_text(manifest), *text = NULL;
    struct hf_instance *instance = &sink->instance;
    size_t size;
    int rc = hf_commit_begin(ctx, instance, manifest, commit);

    for (size_t i = 0; i < manifest->artifact_count && rc == HF_OK; i++) {
        const char *key = manifest->artifacts[i].key;

        rc = hf_object_write(ctx, instance, key, "application/octet-stream", key, strlen(key));
    }
    if (rc == HF_OK)
        rc = hf_object_write(ctx, instance, sha256_key, "text/plain", sha256, strlen(sha256));
    text = hf_manifest_write(manifest, &size);
    if (rc == HF_OK)
        rc = hf_commit_show(ctx, instance, manifest->id, text, size, commit);
    return rc == HF_OK ? hf_commit_end(ctx, instance, manifest->id) : rc;
}

int sample_publish(struct hf_ctx *ctx, struct memory_sink *sink, const struct hf_manifest *manifest)
{
    struct hf_commit commit = {0};

    return sample_publish_in(ctx, sink, manifest, &commit);
}

void sample_store(struct memory_sink *sink, const char *id)
{
    struct hf_manifest *manifest = sample_manifest(id);
    struct hf_ctx ctx = {0};

    sample_expect_ok(sample_publish(&ctx, sink, manifest), &ctx);
    hf_manifest_free(manifest);
}

void sample_expect_ok(int rc, struct hf_ctx *ctx)
{
    ck_assert_msg(rc == HF_OK && ctx->error.code == 0, "%d: %s", rc, ctx->error.text ? ctx->error.text : "no reason");
}
