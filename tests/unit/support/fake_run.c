/* SPDX-License-Identifier: Apache-2.0
 *
 * Drivers: run a source as the core does, with parts in memory.
 */
#include <stdlib.h>
#include <string.h>

#include "fake_internal.h"

enum action { BACKUP, VERIFY, RESTORE };

#define QUEUE_LENGTH 4 /* how far next_part runs ahead of the parts that are done */

struct run {
    struct fake *fake;
    const struct hf_source *source;
    void *session;
    enum action action;
    pthread_mutex_t lock; /* of next, result and listed */
    pthread_cond_t changed;
    size_t next;   /* the next part to be worked on */
    bool complete; /* no more parts will be listed */
    int result;    /* the first failure */
};

static void part_free(struct fake_part *part)
{
    free(part->artifact);
    free(part->name);
    free(part->group);
    free(part->suffix);
    free(part->data);
    free(part);
}

void fake_parts_clear(struct fake *fake)
{
    for (size_t i = 0; i < fake->part_count; i++)
        part_free(fake->parts[i]);
    free(fake->parts);
    fake->parts = NULL;
    fake->part_count = 0;
}

static struct hf_part as_part(const struct fake_part *part, enum action action)
{
    bool backup = action == BACKUP;
    return (struct hf_part){.size = sizeof(struct hf_part),
                            .phase = part->phase,
                            .artifact = part->artifact,
                            .name = part->name,
                            .group = part->group,
                            .suffix = part->suffix,
                            .cookie = backup ? part->cookie : NULL,
                            .raw_offset = backup ? 0 : part->raw_offset,
                            .raw_size = backup ? 0 : part->used};
}

static int work_on(struct run *run, struct fake_part *fake_part)
{
    struct hf_part part = as_part(fake_part, run->action);
    struct hf_ctx *ctx = fake_ctx(run->fake);
    if (run->action == BACKUP) {
        struct hf_writer writer = {.fake = run->fake, .part = fake_part};
        int result = run->source->backup_part(run->session, ctx, &part, &writer);
        free(writer.space);
        return result;
    }
    struct hf_reader reader = {.fake = run->fake, .data = fake_part->data, .size = fake_part->used};
    if (run->action == VERIFY)
        return run->source->verify_part(run->session, ctx, &part, &reader);
    return run->source->restore_part(run->session, ctx, &part, &reader);
}

static void set_result(struct run *run, int result)
{
    if (result < 0 && run->result == HF_OK)
        run->result = result;
}

static void *work(void *arg)
{
    struct run *run = arg;
    pthread_mutex_lock(&run->lock);
    for (;;) {
        while (run->result == HF_OK && !run->complete && run->next >= run->fake->part_count)
            pthread_cond_wait(&run->changed, &run->lock);
        if (run->result != HF_OK || run->next >= run->fake->part_count)
            break;
        struct fake_part *part = run->fake->parts[run->next++];
        pthread_cond_broadcast(&run->changed);
        if (part->left_out)
            continue;
        pthread_mutex_unlock(&run->lock);
        int result = work_on(run, part);
        pthread_mutex_lock(&run->lock);
        set_result(run, result);
        pthread_cond_broadcast(&run->changed);
    }
    pthread_mutex_unlock(&run->lock);
    return NULL;
}

static void add_part(struct fake *fake, const struct hf_part *part)
{
    struct fake_part *copy = fake_alloc(NULL, sizeof(*copy));
    *copy = (struct fake_part){.artifact = fake_dup(part->artifact),
                               .name = fake_dup(part->name),
                               .group = fake_dup(part->group),
                               .suffix = fake_dup(part->suffix),
                               .phase = part->phase,
                               .cookie = part->cookie};
    fake->parts = fake_alloc(fake->parts, (fake->part_count + 1) * sizeof(struct fake_part *));
    fake->parts[fake->part_count++] = copy;
}

static void list_parts(struct run *run)
{
    for (;;) {
        pthread_mutex_lock(&run->lock);
        while (run->result == HF_OK && run->fake->part_count >= run->next + QUEUE_LENGTH)
            pthread_cond_wait(&run->changed, &run->lock);
        int stop = run->result != HF_OK;
        pthread_mutex_unlock(&run->lock);
        struct hf_part part = {.size = sizeof(part)};
        int result = stop ? HF_END : run->source->next_part(run->session, fake_ctx(run->fake), &part);
        pthread_mutex_lock(&run->lock);
        if (result == HF_OK)
            add_part(run->fake, &part);
        else
            run->complete = true;
        set_result(run, result);
        pthread_cond_broadcast(&run->changed);
        pthread_mutex_unlock(&run->lock);
        if (result != HF_OK)
            return;
    }
}

static int run_parts(struct run *run, unsigned threads)
{
    pthread_t workers[16];
    assert(threads >= 1 && threads <= 16);
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->changed, NULL);
    run->complete = run->action != BACKUP;
    for (unsigned i = 0; i < threads; i++) {
        if (pthread_create(&workers[i], NULL, work, run) != 0)
            abort();
    }
    if (run->action == BACKUP)
        list_parts(run);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(workers[i], NULL);
    pthread_mutex_destroy(&run->lock);
    pthread_cond_destroy(&run->changed);
    return run->result;
}

