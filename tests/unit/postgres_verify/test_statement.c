/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements taken apart.
 */
#include <stdlib.h>
#include <string.h>

#include "artifact.h"
#include "statement.h"

START_TEST(columns_are_counted)
{
    static const struct {
        const char *text;
        unsigned count;
    } cases[] = {
        {"", 0},
        {"()", 0},
        {"(a)", 1},
        {"(a, b)", 2},
        {"(\"a,b\")", 1},
        {"(\"a\"\",\"\"b\", c)", 2},
        {"(\"(\", \")\")", 2},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        ck_assert_uint_eq(pg_count_columns(cases[i].text, strlen(cases[i].text)), cases[i].count);
}
END_TEST

static void expect_setval(const char *text, const char *name, int64_t value, bool called)
{
    char *found = NULL;
    int64_t number = 0;
    bool flag = !called;
    ck_assert_msg(pg_setval_parts(text, &found, &number, &flag), "%s", text);
    ck_assert_str_eq(found, name);
    ck_assert_int_eq(number, value);
    ck_assert(flag == called);
    free(found);
}

START_TEST(sequences_are_read)
{
    expect_setval("SELECT pg_catalog.setval('public.s', 5, true)", "public.s", 5, true);
    expect_setval("SELECT pg_catalog.setval('public.s', 1, false)", "public.s", 1, false);
    expect_setval("SELECT pg_catalog.setval('public.s', -9223372036854775808, true)", "public.s", INT64_MIN, true);
    expect_setval("SELECT pg_catalog.setval('public.\"it''s\"', 5, true)", "public.\"it's\"", 5, true);
    expect_setval("SELECT pg_catalog.setval('public.\"a\\b\"', 5, true)", "public.\"a\\b\"", 5, true);
    expect_setval("SELECT pg_catalog.setval( E'public.\"a\\\\b''c\"', 5, true)", "public.\"a\\b'c\"", 5, true);
}
END_TEST

START_TEST(sequences_that_are_not)
{
    static const char *const cases[] = {
        "SELECT pg_catalog.setval('public.s', 5, true",
        "SELECT pg_catalog.setval('public.s', 5)",
        "SELECT pg_catalog.setval('public.s', , true)",
        "SELECT pg_catalog.setval('public.s, 5, true)",
        "SELECT pg_catalog.setval(E'public.s\\",
        "SELECT pg_catalog.setval('public.s', 9223372036854775808, true)",
        "SELECT pg_catalog.setval('public.s', 5, true); DROP TABLE t",
        "SELECT pg_catalog.nextval('public.s')",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *name = NULL;
        int64_t value;
        bool called;
        ck_assert_msg(!pg_setval_parts(cases[i], &name, &value, &called), "%s", cases[i]);
    }
}
END_TEST

static enum pg_object_step step(const char *text, uint64_t *value)
{
    return pg_object_parts(text, strlen(text), value);
}

START_TEST(large_objects_are_read)
{
    uint64_t value = 0;
    ck_assert_int_eq(step("SELECT pg_catalog.lo_open('4294967295', 131072)", &value), PG_OBJECT_OPEN);
    ck_assert_uint_eq(value, UINT32_MAX);
    ck_assert_int_eq(step("SELECT pg_catalog.lowrite(0, '\\x00ffA0')", &value), PG_OBJECT_WRITE);
    ck_assert_uint_eq(value, 3);
    ck_assert_int_eq(step("SELECT pg_catalog.lowrite(0, '\\x')", &value), PG_OBJECT_WRITE);
    ck_assert_uint_eq(value, 0);
    ck_assert_int_eq(step("SELECT pg_catalog.lo_close(0)", &value), PG_OBJECT_CLOSE);
}
END_TEST

START_TEST(large_objects_that_are_not)
{
    static const char *const cases[] = {
        "SELECT pg_catalog.lo_open('4294967296', 131072)",
        "SELECT pg_catalog.lo_open('', 131072)",
        "SELECT pg_catalog.lo_open('1', 131073)",
        "SELECT pg_catalog.lowrite(0, '\\x0')",
        "SELECT pg_catalog.lowrite(0, '\\xgg')",
        "SELECT pg_catalog.lowrite(1, '\\x00')",
        "SELECT pg_catalog.lo_close(1)",
        "SELECT pg_catalog.lo_close(0), 1",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint64_t value;
        ck_assert_msg(step(cases[i], &value) == PG_OBJECT_NONE, "%s", cases[i]);
        ck_assert_msg(pg_is_object(cases[i]), "%s", cases[i]);
    }
    ck_assert(!pg_is_object("SELECT pg_catalog.lo_create('1')"));
}
END_TEST

Suite *suite_statement(void)
{
    Suite *suite = suite_create("statement");
    TCase *tests = tcase_create("statement");
    tcase_add_test(tests, columns_are_counted);
    tcase_add_test(tests, sequences_are_read);
    tcase_add_test(tests, sequences_that_are_not);
    tcase_add_test(tests, large_objects_are_read);
    tcase_add_test(tests, large_objects_that_are_not);
    suite_add_tcase(suite, tests);
    return suite;
}
