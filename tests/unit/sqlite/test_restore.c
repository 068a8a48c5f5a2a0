/* SPDX-License-Identifier: Apache-2.0
 *
 * Restores: refusals, the swap, and that a failed one leaves everything as it was.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

#define KEPT "signals.db.before-sqlite_20260201_120000"

static void make_backup(const char *pragmas)
{
    make_database(in_folder("signals.db"), pragmas, 1000);
    ck_assert_int_eq(chmod(in_folder("signals.db"), 0640), 0);
    ck_assert_int_eq(backup(in_folder("*.db"), 2), HF_OK);
}

START_TEST(to_the_original_place)
{
    make_backup("pragma journal_mode = wal");
    remove_file(in_folder("signals.db"));
    ck_assert_int_eq(restore(NULL, 0, NULL), HF_OK);
    struct stat info;
    ck_assert_int_eq(stat(in_folder("signals.db"), &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0640);
    ck_assert_int_eq(entries(folder), 1);
    ck_assert_int_eq(query(in_folder("signals.db"), "select count(*) from signals"), 1000);
}
END_TEST

START_TEST(an_existing_one_is_refused)
{
    make_backup("select 1");
    run_sql(in_folder("signals.db"), "delete from signals");
    ck_assert_int_eq(restore(NULL, 0, NULL), HF_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(fake_hint(fake), "--replace"));
    ck_assert_int_eq(query(in_folder("signals.db"), "select count(*) from signals"), 0);
    ck_assert_int_eq(entries(folder), 1);
}
END_TEST

START_TEST(replacing_keeps_the_old_one)
{
    make_backup("select 1");
    run_sql(in_folder("signals.db"), "delete from signals where id > 5");
    ck_assert_int_eq(chmod(in_folder("signals.db"), 0600), 0);
    ck_assert_int_eq(restore(NULL, 1, NULL), HF_OK);
    ck_assert_int_eq(query(in_folder("signals.db"), "select count(*) from signals"), 1000);
    ck_assert_int_eq(query(in_folder(KEPT), "select count(*) from signals"), 5);
    struct stat info;
    ck_assert_int_eq(stat(in_folder("signals.db"), &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
    ck_assert_int_eq(restore(NULL, 1, NULL), HF_OK);
    ck_assert_int_eq(query(in_folder(KEPT), "select count(*) from signals"), 5);
    ck_assert_int_eq(query(in_folder(KEPT ".2"), "select count(*) from signals"), 1000);
    ck_assert_int_eq(entries(folder), 3);
}
END_TEST

static void crash_after(const char *sql)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        sqlite3 *db = NULL;
        if (sqlite3_open(in_folder("signals.db"), &db) != SQLITE_OK ||
            sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
            _exit(1);
        _exit(0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

START_TEST(a_stale_wal_is_merged_into_the_old_one)
{
    make_backup("pragma journal_mode = wal");
    crash_after("delete from signals where id > 7");
    ck_assert(exists(in_folder("signals.db-wal")));
    ck_assert_int_eq(restore(NULL, 1, NULL), HF_OK);
    ck_assert(!exists(in_folder("signals.db-wal")) && !exists(in_folder("signals.db-shm")));
    ck_assert_int_eq(query(in_folder("signals.db"), "select count(*) from signals"), 1000);
    ck_assert_int_eq(query(in_folder(KEPT), "select count(*) from signals"), 7);
}
END_TEST

START_TEST(a_stale_wal_of_a_damaged_one_goes_with_it)
{
    make_backup("pragma journal_mode = wal");
    crash_after("delete from signals where id > 7");
    write_file(in_folder("signals.db"), "overwritten by mistake, and too short to be a database", 54);
    ck_assert_int_eq(restore(NULL, 1, NULL), HF_OK);
    ck_assert(!exists(in_folder("signals.db-wal")) && !exists(in_folder("signals.db-shm")));
    ck_assert_int_eq(query(in_folder("signals.db"), "select count(*) from signals"), 1000);
    ck_assert(exists(in_folder(KEPT)));
}
END_TEST

START_TEST(a_stale_wal_without_its_database)
{
    make_backup("pragma journal_mode = wal");
    crash_after("delete from signals where id > 7");
    remove_file(in_folder("signals.db"));
    ck_assert_int_eq(restore(NULL, 0, NULL), HF_OK);
    ck_assert(!exists(in_folder("signals.db-wal")) && !exists(in_folder("signals.db-shm")));
    ck_assert(exists(in_folder(KEPT "-wal")));
    ck_assert_int_eq(query(in_folder("signals.db"), "select count(*) from signals"), 1000);
}
END_TEST

START_TEST(a_hot_journal_is_gone_afterwards)
{
    make_backup("select 1");
    crash_after("pragma cache_size = 1; begin; update signals set payload = randomblob(80)");
    ck_assert(exists(in_folder("signals.db-journal")));
    ck_assert_int_eq(restore(NULL, 1, NULL), HF_OK);
    ck_assert(!exists(in_folder("signals.db-journal")));
    ck_assert_int_eq(query(in_folder("signals.db"), "select count(*) from signals"), 1000);
}
END_TEST

/* A process that has the database open. */
static pid_t hold(const char *sql)
{
    int ready[2];
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        sqlite3 *db = NULL;
        if (sqlite3_open(in_folder("signals.db"), &db) != SQLITE_OK ||
            sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK || write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    char byte;
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void let_go(pid_t child)
{
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

START_TEST(a_holder_is_named)
{
    static const char *const modes[] = {"pragma journal_mode = wal", "select 1"};
    char process[40];
    make_backup(modes[_i]);
    pid_t child = hold("select count(*) from signals");
    snprintf(process, sizeof(process), "process %d", (int)child);
    ck_assert_int_eq(restore(NULL, 0, NULL), HF_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), process));
    ck_assert_ptr_nonnull(strstr(fake_hint(fake), "--replace"));
    int unlinked = unlink(in_folder("signals.db"));
    ck_assert_int_eq(unlinked, 0);
    if (_i == 0) { /* its -wal is still there and held */
        ck_assert_int_eq(restore(NULL, 0, NULL), HF_E_REFUSED);
        ck_assert_ptr_nonnull(strstr(fake_error(fake), process));
    }
    ck_assert_int_eq(restore(NULL, 1, NULL), HF_OK);
    let_go(child);
    ck_assert_int_eq(query(in_folder("signals.db"), "select count(*) from signals"), 1000);
}
END_TEST

START_TEST(replacing_under_a_holder)
{
    make_backup("pragma journal_mode = wal");
    pid_t child = hold("delete from signals where id > 3");
    ck_assert_int_eq(restore(NULL, 1, NULL), HF_OK);
    ck_assert_int_eq(fake_find(fake, "database-in-use")->severity, HF_WARNING);
    ck_assert(!exists(in_folder("signals.db-wal")) && !exists(in_folder("signals.db-shm")));
    let_go(child);
    ck_assert_int_eq(query(in_folder("signals.db"), "select count(*) from signals"), 1000);
    ck_assert_int_eq(query(in_folder(KEPT), "select count(*) from signals"), 3);
}
END_TEST

/* Killed in the middle of the swap, what was written last must be under one name together with the rest. */
START_TEST(a_holder_keeps_all_files_of_the_old_one)
{
    make_backup("pragma journal_mode = wal");
    pid_t child = hold("begin; select count(*) from signals"); /* a snapshot, so that the -wal cannot be emptied */
    run_sql(in_folder("signals.db"), "delete from signals where id > 7");
    ck_assert_int_eq(restore(NULL, 1, NULL), HF_OK);
    ck_assert(exists(in_folder(KEPT "-wal")) && exists(in_folder(KEPT "-shm")));
    ck_assert_int_eq(query(in_folder(KEPT), "select count(*) from signals"), 7);
    let_go(child);
    ck_assert_int_eq(query(in_folder("signals.db"), "select count(*) from signals"), 1000);
    ck_assert_int_eq(query(in_folder(KEPT), "select count(*) from signals"), 7);
}
END_TEST

START_TEST(names_as_long_as_they_can_be)
{
    char name[256], path[400];
    memset(name, 'n', 247); /* with "-journal", as long as a name may be */
    strcpy(name + 244, ".db");
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    make_database(path, "select 1", 10);
    ck_assert_int_eq(backup(in_folder("*.db"), 1), HF_OK);
    run_sql(path, "delete from signals");
    ck_assert_int_eq(restore(in_folder("out"), 0, NULL), HF_OK);
    ck_assert_int_eq(restore(NULL, 1, NULL), HF_OK);
    ck_assert_int_eq(query(path, "select count(*) from signals"), 10);
    ck_assert_int_eq(entries(folder), 3);
}
END_TEST

START_TEST(only_some)
{
    make_database(in_folder("a.db"), "select 1", 1);
    make_database(in_folder("b.db"), "select 1", 2);
    make_database(in_folder("c.db"), "select 1", 3);
    ck_assert_int_eq(backup(in_folder("*.db"), 1), HF_OK);
    ck_assert_int_eq(restore(in_folder("out"), 0, "b"), HF_OK);
    ck_assert_int_eq(entries(in_folder("out")), 1);
    ck_assert_int_eq(restore(in_folder("out"), 0, "a.db"), HF_OK);
    ck_assert_int_eq(restore(in_folder("out"), 0, in_folder("c.db")), HF_OK);
    ck_assert_int_eq(entries(in_folder("out")), 3);
    ck_assert_int_eq(restore(in_folder("none"), 0, "d"), HF_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "'d'"));
    ck_assert(!exists(in_folder("none")));
}
END_TEST

