/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster.h"
#include "fixture.h"

/* The failure of connecting with the url. */
static int refused(const char *database)
{
    struct pg_conn *conn = NULL;
    int result = pg_open(source, fake_ctx(fake), NULL, database, &conn);
    ck_assert_ptr_null(conn);
    ck_assert_int_lt(result, 0);
    return result;
}

static void assert_said(const char *error, const char *hint)
{
    ck_assert_msg(strstr(fake_error(fake), error), "error: %s", fake_error(fake));
    ck_assert_msg(strstr(fake_hint(fake), hint), "hint: %s", fake_hint(fake));
    ck_assert_ptr_null(strchr(fake_error(fake), '\n'));
    ck_assert_ptr_null(strstr(fake_error(fake), "LOCATION"));
    ck_assert_ptr_null(strstr(fake_error(fake), "FATAL"));
}

START_TEST(session_is_prepared)
{
    static const char *const settings[][2] = {
        {"statement_timeout", "0"},
        {"idle_in_transaction_session_timeout", "0"},
        {"lock_timeout", "30s"},
        {"search_path", "\"\""},
        {"DateStyle", "ISO, DMY"},
        {"IntervalStyle", "postgres"},
        {"TimeZone", "UTC"},
        {"bytea_output", "hex"},
        {"row_security", "off"},
        {"extra_float_digits", "3"},
        {"synchronize_seqscans", "off"},
        {"standard_conforming_strings", "on"},
        {"client_encoding", "UTF8"},
        {"application_name", "holdfast test"},
        {"quote_all_identifiers", "off"},
        {"work_mem", "5MB"},
    };
    use_socket("postgres");
    struct pg_conn *conn = connect_to(NULL);
    run_sql(conn, "DROP DATABASE IF EXISTS odd");
    run_sql(conn, "CREATE DATABASE odd");
    run_sql(conn, "ALTER DATABASE odd SET statement_timeout = '1s'; ALTER DATABASE odd SET DateStyle = 'German, DMY';"
                  "ALTER DATABASE odd SET bytea_output = 'escape'; ALTER DATABASE odd SET quote_all_identifiers = on;"
                  "ALTER DATABASE odd SET client_encoding = 'LATIN1'; ALTER DATABASE odd SET search_path = 'x';"
                  "ALTER DATABASE odd SET standard_conforming_strings = off; ALTER DATABASE odd SET lock_timeout = 1");
    pg_close(conn);
    use_url("host=%s port=%d user=postgres dbname=odd options='-c work_mem=5MB'", cluster_folder(), cluster_port());
    conn = connect_to(NULL);
    for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
        char sql[100];
        snprintf(sql, sizeof(sql), "SHOW %s", settings[i][0]);
        ck_assert_msg(!strcmp(value(conn, sql), settings[i][1]), "%s", settings[i][0]);
    }
    ck_assert_str_eq(conn->database, "odd");
    ck_assert_int_ge(conn->version, PG_OLDEST);
    pg_close(conn);
}
END_TEST

START_TEST(application_name)
{
    use_url("host=%s port=%d user=postgres dbname=postgres", cluster_folder(), cluster_port());
    struct pg_conn *conn = connect_to(NULL);
    ck_assert_str_eq(value(conn, "SHOW application_name"), "holdfast test");
    pg_close(conn);
    use_url("postgresql:///postgres?host=%s&port=%d&user=postgres&application_name=mine", cluster_folder(),
            cluster_port());
    conn = connect_to("template1");
    ck_assert_str_eq(value(conn, "SHOW application_name"), "mine");
    ck_assert_str_eq(value(conn, "SELECT current_database()"), "template1");
    pg_close(conn);
}
END_TEST

