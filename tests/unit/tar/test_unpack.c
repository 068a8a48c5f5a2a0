/* SPDX-License-Identifier: Apache-2.0
 *
 * Honest archives come back whole, also through several threads.
 */
#include "raw_tar.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct scratch scratch;
static struct raw_tar tar;

static void setup(void)
{
    scratch_open(&scratch);
    tar = (struct raw_tar){0};
}

static void teardown(void)
{
    raw_free(&tar);
    scratch_close(&scratch);
}

static void unpack_ok(const struct tar_unpack_options *options)
{
    raw_end(&tar);
    int code = unpack_bytes(&scratch, tar.data, tar.size, options);
    ck_assert_msg(code == HF_OK, "%d: %s", code, fake_error(scratch.fake));
}

START_TEST(all_kinds)
{
    struct stat st, other;
    raw_add(&tar, "./", '5', NULL, NULL);
    raw_add(&tar, "./d/", '5', NULL, NULL);
    raw_add(&tar, "./d//file", '0', NULL, "content");
    raw_add(&tar, "implied/deep/file", '0', NULL, "content");
    raw_add(&tar, "empty", '0', NULL, NULL);
    raw_add(&tar, "d/link", '2', "../empty", NULL);
    raw_add(&tar, "hard", '1', "d/file", NULL);
    raw_add(&tar, "early", '1', "late", NULL);
    raw_add(&tar, "late", '0', NULL, "late");
    raw_add(&tar, "fifo", '6', NULL, NULL);
    unpack_ok(NULL);
    ck_assert_str_eq(scratch_text(&scratch, "d/file"), "content");
    ck_assert_str_eq(scratch_text(&scratch, "early"), "late");
    ck_assert_str_eq(scratch_text(&scratch, "empty"), "");
    ck_assert_int_eq(fstatat(scratch.fd, "d/file", &st, 0), 0);
    ck_assert_int_eq(fstatat(scratch.fd, "hard", &other, 0), 0);
    ck_assert_uint_eq(st.st_ino, other.st_ino);
    ck_assert_int_eq(st.st_mtim.tv_sec, 014000000000);
    ck_assert_int_eq(st.st_mode & 07777, 0644);
    ck_assert_int_eq(fstatat(scratch.fd, "d", &st, 0), 0);
    ck_assert_int_eq(st.st_mtim.tv_sec, 014000000000); /* although files were made in it after its entry */
    ck_assert_int_eq(st.st_mode & 07777, 0755);
    ck_assert_int_eq(fstatat(scratch.fd, "implied/deep", &st, 0), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0755);
    ck_assert_int_eq(fstatat(scratch.fd, "fifo", &st, 0), 0);
    ck_assert(S_ISFIFO(st.st_mode));
    ck_assert_int_eq(fake_temp_entries(scratch.fake), 0);
}
END_TEST

static int rename_b(void *arg, struct hf_ctx *ctx, struct archive_entry *entry)
{
    (void)arg, (void)ctx;
    if (strcmp(archive_entry_pathname(entry), "b") == 0)
        archive_entry_set_pathname(entry, "sub/renamed");
    return strcmp(archive_entry_pathname(entry), "c") != 0;
}

START_TEST(wanted_selects_and_renames)
{
    const struct tar_unpack_options options = {.wanted = rename_b};
    raw_add(&tar, "a", '0', NULL, "a");
    raw_add(&tar, "b", '0', NULL, "b");
    raw_add(&tar, "c", '0', NULL, "c");
    unpack_ok(&options);
    ck_assert_str_eq(scratch_text(&scratch, "a"), "a");
    ck_assert_str_eq(scratch_text(&scratch, "sub/renamed"), "b");
    ck_assert(!scratch_has(&scratch, "c"));
    ck_assert(!scratch_has(&scratch, "b"));
}
END_TEST

static int into_other(void *arg, struct hf_ctx *ctx, const char *path, int *ret_root_fd, const char **ret_path)
{
    (void)ctx;
    if (strncmp(path, "keep/", 5) != 0)
        return 0;
    *ret_root_fd = *(int *)arg;
    *ret_path = path + 5;
    return 1;
}