START_TEST(a_damaged_artifact_changes_nothing)
{
    make_backup("select 1");
    make_database(in_folder("zz.db"), "select 1", 4000);
    ck_assert_int_eq(backup(in_folder("*.db"), 1), HF_OK);
    run_sql(in_folder("signals.db"), "delete from signals");
    struct fake_part *last = fake->parts[fake->part_count - 1];
    for (size_t i = 0; i < 40; i++)
        last->data[4096 * 3 + i] ^= 0xff;
    ck_assert_int_eq(restore(NULL, 1, NULL), HF_E_CORRUPT);
    ck_assert_int_eq(entries(folder), 2);
    ck_assert_int_eq(query(in_folder("signals.db"), "select count(*) from signals"), 0);
    ck_assert_int_eq(restore(in_folder("x/y/z"), 0, NULL), HF_E_CORRUPT);
    ck_assert(!exists(in_folder("x")));
}
END_TEST

START_TEST(no_room_for_the_database)
{
    make_database(in_folder("signals.db"), "select 1", 20000);
    ck_assert_int_eq(backup(in_folder("*.db"), 1), HF_OK);
    limit_files(1 << 20);
    int result = restore(NULL, 1, NULL), beside = restore(in_folder("out"), 0, NULL);
    limit_files(0);
    ck_assert_int_eq(result, HF_E_IO);
    ck_assert_int_eq(beside, HF_E_IO);
    ck_assert_int_eq(entries(folder), 1);
    ck_assert_int_eq(query(in_folder("signals.db"), "select count(*) from signals"), 20000);
}
END_TEST

