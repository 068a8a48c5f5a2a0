/* SPDX-License-Identifier: Apache-2.0
 *
 * Which databases are meant, and what their artifacts are called.
 */
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "sqlite.h"

static struct sq_list list;

static int report(struct hf_ctx *ctx, void *arg, const char *subject, const struct sq_problem *problem)
{
    (void)arg;
    (void)subject;
    return sq_raise(ctx, problem);
}

static int find(const char *const *paths, size_t count, const char *exclude)
{
    const char *const excludes[] = {exclude};
    struct sq_source source = {
        .paths = paths, .path_count = count, .excludes = excludes, .exclude_count = exclude ? 1 : 0};
    sq_list_clear(&list);
    return sq_find(fake_ctx(fake), &source, report, NULL, &list);
}

static int find_one(const char *path, const char *exclude)
{
    const char *const paths[] = {path};
    return find(paths, 1, exclude);
}

static void clear_list(void)
{
    sq_list_clear(&list);
    teardown();
}

static void touch(const char *path)
{
    write_file(path, "", 0);
}

static void make_tree(void)
{
    make_folder(in_folder("a"));
    make_folder(in_folder("a/b"));
    make_folder(in_folder("c"));
    make_folder(in_folder(".hidden"));
    touch(in_folder("top.db"));
    touch(in_folder("a/signals.db"));
    touch(in_folder("a/signals.db-wal"));
    touch(in_folder("a/signals.db-shm"));
    touch(in_folder("a/signals.db.before-sqlite_20260201_120000"));
    touch(in_folder("a/b/signals.db"));
    touch(in_folder("a/b/deep.sqlite"));
    touch(in_folder("c/signals.db"));
    touch(in_folder(".hidden/x.db"));
}

START_TEST(globs_of_any_depth)
{
    make_tree();
    ck_assert_int_eq(find_one(in_folder("**/*.db"), NULL), HF_OK);
    ck_assert_uint_eq(list.count, 4);
    ck_assert_str_eq(list.items[0].path, in_folder("a/b/signals.db"));
    ck_assert_str_eq(list.items[3].path, in_folder("top.db"));
    ck_assert_int_eq(find_one(in_folder("*/*.db"), NULL), HF_OK);
    ck_assert_uint_eq(list.count, 2);
    ck_assert_int_eq(find_one(in_folder("a/**"), NULL), HF_OK);
    ck_assert_uint_eq(list.count, 3);
    ck_assert_int_eq(find_one(in_folder("**/b/**/*.sqlite"), NULL), HF_OK);
    ck_assert_uint_eq(list.count, 1);
}
END_TEST

START_TEST(excludes_and_doubles)
{
    make_tree();
    ck_assert_int_eq(find_one(in_folder("**/*.db"), "top.*"), HF_OK);
    ck_assert_uint_eq(list.count, 3);
    ck_assert_int_eq(find_one(in_folder("**/*.db"), in_folder("a/**")), HF_OK);
    ck_assert_uint_eq(list.count, 2);
    ck_assert_int_eq(symlink(in_folder("top.db"), in_folder("also.db")), 0);
    ck_assert_int_eq(link(in_folder("c/signals.db"), in_folder("c/zz.db")), 0);
    const char *const paths[] = {in_folder("**/*.db"), in_folder("top.db")};
    ck_assert_int_eq(find(paths, 2, NULL), HF_OK);
    ck_assert_uint_eq(list.count, 4);
    ck_assert_str_eq(list.items[3].path, in_folder("top.db"));
}
END_TEST

START_TEST(what_is_not_there)
{
    make_tree();
    ck_assert_int_eq(find_one(in_folder("**/*.nothing"), NULL), HF_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "**/*.nothing' matches no file"));
    fake_clear(fake);
    ck_assert_int_eq(find_one(in_folder("gone.db"), NULL), HF_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "gone.db"));
    fake_clear(fake);
    ck_assert_int_eq(find_one(in_folder("a"), NULL), HF_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(fake_hint(fake), "/**/*.db"));
}
END_TEST

