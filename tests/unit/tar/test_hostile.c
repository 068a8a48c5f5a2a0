/* SPDX-License-Identifier: Apache-2.0
 *
 * Archives that try to write, or to point, outside the target folder.
 */
#include "raw_tar.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* The archive is refused with this code, and the message names the entry. */
static void refused_with(int expected, const char *subject, const struct tar_unpack_options *options)
{
    raw_end(&tar);
    int code = unpack_bytes(&scratch, tar.data, tar.size, options);
    ck_assert_msg(code == expected, "%d instead of %d: %s", code, expected, fake_error(scratch.fake));
    ck_assert_msg(strstr(fake_error(scratch.fake), subject), "'%s' does not name '%s'", fake_error(scratch.fake),
                  subject);
}

static void refused(const char *subject)
{
    refused_with(HF_E_REFUSED, subject, NULL);
}

START_TEST(absolute_name)
{
    raw_add(&tar, "/tmp/holdfast-escaped", '0', NULL, "x");
    refused("/tmp/holdfast-escaped");
    ck_assert_int_eq(access("/tmp/holdfast-escaped", F_OK), -1);
    ck_assert_int_eq(scratch_count(&scratch), 0);
}
END_TEST

static const char *const climbing[] = {"../escaped", "a/../../escaped", "a/..", "..", "./../escaped", "a/b/../c"};

START_TEST(dot_dot_in_a_name)
{
    raw_add(&tar, climbing[_i], '0', NULL, "x");
    refused(climbing[_i]);
    ck_assert_int_eq(scratch_count(&scratch), 0);
}
END_TEST

START_TEST(pax_name_that_climbs)
{
    raw_pax(&tar, "path", "../../escaped", 13);
    raw_add(&tar, "harmless", '0', NULL, "x");
    refused("../../escaped");
}
END_TEST

START_TEST(nul_in_a_pax_name_ends_it)
{
    raw_pax(&tar, "path", "a\0/../../b", 10);
    raw_add(&tar, "harmless", '0', NULL, "x");
    raw_end(&tar);
    unpack_bytes(&scratch, tar.data, tar.size, NULL);
    ck_assert_int_le(scratch_count(&scratch), 1);
    ck_assert_int_eq(access("/tmp/b", F_OK), -1);
}
END_TEST

START_TEST(empty_name)
{
    raw_add(&tar, "", '0', NULL, "x");
    raw_end(&tar);
    ck_assert_int_lt(unpack_bytes(&scratch, tar.data, tar.size, NULL), 0);
    ck_assert_int_eq(scratch_count(&scratch), 0);
}
END_TEST

START_TEST(the_target_itself_as_a_file)
{
    raw_add(&tar, "./", '2', "/etc", NULL);
    refused("./");
}
END_TEST

START_TEST(too_long_and_too_deep)
{
    char name[4000];
    memset(name, 'n', 300);
    raw_pax(&tar, "path", name, 300);
    raw_add(&tar, "harmless", '0', NULL, "x");
    refused("nnnn");
    raw_free(&tar);
    fake_clear(scratch.fake);
    for (size_t i = 0; i < sizeof(name); i++)
        name[i] = i % 2 ? '/' : 'd';
    raw_pax(&tar, "path", name, sizeof(name) - 1);
    raw_add(&tar, "harmless", '0', NULL, "x");
    refused("d/d/d");
    ck_assert_int_eq(scratch_count(&scratch), 0);
}
END_TEST

START_TEST(file_through_a_link)
{
    raw_add(&tar, "sub/", '5', NULL, NULL);
    raw_add(&tar, "link", '2', "sub", NULL);
    raw_add(&tar, "link/file", '0', NULL, "x");
    refused("link/file");
    ck_assert(!scratch_has(&scratch, "sub/file"));
}
END_TEST

START_TEST(file_through_a_link_that_leads_out)
{
    const struct tar_unpack_options options = {.outside_links = true};
    raw_add(&tar, "link", '2', "/tmp", NULL);
    raw_add(&tar, "link/holdfast-escaped", '0', NULL, "x");
    refused_with(HF_E_REFUSED, "link", &options);
    ck_assert_int_eq(access("/tmp/holdfast-escaped", F_OK), -1);
}
END_TEST

