/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"
#include "parts.h"
#include "suites.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

static uint64_t capacity(uint64_t first, unsigned max_parts)
{
    uint64_t sent = 0, size, before = 0;
    for (unsigned part = 0; part < max_parts; part++) {
        size = s3_part_size(first, max_parts, sent);
        ck_assert(size >= first && size >= before && size <= 5 * GIB);
        before = size;
        sent += size;
    }
    return sent;
}

START_TEST(parts_always_suffice)
{
    ck_assert_uint_ge(capacity(5 * MIB, 10000), 5 * TIB);
    ck_assert_uint_ge(capacity(8 * MIB, 10000), 5 * TIB);
    ck_assert_uint_ge(capacity(GIB, 10000), 5 * TIB);
    ck_assert_uint_ge(capacity(8 * MIB, 1000), TIB / 2);
}
END_TEST

START_TEST(parts_grow_late)
{
    ck_assert_uint_eq(s3_part_size(8 * MIB, 10000, 0), 8 * MIB);
    ck_assert_uint_eq(s3_part_size(8 * MIB, 10000, 9 * GIB), 8 * MIB);
    ck_assert_uint_eq(s3_part_size(8 * MIB, 10000, 100 * GIB), 82 * MIB);
    ck_assert_uint_eq(s3_part_size(8 * MIB, 10000, 50 * TIB), 5 * GIB);
    ck_assert_uint_eq(s3_part_size(8 * MIB, 1000, 10 * GIB), 82 * MIB);
}
END_TEST

START_TEST(memory_is_bounded)
{
    ck_assert_uint_eq(s3_parts_in_flight(8 * MIB, 4, 256 * MIB), 4);
    ck_assert_uint_eq(s3_parts_in_flight(60 * MIB, 4, 256 * MIB), 3);
    ck_assert_uint_eq(s3_parts_in_flight(128 * MIB, 4, 256 * MIB), 1);
    ck_assert_uint_eq(s3_parts_in_flight(5 * GIB, 4, 256 * MIB), 1);
    ck_assert_uint_eq(s3_parts_in_flight(8 * MIB, 1, 256 * MIB), 1);
    for (uint64_t size = 5 * MIB; size < 2 * GIB; size += 3 * MIB) {
        unsigned count = s3_parts_in_flight(size, 64, 256 * MIB);
        ck_assert(count == 1 || (count + 1) * size <= 256 * MIB);
    }
}
END_TEST

START_TEST(lanes_leave_some_to_send)
{
    ck_assert_uint_eq(s3_parts_in_lanes(13, 6), 8);
    ck_assert_uint_eq(s3_parts_in_lanes(9, 6), 4);
    ck_assert_uint_eq(s3_parts_in_lanes(7, 6), 0);
    ck_assert_uint_eq(s3_parts_in_lanes(3, 6), 0);
    for (unsigned in_flight = 1; in_flight < 100; in_flight++) {
        for (unsigned parallel = 1; parallel <= 64; parallel++) {
            unsigned lanes = s3_parts_in_lanes(in_flight, parallel);
            ck_assert(lanes == 0 || (lanes >= S3_LANES_MIN && lanes <= 8 && in_flight - (lanes - 1) >= parallel));
        }
    }
}
END_TEST

START_TEST(rate_is_kept)
{
    struct s3_rate rate = {.bytes_per_s = 0};
    s3_rate_init(&rate, 0);
    ck_assert_int_eq(s3_rate_moved(&rate, 1 << 30), 0);
    pthread_mutex_destroy(&rate.lock);
    s3_rate_init(&rate, 1000000);
    int64_t wait = s3_rate_moved(&rate, 1000000);
    ck_assert(wait > 850 && wait <= 1000);
    wait = s3_rate_moved(&rate, 500000);
    ck_assert(wait > 1300 && wait <= 1500);
    /* what is less than a millisecond's worth is not lost */
    struct s3_rate slow = {0};
    s3_rate_init(&slow, 1000000);
    s3_rate_moved(&slow, 100000);
    for (int i = 0; i < 10000; i++)
        wait = s3_rate_moved(&slow, 100);
    ck_assert(wait > 800 && wait <= 1100);
    pthread_mutex_destroy(&rate.lock);
    pthread_mutex_destroy(&slow.lock);
}
END_TEST

Suite *suite_sizes(void)
{
    Suite *suite = suite_create("s3 sizes");
    TCase *tests = tcase_create("sizes");
    tcase_add_test(tests, parts_always_suffice);
    tcase_add_test(tests, parts_grow_late);
    tcase_add_test(tests, memory_is_bounded);
    tcase_add_test(tests, lanes_leave_some_to_send);
    tcase_add_test(tests, rate_is_kept);
    suite_add_tcase(suite, tests);
    return suite;
}
