/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cluster.h"
#include "fixture.h"

static struct pg_conn *conn;

static void begin(void)
{
    setup();
    use_socket("postgres");
    conn = connect_to(NULL);
}

static void end(void)
{
    pg_close(conn);
    teardown();
}

START_TEST(several_statements)
{
    PGresult *rows = NULL;
    ck_assert_int_eq(pg_query(conn, "test", "SELECT 1; SET work_mem = '5MB'; SELECT 2, 3; SET work_mem = '6MB'", &rows),
                     HF_OK);
    ck_assert_int_eq(PQnfields(rows), 2);
    PQclear(rows);
    rows = NULL;
    ck_assert_int_eq(pg_query(conn, "set it", "SET work_mem = '5MB'", &rows), HF_E_FAIL);
    ck_assert_ptr_null(rows);
    fake_clear(fake);
    ck_assert_int_eq(pg_command(conn, "try", "SELECT 1/0; SELECT nonsense"), HF_E_FAIL);
    ck_assert_str_eq(fake_error(fake), "try: division by zero");
    ck_assert_str_eq(value(conn, "SHOW work_mem"), "5MB");
}
END_TEST

START_TEST(formatted)
{
    PGresult *rows = NULL;
    pg_auto_text literal = pg_quote_literal(conn, "it's \\ \"so\""), name = pg_quote_ident(conn, "a \"b\"");
    ck_assert_str_eq(name, "\"a \"\"b\"\"\"");
    ck_assert_int_eq(pg_queryf(conn, "test", &rows, "SELECT %s AS %s", literal, name), HF_OK);
    ck_assert_str_eq(PQgetvalue(rows, 0, 0), "it's \\ \"so\"");
    ck_assert_str_eq(PQfname(rows, 0), "a \"b\"");
    PQclear(rows);
    ck_assert_int_eq(pg_commandf(conn, "test", "SET work_mem = '%dMB'", 7), HF_OK);
}
END_TEST

static const struct {
    const char *sql, *error, *hint;
    int code;
} failures[] = {
    {"SELECT * FROM nowhere", "do it: relation \"nowhere\" does not exist", "", HF_E_FAIL},
    {"CREATE DATABASE postgres", "do it: database \"postgres\" already exists", "", HF_E_EXISTS},
    {"DO $$BEGIN RAISE 'said' USING DETAIL = 'more', HINT = 'try this'; END$$",
     "do it: said (more; PL/pgSQL function inline_code_block line 1 at RAISE)", "try this", HF_E_FAIL},
    {"DO $$BEGIN RAISE 'full' USING ERRCODE = '53100'; END$$", "do it: full", "make room", HF_E_NOSPACE},
    {"DO $$BEGIN RAISE 'dead' USING ERRCODE = '40P01'; END$$", "do it: dead", "other sessions", HF_E_BUSY},
    {"DO $$BEGIN RAISE 'bad page' USING ERRCODE = 'XX001'; END$$", "do it: bad page", "damaged", HF_E_CORRUPT},
    {"SET statement_timeout = 50; SELECT pg_sleep(10)", "do it: canceling statement due to statement timeout",
     "cancelled", HF_E_FAIL},
    {"SET transaction_read_only = on; CREATE TABLE no ()", "do it: cannot execute CREATE TABLE", "primary",
     HF_E_REFUSED},
    {"COPY (SELECT 1) TO STDOUT", "do it: the statement copies data", "", HF_E_FAIL},
    {"COPY pg_statistic FROM STDIN", "do it: ", "", HF_E_FAIL},
};

START_TEST(failures_are_told)
{
    ck_assert_int_eq(pg_command(conn, "do it", failures[_i].sql), failures[_i].code);
    ck_assert_msg(strstr(fake_error(fake), failures[_i].error) == fake_error(fake), "error: %s", fake_error(fake));
    ck_assert_msg(strstr(fake_hint(fake), failures[_i].hint), "hint: %s", fake_hint(fake));
    fake_clear(fake);
    run_sql(conn, "RESET statement_timeout"); /* the connection can go on */
    ck_assert_str_eq(value(conn, "SELECT 7"), "7");
}
END_TEST

START_TEST(no_privilege)
{
    run_sql(conn, "DROP TABLE IF EXISTS public.mine; DROP ROLE IF EXISTS reader; CREATE TABLE public.mine (i int);"
                  "CREATE ROLE reader LOGIN");
    run_sql(conn, "SET ROLE reader");
    ck_assert_int_eq(pg_command(conn, "read", "SELECT * FROM public.mine"), HF_E_AUTH);
    ck_assert_str_eq(fake_error(fake), "read: permission denied for table mine");
    ck_assert_ptr_nonnull(strstr(fake_hint(fake), "pg_read_all_data"));
    run_sql(conn,
            "RESET ROLE; GRANT SELECT ON public.mine TO reader; ALTER TABLE public.mine ENABLE ROW LEVEL SECURITY;"
            "SET ROLE reader");
    fake_clear(fake);
    ck_assert_int_eq(pg_command(conn, "read", "SELECT * FROM public.mine"), HF_E_AUTH);
    ck_assert_ptr_nonnull(strstr(fake_hint(fake), "BYPASSRLS"));
}
END_TEST

