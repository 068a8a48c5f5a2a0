/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage_kit.h"

static const char *const levels[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};
enum { LEVELS = 9 };

static struct kit open_level(int index)
{
    return kit_open(holdfast_module_v1(), levels[index]);
}

START_TEST(test_round_trips)
{
    struct kit kit = open_level(_i);
    kit_check_round_trips(&kit, 3 << 20, _i < 3 ? 20 : 8);
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

/* What cannot be compressed stays within the bound, and nearly as small as it was. */
START_TEST(test_incompressible)
{
    static const size_t sizes[] = {1, 2, 7, 100, 65535, 65536, 65537, 131070, 1 << 20};
    struct kit kit = open_level(_i);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct bytes raw = kit_make(KIT_NOISE, sizes[i], i);
        struct encoded encoded = kit_encode(&kit, raw, sizes[i]);
        size_t limit = sizes[i] + 5 * (sizes[i] / 16383 + 1) + 16;
        ck_assert_uint_le(encoded.offsets[1] - encoded.offsets[0], limit);
        struct bytes made;
        ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, encoded.all, 0, 0, &made), HF_END);
        ck_assert(bytes_equal(made, raw));
        bytes_free(&made);
        encoded_free(&encoded);
        bytes_free(&raw);
    }
    kit_close(&kit);
}
END_TEST

START_TEST(test_tools_accept)
{
    static const struct {
        const char *tool, *command;
    } readers[] = {
        {"gzip", "gzip -dc"},
        {"pigz", "pigz -dc"},
        {"python3", "python3 -c 'import gzip,sys; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))'"},
    };
    struct kit kit = open_level(_i);
    for (size_t size = 0; size < 5 << 20; size = size * 40 + 1) {
        struct bytes raw = kit_make(KIT_MIXED, size, size);
        struct encoded encoded = kit_encode(&kit, raw, 1 << 20);
        for (size_t i = 0; i < sizeof(readers) / sizeof(*readers); i++) {
            struct bytes made;
            if (!kit_has_tool(readers[i].tool))
                continue;
            ck_assert_msg(kit_pipe(readers[i].command, encoded.all, &made) == 0, "%s refuses it", readers[i].tool);
            ck_assert(bytes_equal(made, raw));
            bytes_free(&made);
        }
        ck_assert_int_eq(kit_pipe("gzip -t", encoded.all, NULL), 0);
        encoded_free(&encoded);
        bytes_free(&raw);
    }
    kit_close(&kit);
}
END_TEST

START_TEST(test_tools_are_read)
{
    static const char *const writers[] = {"gzip -1", "gzip -9", "pigz -c -b 128", "pigz -ci", "pigz -c -11"};
    static const size_t pieces[] = {0, 1, 3, 511, 65536};
    struct kit kit = open_level(1);
    struct bytes raw = kit_make(KIT_MIXED, 400000, 3);
    for (size_t i = 0; i < sizeof(writers) / sizeof(*writers); i++) {
        struct bytes stored;
        if (writers[i][0] == 'p' && !kit_has_tool("pigz"))
            continue;
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

/* A header with every optional field, as RFC 1952 has them, and the deflate data of "hi". */
static struct bytes decorated(bool right_crc)
{
    static const unsigned char head[] = {0x1f, 0x8b, 8,   0x1f, 1,   2,   3,   4,   0,   255, 5,   0,
                                         'e',  'x',  't', 'r',  'a', 'n', 'a', 'm', 'e', 0,   'c', 0};
    static const unsigned char rest[] = {0xcb, 0xc8, 0x04, 0x00, 0xac, 0x2a, 0x93, 0xd8, 2, 0, 0, 0};
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < sizeof(head); i++) {
        crc ^= head[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    crc = ~crc ^ !right_crc;
    struct bytes start = bytes_copy(head, sizeof(head));
    struct bytes mark = {(unsigned char[]){(unsigned char)crc, (unsigned char)(crc >> 8)}, 2};
    struct bytes end = {(unsigned char *)rest, sizeof(rest)};
    struct bytes with_mark = bytes_join(start, mark), all = bytes_join(with_mark, end);
    bytes_free(&start);
    bytes_free(&with_mark);
    return all;
}

START_TEST(test_header_fields)
{
    struct kit kit = open_level(1);
    struct bytes good = decorated(true), bad = decorated(false), made;
    for (size_t piece = 1; piece < good.size + 1; piece++) {
        ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, good, piece, piece, &made), HF_END);
        ck_assert(made.size == 2 && memcmp(made.data, "hi", 2) == 0);
        bytes_free(&made);
    }
    kit_check_truncation(&kit, good);
    ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, bad, 0, 0, NULL), HF_E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fake_error(kit.fake), "header's checksum"));
    good.data[3] |= 0x20;
    ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, good, 0, 0, NULL), HF_E_CORRUPT);
    bytes_free(&good);
    bytes_free(&bad);
    kit_close(&kit);
}
END_TEST

