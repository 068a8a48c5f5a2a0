/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <fake_internal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct bench b;

static void setup(void)
{
    bench_open(&b);
}

static void teardown(void)
{
    bench_close(&b);
}

static void unpack_with_tar(const char *name)
{
    size_t size;
    unsigned char *data = fake_artifact(b.fake, "", &size);

    spit(bench_path(&b, "artifact.tar"), data, size);
    free(data);
    ck_assert_int_eq(shell("mkdir '%s/%s' && tar -xf '%s/artifact.tar' -C '%s/%s'", b.root, name, b.root, b.root, name),
                     0);
}

START_TEST(tar_gives_the_ledger_back)
{
    static const char *const left_out[] = {"_LOCK", "_CURRENT.tmp", NULL};

    make_day(&b, "2026-01-29", 3, 50);
    seal_day(&b, "2026-01-29");
    make_day(&b, "2026-01-29-late", 1, 5);
    make_day(&b, "2026-01-30", 2, 20);
    mkdir(bench_path(&b, "ledger/_archive"), 0700);
    mkdir(bench_path(&b, "ledger/_archive/2025-01-01"), 0755);
    spit(bench_path(&b, "ledger/_archive/2025-01-01/old"), "old", 3);
    spit(bench_path(&b, "ledger/README"), "hello", 5);
    spit(bench_path(&b, "ledger/2026-01-30/notes"), "kept", 4);
    spit(bench_path(&b, "ledger/2026-01-30/_LOCK"), "", 0);
    spit(bench_path(&b, "ledger/2026-01-30/_CURRENT.tmp"), "signals-009.wal", 15);
    bench_backup(&b, HF_OK);
    ck_assert_int_eq(fake_worst(b.fake), 0);
    unpack_with_tar("by-tar");
    ck_assert(same_trees(b.ledger, bench_path(&b, "by-tar/ledger"), left_out));

    ck_assert_int_eq(fact_number(&b, "2026-01-29", "records"), 150);
    ck_assert_int_eq(fact_number(&b, "2026-01-29", "sealed"), 1);
    ck_assert_int_eq(fact_number(&b, "2026-01-29", "first_sequence"), 4294967297);
    ck_assert_int_eq(fact_number(&b, "2026-01-29", "last_sequence"), 3ll << 32 | 50);
    ck_assert_int_eq(fact_number(&b, "2026-01-29-late", "records"), 5);
    ck_assert_int_eq(fact_number(&b, "ledger", "partitions"), 3);

    fake_clear(b.fake);
    ck_assert_int_eq(fake_verify(b.fake, b.source, b.self, 2), HF_OK);
    ck_assert_int_eq(fake_worst(b.fake), 0);
}
END_TEST

START_TEST(parts_follow_the_days)
{
    static const char *const names[] = {"base", "2026-01-29", "2026-01-29-late", "2026-01-30", "end"};

    make_day(&b, "2026-01-30", 1, 5);
    make_day(&b, "2026-01-29-late", 1, 5);
    make_day(&b, "2026-01-29", 1, 5);
    bench_backup(&b, HF_OK);
    ck_assert_uint_eq(b.fake->part_count, 5);
    for (size_t i = 0; i < 5; i++)
        ck_assert_str_eq(b.fake->parts[i]->name, names[i]);
    ck_assert_str_eq(b.fake->parts[0]->suffix, ".tar");
    ck_assert_uint_eq(b.fake->parts[4]->used, 1024);
}
END_TEST

START_TEST(the_real_writers_partition)
{
    ck_assert_int_eq(shell("cp -r '%s/omen-ledger/2026-01-29' '%s'", FIXTURES, b.ledger), 0);
    bench_backup(&b, HF_OK);
    ck_assert_int_eq(fact_number(&b, "2026-01-29", "records"), 10);
    ck_assert_int_eq(fact_number(&b, "2026-01-29", "bytes"), 13122);
    ck_assert_int_eq(fake_worst(b.fake), 0);
    unpack_with_tar("by-tar");
    ck_assert(same_trees(b.ledger, bench_path(&b, "by-tar/ledger"), NULL));
}
END_TEST

