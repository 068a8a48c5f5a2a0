/* SPDX-License-Identifier: Apache-2.0
 *
 * Holds a manifest's names, digests and offsets against the rules and against each other.
 */
#include "catalog/manifest.h"
#include "catalog/records.h"

#include "base/memory.h"

#include <string.h>

enum { PART_NAME_MAX = 200, PHASE_MAX = 3 };

static bool part_name_valid(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@+-";
    size_t length = name ? strlen(name) : 0;

    return length > 0 && length <= PART_NAME_MAX && strspn(name, allowed) == length;
}

static bool hex_valid(const char *text, size_t size)
{
    return memchr(text, '\0', size) == text + size - 1 && strspn(text, "0123456789abcdef") == size - 1;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The first name that occurs twice; NULL when none does. Sorts them. */
static const char *find_twice(const char **names, size_t count)
{
    qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return names[i];
    return NULL;
}

static int check_part_names(struct hf_ctx *ctx, const char *what, const struct hf_manifest_artifact *artifact)
{
    hf_auto_free const char **names = hf_alloc_array(artifact->part_count + 1, sizeof(*names));
    const char *twice;

    for (size_t i = 0; i < artifact->part_count; i++) {
        if (!part_name_valid(artifact->parts[i].name))
            return hf_fail(ctx, HF_E_CORRUPT, "%s: artifact '%s': part %zu has no valid name", what, artifact->key, i);
        names[i] = artifact->parts[i].name;
    }
    twice = find_twice(names, artifact->part_count);
    if (twice != NULL)
        return hf_fail(ctx, HF_E_CORRUPT, "%s: artifact '%s': two parts are named '%s'", what, artifact->key, twice);
    return HF_OK;
}

/* Why a part cannot follow what ends at these offsets, or NULL. `encoded`: a stage changed the bytes. */
static const char *part_problem(const struct hf_manifest_part *part, bool first, bool encoded, uint64_t raw_end,
                                uint64_t stored_end)
{
    if (part->phase > PHASE_MAX)
        return "its phase is none of 0 to 3";
    if (part->cost > INT64_MAX)
        return "its cost is beyond all bounds";
    if (!hex_valid(part->xxh128, sizeof(part->xxh128)))
        return "its digest is malformed";
    if (part->raw_offset != raw_end)
        return "its raw bytes do not begin where the part before it ends";
    if (first ? !encoded && part->stored_offset != 0 : part->stored_offset != stored_end)
        return "its stored bytes do not begin where the part before it ends";
    if (encoded ? (part->raw_size == 0) != (part->stored_size == 0) : part->raw_size != part->stored_size)
        return "its stored size does not go with its raw size";
    return NULL;
}

static int check_parts(struct hf_ctx *ctx, const char *what, const struct hf_manifest_artifact *artifact, bool encoded)
{
    uint64_t raw_end = 0, stored_end = 0;

    for (size_t i = 0; i < artifact->part_count; i++) {
        const struct hf_manifest_part *part = &artifact->parts[i];
        const char *problem = part_problem(part, i == 0, encoded, raw_end, stored_end);

        if (problem == NULL && (__builtin_add_overflow(raw_end, part->raw_size, &raw_end) ||
                                __builtin_add_overflow(part->stored_offset, part->stored_size, &stored_end) ||
                                raw_end > artifact->raw_bytes || stored_end > artifact->bytes))
            problem = "it ends behind the artifact's end";
        if (problem != NULL)
            return hf_fail(ctx, HF_E_CORRUPT, "%s: artifact '%s': part '%s': %s", what, artifact->key, part->name,
                           problem);
    }
    if (raw_end != artifact->raw_bytes)
        return hf_fail(ctx, HF_E_CORRUPT, "%s: artifact '%s': its parts end at byte %llu of %llu", what, artifact->key,
                       (unsigned long long)raw_end, (unsigned long long)artifact->raw_bytes);
    return HF_OK;
}

/* The artifact's key without the stages' suffixes, in the form that the key has; NULL: its name and suffix make none. */
static char *expected_key(const struct hf_manifest *manifest, const struct hf_manifest_artifact *artifact)
{
    const char *name = artifact->name ? artifact->name : "", *suffix = artifact->suffix ? artifact->suffix : "";
    hf_auto_free char *aside = hf_key_aside(manifest->id, name, suffix, "");

    if (aside != NULL && hf_text_starts(artifact->key, aside))
        return hf_steal(aside);
    return hf_key_artifact(manifest->id, name, suffix, "");
}

static int check_artifact(struct hf_ctx *ctx, const char *what, const struct hf_manifest *manifest,
                          const struct hf_manifest_artifact *artifact)
{
    bool encoded = manifest->stage_count > 0;
    hf_auto_free char *expected = NULL;
    const char *rest; /* the stages' suffixes */
    size_t length;

    if (artifact->key == NULL || !hf_key_valid(artifact->key))
        return hf_fail(ctx, HF_E_CORRUPT, "%s: an artifact without a valid key", what);
    expected = expected_key(manifest, artifact);
    length = expected ? strlen(expected) : 0;
    rest = artifact->key + (expected && strncmp(artifact->key, expected, length) == 0 ? length : 0);
    if (rest == artifact->key || !hf_key_of(artifact->key, manifest->id) || hf_key_record(artifact->key) ||
        (*rest != '\0' && (!encoded || *rest != '.')))
        return hf_fail(ctx, HF_E_CORRUPT,
                       "%s: artifact '%s': its key does not go with its name and suffix and backup '%s'", what,
                       artifact->key, manifest->id);
    if (!hex_valid(artifact->sha256, sizeof(artifact->sha256)) ||
        (manifest->sealed == NULL && !hex_valid(artifact->raw_sha256, sizeof(artifact->raw_sha256))))
        return hf_fail(ctx, HF_E_CORRUPT, "%s: artifact '%s': a digest is malformed", what, artifact->key);
    if (!encoded && (artifact->bytes != artifact->raw_bytes || strcmp(artifact->sha256, artifact->raw_sha256) != 0))
        return hf_fail(ctx, HF_E_CORRUPT, "%s: artifact '%s': stored and raw bytes differ without a stage", what,
                       artifact->key);
    if (manifest->sealed != NULL)
        return HF_OK; /* nothing else is known */
    if (check_part_names(ctx, what, artifact) != HF_OK)
        return HF_E_CORRUPT;
    return check_parts(ctx, what, artifact, encoded);
}

static int check_identity(struct hf_ctx *ctx, const char *what, const struct hf_manifest *manifest)
{
    hf_auto_free char *profile = NULL;
    json_t *sink;
    size_t index;

    if (manifest->id == NULL || !hf_id_parse(manifest->id, &profile, NULL))
        return hf_fail(ctx, HF_E_CORRUPT, "%s: its id is none", what);
    if (!hf_text_equal(manifest->profile, profile))
        return hf_fail(ctx, HF_E_CORRUPT, "%s: its profile does not go with its id '%s'", what, manifest->id);
    json_array_foreach(manifest->sinks, index, sink) if (!json_is_string(sink)) return hf_fail(
        ctx, HF_E_CORRUPT, "%s: 'sinks' holds something that is no name", what);
    return HF_OK;
}

int hf_manifest_check(struct hf_ctx *ctx, const char *what, const struct hf_manifest *manifest)
{
    hf_auto_free const char **keys = hf_alloc_array(manifest->artifact_count + 1, sizeof(*keys));
    const char *twice;
    size_t parts = 0;

    if (check_identity(ctx, what, manifest) != HF_OK)
        return HF_E_CORRUPT;
    if (manifest->sealed != NULL && manifest->sealed_by >= manifest->stage_count)
        return hf_fail(ctx, HF_E_CORRUPT, "%s: it is sealed by a stage that there is not", what);
    if (manifest->artifact_count > HF_MANIFEST_MAX_ARTIFACTS)
        return hf_fail(ctx, HF_E_CORRUPT, "%s: more than %d artifacts", what, HF_MANIFEST_MAX_ARTIFACTS);
    for (size_t i = 0; i < manifest->artifact_count; i++) {
        parts += manifest->artifacts[i].part_count;
        if (parts > HF_MANIFEST_MAX_PARTS)
            return hf_fail(ctx, HF_E_CORRUPT, "%s: more than %d parts", what, HF_MANIFEST_MAX_PARTS);
        if (check_artifact(ctx, what, manifest, &manifest->artifacts[i]) != HF_OK)
            return HF_E_CORRUPT;
        keys[i] = manifest->artifacts[i].key;
    }
    twice = find_twice(keys, manifest->artifact_count);
    if (twice != NULL)
        return hf_fail(ctx, HF_E_CORRUPT, "%s: artifact '%s' occurs twice", what, twice);
    return HF_OK;
}