static void set_offsets(struct fake *fake)
{
    for (size_t i = 0; i < fake->part_count; i++) {
        const struct fake_part *before = i ? fake->parts[i - 1] : NULL;
        bool same = before && !strcmp(before->artifact, fake->parts[i]->artifact);
        fake->parts[i]->raw_offset = same ? before->raw_offset + before->used : 0;
    }
}

static void record(struct fake_pairs *recorded, const struct fake_pairs *reported)
{
    fake_pairs_clear(recorded);
    for (size_t i = 0; i < reported->count; i++)
        fake_pairs_set(recorded, reported->items[i].key, reported->items[i].value);
}

int fake_backup(struct fake *fake, const struct hf_source *source, void *self, unsigned threads)
{
    fake_parts_clear(fake);
    struct run run = {.fake = fake, .source = source, .action = BACKUP};
    int result = source->begin(self, fake_ctx(fake), &run.session);
    if (result < 0)
        return result;
    result = run_parts(&run, threads);
    int ended = source->end(run.session, fake_ctx(fake), result);
    if (result < 0 || ended < 0)
        return result < 0 ? result : ended;
    set_offsets(fake);
    record(&fake->recorded_facts, &fake->facts);
    record(&fake->recorded_contexts, &fake->contexts);
    return ended;
}

int fake_verify(struct fake *fake, const struct hf_source *source, void *self, unsigned threads)
{
    struct run run = {.fake = fake, .source = source, .action = VERIFY};
    int result = source->verify_begin ? source->verify_begin(self, fake_ctx(fake), &run.session) : HF_OK;
    if (result < 0)
        return result;
    for (size_t i = 0; i < fake->part_count; i++)
        fake->parts[i]->left_out = false;
    result = run_parts(&run, threads);
    int ended = source->verify_end ? source->verify_end(run.session, fake_ctx(fake), result) : HF_OK;
    if (result < 0 || ended < 0)
        return result < 0 ? result : ended;
    return fake_worst(fake) >= HF_ERROR || !fake_facts_agree(fake) ? HF_E_CORRUPT : HF_OK;
}

int fake_restore(struct fake *fake, const struct hf_source *source, void *self,
                 const struct hf_restore_request *request, unsigned threads)
{
    struct run run = {.fake = fake, .source = source, .action = RESTORE};
    int result = source->restore_begin(self, fake_ctx(fake), request, &run.session);
    if (result < 0)
        return result;
    for (size_t i = 0; i < fake->part_count && result >= 0; i++) {
        struct hf_part part = as_part(fake->parts[i], RESTORE);
        result = source->restore_select ? source->restore_select(run.session, fake_ctx(fake), &part) : 1;
        fake->parts[i]->left_out = result == 0;
    }
    if (result >= 0)
        result = run_parts(&run, threads);
    int ended = source->restore_end(run.session, fake_ctx(fake), result < 0 ? result : HF_OK);
    return result < 0 ? result : ended;
}

int fake_restore_whole(struct fake *fake, const struct hf_source *source, void *self,
                       const struct hf_restore_request *request, const char *artifact)
{
    size_t size = 0;
    unsigned char *data = fake_artifact(fake, artifact, &size);
    assert(data);
    struct fake_pairs facts = fake->recorded_facts, contexts = fake->recorded_contexts;
    fake->recorded_facts = fake->recorded_contexts = (struct fake_pairs){0};
    void *session = NULL;
    int result = source->restore_begin(self, fake_ctx(fake), request, &session);
    if (result >= 0) {
        struct hf_part part = {.size = sizeof(part),
                               .artifact = "",
                               .name = "whole",
                               .group = "",
                               .raw_size = UINT64_MAX,
                               .flags = HF_PART_WHOLE};
        struct hf_reader reader = {.fake = fake, .data = data, .size = size};
        int taken = source->restore_select ? source->restore_select(session, fake_ctx(fake), &part) : 1;
        result = taken > 0 ? source->restore_part(session, fake_ctx(fake), &part, &reader) : taken;
        int ended = source->restore_end(session, fake_ctx(fake), result < 0 ? result : HF_OK);
        result = result < 0 ? result : ended;
    }
    fake->recorded_facts = facts;
    fake->recorded_contexts = contexts;
    free(data);
    return result;
}

unsigned char *fake_artifact(struct fake *fake, const char *artifact, size_t *ret_size)
{
    unsigned char *all = NULL;
    size_t size = 0;
    for (size_t i = 0; i < fake->part_count; i++) {
        const struct fake_part *part = fake->parts[i];
        if (strcmp(part->artifact, artifact) != 0)
            continue;
        all = fake_alloc(all, size + part->used);
        if (part->used)
            memcpy(all + size, part->data, part->used);
        size += part->used;
    }
    *ret_size = size;
    return all;
}

const struct fake_part *fake_part(struct fake *fake, const char *artifact, const char *name)
{
    for (size_t i = 0; i < fake->part_count; i++) {
        if (!strcmp(fake->parts[i]->artifact, artifact) && !strcmp(fake->parts[i]->name, name))
            return fake->parts[i];
    }
    return NULL;
}
