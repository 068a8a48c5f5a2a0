/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a part from several copies: what one cannot give comes from the next.
 */
#include "pipeline/part_reader.h"
#include "rig.h"
#include "suites.h"

#include <check.h>
#include <string.h>

/* Parts of these sizes: none, one that is held back, and one that is not. */
enum { EMPTY, SMALL, LARGE, PARTS };

static struct rig rig;
static struct hf_chain chain;
static struct hf_copies *copies;

static void set_up(bool stage)
{
    static const size_t sizes[PARTS] = {0, 300000, 3 * HF_HOLD_MAX};

    rig_init(&rig, 3, stage);
    rig.part_count = PARTS;
    memcpy(rig.sizes, sizes, sizeof(sizes));
    ck_assert_int_eq(rig_run(&rig, 2, 2), HF_OK);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(hf_fanout_commit(rig.fanout, &rig.ctx, i), HF_OK);
    chain = rig_chain(&rig);
    copies = hf_copies_new(&chain, rig.manifest);
    for (size_t i = 0; i < 3; i++)
        hf_copies_add(copies, &rig.sinks[i].instance);
}

static void tear_down(void)
{
    hf_copies_free(copies);
    hf_chain_clear(&chain);
    rig_clear(&rig);
}

/* One byte in `thousandths` of the way through a part is another. */
static void damage(size_t sink, size_t part, unsigned thousandths)
{
    const struct hf_manifest_part *of = &rig.manifest->artifacts[0].parts[part];
    uint64_t within = of->stored_size * thousandths / 1000;

    /* Of the stage's block it is a byte of data, not of its length. */
    if (rig.stage.loaded != NULL && within % (64 * 1024 + 4) < 4)
        within += 4;
    rig.sinks[sink].objects[0].data[of->stored_offset + (within < of->stored_size ? within : of->stored_size - 1)] ^=
        0x55;
}

/* Reads a part as a source does. Bytes that were given out are right as long as the reader does not fail. */
static int64_t read_part(size_t part, bool *ret_misled)
{
    const struct hf_manifest_artifact *artifact = &rig.manifest->artifacts[0];
    struct hf_part_reader *reader = NULL;
    unsigned char space[70001];
    uint64_t have = 0;
    bool right = true;
    int64_t got = hf_part_reader_open_copies(&rig.ctx, copies, artifact, &artifact->parts[part], &reader);

    *ret_misled = false;
    if (got != HF_OK)
        return got;
    while ((got = hf_part_reader_base(reader)->read(hf_part_reader_base(reader), space, sizeof(space))) > 0) {
        for (int64_t i = 0; i < got; i++)
            right = right && space[i] == rig_byte(part, (size_t)have + (size_t)i);
        have += (uint64_t)got;
    }
    *ret_misled = hf_part_reader_misled(reader);
    hf_part_reader_close(reader);
    if (got == 0) {
        ck_assert(right);
        ck_assert_uint_eq(have, rig.sizes[part]);
    }
    return got;
}

static size_t findings(const char *text)
{
    size_t count = 0;

    for (size_t i = 0; i < rig.services.finding_count; i++)
        count += strcmp(rig.services.findings[i].code, "read-elsewhere") == 0 &&
                 strstr(rig.services.findings[i].text, text) != NULL;
    return count;
}

START_TEST(from_the_first_when_it_is_whole)
{
    bool misled;

    set_up(_i);
    for (size_t part = 0; part < PARTS; part++)
        ck_assert_int_eq(read_part(part, &misled), 0);
    ck_assert_uint_eq(rig.services.finding_count, 0);
    ck_assert_uint_eq(rig.sinks[1].calls, rig.sinks[2].calls);
    tear_down();
}
END_TEST

/* What is small comes right at once, wherever the damage is. */
START_TEST(a_small_part)
{
    bool misled;

    set_up(_i % 2);
    damage(0, SMALL, (unsigned)_i / 2 * 250);
    ck_assert_int_eq(read_part(SMALL, &misled), 0);
    ck_assert(!misled);
    ck_assert_uint_eq(findings("read from sink 'two': part 'part-001'"), 1);
    ck_assert_int_eq(read_part(LARGE, &misled), 0); /* the first has that one whole */
    ck_assert_uint_eq(rig.services.finding_count, 1);
    tear_down();
}
END_TEST

/* What is large may mislead, and then comes right with the next attempt. */
START_TEST(a_large_part)
{
    bool misled;
    int64_t got;

    set_up(_i % 2);
    damage(0, LARGE, (unsigned)_i / 2 * 250);
    got = read_part(LARGE, &misled);
    if (got != 0) {
        ck_assert_int_eq(got, HF_E_CORRUPT);
        ck_assert(misled);
        hf_error_clear(&rig.ctx.error);
        ck_assert_int_eq(read_part(LARGE, &misled), 0);
        ck_assert(!misled);
    }
    ck_assert_uint_ge(findings("read from sink 'two'"), 1);
    tear_down();
}
END_TEST

