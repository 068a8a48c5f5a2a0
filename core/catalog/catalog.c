/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the catalog: one listing per sink, then each manifest once.
 */
#include "catalog/known.h"
#include "catalog/objects.h"

#include "base/cancel.h"
#include "base/log.h"

#include <string.h>
#include <xxhash.h>

enum { OBJECTS_MAX = 5000000 };

struct listed {
    char *key, *tag; /* tag: of what the catalog reads, if the sink has one */
    uint64_t bytes;
    bool named; /* a manifest accounts for it */
};

struct listing {
    struct hf_ctx *ctx;
    char *prefix; /* of all its keys */
    struct listed *items;
    size_t count, room;
};

/* What one sink has, before the sinks' shares are put together. */
struct share {
    struct hf_backup *backups; /* with one copy each */
    size_t count, room;
    struct hf_strings orphans;
};

static void clear_listing(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->items[i].key), free(listing->items[i].tag);
    free(listing->items);
    free(listing->prefix);
}

static void clear_backup(struct hf_backup *backup)
{
    for (size_t i = 0; i < backup->copy_count; i++)
        free(backup->copies[i].problem);
    free(backup->copies);
    free(backup->id);
}

static void clear_share(struct share *share)
{
    for (size_t i = 0; i < share->count; i++)
        clear_backup(&share->backups[i]);
    free(share->backups);
    hf_strings_clear(&share->orphans);
}

void hf_catalog_free(struct hf_catalog *catalog)
{
    if (catalog == NULL)
        return;
    for (size_t i = 0; i < catalog->count; i++)
        clear_backup(&catalog->backups[i]);
    free(catalog->backups);
    hf_strings_clear(&catalog->orphans);
    free(catalog->profile);
    free(catalog);
}

static int compare_listed(const void *a, const void *b)
{
    return strcmp(((const struct listed *)a)->key, ((const struct listed *)b)->key);
}

static int each_object(void *arg, const struct hf_object *object)
{
    struct listing *listing = arg;
    const char *tag = HF_HAS(object, tag) ? object->tag : NULL;

    if (!hf_key_valid(object->key))
        return 0; /* a stranger's */
    if (!hf_text_ends(object->key, HF_SUFFIX_MANIFEST) && !hf_text_ends(object->key, HF_SUFFIX_VERIFIED))
        tag = NULL;
    if (listing->count == OBJECTS_MAX)
        return hf_fail(listing->ctx, HF_E_FAIL, "more than %d objects", OBJECTS_MAX);
    if (listing->count == listing->room) {
        listing->room = listing->room ? listing->room * 2 : 256;
        listing->items = hf_realloc_array(listing->items, listing->room, sizeof(*listing->items));
    }
    listing->items[listing->count++] =
        (struct listed){.key = hf_strdup(object->key), .tag = hf_strdup(tag), .bytes = object->bytes};
    return 0;
}

static int list_objects(struct hf_ctx *ctx, struct hf_instance *sink, const char *profile, struct listing *listing)
{
    int rc;

    listing->ctx = ctx;
    listing->prefix = hf_strf("%s_", profile);
    hf_instance_enter(sink, ctx);
    rc = hf_instance_leave(sink, ctx, sink->loaded->sink.list(sink->self, ctx, listing->prefix, each_object, listing));
    if (rc < 0)
        return rc;
    if (listing->count > 1)
        qsort(listing->items, listing->count, sizeof(*listing->items), compare_listed);
    return HF_OK;
}

static struct listed *find_object(const struct listing *listing, const char *key)
{
    struct listed wanted = {.key = (char *)key};

    if (listing->count == 0)
        return NULL;
    return bsearch(&wanted, listing->items, listing->count, sizeof(*listing->items), compare_listed);
}

static struct listed *find_suffixed(const struct listing *listing, const char *id, const char *suffix)
{
    hf_auto_free char *key = hf_strf("%s%s", id, suffix);

    return find_object(listing, key);
}

