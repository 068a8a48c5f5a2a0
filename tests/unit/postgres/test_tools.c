/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster.h"
#include "fixture.h"

static char folder[64];

static void begin(void)
{
    setup();
    snprintf(folder, sizeof(folder), "/tmp/unit-tools-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void end(void)
{
    char command[100];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
    teardown();
}

/* A program in folder/sub. */
static const char *script(const char *sub, const char *name, const char *text)
{
    static char path[200];
    snprintf(path, sizeof(path), "%s/%s", folder, sub);
    (void)mkdir(path, 0755);
    snprintf(path, sizeof(path), "%s/%s/%s", folder, sub, name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "#!/bin/sh\n%s\n", text);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, 0755), 0);
    return path;
}

static int find(const char *bin, const char *name, int server, char **path, int *version)
{
    char where[200];
    snprintf(where, sizeof(where), "%s/%s", folder, bin);
    ck_assert_int_eq(open_source((const char *const[]){"pg_bin", where, NULL}), HF_OK);
    return pg_tool_find(source, fake_ctx(fake), name, server, path, version);
}

START_TEST(found_in_pg_bin)
{
    char *path = NULL;
    int version = 0;
    const char *expected = script("a", "pg_dump", "echo 'pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)'");
    ck_assert_int_eq(find("a", "pg_dump", 150001, &path, &version), HF_OK);
    ck_assert_str_eq(path, expected);
    ck_assert_int_eq(version, 150020);
    free(path);
    script("b", "pg_dump", "echo 'pg_dump (PostgreSQL) 18beta1'");
    ck_assert_int_eq(find("b", "pg_dump", 170002, &path, &version), HF_OK);
    ck_assert_int_eq(version, 180000);
    free(path);
}
END_TEST

START_TEST(too_old)
{
    char *path = NULL;
    int version = 0;
    script("a", "pg_dump", "echo 'pg_dump (PostgreSQL) 15.20'");
    ck_assert_int_eq(find("a", "pg_dump", 160000, &path, &version), HF_E_NOTFOUND);
    ck_assert_str_eq(fake_error(fake), "the newest 'pg_dump' here is of version 15.20, and the server is of 16");
    ck_assert_ptr_nonnull(strstr(fake_hint(fake), "postgresql-client-16"));
    fake_clear(fake);
    ck_assert_int_eq(find("a", "pg_dumpall", 150000, &path, &version), HF_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "no 'pg_dumpall' is found in "));
    ck_assert_ptr_null(path);
}
END_TEST

START_TEST(other_programs)
{
    char *path = NULL;
    int version = 0;
    script("a", "pg_dump", "echo 'something else 99'");
    ck_assert_int_eq(find("a", "pg_dump", 150000, &path, &version), HF_E_NOTFOUND);
    script("b", "pg_dump", "exit 3");
    ck_assert_int_eq(find("b", "pg_dump", 150000, &path, &version), HF_E_NOTFOUND);
    /* A wrapper is called by a link of another name. */
    const char *wrapper = script("c", "pg_wrapper", "echo 'pg_dump (PostgreSQL) 15.20'");
    char link[200];
    snprintf(link, sizeof(link), "%s/c/pg_dump", folder);
    ck_assert_int_eq(symlink(wrapper, link), 0);
    ck_assert_int_eq(find("c", "pg_dump", 150000, &path, &version), HF_E_NOTFOUND);
}
END_TEST

/* Of all that are found the newest. */
START_TEST(found_in_path)
{
    char *path = NULL, paths[300];
    int version = 0;
    script("a", "pg_dump", "echo 'pg_dump (PostgreSQL) 98.1'");
    script("b", "pg_dump", "echo 'pg_dump (PostgreSQL) 99.3'");
    script("c", "pg_dump", "echo 'pg_dump (PostgreSQL) 99.2'");
    snprintf(paths, sizeof(paths), "relative::%s/a:%s/nothing:%s/b:%s/c:/usr/bin:/bin", folder, folder, folder, folder);
    setenv("PATH", paths, 1);
    ck_assert_int_eq(open_source(NULL), HF_OK);
    ck_assert_int_eq(pg_tool_find(source, fake_ctx(fake), "pg_dump", 980000, &path, &version), HF_OK);
    ck_assert_int_eq(version, 990003);
    ck_assert_ptr_nonnull(strstr(path, "/b/pg_dump"));
    free(path);
    ck_assert_int_eq(pg_tool_find(source, fake_ctx(fake), "pg_dump", 1000000, &path, &version), HF_E_NOTFOUND);
}
END_TEST

