/* SPDX-License-Identifier: Apache-2.0
 *
 * Damage is found, wherever it is, also without the digests.
 */
#include <stdlib.h>
#include <string.h>

#include "artifact.h"

static const char layout[] = "{\"public.t\":{\"part\":\"t\"},\"public.u\":{\"part\":\"u\"}}";
static struct fake_part *first, *rows, *others, *sequences, *objects, *last;

static void setup(void)
{
    artifact_setup();
    first = add_part("", 0, "pre-data", "",
                     "--\n-- PostgreSQL database dump\n--\n\n\\restrict Key1\n\nSET client_encoding = 'UTF8';\n\n"
                     "CREATE TABLE public.t (a integer, b text);\n\n\nCREATE FUNCTION public.f() RETURNS text\n"
                     "    LANGUAGE sql\n    AS $_$ select ';' || $1 $_$;\n");
    rows = add_part("", 1, "t:1", "t",
                    "COPY public.t (a, b) FROM stdin;\n1\tone\n2\t\\N\n3\ttab\\there, back\\\\slash\n4\t\n\\.\n");
    others = add_part("", 1, "u:1", "u", "COPY public.u (a, b) FROM stdin;\n5\tfive\n\\.\n");
    sequences = add_part("", 1, "sequences", "sequences", "SELECT pg_catalog.setval('public.s', 5, true);\n");
    objects = add_part("", 1, "large-objects", "large-objects",
                       "BEGIN;\n\nSELECT pg_catalog.lo_create('7');\nSELECT pg_catalog.lo_open('7', 131072);\n"
                       "SELECT pg_catalog.lowrite(0, '\\x0102');\nSELECT pg_catalog.lowrite(0, '\\x03');\n"
                       "SELECT pg_catalog.lo_close(0);\n\nCOMMIT;\n");
    last = add_part("", 3, "post-data", "",
                    "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (a);\n\n\n"
                    "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict Key1\n");
    fake_set_context(fake, "layout", layout);
    learn();
}

static void expect_damage(const char *said)
{
    ck_assert_int_eq(verify(2), HF_E_CORRUPT);
    ck_assert_msg(strstr(fake_error(fake), said) != NULL, "'%s' instead of '%s'", fake_error(fake), said);
}

static void expect_finding(const char *code, const char *subject)
{
    ck_assert_int_eq(verify(2), HF_E_CORRUPT);
    ck_assert_str_eq(fake_error(fake), "");
    const struct fake_finding *finding = fake_find(fake, code);
    ck_assert_msg(finding != NULL, "no finding '%s'", code);
    ck_assert_str_eq(finding->subject, subject);
}

START_TEST(rows_that_are_cut_anywhere)
{
    struct fake_part *const parts[] = {rows, sequences};
    for (size_t i = 0; i < 2; i++) {
        size_t size = parts[i]->used;
        for (parts[i]->used = 0; parts[i]->used + 1 < size; parts[i]->used++)
            ck_assert_msg(verify(1) == HF_E_CORRUPT, "cut at %zu", parts[i]->used);
        parts[i]->used = size;
    }
}
END_TEST

/* Between two of its statements a schema can be cut without being the worse SQL, which only the digest shows. */
START_TEST(a_schema_that_is_cut)
{
    const char *text = (const char *)first->data;
    size_t size = first->used;
    for (first->used = (size_t)(strstr(text, "CREATE TABLE") - text) + 1; first->used < size - 2; first->used++) {
        bool between = first->used >= (size_t)(strstr(text, ";\n\n\nCREATE F") - text) + 1 &&
                       first->used <= (size_t)(strstr(text, "CREATE F") - text);
        ck_assert_msg(between || verify(1) == HF_E_CORRUPT, "cut at %zu", first->used);
    }
    first->used = size;
    ck_assert_int_eq(verify(1), HF_OK);
}
END_TEST

START_TEST(bits_that_flip)
{
    char *begin = strchr((char *)rows->data, '\n') + 1;
    for (char *at = begin; at < (char *)rows->data + rows->used - 1; at++) {
        for (int bit = 0; bit < 8; bit++) {
            *at = (char)(*at ^ 1 << bit);
            ck_assert_msg(verify(1) == HF_E_CORRUPT, "bit %d of byte %td", bit, at - begin);
            *at = (char)(*at ^ 1 << bit);
        }
    }
    ck_assert_int_eq(verify(1), HF_OK);
}
END_TEST

START_TEST(a_digit_that_is_another)
{
    change(rows, "1\tone", "7\tone");
    expect_finding("rows-differ", "public.t");
    ck_assert_ptr_nonnull(strstr(fake_find(fake, "rows-differ")->text, "not with what was in them"));
}
END_TEST

START_TEST(data_without_an_end)
{
    change(rows, "\\.\n", "");
    expect_damage("");
    ck_assert_str_ne(fake_error(fake), "");
}
END_TEST

START_TEST(a_row_more)
{
    change(rows, "1\tone\n", "1\tone\n1\tone\n");
    expect_finding("rows-differ", "public.t");
    ck_assert_ptr_nonnull(
        strstr(fake_find(fake, "rows-differ")->text, "4 rows were backed up, and the artifact has 5"));
}
END_TEST