int hf_catalog_manifest_text(struct hf_ctx *ctx, struct hf_instance *sink, const char *id,
                             struct hf_manifest **ret_manifest, char **ret_text, size_t *ret_size)
{
    hf_auto_free char *key = hf_key_manifest(id), *data = NULL;
    size_t size;
    int rc = hf_object_read(ctx, sink, key, HF_MANIFEST_MAX_BYTES, &data, &size);

    if (rc == HF_OK && ret_manifest != NULL)
        rc = hf_manifest_read(ctx, key, data, size, ret_manifest);
    if (rc < 0)
        return rc;
    *ret_text = hf_steal(data);
    *ret_size = size;
    return HF_OK;
}

int hf_catalog_manifest(struct hf_ctx *ctx, struct hf_instance *sink, const char *id, struct hf_manifest **ret_manifest)
{
    hf_auto_free char *text = NULL;
    size_t size;

    return hf_catalog_manifest_text(ctx, sink, id, ret_manifest, &text, &size);
}

/* Is the object there, and how large is it? One that stands aside is in no listing of the profile's. */
static int look_up(struct hf_ctx *ctx, struct hf_instance *sink, struct listing *listing, const char *key,
                   bool *ret_there, uint64_t *ret_bytes)
{
    struct listed *object = find_object(listing, key);

    if (object == NULL && !hf_text_starts(key, listing->prefix))
        return hf_object_stat(ctx, sink, key, ret_there, ret_bytes);
    *ret_there = object != NULL;
    *ret_bytes = object != NULL ? object->bytes : 0;
    if (object != NULL)
        object->named = true;
    return HF_OK;
}

/* Compares one object with what it must be; adds to `problem` what is wrong, the first in full. */
static int check_object(struct hf_ctx *ctx, struct listing *listing, const struct hf_backup *backup, const char *what,
                        const char *key, uint64_t bytes, struct hf_text *problem, size_t *problems)
{
    uint64_t found = 0;
    bool there = false;
    int rc = look_up(ctx, backup->copies->sink, listing, key, &there, &found);

    if (rc < 0 || (there && found == bytes))
        return rc;
    if ((*problems)++ > 0)
        return HF_OK;
    if (!there)
        hf_text_addf(problem, "%s '%s' is missing", what, key);
    else
        hf_text_addf(problem, "%s '%s' has %llu bytes and must have %llu", what, key, (unsigned long long)found,
                     (unsigned long long)bytes);
    return HF_OK;
}

/* What of a manifest is looked at here. */
static struct hf_brief brief_of(const struct hf_manifest *manifest, const char *text, size_t size)
{
    hf_auto_free char *sha256 = hf_manifest_sha256_text(manifest);
    XXH128_hash_t digest = XXH3_128bits(text, size);
    struct hf_brief brief = {.digest = {digest.low64, digest.high64}};
    struct hf_figures *figures = &brief.figures;

    figures->start_ms = manifest->start_ms;
    figures->end_ms = manifest->end_ms;
    figures->artifact_count = manifest->artifact_count;
    hf_manifest_count(manifest, figures->severity_counts);
    brief.objects = hf_alloc_array(manifest->artifact_count + 1, sizeof(*brief.objects));
    for (size_t i = 0; i < manifest->artifact_count; i++) {
        const struct hf_manifest_artifact *artifact = &manifest->artifacts[i];

        figures->bytes += artifact->bytes;
        figures->raw_bytes += artifact->raw_bytes;
        brief.objects[brief.count++] = (struct hf_record_object){hf_strdup(artifact->key), artifact->bytes};
    }
    brief.objects[brief.count++] = (struct hf_record_object){hf_key_sha256(manifest->id), strlen(sha256)};
    return brief;
}

/* HF_END: the manifest is not there any more. */
static int still_there(struct hf_ctx *ctx, const struct hf_backup *backup)
{
    hf_auto_free char *key = hf_key_manifest(backup->id);
    bool there = false;
    int rc = hf_object_stat(ctx, backup->copies->sink, key, &there, NULL);

    return rc == HF_OK && !there ? HF_END : rc;
}

