/* SPDX-License-Identifier: Apache-2.0
 *
 * Restores: whole, in part, in place, refused, and failed.
 */
#include "tree.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static struct world world;

static void setup(void)
{
    world_open(&world);
}

static void teardown(void)
{
    world_close(&world);
}

static void restored(int code)
{
    ck_assert_msg(code == HF_OK, "%d: %s", code, fake_error(world.fake));
}

static void backup_of(const char *path)
{
    world_configure(&world, (const char *const[]){"path", path, NULL});
    int code = backup(&world, 3);
    ck_assert_msg(code == HF_OK, "%s", fake_error(world.fake));
}

static const char *beneath(const char *to, const char *path)
{
    static char joined[4300];
    snprintf(joined, sizeof(joined), "%s%s/%s", to, world.base, path);
    return joined;
}

START_TEST(everything_comes_back_elsewhere)
{
    put_everything(&world, "src");
    backup_of("%/src");
    restored(restore_to(&world, "new", false));
    same_trees(&world, "src", beneath("new", "src"));
    ck_assert_int_eq(count(&world, "new"), 1);
    put_folder(&world, "empty");
    restored(restore_to(&world, "empty", false));
    same_trees(&world, "src", beneath("empty", "src"));
    ck_assert_int_eq(count(&world, "empty"), 1);
    restored(restore_to(&world, "some/new/folder", false));
    ck_assert_int_eq(count(&world, "some/new"), 1);
    ck_assert_ptr_null(fake_find(world.fake, "attributes-not-restored"));
}
END_TEST

START_TEST(everything_comes_back_in_place)
{
    put_everything(&world, "src");
    backup_of("%/src");
    ck_assert_int_eq(rename(at(&world, "src"), at(&world, "kept")), 0);
    restored(restore_to(&world, NULL, false));
    same_trees(&world, "kept", "src");
    ck_assert_int_eq(count(&world, ""), 2);
}
END_TEST

START_TEST(in_place_several_paths)
{
    put_text(&world, "a/x", "x");
    put_text(&world, "a/n/y", "y");
    put_text(&world, "b/one.conf", "1");
    put_text(&world, "b/two.conf", "2");
    put_text(&world, "b/other", "stays");
    put_text(&world, "b/latin-\xe9.conf", "bytes");
    ck_assert_int_eq(link(at(&world, "a/x"), at(&world, "b/hard.conf")), 0);
    backup_of("%/a %/a/n %/b/*.conf");
    ck_assert_int_eq(tar_remove_tree(-100, at(&world, "a")), 0);
    ck_assert_int_eq(unlink(at(&world, "b/one.conf")), 0);
    ck_assert_int_eq(unlink(at(&world, "b/latin-\xe9.conf")), 0);
    put_text(&world, "b/two.conf", "changed");
    ck_assert_int_eq(restore_to(&world, NULL, false), HF_E_REFUSED);
    ck_assert(!has(&world, "a"));
    restored(restore_to(&world, NULL, true));
    ck_assert_str_eq(get_text(&world, "a/x"), "x");
    ck_assert_str_eq(get_text(&world, "a/n/y"), "y");
    ck_assert_str_eq(get_text(&world, "b/one.conf"), "1");
    ck_assert_str_eq(get_text(&world, "b/two.conf"), "2");
    ck_assert_str_eq(get_text(&world, "b/hard.conf"), "x");
    ck_assert_str_eq(get_text(&world, "b/latin-\xe9.conf"), "bytes");
    ck_assert_str_eq(get_text(&world, "b/other"), "stays");
    ck_assert_str_eq(get_text(&world, "b/two.conf.before-config_20260201_120000"), "changed");
    ck_assert_int_eq(count(&world, "b"), 7);
}
END_TEST

START_TEST(what_exists_is_refused)
{
    put_text(&world, "src/a", "old");
    backup_of("%/src");
    put_text(&world, "src/a", "new");
    ck_assert_int_eq(restore_to(&world, NULL, false), HF_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(fake_hint(world.fake), "--replace"));
    ck_assert_str_eq(get_text(&world, "src/a"), "new");
    put_text(&world, "full/x", "x");
    ck_assert_int_eq(restore_to(&world, "full", false), HF_E_REFUSED);
    ck_assert_int_lt(restore_to(&world, "full/x", false), 0);
    ck_assert_int_eq(count(&world, "full"), 1);
    ck_assert_int_eq(count(&world, ""), 2);
}
END_TEST