START_TEST(place_moves_entries_and_their_links)
{
    ck_assert_int_eq(mkdirat(scratch.fd, "other", 0755), 0);
    int other = openat(scratch.fd, "other", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct tar_unpack_options options = {.place = into_other, .arg = &other};
    raw_add(&tar, "keep/a", '0', NULL, "a");
    raw_add(&tar, "keep/sub/b", '1', "keep/a", NULL);
    raw_add(&tar, "lose/c", '0', NULL, "c");
    unpack_ok(&options);
    ck_assert_str_eq(scratch_text(&scratch, "other/sub/b"), "a");
    ck_assert_int_eq(scratch_count(&scratch), 1);
    raw_free(&tar);
    raw_add(&tar, "keep/d", '1', "lose/c", NULL);
    raw_end(&tar);
    ck_assert_int_eq(unpack_bytes(&scratch, tar.data, tar.size, &options), HF_E_NOTFOUND);
    ck_assert_str_eq(fake_hint(scratch.fake), "select 'lose/c', too");
    close(other);
}
END_TEST

START_TEST(set_uid_needs_owners)
{
    struct stat st;
    raw_add(&tar, "tool", '0', NULL, "x");
    memcpy(tar.data + 100, "0004755", 7);
    memset(tar.data + 148, ' ', 8);
    unsigned sum = 0;
    for (size_t i = 0; i < 512; i++)
        sum += tar.data[i];
    snprintf((char *)tar.data + 148, 8, "%06o", sum);
    unpack_ok(NULL);
    ck_assert_int_eq(fstatat(scratch.fd, "tool", &st, 0), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0755);
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(unlinkat(scratch.fd, "tool", 0), 0);
    const struct tar_unpack_options options = {.owners = true};
    ck_assert_int_eq(unpack_bytes(&scratch, tar.data, tar.size, &options), HF_OK);
    ck_assert_int_eq(fstatat(scratch.fd, "tool", &st, 0), 0);
    ck_assert_int_eq(st.st_mode & 07777, 04755);
}
END_TEST

START_TEST(privileged_attributes_need_owners)
{
    const struct tar_unpack_options options = {.xattrs = true};
    raw_pax(&tar, "SCHILY.xattr.security.capability", "x", 1);
    raw_add(&tar, "tool", '0', NULL, "x");
    unpack_ok(&options);
    ck_assert_ptr_nonnull(fake_find(scratch.fake, "attributes-not-restored"));
}
END_TEST

#define PARTS 8
#define FILES 200

struct worker {
    pthread_t thread;
    struct tar_unpack *unpack;
    struct raw_tar tar;
    int code;
};

static void *unpack_in_thread(void *arg)
{
    struct worker *worker = arg;
    struct hf_reader reader = {.fake = scratch.fake, .data = worker->tar.data, .size = worker->tar.size};
    worker->code = tar_unpack_part(worker->unpack, fake_ctx(scratch.fake), &reader);
    return NULL;
}

START_TEST(several_threads_fill_the_same_folders)
{
    struct worker workers[PARTS] = {0};
    struct tar_unpack *unpack = NULL;
    char name[64], link[64];
    ck_assert_int_eq(tar_unpack_new(fake_host_table(), scratch.fd, NULL, &unpack), HF_OK);
    for (int p = 0; p < PARTS; p++) {
        workers[p].unpack = unpack;
        for (int i = 0; i < FILES; i++) {
            snprintf(name, sizeof(name), "d%d/e%d/f%d", i % 7, i % 3, p * FILES + i);
            raw_add(&workers[p].tar, name, '0', NULL, name);
            snprintf(link, sizeof(link), "links/%d", p * FILES + i);
            snprintf(name, sizeof(name), "d%d/e%d/f%d", i % 7, i % 3, (p + 1) % PARTS * FILES + i);
            raw_add(&workers[p].tar, link, '1', name, NULL);
        }
        raw_add(&workers[p].tar, "d0/", '5', NULL, NULL);
    }
    for (int p = 0; p < PARTS; p++)
        ck_assert_int_eq(pthread_create(&workers[p].thread, NULL, unpack_in_thread, &workers[p]), 0);
    for (int p = 0; p < PARTS; p++) {
        ck_assert_int_eq(pthread_join(workers[p].thread, NULL), 0);
        ck_assert_msg(workers[p].code == HF_OK, "%s", fake_error(scratch.fake));
        raw_free(&workers[p].tar);
    }
    ck_assert_int_eq(tar_unpack_finish(unpack, fake_ctx(scratch.fake)), HF_OK);
    tar_unpack_free(unpack);
    for (int i = 0; i < PARTS * FILES; i++) {
        snprintf(name, sizeof(name), "d%d/e%d/f%d", i % FILES % 7, i % FILES % 3, i);
        ck_assert_str_eq(scratch_text(&scratch, name), name);
        snprintf(link, sizeof(link), "links/%d", (i + (PARTS - 1) * FILES) % (PARTS * FILES));
        ck_assert_str_eq(scratch_text(&scratch, link), name);
    }
}
END_TEST

START_TEST(removing_needs_no_rights)
{
    raw_add(&tar, "top/shut/inner/file", '0', NULL, "x");
    raw_add(&tar, "top/out", '2', "shut", NULL);
    unpack_ok(NULL);
    ck_assert_int_eq(fchmodat(scratch.fd, "top/shut/inner", 0, 0), 0);
    ck_assert_int_eq(fchmodat(scratch.fd, "top/shut", 0, 0), 0);
    ck_assert_int_eq(tar_remove_tree(scratch.fd, "top"), 0);
    ck_assert_int_eq(tar_remove_tree(scratch.fd, "top"), 0);
    ck_assert_int_eq(scratch_count(&scratch), 0);
}
END_TEST

START_TEST(opening_beneath)
{
    raw_add(&tar, "a/b/c", '0', NULL, "x");
    raw_add(&tar, "a/link", '2', "b", NULL);
    unpack_ok(NULL);
    int fd = tar_open_beneath(scratch.fd, "a/b/c", O_RDONLY, 0);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(tar_open_beneath(scratch.fd, "a/link/c", O_RDONLY, 0), -1);
    ck_assert_int_eq(tar_open_beneath(scratch.fd, "a/link", O_RDONLY, 0), -1);
    ck_assert_int_eq(errno, ELOOP);
    ck_assert_int_eq(tar_open_beneath(scratch.fd, "../x", O_RDONLY, 0), -1);
    ck_assert_int_eq(tar_open_beneath(scratch.fd, "/etc/passwd", O_RDONLY, 0), -1);
    fd = tar_open_beneath(scratch.fd, "a/link", O_PATH, 0);
    ck_assert_int_ge(fd, 0);
    close(fd);
}
END_TEST

Suite *unpack_suite(void)
{
    Suite *suite = suite_create("unpacking");
    TCase *tests = tcase_create("unpack");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, all_kinds);
    tcase_add_test(tests, wanted_selects_and_renames);
    tcase_add_test(tests, place_moves_entries_and_their_links);
    tcase_add_test(tests, set_uid_needs_owners);
    tcase_add_test(tests, privileged_attributes_need_owners);
    tcase_add_test(tests, several_threads_fill_the_same_folders);
    tcase_add_test(tests, removing_needs_no_rights);
    tcase_add_test(tests, opening_beneath);
    suite_add_tcase(suite, tests);
    return suite;
}
