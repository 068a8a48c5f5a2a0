/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/manifest.h"
#include "catalog/scan.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

enum {
    VERSION_MAX = 100,
    SHORT_MAX = 4096,
    TEXT_MAX = 64 * 1024, /* a finding's 16 KiB, each byte of which may have become a U+FFFD, fits */
    STAGES_MAX = 16,
    FINDINGS_MAX = 100000
};

static int read_part(struct hf_scan *scan, void *target)
{
    static const struct hf_scan_member members[] = {
        {"name", HF_SCAN_TEXT, offsetof(struct hf_manifest_part, name), SHORT_MAX, NULL},
        {"group", HF_SCAN_TEXT, offsetof(struct hf_manifest_part, group), SHORT_MAX, NULL},
        {"phase", HF_SCAN_UINT32, offsetof(struct hf_manifest_part, phase), UINT32_MAX, NULL},
        {"raw", HF_SCAN_PAIR, offsetof(struct hf_manifest_part, raw_offset), INT64_MAX, NULL},
        {"stored", HF_SCAN_PAIR, offsetof(struct hf_manifest_part, stored_offset), INT64_MAX, NULL},
        {"cost", HF_SCAN_MAY_SIZE, offsetof(struct hf_manifest_part, cost), INT64_MAX, NULL},
        {"xxh128", HF_SCAN_HEX, offsetof(struct hf_manifest_part, xxh128), HF_XXH128_HEX - 1, NULL},
    };

    return hf_scan_object(scan, members, HF_COUNT(members), hf_manifest_add_part(target));
}

static int read_parts(struct hf_scan *scan, void *target)
{
    return hf_scan_array(scan, HF_MANIFEST_MAX_PARTS, read_part, target);
}

static int read_artifact(struct hf_scan *scan, void *target)
{
    static const struct hf_scan_member members[] = {
        {"key", HF_SCAN_TEXT, offsetof(struct hf_manifest_artifact, key), HF_KEY_MAX, NULL},
        {"name", HF_SCAN_TEXT, offsetof(struct hf_manifest_artifact, name), HF_KEY_MAX, NULL},
        {"suffix", HF_SCAN_TEXT, offsetof(struct hf_manifest_artifact, suffix), HF_KEY_MAX, NULL},
        {"media", HF_SCAN_TEXT, offsetof(struct hf_manifest_artifact, media), SHORT_MAX, NULL},
        {"bytes", HF_SCAN_SIZE, offsetof(struct hf_manifest_artifact, bytes), INT64_MAX, NULL},
        {"raw_bytes", HF_SCAN_SIZE, offsetof(struct hf_manifest_artifact, raw_bytes), INT64_MAX, NULL},
        {"sha256", HF_SCAN_HEX, offsetof(struct hf_manifest_artifact, sha256), HF_SHA256_HEX - 1, NULL},
        {"raw_sha256", HF_SCAN_HEX, offsetof(struct hf_manifest_artifact, raw_sha256), HF_SHA256_HEX - 1, NULL},
        {"parts", HF_SCAN_CALL, 0, 0, read_parts},
    };

    return hf_scan_object(scan, members, HF_COUNT(members), hf_manifest_add_artifact(target));
}

static int read_artifacts(struct hf_scan *scan, void *target)
{
    return hf_scan_array(scan, HF_MANIFEST_MAX_ARTIFACTS, read_artifact, target);
}

static int read_sealed_artifact(struct hf_scan *scan, void *target)
{
    static const struct hf_scan_member members[] = {
        {"key", HF_SCAN_TEXT, offsetof(struct hf_manifest_artifact, key), HF_KEY_MAX, NULL},
        {"name", HF_SCAN_TEXT, offsetof(struct hf_manifest_artifact, name), HF_KEY_MAX, NULL},
        {"suffix", HF_SCAN_TEXT, offsetof(struct hf_manifest_artifact, suffix), HF_KEY_MAX, NULL},
        {"media", HF_SCAN_TEXT, offsetof(struct hf_manifest_artifact, media), SHORT_MAX, NULL},
        {"bytes", HF_SCAN_SIZE, offsetof(struct hf_manifest_artifact, bytes), INT64_MAX, NULL},
        {"raw_bytes", HF_SCAN_SIZE, offsetof(struct hf_manifest_artifact, raw_bytes), INT64_MAX, NULL},
        {"sha256", HF_SCAN_HEX, offsetof(struct hf_manifest_artifact, sha256), HF_SHA256_HEX - 1, NULL},
    };

    return hf_scan_object(scan, members, HF_COUNT(members), hf_manifest_add_artifact(target));
}

