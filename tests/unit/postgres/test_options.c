/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "fixture.h"

START_TEST(table_is_complete)
{
    for (size_t i = 0; i < PG_OPTION_COUNT; i++) {
        ck_assert_ptr_nonnull(pg_options[i].key);
        ck_assert_ptr_nonnull(pg_options[i].help);
        ck_assert_int_ne(pg_options[i].help[strlen(pg_options[i].help) - 1], '.');
    }
}
END_TEST

START_TEST(defaults)
{
    ck_assert_int_eq(open_source(NULL), HF_OK);
    ck_assert_ptr_null(source->url);
    ck_assert_ptr_null(source->service);
    ck_assert_ptr_null(source->pg_bin);
    ck_assert_str_eq(source->maintenance_db, "postgres");
    ck_assert_int_eq(source->connect_timeout_ms, 15000);
    ck_assert_int_eq(source->lock_timeout_ms, 30000);
    ck_assert_int_eq(source->part_bytes, 32 << 20);
    ck_assert_int_eq(source->maintenance_work_mem, 256 << 20);
    ck_assert(source->owner && source->acl && source->analyze && source->compare);
    ck_assert(!source->globals && !source->role_passwords && !source->amcheck);
    ck_assert_uint_eq(source->databases.count, 0);
}
END_TEST

START_TEST(lists)
{
    ck_assert_int_eq(open_source((const char *const[]){"databases", "shop* erp", "exclude_databases", "shop_test",
                                                       "exclude_table_data", "log.* \"public.\"\"Old Events\"\"\"",
                                                       "schema", "a b", NULL}),
                     HF_OK);
    ck_assert_uint_eq(source->databases.count, 2);
    ck_assert_str_eq(source->databases.items[1], "erp");
    ck_assert_uint_eq(source->exclude_databases.count, 1);
    ck_assert_uint_eq(source->schema.count, 2);
    ck_assert_uint_eq(source->exclude_table_data.count, 2);
    ck_assert_str_eq(source->exclude_table_data.items[1], "public.\"Old Events\"");
}
END_TEST

static const struct {
    const char *pairs[5], *error;
} mistakes[] = {
    {{"url", "host=x", "service", "y"}, "'url' and 'service' are both set"},
    {{"url", ""}, "'url' is empty"},
    {{"service", ""}, "'service' is empty"},
    {{"maintenance_db", ""}, "'maintenance_db' is empty"},
    {{"role_passwords", "yes"}, "'role_passwords' is set without 'globals'"},
    {{"exclude_databases", "a"}, "'exclude_databases' is set without 'databases'"},
    {{"table", "a", "schema", "b"}, "'schema' and 'exclude_schema' do nothing beside 'table', as in pg_dump"},
    {{"table", "a.b.c"}, "'table': pattern 'a.b.c': it has more than a schema and a name"},
    {{"schema", "a.b"}, "'schema': pattern 'a.b': it names two things"},
    {{"databases", "a.b"}, "'databases': pattern 'a.b': it names two things"},
};

START_TEST(mistakes_are_told)
{
    ck_assert_int_eq(open_source((const char *const *)mistakes[_i].pairs), HF_E_CONFIG);
    ck_assert_str_eq(fake_error(fake), mistakes[_i].error);
    ck_assert_str_ne(fake_hint(fake), "");
}
END_TEST

/* Any of them may come out of a slip of the pen, and none may be shown. */
static const char *const malformed[] = {
    "SECRET",
    "postgres://u:SEC@RET@db/x",
    "postgres://u:SEC/RET@db/x",
    "postgres://u:5/SECRET@db/x",
    "postgresql://u:%zzSECRET@db/x",
    "postgres://u:SECRET@[::1/x",
    "postgres://u:p@db/x?SECRET=1",
    "host=db password=my SECRET",
    "host=db password='SECRET",
    "host=db SECRET=1",
    "mysql://u:SECRET@db/x",
    "postgres://u:SECRET@db/x?a=b=c",
    "postgres://u:SECRET@[::1]x/y",
};

START_TEST(malformed_urls_are_not_shown)
{
    ck_assert_int_eq(open_source((const char *const[]){"url", malformed[_i], NULL}), HF_E_CONFIG);
    ck_assert_msg(!strstr(fake_error(fake), "SEC") && !strstr(fake_error(fake), "RET"), "%s", fake_error(fake));
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "'url' is not understood: "));
    ck_assert_ptr_nonnull(strstr(fake_hint(fake), "%40"));
}
END_TEST

static const char *const well_formed[] = {
    "postgresql://u:p%40ss@db:5433/x?sslmode=require&application_name=me",
    "postgres:///?service=shop",
    "postgres://db1:1,db2:2/x?target_session_attrs=primary",
    "postgres://u%40h@db/x",
    "postgres://u@db/a@b",
    "host=/tmp dbname='a b' password='p@ss word\\''",
    "service=shop",
};

START_TEST(well_formed_urls)
{
    ck_assert_msg(open_source((const char *const[]){"url", well_formed[_i], NULL}) == HF_OK, "%s", fake_error(fake));
}
END_TEST

Suite *suite_options(void)
{
    Suite *suite = suite_create("postgres/options");
    TCase *tests = tcase_create("options");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, table_is_complete);
    tcase_add_test(tests, defaults);
    tcase_add_test(tests, lists);
    tcase_add_loop_test(tests, mistakes_are_told, 0, sizeof(mistakes) / sizeof(*mistakes));
    tcase_add_loop_test(tests, malformed_urls_are_not_shown, 0, sizeof(malformed) / sizeof(*malformed));
    tcase_add_loop_test(tests, well_formed_urls, 0, sizeof(well_formed) / sizeof(*well_formed));
    suite_add_tcase(suite, tests);
    return suite;
}
