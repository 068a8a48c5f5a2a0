/* SPDX-License-Identifier: Apache-2.0
 *
 * What goes into the archive, and what is said about the rest.
 */
#include "tree.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static void backup_ok(unsigned threads)
{
    int code = backup(&world, threads);
    ck_assert_msg(code == HF_OK, "%d: %s", code, fake_error(world.fake));
}

static void verify_is(int expected)
{
    fake_clear(world.fake);
    int code = fake_verify(world.fake, world.source, world.self, 3);
    ck_assert_msg(code == expected, "%d instead of %d: %s", code, expected, fake_error(world.fake));
}

START_TEST(everything_verifies_and_tar_reads_it)
{
    char command[1024];
    put_everything(&world, "src");
    world_configure(&world, (const char *const[]){"path", "%/src", NULL});
    backup_ok(3);
    const struct fake_finding *skipped = fake_find(world.fake, "socket-skipped");
    ck_assert_ptr_nonnull(skipped);
    ck_assert_int_eq(skipped->severity, HF_INFO);
    ck_assert_int_eq(fake_worst(world.fake), HF_INFO);
    verify_is(HF_OK);
    save_artifact(&world, "a.tar");
    snprintf(command, sizeof(command), "cd %s && mkdir out && tar --xattrs --acls -xpf a.tar -C out 2>err", world.base);
    ck_assert_int_eq(system(command), 0);
    snprintf(command, sizeof(command), "out%s/src", world.base);
    same_trees(&world, "src", command);
    struct stat st;
    ck_assert_int_eq(stat(at(&world, "a.tar"), &st), 0);
    ck_assert_int_lt(st.st_size, 4 << 20); /* without the holes */
}
END_TEST