static int read_sealed_artifacts(struct hf_scan *scan, void *target)
{
    return hf_scan_array(scan, HF_MANIFEST_MAX_ARTIFACTS, read_sealed_artifact, target);
}

static int read_counts(struct hf_scan *scan, void *target)
{
    enum { AT = offsetof(struct hf_manifest, sealed_counts), STEP = sizeof(uint64_t) };
    static const struct hf_scan_member members[] = {
        {"info", HF_SCAN_SIZE, AT, FINDINGS_MAX, NULL},
        {"warning", HF_SCAN_SIZE, AT + STEP, FINDINGS_MAX, NULL},
        {"error", HF_SCAN_SIZE, AT + 2 * STEP, FINDINGS_MAX, NULL},
    };

    return hf_scan_object(scan, members, HF_COUNT(members), target);
}

static int read_source(struct hf_scan *scan, void *target)
{
    static const struct hf_scan_member members[] = {
        {"plugin", HF_SCAN_TEXT, offsetof(struct hf_manifest, source_plugin), VERSION_MAX, NULL},
        {"version", HF_SCAN_TEXT, offsetof(struct hf_manifest, source_version), VERSION_MAX, NULL},
    };

    return hf_scan_object(scan, members, HF_COUNT(members), target);
}

static int read_stage(struct hf_scan *scan, void *target)
{
    static const struct hf_scan_member members[] = {
        {"plugin", HF_SCAN_TEXT, offsetof(struct hf_manifest_stage, plugin), VERSION_MAX, NULL},
        {"version", HF_SCAN_TEXT, offsetof(struct hf_manifest_stage, version), VERSION_MAX, NULL},
    };
    struct hf_manifest *manifest = target;
    struct hf_manifest_stage *stage;

    manifest->stages = hf_realloc_array(manifest->stages, manifest->stage_count + 1, sizeof(*stage));
    stage = &manifest->stages[manifest->stage_count++];
    memset(stage, 0, sizeof(*stage));
    return hf_scan_object(scan, members, HF_COUNT(members), stage);
}

static int read_stages(struct hf_scan *scan, void *target)
{
    return hf_scan_array(scan, STAGES_MAX, read_stage, target);
}

struct finding_text {
    char *severity, *code, *subject, *text;
};

static void clear_finding(struct finding_text *finding)
{
    free(finding->severity);
    free(finding->code);
    free(finding->subject);
    free(finding->text);
}

static int read_finding(struct hf_scan *scan, void *target)
{
    static const struct hf_scan_member members[] = {
        {"severity", HF_SCAN_TEXT, offsetof(struct finding_text, severity), SHORT_MAX, NULL},
        {"code", HF_SCAN_TEXT, offsetof(struct finding_text, code), TEXT_MAX, NULL},
        {"subject", HF_SCAN_TEXT, offsetof(struct finding_text, subject), TEXT_MAX, NULL},
        {"text", HF_SCAN_TEXT, offsetof(struct finding_text, text), TEXT_MAX, NULL},
    };
    __attribute__((cleanup(clear_finding))) struct finding_text finding = {0};
    int severity;

    if (hf_scan_object(scan, members, HF_COUNT(members), &finding) != HF_OK)
        return HF_E_CORRUPT;
    if (strcmp(finding.severity, "error") == 0)
        severity = HF_ERROR;
    else if (strcmp(finding.severity, "warning") == 0)
        severity = HF_WARNING;
    else if (strcmp(finding.severity, "info") == 0)
        severity = HF_INFO;
    else
        return hf_scan_fail(scan, "a severity that is none of info, warning, error");
    hf_manifest_add_finding(target, severity, finding.code, finding.subject, finding.text);
    return HF_OK;
}

static int read_findings(struct hf_scan *scan, void *target)
{
    return hf_scan_array(scan, FINDINGS_MAX, read_finding, target);
}

