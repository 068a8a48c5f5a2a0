/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/known.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { FILE_MAX = 256 * 1024 * 1024, FIGURES = 9 };

struct hf_known {
    char *path;
    json_t *before, *now; /* entries by key: those of the file, and those that this run has asked for */
    bool complete, changed;
};

void hf_brief_clear(struct hf_brief *brief)
{
    for (size_t i = 0; i < brief->count; i++)
        free(brief->objects[i].key);
    free(brief->objects);
    *brief = (struct hf_brief){0};
}

/* The first line: another version of Holdfast may read manifests otherwise, and a damaged file would tell lies. */
static char *head_of(const char *text, size_t size)
{
    XXH128_hash_t digest = XXH3_128bits(text, size);

    return hf_strf("holdfast-catalog %s %016llx%016llx\n", HOLDFAST_VERSION, (unsigned long long)digest.high64,
                   (unsigned long long)digest.low64);
}

static json_t *load(const char *path)
{
    struct hf_ctx ctx = {0};
    hf_auto_free char *data = NULL, *head = NULL;
    const char *text;
    size_t size = 0;
    json_t *entries = NULL;
    int rc = access(path, F_OK) == 0 ? hf_file_read(&ctx, path, FILE_MAX, &data, &size) : HF_E_NOTFOUND;

    hf_error_clear(&ctx.error);
    text = rc == HF_OK ? memchr(data, '\n', size) : NULL;
    if (text == NULL)
        return json_object();
    text++;
    size -= (size_t)(text - data);
    head = head_of(text, size);
    if (strlen(head) == (size_t)(text - data) && memcmp(head, data, strlen(head)) == 0)
        entries = json_loadb(text, size, 0, NULL);
    if (json_is_object(entries))
        return entries;
    hf_log(HF_LOG_DEBUG, NULL, "'%s' is of another version, or damaged, and is made anew", path);
    json_decref(entries);
    return json_object();
}

struct hf_known *hf_known_open(const char *path)
{
    struct hf_known *known = hf_alloc(sizeof(*known));

    known->path = hf_strdup(path);
    known->before = load(path);
    known->now = json_object();
    return known;
}

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t wrote = write(fd, data, size);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        data += wrote;
        size -= (size_t)wrote;
    }
    return true;
}

/* Beside and renamed, so that two runs at once do no harm. */
static bool store(const char *path, const char *head, const char *text)
{
    hf_auto_free char *aside = hf_strf("%s.XXXXXX", path);
    int fd = mkostemp(aside, O_CLOEXEC); /* mode 0600 */
    bool good;

    if (fd < 0)
        return false;
    good = write_all(fd, head, strlen(head)) && write_all(fd, text, strlen(text));
    good = close(fd) == 0 && good && rename(aside, path) == 0;
    if (!good)
        (void)unlink(aside);
    return good;
}

static void save(const struct hf_known *known)
{
    hf_auto_free char *folder = hf_strndup(known->path, (size_t)(hf_path_base(known->path) - known->path));
    hf_auto_free char *head = NULL;
    char *text = json_dumps(known->now, JSON_COMPACT | JSON_SORT_KEYS);
    struct hf_ctx ctx = {0};

    if (text == NULL)
        return;
    head = head_of(text, strlen(text));
    if (strlen(text) + strlen(head) <= FILE_MAX &&
        (hf_file_make_dirs(&ctx, folder, 0700) != HF_OK || !store(known->path, head, text)))
        hf_log(HF_LOG_DEBUG, NULL, "cannot write '%s': %s", known->path, strerror(errno));
    hf_error_clear(&ctx.error);
    free(text);
}

void hf_known_close(struct hf_known *known)
{
    if (known == NULL)
        return;
    if (known->complete && (known->changed || json_object_size(known->now) != json_object_size(known->before)))
        save(known);
    json_decref(known->before);
    json_decref(known->now);
    free(known->path);
    free(known);
}

void hf_known_complete(struct hf_known *known)
{
    if (known != NULL)
        known->complete = true;
}

/* The entry, when the object is still the one that was read; borrowed. */
static json_t *find(struct hf_known *known, const char *key, const char *tag)
{
    const char *had;
    json_t *entry;

    if (known == NULL || tag == NULL)
        return NULL;
    entry = json_object_get(known->now, key);
    if (entry == NULL)
        entry = json_object_get(known->before, key);
    had = json_string_value(json_object_get(entry, "tag"));
    if (had == NULL || strcmp(had, tag) != 0)
        return NULL;
    hf_json_set(known->now, key, json_incref(entry));
    return entry;
}

