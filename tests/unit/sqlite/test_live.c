/* SPDX-License-Identifier: Apache-2.0
 *
 * Databases that are being used: by writers, by lockers, by those who remove them.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

/* Every transaction adds a row to each of two tables, so every consistent state has as many in one as in the other. */
static const char add_pair[] = "begin immediate; insert into a values (randomblob(300)); "
                               "insert into b values (randomblob(300)); commit";

static void make_pairs(const char *path, const char *mode)
{
    char sql[400];
    snprintf(sql, sizeof(sql),
             "pragma journal_mode = %s; create table a (x); create table b (x);"
             "with recursive n(i) as (values (1) union all select i + 1 from n where i < 20000) "
             "insert into a select randomblob(300) from n; insert into b select x from a",
             mode);
    run_sql(path, sql);
}

struct writer {
    char path[512];
    atomic_bool stop;
    atomic_int written;
    pthread_t thread;
};

static void *write_pairs(void *arg)
{
    struct writer *writer = arg;
    sqlite3 *db = NULL;
    if (sqlite3_open(writer->path, &db) != SQLITE_OK)
        abort();
    sqlite3_busy_timeout(db, 10000);
    while (!atomic_load(&writer->stop)) {
        if (sqlite3_exec(db, add_pair, NULL, NULL, NULL) == SQLITE_OK)
            atomic_fetch_add(&writer->written, 1);
        else if (!sqlite3_get_autocommit(db))
            (void)sqlite3_exec(db, "rollback", NULL, NULL, NULL);
    }
    sqlite3_close(db);
    return NULL;
}

static void start_writer(struct writer *writer, const char *path)
{
    *writer = (struct writer){0};
    snprintf(writer->path, sizeof(writer->path), "%s", path);
    ck_assert_int_eq(pthread_create(&writer->thread, NULL, write_pairs, writer), 0);
    while (atomic_load(&writer->written) < 3)
        usleep(1000);
}

static void stop_writer(struct writer *writer)
{
    atomic_store(&writer->stop, true);
    pthread_join(writer->thread, NULL);
}

static void assert_consistent(void)
{
    ck_assert_int_eq(verify(2), HF_OK);
    ck_assert_int_eq(restore(in_folder("out"), 0, NULL), HF_OK);
    int64_t a = query(in_folder("out/live.db"), "select count(*) from a");
    ck_assert_int_ge(a, 20000);
    ck_assert_int_eq(a, query(in_folder("out/live.db"), "select count(*) from b"));
}

START_TEST(a_writer_that_never_rests)
{
    static const char *const modes[] = {"wal", "delete", "truncate"};
    struct writer writer;
    make_pairs(in_folder("live.db"), modes[_i]);
    start_writer(&writer, in_folder("live.db"));
    int before = atomic_load(&writer.written);
    int result = backup_with(2, (const char *const[]){"path", in_folder("live.db"), "step_size", "64K", NULL});
    int during = atomic_load(&writer.written) - before;
    stop_writer(&writer);
    ck_assert_msg(result == HF_OK, "%s", fake_error(fake));
    ck_assert_int_gt(during, 0);
    assert_consistent();
}
END_TEST

/* What the hooked host does at each step of a copy. */
static void (*at_step)(void);
static int steps;

static void count_step(struct hf_ctx *ctx, uint64_t done, uint64_t total)
{
    (void)ctx;
    (void)done;
    (void)total;
    steps++;
    if (at_step)
        at_step();
}

static void hook(void (*action)(void))
{
    static struct hf_host hooked;
    hooked = *fake_host_table();
    hooked.progress = count_step;
    at_step = action;
    steps = 0;
    ck_assert_int_eq(holdfast_module_v1()->init(&hooked), HF_OK);
}

static void write_one(void)
{
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(in_folder("live.db"), &db), SQLITE_OK);
    (void)sqlite3_exec(db, add_pair, NULL, NULL, NULL); /* busy, when the copy keeps the lock at last */
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

