/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static struct bench b;

static void setup(void)
{
    bench_open(&b);
    make_day(&b, "2026-01-29", 2, 20);
    seal_day(&b, "2026-01-29");
    chmod(bench_path(&b, "ledger/2026-01-29"), 0555);
    make_day(&b, "2026-01-30", 1, 20);
    make_day(&b, "2026-01-31", 1, 7);
    mkdir(bench_path(&b, "ledger/_archive"), 0700);
    spit(bench_path(&b, "ledger/_archive/x"), "x", 1);
    bench_backup(&b, HF_OK);
}

static void teardown(void)
{
    bench_close(&b);
}

/* Number of names in a folder, hidden ones, too. */
static int names_in(const char *path)
{
    char command[400], text[32] = "";

    snprintf(command, sizeof(command), "ls -A '%s' | wc -l", path);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(fgets(text, sizeof(text), pipe));
    pclose(pipe);
    return atoi(text);
}

static int restore_in_place(bool replace, const char *only)
{
    const char *const names[] = {only, NULL};
    struct hf_restore_request request = {
        .size = sizeof(request), .replace = replace, .id = "ID", .only = names, .only_count = only ? 1 : 0};

    fake_clear(b.fake);
    return fake_restore(b.fake, b.source, b.self, &request, 2);
}

START_TEST(into_a_new_folder)
{
    ck_assert_int_eq(bench_restore(&b, "new/deep", false, NULL), HF_OK);
    ck_assert(same_trees(b.ledger, bench_path(&b, "new/deep/ledger"), NULL));
    ck_assert_int_eq(names_in(bench_path(&b, "new/deep")), 1);
}
END_TEST

START_TEST(into_an_empty_folder)
{
    mkdir(bench_path(&b, "data"), 0755);
    mkdir(bench_path(&b, "data/ledger"), 0755);
    ck_assert_int_eq(bench_restore(&b, "data", false, NULL), HF_OK);
    ck_assert(same_trees(b.ledger, bench_path(&b, "data/ledger"), NULL));
}
END_TEST

/* Nothing in it is part of any backup, so there is nothing to replace; but it stays. */
START_TEST(into_a_folder_with_a_lock_only)
{
    mkdir(bench_path(&b, "data"), 0755);
    mkdir(bench_path(&b, "data/ledger"), 0755);
    spit(bench_path(&b, "data/ledger/_LOCK"), "", 0);
    mkdir(bench_path(&b, "data/ledger/_holdfast-OTHER"), 0700);
    ck_assert_int_eq(bench_restore(&b, "data", false, NULL), HF_OK);
    ck_assert(exists(bench_path(&b, "data/ledger/_LOCK")));
    ck_assert(!exists(bench_path(&b, "data/ledger/_holdfast-OTHER")));
    ck_assert_int_eq(unlink(bench_path(&b, "data/ledger/_LOCK")), 0);
    ck_assert_int_eq(names_in(bench_path(&b, "data/ledger")), names_in(b.ledger));
}
END_TEST

START_TEST(to_the_original_place)
{
    ck_assert_int_eq(rename(b.ledger, bench_path(&b, "saved")), 0);
    ck_assert_int_eq(restore_in_place(false, NULL), HF_OK);
    ck_assert(same_trees(b.ledger, bench_path(&b, "saved"), NULL));
}
END_TEST

START_TEST(a_full_target_is_refused)
{
    ck_assert_int_eq(restore_in_place(false, NULL), HF_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(fake_error(b.fake), "not empty"));
    ck_assert_ptr_nonnull(strstr(fake_hint(b.fake), "--replace"));
    ck_assert_int_eq(names_in(b.root), 1);
}
END_TEST

