/* SPDX-License-Identifier: Apache-2.0
 *
 * Damage in the artifact is found.
 */
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

static void backup_two(void)
{
    make_database(in_folder("a.db"), "select 1", 20000);
    make_database(in_folder("b.db"), "pragma journal_mode = wal", 500);
    ck_assert_int_eq(backup(in_folder("*.db"), 2), HF_OK);
    ck_assert_int_eq(verify(2), HF_OK);
}

START_TEST(bits_that_flip)
{
    backup_two();
    struct fake_part *part = fake->parts[0];
    for (size_t i = 0; i < 64; i++)
        part->data[4096 * 3 + i] ^= 0x5a;
    ck_assert_int_eq(verify(2), HF_E_CORRUPT);
    ck_assert_str_eq(fake_find(fake, "integrity")->subject, "a");
}
END_TEST

START_TEST(a_header_that_is_lost)
{
    backup_two();
    memset(fake->parts[0]->data, 0, 100);
    ck_assert_int_eq(verify(2), HF_E_CORRUPT);
    ck_assert_str_eq(fake_find(fake, "integrity")->subject, "a");
    ck_assert_ptr_null(fake_fact(fake, "a"));
}
END_TEST

START_TEST(an_artifact_that_is_cut)
{
    backup_two();
    fake->parts[0]->used -= 4096;
    ck_assert_int_eq(verify(2), HF_E_CORRUPT);
    ck_assert_ptr_nonnull(fake_find(fake, "size"));
}
END_TEST

START_TEST(artifacts_that_are_swapped)
{
    make_database(in_folder("a.db"), "select 1", 500);
    make_database(in_folder("b.db"), "select 1", 501);
    ck_assert_int_eq(backup(in_folder("*.db"), 2), HF_OK);
    unsigned char *data = fake->parts[0]->data;
    fake->parts[0]->data = fake->parts[1]->data;
    fake->parts[1]->data = data;
    ck_assert_int_eq(verify(1), HF_E_CORRUPT);
}
END_TEST

START_TEST(a_count_that_is_wrong)
{
    backup_two();
    const char *fact = fake_fact(fake, "a");
    char *wrong = strdup(fact);
    memcpy(strstr(wrong, "20000"), "20001", 5);
    fake_set_fact(fake, "a", wrong);
    free(wrong);
    ck_assert_int_eq(verify(2), HF_E_CORRUPT);
}
END_TEST

START_TEST(facts_that_are_lost)
{
    backup_two();
    fake_set_fact(fake, "a", NULL);
    ck_assert_int_eq(verify(2), HF_E_CORRUPT); /* it reports one that is not recorded */
    ck_assert_ptr_nonnull(strstr(fake_fact(fake, "a"), "\"signals\":20000"));
}
END_TEST

START_TEST(a_part_beyond_the_end)
{
    backup_two();
    fake->parts[0]->raw_offset = UINT64_MAX - 10;
    ck_assert_int_eq(verify(1), HF_E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "outside"));
}
END_TEST

/* SQLite's message about a row that an index lacks holds the index's name, which may look like another message. */
START_TEST(an_index_whose_name_hides_its_damage)
{
    const char *path = in_folder("a.db");
    run_sql(path, "create table t (a); create index \"TEXT value in t.a\" on t (a); insert into t values (1), (2);"
                  "create table kept as select * from sqlite_schema where type = 'index'");
    run_sql(path, "pragma writable_schema = on; delete from sqlite_schema where type = 'index'");
    run_sql(path, "insert into t values (3)");
    run_sql(path, "pragma writable_schema = on; insert into sqlite_schema select * from kept");
    ck_assert_int_eq(backup_with(1, (const char *const[]){"path", path, "check", "full", NULL}), HF_E_CORRUPT);
    ck_assert_int_eq(backup_with(1, (const char *const[]){"path", path, "check", "none", NULL}), HF_OK);
    ck_assert_int_eq(verify(1), HF_E_CORRUPT);
    ck_assert_ptr_nonnull(fake_find(fake, "integrity"));
}
END_TEST

START_TEST(stopped_while_checking)
{
    backup_two();
    fake_clear(fake);
    fake_cancel(fake);
    ck_assert_int_eq(fake_verify(fake, source_operations(), plugin_self, 2), HF_E_CANCELLED);
    ck_assert_int_eq(fake_temp_entries(fake), 0);
}
END_TEST

Suite *suite_verify(void)
{
    Suite *suite = suite_create("verify");
    TCase *tests = tcase_create("verify");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, bits_that_flip);
    tcase_add_test(tests, a_header_that_is_lost);
    tcase_add_test(tests, an_artifact_that_is_cut);
    tcase_add_test(tests, artifacts_that_are_swapped);
    tcase_add_test(tests, a_count_that_is_wrong);
    tcase_add_test(tests, facts_that_are_lost);
    tcase_add_test(tests, a_part_beyond_the_end);
    tcase_add_test(tests, an_index_whose_name_hides_its_damage);
    tcase_add_test(tests, stopped_while_checking);
    suite_add_tcase(suite, tests);
    return suite;
}
