/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of a restore: the schedule by itself on simulated threads, where time is cost, and the crew that follows
 * it.
 */
#include "base/cancel.h"
#include "base/text.h"
#include "pipeline/crew.h"
#include "suites.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PARTS_MAX = 40, ARTIFACTS_MAX = 4, THREADS_MAX = 4 };

/* Parts of each artifact, and when each began and ended in a simulation. */
struct plan {
    struct hf_manifest_artifact artifacts[ARTIFACTS_MAX];
    struct hf_task tasks[PARTS_MAX];
    size_t count;
    uint64_t began[PARTS_MAX], ended[PARTS_MAX];
    uint64_t duration;
};

struct spec {
    int artifact;
    const char *name, *group;
    uint32_t phase;
    uint64_t cost;
};

static void plan_init(struct plan *plan, const struct spec *specs, size_t count)
{
    size_t at = 0;
    memset(plan, 0, sizeof *plan);
    for (size_t i = 0; i < count; i++) {
        struct hf_manifest_part *part = hf_manifest_add_part(&plan->artifacts[specs[i].artifact]);
        part->name = hf_strdup(specs[i].name);
        part->group = specs[i].group ? hf_strdup(specs[i].group) : NULL;
        part->phase = specs[i].phase;
        part->cost = specs[i].cost;
        part->raw_size = 1;
    }
    for (size_t a = 0; a < ARTIFACTS_MAX; a++)
        for (size_t p = 0; p < plan->artifacts[a].part_count; p++)
            plan->tasks[at++] = (struct hf_task){&plan->artifacts[a], &plan->artifacts[a].parts[p]};
    plan->count = at;
}

static void plan_clear(struct plan *plan)
{
    for (size_t a = 0; a < ARTIFACTS_MAX; a++) {
        for (size_t p = 0; p < plan->artifacts[a].part_count; p++) {
            free(plan->artifacts[a].parts[p].name);
            free(plan->artifacts[a].parts[p].group);
        }
        free(plan->artifacts[a].parts);
    }
}

static size_t index_of(const struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->count; i++)
        if (strcmp(plan->tasks[i].part->name, name) == 0)
            return i;
    ck_abort_msg("no part '%s'", name);
    return 0;
}

static size_t index_of_task(const struct plan *plan, const struct hf_task *task)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->tasks[i].part == task->part)
            return i;
    ck_abort_msg("a task that was not given");
    return 0;
}

/* Runs the schedule on threads whose only time is the parts' cost. */
static void simulate(struct plan *plan, int threads)
{
    struct hf_schedule *schedule = hf_schedule_new(plan->tasks, plan->count, threads);
    const struct hf_task *busy[THREADS_MAX] = {NULL};
    uint64_t until[THREADS_MAX] = {0}, now = 0;
    size_t working = 0, finished = 0;
    while (finished < plan->count) {
        for (int t = 0; t < threads; t++) {
            const struct hf_task *task = busy[t] == NULL ? hf_schedule_next(schedule) : NULL;
            if (task == NULL)
                continue;
            size_t at = index_of_task(plan, task);
            ck_assert_uint_eq(plan->ended[at], 0); /* once */
            busy[t] = task;
            plan->began[at] = now;
            until[t] = plan->ended[at] = now + (task->part->cost ? task->part->cost : task->part->raw_size);
            working++;
        }
        ck_assert_msg(working > 0, "%zu parts are left, and none may begin", plan->count - finished);
        int next = -1;
        for (int t = 0; t < threads; t++)
            if (busy[t] != NULL && (next < 0 || until[t] < until[next]))
                next = t;
        now = until[next];
        hf_schedule_done(schedule, busy[next]);
        busy[next] = NULL;
        working--;
        finished++;
    }
    ck_assert_uint_eq(hf_schedule_left(schedule), 0);
    ck_assert_ptr_null(hf_schedule_next(schedule));
    plan->duration = now;
    hf_schedule_free(schedule);
}

static uint64_t begin_of(const struct plan *plan, const char *name)
{
    return plan->began[index_of(plan, name)];
}

static uint64_t end_of(const struct plan *plan, const char *name)
{
    return plan->ended[index_of(plan, name)];
}

static const char *phase_rule(const struct plan *plan, size_t one, size_t other)
{
    const struct hf_manifest_part *a = plan->tasks[one].part, *b = plan->tasks[other].part;
    bool same = strcmp(a->group ? a->group : "", b->group ? b->group : "") == 0;
    if (one == other || plan->tasks[one].artifact != plan->tasks[other].artifact || a->phase > b->phase)
        return NULL;
    if (a->phase == b->phase)
        return (a->phase == 0 || a->phase == 3) && one < other ? "in order" : NULL;
    if (a->phase == 0)
        return "after phase 0";
    if (b->phase == 3)
        return "phase 3 last";
    return same || !b->group || !*b->group ? "after its group's data" : NULL;
}