START_TEST(replace_keeps_the_former)
{
    put_text(&world, "src/a", "old");
    backup_of("%/src");
    put_text(&world, "src/a", "new");
    restored(restore_to(&world, NULL, true));
    ck_assert_str_eq(get_text(&world, "src/a"), "old");
    ck_assert_str_eq(get_text(&world, "src.before-config_20260201_120000/a"), "new");
    restored(restore_to(&world, NULL, true));
    ck_assert(has(&world, "src.before-config_20260201_120000-2"));
    ck_assert_int_eq(count(&world, ""), 3);
    put_text(&world, "full/x", "x");
    restored(restore_to(&world, "full", true));
    ck_assert_str_eq(get_text(&world, beneath("full", "src/a")), "old");
    ck_assert_str_eq(get_text(&world, "full.before-config_20260201_120000/x"), "x");
}
END_TEST

START_TEST(only_some)
{
    char only[200];
    put_text(&world, "src/a", "a");
    put_text(&world, "src/d/b", "b");
    put_text(&world, "src/d/c", "c");
    put_text(&world, "src/db", "d");
    backup_of("%/src");
    snprintf(only, sizeof(only), "%s/src/d", world.base);
    restored(restore_only(&world, "new", false, only + 1));
    ck_assert_int_eq(count(&world, beneath("new", "src")), 1);
    ck_assert_str_eq(get_text(&world, beneath("new", "src/d/c")), "c");
    put_text(&world, "src/a", "changed");
    put_text(&world, "src/d/b", "changed");
    snprintf(only, sizeof(only), "%s/src/d/b", world.base);
    ck_assert_int_eq(restore_only(&world, NULL, false, only), HF_E_REFUSED);
    restored(restore_only(&world, NULL, true, only));
    ck_assert_str_eq(get_text(&world, "src/d/b"), "b");
    ck_assert_str_eq(get_text(&world, "src/a"), "changed");
    ck_assert_str_eq(get_text(&world, "src/d/b.before-config_20260201_120000"), "changed");
    snprintf(only, sizeof(only), "%s/src/missing", world.base);
    ck_assert_int_eq(restore_only(&world, "none", false, only), HF_E_NOTFOUND);
    ck_assert(!has(&world, "none"));
    ck_assert_int_eq(restore_only(&world, "none", false, "../x"), HF_E_CONFIG);
}
END_TEST

START_TEST(only_reads_the_parts_it_needs)
{
    char name[64], only[200];
    for (int i = 0; i < 4500; i++) {
        snprintf(name, sizeof(name), "src/%02d/%04d", i / 100, i);
        if (i % 100 == 0)
            put_text(&world, name, name);
        FILE *file = fopen(at(&world, name), "w");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(fputs(name, file) >= 0 && fclose(file) == 0, 1);
    }
    backup_of("%/src");
    for (int i = 0; i < 4500; i += 450) {
        snprintf(name, sizeof(name), "src/%02d/%04d", i / 100, i);
        snprintf(only, sizeof(only), "%s/%s", world.base, name);
        restored(restore_only(&world, "new", false, only));
        ck_assert_str_eq(get_text(&world, beneath("new", name)), name);
        ck_assert_int_eq(tar_remove_tree(-100, at(&world, "new")), 0);
        int left_out = 0;
        for (size_t n = 0; n < world.fake->part_count; n++)
            left_out += world.fake->parts[n]->left_out;
        ck_assert_int_eq(left_out, 3); /* of three parts and the end */
    }
}
END_TEST