/* What a manifest of any schema begins with. */
static int read_schema(struct hf_ctx *ctx, const char *what, const char *data, size_t size, uint64_t *ret_schema)
{
    struct head {
        uint64_t schema;
        char *tool_version;
    } head = {0};
    static const struct hf_scan_member members[] = {
        {"schema", HF_SCAN_SIZE, offsetof(struct head, schema), INT64_MAX, NULL},
        {"holdfast", HF_SCAN_TEXT, offsetof(struct head, tool_version), VERSION_MAX, NULL},
    };
    hf_auto_free char *version = NULL;
    struct hf_scan scan;
    int rc;

    hf_scan_init(&scan, ctx, what, data, size);
    rc = hf_scan_object(&scan, members, HF_COUNT(members), &head);
    version = head.tool_version;
    if (version != NULL)
        hf_text_printable(version);
    if (rc != HF_OK)
        return rc;
    if (head.schema > HF_MANIFEST_SCHEMA) {
        hf_fail(ctx, HF_E_UNSUPPORTED, "%s: written by holdfast %s with schema %llu, and this version reads up to %d",
                what, version, (unsigned long long)head.schema, HF_MANIFEST_SCHEMA);
        return hf_hint(ctx, "use holdfast %s or later", version);
    }
    if (head.schema < 1)
        return hf_fail(ctx, HF_E_CORRUPT, "%s: there is no schema 0", what);
    *ret_schema = head.schema;
    return hf_scan_end(&scan);
}

/* `trees`: how options, facts and context are read. */
static int read_all(struct hf_ctx *ctx, const char *what, const char *data, size_t size, enum hf_scan_kind trees,
                    struct hf_manifest *manifest)
{
    const struct hf_scan_member members[] = {
        {"holdfast", HF_SCAN_TEXT, offsetof(struct hf_manifest, tool_version), VERSION_MAX, NULL},
        {"id", HF_SCAN_TEXT, offsetof(struct hf_manifest, id), HF_KEY_MAX, NULL},
        {"profile", HF_SCAN_TEXT, offsetof(struct hf_manifest, profile), HF_NAME_MAX, NULL},
        {"host", HF_SCAN_TEXT, offsetof(struct hf_manifest, host), SHORT_MAX, NULL},
        {"start", HF_SCAN_TIME, offsetof(struct hf_manifest, start_ms), 0, NULL},
        {"end", HF_SCAN_TIME, offsetof(struct hf_manifest, end_ms), 0, NULL},
        {"source", HF_SCAN_CALL, 0, 0, read_source},
        {"stages", HF_SCAN_CALL, 0, 0, read_stages},
        {"sinks", HF_SCAN_ARRAY, offsetof(struct hf_manifest, sinks), 0, NULL},
        {"options", trees, offsetof(struct hf_manifest, options), 0, NULL},
        {"artifacts", HF_SCAN_CALL, 0, 0, read_artifacts},
        {"facts", trees, offsetof(struct hf_manifest, facts), 0, NULL},
        {"context", trees, offsetof(struct hf_manifest, context), 0, NULL},
        {"findings", HF_SCAN_CALL, 0, 0, read_findings},
    };
    struct hf_scan scan;

    hf_scan_init(&scan, ctx, what, data, size);
    return hf_scan_object(&scan, members, HF_COUNT(members), manifest);
}

static int read_sealed(struct hf_ctx *ctx, const char *what, const char *data, size_t size, enum hf_scan_kind trees,
                       struct hf_manifest *manifest)
{
    static const struct hf_scan_member members[] = {
        {"holdfast", HF_SCAN_TEXT, offsetof(struct hf_manifest, tool_version), VERSION_MAX, NULL},
        {"id", HF_SCAN_TEXT, offsetof(struct hf_manifest, id), HF_KEY_MAX, NULL},
        {"profile", HF_SCAN_TEXT, offsetof(struct hf_manifest, profile), HF_NAME_MAX, NULL},
        {"start", HF_SCAN_TIME, offsetof(struct hf_manifest, start_ms), 0, NULL},
        {"end", HF_SCAN_TIME, offsetof(struct hf_manifest, end_ms), 0, NULL},
        {"source", HF_SCAN_CALL, 0, 0, read_source},
        {"stages", HF_SCAN_CALL, 0, 0, read_stages},
        {"sinks", HF_SCAN_ARRAY, offsetof(struct hf_manifest, sinks), 0, NULL},
        {"artifacts", HF_SCAN_CALL, 0, 0, read_sealed_artifacts},
        {"finding_counts", HF_SCAN_CALL, 0, 0, read_counts},
        {"sealed_by", HF_SCAN_SIZE, offsetof(struct hf_manifest, sealed_by), STAGES_MAX, NULL},
        {"sealed", HF_SCAN_TEXT, offsetof(struct hf_manifest, sealed), HF_MANIFEST_MAX_BYTES, NULL},
    };
    struct hf_scan scan;
    int rc;

