/* SPDX-License-Identifier: Apache-2.0
 *
 * Globs, paths, and the plugin's table.
 */
#include "tree.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct world world;

static void setup(void)
{
    world_open(&world);
}

static void teardown(void)
{
    world_close(&world);
}

static const struct {
    const char *pattern, *path;
    bool match;
} globs[] = {
    {"/a/b", "/a/b", true},
    {"/a/b", "/a/b/c", false},
    {"/a/*", "/a/b", true},
    {"/a/*", "/a/.b", true},
    {"/a/*", "/a/b/c", false},
    {"/a/**", "/a/b/c", true},
    {"/a/**", "/a", false},
    {"/a/**/c", "/a/c", true},
    {"/a/**/c", "/a/x/y/c", true},
    {"/a/**/c", "/a/x/y/d", false},
    {"/**/c/**/*.db", "/a/c/x/y/z.db", true},
    {"/**/c/**/*.db", "/a/d/x/y/z.db", false},
    {"*.tmp", "x.tmp", true},
    {"[ab]?", "bz", true},
    {"/a/b", "/a/b/", true},
};

START_TEST(globs_match)
{
    ck_assert_msg(glob_match(globs[_i].pattern, globs[_i].path) == globs[_i].match, "%s on %s", globs[_i].pattern,
                  globs[_i].path);
}
END_TEST

START_TEST(excludes_match)
{
    const char *const excludes[] = {"*.tmp", "/srv/**/cache", "logs/*.log"};
    const struct files self = {.excludes = excludes, .exclude_count = 3};
    ck_assert(files_excluded(&self, "/srv/x.tmp"));
    ck_assert(!files_excluded(&self, "/srv/x.tmp.d"));
    ck_assert(files_excluded(&self, "/srv/a/b/cache"));
    ck_assert(!files_excluded(&self, "/var/a/cache"));
    ck_assert(files_excluded(&self, "/var/logs/x.log"));
    ck_assert(!files_excluded(&self, "/var/xlogs/x.log"));
}
END_TEST

START_TEST(paths_become_normal)
{
    static const char *const cases[][2] = {{"/", ""},   {"/a", "/a"}, {"//a///b/", "/a/b"}, {"/./a/.", "/a"},
                                           {"a", NULL}, {"", NULL},   {"/a/..", NULL}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *normal = path_normal(cases[i][0]);
        if (cases[i][1])
            ck_assert_str_eq(normal, cases[i][1]);
        else
            ck_assert_ptr_null(normal);
        free(normal);
    }
}
END_TEST

static int collect(void *arg, const char *path)
{
    strcat(strcat(arg, path + strlen(world.base)), " ");
    return 0;
}

static int no_error(void *arg, const char *path, int error)
{
    (void)arg;
    ck_abort_msg("%s: %d", path, error);
    return error;
}

static const char *expanded(const char *pattern)
{
    static char found[4096];
    found[0] = 0;
    struct glob_calls calls = {collect, no_error, found};
    ck_assert_int_eq(glob_expand(at(&world, pattern), &calls), 0);
    return found;
}

START_TEST(globs_expand)
{
    put_text(&world, "d/x.db", "");
    put_text(&world, "d/e/f/y.db", "");
    put_text(&world, "d/e/z.txt", "");
    put_folder(&world, "d/whole.db/inner");
    put_text(&world, "d/whole.db/inner/n.db", "");
    ck_assert_str_eq(expanded("d/e/*.txt"), "/d/e/z.txt ");
    ck_assert_str_eq(expanded("d/x.db"), "/d/x.db ");
    ck_assert_str_eq(expanded("d/none/*"), "");
    ck_assert_str_eq(expanded("*/e/f/?.db"), "/d/e/f/y.db ");
    const char *all = expanded("**/*.db");
    ck_assert_ptr_nonnull(strstr(all, "/d/x.db "));
    ck_assert_ptr_nonnull(strstr(all, "/d/e/f/y.db "));
    ck_assert_ptr_nonnull(strstr(all, "/d/whole.db "));
    ck_assert_ptr_null(strstr(all, "n.db")); /* comes with its folder */
    all = expanded("d/**");
    ck_assert_ptr_nonnull(strstr(all, "/d/e "));
    ck_assert_ptr_nonnull(strstr(all, "/d/x.db "));
    ck_assert_ptr_null(strstr(all, "y.db"));
}
END_TEST