START_TEST(a_copy_that_is_always_restarted_ends)
{
    make_pairs(in_folder("live.db"), "delete");
    hook(write_one);
    ck_assert_int_eq(backup_with(1, (const char *const[]){"path", in_folder("live.db"), "step_size", "1M", NULL}),
                     HF_OK);
    ck_assert_ptr_nonnull(strstr(fake->log, "keeps changing"));
    int needed = steps;
    hook(NULL);
    ck_assert_int_eq(backup_with(1, (const char *const[]){"path", in_folder("live.db"), "step_size", "1M", NULL}),
                     HF_OK);
    ck_assert_int_le(needed, steps + 10);
    assert_consistent();
}
END_TEST

START_TEST(a_snapshot_is_never_restarted)
{
    make_pairs(in_folder("live.db"), "wal");
    hook(NULL);
    ck_assert_int_eq(backup_with(1, (const char *const[]){"path", in_folder("live.db"), "step_size", "1M", NULL}),
                     HF_OK);
    int still = steps;
    hook(write_one);
    ck_assert_int_eq(backup_with(1, (const char *const[]){"path", in_folder("live.db"), "step_size", "1M", NULL}),
                     HF_OK);
    ck_assert_int_le(steps, still + 2);
    assert_consistent();
}
END_TEST

static void remove_it(void)
{
    remove_file(in_folder("live.db"));
}

static void replace_it(void)
{
    if (exists(in_folder("other.db")))
        ck_assert_int_eq(rename(in_folder("other.db"), in_folder("live.db")), 0);
}

START_TEST(vanished_or_replaced_while_copied)
{
    make_pairs(in_folder("live.db"), "delete");
    make_database(in_folder("other.db"), "select 1", 3);
    hook(replace_it);
    ck_assert_int_eq(backup(in_folder("live.db"), 1), HF_E_BUSY);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "replaced"));
    hook(remove_it);
    make_database(in_folder("live2.db"), "select 1", 3);
    ck_assert_int_eq(backup(in_folder("live*.db"), 1), HF_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "live.db"));
    ck_assert_int_eq(rename(in_folder("live2.db"), in_folder("live.db")), 0);
    make_database(in_folder("live2.db"), "select 1", 3);
    ck_assert_int_eq(backup_with(1, (const char *const[]){"path", in_folder("live*.db"), "on_error", "skip", NULL}),
                     HF_OK);
    ck_assert_ptr_nonnull(fake_find(fake, "database-skipped"));
}
END_TEST

static void stop_it(void)
{
    if (steps == 2)
        fake_cancel(fake);
}

START_TEST(stopped_while_copied)
{
    make_pairs(in_folder("live.db"), _i ? "wal" : "delete");
    hook(stop_it);
    const char *const pairs[] = {"path", in_folder("live.db"), "step_size", "64K", "on_error", "skip", NULL};
    ck_assert_int_eq(backup_with(1, pairs), HF_E_CANCELLED);
    ck_assert_int_lt(steps, 10);
}
END_TEST

START_TEST(locked_for_too_long)
{
    make_pairs(in_folder("live.db"), "delete");
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(in_folder("live.db"), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "begin exclusive", NULL, NULL, NULL), SQLITE_OK);
    const char *const pairs[] = {"path", in_folder("live.db"), "busy_timeout", "300ms", NULL};
    ck_assert_int_eq(backup_with(1, pairs), HF_E_BUSY);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "live.db"));
    ck_assert_ptr_nonnull(strstr(fake_hint(fake), "busy_timeout"));
    fake_cancel(fake);
    open_plugin((const char *const[]){"path", in_folder("live.db"), "busy_timeout", "1h", NULL});
    ck_assert_int_lt(fake_backup(fake, source_operations(), plugin_self, 1), 0);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    ck_assert_int_eq(backup(in_folder("live.db"), 1), HF_OK);
}
END_TEST

static void *unlock_soon(void *arg)
{
    usleep(300000);
    (void)sqlite3_exec(arg, "commit", NULL, NULL, NULL);
    return NULL;
}

