/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cluster.h"
#include "fixture.h"
#include "pattern.h"

/* From what psql makes of them: \set ECHO_HIDDEN on, then \d PATTERN. */
static const struct {
    const char *pattern, *schema, *name;
} good[] = {
    {"orders", NULL, "^(orders)$"},
    {"Orders", NULL, "^(orders)$"},
    {"\"Orders\"", NULL, "^(Orders)$"},
    {"public.orders", "^(public)$", "^(orders)$"},
    {"pub*.?rder", "^(pub.*)$", "^(.rder)$"},
    {"*", NULL, "^(.*)$"},
    {"*.*", "^(.*)$", "^(.*)$"},
    {"\"a.b\".\"c*d\"", "^(a\\.b)$", "^(c\\*d)$"},
    {"\"a\"\"b\"", NULL, "^(a\"b)$"},
    {"a$b", NULL, "^(a\\$b)$"},
    {"\"a$b\"", NULL, "^(a\\$b)$"},
    {"a|b", NULL, "^(a|b)$"},
    {"\"a|b\"", NULL, "^(a\\|b)$"},
    {"int[]", NULL, "^(int\\[])$"},
    {"t[0-9]", NULL, "^(t[0-9])$"},
    {"\"t[0]\"", NULL, "^(t\\[0\\])$"},
    {"(a)\\d{2}", NULL, "^((a)\\d{2})$"},
    {"A\"B\"C", NULL, "^(aBc)$"},
    {"\"\"", NULL, "^()$"},
    {"\xC3\x84pfel", NULL, "^(\xC3\x84pfel)$"},
    {".x", "^()$", "^(x)$"},
};

START_TEST(good_patterns)
{
    char *schema = NULL, *name = NULL;
    ck_assert_int_eq(pg_pattern_regex(fake_ctx(fake), good[_i].pattern, true, &schema, &name), HF_OK);
    ck_assert_pstr_eq(schema, good[_i].schema);
    ck_assert_str_eq(name, good[_i].name);
    free(schema);
    free(name);
}
END_TEST