START_TEST(folder_over_a_link)
{
    raw_add(&tar, "sub/", '5', NULL, NULL);
    raw_add(&tar, "link", '2', "sub", NULL);
    raw_add(&tar, "link/", '5', NULL, NULL);
    refused("link");
}
END_TEST

START_TEST(file_over_a_link)
{
    raw_add(&tar, "target", '0', NULL, "before");
    raw_add(&tar, "link", '2', "target", NULL);
    raw_add(&tar, "link", '0', NULL, "after");
    refused("link");
    ck_assert_str_eq(scratch_text(&scratch, "target"), "before");
}
END_TEST

static const char *const outside[] = {"/etc/passwd", "..", "../x", "a/../../x", "./../x", "a/../x"};

START_TEST(symbolic_link_that_leads_out)
{
    raw_add(&tar, "link", '2', outside[_i], NULL);
    refused("link");
    ck_assert(!scratch_has(&scratch, "link"));
}
END_TEST

START_TEST(symbolic_links_that_lead_out_together)
{
    raw_add(&tar, "a/b/up", '2', "../..", NULL);      /* the root itself: inside */
    raw_add(&tar, "out", '2', "a/b/up/../etc", NULL); /* by name inside, in truth above the root */
    refused("out");
    ck_assert(scratch_has(&scratch, "a/b/up"));
    ck_assert(!scratch_has(&scratch, "out"));
}
END_TEST

START_TEST(outside_links_can_be_allowed)
{
    const struct tar_unpack_options options = {.outside_links = true};
    char target[64] = {0};
    raw_add(&tar, "alternatives/editor", '2', "/usr/bin/vim", NULL);
    raw_end(&tar);
    ck_assert_int_eq(unpack_bytes(&scratch, tar.data, tar.size, &options), HF_OK);
    ck_assert_int_gt(readlinkat(scratch.fd, "alternatives/editor", target, sizeof(target) - 1), 0);
    ck_assert_str_eq(target, "/usr/bin/vim");
}
END_TEST

static const char *const hard_outside[] = {"/etc/passwd", "../x", "a/../../x"};

START_TEST(hard_link_that_leads_out)
{
    raw_add(&tar, "link", '1', hard_outside[_i], NULL);
    refused("link");
    ck_assert_int_eq(scratch_count(&scratch), 0);
}
END_TEST

START_TEST(hard_link_through_a_link)
{
    const struct tar_unpack_options options = {.outside_links = true};
    raw_add(&tar, "folder", '2', "/etc", NULL);
    raw_add(&tar, "link", '1', "folder/passwd", NULL);
    refused_with(HF_E_REFUSED, "link", &options);
    ck_assert(!scratch_has(&scratch, "link"));
}
END_TEST

START_TEST(hard_link_to_nothing)
{
    raw_add(&tar, "link", '1', "missing", NULL);
    refused_with(HF_E_CORRUPT, "missing", NULL);
}
END_TEST

START_TEST(device)
{
    raw_add(&tar, "dev", '3', NULL, NULL);
    refused("dev");
    ck_assert_int_eq(scratch_count(&scratch), 0);
}
END_TEST

START_TEST(same_name_twice)
{
    raw_add(&tar, "a", '0', NULL, "first");
    raw_add(&tar, "a", '0', NULL, "second");
    refused("a");
    ck_assert_str_eq(scratch_text(&scratch, "a"), "first");
}
END_TEST

START_TEST(file_as_a_folder)
{
    raw_add(&tar, "a", '0', NULL, "first");
    raw_add(&tar, "a/b", '0', NULL, "second");
    refused("a/b");
}
END_TEST

START_TEST(a_target_that_is_occupied_by_links)
{
    ck_assert_int_eq(symlinkat("/tmp", scratch.fd, "way"), 0);
    raw_add(&tar, "way/holdfast-escaped", '0', NULL, "x");
    refused("way/holdfast-escaped");
    ck_assert_int_eq(access("/tmp/holdfast-escaped", F_OK), -1);
}
END_TEST

