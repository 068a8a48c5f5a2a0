/* SPDX-License-Identifier: Apache-2.0
 *
 * Written by hand rather than through a tree, so that a million parts cost their text only, one line each.
 */
#include "catalog/json_write.h"
#include "catalog/manifest.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

static void write_tree(struct hf_text *out, const json_t *tree)
{
    char *text = json_dumps(tree, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

    if (text == NULL)
        abort(); /* only for want of memory: a tree holds nothing that cannot be written */
    hf_text_add(out, text);
    free(text);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One member a line, so that people find theirs and diff shows what changed. */
static void write_object(struct hf_text *out, const char *key, const json_t *object)
{
    size_t count = json_object_size(object), at = 0;
    hf_auto_free const char **keys = hf_alloc_array(count + 1, sizeof(*keys));
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)object, name, value) keys[at++] = name;
    qsort(keys, count, sizeof(*keys), compare_keys);
    hf_text_addf(out, " \"%s\": {", key);
    for (size_t i = 0; i < count; i++) {
        hf_text_add(out, i ? ",\n  " : "\n  ");
        hf_json_write_text(out, keys[i]);
        hf_text_add(out, ": ");
        write_tree(out, json_object_get(object, keys[i]));
    }
    hf_text_add(out, count ? "\n }" : "}");
}

static void write_part(struct hf_text *out, const struct hf_manifest_part *part)
{
    hf_text_add(out, "    {\"name\":");
    hf_json_write_text(out, part->name);
    hf_text_add(out, ",\"group\":");
    hf_json_write_text(out, part->group);
    hf_text_addf(out, ",\"phase\":%u,\"raw\":[%llu,%llu],\"stored\":[%llu,%llu],", part->phase,
                 (unsigned long long)part->raw_offset, (unsigned long long)part->raw_size,
                 (unsigned long long)part->stored_offset, (unsigned long long)part->stored_size);
    if (part->cost > 0)
        hf_text_addf(out, "\"cost\":%llu,", (unsigned long long)part->cost);
    hf_text_addf(out, "\"xxh128\":\"%s\"}", part->xxh128);
}

static void write_artifact_head(struct hf_text *out, const struct hf_manifest_artifact *artifact)
{
    hf_text_add(out, "  {\n   ");
    hf_json_write_member(out, "key", artifact->key);
    hf_text_add(out, ",\n   ");
    hf_json_write_member(out, "name", artifact->name);
    hf_text_add(out, ",\n   ");
    hf_json_write_member(out, "suffix", artifact->suffix);
    hf_text_add(out, ",\n   ");
    hf_json_write_member(out, "media", artifact->media);
    hf_text_addf(out, ",\n   \"bytes\": %llu,\n   \"raw_bytes\": %llu,\n   \"sha256\": \"%s\"",
                 (unsigned long long)artifact->bytes, (unsigned long long)artifact->raw_bytes, artifact->sha256);
}

static void write_artifact(struct hf_text *out, const struct hf_manifest_artifact *artifact)
{
    write_artifact_head(out, artifact);
    hf_text_addf(out, ",\n   \"raw_sha256\": \"%s\",\n   \"parts\": [", artifact->raw_sha256);
    for (size_t i = 0; i < artifact->part_count; i++) {
        hf_text_add(out, i ? ",\n" : "\n");
        write_part(out, &artifact->parts[i]);
    }
    hf_text_add(out, artifact->part_count ? "\n   ]\n  }" : "]\n  }");
}

static void write_head(struct hf_text *out, const struct hf_manifest *manifest, bool sealed)
{
    hf_text_addf(out, "{\n \"schema\": %d,\n ", sealed ? HF_MANIFEST_SEALED : HF_MANIFEST_PLAIN);
    hf_json_write_member(out, "holdfast", manifest->tool_version);
    hf_text_add(out, ",\n ");
    hf_json_write_member(out, "id", manifest->id);
    hf_text_add(out, ",\n ");
    hf_json_write_member(out, "profile", manifest->profile);
    if (!sealed) {
        hf_text_add(out, ",\n ");
        hf_json_write_member(out, "host", manifest->host);
    }
    hf_text_add(out, ",\n \"start\": ");
    hf_json_write_time(out, manifest->start_ms);
    hf_text_add(out, ",\n \"end\": ");
    hf_json_write_time(out, manifest->end_ms);
    hf_text_add(out, ",\n \"source\": {");
    hf_json_write_member(out, "plugin", manifest->source_plugin);
    hf_text_add(out, ", ");
    hf_json_write_member(out, "version", manifest->source_version);
    hf_text_add(out, "},\n \"stages\": [");
    for (size_t i = 0; i < manifest->stage_count; i++) {
        hf_text_add(out, i ? ", {" : "{");
        hf_json_write_member(out, "plugin", manifest->stages[i].plugin);
        hf_text_add(out, ", ");
        hf_json_write_member(out, "version", manifest->stages[i].version);
        hf_text_add(out, "}");
    }
    hf_text_add(out, "],\n \"sinks\": ");
    if (manifest->sinks)
        write_tree(out, manifest->sinks);
    else
        hf_text_add(out, "[]");
}

