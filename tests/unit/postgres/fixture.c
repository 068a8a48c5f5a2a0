/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cluster.h"

struct fake *fake;
struct pg_source *source;
static struct hf_config *config;

void setup(void)
{
    fake = fake_new();
    pg_host = fake_host_table();
}

static void close_source(void)
{
    pg_source_close(source);
    fake_config_free(config);
    source = NULL;
    config = NULL;
}

void teardown(void)
{
    close_source();
    fake_free(fake);
}

int open_source(const char *const *pairs)
{
    void *self = NULL;
    close_source();
    config = fake_config_new(pg_options, PG_OPTION_COUNT, pairs);
    int result = pg_source_open(fake_ctx(fake), config, &self);
    source = self;
    return result;
}

void use_url(const char *format, ...)
{
    char url[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(url, sizeof(url), format, args);
    va_end(args);
    ck_assert_int_eq(open_source((const char *const[]){"url", url, "connect_timeout", "5s", NULL}), HF_OK);
}

void use_socket(const char *database)
{
    use_url("host=%s port=%d user=postgres dbname=%s", cluster_folder(), cluster_port(), database);
}

struct pg_conn *connect_to(const char *database)
{
    struct pg_conn *conn = NULL;
    int result = pg_open(source, fake_ctx(fake), NULL, database, &conn);
    ck_assert_msg(result == HF_OK, "%s", fake_error(fake));
    return conn;
}

const char *value(struct pg_conn *conn, const char *sql)
{
    static char values[4][1024];
    static unsigned next;
    char *text = values[next++ % 4];
    PGresult *rows = NULL;
    int result = pg_query(conn, "test", sql, &rows);
    ck_assert_msg(result == HF_OK, "%s", fake_error(fake));
    ck_assert_int_ge(PQntuples(rows), 1);
    snprintf(text, sizeof(values[0]), "%s", PQgetvalue(rows, 0, 0));
    PQclear(rows);
    return text;
}

void run_sql(struct pg_conn *conn, const char *sql)
{
    int result = pg_command(conn, "test", sql);
    ck_assert_msg(result == HF_OK, "%s", fake_error(fake));
}

static void *stop(void *arg)
{
    unsigned *ms = arg;
    usleep(*ms * 1000);
    free(ms);
    fake_cancel(fake);
    return NULL;
}

pthread_t stop_after_ms(unsigned ms)
{
    pthread_t thread;
    unsigned *arg = malloc(sizeof(*arg));
    ck_assert_ptr_nonnull(arg);
    *arg = ms;
    ck_assert_int_eq(pthread_create(&thread, NULL, stop, arg), 0);
    return thread;
}

double seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}