START_TEST(locked_for_a_while)
{
    make_pairs(in_folder("live.db"), "delete");
    sqlite3 *db = NULL;
    pthread_t thread;
    ck_assert_int_eq(sqlite3_open(in_folder("live.db"), &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "begin exclusive", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(pthread_create(&thread, NULL, unlock_soon, db), 0);
    ck_assert_int_eq(backup(in_folder("live.db"), 1), HF_OK);
    pthread_join(thread, NULL);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}
END_TEST

static char *bytes_of(const char *path, size_t *ret_size)
{
    struct stat info;
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fstat(fileno(file), &info), 0);
    char *data = malloc((size_t)info.st_size + 1);
    ck_assert_uint_eq(fread(data, 1, (size_t)info.st_size, file), info.st_size);
    fclose(file);
    *ret_size = (size_t)info.st_size;
    return data;
}

static void assert_same(const char *path, const char *data, size_t size)
{
    size_t now = 0;
    char *other = bytes_of(path, &now);
    ck_assert_uint_eq(now, size);
    ck_assert_mem_eq(other, data, size);
    free(other);
}

START_TEST(nothing_is_left_beside_a_wal_database)
{
    struct stat before, after;
    size_t size = 0;
    make_pairs(in_folder("live.db"), "wal");
    ck_assert_int_eq(stat(in_folder("live.db"), &before), 0);
    char *data = bytes_of(in_folder("live.db"), &size);
    ck_assert_int_eq(entries(folder), 1);
    ck_assert_int_eq(backup(in_folder("live.db"), 1), HF_OK);
    ck_assert_int_eq(source_operations()->check(plugin_self, fake_ctx(fake)), HF_OK);
    ck_assert_int_eq(entries(folder), 1);
    ck_assert_int_eq(stat(in_folder("live.db"), &after), 0);
    ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_same(in_folder("live.db"), data, size);
    free(data);
}
END_TEST

/* A child that dies in the middle leaves what a crashed application leaves. */
static void crash_after(const char *path, const char *sql)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        sqlite3 *db = NULL;
        if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
            _exit(1);
        _exit(0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

START_TEST(a_left_wal_is_read_and_not_checkpointed)
{
    size_t size = 0, wal_size = 0;
    make_pairs(in_folder("live.db"), "wal");
    crash_after(in_folder("live.db"), add_pair);
    char *data = bytes_of(in_folder("live.db"), &size), *wal = bytes_of(in_folder("live.db-wal"), &wal_size);
    ck_assert_uint_gt(wal_size, 0);
    ck_assert_int_eq(backup(in_folder("live.db"), 1), HF_OK);
    ck_assert_ptr_nonnull(strstr(fake_fact(fake, "live"), "\"a\":20001,\"b\":20001"));
    assert_same(in_folder("live.db"), data, size);
    assert_same(in_folder("live.db-wal"), wal, wal_size);
    free(data);
    free(wal);
    assert_consistent();
}
END_TEST

START_TEST(a_hot_journal_is_rolled_back)
{
    make_pairs(in_folder("live.db"), "delete");
    crash_after(in_folder("live.db"), "pragma cache_size = 5; begin; delete from a");
    ck_assert(exists(in_folder("live.db-journal")));
    ck_assert_int_eq(backup(in_folder("live.db"), 1), HF_OK);
    ck_assert_int_eq(fake_find(fake, "journal-rolled-back")->severity, HF_INFO);
    ck_assert_ptr_nonnull(strstr(fake_fact(fake, "live"), "\"a\":20000,\"b\":20000"));
    assert_consistent();
}
END_TEST

Suite *suite_live(void)
{
    Suite *suite = suite_create("live");
    TCase *tests = tcase_create("live");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, a_writer_that_never_rests, 0, 3);
    tcase_add_test(tests, a_copy_that_is_always_restarted_ends);
    tcase_add_test(tests, a_snapshot_is_never_restarted);
    tcase_add_test(tests, vanished_or_replaced_while_copied);
    tcase_add_loop_test(tests, stopped_while_copied, 0, 2);
    tcase_add_test(tests, locked_for_too_long);
    tcase_add_test(tests, locked_for_a_while);
    tcase_add_test(tests, nothing_is_left_beside_a_wal_database);
    tcase_add_test(tests, a_left_wal_is_read_and_not_checkpointed);
    tcase_add_test(tests, a_hot_journal_is_rolled_back);
    suite_add_tcase(suite, tests);
    return suite;
}