/* ---- with a server ---- */

static void make_role(void)
{
    use_socket("postgres");
    struct pg_conn *conn = connect_to(NULL);
    run_sql(conn, "DO $$BEGIN CREATE ROLE dumper LOGIN SUPERUSER; EXCEPTION WHEN duplicate_object THEN NULL; END$$;"
                  "ALTER ROLE dumper PASSWORD 'pass=#\\ ''word'");
    pg_close(conn);
    use_url("host=127.0.0.1 port=%d user=dumper password='pass=#\\\\ \\'word' dbname=postgres keepalives_idle=77",
            cluster_port());
}

/* What the child sees, and what others see of it. */
START_TEST(nothing_secret_in_arguments)
{
    struct pg_text output = {0};
    make_role();
    struct pg_conn *conn = connect_to(NULL);
    const char *path = script("a", "pg_dump",
                              "echo \"args: $*\"; stat -c 'mode: %a' \"$PGSERVICEFILE\"; env | grep ^PG | "
                              "sort; cat \"$PGSERVICEFILE\"");
    const char *const args[] = {"--schema-only", "--table=a b", NULL};
    ck_assert_msg(pg_tool_run(source, conn, path, args, &output) == HF_OK, "%s", fake_error(fake));
    ck_assert_ptr_nonnull(strstr(output.data, "args: --no-password --schema-only --table=a b\n"));
    ck_assert_ptr_nonnull(strstr(output.data, "mode: 600\n"));
    ck_assert_ptr_nonnull(strstr(output.data, "PGHOST=127.0.0.1\n"));
    ck_assert_ptr_nonnull(strstr(output.data, "PGUSER=dumper\n"));
    ck_assert_ptr_nonnull(strstr(output.data, "PGDATABASE=postgres\n"));
    ck_assert_ptr_nonnull(strstr(output.data, "PGCLIENTENCODING=UTF8\n"));
    ck_assert_ptr_nonnull(strstr(output.data, "PGAPPNAME=holdfast test\n"));
    ck_assert_ptr_null(strstr(output.data, "PGPASSWORD"));
    ck_assert_ptr_nonnull(strstr(output.data, "[holdfast]\n"));
    ck_assert_ptr_nonnull(strstr(output.data, "password=pass=#\\ 'word\n"));
    ck_assert_ptr_nonnull(strstr(output.data, "keepalives_idle=77\n"));
    ck_assert_int_eq(fake_temp_entries(fake), 0);
    pg_text_clear(&output);
    pg_close(conn);
}
END_TEST

static const char *const databases[] = {"postgres",   "it's \"so\"", "a=b c",         "ends with a space ",
                                        "two\nlines", "ä",           "postgresql://x"};