START_TEST(a_row_less)
{
    change(rows, "4\t\n", "");
    expect_finding("rows-differ", "public.t");
}
END_TEST

START_TEST(a_field_more)
{
    change(rows, "1\tone", "1\tone\t2");
    expect_damage("data of table 'public.t': row 1 ");
}
END_TEST

START_TEST(a_field_less)
{
    change(rows, "4\t\n", "4\n");
    expect_damage("data of table 'public.t': row 4 ");
}
END_TEST

START_TEST(a_column_less)
{
    change(rows, "(a, b)", "(a)");
    expect_damage("data of table 'public.t'");
}
END_TEST

START_TEST(rows_of_two_tables_exchanged)
{
    change(rows, "public.t ", "public.u ");
    change(others, "public.u ", "public.t ");
    fake_set_context(fake, "layout", NULL);
    expect_finding("rows-differ", "public.t");
}
END_TEST

START_TEST(parts_exchanged)
{
    unsigned char *data = rows->data;
    size_t used = rows->used, room = rows->room;
    rows->data = others->data;
    rows->used = others->used;
    rows->room = others->room;
    others->data = data;
    others->used = used;
    others->room = room;
    expect_damage("stand in part");
}
END_TEST

START_TEST(a_table_that_is_lost)
{
    set_text(others, "");
    expect_finding("table-missing", "public.u");
}
END_TEST

START_TEST(a_table_too_many)
{
    change(others, "COPY", "COPY public.v (a) FROM stdin;\n\\.\nCOPY");
    ck_assert_int_eq(verify(2), HF_E_CORRUPT);
}
END_TEST

START_TEST(no_last_line)
{
    change(last, "\\unrestrict Key1\n", "");
    expect_finding("no-end", "the script");
}
END_TEST

START_TEST(another_last_line)
{
    change(last, "Key1", "Key2");
    expect_finding("no-end", "the script");
}
END_TEST

START_TEST(no_first_line)
{
    change(first, "\\restrict Key1\n", "");
    expect_finding("no-end", "the script");
}
END_TEST

START_TEST(commands_of_psql)
{
    change(last, "ALTER", "\\! date\nALTER");
    expect_damage("does not belong into a backup");
}
END_TEST

START_TEST(sequences_that_are_wrong)
{
    change(sequences, "5, true", "6, true");
    ck_assert_int_eq(verify(1), HF_E_CORRUPT);
    change(sequences, "6, true", "5, false");
    ck_assert_int_eq(verify(1), HF_E_CORRUPT);
    change(sequences, "5, false", "5");
    expect_damage("sets no sequence");
    change(sequences, "5)", "5, true)");
    ck_assert_int_eq(verify(1), HF_OK);
    change(sequences, "SELECT", "SELECT pg_catalog.setval('public.s', 5, true);\nSELECT");
    expect_damage("sequence 'public.s' stands in the artifact twice");
}
END_TEST

START_TEST(large_objects_that_are_wrong)
{
    static const char *const cases[][3] = {
        {"\\x0102", "\\x0112", ""},
        {"\\x0102", "\\x010", "no data of a large object"},
        {"SELECT pg_catalog.lowrite(0, '\\x03');\n", "", ""},
        {"lo_open('7'", "lo_open('8'", ""},
        {"SELECT pg_catalog.lo_close(0);\n", "", "stands between"},
        {"SELECT pg_catalog.lo_close(0);\n\nCOMMIT;\n", "", "have no end"},
        {"SELECT pg_catalog.lo_open('7', 131072);\n", "", "no large object is open"},
        {"'\\x0102');\n", "'\\x0102');\n\n", "does not follow"},
        {"SELECT pg_catalog.lo_close", "SELECT 1;\nSELECT pg_catalog.lo_close", "stands between"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *whole = strndup((char *)objects->data, objects->used);
        change(objects, cases[i][0], cases[i][1]);
        expect_damage(cases[i][2]);
        set_text(objects, whole);
        free(whole);
    }
    ck_assert_int_eq(verify(1), HF_OK);
}
END_TEST

Suite *suite_damage(void)
{
    Suite *suite = suite_create("damage");
    TCase *tests = tcase_create("damage");
    tcase_add_checked_fixture(tests, setup, artifact_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, rows_that_are_cut_anywhere);
    tcase_add_test(tests, a_schema_that_is_cut);
    tcase_add_test(tests, bits_that_flip);
    tcase_add_test(tests, a_digit_that_is_another);
    tcase_add_test(tests, data_without_an_end);
    tcase_add_test(tests, a_row_more);
    tcase_add_test(tests, a_row_less);
    tcase_add_test(tests, a_field_more);
    tcase_add_test(tests, a_field_less);
    tcase_add_test(tests, a_column_less);
    tcase_add_test(tests, rows_of_two_tables_exchanged);
    tcase_add_test(tests, parts_exchanged);
    tcase_add_test(tests, a_table_that_is_lost);
    tcase_add_test(tests, a_table_too_many);
    tcase_add_test(tests, no_last_line);
    tcase_add_test(tests, another_last_line);
    tcase_add_test(tests, no_first_line);
    tcase_add_test(tests, commands_of_psql);
    tcase_add_test(tests, sequences_that_are_wrong);
    tcase_add_test(tests, large_objects_that_are_wrong);
    suite_add_tcase(suite, tests);
    return suite;
}
