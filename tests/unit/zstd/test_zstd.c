/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage_kit.h"

static const char *const levels[] = {"1", "2", "3", "4", "6", "9", "10", "13", "16", "19"};
enum { LEVELS = sizeof(levels) / sizeof(*levels) };

static struct kit open_level(int index)
{
    return kit_open(holdfast_module_v1(), levels[index]);
}

static uint32_t get_le32(const unsigned char *in)
{
    return (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

START_TEST(test_round_trips)
{
    struct kit kit = open_level(_i);
    kit_check_round_trips(&kit, 6 << 20, _i < 5 ? 12 : 4);
    kit_close(&kit);
}
END_TEST

START_TEST(test_blocks_alone)
{
    struct kit kit = open_level(_i);
    kit_check_blocks_alone(&kit);
    kit_check_runs_truncated(&kit);
    kit_check_deterministic(&kit);
    kit_close(&kit);
}
END_TEST

START_TEST(test_tools_accept)
{
    struct kit kit = open_level(_i);
    for (size_t size = 0; kit_has_tool("zstd") && size < 9 << 20; size = size * 60 + 1) {
        struct bytes raw = kit_make(KIT_MIXED, size, size), made;
        struct encoded encoded = kit_encode(&kit, raw, _i < 5 ? 4 << 20 : 1 << 20);
        ck_assert_int_eq(kit_pipe("zstd -t", encoded.all, NULL), 0);
        ck_assert_int_eq(kit_pipe("zstd -dc", encoded.all, &made), 0);
        ck_assert(bytes_equal(made, raw));
        bytes_free(&made);
        encoded_free(&encoded);
        bytes_free(&raw);
    }
    kit_close(&kit);
}
END_TEST

START_TEST(test_tools_are_read)
{
    static const char *const writers[] = {"zstd -1 -c", "zstd -19 --no-check -c", "zstd -3 -T2 -c", "zstd -c --fast=5"};
    static const size_t pieces[] = {0, 1, 3, 511, 65536};
    struct kit kit = open_level(2);
    struct bytes raw = kit_make(KIT_MIXED, 400000, 3);
    for (size_t i = 0; kit_has_tool("zstd") && i < sizeof(writers) / sizeof(*writers); i++) {
        struct bytes stored;
        ck_assert_int_eq(kit_pipe(writers[i], raw, &stored), 0);
        for (size_t j = 0; j < sizeof(pieces) / sizeof(*pieces); j++) {
            struct bytes made;
            ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, stored, pieces[j], pieces[j], &made), HF_END);
            ck_assert_msg(bytes_equal(made, raw), "'%s' in pieces of %zu", writers[i], pieces[j]);
            bytes_free(&made);
        }
        bytes_free(&stored);
    }
    bytes_free(&raw);
    kit_close(&kit);
}
END_TEST

/* Walks the table as a reader of the seekable format does: from the end. */
static void check_seek_table(const struct encoded *encoded, size_t raw_size, size_t expected)
{
    const unsigned char *all = encoded->all.data, *footer = all + encoded->all.size - 9;
    ck_assert_uint_eq(get_le32(footer + 5), 0x8f92eab1);
    ck_assert_uint_eq(footer[4], 0);
    size_t count = get_le32(footer), size = 8 * count + 9, raw = 0, stored = 0;
    ck_assert_uint_eq(count, expected);
    const unsigned char *table = all + encoded->all.size - size;
    ck_assert_uint_eq(get_le32(table - 8), 0x184d2a5e);
    ck_assert_uint_eq(get_le32(table - 4), size);
    for (size_t i = 0; i < count; i++) {
        if (encoded->block_count)
            ck_assert_uint_eq(encoded->offsets[i], stored);
        stored += get_le32(table + 8 * i);
        raw += get_le32(table + 8 * i + 4);
    }
    ck_assert_uint_eq(stored, encoded->all.size - size - 8);
    ck_assert_uint_eq(raw, raw_size);
}

START_TEST(test_seek_table)
{
    /* 20 000 frames make a table of 160 000 bytes, more than the room of one call. */
    static const size_t sizes[] = {0, 1, 1000, 20000};
    struct kit kit = open_level(0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct bytes raw = kit_make(KIT_TEXT, sizes[i] * 10, i), made;
        struct encoded encoded = kit_encode(&kit, raw, 10);
        check_seek_table(&encoded, raw.size, sizes[i] ? sizes[i] : 1);
        ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, encoded.all, 0, 0, &made), HF_END);
        ck_assert(bytes_equal(made, raw));
        bytes_free(&made);
        encoded_free(&encoded);
        bytes_free(&raw);
    }
    kit_close(&kit);
}
END_TEST

