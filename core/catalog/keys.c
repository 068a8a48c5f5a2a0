/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of objects: PROFILE[_ARTIFACT]_YYYYMMDD_HHMMSS.SUFFIX. A profile holds no '_', and no suffix does, so the
 * profile ends at the first one and the time begins at the last but one, whatever the artifact is called.
 *
 * An artifact that stands aside is ARTIFACT_PROFILE_YYYYMMDD_HHMMSS.SUFFIX: no pattern PROFILE_* finds it. Such a name could
 * also be that of an artifact PROFILE in a profile ARTIFACT; which it is, is for the manifests to say.
 */
#include "catalog/manifest.h"
#include "catalog/records.h"

#include <assert.h>
#include <string.h>

enum { TIME_LENGTH = HF_TIME_ID_SIZE - 1, DAY_LENGTH = 8, SUFFIX_MAX = 64 };

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

static bool profile_valid(const char *profile, size_t length)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

    return length > 0 && length <= HF_NAME_MAX && profile[0] != '-' && strspn(profile, allowed) >= length;
}

static bool suffix_valid(const char *suffix)
{
    size_t length = strlen(suffix);

    return length == 0 || (suffix[0] == '.' && length <= SUFFIX_MAX && strspn(suffix, letters) == length &&
                           strchr(suffix, '_') == NULL);
}

bool hf_key_valid(const char *key)
{
    size_t length = key ? strlen(key) : 0;

    return length > 0 && length <= HF_KEY_MAX && key[0] != '.' && key[0] != '-' && strspn(key, letters) == length;
}

bool hf_key_record(const char *key)
{
    return hf_text_ends(key, HF_SUFFIX_MANIFEST) || hf_text_ends(key, HF_SUFFIX_SHA256) ||
           hf_text_ends(key, HF_SUFFIX_VERIFIED) || hf_text_ends(key, HF_SUFFIX_COMMIT) ||
           hf_text_ends(key, HF_SUFFIX_REMOVING);
}

/* Where the time begins in a well-formed key; NULL when the key is no name of ours. *ret_profile: the profile's length.
 */
static const char *find_time(const char *key, size_t *ret_profile, int64_t *ret_time_ms)
{
    const char *first = strchr(key, '_'), *last = strrchr(key, '_'), *time;
    int64_t time_ms;

    if (!hf_key_valid(key) || first == NULL || last - first <= DAY_LENGTH)
        return NULL;
    time = last - DAY_LENGTH;
    if (time[-1] != '_' || !profile_valid(key, (size_t)(first - key)) || !hf_time_parse_id(time, &time_ms))
        return NULL;
    if (!suffix_valid(time + TIME_LENGTH) || time - first == 2)
        return NULL; /* 2: "a__20260201_120000", an artifact without a name and yet with its '_' */
    *ret_profile = (size_t)(first - key);
    if (ret_time_ms != NULL)
        *ret_time_ms = time_ms;
    return time;
}

char *hf_key_id(const char *profile, int64_t time_ms)
{
    char time[HF_TIME_ID_SIZE];

    assert(profile_valid(profile, strlen(profile)));
    hf_time_id(time_ms, time);
    return hf_strf("%s_%s", profile, time);
}

bool hf_id_parse(const char *id, char **ret_profile, int64_t *ret_time_ms)
{
    size_t profile;
    const char *time = find_time(id, &profile, ret_time_ms);

    if (time == NULL || time[TIME_LENGTH] != '\0' || time != id + profile + 1)
        return false;
    if (ret_profile != NULL)
        *ret_profile = hf_strndup(id, profile);
    return true;
}

char *hf_key_to_id(const char *key)
{
    size_t profile;
    const char *time = find_time(key, &profile, NULL);

    return time ? hf_strf("%.*s_%.*s", (int)profile, key, TIME_LENGTH, time) : NULL;
}

char *hf_key_artifact(const char *id, const char *artifact, const char *suffix, const char *stage_suffixes)
{
    hf_auto_free char *key = NULL;
    size_t profile;
    const char *time = find_time(id, &profile, NULL);

    assert(time != NULL);
    if (strspn(artifact, letters) != strlen(artifact) || !suffix_valid(suffix) || !suffix_valid(stage_suffixes))
        return NULL;
    key = hf_strf("%.*s%s%s_%s%s%s", (int)profile, id, *artifact ? "_" : "", artifact, time, suffix, stage_suffixes);
    if (!hf_key_valid(key) || find_time(key, &profile, NULL) == NULL || hf_key_record(key))
        return NULL;
    return hf_steal(key);
}

char *hf_key_aside(const char *id, const char *artifact, const char *suffix, const char *stage_suffixes)
{
    size_t length = strcspn(id, "_");
    hf_auto_free char *key = NULL, *owner = NULL;

    if (strspn(artifact, letters) != strlen(artifact) || !suffix_valid(suffix) || !suffix_valid(stage_suffixes) ||
        (strncmp(artifact, id, length) == 0 && artifact[length] == '\0'))
        return NULL;
    key = hf_strf("%s_%s%s%s", artifact, id, suffix, stage_suffixes);
    owner = hf_key_aside_id(key);
    return hf_text_equal(owner, id) && !hf_key_record(key) ? hf_steal(key) : NULL;
}

char *hf_key_aside_id(const char *key)
{
    const char *rest = hf_key_valid(key) ? strchr(key, '_') : NULL;
    const char *time;
    size_t profile;

    if (rest == NULL || rest == key)
        return NULL;
    rest++;
    time = find_time(rest, &profile, NULL);
    if (time == NULL || time != rest + profile + 1)
        return NULL;
    return hf_strndup(rest, profile + 1 + TIME_LENGTH);
}

bool hf_key_of(const char *key, const char *id)
{
    hf_auto_free char *plain = hf_key_to_id(key), *aside = hf_key_aside_id(key);

    return hf_text_equal(plain, id) || hf_text_equal(aside, id);
}

char *hf_key_manifest(const char *id)
{
    return hf_strf("%s" HF_SUFFIX_MANIFEST, id);
}

char *hf_key_sha256(const char *id)
{
    return hf_strf("%s" HF_SUFFIX_SHA256, id);
}
