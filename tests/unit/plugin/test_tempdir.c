/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "plugin/tempdir.h"
#include "suites.h"
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static struct hf_ctx ctx;

static void set_up(void)
{
    strcpy(root, "/tmp/holdfast-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    hf_log_set_level(HF_LOG_ERROR);
}

static void tear_down(void)
{
    ck_assert_int_eq(hf_file_remove_tree(&ctx, root), HF_OK);
    hf_error_clear(&ctx.error);
}

/* A folder with a file in it. */
static char *folder(const char *name, mode_t mode)
{
    char *path = hf_path_join(root, name);
    hf_auto_free char *file = hf_path_join(path, "precious");
    ck_assert_int_eq(mkdir(path, 0700), 0);
    int fd = open(file, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(chmod(path, mode), 0);
    return path;
}

static bool is_there(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

START_TEST(is_private_locked_and_removed)
{
    char *path = NULL;
    int lock = -1;
    struct stat status;
    ck_assert_int_eq(hf_tempdir_make(&ctx, root, &path, &lock), HF_OK);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0700);
    ck_assert_int_ne(fcntl(lock, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(hf_tempdir_sweep(&ctx, root), HF_OK);
    ck_assert_msg(is_there(path), "a folder in use was swept");
    ck_assert_int_eq(hf_tempdir_remove(&ctx, path, lock), HF_OK);
    ck_assert(!is_there(path));
    free(path);
}
END_TEST

START_TEST(what_a_killed_run_left_is_swept)
{
    hf_auto_free char *left = folder("holdfast-tmp-Ab3dE9", 0700);
    ck_assert_int_eq(hf_tempdir_sweep(&ctx, root), HF_OK);
    ck_assert(!is_there(left));
}
END_TEST

/* Names that only begin like ours, folders that others may look into, and links are somebody else's. */
START_TEST(nothing_else_is_swept)
{
    static const char *const names[] = {"holdfast-tmp-",        "holdfast-tmp-my-notes", "holdfast-tmp-abcde",
                                        "holdfast-tmp-abcdefg", "holdfast-tmp-ab.def",   "holdfast"};
    for (size_t i = 0; i < HF_COUNT(names); i++) {
        hf_auto_free char *path = folder(names[i], 0700);
        ck_assert_int_eq(hf_tempdir_sweep(&ctx, root), HF_OK);
        ck_assert_msg(is_there(path), "'%s' was swept", names[i]);
    }
    hf_auto_free char *open_to_others = folder("holdfast-tmp-pUbLiC", 0755);
    hf_auto_free char *target = folder("target", 0700), *link = hf_path_join(root, "holdfast-tmp-sYmLnK");
    hf_auto_free char *file = hf_path_join(target, "precious");
    ck_assert_int_eq(symlink("target", link), 0);
    ck_assert_int_eq(hf_tempdir_sweep(&ctx, root), HF_OK);
    ck_assert(is_there(open_to_others));
    ck_assert(is_there(link));
    ck_assert(is_there(file));
}
END_TEST

START_TEST(links_inside_are_not_followed)
{
    hf_auto_free char *target = folder("target", 0700), *left = folder("holdfast-tmp-aBcDeF", 0700);
    hf_auto_free char *link = hf_path_join(left, "link"), *file = hf_path_join(target, "precious");
    ck_assert_int_eq(symlink("../target", link), 0);
    ck_assert_int_eq(hf_tempdir_sweep(&ctx, root), HF_OK);
    ck_assert(!is_there(left));
    ck_assert(is_there(file));
}
END_TEST

START_TEST(other_users_folders_stay)
{
    if (geteuid() != 0)
        return;
    hf_auto_free char *others = folder("holdfast-tmp-OtHeRs", 0700);
    ck_assert_int_eq(chown(others, 12345, 12345), 0);
    ck_assert_int_eq(hf_tempdir_sweep(&ctx, root), HF_OK);
    ck_assert(is_there(others));
}
END_TEST

START_TEST(no_place_is_a_failure_with_a_hint)
{
    char *path = NULL;
    int lock = -1;
    hf_auto_free char *missing = hf_path_join(root, "missing");
    ck_assert_int_eq(hf_tempdir_make(&ctx, missing, &path, &lock), HF_E_NOTFOUND);
    ck_assert_ptr_null(path);
    ck_assert_int_eq(lock, -1);
    ck_assert_ptr_nonnull(strstr(ctx.error.hint, "temp_dir"));
    hf_error_clear(&ctx.error);
    ck_assert_int_eq(hf_tempdir_sweep(&ctx, missing), HF_OK);
}
END_TEST

TCase *tempdir_case(void)
{
    TCase *tests = tcase_create("tempdir");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, is_private_locked_and_removed);
    tcase_add_test(tests, what_a_killed_run_left_is_swept);
    tcase_add_test(tests, nothing_else_is_swept);
    tcase_add_test(tests, links_inside_are_not_followed);
    tcase_add_test(tests, other_users_folders_stay);
    tcase_add_test(tests, no_place_is_a_failure_with_a_hint);
    return tests;
}