START_TEST(facts_that_differ_change_nothing)
{
    make_backup("select 1");
    char wrong[1024];
    snprintf(wrong, sizeof(wrong), "%s", fake_fact(fake, "signals"));
    memcpy(strstr(wrong, "1000"), "1001", 4);
    fake_set_fact(fake, "signals", wrong);
    ck_assert_int_eq(restore(NULL, 1, NULL), HF_E_CORRUPT);
    ck_assert_int_eq(entries(folder), 1);
}
END_TEST

/* The second swap fails, for its target cannot be replaced; the first must be undone. */
START_TEST(a_failed_swap_undoes_those_before)
{
    make_database(in_folder("a.db"), "pragma journal_mode = wal", 10);
    make_database(in_folder("b.db"), "select 1", 20);
    ck_assert_int_eq(backup(in_folder("*.db"), 1), HF_OK);
    for (int which = 0; which < 2; which++) {
        /* Something in the way that is no file: the -journal cannot be... moved onto a folder that is not empty. */
        const char *name = which ? "a" : "b";
        run_sql(in_folder("a.db"), "delete from signals");
        run_sql(in_folder("b.db"), "delete from signals");
        make_folder(in_folder("%s.db-shm", name));
        ck_assert_int_lt(restore(NULL, 1, NULL), 0);
        ck_assert_int_eq(rmdir(in_folder("%s.db-shm", name)), 0);
        ck_assert_int_eq(entries(folder), 2);
        ck_assert_int_eq(query(in_folder("a.db"), "select count(*) from signals"), 0);
        ck_assert_int_eq(query(in_folder("b.db"), "select count(*) from signals"), 0);
    }
}
END_TEST

START_TEST(leftovers_of_a_crash_are_replaced)
{
    make_backup("select 1");
    remove_file(in_folder("signals.db"));
    write_file(in_folder(".signals.db.holdfast-sqlite_20260201_120000"), "half", 4);
    write_file(in_folder(".signals.db.holdfast-sqlite_20260131_060000"), "half", 4);
    write_file(in_folder(".signals.db.holdfast-notes"), "mine", 4);
    ck_assert_int_eq(restore(NULL, 0, NULL), HF_OK);
    ck_assert_int_eq(entries(folder), 2);
    ck_assert(exists(in_folder(".signals.db.holdfast-notes")));
}
END_TEST

START_TEST(a_second_name_of_a_crash_is_used)
{
    make_backup("select 1");
    run_sql(in_folder("signals.db"), "delete from signals");
    ck_assert_int_eq(link(in_folder("signals.db"), in_folder(KEPT)), 0);
    ck_assert_int_eq(restore(NULL, 1, NULL), HF_OK);
    ck_assert_int_eq(entries(folder), 2);
    ck_assert_int_eq(query(in_folder(KEPT), "select count(*) from signals"), 0);
    ck_assert_int_eq(query(in_folder("signals.db"), "select count(*) from signals"), 1000);
}
END_TEST