/* Takes over what the listing and the manifest say about a backup. HF_END: it has gone since it was listed. */
static int describe(struct hf_ctx *ctx, struct listing *listing, const struct hf_brief *brief, struct hf_backup *backup)
{
    hf_auto_text struct hf_text problem = {0};
    size_t problems = 0;
    int rc = HF_OK;

    backup->copies->figures = brief->figures;
    memcpy(backup->copies->digest, brief->digest, sizeof(brief->digest));
    for (size_t i = 0; i < brief->count && rc == HF_OK; i++) {
        const struct hf_record_object *object = &brief->objects[i];

        rc = check_object(ctx, listing, backup, i + 1 < brief->count ? "artifact" : "checksum file", object->key,
                          object->bytes, &problem, &problems);
    }
    /* Another machine's run may be removing it, which began with its manifest. */
    if (rc == HF_OK && problems > 0)
        rc = still_there(ctx, backup);
    if (problems > 1)
        hf_text_addf(&problem, " (and %zu more)", problems - 1);
    backup->copies->whole = problems == 0;
    backup->copies->problem = hf_steal(problem.data);
    return rc;
}

/* Failures that say nothing about the object, only that the sink cannot be asked now. */
static bool cannot_ask(int rc)
{
    return rc == HF_E_UNREACHABLE || rc == HF_E_CANCELLED || rc == HF_E_NOMEM || rc == HF_E_BUSY;
}

/* A record that cannot be read makes the backup one that was never verified: the safe side. */
static int read_verified(struct hf_ctx *ctx, struct hf_instance *sink, const struct listing *listing,
                         struct hf_backup *backup)
{
    const struct listed *record = find_suffixed(listing, backup->id, HF_SUFFIX_VERIFIED);
    struct hf_ctx aside = hf_ctx_aside(ctx);
    int rc;

    if (record == NULL || hf_known_verified(sink->known, record->key, record->tag, &backup->copies->verified))
        return HF_OK;
    rc = hf_verified_read(&aside, sink, backup->id, &backup->copies->verified);
    if (rc == HF_OK)
        hf_known_add_verified(sink->known, record->key, record->tag, &backup->copies->verified);
    if (cannot_ask(rc)) {
        hf_error_merge(&ctx->error, &aside.error);
        return rc;
    }
    if (rc < 0 && rc != HF_E_NOTFOUND)
        hf_log(HF_LOG_WARNING, NULL, "backup '%s' counts as not verified: %s", backup->id, aside.error.text);
    hf_error_clear(&aside.error);
    return HF_OK;
}

/* What the catalog needs of the manifest: what is known of it, or what is read now. */
static int read_brief(struct hf_ctx *ctx, struct hf_instance *sink, const char *key, const char *tag, const char *id,
                      struct hf_brief *ret_brief)
{
    struct hf_manifest *manifest = NULL;
    hf_auto_free char *text = NULL;
    size_t size = 0;
    int rc;

    if (hf_known_manifest(sink->known, key, tag, ret_brief))
        return HF_OK;
    rc = hf_catalog_manifest_text(ctx, sink, id, NULL, &text, &size);
    if (rc == HF_OK)
        rc = hf_manifest_read_brief(ctx, key, text, size, &manifest);
    if (rc != HF_OK)
        return rc;
    *ret_brief = brief_of(manifest, text, size);
    hf_known_add_manifest(sink->known, key, tag, ret_brief);
    hf_manifest_free(manifest);
    return HF_OK;
}

