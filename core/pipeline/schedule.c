/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/schedule.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

struct chain;
struct course;

struct node {
    struct hf_task task; /* first: what is handed out is its address */
    size_t order;        /* as the tasks were given                  */
    uint64_t cost;
    struct course *course;
    struct chain *chain; /* NULL: phases 0 and 3, and phase 2 without a group */
};

/* Nodes that follow each other in the sorted array. */
struct run {
    struct node *at, *end;
};

/* A group; or one part of phase 1 that has none. */
struct chain {
    struct run data, indexes; /* phases 1 and 2, the costliest first; data.at: the next to begin */
    size_t undone;            /* of phase 1                                                      */
    uint64_t unbegun;         /* cost of phase 1                                                 */
};

/* One artifact. */
struct course {
    struct run first, last, loose; /* phase 0; phase 3; phase 2 without a group. first.at, last.at: the next to begin */
    struct chain *chains;
    size_t chain_count;
    size_t data_undone, middle_undone; /* of phase 1; of phases 1 and 2 */
};

/* What may begin: the next part of a chain's phase 1, or a part of phase 2. */
struct entry {
    uint64_t way;
    size_t order;
    struct chain *chain; /* NULL: node */
    struct node *node;
};

struct hf_schedule {
    struct node *nodes;
    struct chain *chains;
    struct course *courses;
    size_t count, left, course_count, chain_count;
    unsigned threads;
    struct entry *heap; /* the longest way on top */
    size_t heap_count;
    struct node **serial; /* of phases 0 and 3 that may begin: a queue */
    size_t serial_at, serial_end;
};