START_TEST(real_pg_dump)
{
    char *path = NULL;
    int version = 0;
    struct pg_text output = {0};
    const char *const args[] = {"--schema-only", NULL};
    make_role();
    struct pg_conn *conn = connect_to(NULL);
    pg_auto_text name = pg_quote_ident(conn, databases[_i]);
    ck_assert_int_eq(pg_commandf(conn, "drop", "DROP DATABASE IF EXISTS %s", _i > 0 ? name : "none"), HF_OK);
    ck_assert_int_eq(_i > 0 ? pg_commandf(conn, "make", "CREATE DATABASE %s", name) : HF_OK, HF_OK);
    pg_close(conn);
    conn = connect_to(databases[_i]);
    run_sql(conn, "DROP TABLE IF EXISTS public.to_be_dumped; CREATE TABLE public.to_be_dumped (i int)");
    ck_assert_msg(pg_tool_find(source, fake_ctx(fake), "pg_dump", conn->version, &path, &version) == HF_OK, "%s",
                  fake_error(fake));
    ck_assert_int_ge(version / 10000, conn->version / 10000);
    ck_assert_ptr_nonnull(strstr(path, "/usr/lib/postgresql/"));
    ck_assert_msg(pg_tool_run(source, conn, path, args, &output) == HF_OK, "%s", fake_error(fake));
    ck_assert_ptr_nonnull(strstr(output.data, "CREATE TABLE public.to_be_dumped"));
    ck_assert_ptr_nonnull(strstr(output.data, "PostgreSQL database dump complete"));
    free(path);
    pg_text_clear(&output);
    pg_close(conn);
}
END_TEST

START_TEST(real_pg_dumpall)
{
    char *path = NULL;
    int version = 0;
    struct pg_text output = {0};
    const char *const args[] = {"--globals-only", "--no-role-passwords", NULL};
    make_role();
    struct pg_conn *conn = connect_to("template1");
    ck_assert_int_eq(pg_tool_find(source, fake_ctx(fake), "pg_dumpall", conn->version, &path, &version), HF_OK);
    ck_assert_msg(pg_tool_run(source, conn, path, args, &output) == HF_OK, "%s", fake_error(fake));
    ck_assert_ptr_nonnull(strstr(output.data, "CREATE ROLE dumper;"));
    free(path);
    pg_text_clear(&output);
    pg_close(conn);
}
END_TEST

START_TEST(failure_of_a_tool)
{
    struct pg_text output = {0};
    const char *const args[] = {NULL};
    use_socket("postgres");
    struct pg_conn *conn = connect_to(NULL);
    const char *path = script("a", "pg_dump", "echo half; echo 'pg_dump: error: no such thing' >&2; exit 1");
    ck_assert_int_eq(pg_tool_run(source, conn, path, args, &output), HF_E_FAIL);
    ck_assert_msg(strstr(fake_error(fake), "no such thing"), "%s", fake_error(fake));
    pg_text_clear(&output);
    fake_clear(fake);
    ck_assert_int_eq(pg_tool_run(source, conn, "/nonexistent/pg_dump", args, &output), HF_E_NOTFOUND);
    ck_assert_int_eq(fake_temp_entries(fake), 0);
    pg_close(conn);
}
END_TEST

START_TEST(stopped_tool)
{
    struct pg_text output = {0};
    const char *const args[] = {NULL};
    use_socket("postgres");
    struct pg_conn *conn = connect_to(NULL);
    const char *path = script("a", "pg_dump", "echo begun; exec sleep 60");
    double begun = seconds();
    pthread_t thread = stop_after_ms(200);
    ck_assert_int_eq(pg_tool_run(source, conn, path, args, &output), HF_E_CANCELLED);
    pthread_join(thread, NULL);
    ck_assert_double_lt(seconds() - begun, 5);
    ck_assert_int_eq(fake_temp_entries(fake), 0);
    pg_text_clear(&output);
    pg_close(conn);
}
END_TEST

Suite *suite_tools(void)
{
    Suite *suite = suite_create("postgres/tools");
    TCase *tests = tcase_create("tools");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, found_in_pg_bin);
    tcase_add_test(tests, too_old);
    tcase_add_test(tests, other_programs);
    tcase_add_test(tests, found_in_path);
    suite_add_tcase(suite, tests);
    return suite;
}

Suite *suite_tools_live(void)
{
    Suite *suite = suite_create("postgres/tools with a server");
    TCase *tests = tcase_create("tools");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, nothing_secret_in_arguments);
    tcase_add_loop_test(tests, real_pg_dump, 0, sizeof(databases) / sizeof(*databases));
    tcase_add_test(tests, real_pg_dumpall);
    tcase_add_test(tests, failure_of_a_tool);
    tcase_add_test(tests, stopped_tool);
    suite_add_tcase(suite, tests);
    return suite;
}
