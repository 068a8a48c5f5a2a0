/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/manifest.h"

#include "base/memory.h"

#include <string.h>

enum { FINDING_TEXT_MAX = 16 * 1024 }; /* what is longer is cut: a backup must not fail for a long message */

/* Room for one more item; *room grows by doubling. */
static void *grow(void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return items;
    *room = *room ? *room * 2 : 4;
    return hf_realloc_array(items, *room, size);
}

struct hf_manifest *hf_manifest_new(void)
{
    struct hf_manifest *manifest = hf_alloc(sizeof(*manifest));
    hf_auto_json json_t *empties = json_pack("[{}{}{}[]]");

    if (empties == NULL)
        abort(); /* as hf_alloc: no memory for a hundred bytes */
    manifest->options = json_incref(json_array_get(empties, 0));
    manifest->facts = json_incref(json_array_get(empties, 1));
    manifest->context = json_incref(json_array_get(empties, 2));
    manifest->sinks = json_incref(json_array_get(empties, 3));
    return manifest;
}

static void clear_artifact(struct hf_manifest_artifact *artifact)
{
    for (size_t i = 0; i < artifact->part_count; i++) {
        free(artifact->parts[i].name);
        free(artifact->parts[i].group);
    }
    free(artifact->parts);
    free(artifact->key);
    free(artifact->name);
    free(artifact->suffix);
    free(artifact->media);
}

void hf_manifest_free(struct hf_manifest *manifest)
{
    if (manifest == NULL)
        return;
    for (size_t i = 0; i < manifest->artifact_count; i++)
        clear_artifact(&manifest->artifacts[i]);
    free(manifest->artifacts);
    for (size_t i = 0; i < manifest->stage_count; i++) {
        free(manifest->stages[i].plugin);
        free(manifest->stages[i].version);
    }
    free(manifest->stages);
    for (size_t i = 0; i < manifest->finding_count; i++) {
        free(manifest->findings[i].code);
        free(manifest->findings[i].subject);
        free(manifest->findings[i].text);
    }
    free(manifest->findings);
    json_decref(manifest->options);
    json_decref(manifest->sinks);
    json_decref(manifest->facts);
    json_decref(manifest->context);
    free(manifest->id);
    free(manifest->profile);
    free(manifest->host);
    free(manifest->tool_version);
    free(manifest->source_plugin);
    free(manifest->source_version);
    free(manifest->sealed);
    free(manifest);
}

struct hf_manifest_artifact *hf_manifest_add_artifact(struct hf_manifest *manifest)
{
    struct hf_manifest_artifact *artifact;

    manifest->artifacts =
        grow(manifest->artifacts, manifest->artifact_count, &manifest->artifact_room, sizeof(*manifest->artifacts));
    artifact = &manifest->artifacts[manifest->artifact_count++];
    memset(artifact, 0, sizeof(*artifact));
    return artifact;
}

struct hf_manifest_part *hf_manifest_add_part(struct hf_manifest_artifact *artifact)
{
    struct hf_manifest_part *part;

    artifact->parts = grow(artifact->parts, artifact->part_count, &artifact->part_room, sizeof(*artifact->parts));
    part = &artifact->parts[artifact->part_count++];
    memset(part, 0, sizeof(*part));
    return part;
}

void hf_manifest_add_finding(struct hf_manifest *manifest, int severity, const char *code, const char *subject,
                             const char *text)
{
    struct hf_finding *finding;

    manifest->findings =
        grow(manifest->findings, manifest->finding_count, &manifest->finding_room, sizeof(*manifest->findings));
    finding = &manifest->findings[manifest->finding_count++];
    finding->severity = severity;
    finding->code = hf_strndup(code ? code : "", FINDING_TEXT_MAX);
    finding->subject = hf_strndup(subject ? subject : "", FINDING_TEXT_MAX);
    finding->text = hf_strndup(text ? text : "", FINDING_TEXT_MAX);
}

void hf_manifest_count(const struct hf_manifest *manifest, size_t ret_counts[4])
{
    memset(ret_counts, 0, 4 * sizeof(*ret_counts));
    for (size_t i = 0; i < manifest->finding_count; i++)
        ret_counts[manifest->findings[i].severity]++;
    for (int severity = HF_INFO; manifest->sealed != NULL && severity <= HF_ERROR; severity++)
        ret_counts[severity] = manifest->sealed_counts[severity - HF_INFO];
}

char *hf_manifest_sha256_text(const struct hf_manifest *manifest)
{
    hf_auto_text struct hf_text text = {0};

    for (size_t i = 0; i < manifest->artifact_count; i++)
        hf_text_addf(&text, "%s  %s\n", manifest->artifacts[i].sha256, manifest->artifacts[i].key);
    return text.data ? hf_steal(text.data) : hf_strdup("");
}