START_TEST(replace_keeps_the_old_one)
{
    ck_assert_int_eq(shell("cp -a '%s' '%s/saved'", b.ledger, b.root), 0);
    spit(bench_path(&b, "ledger/2026-01-30/new"), "new", 3);
    ck_assert_int_eq(restore_in_place(true, NULL), HF_OK);
    ck_assert(same_trees(b.ledger, bench_path(&b, "saved"), NULL));
    ck_assert(exists(bench_path(&b, "ledger.before-ID/2026-01-30/new")));
    ck_assert_int_eq(names_in(b.root), 3);
    /* And once more: the first one is not lost. */
    ck_assert_int_eq(restore_in_place(true, NULL), HF_OK);
    ck_assert(exists(bench_path(&b, "ledger.before-ID/2026-01-30/new")));
    ck_assert(exists(bench_path(&b, "ledger.before-ID.2/2026-01-30")));
}
END_TEST

START_TEST(one_day_into_a_ledger_that_has_others)
{
    ck_assert_int_eq(shell("cp -a '%s' '%s/saved'", b.ledger, b.root), 0);
    ck_assert_int_eq(shell("chmod -R u+w '%s/2026-01-29' && rm -r '%s/2026-01-29'", b.ledger, b.ledger), 0);
    spit(bench_path(&b, "ledger/2026-01-30/new"), "new", 3);
    ck_assert_int_eq(restore_in_place(false, "2026-01-29"), HF_OK);
    ck_assert(same_trees(bench_path(&b, "ledger/2026-01-29"), bench_path(&b, "saved/2026-01-29"), NULL));
    ck_assert(exists(bench_path(&b, "ledger/2026-01-30/new")));
    ck_assert_int_eq(names_in(b.ledger), 4);

    ck_assert_int_eq(restore_in_place(false, "2026-01-30"), HF_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(fake_error(b.fake), "2026-01-30"));
    ck_assert_int_eq(restore_in_place(true, "2026-01-30"), HF_OK);
    ck_assert(!exists(bench_path(&b, "ledger/2026-01-30/new")));
    ck_assert(exists(bench_path(&b, "ledger/_before-ID/2026-01-30/new")));
    ck_assert(same_trees(bench_path(&b, "ledger/2026-01-30"), bench_path(&b, "saved/2026-01-30"), NULL));
    ck_assert_int_eq(names_in(b.ledger), 5);
}
END_TEST

START_TEST(one_day_elsewhere)
{
    ck_assert_int_eq(bench_restore(&b, "else", false, "2026-01-30"), HF_OK);
    ck_assert_int_eq(names_in(bench_path(&b, "else/ledger")), 1);
    ck_assert(same_trees(bench_path(&b, "ledger/2026-01-30"), bench_path(&b, "else/ledger/2026-01-30"), NULL));
}
END_TEST

START_TEST(a_day_that_is_not_in_the_backup)
{
    ck_assert_int_eq(bench_restore(&b, "else", false, "2026-02-28"), HF_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(fake_error(b.fake), "2026-02-28"));
    ck_assert(!exists(bench_path(&b, "else")));
    ck_assert_int_eq(bench_restore(&b, "else", false, "../2026-02-28"), HF_E_NOTFOUND);
    ck_assert_int_eq(restore_in_place(false, "2026-02-28"), HF_E_NOTFOUND);
    ck_assert_int_eq(names_in(b.ledger), 4);
}
END_TEST

START_TEST(a_writer_at_work_is_not_disturbed)
{
    int lock = open(bench_path(&b, "ledger/2026-01-31/_LOCK"), O_RDWR | O_CREAT, 0644);

    ck_assert_int_eq(flock(lock, LOCK_EX), 0);
    ck_assert_int_eq(shell("rm -r '%s/2026-01-30'", b.ledger), 0);
    ck_assert_int_eq(restore_in_place(false, "2026-01-30"), HF_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(fake_hint(b.fake), "SIGUSR1"));
    ck_assert_int_eq(flock(lock, LOCK_UN), 0);
    ck_assert_int_eq(restore_in_place(false, "2026-01-30"), HF_OK);
    close(lock);
}
END_TEST

