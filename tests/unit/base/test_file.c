/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/text.h"
#include "suites.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];
static struct hf_ctx ctx;

static void set_up(void)
{
    strcpy(folder, "/tmp/holdfast-unit-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void tear_down(void)
{
    hf_error_clear(&ctx.error);
    ck_assert_int_eq(hf_file_remove_tree(&ctx, folder), 0);
    ck_assert_int_ne(access(folder, F_OK), 0);
}

static char *write_file(const char *name, const void *data, size_t size)
{
    char *path = hf_path_join(folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

START_TEST(reads)
{
    static const size_t sizes[] = {0, 1, 4094, 4095, 4096, 4097, 70000};
    char *data = NULL;
    size_t size = 0;
    for (size_t i = 0; i < HF_COUNT(sizes); i++) {
        hf_auto_free char *content = hf_alloc(sizes[i]);
        memset(content, 'x', sizes[i]);
        hf_auto_free char *path = write_file("f", content, sizes[i]);
        ck_assert_int_eq(hf_file_read(&ctx, path, sizes[i], &data, &size), 0);
        ck_assert_uint_eq(size, sizes[i]);
        ck_assert_uint_eq(strlen(data), size);
        free(data);
        data = NULL;
        if (sizes[i]) {
            ck_assert_int_lt(hf_file_read(&ctx, path, sizes[i] - 1, &data, &size), 0);
            ck_assert_ptr_null(data);
            hf_error_clear(&ctx.error);
        }
    }
    ck_assert_int_eq(hf_file_read(&ctx, "/proc/self/status", 1 << 20, &data, &size), 0);
    ck_assert_uint_gt(size, 100);
    free(data);
    ck_assert_int_eq(hf_file_read(&ctx, "/nowhere/at/all", 10, &data, &size), HF_E_NOTFOUND);
    ck_assert_int_lt(hf_file_read(&ctx, folder, 10, &data, &size), 0);
}
END_TEST

START_TEST(makes_dirs)
{
    hf_auto_free char *deep = hf_strf("%s//a/b/c//", folder);
    ck_assert_int_eq(hf_file_make_dirs(&ctx, deep, 0700), 0);
    ck_assert_int_eq(hf_file_make_dirs(&ctx, deep, 0700), 0);
    struct stat status;
    ck_assert_int_eq(stat(deep, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0700);
    ck_assert_int_eq(hf_file_make_dirs(&ctx, "/", 0700), 0);
    hf_auto_free char *file = write_file("file", "", 0);
    hf_auto_free char *below = hf_path_join(file, "x");
    ck_assert_int_lt(hf_file_make_dirs(&ctx, file, 0700), 0);
    ck_assert_int_lt(hf_file_make_dirs(&ctx, below, 0700), 0);
    ck_assert_int_lt(hf_file_make_dirs(&ctx, "", 0700), 0);
}
END_TEST

START_TEST(removes_without_following)
{
    hf_auto_free char *kept = write_file("kept", "k", 1);
    hf_auto_free char *tree = hf_path_join(folder, "tree");
    hf_auto_free char *deep = hf_path_join(tree, "a/b");
    hf_auto_free char *link = hf_path_join(deep, "link");
    hf_auto_free char *up = hf_path_join(deep, "up");
    ck_assert_int_eq(hf_file_make_dirs(&ctx, deep, 0755), 0);
    ck_assert_int_eq(symlink(kept, link), 0);
    ck_assert_int_eq(symlink("../../..", up), 0);
    ck_assert_int_eq(chmod(deep, 0), 0);
    ck_assert_int_eq(hf_file_remove_tree(&ctx, tree), 0);
    ck_assert_int_ne(access(tree, F_OK), 0);
    ck_assert_int_eq(access(kept, F_OK), 0);
    ck_assert_int_eq(hf_file_remove_tree(&ctx, tree), 0);
    ck_assert_int_eq(symlink(folder, tree), 0);
    ck_assert_int_eq(hf_file_remove_tree(&ctx, tree), 0);
    ck_assert_int_eq(access(kept, F_OK), 0);
}
END_TEST

START_TEST(locks)
{
    hf_auto_free char *path = hf_path_join(folder, "state/deep/x.lock");
    int fd = -1, second = -1;
    ck_assert_int_eq(hf_file_lock(&ctx, path, &fd), 0);
    struct stat status;
    hf_auto_free char *state = hf_path_join(folder, "state");
    ck_assert_int_eq(stat(state, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0700);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(hf_file_lock(&ctx, path, &second), HF_E_BUSY);
    ck_assert_int_eq(second, -1);
    hf_auto_free char *pid = hf_strf("(process %ld)", (long)getpid());
    ck_assert_msg(strstr(ctx.error.text, pid) != NULL, "%s", ctx.error.text);
    hf_error_clear(&ctx.error);
    /* A lock file that was removed is nobody's lock any more. */
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(hf_file_lock(&ctx, path, &second), 0);
    close(fd);
    close(second);
    ck_assert_int_eq(hf_file_lock(&ctx, path, &fd), 0);
    close(fd);
    ck_assert_int_lt(hf_file_lock(&ctx, folder, &fd), 0);
}
END_TEST

START_TEST(killed_holder_leaves_no_lock)
{
    hf_auto_free char *path = hf_path_join(folder, "x.lock");
    pid_t child = fork();
    if (child == 0) {
        int fd;
        _exit(hf_file_lock(&ctx, path, &fd) == 0 ? 0 : 1);
    }
    int status, fd = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(hf_file_lock(&ctx, path, &fd), 0);
    close(fd);
}
END_TEST

START_TEST(paths)
{
    static const char *const cases[][3] = {{"/a/b", "c", "/a/b/c"}, {"/a/b/", "c", "/a/b/c"}, {"/", "c", "/c"},
                                           {"/a", "/c", "/c"},      {"", "c", "c"},           {"a", "b/c", "a/b/c"}};
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_auto_free char *joined = hf_path_join(cases[i][0], cases[i][1]);
        ck_assert_str_eq(joined, cases[i][2]);
    }
    ck_assert_str_eq(hf_path_base("/a/b"), "b");
    ck_assert_str_eq(hf_path_base("b"), "b");
    ck_assert_str_eq(hf_path_base("/a/"), "");
}
END_TEST

TCase *file_case(void)
{
    TCase *tests = tcase_create("file");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, reads);
    tcase_add_test(tests, makes_dirs);
    tcase_add_test(tests, removes_without_following);
    tcase_add_test(tests, locks);
    tcase_add_test(tests, killed_holder_leaves_no_lock);
    tcase_add_test(tests, paths);
    return tests;
}