START_TEST(a_failed_restore_changes_nothing)
{
    put_text(&world, "src/a", "old");
    put_text(&world, "src/b", "old");
    backup_of("%/src");
    put_text(&world, "src/a", "new");
    world.fake->parts[0]->used -= 512;
    ck_assert_int_eq(restore_to(&world, NULL, true), HF_E_CORRUPT);
    ck_assert_str_eq(get_text(&world, "src/a"), "new");
    ck_assert_int_eq(restore_to(&world, "new/folder", false), HF_E_CORRUPT);
    put_folder(&world, "empty");
    ck_assert_int_eq(restore_to(&world, "empty", false), HF_E_CORRUPT);
    ck_assert_int_eq(count(&world, "empty"), 0);
    put_text(&world, "full/x", "x");
    ck_assert_int_eq(restore_to(&world, "full", true), HF_E_CORRUPT);
    ck_assert_int_eq(count(&world, "full"), 1);
    ck_assert_int_eq(count(&world, ""), 3);
    ck_assert(!has(&world, "new"));
}
END_TEST

START_TEST(leftovers_of_a_crash_are_removed)
{
    put_text(&world, "src/a", "old");
    backup_of("%/src");
    put_text(&world, ".holdfast-config_20260201_120000/src/half", "x");
    restored(restore_to(&world, NULL, true));
    ck_assert(!has(&world, ".holdfast-config_20260201_120000"));
    ck_assert_int_eq(count(&world, "src"), 1);
}
END_TEST

static int restore_whole(const char *to)
{
    struct hf_restore_request request = {.size = sizeof(request), .id = "bare", .to = to ? at(&world, to) : NULL};
    fake_clear(world.fake);
    return fake_restore_whole(world.fake, world.source, world.self, &request, "");
}

