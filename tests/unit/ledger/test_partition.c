/* SPDX-License-Identifier: Apache-2.0 */
#include "partition.h"

#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

START_TEST(partitions_are_days)
{
    static const char *const good[] = {"2026-01-29", "2026-01-29-late", "2024-02-29", "2026-12-31-late-2"};
    static const char *const bad[] = {"2026-02-29",     "2026-13-01", "2026-00-01",  "2026-01-32",
                                      "2026-1-29",      "_archive",   "2026-01-29-", "2026-01-29.bak",
                                      "2026-01-29late", "",           "..",          "2026-01-29-a/b"};
    int64_t day;
    char text[16];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(partition_name_parse(good[i], &day), "%s", good[i]);
        day_format(day, text, sizeof(text));
        ck_assert_msg(strncmp(text, good[i], 10) == 0, "%s", text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!partition_name_parse(bad[i], &day), "%s", bad[i]);
    ck_assert(partition_name_parse("1970-01-01", &day));
    ck_assert_int_eq(day, 0);
    ck_assert(partition_name_parse("2026-03-01", &day));
    ck_assert_int_eq(day, 20513);
}
END_TEST

START_TEST(segments_have_ordinals)
{
    static const char *const bad[] = {"signals-01.wal",         "signals-0001.wal", "signals-000.wal",
                                      "signals-001.wa",         "signals-001.wal2", "signal-001.wal",
                                      "signals-2147483648.wal", "signals-1e3.wal",  "signals-99999999999999999999.wal",
                                      "signals-001.wal.gz.tmp"};
    uint32_t ordinal;
    bool gzipped;

    ck_assert(segment_name_parse("signals-001.wal", &ordinal, &gzipped) && ordinal == 1 && !gzipped);
    ck_assert(segment_name_parse("signals-1000.wal.gz", &ordinal, &gzipped) && ordinal == 1000 && gzipped);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!segment_name_parse(bad[i], &ordinal, &gzipped), "%s", bad[i]);
}
END_TEST

START_TEST(locks_and_temporary_files_are_left_out)
{
    ck_assert(name_is_left_out("_LOCK"));
    ck_assert(name_is_left_out("_CURRENT.tmp"));
    ck_assert(name_is_left_out(".tmp123"));
    ck_assert(name_is_left_out("_manifest.json.tmp.4711"));
    ck_assert(name_is_left_out("_holdfast-ledger_20260201_120000"));
    ck_assert(!name_is_left_out("_CURRENT"));
    ck_assert(!name_is_left_out("signals-001.wal"));
    ck_assert(!name_is_left_out("tmp"));
}
END_TEST

START_TEST(current_names_a_segment_or_nothing)
{
    ck_assert_uint_eq(current_parse("signals-003.wal", 15), 3);
    ck_assert_uint_eq(current_parse("signals-003.wal\r\n", 17), 3);
    ck_assert_uint_eq(current_parse("", 0), 0);
    ck_assert_uint_eq(current_parse("signals-003.wal\0x", 17), 0);
    ck_assert_uint_eq(current_parse("../../etc/passwd", 16), 0);
}
END_TEST

static struct segment_result check_bytes(const char *file, const void *data, size_t size, size_t piece)
{
    struct segment_check check;

    ck_assert_int_eq(segment_check_begin(&check, "2026-01-29", file), 0);
    for (size_t at = 0; at < size; at += piece)
        ck_assert_int_eq(segment_check_feed(&check, (const char *)data + at, size - at < piece ? size - at : piece), 0);
    segment_check_end(&check);
    return check.result;
}

static size_t frames(unsigned char *out, const uint32_t *indexes, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += make_frame("2026-01-29", 1ull << 32 | indexes[i], out + size);
    return size;
}