START_TEST(bad_patterns)
{
    char *schema = NULL, *name = NULL;
    static const char *const bad[] = {"", "a.b.c", "\"a", "a.\"b"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        ck_assert_int_eq(pg_pattern_regex(fake_ctx(fake), bad[i], true, &schema, &name), HF_E_CONFIG);
    ck_assert_int_eq(pg_pattern_regex(fake_ctx(fake), "a.b", false, NULL, &name), HF_E_CONFIG);
    ck_assert_int_eq(pg_pattern_regex(fake_ctx(fake), "\"a.b\"", false, NULL, &name), HF_OK);
    ck_assert_str_eq(name, "^(a\\.b)$");
    free(name);
}
END_TEST

/* ---- on a server ---- */

static void make_tables(struct pg_conn *conn)
{
    run_sql(conn, "CREATE TABLE public.a1 (i int); CREATE TABLE public.a2 (i int); CREATE TABLE public.\"A.1\" (i int);"
                  "CREATE TABLE public.\"b$\" (i int); CREATE TABLE public.\"q\"\"\\\" (i int); CREATE VIEW public.v AS"
                  " SELECT 1; CREATE SEQUENCE public.s; CREATE SCHEMA \"S\"; CREATE TABLE \"S\".a1 (i int);"
                  "CREATE TABLE \"S\".hidden (i int)");
}

/* The names that pg_dump takes with these patterns, as the server sorts them. */
static void by_pg_dump(const char *pattern, char *names, size_t room)
{
    char command[1024];
    size_t used;
    snprintf(command, sizeof(command),
             "'%s/pg_dump' -s -h '%s' -p %d -U postgres -d patterns --table='%s' 2>&1 | "
             "sed -n 's/^-- Name: \\(.*\\); Type: \\(TABLE\\|VIEW\\|SEQUENCE\\); Schema: \\([^;]*\\);.*/\\3.\\1/p' | "
             "LC_ALL=C sort | tr '\\n' ' '",
             cluster_bin(), cluster_folder(), cluster_port(), pattern);
    FILE *pipe = popen(command, "re");
    ck_assert_ptr_nonnull(pipe);
    used = fread(names, 1, room - 1, pipe);
    names[used] = 0;
    ck_assert_int_eq(pclose(pipe), 0);
}

static void by_us(struct pg_conn *conn, const char *pattern, char *names, size_t room)
{
    char sql[1024];
    struct pg_list list = {.items = &pattern, .count = 1};
    struct pg_text oids = {0};
    ck_assert_msg(pg_pattern_tables(conn, &list, &oids) == HF_OK, "%s", fake_error(fake));
    snprintf(
        sql, sizeof(sql),
        "SELECT coalesce(string_agg(n.nspname || '.' || c.relname || ' ', '' ORDER BY (n.nspname || '.' || c.relname)"
        " COLLATE \"C\"), '') FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid IN (%s)",
        oids.used > 0 ? oids.data : "0");
    snprintf(names, room, "%s", value(conn, sql));
    pg_text_clear(&oids);
}

static const char *const compared[] = {"a1",          "a?",      "A1",       "*.a1",   "S.*",       "\"S\".*", "s",
                                       "\"A.1\"",     "\"A\".1", "b$",       "b*",     "a1|hidden", "a[12]",   "q\"\"",
                                       "\"q\"\"\\\"", "[ab].",   "public.v", "hidden", "pub*.s"};

START_TEST(as_pg_dump)
{
    char theirs[1024], ours[1024];
    use_socket("postgres");
    struct pg_conn *conn = connect_to(NULL);
    run_sql(conn, "DROP DATABASE IF EXISTS patterns");
    run_sql(conn, "CREATE DATABASE patterns");
    pg_close(conn);
    conn = connect_to("patterns");
    make_tables(conn);
    for (size_t i = 0; i < sizeof(compared) / sizeof(*compared); i++) {
        by_pg_dump(compared[i], theirs, sizeof(theirs));
        by_us(conn, compared[i], ours, sizeof(ours));
        ck_assert_msg(!strcmp(ours, theirs), "%s: ours '%s', theirs '%s'", compared[i], ours, theirs);
    }
    ck_assert_str_eq(value(conn, "SHOW search_path"), "\"\"");
    pg_close(conn);
}
END_TEST

START_TEST(databases_of_patterns)
{
    static const char *const items[] = {"post*", "template1"};
    struct pg_list list = {.items = items, .count = 2}, none = {0};
    struct pg_text sql = {0};
    use_socket("postgres");
    struct pg_conn *conn = connect_to(NULL);
    pg_text_add(&sql, "SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database WHERE (");
    ck_assert_int_eq(pg_pattern_condition(conn, &list, NULL, "datname", NULL, &sql), HF_OK);
    pg_text_add(&sql, ") AND NOT (");
    ck_assert_int_eq(pg_pattern_condition(conn, &none, NULL, "datname", NULL, &sql), HF_OK);
    pg_text_add(&sql, ")");
    ck_assert_str_eq(value(conn, sql.data), "postgres,template1");
    pg_text_clear(&sql);
    pg_close(conn);
}
END_TEST

Suite *suite_pattern(void)
{
    Suite *suite = suite_create("postgres/pattern");
    TCase *tests = tcase_create("pattern");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, good_patterns, 0, sizeof(good) / sizeof(*good));
    tcase_add_test(tests, bad_patterns);
    suite_add_tcase(suite, tests);
    return suite;
}

Suite *suite_pattern_live(void)
{
    Suite *suite = suite_create("postgres/pattern on a server");
    TCase *tests = tcase_create("pattern");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, as_pg_dump);
    tcase_add_test(tests, databases_of_patterns);
    suite_add_tcase(suite, tests);
    return suite;
}