/* Of whichever backup, unless a restore that is alive has them; and nothing that is only named alike. */
START_TEST(leftovers_of_other_backups_are_removed)
{
    put_everything(&world, "src");
    backup_of("%/src");
    put_text(&world, "new/.holdfast-other_20260101_000000/junk", "half of it");
    put_text(&world, "new/.holdfast-alive_20260101_000000/junk", "being built");
    put_text(&world, "beside/.holdfast-notes/mine", "not a restore's");
    put_text(&world, "beside/.holdfast-other_20260101_000000/junk", "half of it");
    chmod(at(&world, "new/.holdfast-other_20260101_000000"), 0700);
    chmod(at(&world, "new/.holdfast-alive_20260101_000000"), 0700);
    chmod(at(&world, "beside/.holdfast-notes"), 0700);
    chmod(at(&world, "beside/.holdfast-other_20260101_000000"), 0700);
    int alive = open(at(&world, "new/.holdfast-alive_20260101_000000"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(flock(alive, LOCK_EX | LOCK_NB), 0);
    restored(restore_to(&world, "new", false));
    same_trees(&world, "src", beneath("new", "src"));
    ck_assert(!has(&world, "new/.holdfast-other_20260101_000000"));
    ck_assert(has(&world, "new/.holdfast-alive_20260101_000000/junk"));
    close(alive);
    restored(restore_to(&world, "beside/new", false));
    ck_assert(has(&world, "beside/.holdfast-notes/mine"));
    ck_assert(!has(&world, "beside/.holdfast-other_20260101_000000"));
}
END_TEST

START_TEST(one_folder_by_two_ways)
{
    put_text(&world, "real/one", "1");
    put_text(&world, "real/two", "2");
    ck_assert_int_eq(symlink("real", at(&world, "way")), 0);
    backup_of("%/real/one %/way/two");
    unlink(at(&world, "real/one"));
    unlink(at(&world, "real/two"));
    restored(restore_to(&world, NULL, false));
    ck_assert_str_eq(get_text(&world, "real/one"), "1");
    ck_assert_str_eq(get_text(&world, "real/two"), "2");
    ck_assert_int_eq(count(&world, "real"), 2);
}
END_TEST

/* Names that a restore would refuse are not backed up as if they could come back. */
START_TEST(what_lies_too_deep_is_reported)
{
    char path[2 * TAR_MAX_DEPTH + 64] = "src";
    put_text(&world, "src/file", "x");
    for (int i = 0; i < TAR_MAX_DEPTH; i++)
        strcat(path, "/d");
    put_folder(&world, path);
    backup_of("%/src");
    ck_assert_ptr_nonnull(fake_find(world.fake, "too-deep"));
    restored(restore_to(&world, "new", false));
    ck_assert_str_eq(get_text(&world, beneath("new", "src/file")), "x");
}
END_TEST

/* A hole costs neither the backup nor the verification time; a stop would come too late. */
START_TEST(a_huge_hole_is_passed_over)
{
    put_text(&world, "src/file", "begin");
    ck_assert_int_eq(truncate(at(&world, "src/file"), (off_t)64 << 30), 0);
    backup_of("%/src");
    ck_assert_int_eq(fake_verify(world.fake, world.source, world.self, 2), HF_OK);
    restored(restore_to(&world, "new", false));
    struct stat st;
    ck_assert_int_eq(stat(at(&world, beneath("new", "src/file")), &st), 0);
    ck_assert_int_eq(st.st_size, (off_t)64 << 30);
}
END_TEST

START_TEST(a_bare_archive)
{
    put_text(&world, "src/a", "a");
    backup_of("%/src");
    ck_assert_int_eq(restore_whole(NULL), HF_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(fake_hint(world.fake), "--to"));
    restored(restore_whole("new"));
    ck_assert_str_eq(get_text(&world, beneath("new", "src/a")), "a");
    world.fake->parts[1]->used = 0; /* cut at an entry's end: only the marker tells */
    ck_assert_int_eq(restore_whole("cut"), HF_E_CORRUPT);
    ck_assert(!has(&world, "cut"));
}
END_TEST

START_TEST(links_that_lead_out_need_a_manifest)
{
    put_text(&world, "src/a", "a");
    ck_assert_int_eq(symlink("/etc/passwd", at(&world, "src/out")), 0);
    backup_of("%/src");
    restored(restore_to(&world, "known", false));
    ck_assert_int_eq(restore_whole("bare"), HF_E_REFUSED);
    ck_assert_ptr_nonnull(strstr(fake_error(world.fake), "src/out"));
    ck_assert_ptr_nonnull(strstr(fake_hint(world.fake), "outside_links"));
    ck_assert(!has(&world, "bare"));
    world_configure(&world, (const char *const[]){"path", "%/src", "outside_links", "keep", NULL});
    restored(restore_whole("bare"));
    world_configure(&world, (const char *const[]){"path", "%/src", "outside_links", "refuse", NULL});
    ck_assert_int_eq(restore_to(&world, "strict", false), HF_E_REFUSED);
}
END_TEST

START_TEST(a_stopped_restore_leaves_nothing)
{
    put_everything(&world, "src");
    backup_of("%/src");
    struct hf_restore_request request = {.size = sizeof(request), .id = "stopped", .to = at(&world, "new")};
    fake_clear(world.fake);
    fake_cancel(world.fake);
    ck_assert_int_eq(fake_restore(world.fake, world.source, world.self, &request, 2), HF_E_CANCELLED);
    ck_assert(!has(&world, "new"));
    ck_assert_int_eq(count(&world, ""), 1);
}
END_TEST

Suite *restore_suite(void)
{
    Suite *suite = suite_create("files: restore");
    TCase *tests = tcase_create("restore");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, everything_comes_back_elsewhere);
    tcase_add_test(tests, everything_comes_back_in_place);
    tcase_add_test(tests, in_place_several_paths);
    tcase_add_test(tests, what_exists_is_refused);
    tcase_add_test(tests, replace_keeps_the_former);
    tcase_add_test(tests, only_some);
    tcase_add_test(tests, only_reads_the_parts_it_needs);
    tcase_add_test(tests, a_failed_restore_changes_nothing);
    tcase_add_test(tests, leftovers_of_a_crash_are_removed);
    tcase_add_test(tests, leftovers_of_other_backups_are_removed);
    tcase_add_test(tests, one_folder_by_two_ways);
    tcase_add_test(tests, what_lies_too_deep_is_reported);
    tcase_add_test(tests, a_huge_hole_is_passed_over);
    tcase_add_test(tests, a_bare_archive);
    tcase_add_test(tests, links_that_lead_out_need_a_manifest);
    tcase_add_test(tests, a_stopped_restore_leaves_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