START_TEST(sequences_are_followed)
{
    unsigned char data[8192];
    struct segment_result r;

    r = check_bytes("signals-001.wal", data, frames(data, (uint32_t[]){1, 2, 3, 4}, 4), 100);
    ck_assert_uint_eq(r.records, 4);
    ck_assert_uint_eq(r.gap.count + r.order.count + r.unsequenced.count + r.wrong_segment.count, 0);
    ck_assert_uint_eq(r.first_sequence, 4294967297);
    ck_assert_uint_eq(r.last_sequence, 4294967300);

    r = check_bytes("signals-001.wal", data, frames(data, (uint32_t[]){3, 4, 7, 8}, 4), 100);
    ck_assert_uint_eq(r.gap.count, 2);
    ck_assert_uint_eq(r.missing_records, 4);

    r = check_bytes("signals-001.wal", data, frames(data, (uint32_t[]){1, 2, 2, 3}, 4), 100);
    ck_assert_uint_eq(r.order.count, 1);
    ck_assert_uint_eq(r.gap.count, 0);

    r = check_bytes("signals-002.wal", data, frames(data, (uint32_t[]){1, 2, 3}, 3), 100);
    ck_assert_uint_eq(r.wrong_segment.count, 3);

    /* A frame with a wrong crc is not also a gap. */
    size_t size = frames(data, (uint32_t[]){1, 2, 3}, 3), first = frames(data, (uint32_t[]){1}, 1);
    data[first + 12] ^= 1;
    r = check_bytes("signals-001.wal", data, size, 8192);
    ck_assert_uint_eq(r.bad_crc.count, 1);
    ck_assert_uint_eq(r.bad_crc.first, first);
    ck_assert_uint_eq(r.records, 2);
    ck_assert_uint_eq(r.gap.count, 0);
}
END_TEST

static size_t gzip_bytes(const void *data, size_t size, unsigned char *out, size_t room)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)data, .avail_in = (unsigned)size, .next_out = out};

    z.avail_out = (unsigned)room;
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

START_TEST(gzipped_segments_are_checked_inside)
{
    unsigned char data[8192], packed[8192];
    size_t size = frames(data, (uint32_t[]){1, 2, 3, 4, 5, 6}, 6), half = frames(data, (uint32_t[]){1, 2, 3}, 3);
    struct segment_result plain, r;

    frames(data, (uint32_t[]){1, 2, 3, 4, 5, 6}, 6);
    plain = check_bytes("signals-001.wal", data, size, 8192);
    /* In one member, and in two that follow each other. */
    size_t one = gzip_bytes(data, size, packed, sizeof(packed));
    for (size_t piece = 1; piece < 64; piece += 3) {
        r = check_bytes("signals-001.wal.gz", packed, one, piece);
        ck_assert_ptr_null(r.gzip_problem);
        ck_assert_uint_eq(r.bytes, plain.bytes);
        ck_assert_uint_eq(r.crc, plain.crc);
        ck_assert_uint_eq(r.records, 6);
    }
    size_t two = gzip_bytes(data, half, packed, sizeof(packed));
    two += gzip_bytes(data + half, size - half, packed + two, sizeof(packed) - two);
    for (size_t piece = 1; piece < 64; piece += 3) {
        r = check_bytes("signals-001.wal.gz", packed, two, piece);
        ck_assert_ptr_null(r.gzip_problem);
        ck_assert_uint_eq(r.crc, plain.crc);
        ck_assert_int_eq(r.end, FRAME_END_WHOLE);
    }
    /* Cut anywhere, it ends early; with any bit flipped, it is damaged or its content is. */
    one = gzip_bytes(data, size, packed, sizeof(packed));
    for (size_t cut = 0; cut < one; cut++) {
        r = check_bytes("signals-001.wal.gz", packed, cut, 50);
        ck_assert_ptr_nonnull(r.gzip_problem);
    }
    for (size_t at = 10; at < one; at++) {
        packed[at] ^= 4;
        r = check_bytes("signals-001.wal.gz", packed, one, 4096);
        ck_assert_msg(r.gzip_problem != NULL, "a flipped bit at %zu is not seen", at);
        packed[at] ^= 4;
    }
    packed[one] = 'x';
    ck_assert_ptr_nonnull(check_bytes("signals-001.wal.gz", packed, one + 1, 4096).gzip_problem);
}
END_TEST

START_TEST(facts_are_compared_as_values)
{
    ck_assert(facts_equal("{\"a\":1,\"b\":[2]}", "{ \"b\": [2], \"a\": 1 }"));
    ck_assert(!facts_equal("{\"a\":1}", "{\"a\":2}"));
    ck_assert(!facts_equal("{", "{"));
}
END_TEST

Suite *partition_suite(void)
{
    Suite *suite = suite_create("ledger: partitions");
    TCase *tcase = tcase_create("partitions");

    tcase_add_test(tcase, partitions_are_days);
    tcase_add_test(tcase, segments_have_ordinals);
    tcase_add_test(tcase, locks_and_temporary_files_are_left_out);
    tcase_add_test(tcase, current_names_a_segment_or_nothing);
    tcase_add_test(tcase, sequences_are_followed);
    tcase_add_test(tcase, gzipped_segments_are_checked_inside);
    tcase_add_test(tcase, facts_are_compared_as_values);
    suite_add_tcase(suite, tcase);
    return suite;
}