START_TEST(a_failed_restore_changes_nothing)
{
    ck_assert_int_eq(shell("cp -a '%s' '%s/saved'", b.ledger, b.root), 0);
    /* Facts that no bytes agree with. */
    fake_set_fact(b.fake, "2026-01-30", "{\"records\":1}");
    ck_assert_int_eq(restore_in_place(true, NULL), HF_E_CORRUPT);
    ck_assert(same_trees(b.ledger, bench_path(&b, "saved"), NULL));
    ck_assert_int_eq(names_in(b.root), 2);
    ck_assert_int_eq(restore_in_place(true, "2026-01-30"), HF_E_CORRUPT);
    ck_assert(same_trees(b.ledger, bench_path(&b, "saved"), NULL) || names_in(b.ledger) == 4);
    ck_assert_int_eq(bench_restore(&b, "new/deep", false, NULL), HF_E_CORRUPT);
    ck_assert(!exists(bench_path(&b, "new")));
}
END_TEST

START_TEST(what_a_crashed_restore_left_is_removed)
{
    mkdir(bench_path(&b, ".ledger.holdfast-ID"), 0700);
    mkdir(bench_path(&b, ".ledger.holdfast-ID/ledger"), 0700);
    spit(bench_path(&b, ".ledger.holdfast-ID/ledger/x"), "x", 1);
    mkdir(bench_path(&b, ".ledger.holdfast-OTHER"), 0700);
    ck_assert_int_eq(restore_in_place(true, NULL), HF_OK);
    ck_assert(!exists(bench_path(&b, "ledger/x")));
    ck_assert(!exists(bench_path(&b, ".ledger.holdfast-ID")));
    ck_assert(!exists(bench_path(&b, ".ledger.holdfast-OTHER")));

    /* But not that of a run that is still alive. */
    mkdir(bench_path(&b, ".ledger.holdfast-ID"), 0700);
    int lock = open(bench_path(&b, ".ledger.holdfast-ID"), O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(flock(lock, LOCK_EX), 0);
    ck_assert_int_eq(restore_in_place(true, NULL), HF_E_BUSY);
    ck_assert(exists(bench_path(&b, ".ledger.holdfast-ID")));
    close(lock);
}
END_TEST

START_TEST(without_the_manifest)
{
    struct hf_restore_request request = {.size = sizeof(request), .id = "ID", .to = bench_path(&b, "whole")};

    fake_clear(b.fake);
    ck_assert_int_eq(fake_restore_whole(b.fake, b.source, b.self, &request, ""), HF_OK);
    ck_assert(same_trees(b.ledger, bench_path(&b, "whole/ledger"), NULL));

    const char *only[] = {"2026-01-29"};
    request.to = bench_path(&b, "one");
    request.only = only;
    request.only_count = 1;
    fake_clear(b.fake);
    ck_assert_int_eq(fake_restore_whole(b.fake, b.source, b.self, &request, ""), HF_OK);
    ck_assert_int_eq(names_in(bench_path(&b, "one/ledger")), 1);

    /* Cut short: nothing comes of it. */
    b.fake->parts[b.fake->part_count - 1]->used = 0;
    request.to = bench_path(&b, "cut");
    request.only_count = 0;
    fake_clear(b.fake);
    ck_assert_int_eq(fake_restore_whole(b.fake, b.source, b.self, &request, ""), HF_E_CORRUPT);
    ck_assert(!exists(bench_path(&b, "cut")));
}
END_TEST

/* An archive that tar made of a folder that holds more than it should. */
static int restore_archive(const char *members)
{
    size_t size;

    ck_assert_int_eq(shell("cd '%s' && tar -cf hostile.tar %s", b.root, members), 0);
    unsigned char *data = slurp(bench_path(&b, "hostile.tar"), &size);
    ck_assert_int_eq(rename(b.ledger, bench_path(&b, "saved")), 0);
    for (size_t i = 1; i < b.fake->part_count; i++)
        b.fake->parts[i]->used = 0;
    free(b.fake->parts[0]->data);
    b.fake->parts[0]->data = data;
    b.fake->parts[0]->used = size;
    struct hf_restore_request request = {.size = sizeof(request), .id = "ID", .to = bench_path(&b, "target")};
    fake_clear(b.fake);
    return fake_restore_whole(b.fake, b.source, b.self, &request, "");
}

START_TEST(what_plain_tar_made_is_taken)
{
    spit(bench_path(&b, "ledger/2026-01-31/_LOCK"), "", 0);
    ck_assert_int_eq(restore_archive("./ledger"), HF_OK);
    ck_assert(exists(bench_path(&b, "target/ledger/2026-01-29/_SEALED")));
    ck_assert(!exists(bench_path(&b, "target/ledger/2026-01-31/_LOCK")));
}
END_TEST

START_TEST(entries_outside_the_ledger_are_refused)
{
    spit(bench_path(&b, "other"), "x", 1);
    ck_assert_int_eq(restore_archive("ledger other"), HF_E_REFUSED);
    ck_assert(!exists(bench_path(&b, "target")));
}
END_TEST

START_TEST(a_mount_point_stays)
{
    mkdir(bench_path(&b, "data"), 0755);
    mkdir(bench_path(&b, "data/ledger"), 0755);
    if (mount("tmpfs", bench_path(&b, "data/ledger"), "tmpfs", 0, "size=16m") < 0)
        return; /* not allowed here */
    int first = bench_restore(&b, "data", false, NULL);
    int same = same_trees(b.ledger, bench_path(&b, "data/ledger"), NULL);
    int again = bench_restore(&b, "data", false, NULL);
    spit(bench_path(&b, "data/ledger/2026-01-30/new"), "new", 3);
    int replaced = bench_restore(&b, "data", true, NULL);
    int kept = exists(bench_path(&b, "data/ledger/_before-ID/2026-01-30/new"));
    int gone = !exists(bench_path(&b, "data/ledger/2026-01-30/new"));
    int left = exists(bench_path(&b, "data/ledger/_holdfast-ID"));
    umount(bench_path(&b, "data/ledger"));
    ck_assert_int_eq(first, HF_OK);
    ck_assert_int_eq(same, 1);
    ck_assert_int_eq(again, HF_E_REFUSED);
    ck_assert_int_eq(replaced, HF_OK);
    ck_assert(kept && gone && !left);
}
END_TEST

START_TEST(a_link_to_the_ledger_stays)
{
    ck_assert_int_eq(rename(b.ledger, bench_path(&b, "elsewhere")), 0);
    ck_assert_int_eq(symlink("elsewhere", b.ledger), 0);
    bench_backup(&b, HF_OK);
    ck_assert_int_eq(fake_worst(b.fake), 0);
    ck_assert_int_eq(restore_in_place(true, NULL), HF_OK);
    ck_assert(exists(bench_path(&b, "elsewhere.before-ID")));
    struct stat st;
    ck_assert_int_eq(lstat(b.ledger, &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
}
END_TEST

Suite *restore_suite(void)
{
    Suite *suite = suite_create("ledger: restore");
    TCase *tcase = tcase_create("restore");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, into_a_new_folder);
    tcase_add_test(tcase, into_an_empty_folder);
    tcase_add_test(tcase, into_a_folder_with_a_lock_only);
    tcase_add_test(tcase, to_the_original_place);
    tcase_add_test(tcase, a_full_target_is_refused);
    tcase_add_test(tcase, replace_keeps_the_old_one);
    tcase_add_test(tcase, one_day_into_a_ledger_that_has_others);
    tcase_add_test(tcase, one_day_elsewhere);
    tcase_add_test(tcase, a_day_that_is_not_in_the_backup);
    tcase_add_test(tcase, a_writer_at_work_is_not_disturbed);
    tcase_add_test(tcase, a_failed_restore_changes_nothing);
    tcase_add_test(tcase, what_a_crashed_restore_left_is_removed);
    tcase_add_test(tcase, without_the_manifest);
    tcase_add_test(tcase, what_plain_tar_made_is_taken);
    tcase_add_test(tcase, entries_outside_the_ledger_are_refused);
    tcase_add_test(tcase, a_mount_point_stays);
    tcase_add_test(tcase, a_link_to_the_ledger_stays);
    suite_add_tcase(suite, tcase);
    return suite;
}