START_TEST(a_torn_tail_is_left_out_and_told)
{
    const char *segment = bench_path(&b, "ledger/2026-01-29/signals-002.wal");
    struct stat st;

    make_day(&b, "2026-01-29", 2, 20);
    stat(segment, &st);
    append_to(segment, "\0\0\1\0\1\2\3\4{\"signal_id\"", 20);
    bench_backup(&b, HF_OK);
    ck_assert_int_eq(count_findings(&b, "torn-tail"), 1);
    ck_assert_int_eq(fake_worst(b.fake), HF_INFO);
    ck_assert_int_eq(fact_number(&b, "2026-01-29", "records"), 40);
    ck_assert_int_eq(fact_number(&b, "2026-01-29", "lost_bytes"), 0);
    unpack_with_tar("by-tar");
    struct stat copy;
    ck_assert_int_eq(stat(bench_path(&b, "by-tar/ledger/2026-01-29/signals-002.wal"), &copy), 0);
    ck_assert_int_eq(copy.st_size, st.st_size);
    fake_clear(b.fake);
    ck_assert_int_eq(fake_verify(b.fake, b.source, b.self, 2), HF_OK);
    ck_assert_int_eq(fake_worst(b.fake), 0);
}
END_TEST

START_TEST(gzipped_segments_count_as_plain_ones)
{
    make_day(&b, "2026-01-29", 2, 30);
    seal_day(&b, "2026-01-29");
    bench_backup(&b, HF_OK);
    long long bytes = fact_number(&b, "2026-01-29", "bytes");
    gzip_file(bench_path(&b, "ledger/2026-01-29/signals-001.wal"));
    gzip_file(bench_path(&b, "ledger/2026-01-29/signals-002.wal"));
    bench_backup(&b, HF_OK);
    ck_assert_int_eq(fake_worst(b.fake), 0);
    ck_assert_int_eq(fact_number(&b, "2026-01-29", "records"), 60);
    ck_assert_int_eq(fact_number(&b, "2026-01-29", "bytes"), bytes);
    fake_clear(b.fake);
    ck_assert_int_eq(fake_verify(b.fake, b.source, b.self, 2), HF_OK);
}
END_TEST

START_TEST(a_segment_that_is_being_gzipped_is_taken_plain)
{
    make_day(&b, "2026-01-29", 2, 30);
    seal_day(&b, "2026-01-29");
    spit(bench_path(&b, "ledger/2026-01-29/signals-001.wal.gz"), "\x1f\x8b\x08", 3);
    bench_backup(&b, HF_OK);
    ck_assert_int_eq(fake_worst(b.fake), HF_INFO);
    ck_assert_int_eq(count_findings(&b, "segment-twice"), 1);
    ck_assert_int_eq(fact_number(&b, "2026-01-29", "records"), 60);
    fake_clear(b.fake);
    ck_assert_int_eq(fake_verify(b.fake, b.source, b.self, 2), HF_OK);
}
END_TEST

START_TEST(more_than_a_thousand_segments)
{
    make_day(&b, "2026-01-29", 1003, 2);
    bench_backup(&b, HF_OK);
    ck_assert_int_eq(fake_worst(b.fake), 0);
    ck_assert_int_eq(fact_number(&b, "2026-01-29", "records"), 2006);
    fake_clear(b.fake);
    ck_assert_int_eq(fake_verify(b.fake, b.source, b.self, 2), HF_OK);
}
END_TEST

START_TEST(links_are_left_out_with_an_error)
{
    make_day(&b, "2026-01-29", 1, 5);
    ck_assert_int_eq(symlink("signals-001.wal", bench_path(&b, "ledger/2026-01-29/signals-002.wal")), 0);
    ck_assert_int_eq(symlink("/etc", bench_path(&b, "ledger/2026-01-30")), 0);
    ck_assert_int_eq(mkfifo(bench_path(&b, "ledger/2026-01-29/pipe"), 0600), 0);
    bench_backup(&b, HF_OK);
    ck_assert_int_eq(count_findings(&b, "left-out"), 3);
    ck_assert_int_eq(fake_worst(b.fake), HF_ERROR);
}
END_TEST