/* Its disk is not mounted, say: a backup without it must not pass for a whole one. */
START_TEST(a_link_that_leads_nowhere)
{
    make_tree();
    ck_assert_int_eq(symlink("/nowhere/at/all.db", in_folder("lost.db")), 0);
    ck_assert_int_eq(find_one(in_folder("*.db"), NULL), HF_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(fake_error(fake), "lost.db"));
    fake_clear(fake);
    ck_assert_int_eq(find_one(in_folder("*.db"), "lost.*"), HF_OK);
    ck_assert_uint_eq(list.count, 1);
}
END_TEST

START_TEST(names_that_look_like_globs)
{
    touch(in_folder("[x]*.db"));
    ck_assert_int_eq(find_one(in_folder("[x]*.db"), NULL), HF_OK);
    ck_assert_uint_eq(list.count, 1);
    ck_assert_str_eq(list.items[0].artifact, "-x--");
}
END_TEST

static const char *artifact_of(const char *path)
{
    for (size_t i = 0; i < list.count; i++) {
        if (!strcmp(list.items[i].path, path))
            return list.items[i].artifact;
    }
    return "(none)";
}

START_TEST(artifact_names)
{
    make_tree();
    touch(in_folder("my app_1.v2.db"));
    touch(in_folder("my-app-1.v2.sqlite"));
    touch(in_folder("plain"));
    touch(in_folder("\303\244.db"));
    ck_assert_int_eq(find_one(in_folder("**"), NULL), HF_OK);
    ck_assert_str_eq(artifact_of(in_folder("top.db")), "top");
    ck_assert_str_eq(artifact_of(in_folder("plain")), "plain");
    ck_assert_str_eq(artifact_of(in_folder("\303\244.db")), "--");
    ck_assert_str_eq(artifact_of(in_folder("a/b/deep.sqlite")), "deep");
    ck_assert_str_eq(artifact_of(in_folder("a/signals.db")), "a-signals");
    ck_assert_str_eq(artifact_of(in_folder("a/b/signals.db")), "b-signals");
    ck_assert_str_eq(artifact_of(in_folder("c/signals.db")), "c-signals");
    /* The same in the same folders: a number, in the order of the paths. */
    ck_assert_ptr_null(strstr(artifact_of(in_folder("my app_1.v2.db")), "v2-2"));
    ck_assert_ptr_nonnull(strstr(artifact_of(in_folder("my-app-1.v2.sqlite")), "my-app-1.v2-2"));
}
END_TEST

START_TEST(long_names_stay_apart)
{
    char a[240], b[240];
    memset(a, 'x', sizeof(a));
    memset(b, 'x', sizeof(b));
    strcpy(a + 200, "1.db");
    strcpy(b + 200, "2.db");
    touch(in_folder("%s", a));
    touch(in_folder("%s", b));
    ck_assert_int_eq(find_one(in_folder("*.db"), NULL), HF_OK);
    ck_assert_uint_eq(list.count, 2);
    ck_assert_uint_le(strlen(list.items[0].artifact), 130);
    ck_assert_str_ne(list.items[0].artifact, list.items[1].artifact);
}
END_TEST

START_TEST(patterns)
{
    ck_assert(sq_match("*.db", "/x/y.db"));
    ck_assert(sq_match("/x/**", "/x/y/z.db"));
    ck_assert(sq_match("/**/z.db", "/x/y/z.db"));
    ck_assert(sq_match("/x/**/z.db", "/x/z.db"));
    ck_assert(sq_match("/x/*/z.db", "/x/y/z.db"));
    ck_assert(!sq_match("/x/*/z.db", "/x/y/y/z.db"));
    ck_assert(!sq_match("/x/y", "/x/y/z.db"));
    ck_assert(!sq_match("/x/y/z.db/w", "/x/y/z.db"));
    ck_assert(!sq_match("*.db", "/x.db/y"));
}
END_TEST

Suite *suite_find(void)
{
    Suite *suite = suite_create("find");
    TCase *tests = tcase_create("find");
    tcase_add_checked_fixture(tests, setup, clear_list);
    tcase_add_test(tests, globs_of_any_depth);
    tcase_add_test(tests, excludes_and_doubles);
    tcase_add_test(tests, what_is_not_there);
    tcase_add_test(tests, a_link_that_leads_nowhere);
    tcase_add_test(tests, names_that_look_like_globs);
    tcase_add_test(tests, artifact_names);
    tcase_add_test(tests, long_names_stay_apart);
    tcase_add_test(tests, patterns);
    suite_add_tcase(suite, tests);
    return suite;
}
