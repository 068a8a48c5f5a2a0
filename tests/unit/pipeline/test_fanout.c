/* SPDX-License-Identifier: Apache-2.0
 *
 * The fan-out: sinks that do not answer, and how many are enough.
 */
#include "base/time.h"
#include "rig.h"
#include "suites.h"

#include <check.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MS = 200 };

static void optional(struct rig *rig, size_t sink)
{
    rig->sinks[sink].instance.required = false;
    rig->sinks[sink].instance.timeout_ms = TIMEOUT_MS;
}

static void some_parts(struct rig *rig)
{
    rig->part_count = 10;
    for (size_t i = 0; i < 10; i++)
        rig->sizes[i] = 1500000; /* more than may wait for one sink */
}

/* Its n-th call waits until it is told to stop: dropped, with nothing left of it, and the others have all. */
START_TEST(one_that_listens_is_dropped)
{
    struct rig rig;
    int64_t began = hf_time_steady_ms();

    rig_init(&rig, 2, _i % 2);
    some_parts(&rig);
    optional(&rig, 1);
    rig.sinks[1].stall_at = 1 + (unsigned)_i * 3;
    rig.sinks[1].stall_ms = 30000;
    ck_assert_int_eq(rig_run(&rig, 2, 2), HF_OK);
    ck_assert_ptr_null(hf_fanout_dropped(rig.fanout, 0));
    ck_assert_ptr_nonnull(hf_fanout_dropped(rig.fanout, 1));
    ck_assert_str_eq(hf_fanout_dropped(rig.fanout, 1)->text, "sink two: no answer for 200ms");
    ck_assert_int_eq(hf_fanout_commit(rig.fanout, &rig.ctx, 0), HF_OK);
    ck_assert_uint_eq(rig.sinks[0].objects[0].size, rig.manifest->artifacts[0].bytes);
    hf_fanout_free(hf_steal(rig.fanout));
    ck_assert(!atomic_load(&rig.sinks[1].instance.lost));
    ck_assert_uint_eq(rig.sinks[1].count, 0);
    ck_assert_ptr_null(rig.sinks[1].open_puts);
    ck_assert_int_lt(hf_time_steady_ms() - began, 10000);
    rig_clear(&rig);
}
END_TEST

/* Nobody waits in it, and it has nothing. */
static bool settled(struct memory_sink *sink)
{
    bool nothing;

    pthread_mutex_lock(&sink->lock);
    nothing = sink->open_puts == NULL && sink->count == 0;
    pthread_mutex_unlock(&sink->lock);
    return nothing && atomic_load(&sink->stalled) == 0;
}

/* It does not even stop when told to: the run ends without it, and what it does later harms nobody. */
START_TEST(one_that_does_not_come_back_is_left_behind)
{
    struct rig *rig = hf_alloc(sizeof(*rig));
    int64_t began = hf_time_steady_ms();

    rig_init(rig, 3, _i % 2);
    some_parts(rig);
    optional(rig, 1);
    rig->sinks[1].stall_at = 1 + (unsigned)_i * 5;
    rig->sinks[1].stall_ms = 60000;
    rig->sinks[1].stubborn = true;
    ck_assert_int_eq(rig_run(rig, 2, 2), HF_OK);
    ck_assert(hf_fanout_stalled(rig->fanout));
    ck_assert_int_eq(hf_fanout_commit(rig->fanout, &rig->ctx, 0), HF_OK);
    ck_assert_int_eq(hf_fanout_commit(rig->fanout, &rig->ctx, 2), HF_OK);
    hf_fanout_free(hf_steal(rig->fanout));
    ck_assert(atomic_load(&rig->sinks[1].instance.lost));
    ck_assert_int_lt(hf_time_steady_ms() - began, 15000);
    ck_assert_uint_eq(rig->sinks[0].objects[0].size, rig->sinks[2].objects[0].size);
    ck_assert_uint_eq(rig->sinks[1].count, 0);
    /* It comes back after all, long after the run. */
    atomic_store(&rig->sinks[1].released, true);
    for (int i = 0; i < 5000 && !settled(&rig->sinks[1]); i++)
        usleep(1000);
    usleep(20000);
    ck_assert(settled(&rig->sinks[1]));
    hf_keep(rig);
}
END_TEST