static void add(struct hf_known *known, const char *key, const char *tag, json_t *entry)
{
    hf_json_set_text(entry, "tag", tag);
    hf_json_set(known->now, key, entry);
    known->changed = true;
}

static json_t *numbers(const uint64_t *values, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        hf_json_append(array, json_integer((json_int_t)values[i]));
    return array;
}

static bool read_numbers(const json_t *array, uint64_t *ret_values, size_t count)
{
    if (json_array_size(array) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(array, i);

        if (!json_is_integer(value))
            return false;
        ret_values[i] = (uint64_t)json_integer_value(value);
    }
    return true;
}

void hf_known_add_manifest(struct hf_known *known, const char *key, const char *tag, const struct hf_brief *brief)
{
    const struct hf_figures *figures = &brief->figures;
    const uint64_t values[FIGURES] = {
        (uint64_t)figures->start_ms, (uint64_t)figures->end_ms,   figures->bytes,
        figures->raw_bytes,          figures->artifact_count,     figures->severity_counts[0],
        figures->severity_counts[1], figures->severity_counts[2], figures->severity_counts[3]};
    json_t *entry, *objects;

    if (known == NULL || tag == NULL)
        return;
    entry = json_object();
    objects = json_array();
    hf_json_set(entry, "digest", numbers(brief->digest, 2));
    hf_json_set(entry, "figures", numbers(values, FIGURES));
    for (size_t i = 0; i < brief->count; i++) {
        json_t *object = json_array();

        hf_json_append(object, json_string(brief->objects[i].key));
        hf_json_append(object, json_integer((json_int_t)brief->objects[i].bytes));
        hf_json_append(objects, object);
    }
    hf_json_set(entry, "objects", objects);
    add(known, key, tag, entry);
}

static bool read_objects(const json_t *objects, struct hf_brief *brief)
{
    const json_t *object;
    size_t index;

    brief->objects = hf_alloc_array(json_array_size(objects) + 1, sizeof(*brief->objects));
    json_array_foreach((json_t *)objects, index, object)
    {
        const char *key = json_string_value(json_array_get(object, 0));

        if (key == NULL || !hf_key_valid(key) || !json_is_integer(json_array_get(object, 1)))
            return false;
        brief->objects[brief->count].key = hf_strdup(key);
        brief->objects[brief->count++].bytes = (uint64_t)json_integer_value(json_array_get(object, 1));
    }
    return brief->count > 0;
}

bool hf_known_manifest(struct hf_known *known, const char *key, const char *tag, struct hf_brief *ret_brief)
{
    const json_t *entry = find(known, key, tag);
    struct hf_brief brief = {0};
    uint64_t values[FIGURES];

    if (entry == NULL || !read_numbers(json_object_get(entry, "digest"), brief.digest, 2) ||
        !read_numbers(json_object_get(entry, "figures"), values, FIGURES))
        return false;
    if (!read_objects(json_object_get(entry, "objects"), &brief)) {
        hf_brief_clear(&brief);
        return false;
    }
    brief.figures = (struct hf_figures){.start_ms = (int64_t)values[0],
                                        .end_ms = (int64_t)values[1],
                                        .bytes = values[2],
                                        .raw_bytes = values[3],
                                        .artifact_count = values[4],
                                        .severity_counts = {values[5], values[6], values[7], values[8]}};
    *ret_brief = brief;
    return true;
}

void hf_known_add_verified(struct hf_known *known, const char *key, const char *tag, const struct hf_verified *verified)
{
    const uint64_t values[] = {(uint64_t)verified->level, verified->whole, (uint64_t)verified->time_ms,
                               verified->errors};
    json_t *entry;

    if (known == NULL || tag == NULL)
        return;
    entry = json_object();
    hf_json_set(entry, "verified", numbers(values, HF_COUNT(values)));
    add(known, key, tag, entry);
}

bool hf_known_verified(struct hf_known *known, const char *key, const char *tag, struct hf_verified *ret_verified)
{
    const json_t *entry = find(known, key, tag);
    uint64_t values[4];

    if (entry == NULL || !read_numbers(json_object_get(entry, "verified"), values, HF_COUNT(values)))
        return false;
    *ret_verified = (struct hf_verified){(int)values[0], values[1] != 0, (int64_t)values[2], values[3]};
    return true;
}
