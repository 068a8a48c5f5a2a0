/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "fixture.h"

START_TEST(keys)
{
    char key[PG_KEY_MAX], lengthy[300];
    pg_key(key, "", "tables");
    ck_assert_str_eq(key, "tables");
    pg_key(key, "shop", "tables");
    ck_assert_str_eq(key, "shop/tables");
    memset(lengthy, 'x', sizeof(lengthy) - 1);
    lengthy[sizeof(lengthy) - 1] = 0;
    pg_key(key, lengthy, "tables");
    ck_assert_uint_eq(strlen(key), PG_KEY_MAX - 1);
    ck_assert_str_eq(key + PG_KEY_MAX - 8, "/tables");
}
END_TEST

START_TEST(rows_and_back)
{
    struct pg_rows rows = {.rows = 5, .sum = 0x0123456789abcdef}, back = {0};
    pg_auto_json object = pg_rows_json(&rows);
    pg_auto_text text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    ck_assert_str_eq(text, "{\"rows\":5,\"sum\":\"0123456789abcdef\"}");
    ck_assert(pg_rows_of_json(object, &back));
    ck_assert_uint_eq(back.rows, rows.rows);
    ck_assert_uint_eq(back.sum, rows.sum);
}
END_TEST

START_TEST(strange_rows)
{
    static const char *const texts[] = {"[]",
                                        "{}",
                                        "{\"rows\":-1,\"sum\":\"0123456789abcdef\"}",
                                        "{\"rows\":\"1\",\"sum\":\"0123456789abcdef\"}",
                                        "{\"rows\":1,\"sum\":\"123\"}",
                                        "{\"rows\":1,\"sum\":\"0123456789ABCDEF\"}",
                                        "{\"rows\":1,\"sum\":7}"};
    struct pg_rows rows = {1, 2};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        pg_auto_json object = json_loads(texts[i], 0, NULL);
        ck_assert_ptr_nonnull(object);
        ck_assert_msg(!pg_rows_of_json(object, &rows), "%s", texts[i]);
    }
    ck_assert(!pg_rows_of_json(NULL, &rows));
    ck_assert_uint_eq(rows.sum, 2);
}
END_TEST

/* What is reported becomes what is recorded. */
static json_t *around(const char *artifact, json_t *value)
{
    char key[PG_KEY_MAX];
    ck_assert_int_eq(pg_report_fact(fake_ctx(fake), artifact, "tables", value), HF_OK);
    pg_key(key, artifact, "tables");
    fake_set_fact(fake, key, fake_fact(fake, key));
    return pg_recorded_fact(fake_ctx(fake), artifact, "tables");
}

START_TEST(reported_and_recorded)
{
    pg_auto_json value = json_pack("{s:i, s:[s, b]}", "public.t", 1, "public.\"ä\xEF\x9D\xBF\"", "x", 1);
    pg_auto_json back = around("shop", json_incref(value));
    ck_assert(json_equal(value, back));
    ck_assert_ptr_nonnull(strstr(fake_fact(fake, "shop/tables"), "ä"));
    ck_assert_ptr_null(pg_recorded_fact(fake_ctx(fake), "", "tables"));
    ck_assert_int_eq(pg_report_context(fake_ctx(fake), "", "server", json_pack("{s:i}", "number", 150020)), HF_OK);
    fake_set_context(fake, "server", fake_context(fake, "server"));
    pg_auto_json server = pg_recorded_context(fake_ctx(fake), "", "server");
    ck_assert_int_eq(json_integer_value(json_object_get(server, "number")), 150020);
    ck_assert_int_eq(pg_report_fact(fake_ctx(fake), "", "none", NULL), HF_E_NOMEM);
}
END_TEST

/* Names in LATIN1, and names that look like what those become. */
START_TEST(bytes_that_are_not_utf8)
{
    static const char *const names[] = {"gr\xF6\xDFx",       "\xC3\xA4",         "\xEF\x9E\x80",
                                        "\xEF\x9F\xBF|\xFF", "\xC0\x80",         "\xED\xA0\x80",
                                        "\xE2\x82",          "\xF5\x80\x80\x80", "\x80"};
    json_t *value = json_object();
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        json_object_set_new_nocheck(value, names[i], json_string_nocheck(names[i]));
    pg_auto_json back = around("", json_incref(value));
    ck_assert_uint_eq(json_object_size(back), sizeof(names) / sizeof(*names));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        ck_assert_str_eq(json_string_value(json_object_get(back, names[i])), names[i]);
    json_decref(value);
}
END_TEST

START_TEST(what_is_no_object)
{
    fake_set_fact(fake, "tables", "[1]");
    ck_assert_ptr_null(pg_recorded_fact(fake_ctx(fake), "", "tables"));
}
END_TEST

Suite *suite_records(void)
{
    Suite *suite = suite_create("postgres/records");
    TCase *tests = tcase_create("records");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, keys);
    tcase_add_test(tests, rows_and_back);
    tcase_add_test(tests, strange_rows);
    tcase_add_test(tests, reported_and_recorded);
    tcase_add_test(tests, bytes_that_are_not_utf8);
    tcase_add_test(tests, what_is_no_object);
    suite_add_tcase(suite, tests);
    return suite;
}