START_TEST(locks_are_waited_for_so_long)
{
    char url[200];
    run_sql(conn, "CREATE TABLE IF NOT EXISTS public.locked (i int)");
    run_sql(conn, "BEGIN; LOCK TABLE public.locked");
    snprintf(url, sizeof(url), "host=%s port=%d user=postgres dbname=postgres", cluster_folder(), cluster_port());
    ck_assert_int_eq(open_source((const char *const[]){"url", url, "lock_timeout", "100ms", NULL}), HF_OK);
    struct pg_conn *other = connect_to(NULL);
    ck_assert_int_eq(pg_command(other, "read", "SELECT * FROM public.locked"), HF_E_BUSY);
    ck_assert_ptr_nonnull(strstr(fake_hint(fake), "lock_timeout"));
    pg_close(other);
}
END_TEST

START_TEST(statement_is_shown)
{
    PGresult *rows = PQexec(conn->pq, "SELECT 1,\n 'ä',\n nonsense\n FROM pg_class");
    ck_assert_int_eq(pg_fail_statement(conn, rows, "SELECT 1,\n 'ä',\n nonsense\n FROM pg_class"), HF_E_FAIL);
    PQclear(rows);
    ck_assert_str_eq(fake_error(fake), "column \"nonsense\" does not exist; statement: SELECT 1, 'ä', nonsense FROM "
                                       "pg_class; its line 3: nonsense");
    fake_clear(fake);
    rows = PQexec(conn->pq, "CREATE ROLE postgres PASSWORD 'topsecret'");
    (void)pg_fail_statement(conn, rows, "CREATE ROLE postgres PASSWORD 'topsecret'");
    PQclear(rows);
    ck_assert_str_eq(fake_error(fake), "role \"postgres\" already exists; statement: CREATE ROLE postgres …");
}
END_TEST

START_TEST(lost_midway)
{
    use_socket("postgres");
    struct pg_conn *other = connect_to(NULL);
    char sql[100];
    snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d)", PQbackendPID(conn->pq));
    run_sql(other, sql);
    ck_assert_int_eq(pg_command(conn, "go on", "SELECT 1"), HF_E_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "go on: terminating connection due to administrator command"));
    fake_clear(fake);
    ck_assert_int_eq(pg_command(conn, "go on", "SELECT 1"), HF_E_UNREACHABLE);
    ck_assert_str_ne(fake_hint(fake), "");
    pg_drain(conn);
    pg_close(other);
}
END_TEST

START_TEST(stopped_midway)
{
    double begun = seconds();
    pthread_t thread = stop_after_ms(200);
    ck_assert_int_eq(pg_command(conn, "sleep", "SELECT pg_sleep(60)"), HF_E_CANCELLED);
    pthread_join(thread, NULL);
    ck_assert_double_lt(seconds() - begun, 3);
    ck_assert_str_eq(fake_error(fake), "");
    ck_assert_int_eq(pg_command(conn, "again", "SELECT 1"), HF_E_CANCELLED);
    fake_clear(fake);
    ck_assert_str_eq(value(conn, "SELECT 7"), "7"); /* the server was told, and the connection is free */
}
END_TEST

START_TEST(copy_is_drained)
{
    char *data = NULL;
    ck_assert_int_eq(PQsendQuery(conn->pq, "COPY (SELECT generate_series(1, 100000000)) TO STDOUT"), 1);
    ck_assert_int_eq(pg_wait(conn, false), HF_OK);
    PQclear(PQgetResult(conn->pq));
    ck_assert_int_gt(PQgetCopyData(conn->pq, &data, 0), 0);
    PQfreemem(data);
    double begun = seconds();
    pg_drain(conn);
    ck_assert_double_lt(seconds() - begun, 3);
    ck_assert_str_eq(value(conn, "SELECT 7"), "7");
    run_sql(conn, "CREATE TEMP TABLE t (i int)");
    PQclear(PQexec(conn->pq, "COPY t FROM STDIN"));
    pg_drain(conn);
    ck_assert_str_eq(value(conn, "SELECT count(*) FROM t"), "0");
    pg_drain(conn); /* nothing to do */
}
END_TEST

START_TEST(notices_are_logged)
{
    run_sql(conn, "DO $$BEGIN RAISE NOTICE 'by the way'; END$$");
    ck_assert_ptr_nonnull(strstr(fake->log, "debug: server: NOTICE: by the way"));
}
END_TEST

Suite *suite_query(void)
{
    Suite *suite = suite_create("postgres/query");
    TCase *tests = tcase_create("query");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, several_statements);
    tcase_add_test(tests, formatted);
    tcase_add_loop_test(tests, failures_are_told, 0, sizeof(failures) / sizeof(*failures));
    tcase_add_test(tests, no_privilege);
    tcase_add_test(tests, locks_are_waited_for_so_long);
    tcase_add_test(tests, statement_is_shown);
    tcase_add_test(tests, lost_midway);
    tcase_add_test(tests, stopped_midway);
    tcase_add_test(tests, copy_is_drained);
    tcase_add_test(tests, notices_are_logged);
    suite_add_tcase(suite, tests);
    return suite;
}
