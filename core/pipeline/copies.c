/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/copies.h"

#include "base/memory.h"

#include <assert.h>
#include <pthread.h>

enum { COPIES_MAX = 64 };

struct mark {
    const struct hf_manifest_part *part;
    size_t copy;
    char *why;
};

struct place {
    struct hf_instance *sink;
    struct hf_shelf *shelf;
    char *away; /* why it cannot be asked; NULL: it can */
    bool told;  /* that it is away                      */
};

struct hf_copies {
    const struct hf_chain *chain;
    const struct hf_manifest *manifest;
    struct place places[COPIES_MAX];
    size_t count;
    pthread_mutex_t lock; /* guards the marks, and `away` and `told` of the places */
    struct mark *marks;
    size_t mark_count, mark_room;
};

struct hf_copies *hf_copies_new(const struct hf_chain *chain, const struct hf_manifest *manifest)
{
    struct hf_copies *self = hf_alloc(sizeof(*self));

    self->chain = chain;
    self->manifest = manifest;
    pthread_mutex_init(&self->lock, NULL);
    return self;
}

void hf_copies_free(struct hf_copies *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i < self->count; i++) {
        hf_shelf_free(self->places[i].shelf);
        free(self->places[i].away);
    }
    for (size_t i = 0; i < self->mark_count; i++)
        free(self->marks[i].why);
    free(self->marks);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

void hf_copies_add(struct hf_copies *self, struct hf_instance *sink)
{
    if (self->count == COPIES_MAX)
        return; /* those there are will do */
    self->places[self->count].sink = sink;
    self->places[self->count++].shelf = hf_shelf_new(sink, self->chain, self->manifest);
}

size_t hf_copies_count(const struct hf_copies *self)
{
    return self->count;
}

struct hf_shelf *hf_copies_shelf(const struct hf_copies *self, size_t copy)
{
    return self->places[copy].shelf;
}

struct hf_instance *hf_copies_sink(const struct hf_copies *self, size_t copy)
{
    return self->places[copy].sink;
}

/* With the lock held. */
static const char *why_bad(const struct hf_copies *self, size_t copy, const struct hf_manifest_part *part)
{
    for (size_t i = 0; i < self->mark_count; i++)
        if (self->marks[i].part == part && self->marks[i].copy == copy)
            return self->marks[i].why;
    return NULL;
}

/* With the lock held: why not the first one; *ret_sink: whether that concerns the sink as a whole. */
static char *reason(struct hf_copies *self, const struct hf_manifest_part *part, size_t chosen, bool *ret_sink)
{
    const char *bad;

    *ret_sink = false;
    for (size_t i = 0; i < self->count; i++) {
        if (i == chosen)
            continue;
        bad = why_bad(self, i, part);
        if (bad != NULL)
            return hf_strdup(bad);
        if (i < chosen && self->places[i].away != NULL && !self->places[i].told) {
            self->places[i].told = *ret_sink = true;
            return hf_strdup(self->places[i].away);
        }
    }
    return NULL;
}

size_t hf_copies_choose(struct hf_copies *self, struct hf_ctx *ctx, const struct hf_manifest_artifact *artifact,
                        const struct hf_manifest_part *part, uint64_t tried)
{
    size_t chosen = SIZE_MAX, away = SIZE_MAX;
    hf_auto_free char *why = NULL, *subject = NULL;
    bool sink = false;

    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < self->count && chosen == SIZE_MAX; i++) {
        if (tried & (uint64_t)1 << i || why_bad(self, i, part) != NULL)
            continue;
        if (self->places[i].away == NULL)
            chosen = i;
        else if (away == SIZE_MAX)
            away = i;
    }
    if (chosen == SIZE_MAX)
        chosen = away;
    if (chosen != SIZE_MAX)
        why = reason(self, part, chosen, &sink);
    pthread_mutex_unlock(&self->lock);
    if (why == NULL)
        return chosen;
    subject = sink ? hf_strdup(artifact->key) : hf_strf("%s:%s", artifact->key, part->name);
    hf_services_finding(ctx->services, HF_WARNING, "read-elsewhere", subject, "%sread from sink '%s': %s",
                        sink ? "from here on " : "", self->places[chosen].sink->name, why);
    return chosen;
}

void hf_copies_mark(struct hf_copies *self, size_t copy, const struct hf_manifest_part *part,
                    const struct hf_error *why)
{
    assert(copy < self->count);
    pthread_mutex_lock(&self->lock);
    if (why->code == HF_E_UNREACHABLE) {
        if (self->places[copy].away == NULL)
            self->places[copy].away = hf_strdup(why->text);
    } else if (why_bad(self, copy, part) == NULL) {
        if (self->mark_count == self->mark_room) {
            self->mark_room = self->mark_room ? self->mark_room * 2 : 16;
            self->marks = hf_realloc_array(self->marks, self->mark_room, sizeof(*self->marks));
        }
        self->marks[self->mark_count++] = (struct mark){part, copy, hf_strdup(why->text)};
    }
    pthread_mutex_unlock(&self->lock);
}

void hf_copies_again(struct hf_copies *self)
{
    for (size_t i = 0; i < self->count; i++)
        self->places[i].told = false;
}