START_TEST(an_empty_ledger_is_told)
{
    bench_backup(&b, HF_OK);
    ck_assert_int_eq(count_findings(&b, "empty-ledger"), 1);
    fake_clear(b.fake);
    ck_assert_int_eq(fake_verify(b.fake, b.source, b.self, 2), HF_OK);
}
END_TEST

START_TEST(a_missing_ledger_fails)
{
    rmdir(b.ledger);
    bench_backup(&b, HF_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(fake_error(b.fake), b.ledger));
    fake_clear(b.fake);
    ck_assert_int_eq(b.source->check(b.self, fake_ctx(b.fake)), HF_E_NOTFOUND);
    ck_assert_ptr_nonnull(fake_hint(b.fake));
}
END_TEST

START_TEST(check_looks_at_every_partition)
{
    make_day(&b, "2026-01-29", 1, 5);
    make_day(&b, "2026-01-30", 1, 5);
    ck_assert_int_eq(b.source->check(b.self, fake_ctx(b.fake)), HF_OK);
    ck_assert_int_eq(fake_worst(b.fake), 0);
    unlink(bench_path(&b, "ledger/2026-01-30/_CURRENT"));
    ck_assert_int_eq(b.source->check(b.self, fake_ctx(b.fake)), HF_OK);
    ck_assert_int_eq(count_findings(&b, "no-current"), 1);
}
END_TEST

START_TEST(a_partition_that_vanishes)
{
    struct hf_part part = {.size = sizeof(part)};
    struct fake_part memory = {0};
    struct hf_writer writer = {.fake = b.fake, .part = &memory};
    void *session;

    make_day(&b, "2026-01-29", 1, 5);
    ck_assert_int_eq(b.source->begin(b.self, fake_ctx(b.fake), &session), HF_OK);
    ck_assert_int_eq(shell("rm -r '%s/2026-01-29'", b.ledger), 0);
    ck_assert_int_eq(b.source->next_part(session, fake_ctx(b.fake), &part), HF_OK);
    ck_assert_int_eq(b.source->next_part(session, fake_ctx(b.fake), &part), HF_OK);
    ck_assert_str_eq(part.name, "2026-01-29");
    ck_assert_int_eq(b.source->backup_part(session, fake_ctx(b.fake), &part, &writer), HF_OK);
    ck_assert_uint_eq(memory.used, 0);
    ck_assert_int_eq(fake_find(b.fake, "vanished")->severity, HF_ERROR);
    ck_assert_ptr_null(fake_fact(b.fake, "2026-01-29"));
    ck_assert_int_eq(b.source->end(session, fake_ctx(b.fake), HF_OK), HF_OK);
    ck_assert_int_eq(fact_number(&b, "ledger", "partitions"), 0);
}
END_TEST

START_TEST(a_full_pipeline_stops_the_backup)
{
    make_day(&b, "2026-01-29", 2, 2000);
    b.fake->fail_write_after = 100000;
    bench_backup(&b, HF_E_IO);
    b.fake->fail_write_after = 0;
    b.fake->cancel_after = 100000;
    bench_backup(&b, HF_E_CANCELLED);
}
END_TEST

Suite *backup_suite(void)
{
    Suite *suite = suite_create("ledger: backup");
    TCase *tcase = tcase_create("backup");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, tar_gives_the_ledger_back);
    tcase_add_test(tcase, parts_follow_the_days);
    tcase_add_test(tcase, the_real_writers_partition);
    tcase_add_test(tcase, a_torn_tail_is_left_out_and_told);
    tcase_add_test(tcase, gzipped_segments_count_as_plain_ones);
    tcase_add_test(tcase, a_segment_that_is_being_gzipped_is_taken_plain);
    tcase_add_test(tcase, more_than_a_thousand_segments);
    tcase_add_test(tcase, links_are_left_out_with_an_error);
    tcase_add_test(tcase, an_empty_ledger_is_told);
    tcase_add_test(tcase, a_missing_ledger_fails);
    tcase_add_test(tcase, check_looks_at_every_partition);
    tcase_add_test(tcase, a_partition_that_vanishes);
    tcase_add_test(tcase, a_full_pipeline_stops_the_backup);
    suite_add_tcase(suite, tcase);
    return suite;
}
