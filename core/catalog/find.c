/* SPDX-License-Identifier: Apache-2.0
 *
 * Choosing a backup, and a copy of it.
 */
#include "catalog/catalog.h"

#include "base/log.h"

#include <string.h>

enum { CANDIDATES_SHOWN = 5 };

static bool whole_somewhere(const struct hf_backup *backup)
{
    for (size_t i = 0; i < backup->copy_count; i++)
        if (backup->copies[i].whole)
            return true;
    return false;
}

static bool proven(const struct hf_copy *copy)
{
    return copy->verified.whole && copy->verified.level >= HF_LEVEL_DIGEST;
}

bool hf_backup_verified(const struct hf_backup *backup)
{
    for (size_t i = 0; i < backup->copy_count; i++)
        if (backup->copies[i].whole && proven(&backup->copies[i]))
            return true;
    return false;
}

bool hf_copy_same(const struct hf_copy *one, const struct hf_copy *other)
{
    return one->digest[0] == other->digest[0] && one->digest[1] == other->digest[1];
}

/* A copy that a check found damaged comes after one that nobody looked at. */
static int worth(const struct hf_copy *copy)
{
    bool damaged = copy->verified.level != HF_LEVEL_NONE && !copy->verified.whole;

    return (copy->whole ? 3 : 0) + (proven(copy) ? 2 : damaged ? 0 : 1);
}

struct hf_copy *hf_backup_best_copy(const struct hf_backup *backup)
{
    struct hf_copy *best = NULL;

    for (size_t i = 0; i < backup->copy_count; i++) {
        struct hf_copy *copy = &backup->copies[i];

        if (!copy->unreadable && !copy->apart && (best == NULL || worth(copy) > worth(best)))
            best = copy;
    }
    return best;
}

/* What speaks for the manifest that `copy` has: see hf_catalog_settle. The sinks' order is not in it. */
static uint64_t support(const struct hf_backup *backup, const struct hf_copy *copy)
{
    bool sound = false, was_proven = false;
    uint64_t count = 0;

    for (size_t i = 0; i < backup->copy_count; i++) {
        const struct hf_copy *other = &backup->copies[i];

        if (other->unreadable || !hf_copy_same(other, copy))
            continue;
        sound = sound || (other->whole && (proven(other) || other->verified.level == HF_LEVEL_NONE));
        was_proven = was_proven || (other->whole && proven(other));
        count++;
    }
    return (uint64_t)sound << 32 | count << 1 | was_proven;
}

/* The first of those for which most speaks; NULL: none is readable. */
static const struct hf_copy *elect(struct hf_backup *backup)
{
    const struct hf_copy *elected = NULL;
    uint64_t most = 0;

    for (size_t i = 0; i < backup->copy_count; i++) {
        const struct hf_copy *copy = &backup->copies[i];
        uint64_t own = copy->unreadable ? 0 : support(backup, copy);

        if (own > most) {
            elected = copy;
            most = own;
            backup->disputed = false;
        } else if (own == most && elected != NULL && !hf_copy_same(copy, elected)) {
            backup->disputed = true;
        }
    }
    return elected;
}

static void settle(struct hf_backup *backup)
{
    const struct hf_copy *elected = elect(backup);

    for (size_t i = 0; elected != NULL && i < backup->copy_count; i++) {
        struct hf_copy *copy = &backup->copies[i];

        if (copy->unreadable || copy->apart || hf_copy_same(copy, elected))
            continue;
        free(copy->problem);
        copy->problem = hf_strf("its manifest is not that of sink '%s': it is another backup of the same name",
                                elected->sink->name);
        copy->apart = true;
        copy->whole_apart = copy->whole;
        copy->whole = false;
    }
    if (elected != NULL)
        backup->figures = elected->figures;
}

void hf_catalog_settle(struct hf_catalog *catalog)
{
    for (size_t i = 0; i < catalog->count; i++)
        settle(&catalog->backups[i]);
}

void hf_backup_settle(struct hf_backup *backup)
{
    for (size_t i = 0; i < backup->copy_count; i++) {
        struct hf_copy *copy = &backup->copies[i];

        if (!copy->apart)
            continue;
        copy->apart = false;
        copy->whole = copy->whole_apart;
        if (copy->whole) {
            free(copy->problem);
            copy->problem = NULL;
        }
    }
    settle(backup);
}

void hf_backup_distrust(struct hf_backup *backup, const struct hf_copy *bad, const char *why)
{
    for (size_t i = 0; i < backup->copy_count; i++) {
        struct hf_copy *copy = &backup->copies[i];

        if (copy->unreadable || !hf_copy_same(copy, bad))
            continue;
        copy->unreadable = true;
        copy->whole = false;
        free(copy->problem);
        copy->problem = hf_strdup(why);
    }
    hf_backup_settle(backup);
}

