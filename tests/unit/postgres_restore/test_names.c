/* SPDX-License-Identifier: Apache-2.0
 *
 * Names: of tables that --only takes, of databases beside others.
 */
#include <stdlib.h>
#include <string.h>

#include "fake_host.h"
#include "restore.h"
#include "suites.h"

static struct fake *fake;

static void setup(void)
{
    fake = fake_new();
    pg_host = fake_host_table();
}

static void teardown(void)
{
    fake_free(fake);
}

/* ---- split ---- */

static const struct {
    const char *name, *schema, *relation; /* NULL: it is none */
} names[] = {
    {"public.t", "public", "t"},
    {"public.a b", "public", "a b"},
    {"public.a.b", "public", "a.b"},
    {"\"public\".\"a b\"", "public", "a b"},
    {"\"S.1\".\"T\"\"t\"", "S.1", "T\"t"},
    {"\"S\".t", "S", "t"},
    {"p.\"\"\"\"", "p", "\""},
    {"Gr\xc3\xbc\xc3\x9f"
     "e.\"a\nb\"",
     "Gr\xc3\xbc\xc3\x9f"
     "e",
     "a\nb"},
    {"t", NULL, NULL},
    {".t", NULL, NULL},
    {"public.", NULL, NULL},
    {"\"\".t", NULL, NULL},
    {"public.\"\"", NULL, NULL},
    {"\"public.t", NULL, NULL},
    {"public.\"t", NULL, NULL},
    {"public.\"t\"x", NULL, NULL},
    {"", NULL, NULL},
};

START_TEST(are_split)
{
    char *schema = NULL, *relation = NULL;
    bool split = pg_name_split(names[_i].name, strlen(names[_i].name), &schema, &relation);
    ck_assert_msg(split == (names[_i].schema != NULL), "'%s'", names[_i].name);
    if (split) {
        ck_assert_str_eq(schema, names[_i].schema);
        ck_assert_str_eq(relation, names[_i].relation);
    }
    free(schema);
    free(relation);
}
END_TEST

START_TEST(have_one_key_however_quoted)
{
    pg_auto_text one = pg_name_key("a.b", "c"), two = pg_name_key("a", "b.c"), same = pg_name_key("a.b", "c");
    ck_assert_str_eq(one, same);
    ck_assert_str_ne(one, two);
}
END_TEST

/* ---- only ---- */

static struct pg_only *find(const struct pg_only_list *list, const char *table)
{
    return pg_only_find(list, table, strlen(table));
}

START_TEST(of_tables_are_found_in_the_layout)
{
    pg_auto_json layout =
        json_loads("{\"public.t\": {\"part\": \"tables-1\"}, \"public.\\\"A b\\\"\": {\"part\": \"x\"}}", 0, NULL);
    struct pg_only_list list = {0};
    ck_assert_int_eq(pg_only_add(fake_ctx(fake), &list, "public.A b", layout), HF_OK);
    ck_assert_int_eq(pg_only_add(fake_ctx(fake), &list, "\"public\".\"t\"", layout), HF_OK);
    ck_assert_int_eq(pg_only_add(fake_ctx(fake), &list, "public.view", layout), HF_OK);
    ck_assert_str_eq(list.items[0].table, "public.\"A b\"");
    ck_assert_str_eq(list.items[0].group, "x");
    ck_assert_str_eq(list.items[1].group, "tables-1");
    ck_assert_ptr_null(list.items[2].table);
    ck_assert_ptr_eq(find(&list, "public.t"), &list.items[1]);
    ck_assert_ptr_eq(find(&list, "public.\"A b\""), &list.items[0]);
    ck_assert_ptr_eq(find(&list, "public.view"), &list.items[2]);
    ck_assert_ptr_null(find(&list, "public.tt"));
    ck_assert_ptr_null(find(&list, "other.t"));
    pg_only_clear(&list);
    ck_assert_uint_eq(list.count, 0);
}
END_TEST

START_TEST(of_tables_without_a_layout)
{
    struct pg_only_list list = {0};
    ck_assert_int_eq(pg_only_add(fake_ctx(fake), &list, "public.t", NULL), HF_OK);
    ck_assert_ptr_null(list.items[0].group);
    ck_assert_ptr_nonnull(find(&list, "public.t"));
    pg_only_clear(&list);
}
END_TEST

START_TEST(without_a_schema_are_refused)
{
    struct pg_only_list list = {0};
    ck_assert_int_eq(pg_only_add(fake_ctx(fake), &list, "orders", NULL), HF_E_CONFIG);
    ck_assert_str_eq(fake_hint(fake), "write it with its schema: public.orders");
    pg_only_clear(&list);
}
END_TEST

/* ---- beside ---- */

START_TEST(beside_that_fit_are_plain)
{
    char name[PG_NAME_ROOM];
    pg_name_beside("omen", "restore", "postgres_20260201_120000", name);
    ck_assert_str_eq(name, "omen_restore_postgres_20260201_120000");
}
END_TEST

START_TEST(beside_that_are_long_are_told_apart)
{
    char one[PG_NAME_ROOM], two[PG_NAME_ROOM], three[PG_NAME_ROOM];
    char database[] = "a_database_with_a_name_that_takes_all_the_room_there_is_for_one";
    ck_assert_uint_eq(strlen(database), PG_NAME_MAX);
    pg_name_beside(database, "before", "postgres_20260201_120000", one);
    database[60] = 'x';
    pg_name_beside(database, "before", "postgres_20260201_120000", two);
    pg_name_beside(database, "before", "postgres_20260201_120001", three);
    ck_assert_uint_eq(strlen(one), PG_NAME_MAX);
    ck_assert_ptr_nonnull(strstr(one, "_before_postgres_20260201_120000_"));
    ck_assert_str_ne(one, two);
    ck_assert_str_ne(two, three);
}
END_TEST

/* Cut between characters, at whatever length. */
START_TEST(beside_stay_utf8)
{
    char database[80] = "", name[PG_NAME_ROOM];
    for (size_t ascii = 0; ascii < 4; ascii++) {
        memset(database, 'a', ascii);
        database[ascii] = 0;
        for (int i = 0; i < 15; i++)
            strcat(database, "\xf0\x9f\x90\x98"); /* an elephant */
        pg_name_beside(database, "restore", "p_20260201_120000", name);
        ck_assert_uint_le(strlen(name), PG_NAME_MAX);
        const char *end = strstr(name, "_restore_");
        ck_assert_ptr_nonnull(end);
        ck_assert_uint_eq(((size_t)(end - name) - ascii) % 4, 0);
    }
}
END_TEST

Suite *suite_names(void)
{
    Suite *suite = suite_create("names");
    TCase *tests = tcase_create("names");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, are_split, 0, sizeof(names) / sizeof(*names));
    tcase_add_test(tests, have_one_key_however_quoted);
    tcase_add_test(tests, of_tables_are_found_in_the_layout);
    tcase_add_test(tests, of_tables_without_a_layout);
    tcase_add_test(tests, without_a_schema_are_refused);
    tcase_add_test(tests, beside_that_fit_are_plain);
    tcase_add_test(tests, beside_that_are_long_are_told_apart);
    tcase_add_test(tests, beside_stay_utf8);
    suite_add_tcase(suite, tests);
    return suite;
}