static uint64_t add(uint64_t a, uint64_t b)
{
    uint64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* --- the heap --- */

static bool before(const struct entry *a, const struct entry *b)
{
    return a->way != b->way ? a->way > b->way : a->order < b->order;
}

static void swap(struct entry *a, struct entry *b)
{
    struct entry kept = *a;

    *a = *b;
    *b = kept;
}

static void push(struct hf_schedule *self, struct entry entry)
{
    size_t at = self->heap_count++;

    self->heap[at] = entry;
    for (; at > 0 && before(&self->heap[at], &self->heap[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&self->heap[at], &self->heap[(at - 1) / 2]);
}

/* The top became less. */
static void sink_top(struct hf_schedule *self)
{
    size_t at = 0;

    for (;;) {
        size_t first = 2 * at + 1;

        if (first >= self->heap_count)
            return;
        if (first + 1 < self->heap_count && before(&self->heap[first + 1], &self->heap[first]))
            first++;
        if (!before(&self->heap[first], &self->heap[at]))
            return;
        swap(&self->heap[at], &self->heap[first]);
        at = first;
    }
}

static void drop_top(struct hf_schedule *self)
{
    self->heap[0] = self->heap[--self->heap_count];
    sink_top(self);
}

/* --- what may begin --- */

/* The first of a run is its costliest. */
static uint64_t costliest(struct run run)
{
    return run.at < run.end ? run.at->cost : 0;
}

static struct entry entry_of_chain(const struct hf_schedule *self, struct chain *chain)
{
    const struct node *next = chain->data.at;
    uint64_t shared = chain->unbegun / self->threads, behind = costliest(chain->indexes);
    uint64_t loose = costliest(next->course->loose);

    return (struct entry){.way = add(next->cost > shared ? next->cost : shared, behind > loose ? behind : loose),
                          .order = next->order,
                          .chain = chain};
}

static void push_nodes(struct hf_schedule *self, struct run run)
{
    for (; run.at < run.end; run.at++)
        push(self, (struct entry){.way = run.at->cost, .order = run.at->order, .node = run.at});
}

static void queue_serial(struct hf_schedule *self, struct run *run)
{
    if (run->at < run->end)
        self->serial[self->serial_end++] = run->at++;
}

/* Phase 0 of the artifact is done. */
static void open_middle(struct hf_schedule *self, struct course *course)
{
    for (size_t i = 0; i < course->chain_count; i++) {
        struct chain *chain = &course->chains[i];

        if (chain->undone > 0)
            push(self, entry_of_chain(self, chain));
        else
            push_nodes(self, chain->indexes);
    }
    if (course->data_undone == 0)
        push_nodes(self, course->loose);
    if (course->middle_undone == 0)
        queue_serial(self, &course->last);
}

size_t hf_schedule_left(const struct hf_schedule *self)
{
    return self->left;
}

static const struct hf_task *hand_out(struct hf_schedule *self, struct node *node)
{
    self->left--;
    return &node->task;
}

const struct hf_task *hf_schedule_next(struct hf_schedule *self)
{
    struct chain *chain;
    struct node *node;

    /* These are rows of which only one may run: no time is to be lost. */
    if (self->serial_at < self->serial_end)
        return hand_out(self, self->serial[self->serial_at++]);
    if (self->heap_count == 0)
        return NULL;
    chain = self->heap[0].chain;
    if (chain == NULL) {
        node = self->heap[0].node;
        drop_top(self);
        return hand_out(self, node);
    }
    node = chain->data.at++;
    chain->unbegun = chain->unbegun > node->cost ? chain->unbegun - node->cost : 0;
    if (chain->data.at < chain->data.end) {
        self->heap[0] = entry_of_chain(self, chain);
        sink_top(self);
    } else {
        drop_top(self);
    }
    return hand_out(self, node);
}

static void data_done(struct hf_schedule *self, struct node *node)
{
    if (--node->chain->undone == 0)
        push_nodes(self, node->chain->indexes);
    if (--node->course->data_undone == 0)
        push_nodes(self, node->course->loose);
}

void hf_schedule_done(struct hf_schedule *self, const struct hf_task *task)
{
    struct node *node = (struct node *)(uintptr_t)task;
    struct course *course = node->course;

    assert(node >= self->nodes && node < self->nodes + self->count);
    switch (task->part->phase) {
    case 0:
        if (course->first.at < course->first.end)
            queue_serial(self, &course->first);
        else
            open_middle(self, course);
        return;
    case 1:
        data_done(self, node);
        break;
    case 2:
        break;
    default:
        queue_serial(self, &course->last);
        return;
    }
    if (--course->middle_undone == 0)
        queue_serial(self, &course->last);
}

/* --- making one --- */

static const char *group_of(const struct node *node)
{
    return node->task.part->group ? node->task.part->group : "";
}

/* 0: before, 1: between, 2: after. */
static int section_of(const struct node *node)
{
    return node->task.part->phase == 0 ? 0 : node->task.part->phase < 3 ? 1 : 2;
}

static int compare(const void *a, const void *b)
{
    const struct node *x = a, *y = b;
    int order;

    if (x->task.artifact != y->task.artifact) /* the manifest's are one array */
        return x->task.artifact < y->task.artifact ? -1 : 1;
    order = section_of(x) - section_of(y);
    if (order == 0 && section_of(x) == 1) {
        order = strcmp(group_of(x), group_of(y));
        if (order == 0)
            order = (int)x->task.part->phase - (int)y->task.part->phase;
        if (order == 0 && x->cost != y->cost)
            order = x->cost > y->cost ? -1 : 1;
    }
    return order != 0 ? order : x->order < y->order ? -1 : x->order > y->order;
}

/* Takes the node at `node`, which the run's end has reached, into the run. */
static void extend(struct run *run, struct node *node)
{
    if (run->end == NULL)
        run->at = node;
    run->end = node + 1;
}

static struct chain *chain_for(struct hf_schedule *self, struct course *course, const struct node *node)
{
    const struct node *last = node > self->nodes ? node - 1 : NULL;

    /* Sorted: whoever shares the group stands next to it. */
    if (last != NULL && last->course == course && last->chain != NULL && *group_of(node) &&
        strcmp(group_of(last), group_of(node)) == 0)
        return last->chain;
    if (course->chain_count++ == 0)
        course->chains = &self->chains[self->chain_count];
    return &self->chains[self->chain_count++];
}

static void enter(struct hf_schedule *self, struct course *course, struct node *node)
{
    uint32_t phase = node->task.part->phase;

    node->course = course;
    if (phase == 0 || phase >= 3) {
        extend(phase == 0 ? &course->first : &course->last, node);
        return;
    }
    course->middle_undone++;
    if (phase == 2 && *group_of(node) == '\0') {
        extend(&course->loose, node);
        return;
    }
    node->chain = chain_for(self, course, node);
    extend(phase == 1 ? &node->chain->data : &node->chain->indexes, node);
    if (phase == 1) {
        node->chain->undone++;
        node->chain->unbegun = add(node->chain->unbegun, node->cost);
        course->data_undone++;
    }
}

struct hf_schedule *hf_schedule_new(const struct hf_task *tasks, size_t count, int threads)
{
    struct hf_schedule *self = hf_alloc(sizeof(*self));

    self->count = self->left = count;
    self->threads = threads > 0 ? (unsigned)threads : 1;
    self->nodes = hf_alloc_array(count, sizeof(*self->nodes));
    self->chains = hf_alloc_array(count, sizeof(*self->chains));
    self->courses = hf_alloc_array(count, sizeof(*self->courses));
    self->heap = hf_alloc_array(count, sizeof(*self->heap));
    self->serial = hf_alloc_array(count, sizeof(struct node *));
    for (size_t i = 0; i < count; i++)
        self->nodes[i] = (struct node){
            .task = tasks[i], .order = i, .cost = tasks[i].part->cost ? tasks[i].part->cost : tasks[i].part->raw_size};
    if (count > 1)
        qsort(self->nodes, count, sizeof(*self->nodes), compare);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || self->nodes[i].task.artifact != self->nodes[i - 1].task.artifact)
            self->course_count++;
        enter(self, &self->courses[self->course_count - 1], &self->nodes[i]);
    }
    for (size_t i = 0; i < self->course_count; i++) {
        struct course *course = &self->courses[i];

        if (course->first.at < course->first.end)
            queue_serial(self, &course->first);
        else
            open_middle(self, course);
    }
    return self;
}

void hf_schedule_free(struct hf_schedule *self)
{
    if (self == NULL)
        return;
    free(self->nodes);
    free(self->chains);
    free(self->courses);
    free(self->heap);
    free(self->serial);
    free(self);
}