START_TEST(huge_size)
{
    raw_add_sized(&tar, "huge", '0', NULL, "77777777777", "short");
    refused_with(HF_E_CORRUPT, "huge", NULL);
    raw_free(&tar);
    fake_clear(scratch.fake);
    raw_add_sized(&tar, "huge2", '0', NULL, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", "short");
    raw_end(&tar);
    ck_assert_int_eq(unpack_bytes(&scratch, tar.data, tar.size, NULL), HF_E_CORRUPT);
    raw_free(&tar);
    fake_clear(scratch.fake);
    raw_add_sized(&tar, "huge3", '0', NULL, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "short");
    raw_end(&tar);
    ck_assert_int_lt(unpack_bytes(&scratch, tar.data, tar.size, NULL), 0);
}
END_TEST

START_TEST(huge_sparse_file)
{
    raw_pax(&tar, "GNU.sparse.major", "1", 1);
    raw_free(&tar);
    static const char records[] =
        "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n43 GNU.sparse.realsize=9223372036854775807\n"
        "24 GNU.sparse.name=evil\n";
    char field[24];
    snprintf(field, sizeof(field), "%011zo", strlen(records));
    raw_add_sized(&tar, "PaxHeader", 'x', NULL, field, records);
    raw_add(&tar, "x", '0', NULL, "1\n9223372036854775807\n0\n");
    raw_end(&tar);
    int code = unpack_bytes(&scratch, tar.data, tar.size, NULL);
    ck_assert_msg(code < 0, "a file of 8 EiB was made");
}
END_TEST

START_TEST(not_a_tar)
{
    char noise[2048];
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)(i * 31 + 7);
    ck_assert_int_eq(unpack_bytes(&scratch, noise, sizeof(noise), NULL), HF_E_CORRUPT);
    ck_assert_int_eq(scratch_count(&scratch), 0);
}
END_TEST

static int none(void *arg, struct hf_ctx *ctx, struct archive_entry *entry)
{
    (void)arg, (void)ctx, (void)entry;
    return 0;
}

START_TEST(a_bad_name_is_refused_even_when_not_wanted)
{
    const struct tar_unpack_options options = {.wanted = none};
    raw_add(&tar, "/tmp/holdfast-escaped", '0', NULL, "x");
    refused_with(HF_E_REFUSED, "/tmp/holdfast-escaped", &options);
}
END_TEST

Suite *hostile_suite(void)
{
    Suite *suite = suite_create("hostile tars");
    TCase *tests = tcase_create("hostile");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, absolute_name);
    tcase_add_loop_test(tests, dot_dot_in_a_name, 0, (int)(sizeof(climbing) / sizeof(*climbing)));
    tcase_add_test(tests, pax_name_that_climbs);
    tcase_add_test(tests, nul_in_a_pax_name_ends_it);
    tcase_add_test(tests, empty_name);
    tcase_add_test(tests, the_target_itself_as_a_file);
    tcase_add_test(tests, too_long_and_too_deep);
    tcase_add_test(tests, file_through_a_link);
    tcase_add_test(tests, file_through_a_link_that_leads_out);
    tcase_add_test(tests, folder_over_a_link);
    tcase_add_test(tests, file_over_a_link);
    tcase_add_loop_test(tests, symbolic_link_that_leads_out, 0, (int)(sizeof(outside) / sizeof(*outside)));
    tcase_add_test(tests, symbolic_links_that_lead_out_together);
    tcase_add_test(tests, outside_links_can_be_allowed);
    tcase_add_loop_test(tests, hard_link_that_leads_out, 0, (int)(sizeof(hard_outside) / sizeof(*hard_outside)));
    tcase_add_test(tests, hard_link_through_a_link);
    tcase_add_test(tests, hard_link_to_nothing);
    tcase_add_test(tests, device);
    tcase_add_test(tests, same_name_twice);
    tcase_add_test(tests, file_as_a_folder);
    tcase_add_test(tests, a_target_that_is_occupied_by_links);
    tcase_add_test(tests, huge_size);
    tcase_add_test(tests, huge_sparse_file);
    tcase_add_test(tests, not_a_tar);
    tcase_add_test(tests, a_bad_name_is_refused_even_when_not_wanted);
    suite_add_tcase(suite, tests);
    return suite;
}