size_t hf_backup_copies(const struct hf_backup *backup, struct hf_copy **ret_copies)
{
    struct hf_copy *best = hf_backup_best_copy(backup);
    size_t count = 0;

    for (int value = 5; best != NULL && value >= 0; value--)
        for (size_t i = 0; i < backup->copy_count; i++) {
            struct hf_copy *copy = &backup->copies[i];

            if (!copy->unreadable && worth(copy) == value && hf_copy_same(best, copy))
                ret_copies[count++] = copy;
        }
    return count;
}

struct hf_backup *hf_catalog_newest(const struct hf_catalog *catalog, int64_t at_ms)
{
    for (size_t i = catalog->count; i-- > 0;)
        if (catalog->backups[i].time_ms <= at_ms)
            return &catalog->backups[i];
    return NULL;
}

static int find_latest(struct hf_ctx *ctx, const struct hf_catalog *catalog, int64_t at_ms,
                       struct hf_backup **ret_backup)
{
    char asked[HF_TIME_ISO_SIZE];
    size_t passed = 0;

    for (size_t i = catalog->count; i-- > 0;) {
        struct hf_backup *backup = &catalog->backups[i];

        if (backup->time_ms > at_ms)
            continue;
        if (whole_somewhere(backup)) {
            *ret_backup = backup;
            return HF_OK;
        }
        passed++;
        hf_log(HF_LOG_WARNING, NULL, "backup '%s' is passed over: %s", backup->id,
               backup->copies[0].problem ? backup->copies[0].problem : "it is not whole");
    }
    if (at_ms == INT64_MAX) {
        hf_fail(ctx, HF_E_NOTFOUND, "profile '%s' has no %sbackup", catalog->profile, passed ? "whole " : "");
        return passed ? hf_hint(ctx, "holdfast list %s says what is wrong with the others", catalog->profile)
                      : hf_hint(ctx, "make one with: holdfast backup %s", catalog->profile);
    }
    hf_time_iso(at_ms, asked);
    hf_fail(ctx, HF_E_NOTFOUND, "profile '%s' has no %sbackup from %s or before", catalog->profile,
            passed ? "whole " : "", asked);
    if (catalog->count > 0)
        hf_hint(ctx, "the oldest is '%s'", catalog->backups[0].id);
    return HF_E_NOTFOUND;
}

/* The id's or its time's beginning. */
static bool begins(const struct hf_catalog *catalog, const struct hf_backup *backup, const char *name)
{
    return hf_text_starts(backup->id, name) || hf_text_starts(backup->id + strlen(catalog->profile) + 1, name);
}

static int fail_ambiguous(struct hf_ctx *ctx, const struct hf_catalog *catalog, const char *name)
{
    hf_auto_text struct hf_text candidates = {0};
    size_t count = 0;

    for (size_t i = 0; i < catalog->count; i++)
        if (begins(catalog, &catalog->backups[i], name) && count++ < CANDIDATES_SHOWN)
            hf_text_addf(&candidates, "%s'%s'", count > 1 ? ", " : "", catalog->backups[i].id);
    if (count > CANDIDATES_SHOWN)
        hf_text_addf(&candidates, " and %zu more", count - CANDIDATES_SHOWN);
    hf_fail(ctx, HF_E_CONFIG, "'%s' may be any of %s", name, candidates.data);
    return hf_hint(ctx, "give more of the name, or 'latest'");
}

int hf_catalog_find(struct hf_ctx *ctx, const struct hf_catalog *catalog, const char *name, int64_t at_ms,
                    struct hf_backup **ret_backup)
{
    struct hf_backup *found = NULL;

    if (strcmp(name, "latest") == 0)
        return find_latest(ctx, catalog, at_ms, ret_backup);
    for (size_t i = 0; i < catalog->count && *name; i++) {
        if (!begins(catalog, &catalog->backups[i], name))
            continue;
        if (strcmp(catalog->backups[i].id, name) == 0) {
            *ret_backup = &catalog->backups[i];
            return HF_OK;
        }
        if (found != NULL)
            return fail_ambiguous(ctx, catalog, name);
        found = &catalog->backups[i];
    }
    if (found == NULL) {
        hf_fail(ctx, HF_E_NOTFOUND, "profile '%s' has no backup '%s'", catalog->profile, name);
        return hf_hint(ctx, "holdfast list %s shows what there is", catalog->profile);
    }
    *ret_backup = found;
    return HF_OK;
}