START_TEST(test_what_follows)
{
    static const unsigned char skippable[] = {0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'};
    struct kit kit = open_level(2);
    struct bytes raw = kit_make(KIT_TEXT, 5000, 1), skip = {(unsigned char *)skippable, sizeof(skippable)}, made;
    struct encoded encoded = kit_encode(&kit, raw, 999);
    struct bytes first = bytes_join(skip, encoded.all), twice = bytes_join(first, encoded.all);
    struct bytes raw_twice = bytes_join(raw, raw);
    for (size_t piece = 0; piece < 20; piece++) {
        ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, twice, piece, piece ? 1 << 16 : 0, &made), HF_END);
        ck_assert(bytes_equal(made, raw_twice));
        bytes_free(&made);
    }
    struct bytes zero = {(unsigned char[]){0}, 1}, text = {(unsigned char *)"garbage", 7};
    struct bytes with_zero = bytes_join(encoded.all, zero), with_text = bytes_join(encoded.all, text);
    ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, with_zero, 0, 0, NULL), HF_E_CORRUPT);
    ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, with_text, 0, 0, NULL), HF_E_CORRUPT);
    bytes_free(&with_text);
    bytes_free(&with_zero);
    bytes_free(&raw_twice);
    bytes_free(&twice);
    bytes_free(&first);
    encoded_free(&encoded);
    bytes_free(&raw);
    kit_close(&kit);
}
END_TEST

/* A frame that asks for a window of 1 GiB must not get it. */
START_TEST(test_window_limit)
{
    static const unsigned char huge[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0x00, 0x00};
    struct kit kit = open_level(2);
    struct bytes in = {(unsigned char *)huge, sizeof(huge)};
    ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, in, 0, 0, NULL), HF_E_UNSUPPORTED);
    kit_close(&kit);
}
END_TEST

/* Cuts inside a frame are found; at a frame's edge only the manifest's size tells, so blocks lie within one frame here,
 * and the seek table's own frame is part of what is cut. */
START_TEST(test_damage)
{
    struct kit kit = open_level(_i);
    struct bytes raw = kit_make(KIT_MIXED, 1500, 9);
    struct encoded encoded = kit_encode(&kit, raw, 1500);
    for (size_t size = 0; size < encoded.all.size; size++) {
        struct bytes cut = {encoded.all.data, size};
        int status = kit_decode(&kit, HF_DECODE_OBJECT, cut, size % 3 ? 1 << 16 : 1, 1 << 16, NULL);
        ck_assert_int_eq(status, size == encoded.offsets[1] ? HF_END : HF_E_CORRUPT);
    }
    struct bytes frame = {encoded.all.data, encoded.offsets[1]};
    kit_check_bit_flips(&kit, frame, raw);
    kit_check_garbage(&kit, encoded.all, 300);
    encoded_free(&encoded);
    bytes_free(&raw);
    kit_close(&kit);
}
END_TEST

START_TEST(test_recognise)
{
    struct kit kit = open_level(2);
    ck_assert_int_eq(kit.stage->recognise("\x28\xb5\x2f\xfd", 4), 100);
    ck_assert_int_eq(kit.stage->recognise("\x5e\x2a\x4d\x18", 4), 40);
    ck_assert_int_eq(kit.stage->recognise("\x28\xb5\x2f", 3), 0);
    ck_assert_int_eq(kit.stage->recognise("\x1f\x8b\x08\x00", 4), 0);
    kit_close(&kit);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zstd");
    TCase *tcase = tcase_create("stage");
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, test_round_trips, 0, LEVELS);
    tcase_add_loop_test(tcase, test_blocks_alone, 0, LEVELS);
    tcase_add_loop_test(tcase, test_tools_accept, 0, LEVELS);
    tcase_add_test(tcase, test_tools_are_read);
    tcase_add_test(tcase, test_seek_table);
    tcase_add_test(tcase, test_what_follows);
    tcase_add_test(tcase, test_window_limit);
    tcase_add_loop_test(tcase, test_damage, 0, 4);
    tcase_add_test(tcase, test_recognise);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
