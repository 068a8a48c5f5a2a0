/* SPDX-License-Identifier: Apache-2.0
 *
 * What is to become of each backup: what the target has whole already is left alone, so that a copying which was
 * interrupted goes on where it was.
 */
#include "ops/copying.h"

#include "catalog/retention.h"

#include <string.h>

static bool found_damaged(const struct hf_copy *copy)
{
    return copy->verified.level != HF_LEVEL_NONE && !copy->verified.whole;
}

const struct hf_copy *hf_copying_source(const struct hf_copying *self, const struct hf_backup *backup,
                                        const struct hf_copy *but)
{
    const struct hf_copy *best = NULL;

    for (size_t i = 0; i < backup->copy_count; i++) {
        const struct hf_copy *copy = &backup->copies[i];

        if (copy->sink == self->to || !copy->whole || copy == but)
            continue;
        if (best == NULL || (found_damaged(best) && !found_damaged(copy)))
            best = copy;
    }
    return best;
}

static const struct hf_copy *find_there(const struct hf_copying *self, const char *id)
{
    for (size_t i = 0; i < self->target->count; i++)
        if (strcmp(self->target->backups[i].id, id) == 0)
            return self->target->backups[i].copies;
    return NULL;
}

void hf_copy_decide(struct hf_copy_item *item, const char *outcome, int exit, const char *reason)
{
    item->outcome = outcome;
    item->exit = exit;
    item->reason = hf_strdup(reason);
}

void hf_copy_decide_in_the_way(struct hf_copy_item *item, const char *reason, bool another)
{
    hf_copy_decide(item, "in-the-way", HF_EXIT_REFUSED, reason);
    item->advice = another ? "--replace never touches another backup: look at both, and move the one that is not meant"
                           : "look at it, and if it is damaged: --replace";
}

/* Does a sink to copy from have another backup under this name, and none the one that is there? */
static bool another_is_there(const struct hf_copying *self, const struct hf_backup *backup, const struct hf_copy *there)
{
    bool same = false, other = false;

    for (size_t i = 0; i < backup->copy_count; i++) {
        const struct hf_copy *copy = &backup->copies[i];

        if (copy->sink == self->to || copy->unreadable)
            continue;
        same = same || hf_copy_same(copy, there);
        other = other || !hf_copy_same(copy, there);
    }
    return other && !same;
}

static bool never_checked(const struct hf_copy *copy)
{
    return copy->verified.level == HF_LEVEL_NONE;
}

/* What is to become of one backup. */
static void consider(const struct hf_copying *self, const struct hf_backup *backup, struct hf_copy_item *item)
{
    const struct hf_copy *there = item->there = find_there(self, backup->id);

    item->backup = backup;
    item->source = hf_copying_source(self, backup, NULL);
    if (there != NULL && !there->unreadable && !found_damaged(there) && another_is_there(self, backup, there))
        hf_copy_decide_in_the_way(item, "another backup of the same name is there", true);
    else if (there != NULL && there->whole && !found_damaged(there) &&
             (self->options->dry_run || !never_checked(there)))
        hf_copy_decide(item, "there", HF_EXIT_OK, NULL);
    else if (there != NULL && there->whole && never_checked(there))
        item->todo = item->unproven = true;
    else if (backup->disputed) {
        hf_copy_decide(item, "failed", HF_EXIT_REFUSED, "the sinks hold different backups under this name");
        item->advice = "look at both, and say which one is meant: --from NAME";
    } else if (item->source == NULL)
        hf_copy_decide(item, "failed", HF_EXIT_DAMAGED, "no copy of it to read from is whole");
    else if (item->there != NULL && !self->options->replace)
        hf_copy_decide_in_the_way(item, there->problem ? there->problem : "a copy that was found damaged is there",
                                  false);
    else
        item->todo = true;
}

static bool have_item(const struct hf_copying *self, const char *id)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->items[i].backup->id, id) == 0)
            return true;
    return false;
}

/* Whether the target has it afterwards, as far as can be told: a backup that is damaged where it is, or where it would
 * come from, stands in for no other, as in a prune. */
static bool will_count(const struct hf_copy_item *item)
{
    const struct hf_copy *copy = item->todo && !item->unproven ? item->source : item->there;
    bool comes = item->outcome == NULL ? item->todo : item->exit == HF_EXIT_OK;

    return comes && copy->whole && !found_damaged(copy);
}

/* What the target's own rules would remove at once is not worth copying: else it would come back with every copying. */
static void leave_out_unwanted(struct hf_copying *self)
{
    struct hf_retained *weighed = hf_alloc_array(self->count + self->target->count + 1, sizeof(*weighed));
    struct hf_copy_item **items = hf_alloc_array(self->count + 1, sizeof(struct hf_copy_item *));
    size_t count = 0, own;

    for (size_t i = 0; i < self->count; i++) {
        const struct hf_backup *backup = self->items[i].backup;

        if (!will_count(&self->items[i]))
            continue;
        weighed[count] = (struct hf_retained){.id = backup->id, .time_ms = backup->time_ms, .verified = true};
        items[count++] = &self->items[i];
    }
    own = count;
    for (size_t i = 0; i < self->target->count; i++) {
        const struct hf_backup *backup = &self->target->backups[i];

        if (!have_item(self, backup->id) && backup->copies->whole && !found_damaged(backup->copies))
            weighed[count++] = (struct hf_retained){.id = backup->id, .time_ms = backup->time_ms, .verified = true};
    }
    hf_retention_decide(hf_profile_retention(self->run->profile, self->to->name), hf_time_now_ms(), weighed, count);
    for (size_t i = 0; i < own; i++) {
        if (items[i]->outcome != NULL || items[i]->unproven || !weighed[i].remove)
            continue;
        items[i]->todo = false;
        items[i]->unwanted = true;
        hf_copy_decide(items[i], "unwanted", HF_EXIT_OK, weighed[i].reason);
    }
    free(items);
    free(weighed);
}

static void want_again(struct hf_copy_item *item)
{
    item->todo = true;
    item->outcome = NULL;
    free(hf_steal(item->reason));
}

bool hf_copying_reconsider(struct hf_copying *self)
{
    size_t before = 0, after = 0;
    bool lost = false;

    for (size_t i = 0; i < self->count; i++)
        lost = lost || (self->items[i].todo && self->items[i].exit == HF_EXIT_DAMAGED);
    if (!lost || !self->options->all)
        return false;
    for (size_t i = 0; i < self->count; i++) {
        if (!self->items[i].unwanted)
            continue;
        before++;
        want_again(&self->items[i]);
        self->items[i].unwanted = false;
    }
    leave_out_unwanted(self);
    for (size_t i = 0; i < self->count; i++)
        after += self->items[i].unwanted;
    return after < before;
}

int hf_copying_choose(struct hf_copying *self, struct hf_ctx *ctx)
{
    const struct hf_copy_options *options = self->options;
    struct hf_backup *backup = NULL;

    self->named = options->name != NULL && strcmp(options->name, "latest") != 0;
    if (!options->all &&
        hf_catalog_find(ctx, self->catalog, options->name ? options->name : "latest", options->at_ms, &backup) != HF_OK)
        return ctx->error.code;
    self->items = hf_alloc_array(self->catalog->count + 1, sizeof(*self->items));
    for (size_t i = 0; i < self->catalog->count; i++)
        if (backup == NULL || backup == &self->catalog->backups[i])
            consider(self, &self->catalog->backups[i], &self->items[self->count++]);
    if (options->all)
        leave_out_unwanted(self);
    return HF_OK;
}