/* Damage at the end of a large part is seen before it is given out: it goes on in the middle. */
START_TEST(the_end_of_a_large_part)
{
    bool misled;

    set_up(_i);
    damage(0, LARGE, 1000);
    ck_assert_int_eq(read_part(LARGE, &misled), 0);
    ck_assert_uint_eq(findings("read from sink 'two'"), 1);
    tear_down();
}
END_TEST

static void cut(size_t sink, size_t part, unsigned thousandths)
{
    const struct hf_manifest_part *of = &rig.manifest->artifacts[0].parts[part];

    rig.sinks[sink].objects[0].size = of->stored_offset + of->stored_size * thousandths / 1000;
}

START_TEST(an_object_that_is_cut_or_gone)
{
    bool misled;

    set_up(_i % 2);
    if (_i < 8)
        cut(0, LARGE, (unsigned)_i / 2 * 330);
    else
        memory_sink_unset(&rig.sinks[0], rig.manifest->artifacts[0].key);
    ck_assert_int_eq(read_part(LARGE, &misled), 0);
    ck_assert_int_eq(read_part(SMALL, &misled), 0);
    ck_assert_uint_eq(findings("read from sink 'two'"), _i < 8 ? 1 : 2);
    tear_down();
}
END_TEST

/* Once it is known to be away it is not asked again, nor told of again. */
START_TEST(a_sink_that_is_away)
{
    bool misled;
    unsigned calls;

    set_up(_i);
    rig.sinks[0].fault_code = HF_E_UNREACHABLE;
    memory_sink_fault(&rig.sinks[0], 1, MEMORY_CRASH_BEFORE);
    ck_assert_int_eq(read_part(LARGE, &misled), 0);
    calls = rig.sinks[0].calls;
    ck_assert_int_eq(read_part(SMALL, &misled), 0);
    ck_assert_uint_eq(rig.sinks[0].calls, calls);
    ck_assert_uint_eq(findings("from here on read from sink 'two'"), 1);
    ck_assert_uint_eq(rig.services.finding_count, 1);
    tear_down();
}
END_TEST

START_TEST(two_of_three_are_bad)
{
    bool misled;

    set_up(_i % 2);
    damage(0, SMALL, 500);
    memory_sink_unset(&rig.sinks[1], rig.manifest->artifacts[0].key);
    ck_assert_int_eq(read_part(SMALL, &misled), 0);
    ck_assert_uint_eq(findings("read from sink 'three'"), 1);
    ck_assert_int_eq(read_part(EMPTY, &misled), 0);
    damage(2, SMALL, 100);
    ck_assert_int_eq(read_part(SMALL, &misled), HF_E_CORRUPT);
    ck_assert(!misled);
    hf_error_clear(&rig.ctx.error);
    ck_assert_int_eq(read_part(SMALL, &misled), HF_E_CORRUPT); /* known beforehand by now */
    ck_assert_ptr_nonnull(strstr(rig.ctx.error.text, "no sink has part"));
    tear_down();
}
END_TEST

/* Nobody has a large part right: damaged, and no attempt would help. */
START_TEST(a_large_part_that_nobody_has)
{
    bool misled;

    set_up(_i);
    for (size_t sink = 0; sink < 3; sink++)
        damage(sink, LARGE, 300 + 100 * (unsigned)sink);
    ck_assert_int_eq(read_part(LARGE, &misled), HF_E_CORRUPT);
    ck_assert(!misled);
    tear_down();
}
END_TEST

/* Stopping is no failure of the copy. */
START_TEST(a_stop_is_not_answered_by_another_copy)
{
    bool misled;

    set_up(true);
    hf_cancel_raise(&rig.cancel, HF_CANCEL_SIGNAL);
    ck_assert_int_eq(read_part(LARGE, &misled), HF_E_CANCELLED);
    ck_assert_uint_eq(rig.services.finding_count, 0);
    tear_down();
}
END_TEST

Suite *suite_copies(void)
{
    Suite *suite = suite_create("copies");
    TCase *tests = tcase_create("copies");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, from_the_first_when_it_is_whole, 0, 2);
    tcase_add_loop_test(tests, a_small_part, 0, 10);
    tcase_add_loop_test(tests, a_large_part, 0, 10);
    tcase_add_loop_test(tests, the_end_of_a_large_part, 0, 2);
    tcase_add_loop_test(tests, an_object_that_is_cut_or_gone, 0, 10);
    tcase_add_loop_test(tests, a_sink_that_is_away, 0, 2);
    tcase_add_loop_test(tests, two_of_three_are_bad, 0, 2);
    tcase_add_loop_test(tests, a_large_part_that_nobody_has, 0, 2);
    tcase_add_test(tests, a_stop_is_not_answered_by_another_copy);
    suite_add_tcase(suite, tests);
    return suite;
}