START_TEST(database_of_other_encoding)
{
    use_socket("postgres");
    struct pg_conn *conn = connect_to(NULL);
    run_sql(conn, "DROP DATABASE IF EXISTS latin");
    run_sql(conn, "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
    pg_close(conn);
    ck_assert_int_eq(setenv("PGCLIENTENCODING", "UTF8", 1), 0);
    conn = connect_to("latin");
    unsetenv("PGCLIENTENCODING");
    ck_assert_str_eq(value(conn, "SELECT chr(228)"), "\xE4");
    ck_assert_str_eq(pg_encoding_to_char(PQclientEncoding(conn->pq)), "LATIN1");
    pg_close(conn);
}
END_TEST

START_TEST(environment)
{
    char port[16];
    snprintf(port, sizeof(port), "%d", cluster_port());
    setenv("PGHOST", cluster_folder(), 1);
    setenv("PGPORT", port, 1);
    setenv("PGUSER", "postgres", 1);
    setenv("PGDATABASE", "template1", 1);
    ck_assert_int_eq(open_source(NULL), HF_OK);
    struct pg_conn *conn = connect_to(NULL);
    ck_assert_str_eq(conn->database, "template1");
    pg_close(conn);
    conn = connect_to("postgres");
    ck_assert_str_eq(conn->database, "postgres");
    pg_close(conn);
}
END_TEST

START_TEST(service)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/service-%d", fake->tempdir ? fake->tempdir : pg_host->tempdir(fake_ctx(fake)), 1);
    FILE *file = fopen(path, "we");
    fprintf(file, "[here]\nhost=%s\nport=%d\nuser=postgres\ndbname=postgres\n", cluster_folder(), cluster_port());
    fclose(file);
    setenv("PGSERVICEFILE", path, 1);
    ck_assert_int_eq(open_source((const char *const[]){"service", "here", NULL}), HF_OK);
    struct pg_conn *conn = connect_to(NULL);
    pg_close(conn);
    conn = connect_to("template1");
    ck_assert_str_eq(conn->database, "template1");
    pg_close(conn);
    ck_assert_int_eq(open_source((const char *const[]){"service", "elsewhere", NULL}), HF_OK);
    ck_assert_int_eq(refused(NULL), HF_E_CONFIG);
    assert_said("definition of service \"elsewhere\" not found", "PGSERVICEFILE");
}
END_TEST

START_TEST(passwords)
{
    use_socket("postgres");
    struct pg_conn *conn = connect_to(NULL);
    run_sql(conn, "DROP ROLE IF EXISTS app; CREATE ROLE app LOGIN PASSWORD 'right@one'");
    pg_close(conn);
    setenv("PGPASSFILE", "/nonexistent", 1);
    use_url("postgresql://app:right%%40one@127.0.0.1:%d/postgres", cluster_port());
    pg_close(connect_to(NULL));
    use_url("postgresql://app:wrong%%40one@127.0.0.1:%d/postgres", cluster_port());
    ck_assert_int_eq(refused(NULL), HF_E_AUTH);
    assert_said("password authentication failed for user \"app\"", "correct user and password");
    ck_assert_ptr_null(strstr(fake_error(fake), "wrong"));
    fake_clear(fake);
    use_url("postgresql://app@127.0.0.1:%d/postgres", cluster_port());
    ck_assert_int_eq(refused(NULL), HF_E_AUTH);
    assert_said("no password supplied", "PGPASSFILE");
}
END_TEST

START_TEST(what_is_missing)
{
    use_socket("postgres");
    ck_assert_int_eq(refused("no such"), HF_E_NOTFOUND);
    assert_said("database \"no such\" does not exist", "create it");
    fake_clear(fake);
    use_url("host=%s port=%d user=nobody_at_all dbname=postgres", cluster_folder(), cluster_port());
    ck_assert_int_eq(refused(NULL), HF_E_AUTH);
    assert_said("role \"nobody_at_all\" does not exist", "create the role");
    fake_clear(fake);
    use_url("host=%s port=%d user=postgres dbname=template0", cluster_folder(), cluster_port());
    ck_assert_int_eq(refused(NULL), HF_E_FAIL);
    assert_said("not currently accepting connections", "");
    fake_clear(fake);
    use_url("host=127.0.0.1 port=%d user=postgres dbname=postgres sslmode=require", cluster_port());
    ck_assert_int_eq(refused(NULL), HF_E_CONFIG);
    assert_said("does not support SSL", "sslmode");
    fake_clear(fake);
    use_url("host=/nonexistent user=postgres sslmode=nonsense");
    ck_assert_int_eq(refused(NULL), HF_E_CONFIG);
    assert_said("invalid sslmode value", "PGSSLMODE");
}
END_TEST

START_TEST(no_connect_privilege)
{
    use_socket("postgres");
    struct pg_conn *conn = connect_to(NULL);
    run_sql(conn, "DROP DATABASE IF EXISTS closed");
    run_sql(conn, "CREATE DATABASE closed");
    run_sql(conn,
            "REVOKE CONNECT ON DATABASE closed FROM PUBLIC; DROP ROLE IF EXISTS outsider; CREATE ROLE outsider LOGIN");
    pg_close(conn);
    use_url("host=%s port=%d user=outsider dbname=closed", cluster_folder(), cluster_port());
    ck_assert_int_eq(refused(NULL), HF_E_AUTH);
    assert_said("permission denied for database \"closed\"", "grant the role what it lacks");
}
END_TEST

