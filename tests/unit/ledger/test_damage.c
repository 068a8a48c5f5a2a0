/* SPDX-License-Identifier: Apache-2.0
 *
 * Damage is injected, and must be found: in a backup as an error, with the bytes kept; in verifying that backup as a
 * known warning; and damage of the backup itself as an error.
 */
#include "support.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct bench b;

static void setup(void)
{
    bench_open(&b);
    make_day(&b, "2026-01-29", 3, 20);
    make_day(&b, "2026-01-30", 1, 20);
}

static void teardown(void)
{
    bench_close(&b);
}

static const char *segment(int ordinal)
{
    return bench_path(&b, "ledger/2026-01-29/signals-%03d.wal", ordinal);
}

/* The backup reports it as an error and keeps every byte; verifying and restoring work, and warn. */
static void expect_damage(const char *code)
{
    bench_backup(&b, HF_OK);
    const struct fake_finding *finding = fake_find(b.fake, code);
    ck_assert_msg(finding != NULL, "'%s' is not reported", code);
    ck_assert_int_eq(finding->severity, HF_ERROR);
    ck_assert_ptr_nonnull(strstr(finding->subject, "2026-01-29"));

    fake_clear(b.fake);
    ck_assert_int_eq(fake_verify(b.fake, b.source, b.self, 2), HF_OK);
    finding = fake_find(b.fake, code);
    ck_assert_ptr_nonnull(finding);
    ck_assert_int_eq(finding->severity, HF_WARNING);

    ck_assert_int_eq(bench_restore(&b, "restored", false, NULL), HF_OK);
    ck_assert(same_trees(b.ledger, bench_path(&b, "restored/ledger"), NULL));
}

START_TEST(wrong_crc)
{
    flip_byte(segment(2), 30);
    expect_damage("frame-crc");
}
END_TEST

START_TEST(torn_in_an_earlier_segment)
{
    append_to(segment(2), "\0\0\1\0\1\2\3\4{\"a\"", 12);
    expect_damage("torn-frame");
}
END_TEST