START_TEST(python_reads_it)
{
    char command[1024];
    if (system("python3 -c 'import tarfile' 2>/dev/null") != 0)
        return;
    put_everything(&world, "src");
    world_configure(&world, (const char *const[]){"path", "%/src", NULL});
    backup_ok(1);
    save_artifact(&world, "a.tar");
    snprintf(command, sizeof(command),
             "cd %s && python3 -c 'import tarfile,os\n"
             "t=tarfile.open(\"a.tar\")\n"
             "names=set(m.name for m in t)\n"
             "here=set(os.path.join(d,n)[1:] for d,s,f in os.walk(\"%s/src\") for n in s+f)\n"
             "here.add(\"%s/src\"[1:])\n"
             "here.discard(\"%s/src/socket\"[1:])\n"
             "assert names==here, names^here'",
             world.base, world.base, world.base, world.base);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(roots_excludes_and_order)
{
    put_text(&world, "s/b/one", "1");
    put_text(&world, "s/b/two.tmp", "2");
    put_text(&world, "s/a/cache/three", "3");
    put_text(&world, "s/a/four", "4");
    put_text(&world, "t/five.conf", "5");
    put_text(&world, "t/six.txt", "6");
    world_configure(&world,
                    (const char *const[]){"path", "%/t/*.conf %/s %/s/b %/s/", "exclude", "*.tmp %/**/cache", NULL});
    backup_ok(2);
    ck_assert_str_eq(artifact_names(&world), "s/\ns/a/\ns/a/four\ns/b/\ns/b/one\nt/five.conf\n");
    verify_is(HF_OK);
}
END_TEST

START_TEST(many_files_make_several_parts)
{
    char name[64];
    for (int i = 0; i < 4500; i++) {
        snprintf(name, sizeof(name), "many/d%d/%d", i % 10, i);
        if (i < 10)
            put_text(&world, name, name);
        int fd = open(at(&world, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_ge(write(fd, name, strlen(name)), 1);
        close(fd);
    }
    world_configure(&world, (const char *const[]){"path", "%/many", NULL});
    backup_ok(4);
    ck_assert_uint_eq(world.fake->part_count, 4);
    ck_assert_str_eq(world.fake->parts[2]->name, "files-000003");
    ck_assert_str_eq(world.fake->parts[3]->name, "end");
    ck_assert_str_eq(world.fake->parts[0]->suffix, ".tar");
    verify_is(HF_OK);
}
END_TEST

START_TEST(unchanged_content_is_not_stored_again)
{
    struct timespec times[2] = {{1, 0}, {1, 0}};
    put_text(&world, "c/a", "first");
    put_text(&world, "c/b", "second");
    world_configure(&world, (const char *const[]){"path", "%/c", "when", "changed", NULL});
    ck_assert_int_eq(backup(&world, 2), HF_OK);
    ck_assert_int_eq(backup(&world, 2), HF_UNCHANGED);
    ck_assert_int_eq(utimensat(AT_FDCWD, at(&world, "c/a"), times, 0), 0);
    ck_assert_int_eq(backup(&world, 2), HF_UNCHANGED);
    put_text(&world, "c/a", "FIRST"); /* same size and time */
    ck_assert_int_eq(utimensat(AT_FDCWD, at(&world, "c/a"), times, 0), 0);
    ck_assert_int_eq(backup(&world, 2), HF_OK);
    ck_assert_int_eq(chmod(at(&world, "c/b"), 0600), 0);
    ck_assert_int_eq(backup(&world, 2), HF_OK);
    ck_assert_int_eq(rename(at(&world, "c/b"), at(&world, "c/c")), 0);
    ck_assert_int_eq(backup(&world, 2), HF_OK);
    ck_assert_int_eq(backup(&world, 2), HF_UNCHANGED);
    fake_set_fact(world.fake, "content", NULL);
    ck_assert_int_eq(backup(&world, 2), HF_OK);
    world_configure(&world, (const char *const[]){"path", "%/c", NULL});
    ck_assert_int_eq(backup(&world, 2), HF_OK);
}
END_TEST

START_TEST(damage_is_found)
{
    put_text(&world, "c/a", "some content");
    put_text(&world, "c/b", "other content");
    ck_assert_int_eq(symlink("a", at(&world, "c/link")), 0);
    world_configure(&world, (const char *const[]){"path", "%/c", NULL});
    backup_ok(1);
    verify_is(HF_OK);
    struct fake_part *part = world.fake->parts[0], *end = world.fake->parts[1];
    unsigned char *hit = memmem(part->data, part->used, "other content", 13);
    ck_assert_ptr_nonnull(hit);
    *hit ^= 1;
    verify_is(HF_E_CORRUPT);
    *hit ^= 1;
    verify_is(HF_OK);
    part->used -= 512;
    verify_is(HF_E_CORRUPT);
    part->used += 512;
    end->used -= 512;
    verify_is(HF_E_CORRUPT);
    end->used += 512;
    part->data[part->used - 512 + 1] ^= 4; /* of the last header's name */
    verify_is(HF_E_CORRUPT);
    part->data[part->used - 512 + 1] ^= 4;
    fake_set_fact(world.fake, "content", "{\"xxh128\":\"00\",\"entries\":4,\"bytes\":25}");
    verify_is(HF_E_CORRUPT);
}
END_TEST

/* Runs a backup by hand, with something done between the listing and the reading. */
static int backup_after(void (*disturb)(void), int *ret_end)
{
    struct hf_ctx *ctx = fake_ctx(world.fake);
    struct hf_part parts[8] = {0};
    void *session = NULL;
    int n = 0, code;
    fake_clear(world.fake);
    ck_assert_int_eq(world.source->begin(world.self, ctx, &session), HF_OK);
    while ((code = world.source->next_part(session, ctx, &parts[n])) == HF_OK)
        ck_assert_int_lt(n++, 7);
    ck_assert_int_eq(code, HF_END);
    disturb();
    code = HF_OK;
    for (int i = 0; i < n && code == HF_OK; i++) {
        struct fake_part memory = {0};
        struct hf_writer writer = {.fake = world.fake, .part = &memory};
        code = world.source->backup_part(session, ctx, &parts[i], &writer);
        free(memory.data);
    }
    *ret_end = world.source->end(session, ctx, code);
    return code;
}

static void remove_b(void)
{
    ck_assert_int_eq(unlink(at(&world, "c/b")), 0);
}

static void swap_b(void)
{
    remove_b();
    ck_assert_int_eq(symlink("/etc/passwd", at(&world, "c/b")), 0);
}

static void swap_folder(void)
{
    ck_assert_int_eq(rename(at(&world, "c/d"), at(&world, "elsewhere")), 0);
    ck_assert_int_eq(symlink(at(&world, "elsewhere"), at(&world, "c/d")), 0);
}

START_TEST(vanished_files_are_reported)
{
    int end;
    put_text(&world, "c/a", "a");
    put_text(&world, "c/b", "b");
    world_configure(&world, (const char *const[]){"path", "%/c", NULL});
    ck_assert_int_eq(backup_after(remove_b, &end), HF_OK);
    ck_assert_int_eq(end, HF_OK);
    const struct fake_finding *finding = fake_find(world.fake, "file-vanished");
    ck_assert_ptr_nonnull(finding);
    ck_assert_int_eq(finding->severity, HF_WARNING);
    ck_assert_str_eq(finding->subject, at(&world, "c/b"));
}
END_TEST

START_TEST(links_in_a_files_place_are_not_followed)
{
    int end;
    put_text(&world, "c/b", "b");
    put_text(&world, "c/d/e", "e");
    world_configure(&world, (const char *const[]){"path", "%/c", NULL});
    ck_assert_int_eq(backup_after(swap_b, &end), HF_OK);
    ck_assert_ptr_nonnull(strstr(fake_fact(world.fake, "content"), "\"bytes\":1}"));
    ck_assert_int_eq(backup_after(swap_folder, &end), HF_OK);
    ck_assert_ptr_nonnull(strstr(fake_fact(world.fake, "content"), "\"bytes\":0"));
}
END_TEST

START_TEST(a_hard_link_lends_its_content)
{
    int end;
    put_text(&world, "c/b", "shared");
    ck_assert_int_eq(link(at(&world, "c/b"), at(&world, "c/other")), 0);
    world_configure(&world, (const char *const[]){"path", "%/c", NULL});
    ck_assert_int_eq(backup_after(remove_b, &end), HF_OK);
    ck_assert_int_eq(end, HF_OK);
    ck_assert_ptr_nonnull(strstr(fake_fact(world.fake, "content"), "\"bytes\":6"));
    ck_assert_int_eq(fake_worst(world.fake), 0);
}
END_TEST

START_TEST(unreadable_files_are_errors)
{
    if (geteuid() != 0) /* the test gives up its rights on its own */
        return;
    put_text(&world, "c/a", "a");
    put_text(&world, "c/locked", "b");
    put_text(&world, "c/shut/c", "c");
    ck_assert_int_eq(chmod(at(&world, "c/locked"), 0), 0);
    ck_assert_int_eq(chmod(at(&world, "c/shut"), 0), 0);
    ck_assert_int_eq(chmod(world.base, 0755), 0);
    world_configure(&world, (const char *const[]){"path", "%/c", NULL});
    ck_assert_int_eq(seteuid(65534), 0);
    int code = backup(&world, 2);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(code, HF_OK);
    ck_assert_int_eq(fake_worst(world.fake), HF_ERROR);
    ck_assert_uint_eq(world.fake->finding_count, 2);
    ck_assert_ptr_nonnull(fake_find(world.fake, "unreadable"));
    ck_assert_str_eq(artifact_names(&world), "c/\nc/a\nc/shut/\n");
}
END_TEST

static atomic_bool stop_writing;

static void *keep_writing(void *arg)
{
    const char *path = arg;
    char data[5000];
    memset(data, 'w', sizeof(data));
    for (unsigned i = 0; !atomic_load(&stop_writing); i++) {
        int fd = open(path, O_WRONLY | O_CREAT | (i % 3 ? O_APPEND : O_TRUNC) | O_CLOEXEC, 0644);
        for (unsigned n = 0; fd >= 0 && n < i % 200; n++)
            if (write(fd, data, sizeof(data)) < 0)
                break;
        close(fd);
    }
    return NULL;
}

START_TEST(files_that_change_meanwhile_do_no_harm)
{
    pthread_t thread;
    char path[4200];
    put_text(&world, "c/busy", "");
    put_text(&world, "c/calm", "calm");
    snprintf(path, sizeof(path), "%s", at(&world, "c/busy"));
    world_configure(&world, (const char *const[]){"path", "%/c", NULL});
    atomic_store(&stop_writing, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, keep_writing, path), 0);
    bool reported = false;
    for (int i = 0; i < 200; i++) {
        backup_ok(1);
        reported = reported || fake_find(world.fake, "file-changed");
        ck_assert_int_le(fake_worst(world.fake), HF_WARNING);
        verify_is(HF_OK);
    }
    atomic_store(&stop_writing, true);
    pthread_join(thread, NULL);
    ck_assert(reported);
}
END_TEST

START_TEST(a_stop_or_failure_ends_it)
{
    put_everything(&world, "src");
    world_configure(&world, (const char *const[]){"path", "%/src", NULL});
    world.fake->fail_write_after = 1000000;
    ck_assert_int_eq(backup(&world, 2), HF_E_IO);
    world.fake->fail_write_after = 0;
    world.fake->cancel_after = 1000000;
    ck_assert_int_eq(backup(&world, 2), HF_E_CANCELLED);
    world.fake->cancel_after = 0;
    backup_ok(2);
}
END_TEST

START_TEST(what_is_missing_fails)
{
    put_text(&world, "a", "");
    world_configure(&world, (const char *const[]){"path", "%/a %/missing", NULL});
    ck_assert_int_eq(backup(&world, 1), HF_E_NOTFOUND);
    world_configure(&world, (const char *const[]){"path", "%/*.none", NULL});
    ck_assert_int_eq(backup(&world, 1), HF_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(fake_hint(world.fake), "exclude"));
}
END_TEST

Suite *backup_suite(void)
{
    Suite *suite = suite_create("files: backup");
    TCase *tests = tcase_create("backup");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, everything_verifies_and_tar_reads_it);
    tcase_add_test(tests, python_reads_it);
    tcase_add_test(tests, roots_excludes_and_order);
    tcase_add_test(tests, many_files_make_several_parts);
    tcase_add_test(tests, unchanged_content_is_not_stored_again);
    tcase_add_test(tests, damage_is_found);
    tcase_add_test(tests, vanished_files_are_reported);
    tcase_add_test(tests, links_in_a_files_place_are_not_followed);
    tcase_add_test(tests, a_hard_link_lends_its_content);
    tcase_add_test(tests, unreadable_files_are_errors);
    tcase_add_test(tests, files_that_change_meanwhile_do_no_harm);
    tcase_add_test(tests, a_stop_or_failure_ends_it);
    tcase_add_test(tests, what_is_missing_fails);
    suite_add_tcase(suite, tests);
    return suite;
}