/* Every rule about what waits for what. */
static void check_rules(const struct plan *plan)
{
    for (size_t a = 0; a < plan->count; a++)
        for (size_t b = 0; b < plan->count; b++) {
            const char *rule = phase_rule(plan, a, b);
            ck_assert_msg(rule == NULL || plan->ended[a] <= plan->began[b], "%s: '%s' and '%s'", rule,
                          plan->tasks[a].part->name, plan->tasks[b].part->name);
        }
}

START_TEST(the_longest_index_overlaps_the_other_tables)
{
    static const struct spec specs[] = {
        {0, "schema", "", 0, 1},        {0, "small-1", "small", 1, 40}, {0, "mid-1", "mid", 1, 60},
        {0, "mid-2", "mid", 1, 60},     {0, "big-1", "big", 1, 30},     {0, "big-2", "big", 1, 30},
        {0, "mid-pk", "mid", 2, 20},    {0, "big-pk", "big", 2, 15},    {0, "big-gin", "big", 2, 190},
        {0, "small-pk", "small", 2, 5}, {0, "fk-1", "", 3, 3},          {0, "fk-2", "", 3, 3},
    };
    struct plan plan;
    plan_init(&plan, specs, HF_COUNT(specs));
    simulate(&plan, 2);
    check_rules(&plan);
    ck_assert_uint_eq(begin_of(&plan, "big-1"), 1);
    ck_assert_uint_eq(begin_of(&plan, "big-2"), 1);
    ck_assert_uint_eq(begin_of(&plan, "big-gin"), 31); /* while these are still to come: */
    ck_assert_uint_ge(begin_of(&plan, "mid-1"), 31);
    ck_assert_uint_ge(begin_of(&plan, "small-1"), 31);
    ck_assert_uint_le(plan.duration, 31 + 220 + 6); /* nobody waits for long */
    plan_clear(&plan);
}
END_TEST

START_TEST(phase_2_without_a_group_waits_for_all_data)
{
    static const struct spec specs[] = {
        {0, "a-1", "a", 1, 10}, {0, "b-1", "b", 1, 100}, {0, "none-1", NULL, 1, 20},
        {0, "a-2", "a", 2, 10}, {0, "loose", "", 2, 10}, {0, "end", "", 3, 1},
    };
    struct plan plan;
    plan_init(&plan, specs, HF_COUNT(specs));
    simulate(&plan, 2);
    check_rules(&plan);
    ck_assert_uint_lt(end_of(&plan, "a-2"), end_of(&plan, "b-1"));
    ck_assert_uint_ge(begin_of(&plan, "loose"), 100);
    plan_clear(&plan);
}
END_TEST

START_TEST(groups_with_one_phase_only)
{
    static const struct spec specs[] = {
        {0, "only-2", "x", 2, 5},      {0, "only-1", "y", 1, 7},   {0, "z-2", "z", 2, 3},
        {1, "nothing-else", "", 3, 1}, {2, "just-zero", "", 0, 1}, {3, "loose-only", "", 2, 1},
    };
    struct plan plan;
    for (int threads = 1; threads <= THREADS_MAX; threads++) {
        plan_init(&plan, specs, HF_COUNT(specs));
        simulate(&plan, threads);
        check_rules(&plan);
        plan_clear(&plan);
    }
    plan_init(&plan, NULL, 0);
    simulate(&plan, 2);
    plan_clear(&plan);
}
END_TEST

/* One artifact's schema does not wait for another's, nor its end. */
START_TEST(artifacts_do_not_wait_for_each_other)
{
    static const struct spec specs[] = {
        {0, "a0", "", 0, 10}, {0, "a1", "", 1, 10},  {0, "a3", "", 3, 10}, {0, "a3b", "", 3, 10},
        {1, "b0", "", 0, 10}, {1, "b1", "", 1, 100}, {1, "b3", "", 3, 10},
    };
    struct plan plan;
    plan_init(&plan, specs, HF_COUNT(specs));
    simulate(&plan, 2);
    check_rules(&plan);
    ck_assert_uint_eq(begin_of(&plan, "b0"), 0);
    ck_assert_uint_lt(end_of(&plan, "a3b"), end_of(&plan, "b1"));
    plan_clear(&plan);
}
END_TEST

