/* SPDX-License-Identifier: Apache-2.0
 *
 * Real databases in a folder of each test's own, and the plugin in a fake host.
 */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake *fake;
char folder[64];
void *plugin_self;
static struct hf_config *config;

static const struct hf_plugin *plugin(void)
{
    return holdfast_module_v1()->plugins[0];
}

const struct hf_source *source_operations(void)
{
    return plugin()->operations;
}

void setup(void)
{
    fake = fake_new();
    ck_assert_int_eq(holdfast_module_v1()->init(fake_host_table()), HF_OK);
    snprintf(folder, sizeof(folder), "/tmp/unit-sqlite-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void close_plugin(void)
{
    if (plugin_self)
        plugin()->close(plugin_self);
    fake_config_free(config);
    plugin_self = NULL;
    config = NULL;
}

void teardown(void)
{
    char command[128];
    close_plugin();
    fake_free(fake);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

const char *in_folder(const char *format, ...)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    int used = snprintf(path, sizeof(paths[0]), "%s/", folder);
    va_list args;
    va_start(args, format);
    vsnprintf(path + used, sizeof(paths[0]) - (size_t)used, format, args);
    va_end(args);
    return path;
}

void make_folder(const char *path)
{
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql, message);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

void make_database(const char *path, const char *pragmas, int rows)
{
    char sql[1024];
    snprintf(sql, sizeof(sql),
             "%s; create table signals (id integer primary key, name text unique, payload blob);"
             "create table notes (k text primary key, v) without rowid; insert into notes values ('a', 1), ('b', 2);"
             "with recursive n(i) as (values (1) union all select i + 1 from n where i < %d) "
             "insert into signals select i, 'signal-' || i, randomblob(80) from n where %d > 0;",
             pragmas, rows, rows);
    run_sql(path, sql);
}

int64_t query(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    return value;
}

void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

void remove_file(const char *path)
{
    ck_assert_msg(unlink(path) == 0 || errno == ENOENT, "remove '%s': %s", path, strerror(errno));
}

int exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

int entries(const char *path)
{
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    int count = -2; /* . and .. */
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

void limit_files(unsigned long bytes)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes ? bytes : limit.rlim_max;
    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

void *open_plugin(const char *const *pairs)
{
    close_plugin();
    config = fake_config_new(plugin()->options, plugin()->option_count, pairs);
    ck_assert_int_eq(plugin()->open(fake_ctx(fake), config, &plugin_self), HF_OK);
    return plugin_self;
}

int backup_with(unsigned threads, const char *const *pairs)
{
    open_plugin(pairs);
    fake_clear(fake);
    int result = fake_backup(fake, source_operations(), plugin_self, threads);
    ck_assert_int_eq(fake_temp_entries(fake), 0);
    return result;
}

int backup(const char *paths, unsigned threads)
{
    return backup_with(threads, (const char *const[]){"path", paths, NULL});
}

int verify(unsigned threads)
{
    fake_clear(fake);
    int result = fake_verify(fake, source_operations(), plugin_self, threads);
    ck_assert_int_eq(fake_temp_entries(fake), 0);
    return result;
}

int restore(const char *to, int replace, const char *only)
{
    const char *const names[] = {only};
    struct hf_restore_request request = {.size = sizeof(request),
                                         .replace = (uint32_t)replace,
                                         .id = "sqlite_20260201_120000",
                                         .to = to,
                                         .only = names,
                                         .only_count = only ? 1 : 0};
    fake_clear(fake);
    return fake_restore(fake, source_operations(), plugin_self, &request, 2);
}