START_TEST(the_context_survives_json)
{
    char slash[] = "", odd[] = "/a b\"c", bytes[] = "/latin-\xe9";
    struct root items[] = {{.path = slash}, {.path = odd}, {.path = bytes}};
    const struct roots roots = {items, 3};
    struct part_index *index = index_new(), *read = NULL;
    ck_assert_int_eq(index_add(index, 1, "/latin-\xe9"), 0);
    ck_assert_int_eq(index_add(index, 2, "/m"), 0);
    char *json = files_context_to_json(&roots, index), **paths = NULL;
    size_t n = 0;
    ck_assert_int_eq(files_context_from_json(json, &paths, &n, &read), 0);
    ck_assert_uint_eq(n, 3);
    for (size_t i = 0; i < n; i++)
        ck_assert_str_eq(paths[i], items[i].path);
    ck_assert(index_holds(read, 2, paths, 1, "/n"));
    ck_assert(!index_holds(read, 1, paths, 1, "/n"));
    index_free(index);
    index_free(read);
    files_paths_free(paths, n);
    free(json);
    static const char *const bad[] = {"",
                                      "{}",
                                      "{\"paths\":[]}",
                                      "{\"paths\":[\"relative\"]}",
                                      "{\"paths\":[\"/a/../b\"]}",
                                      "{\"paths\":[{\"hex\":\"zz\"}]}",
                                      "{\"paths\":[{\"hex\":\"2f0\"}]}",
                                      "{\"paths\":[7]}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        ck_assert_msg(files_context_from_json(bad[i], &paths, &n, &read) == -1, "%s", bad[i]);
}
END_TEST

/* Longer than any path of a tar: it would not fit where paths are compared. */
START_TEST(a_context_with_endless_paths_is_refused)
{
    char *json = NULL, **paths = NULL, name[2 * TAR_MAX_PATH + 1];
    size_t n = 0;
    struct part_index *read = NULL;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    ck_assert_int_gt(asprintf(&json, "{\"paths\":[\"/%s\"]}", name), 0);
    ck_assert_int_eq(files_context_from_json(json, &paths, &n, &read), -1);
    free(json);
}
END_TEST

START_TEST(the_index_finds_parts)
{
    char a[] = "/a", ab[] = "/a/b", c[] = "/c";
    char *const roots[] = {a, ab, c}; /* walked one after the other: /a without /a/b, then /a/b, then /c */
    static const char *const firsts[] = {"/a", "/a/a.d", "/a/z/z", "/a/b/m", "/c"};
    static const struct {
        const char *path;
        const char *parts; /* 1: needed */
    } cases[] = {
        {"/a", "11111"},     {"/a/a", "10000"},  {"/a/a/x", "10000"}, {"/a/a.d", "01000"},
        {"/a/z", "01100"},   {"/a/zz", "00100"}, {"/a/b", "00110"},   {"/a/b/a", "00100"},
        {"/a/b/x", "00010"}, {"/c", "00001"},    {"/c/d", "00001"},   {"/x", "00000"},
    };
    struct part_index *index = index_new();
    for (uint32_t i = 0; i < 5; i++)
        ck_assert_int_eq(index_add(index, i + 1, firsts[i]), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (uint32_t n = 1; n <= 5; n++) /* may be asked for without need, must not be missed */
            ck_assert_msg(index_holds(index, n, roots, 3, cases[i].path) >= (cases[i].parts[n - 1] == '1' && i > 0),
                          "%s in part %u", cases[i].path, n);
    ck_assert(!index_holds(index, 1, roots, 3, "/c/d"));
    ck_assert(!index_holds(index, 5, roots, 3, "/a/z"));
    ck_assert(!index_holds(index, 2, roots, 3, "/a/b/x"));
    ck_assert(!index_holds(index, 3, roots, 3, "/x"));
    index_free(index);
    index = index_new();
    char name[32];
    for (uint32_t i = 1; i <= 20000; i++) {
        snprintf(name, sizeof(name), "/a/%06u", i);
        ck_assert_int_eq(index_add(index, i, name), 0);
    }
    for (uint32_t i = 1; i <= 20000; i += 77) {
        snprintf(name, sizeof(name), "/a/%06u", i);
        ck_assert(index_holds(index, i, roots, 1, name));
        ck_assert(!index_holds(index, i > 10000 ? i - 100 : i + 100, roots, 1, name));
    }
    index_free(index);
}
END_TEST

START_TEST(a_relative_path_is_refused)
{
    struct hf_config *config = fake_config_new(world.plugin->options, world.plugin->option_count,
                                               (const char *const[]){"path", "etc/app", NULL});
    void *self = NULL;
    ck_assert_int_eq(world.plugin->open(fake_ctx(world.fake), config, &self), HF_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(fake_error(world.fake), "'etc/app'"));
    fake_config_free(config);
}
END_TEST

START_TEST(check_names_what_is_missing)
{
    put_text(&world, "a", "");
    world_configure(&world, (const char *const[]){"path", "%/a %/missing", NULL});
    ck_assert_int_eq(world.source->check(world.self, fake_ctx(world.fake)), HF_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(fake_error(world.fake), "missing"));
    fake_clear(world.fake);
    world_configure(&world, (const char *const[]){"path", "%/a %/*.none", NULL});
    ck_assert_int_eq(world.source->check(world.self, fake_ctx(world.fake)), HF_OK);
    ck_assert_ptr_nonnull(fake_find(world.fake, "no-match"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("files");
    TCase *tests = tcase_create("paths");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, globs_match, 0, (int)(sizeof(globs) / sizeof(*globs)));
    tcase_add_test(tests, excludes_match);
    tcase_add_test(tests, paths_become_normal);
    tcase_add_test(tests, globs_expand);
    tcase_add_test(tests, the_context_survives_json);
    tcase_add_test(tests, a_context_with_endless_paths_is_refused);
    tcase_add_test(tests, the_index_finds_parts);
    tcase_add_test(tests, a_relative_path_is_refused);
    tcase_add_test(tests, check_names_what_is_missing);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_add_suite(runner, backup_suite());
    srunner_add_suite(runner, restore_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
