/* SPDX-License-Identifier: Apache-2.0
 *
 * What is whole passes, and its facts are what it holds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "artifact.h"

static char *table_fact(const char *table, const char *const *lines, size_t count)
{
    struct pg_rows rows = {0};
    char *text = NULL;
    for (size_t i = 0; i < count; i++)
        pg_rows_add(&rows, lines[i], strlen(lines[i]));
    ck_assert_int_gt(asprintf(&text, "{\"%s\":{\"rows\":%llu,\"sum\":\"%016llx\"}}", table,
                              (unsigned long long)rows.rows, (unsigned long long)rows.sum),
                     0);
    return text;
}

START_TEST(rows_of_all_parts_are_summed)
{
    static const char *const lines[] = {"1\tone", "2\t\\N", "3\tthree\\tfour"};
    char *fact = table_fact("public.t", lines, 3);
    add_part("", 1, "t:1", "t", "COPY public.t (a, b) FROM stdin;\n1\tone\n2\t\\N\n\\.\n\n");
    add_part("", 1, "t:2", "t", "COPY public.t (a, b) FROM stdin;\n3\tthree\\tfour\n\\.\n\n");
    add_part("", 1, "t:3", "t", "COPY public.t (a, b) FROM stdin;\n\\.\n");
    fake_set_fact(fake, "tables", fact);
    ck_assert_int_eq(verify(3), HF_OK);
    ck_assert_str_eq(fake_fact(fake, "tables"), fact);
    ck_assert_ptr_null(fake_fact(fake, "sequences"));
    ck_assert_ptr_null(fake_fact(fake, "large_objects"));
    free(fact);
}
END_TEST

START_TEST(an_empty_table_counts)
{
    add_part("", 1, "t", "t", "COPY public.t (a) FROM stdin;\n\\.\n");
    fake_set_fact(fake, "tables", "{\"public.t\":{\"rows\":0,\"sum\":\"0000000000000000\"}}");
    ck_assert_int_eq(verify(1), HF_OK);
}
END_TEST

START_TEST(a_table_without_columns_has_empty_lines)
{
    static const char *const lines[] = {"", "", ""};
    char *fact = table_fact("public.bare", lines, 3);
    struct fake_part *part = add_part("", 1, "t", "t", "COPY public.bare  FROM stdin;\n\n\n\n\\.\n");
    fake_set_fact(fake, "tables", fact);
    ck_assert_int_eq(verify(1), HF_OK);
    change(part, "stdin;\n\n\n\n", "stdin;\n\n1\n\n");
    ck_assert_int_eq(verify(1), HF_E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "only empty lines"));
    free(fact);
}
END_TEST

START_TEST(facts_that_are_empty_are_told_if_they_were)
{
    add_part("", 0, "schema", "", "CREATE SCHEMA s;\n");
    ck_assert_int_eq(verify(1), HF_OK);
    ck_assert_ptr_null(fake_fact(fake, "tables"));
    fake_set_fact(fake, "tables", "{}");
    fake_set_fact(fake, "sequences", "{}");
    ck_assert_int_eq(verify(1), HF_OK);
    ck_assert_str_eq(fake_fact(fake, "tables"), "{}");
}
END_TEST

START_TEST(sequences_become_facts)
{
    add_part(
        "", 1, "sequences", "sequences",
        "SELECT pg_catalog.setval('public.\"S 1\"', 5, true);\n\n\nSELECT pg_catalog.setval('public.t', -1, false);\n");
    fake_set_fact(fake, "sequences", "{\"public.\\\"S 1\\\"\": [5, true], \"public.t\": [-1, false]}");
    ck_assert_int_eq(verify(1), HF_OK);
}
END_TEST

START_TEST(large_objects_become_facts)
{
    static const char one[] = "SELECT pg_catalog.lo_open('7', 131072);\nSELECT pg_catalog.lowrite(0, '\\x0102');\n"
                              "SELECT pg_catalog.lowrite(0, '\\x03');\nSELECT pg_catalog.lo_close(0);\n";
    static const char two[] = "SELECT pg_catalog.lo_open('8', 131072);\nSELECT pg_catalog.lo_close(0);\n";
    char text[1000], fact[200];
    (void)snprintf(text, sizeof(text),
                   "BEGIN;\n\nSELECT pg_catalog.lo_create('7');\n%sALTER LARGE OBJECT 7 OWNER TO o;\n%s\n"
                   "COMMIT;\n",
                   one, two);
    (void)snprintf(fact, sizeof(fact), "{\"count\": 2, \"bytes\": 3, \"sum\": \"%016llx\"}",
                   (unsigned long long)(XXH3_64bits(one, strlen(one)) + XXH3_64bits(two, strlen(two))));
    add_part("", 1, "large-objects", "large-objects", text);
    fake_set_fact(fake, "large_objects", fact);
    ck_assert_int_eq(verify(1), HF_OK);
}
END_TEST

START_TEST(databases_have_keys_of_their_own)
{
    add_part("one", 1, "t", "t", "COPY public.t (a) FROM stdin;\n1\n\\.\n");
    add_part("two", 1, "t", "t", "COPY public.t (a) FROM stdin;\n2\n3\n\\.\n");
    add_part("globals", 0, "globals", "", "\\restrict k\n\nCREATE ROLE r;\n\n\\unrestrict k\n");
    learn();
    ck_assert_ptr_nonnull(strstr(fake_fact(fake, "one/tables"), "\"rows\":1"));
    ck_assert_ptr_nonnull(strstr(fake_fact(fake, "two/tables"), "\"rows\":2"));
    ck_assert_uint_eq(fake->facts.count, 2);
}
END_TEST

/* Names in an encoding that is not UTF-8. */
START_TEST(names_of_any_bytes)
{
    struct fake_part *part = add_part("", 1, "t", "t",
                                      "COPY public.\"gr\xf6\xdf"
                                      "e\" (a) FROM stdin;\n1\n\\.\n");
    learn();
    change(part, "\n1\n", "\n2\n");
    ck_assert_int_eq(verify(1), HF_E_CORRUPT);
}
END_TEST

Suite *suite_verify(void)
{
    Suite *suite = suite_create("verify");
    TCase *tests = tcase_create("verify");
    tcase_add_checked_fixture(tests, artifact_setup, artifact_teardown);
    tcase_add_test(tests, rows_of_all_parts_are_summed);
    tcase_add_test(tests, an_empty_table_counts);
    tcase_add_test(tests, a_table_without_columns_has_empty_lines);
    tcase_add_test(tests, facts_that_are_empty_are_told_if_they_were);
    tcase_add_test(tests, sequences_become_facts);
    tcase_add_test(tests, large_objects_become_facts);
    tcase_add_test(tests, databases_have_keys_of_their_own);
    tcase_add_test(tests, names_of_any_bytes);
    suite_add_tcase(suite, tests);
    return suite;
}