START_TEST(impossible_length)
{
    append_to(segment(3), "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
    expect_damage("frame-length");
}
END_TEST

START_TEST(a_wrong_length_in_the_last_segment_loses_nothing)
{
    size_t size;
    unsigned char *data = slurp(segment(3), &size);

    data[1] = 1; /* 64 KiB more than there is, though whole frames follow */
    spit(segment(3), data, size);
    free(data);
    expect_damage("torn-frame");
    ck_assert_int_eq(count_findings(&b, "torn-tail"), 0);
}
END_TEST

START_TEST(missing_records)
{
    make_segment(&b, "2026-01-29", 2, 4, 20);
    expect_damage("sequence-gap");
}
END_TEST

START_TEST(missing_segment)
{
    unlink(segment(2));
    expect_damage("segment-gap");
}
END_TEST

START_TEST(current_names_nothing)
{
    spit(bench_path(&b, "ledger/2026-01-29/_CURRENT"), "signals-009.wal", 15);
    expect_damage("bad-current");
}
END_TEST

START_TEST(damaged_gzip)
{
    gzip_file(segment(1));
    flip_byte(bench_path(&b, "ledger/2026-01-29/signals-001.wal.gz"), 200);
    expect_damage("gzip-damaged");
}
END_TEST

START_TEST(damage_inside_gzip)
{
    flip_byte(segment(1), 30);
    gzip_file(segment(1));
    expect_damage("frame-crc");
}
END_TEST

static void change_manifest(const char *key, int of_segment, json_t *value)
{
    const char *path = bench_path(&b, "ledger/2026-01-29/_manifest.json");
    json_t *manifest = json_load_file(path, 0, NULL);
    json_t *where = of_segment ? json_array_get(json_object_get(manifest, "segments"), 1) : manifest;

    ck_assert_int_eq(json_object_set_new(where, key, value), 0);
    ck_assert_int_eq(json_dump_file(manifest, path, 0), 0);
    json_decref(manifest);
}

START_TEST(the_seal_disagrees)
{
    seal_day(&b, "2026-01-29");
    switch (_i) {
    case 0:
        change_manifest("record_count", 1, json_integer(19));
        break;
    case 1:
        change_manifest("size_bytes", 1, json_integer(7));
        break;
    case 2:
        change_manifest("checksum", 1, json_string("crc32:00000000"));
        break;
    case 3:
        change_manifest("total_records", 0, json_integer(59));
        break;
    case 4:
        change_manifest("partition_date", 0, json_string("2026-01-28"));
        break;
    case 5:
        change_manifest("segments", 0, json_array());
        break;
    case 6:
        spit(bench_path(&b, "ledger/2026-01-29/_manifest.json"), "{", 1);
        break;
    case 7: {
        unsigned char frame[512];
        append_to(segment(3), frame, make_frame("2026-01-29", 3ull << 32 | 21, frame));
        break;
    }
    default:
        make_segment(&b, "2026-01-29", 4, 1, 1);
        break;
    }
    expect_damage("manifest-mismatch");
}
END_TEST

START_TEST(the_seal_lacks_its_manifest)
{
    seal_day(&b, "2026-01-29");
    unlink(bench_path(&b, "ledger/2026-01-29/_manifest.json"));
    expect_damage("manifest-missing");
}
END_TEST

START_TEST(a_sealed_day_that_was_cut)
{
    size_t size;

    seal_day(&b, "2026-01-29");
    unsigned char *data = slurp(segment(3), &size);
    spit(segment(3), data, size - 5);
    free(data);
    expect_damage("torn-frame");
}
END_TEST

START_TEST(sealed_with_a_torn_tail)
{
    size_t size;

    append_to(segment(3), "\0\0\0\50{}", 6);
    seal_day(&b, "2026-01-29");
    /* The sealer counted whole frames, and the bytes of the file. */
    bench_backup(&b, HF_OK);
    ck_assert_int_eq(fake_worst(b.fake), HF_INFO);
    ck_assert_int_eq(count_findings(&b, "torn-tail"), 1);
    ck_assert_int_eq(bench_restore(&b, "restored", false, NULL), HF_OK);
    free(slurp(bench_path(&b, "restored/ledger/2026-01-29/signals-003.wal"), &size));
    ck_assert(same_trees(b.ledger, bench_path(&b, "restored/ledger"), NULL));
}
END_TEST

START_TEST(missing_days_are_a_warning)
{
    make_day(&b, "2026-02-02", 1, 3);
    make_day(&b, "2026-02-04", 1, 3);
    bench_backup(&b, HF_OK);
    ck_assert_int_eq(count_findings(&b, "missing-day"), 2);
    ck_assert_int_eq(fake_worst(b.fake), HF_WARNING);
    fake_clear(b.fake);
    ck_assert_int_eq(fake_verify(b.fake, b.source, b.self, 2), HF_OK);
    ck_assert_int_eq(count_findings(&b, "missing-day"), 2);
}
END_TEST

START_TEST(findings_stay_few)
{
    size_t size;
    unsigned char *data = slurp(segment(1), &size);

    for (size_t at = 0; at + 8 < size;) {
        size_t length = (size_t)data[at + 2] << 8 | data[at + 3];
        data[at + 10] ^= 1;
        at += 8 + length;
    }
    spit(segment(1), data, size);
    free(data);
    bench_backup(&b, HF_OK);
    ck_assert_uint_eq(b.fake->finding_count, 1);
    ck_assert_ptr_nonnull(strstr(b.fake->findings[0].text, "20 frames"));
    ck_assert_int_eq(fact_number(&b, "2026-01-29", "bad_frames"), 20);
}
END_TEST

/* The data of the part's last segment: behind the headers, before the padding. */
static struct fake_part *day_part(void)
{
    struct fake_part *part = NULL;

    for (size_t i = 0; i < b.fake->part_count; i++)
        if (!strcmp(b.fake->parts[i]->name, "2026-01-29"))
            part = b.fake->parts[i];
    ck_assert_ptr_nonnull(part);
    return part;
}

START_TEST(a_flipped_bit_in_the_backup)
{
    bench_backup(&b, HF_OK);
    struct fake_part *part = day_part();
    unsigned char *at = memmem(part->data, part->used, "\"signal_id\":\"OMEN-", 18);
    ck_assert_ptr_nonnull(at);
    at[18] ^= 1;
    fake_clear(b.fake);
    ck_assert_int_eq(fake_verify(b.fake, b.source, b.self, 2), HF_E_CORRUPT);
    ck_assert_int_eq(fake_find(b.fake, "frame-crc")->severity, HF_ERROR);
    ck_assert_int_eq(bench_restore(&b, "restored", false, NULL), HF_E_CORRUPT);
    ck_assert(!exists(bench_path(&b, "restored")));
}
END_TEST

START_TEST(a_part_that_is_missing_or_swapped)
{
    bench_backup(&b, HF_OK);
    struct fake_part *part = day_part(), *other = b.fake->parts[2];
    unsigned char *data = part->data;
    size_t used = part->used;

    part->used = 0;
    fake_clear(b.fake);
    ck_assert_int_eq(fake_verify(b.fake, b.source, b.self, 2), HF_E_CORRUPT);
    ck_assert_int_eq(bench_restore(&b, "restored", false, NULL), HF_E_CORRUPT);

    part->data = other->data;
    part->used = other->used;
    other->data = data;
    other->used = used;
    fake_clear(b.fake);
    ck_assert_int_eq(fake_verify(b.fake, b.source, b.self, 2), HF_E_CORRUPT);
    ck_assert_ptr_nonnull(fake_find(b.fake, "stray-entry"));
}
END_TEST

START_TEST(a_part_cut_anywhere)
{
    bench_backup(&b, HF_OK);
    struct fake_part *part = day_part();
    size_t used = part->used;

    for (size_t cut = 0; cut < used; cut += 333) {
        part->used = cut;
        fake_clear(b.fake);
        ck_assert_msg(fake_verify(b.fake, b.source, b.self, 1) < 0, "a part cut at %zu of %zu passes", cut, used);
    }
    part->used = used;
    fake_clear(b.fake);
    ck_assert_int_eq(fake_verify(b.fake, b.source, b.self, 1), HF_OK);
}
END_TEST

START_TEST(the_end_marker_is_missing)
{
    bench_backup(&b, HF_OK);
    b.fake->parts[b.fake->part_count - 1]->used = 0;
    fake_clear(b.fake);
    ck_assert_int_eq(fake_verify(b.fake, b.source, b.self, 1), HF_E_CORRUPT);
    ck_assert_ptr_nonnull(fake_find(b.fake, "no-end"));
}
END_TEST

Suite *damage_suite(void)
{
    Suite *suite = suite_create("ledger: damage");
    TCase *tcase = tcase_create("damage");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, wrong_crc);
    tcase_add_test(tcase, torn_in_an_earlier_segment);
    tcase_add_test(tcase, impossible_length);
    tcase_add_test(tcase, a_wrong_length_in_the_last_segment_loses_nothing);
    tcase_add_test(tcase, missing_records);
    tcase_add_test(tcase, missing_segment);
    tcase_add_test(tcase, current_names_nothing);
    tcase_add_test(tcase, damaged_gzip);
    tcase_add_test(tcase, damage_inside_gzip);
    tcase_add_loop_test(tcase, the_seal_disagrees, 0, 9);
    tcase_add_test(tcase, the_seal_lacks_its_manifest);
    tcase_add_test(tcase, a_sealed_day_that_was_cut);
    tcase_add_test(tcase, sealed_with_a_torn_tail);
    tcase_add_test(tcase, missing_days_are_a_warning);
    tcase_add_test(tcase, findings_stay_few);
    tcase_add_test(tcase, a_flipped_bit_in_the_backup);
    tcase_add_test(tcase, a_part_that_is_missing_or_swapped);
    tcase_add_test(tcase, a_part_cut_anywhere);
    tcase_add_test(tcase, the_end_marker_is_missing);
    suite_add_tcase(suite, tcase);
    return suite;
}
