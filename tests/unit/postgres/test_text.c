/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

START_TEST(grows)
{
    struct pg_text text = {0};
    ck_assert_ptr_null(text.data);
    for (int i = 0; i < 1000; i++)
        pg_text_addf(&text, "%d,", i);
    ck_assert_uint_eq(text.used, 3890);
    ck_assert_uint_eq(strlen(text.data), text.used);
    pg_text_add_bytes(&text, "a\0b", 3);
    ck_assert_uint_eq(text.used, 3893);
    ck_assert_int_eq(memcmp(text.data + 3890, "a\0b\0", 4), 0);
    pg_text_add_bytes(&text, NULL, 0);
    ck_assert_int_eq(pg_text_check(&text, fake_ctx(fake)), HF_OK);
    pg_text_clear(&text);
    ck_assert_ptr_null(text.data);
}
END_TEST

START_TEST(failure_is_kept)
{
    struct pg_text text = {0};
    pg_text_add(&text, "x");
    pg_text_add_bytes(&text, "y", SIZE_MAX - 1);
    pg_text_add(&text, "z");
    ck_assert_str_eq(text.data, "x");
    ck_assert_int_eq(pg_text_check(&text, fake_ctx(fake)), HF_E_NOMEM);
    ck_assert_str_eq(fake_error(fake), "out of memory");
    pg_text_clear(&text);
}
END_TEST

START_TEST(formats)
{
    pg_auto_text text = pg_format(fake_ctx(fake), "%s-%d", "a", 7), empty = pg_format(fake_ctx(fake), "%s", "");
    ck_assert_str_eq(text, "a-7");
    ck_assert_str_eq(empty, "");
}
END_TEST

Suite *suite_text(void)
{
    Suite *suite = suite_create("postgres/text");
    TCase *tests = tcase_create("text");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, grows);
    tcase_add_test(tests, failure_is_kept);
    tcase_add_test(tests, formats);
    suite_add_tcase(suite, tests);
    return suite;
}