START_TEST(one_that_is_slow_is_waited_for)
{
    struct rig rig;

    rig_init(&rig, 2, true);
    some_parts(&rig);
    optional(&rig, 1);
    rig.sinks[1].stall_at = 3;
    rig.sinks[1].stall_ms = 5; /* each call */
    ck_assert_int_eq(rig_run(&rig, 2, 2), HF_OK);
    ck_assert_ptr_null(hf_fanout_dropped(rig.fanout, 1));
    ck_assert_int_eq(hf_fanout_commit(rig.fanout, &rig.ctx, 1), HF_OK);
    ck_assert_uint_eq(rig.sinks[1].objects[0].size, rig.manifest->artifacts[0].bytes);
    rig_clear(&rig);
}
END_TEST

START_TEST(a_required_one_has_no_timeout)
{
    struct rig rig;

    rig_init(&rig, 2, true);
    some_parts(&rig);
    rig.sinks[1].stall_at = 5;
    rig.sinks[1].stall_ms = TIMEOUT_MS;
    rig.sizes[0] = 100;
    rig.part_count = 1;
    ck_assert_int_eq(rig_run(&rig, 2, 2), HF_OK);
    ck_assert_ptr_null(hf_fanout_dropped(rig.fanout, 1));
    rig_clear(&rig);
}
END_TEST

/* Of three, `_i` fail. */
START_TEST(as_many_as_the_quorum_are_enough)
{
    struct rig rig;

    rig_init(&rig, 3, true);
    some_parts(&rig);
    rig.quorum = 2;
    for (size_t i = 0; i < 3; i++)
        optional(&rig, i);
    for (int i = 0; i < _i; i++)
        memory_sink_fault(&rig.sinks[i], 3 + 5 * (unsigned)i, MEMORY_FAIL_ONCE);
    if (_i <= 1) {
        ck_assert_int_eq(rig_run(&rig, 2, 2), HF_OK);
        ck_assert_int_eq(hf_fanout_check(rig.fanout, &rig.ctx), HF_OK);
    } else {
        ck_assert_int_eq(rig_run(&rig, 2, 2), HF_E_IO);
        if (_i == 2)
            ck_assert_ptr_nonnull(strstr(rig.ctx.error.text, "1 of 3 sinks are left, and the quorum is 2"));
        for (size_t i = 0; i < 3; i++)
            ck_assert_ptr_null(rig.sinks[i].open_puts);
    }
    rig_clear(&rig);
}
END_TEST

/* One that was given up before is not even begun with. */
START_TEST(one_that_was_given_up_stays_out)
{
    struct rig rig;

    rig_init(&rig, 2, true);
    some_parts(&rig);
    optional(&rig, 1);
    atomic_store(&rig.sinks[1].instance.given_up, true);
    ck_assert_int_eq(rig_run(&rig, 2, 2), HF_OK);
    ck_assert_ptr_nonnull(hf_fanout_dropped(rig.fanout, 1));
    ck_assert_uint_eq(rig.sinks[1].calls, 0);
    rig_clear(&rig);
}
END_TEST

Suite *suite_fanout(void)
{
    Suite *suite = suite_create("fanout");
    TCase *tests = tcase_create("fanout");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, one_that_listens_is_dropped, 0, 6);
    tcase_add_loop_test(tests, one_that_does_not_come_back_is_left_behind, 0, 4);
    tcase_add_test(tests, one_that_is_slow_is_waited_for);
    tcase_add_test(tests, a_required_one_has_no_timeout);
    tcase_add_loop_test(tests, as_many_as_the_quorum_are_enough, 0, 4);
    tcase_add_test(tests, one_that_was_given_up_stays_out);
    suite_add_tcase(suite, tests);
    return suite;
}