START_TEST(nobody_listens)
{
    use_url("host=127.0.0.1 port=%d user=postgres", cluster_free_port());
    ck_assert_int_eq(refused(NULL), HF_E_UNREACHABLE);
    assert_said("Connection refused", "pg_isready");
}
END_TEST

/* A server that takes connections and says nothing. */
static int listen_silently(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

START_TEST(silence)
{
    char url[100];
    int port, fd = listen_silently(&port);
    double begun = seconds();
    snprintf(url, sizeof(url), "host=127.0.0.1 port=%d user=postgres", port);
    ck_assert_int_eq(open_source((const char *const[]){"url", url, "connect_timeout", "1s", NULL}), HF_OK);
    ck_assert_int_eq(refused(NULL), HF_E_UNREACHABLE);
    assert_said("no answer within 1 s", "connect_timeout");
    snprintf(url, sizeof(url), "host=127.0.0.1 port=%d user=postgres connect_timeout=1", port);
    ck_assert_int_eq(open_source((const char *const[]){"url", url, NULL}), HF_OK);
    ck_assert_int_eq(refused(NULL), HF_E_UNREACHABLE);
    ck_assert_double_lt(seconds() - begun, 4);
    close(fd);
}
END_TEST

START_TEST(stopped_while_connecting)
{
    int port, fd = listen_silently(&port);
    double begun = seconds();
    use_url("host=127.0.0.1 port=%d user=postgres", port);
    pthread_t thread = stop_after_ms(200);
    ck_assert_int_eq(refused(NULL), HF_E_CANCELLED);
    pthread_join(thread, NULL);
    ck_assert_double_lt(seconds() - begun, 2);
    ck_assert_str_eq(fake_error(fake), "");
    close(fd);
}
END_TEST

START_TEST(several_hosts)
{
    struct pg_place place = {0};
    struct pg_conn *other = NULL;
    use_socket("postgres");
    struct pg_conn *conn = connect_to(NULL);
    run_sql(conn, "ALTER ROLE postgres PASSWORD 'secret pass'");
    pg_close(conn);
    use_url("postgresql://postgres:secret%%20pass@127.0.0.1:%d,localhost:%d/postgres", cluster_free_port(),
            cluster_port());
    conn = connect_to(NULL);
    ck_assert_int_eq(pg_place_of(conn, fake_ctx(fake), &place), HF_OK);
    ck_assert_str_eq(place.host, "localhost");
    ck_assert_str_eq(place.hostaddr, "127.0.0.1");
    ck_assert_int_eq(atoi(place.port), cluster_port());
    ck_assert_int_eq(pg_open(source, fake_ctx(fake), &place, "template1", &other), HF_OK);
    ck_assert_str_eq(PQhost(other->pq), "localhost");
    pg_close(other);
    pg_close(conn);
    pg_place_clear(&place);
}
END_TEST

/* One that is there and silent does not keep us from the next one. */
START_TEST(silent_host_of_several)
{
    int port, fd = listen_silently(&port);
    char url[300];
    snprintf(url, sizeof(url), "host=127.0.0.1,%s port=%d,%d user=postgres dbname=postgres", cluster_folder(), port,
             cluster_port());
    ck_assert_int_eq(open_source((const char *const[]){"url", url, "connect_timeout", "1s", NULL}), HF_OK);
    struct pg_conn *conn = connect_to(NULL);
    ck_assert_str_eq(PQhost(conn->pq), cluster_folder());
    pg_close(conn);
    close(fd);
}
END_TEST

Suite *suite_connect(void)
{
    Suite *suite = suite_create("postgres/connect");
    TCase *tests = tcase_create("connect");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, session_is_prepared);
    tcase_add_test(tests, application_name);
    tcase_add_test(tests, database_of_other_encoding);
    tcase_add_test(tests, environment);
    tcase_add_test(tests, service);
    tcase_add_test(tests, passwords);
    tcase_add_test(tests, what_is_missing);
    tcase_add_test(tests, no_connect_privilege);
    tcase_add_test(tests, nobody_listens);
    tcase_add_test(tests, silence);
    tcase_add_test(tests, stopped_while_connecting);
    tcase_add_test(tests, several_hosts);
    tcase_add_test(tests, silent_host_of_several);
    suite_add_tcase(suite, tests);
    return suite;
}