/* HF_END: the backup has gone since it was listed. */
static int read_backup(struct hf_ctx *ctx, struct hf_instance *sink, struct listing *listing, struct hf_backup *backup)
{
    const struct listed *listed = find_suffixed(listing, backup->id, HF_SUFFIX_MANIFEST);
    struct hf_ctx aside = hf_ctx_aside(ctx);
    struct hf_brief brief = {0};
    int rc = read_brief(&aside, sink, listed->key, listed->tag, backup->id, &brief);

    if (rc == HF_OK) {
        rc = describe(ctx, listing, &brief, backup);
        hf_brief_clear(&brief);
        return rc != HF_OK ? rc : read_verified(ctx, sink, listing, backup);
    }
    if (cannot_ask(rc)) {
        hf_error_merge(&ctx->error, &aside.error);
        return rc;
    }
    if (rc != HF_E_NOTFOUND) {
        backup->copies->unreadable = true;
        backup->copies->problem = hf_strdup(aside.error.text);
    }
    hf_error_clear(&aside.error);
    return rc == HF_E_NOTFOUND ? HF_END : HF_OK;
}

static int add_backup(struct hf_ctx *ctx, struct hf_instance *sink, struct listing *listing, const char *id,
                      int64_t time_ms, struct share *share)
{
    struct hf_backup backup = {.id = hf_strdup(id), .time_ms = time_ms, .copy_count = 1};
    int rc;

    backup.copies = hf_alloc(sizeof(*backup.copies));
    backup.copies->sink = sink;
    rc = read_backup(ctx, sink, listing, &backup);
    if (rc != HF_OK) {
        clear_backup(&backup);
        return rc == HF_END ? HF_OK : rc;
    }
    if (share->count == share->room) {
        share->room = share->room ? share->room * 2 : 64;
        share->backups = hf_realloc_array(share->backups, share->room, sizeof(*share->backups));
    }
    share->backups[share->count++] = backup;
    return HF_OK;
}

/* Does the object stand aside in a backup of another profile, or in one that is being published or removed? */
static int stands_aside(struct hf_ctx *ctx, struct hf_instance *sink, const char *key, bool *ret_aside)
{
    static const char *const suffixes[] = {HF_SUFFIX_MANIFEST, HF_SUFFIX_COMMIT, HF_SUFFIX_REMOVING};
    hf_auto_free char *id = hf_key_aside_id(key);
    int rc = HF_OK;

    *ret_aside = false;
    for (size_t i = 0; id != NULL && rc == HF_OK && !*ret_aside && i < HF_COUNT(suffixes); i++) {
        hf_auto_free char *record = hf_strf("%s%s", id, suffixes[i]);

        rc = hf_object_stat(ctx, sink, record, ret_aside, NULL);
    }
    return rc;
}

/* Artifacts without a manifest. What a run is about to publish or to remove has a record, and is none. */
static int find_orphans(struct hf_ctx *ctx, struct hf_instance *sink, const struct listing *listing,
                        struct hf_strings *orphans)
{
    for (size_t i = 0; i < listing->count; i++) {
        const struct listed *object = &listing->items[i];
        hf_auto_free char *id = object->named ? NULL : hf_key_to_id(object->key);
        bool aside = false;
        int rc;

        if (id == NULL || find_suffixed(listing, id, HF_SUFFIX_MANIFEST) != NULL ||
            find_suffixed(listing, id, HF_SUFFIX_COMMIT) != NULL ||
            find_suffixed(listing, id, HF_SUFFIX_REMOVING) != NULL)
            continue;
        rc = stands_aside(ctx, sink, object->key, &aside);
        if (rc < 0)
            return rc;
        if (!aside)
            hf_strings_take(orphans, hf_strf("%s: %s", sink->name, object->key));
    }
    return HF_OK;
}