/* Without costs a part's size counts, and equal ones keep their order. */
START_TEST(sizes_and_ties)
{
    static const struct spec specs[] = {
        {0, "one", "", 1, 0}, {0, "two", "", 1, 0}, {0, "three", "", 1, 0}, {0, "four", "", 1, 0}};
    struct plan plan;
    plan_init(&plan, specs, HF_COUNT(specs));
    plan.artifacts[0].parts[2].raw_size = 9;
    simulate(&plan, 1);
    ck_assert_uint_eq(begin_of(&plan, "three"), 0);
    ck_assert_uint_eq(begin_of(&plan, "one"), 9);
    ck_assert_uint_eq(begin_of(&plan, "two"), 10);
    ck_assert_uint_eq(begin_of(&plan, "four"), 11);
    plan_clear(&plan);
}
END_TEST

START_TEST(costs_beyond_all_sums)
{
    static const struct spec specs[] = {
        {0, "a", "g", 1, INT64_MAX}, {0, "b", "g", 1, INT64_MAX}, {0, "c", "g", 1, INT64_MAX},
        {0, "d", "g", 2, INT64_MAX}, {0, "e", "", 2, INT64_MAX},
    };
    struct plan plan;
    plan_init(&plan, specs, HF_COUNT(specs));
    struct hf_schedule *schedule = hf_schedule_new(plan.tasks, plan.count, 3);
    for (size_t i = 0; i < plan.count; i++) {
        const struct hf_task *task = hf_schedule_next(schedule);
        ck_assert_ptr_nonnull(task);
        hf_schedule_done(schedule, task);
    }
    ck_assert_uint_eq(hf_schedule_left(schedule), 0);
    hf_schedule_free(schedule);
    plan_clear(&plan);
}
END_TEST

/* Whatever the plan: the rules hold, everything is done, and no time is lost beyond what a greedy order may lose. */
START_TEST(any_plan)
{
    static const char *const groups[] = {"", "a", "b", "c"};
    char names[PARTS_MAX][8];
    struct spec specs[PARTS_MAX];
    srand((unsigned)_i);
    size_t count = 1 + (size_t)rand() % PARTS_MAX;
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "p%zu", i);
        specs[i] = (struct spec){rand() % ARTIFACTS_MAX, names[i], groups[rand() % 4], (uint32_t)rand() % 4,
                                 1 + (uint64_t)rand() % 50};
    }
    struct plan plan;
    plan_init(&plan, specs, count);
    simulate(&plan, 1 + _i % THREADS_MAX);
    check_rules(&plan);
    plan_clear(&plan);
}
END_TEST

/* As a database with 10 000 tables has them. Processor time, with room for sanitizers. */
START_TEST(many_parts)
{
    enum { TABLES = 100000 };
    struct hf_manifest_artifact artifact = {0};
    hf_auto_free struct hf_task *tasks = hf_alloc_array(2 * TABLES, sizeof *tasks);
    hf_auto_free char *names = hf_alloc_array(TABLES, 16);
    for (size_t i = 0; i < 2 * TABLES; i++) {
        struct hf_manifest_part *part = hf_manifest_add_part(&artifact);
        char *group = names + 16 * (i % TABLES);
        snprintf(group, 16, "t%zu", i % TABLES);
        part->group = group;
        part->phase = i < TABLES ? 1 : 2;
        part->raw_size = i * 7919 % 1000;
    }
    for (size_t i = 0; i < 2 * TABLES; i++)
        tasks[i] = (struct hf_task){&artifact, &artifact.parts[i]};
    clock_t start = clock();
    struct hf_schedule *schedule = hf_schedule_new(tasks, 2 * TABLES, 2);
    const struct hf_task *busy[8] = {NULL};
    for (size_t i = 0; hf_schedule_left(schedule) > 0; i++) {
        if (busy[i % 8] != NULL)
            hf_schedule_done(schedule, busy[i % 8]);
        busy[i % 8] = hf_schedule_next(schedule);
    }
    hf_schedule_free(schedule);
    ck_assert_int_lt((clock() - start) / CLOCKS_PER_SEC, 10); /* 0.1 s here */
    free(artifact.parts);
}
END_TEST

/* --- the crew --- */

struct record {
    pthread_mutex_t lock;
    struct plan plan;
    const char *fail; /* the part that does */
    size_t begun;
    int running, most;
    uint64_t clock;
};