START_TEST(through_a_link)
{
    make_folder(in_folder("real"));
    make_database(in_folder("real/signals.db"), "select 1", 10);
    ck_assert_int_eq(symlink("real/signals.db", in_folder("link.db")), 0);
    ck_assert_int_eq(backup(in_folder("link.db"), 1), HF_OK);
    run_sql(in_folder("real/signals.db"), "delete from signals");
    ck_assert_int_eq(restore(NULL, 1, NULL), HF_OK);
    struct stat info;
    ck_assert_int_eq(lstat(in_folder("link.db"), &info), 0);
    ck_assert(S_ISLNK(info.st_mode));
    ck_assert_int_eq(query(in_folder("link.db"), "select count(*) from signals"), 10);
}
END_TEST

START_TEST(targets_that_cannot_be)
{
    make_backup("select 1");
    write_file(in_folder("file"), "x", 1);
    ck_assert_int_eq(restore(in_folder("file"), 0, NULL), HF_E_REFUSED);
    remove_file(in_folder("signals.db"));
    make_folder(in_folder("signals.db"));
    ck_assert_int_eq(restore(NULL, 1, NULL), HF_E_REFUSED);
    ck_assert_int_eq(rmdir(in_folder("signals.db")), 0);
    fake_set_context(fake, "signals", "{\"path\":\"/tmp/..\"}");
    ck_assert_int_eq(restore(NULL, 0, NULL), HF_E_CORRUPT);
    fake_set_context(fake, "signals", NULL);
    ck_assert_int_eq(restore(NULL, 0, NULL), HF_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(fake_hint(fake), "--to"));
    ck_assert_int_eq(restore(in_folder("out"), 0, NULL), HF_OK);
    ck_assert(exists(in_folder("out/signals.db")));
}
END_TEST

START_TEST(an_artifact_without_its_manifest)
{
    make_backup("select 1");
    struct hf_restore_request request = {.size = sizeof(request), .id = "artifact", .to = in_folder("out")};
    fake_clear(fake);
    ck_assert_int_eq(fake_restore_whole(fake, source_operations(), plugin_self, &request, "signals"), HF_OK);
    ck_assert_int_eq(query(in_folder("out/restored.db"), "select count(*) from signals"), 1000);
    request.to = NULL;
    ck_assert_int_eq(fake_restore_whole(fake, source_operations(), plugin_self, &request, "signals"), HF_E_REFUSED);
    fake->parts[0]->data[20000] ^= 1;
    memset(fake->parts[0]->data + 4096 * 2, 7, 100);
    request.to = in_folder("out2");
    fake_clear(fake);
    ck_assert_int_eq(fake_restore_whole(fake, source_operations(), plugin_self, &request, "signals"), HF_E_CORRUPT);
    ck_assert(!exists(in_folder("out2")));
}
END_TEST

Suite *suite_restore(void)
{
    Suite *suite = suite_create("restore");
    TCase *tests = tcase_create("restore");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, to_the_original_place);
    tcase_add_test(tests, an_existing_one_is_refused);
    tcase_add_test(tests, replacing_keeps_the_old_one);
    tcase_add_test(tests, a_stale_wal_is_merged_into_the_old_one);
    tcase_add_test(tests, a_stale_wal_of_a_damaged_one_goes_with_it);
    tcase_add_test(tests, a_stale_wal_without_its_database);
    tcase_add_test(tests, a_hot_journal_is_gone_afterwards);
    tcase_add_loop_test(tests, a_holder_is_named, 0, 2);
    tcase_add_test(tests, replacing_under_a_holder);
    tcase_add_test(tests, a_holder_keeps_all_files_of_the_old_one);
    tcase_add_test(tests, names_as_long_as_they_can_be);
    tcase_add_test(tests, only_some);
    tcase_add_test(tests, a_damaged_artifact_changes_nothing);
    tcase_add_test(tests, no_room_for_the_database);
    tcase_add_test(tests, facts_that_differ_change_nothing);
    tcase_add_test(tests, a_failed_swap_undoes_those_before);
    tcase_add_test(tests, leftovers_of_a_crash_are_replaced);
    tcase_add_test(tests, a_second_name_of_a_crash_is_used);
    tcase_add_test(tests, through_a_link);
    tcase_add_test(tests, targets_that_cannot_be);
    tcase_add_test(tests, an_artifact_without_its_manifest);
    suite_add_tcase(suite, tests);
    return suite;
}