static int load_share(struct hf_ctx *ctx, struct hf_instance *sink, const char *profile, struct share *share)
{
    __attribute__((cleanup(clear_listing))) struct listing listing = {0};
    int rc = list_objects(ctx, sink, profile, &listing);

    for (size_t i = 0; i < listing.count && rc == HF_OK; i++) {
        const char *key = listing.items[i].key;
        hf_auto_free char *id = NULL;
        int64_t time_ms;

        if (!hf_text_ends(key, HF_SUFFIX_MANIFEST))
            continue;
        id = hf_strndup(key, strlen(key) - strlen(HF_SUFFIX_MANIFEST));
        if (!hf_id_parse(id, NULL, &time_ms))
            continue;
        if (hf_cancel_raised(ctx->cancel))
            return hf_fail(ctx, HF_E_CANCELLED, "read the catalog: interrupted");
        rc = add_backup(ctx, sink, &listing, id, time_ms, share);
    }
    if (rc == HF_OK)
        hf_known_complete(sink->known);
    if (rc == HF_OK)
        rc = find_orphans(ctx, sink, &listing, &share->orphans);
    return rc;
}

static void merge_copy(struct hf_backup *into, struct hf_backup *from)
{
    into->copies = hf_realloc_array(into->copies, into->copy_count + 1, sizeof(*into->copies));
    into->copies[into->copy_count++] = from->copies[0];
    from->copy_count = 0;
    clear_backup(from);
}

/* Both are sorted by id, that is by time. Empties `share`. */
static void merge_share(struct hf_catalog *catalog, struct share *share)
{
    size_t count = catalog->count + share->count, old = 0, next = 0, at = 0;
    struct hf_backup *merged = hf_alloc_array(count + 1, sizeof(*merged));

    while (old < catalog->count || next < share->count) {
        int order = old == catalog->count  ? 1
                    : next == share->count ? -1
                                           : strcmp(catalog->backups[old].id, share->backups[next].id);

        if (order == 0)
            merge_copy(&catalog->backups[old], &share->backups[next++]);
        else
            merged[at++] = order < 0 ? catalog->backups[old++] : share->backups[next++];
    }
    free(catalog->backups);
    catalog->backups = merged;
    catalog->count = at;
    catalog->room = count + 1;
    share->count = 0;
    for (size_t i = 0; i < share->orphans.count; i++)
        hf_strings_add(&catalog->orphans, share->orphans.items[i]);
}

static int load_sink(struct hf_ctx *ctx, struct hf_instance *sink, struct hf_strings *ret_unreachable,
                     struct hf_catalog *catalog)
{
    __attribute__((cleanup(clear_share))) struct share share = {0};
    struct hf_ctx aside = hf_ctx_aside(ctx);
    int rc = load_share(&aside, sink, catalog->profile, &share);

    if (rc == HF_OK) {
        merge_share(catalog, &share);
        return HF_OK;
    }
    if (rc == HF_E_CANCELLED || ret_unreachable == NULL) {
        hf_error_merge(&ctx->error, &aside.error);
        return rc;
    }
    hf_log(HF_LOG_WARNING, NULL, "%s", aside.error.text);
    hf_error_clear(&aside.error);
    hf_strings_add(ret_unreachable, sink->name);
    return HF_OK;
}

void hf_catalog_merge(struct hf_catalog *catalog, struct hf_catalog *of_one_sink)
{
    struct share share = {
        .backups = of_one_sink->backups, .count = of_one_sink->count, .orphans = of_one_sink->orphans};

    merge_share(catalog, &share);
    clear_share(&share);
    of_one_sink->backups = NULL;
    of_one_sink->count = 0;
    of_one_sink->orphans = (struct hf_strings){0};
    hf_catalog_free(of_one_sink);
}

int hf_catalog_load(struct hf_ctx *ctx, const char *profile, struct hf_instance *const *sinks, size_t sink_count,
                    struct hf_strings *ret_unreachable, struct hf_catalog **ret_catalog)
{
    struct hf_catalog *catalog = hf_alloc(sizeof(*catalog));

    catalog->profile = hf_strdup(profile);
    for (size_t i = 0; i < sink_count; i++) {
        int rc = load_sink(ctx, sinks[i], ret_unreachable, catalog);

        if (rc < 0) {
            hf_catalog_free(catalog);
            return rc;
        }
    }
    hf_catalog_settle(catalog);
    *ret_catalog = catalog;
    return HF_OK;
}