static int record_work(void *arg, struct hf_ctx *ctx, const struct hf_task *task)
{
    struct record *record = arg;
    size_t at = index_of_task(&record->plan, task);
    pthread_mutex_lock(&record->lock);
    record->plan.began[at] = ++record->clock;
    record->begun++;
    if (++record->running > record->most)
        record->most = record->running;
    pthread_mutex_unlock(&record->lock);
    poll(NULL, 0, (int)(task->part->cost % 5));
    pthread_mutex_lock(&record->lock);
    record->plan.ended[at] = ++record->clock;
    record->running--;
    pthread_mutex_unlock(&record->lock);
    return record->fail != NULL && strcmp(task->part->name, record->fail) == 0 ? hf_fail(ctx, HF_E_IO, "made to fail")
                                                                               : HF_OK;
}

static int run_crew(struct record *record, struct hf_ctx *ctx, int threads, struct hf_cancel *cancel)
{
    struct hf_crew crew = {.tasks = record->plan.tasks,
                           .count = record->plan.count,
                           .threads = threads,
                           .phased = true,
                           .cancel = cancel,
                           .work = record_work,
                           .arg = record};
    pthread_mutex_init(&record->lock, NULL);
    int rc = hf_crew_run(&crew, ctx);
    pthread_mutex_destroy(&record->lock);
    return rc;
}

static const struct spec database[] = {
    {0, "schema", "", 0, 1}, {0, "types", "", 0, 2},  {0, "a-1", "a", 1, 9},  {0, "a-2", "a", 1, 8},
    {0, "b-1", "b", 1, 4},   {0, "c-1", "c", 1, 3},   {0, "a-pk", "a", 2, 3}, {0, "a-gin", "a", 2, 49},
    {0, "b-pk", "b", 2, 2},  {0, "view", "", 2, 1},   {0, "fk", "", 3, 1},    {0, "end", "", 3, 1},
    {1, "roles", "", 0, 1},  {1, "spaces", "", 0, 1},
};

START_TEST(a_crew_keeps_the_rules)
{
    struct record record = {0};
    struct hf_ctx ctx = {0};
    plan_init(&record.plan, database, HF_COUNT(database));
    ck_assert_int_eq(run_crew(&record, &ctx, 1 + _i % THREADS_MAX, NULL), HF_OK);
    ck_assert_uint_eq(record.begun, HF_COUNT(database));
    ck_assert_int_le(record.most, 1 + _i % THREADS_MAX);
    check_rules(&record.plan);
    plan_clear(&record.plan);
}
END_TEST

START_TEST(a_failure_stops_it)
{
    struct record record = {.fail = "a-1"};
    struct hf_ctx ctx = {0};
    plan_init(&record.plan, database, HF_COUNT(database));
    ck_assert_int_eq(run_crew(&record, &ctx, 2, NULL), HF_E_IO);
    ck_assert_str_eq(ctx.error.text, "made to fail");
    ck_assert_uint_eq(begin_of(&record.plan, "a-pk"), 0);
    ck_assert_uint_eq(begin_of(&record.plan, "fk"), 0);
    hf_error_clear(&ctx.error);
    plan_clear(&record.plan);
}
END_TEST

START_TEST(a_stopped_run_begins_nothing)
{
    struct record record = {0};
    struct hf_ctx ctx = {0};
    struct hf_cancel cancel;
    ck_assert_int_eq(hf_cancel_init(&cancel, &ctx), HF_OK);
    hf_cancel_raise(&cancel, HF_CANCEL_SIGNAL);
    plan_init(&record.plan, database, HF_COUNT(database));
    ck_assert_int_eq(run_crew(&record, &ctx, 2, &cancel), HF_E_CANCELLED);
    ck_assert_uint_eq(record.begun, 0);
    hf_error_clear(&ctx.error);
    hf_cancel_clear(&cancel);
    plan_clear(&record.plan);
}
END_TEST

Suite *suite_schedule(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tests = tcase_create("schedule");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, the_longest_index_overlaps_the_other_tables);
    tcase_add_test(tests, phase_2_without_a_group_waits_for_all_data);
    tcase_add_test(tests, groups_with_one_phase_only);
    tcase_add_test(tests, artifacts_do_not_wait_for_each_other);
    tcase_add_test(tests, sizes_and_ties);
    tcase_add_test(tests, costs_beyond_all_sums);
    tcase_add_loop_test(tests, any_plan, 0, 200);
    tcase_add_test(tests, many_parts);
    tcase_add_loop_test(tests, a_crew_keeps_the_rules, 0, 8);
    tcase_add_test(tests, a_failure_stops_it);
    tcase_add_test(tests, a_stopped_run_begins_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