START_TEST(test_several_members)
{
    struct kit kit = open_level(1);
    struct bytes one = kit_make(KIT_TEXT, 100000, 1), two = kit_make(KIT_NOISE, 777, 2), fancy = decorated(true);
    struct bytes one_gz, made;
    struct encoded two_gz = kit_encode(&kit, two, 100);
    ck_assert_int_eq(kit_pipe("gzip -6", one, &one_gz), 0);
    struct bytes pair = bytes_join(one_gz, two_gz.all), three = bytes_join(pair, fancy),
                 raw_pair = bytes_join(one, two);
    struct bytes raw = bytes_join(raw_pair, (struct bytes){(unsigned char *)"hi", 2});
    for (size_t piece = 0; piece < 20; piece++) {
        ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, three, piece, piece ? 1 << 16 : 0, &made), HF_END);
        ck_assert(bytes_equal(made, raw));
        bytes_free(&made);
    }
    struct bytes cut = {three.data, three.size - 1};
    ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, cut, 0, 0, NULL), HF_E_CORRUPT);
    bytes_free(&raw);
    bytes_free(&raw_pair);
    bytes_free(&three);
    bytes_free(&pair);
    bytes_free(&one_gz);
    encoded_free(&two_gz);
    bytes_free(&fancy);
    bytes_free(&two);
    bytes_free(&one);
    kit_close(&kit);
}
END_TEST

START_TEST(test_what_follows)
{
    struct kit kit = open_level(1);
    struct bytes raw = kit_make(KIT_TEXT, 5000, 1), made;
    struct encoded encoded = kit_encode(&kit, raw, 0);
    unsigned char tail[2000] = {0};
    struct bytes padded = bytes_join(encoded.all, (struct bytes){tail, sizeof(tail)});
    ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, padded, 7, 0, &made), HF_END);
    ck_assert(bytes_equal(made, raw));
    bytes_free(&made);
    for (size_t at = encoded.all.size; at < padded.size; at += 333) {
        padded.data[at] = 'x';
        ck_assert_int_eq(kit_decode(&kit, HF_DECODE_OBJECT, padded, 0, 0, NULL), HF_E_CORRUPT);
        padded.data[at] = 0;
    }
    ck_assert_int_eq(kit_decode(&kit, HF_DECODE_BLOCKS, encoded.all, 0, 0, NULL), HF_E_CORRUPT);
    /* A run that goes on into the trailer has a final block where none may be. */
    struct bytes beyond = {encoded.all.data + encoded.offsets[0], encoded.all.size - encoded.offsets[0]};
    ck_assert_int_eq(kit_decode(&kit, HF_DECODE_BLOCKS, beyond, 0, 0, NULL), HF_E_CORRUPT);
    bytes_free(&padded);
    encoded_free(&encoded);
    bytes_free(&raw);
    kit_close(&kit);
}
END_TEST

START_TEST(test_damage)
{
    struct kit kit = open_level(_i);
    struct bytes raw = kit_make(KIT_MIXED, 1500, 9);
    struct encoded encoded = kit_encode(&kit, raw, 600);
    kit_check_truncation(&kit, encoded.all);
    kit_check_bit_flips(&kit, encoded.all, raw);
    kit_check_garbage(&kit, encoded.all, 300);
    encoded_free(&encoded);
    bytes_free(&raw);
    kit_close(&kit);
}
END_TEST

START_TEST(test_recognise)
{
    struct kit kit = open_level(1);
    ck_assert_int_eq(kit.stage->recognise("\x1f\x8b\x08", 3), 100);
    ck_assert_int_eq(kit.stage->recognise("\x1f\x8b", 2), 0);
    ck_assert_int_eq(kit.stage->recognise("PK\x03\x04", 4), 0);
    kit_close(&kit);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gzip");
    TCase *tcase = tcase_create("stage");
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, test_round_trips, 0, LEVELS);
    tcase_add_loop_test(tcase, test_blocks_alone, 0, LEVELS);
    tcase_add_loop_test(tcase, test_incompressible, 0, LEVELS);
    tcase_add_loop_test(tcase, test_tools_accept, 0, LEVELS);
    tcase_add_test(tcase, test_tools_are_read);
    tcase_add_test(tcase, test_header_fields);
    tcase_add_test(tcase, test_several_members);
    tcase_add_test(tcase, test_what_follows);
    tcase_add_loop_test(tcase, test_damage, 1, 6);
    tcase_add_test(tcase, test_recognise);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