    hf_scan_init(&scan, ctx, what, data, size);
    /* Where trees are passed over, so is the last one. */
    rc = hf_scan_object(&scan, members, HF_COUNT(members) - (trees == HF_SCAN_PASS), manifest);
    if (rc == HF_OK && trees == HF_SCAN_PASS)
        manifest->sealed = hf_strdup("");
    return rc;
}

static int read_manifest(struct hf_ctx *ctx, const char *key, const char *data, size_t size, enum hf_scan_kind trees,
                         struct hf_manifest **ret_manifest)
{
    hf_auto_free char *what = hf_strf("manifest '%s'", key), *named = NULL;
    struct hf_manifest *manifest;
    uint64_t schema = 0;
    int rc;

    if (size > HF_MANIFEST_MAX_BYTES)
        return hf_fail(ctx, HF_E_CORRUPT, "%s: larger than any manifest may be", what);
    rc = read_schema(ctx, what, data, size, &schema);
    if (rc != HF_OK)
        return rc;
    manifest = hf_manifest_new();
    rc = schema == HF_MANIFEST_SEALED ? read_sealed(ctx, what, data, size, trees, manifest)
                                      : read_all(ctx, what, data, size, trees, manifest);
    if (rc == HF_OK)
        rc = hf_manifest_check(ctx, what, manifest);
    if (rc == HF_OK) {
        named = hf_key_manifest(manifest->id);
        if (strcmp(named, key) != 0)
            rc = hf_fail(ctx, HF_E_CORRUPT, "%s: holds the manifest of backup '%s'", what, manifest->id);
    }
    if (rc == HF_OK)
        *ret_manifest = manifest;
    else
        hf_manifest_free(manifest);
    return rc;
}

int hf_manifest_read(struct hf_ctx *ctx, const char *key, const char *data, size_t size,
                     struct hf_manifest **ret_manifest)
{
    return read_manifest(ctx, key, data, size, HF_SCAN_OBJECT, ret_manifest);
}

int hf_manifest_read_brief(struct hf_ctx *ctx, const char *key, const char *data, size_t size,
                           struct hf_manifest **ret_manifest)
{
    return read_manifest(ctx, key, data, size, HF_SCAN_PASS, ret_manifest);
}

static bool same_artifact(const struct hf_manifest_artifact *a, const struct hf_manifest_artifact *b)
{
    return strcmp(a->key, b->key) == 0 && a->bytes == b->bytes && a->raw_bytes == b->raw_bytes &&
           strcmp(a->sha256, b->sha256) == 0;
}

int hf_manifest_open(struct hf_ctx *ctx, const struct hf_manifest *outer, const char *data, size_t size,
                     struct hf_manifest **ret_manifest)
{
    hf_auto_free char *key = hf_key_manifest(outer->id);
    struct hf_manifest *manifest = NULL;
    int rc = hf_manifest_read(ctx, key, data, size, &manifest);
    bool same = rc == HF_OK && manifest->sealed == NULL && manifest->artifact_count == outer->artifact_count &&
                manifest->stage_count == outer->stage_count;

    if (rc != HF_OK)
        return hf_wrap(ctx, "what is sealed in it");
    for (size_t i = 0; same && i < manifest->artifact_count; i++)
        same = same_artifact(&manifest->artifacts[i], &outer->artifacts[i]);
    for (size_t i = 0; same && i < manifest->stage_count; i++)
        same = strcmp(manifest->stages[i].plugin, outer->stages[i].plugin) == 0;
    if (!same) {
        hf_manifest_free(manifest);
        return hf_fail(ctx, HF_E_CORRUPT, "manifest '%s': what is sealed in it says something else than what is not", key);
    }
    json_decref(manifest->sinks);
    manifest->sinks = json_incref(outer->sinks);
    *ret_manifest = manifest;
    return HF_OK;
}