/* `sealed` NULL: true stands for it. */
static char *write_sealed(const struct hf_manifest *manifest, const char *sealed, size_t sealed_by, size_t *ret_size)
{
    struct hf_text out = {0};
    size_t counts[4];

    hf_manifest_count(manifest, counts);
    write_head(&out, manifest, true);
    hf_text_add(&out, ",\n \"artifacts\": [");
    for (size_t i = 0; i < manifest->artifact_count; i++) {
        hf_text_add(&out, i ? ",\n" : "\n");
        write_artifact_head(&out, &manifest->artifacts[i]);
        hf_text_add(&out, "\n  }");
    }
    hf_text_addf(&out,
                 "%s],\n \"finding_counts\": {\"info\": %zu, \"warning\": %zu, \"error\": %zu},\n \"sealed_by\": %zu,\n "
                 "\"sealed\": ",
                 manifest->artifact_count ? "\n " : "", counts[HF_INFO], counts[HF_WARNING], counts[HF_ERROR], sealed_by);
    if (sealed != NULL)
        hf_json_write_text(&out, sealed);
    else
        hf_text_add(&out, "true");
    hf_text_add(&out, "\n}\n");
    if (ret_size != NULL)
        *ret_size = out.length;
    return out.data;
}

static const char *severity_text(int severity)
{
    return severity == HF_ERROR ? "error" : severity == HF_WARNING ? "warning" : "info";
}

char *hf_manifest_write(const struct hf_manifest *manifest, size_t *ret_size)
{
    struct hf_text out = {0};

    if (manifest->sealed != NULL)
        return write_sealed(manifest, manifest->sealed, (size_t)manifest->sealed_by, ret_size);
    write_head(&out, manifest, false);
    hf_text_add(&out, ",\n");
    write_object(&out, "options", manifest->options);
    hf_text_add(&out, ",\n \"artifacts\": [");
    for (size_t i = 0; i < manifest->artifact_count; i++) {
        hf_text_add(&out, i ? ",\n" : "\n");
        write_artifact(&out, &manifest->artifacts[i]);
    }
    hf_text_add(&out, manifest->artifact_count ? "\n ],\n" : "],\n");
    write_object(&out, "facts", manifest->facts);
    hf_text_add(&out, ",\n");
    write_object(&out, "context", manifest->context);
    hf_text_add(&out, ",\n \"findings\": [");
    for (size_t i = 0; i < manifest->finding_count; i++) {
        const struct hf_finding *finding = &manifest->findings[i];

        hf_text_addf(&out, "%s  {\"severity\": \"%s\", ", i ? ",\n" : "\n", severity_text(finding->severity));
        hf_json_write_member(&out, "code", finding->code);
        hf_text_add(&out, ", ");
        hf_json_write_member(&out, "subject", finding->subject);
        hf_text_add(&out, ", ");
        hf_json_write_member(&out, "text", finding->text);
        hf_text_add(&out, "}");
    }
    hf_text_add(&out, manifest->finding_count ? "\n ]\n}\n" : "]\n}\n");
    if (ret_size != NULL)
        *ret_size = out.length;
    return out.data;
}

char *hf_manifest_write_sealed(const struct hf_manifest *manifest, const char *sealed, size_t sealed_by, size_t *ret_size)
{
    return write_sealed(manifest, sealed, sealed_by, ret_size);
}

json_t *hf_manifest_json(const struct hf_manifest *manifest)
{
    size_t size;
    hf_auto_free char *text = manifest->sealed ? write_sealed(manifest, NULL, (size_t)manifest->sealed_by, &size)
                                               : hf_manifest_write(manifest, &size);
    json_t *tree = json_loadb(text, size, 0, NULL);

    assert(tree != NULL); /* what the writer makes is JSON */
    return tree;
}
