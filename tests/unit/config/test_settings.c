/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "scratch.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct hf_settings *settings;
static struct hf_ctx ctx;

static void set_up(void)
{
    scratch_set_up();
    unsetenv("HOLDFAST_CONFIG");
    unsetenv("HOLDFAST_STATE_DIR");
    unsetenv("TMPDIR");
}

static void tear_down(void)
{
    hf_settings_free(settings);
    settings = NULL;
    hf_error_clear(&ctx.error);
    scratch_tear_down();
}

static void load(void)
{
    hf_settings_free(settings);
    settings = NULL;
    int result = hf_settings_load(&ctx, scratch_folder(), &settings);
    ck_assert_msg(result == 0, "%s", ctx.error.text);
}

static const char *profile_text(const char *name)
{
    static char text[200];
    snprintf(text, sizeof text, "[profile]\nname = %s\n[source]\nplugin = x\n[sink s]\nplugin = y\n", name);
    return text;
}

START_TEST(profiles_sorted)
{
    scratch_write("holdfast.ini", "[holdfast]\n", 0644);
    scratch_write("conf.d/1.ini", profile_text("zeta"), 0644);
    scratch_write("conf.d/2.ini", profile_text("alpha"), 0644);
    scratch_write("conf.d/3.ini", "nonsense", 0644);
    scratch_write("conf.d/.hidden.ini", "nonsense", 0644);
    scratch_write("conf.d/.#1.ini", "nonsense", 0644);
    scratch_write("conf.d/#1.ini", "nonsense", 0644);
    scratch_write("conf.d/1.ini~", "nonsense", 0644);
    scratch_write("conf.d/README", "nonsense", 0644);
    scratch_write("ignored.ini", "nonsense", 0644);
    load();
    expect_count(&settings->diagnostics, 0);
    ck_assert_uint_eq(settings->profile_count, 3);
    ck_assert_str_eq(settings->profiles[0]->name, "3");
    ck_assert_str_eq(settings->profiles[1]->name, "alpha");
    ck_assert_str_eq(settings->profiles[2]->name, "zeta");
    expect_count(&settings->profiles[1]->diagnostics, 0);
    ck_assert_uint_gt(settings->profiles[0]->diagnostics.errors, 0);
    ck_assert_ptr_eq(hf_settings_profile(settings, "zeta"), settings->profiles[2]);
    ck_assert_ptr_null(hf_settings_profile(settings, "none"));
}
END_TEST

START_TEST(folder_without_conf_d)
{
    scratch_write("holdfast.ini", "[holdfast]\n", 0644);
    scratch_write("a.ini", profile_text("a"), 0644);
    load();
    ck_assert_uint_eq(settings->profile_count, 1);
    ck_assert_str_eq(settings->profiles[0]->name, "a");
}
END_TEST

START_TEST(no_profiles)
{
    load();
    ck_assert_uint_eq(settings->profile_count, 0);
    expect_count(&settings->diagnostics, 0);
}
END_TEST

START_TEST(name_used_twice)
{
    scratch_write("conf.d/a.ini", profile_text("same"), 0644);
    scratch_write("conf.d/b.ini", profile_text("same"), 0644);
    /* Called "same" after its file only: not a second profile of that name. */
    scratch_write("conf.d/same.ini", profile_text("wrong_name"), 0644);
    load();
    expect_count(&settings->diagnostics, 1);
    hf_auto_free char *second = hf_strf("%s/conf.d/b.ini", scratch_folder());
    hf_auto_free char *first = hf_strf("profile 'same' is also in '%s/conf.d/a.ini'", scratch_folder());
    expect(&settings->diagnostics, HF_ERROR, 2, first);
    ck_assert_str_eq(settings->diagnostics.items[0].file, second);
}
END_TEST

START_TEST(defaults)
{
    load();
    if (geteuid() == 0)
        ck_assert_str_eq(settings->state_dir, "/var/lib/holdfast");
    else
        ck_assert(hf_text_ends(settings->state_dir, "/holdfast"));
    ck_assert_str_eq(settings->temp_dir, "/var/tmp");
    ck_assert_uint_eq(settings->plugin_path->count, 0);
    setenv("HOLDFAST_STATE_DIR", "/x/state", 1);
    setenv("TMPDIR", "/x/tmp", 1);
    load();
    ck_assert_str_eq(settings->state_dir, "/x/state");
    ck_assert_str_eq(settings->temp_dir, "/x/tmp");
    ck_assert_int_eq(hf_config_at(settings->holdfast, "state_dir")->line, 0);
}
END_TEST

START_TEST(holdfast_ini)
{
    setenv("HOLDFAST_STATE_DIR", "/x/state", 1);
    scratch_write("holdfast.ini", "[holdfast]\nstate_dir = state\ntemp_dir = /t\nplugin_path = /p1 p2\n", 0644);
    load();
    expect_count(&settings->diagnostics, 0);
    hf_auto_free char *state = hf_path_join(scratch_folder(), "state");
    hf_auto_free char *plugins = hf_path_join(scratch_folder(), "p2");
    ck_assert_str_eq(settings->state_dir, state);
    ck_assert_str_eq(settings->temp_dir, "/t");
    ck_assert_uint_eq(settings->plugin_path->count, 2);
    ck_assert_str_eq(settings->plugin_path->items[0], "/p1");
    ck_assert_str_eq(settings->plugin_path->items[1], plugins);

    scratch_write("holdfast.ini", "[holdfast]\nstate = x\n[profile]\nname = a\nnonsense\n", 0644);
    load();
    expect_count(&settings->diagnostics, 3);
    expect(&settings->diagnostics, HF_ERROR, 2, "unknown option 'state' in [holdfast]");
    expect(&settings->diagnostics, HF_ERROR, 3, "unknown section [profile]");
    expect(&settings->diagnostics, HF_ERROR, 5, "neither an option nor a section");
    ck_assert_str_eq(settings->state_dir, "/x/state");
}
END_TEST

START_TEST(which_folder)
{
    ck_assert_int_eq(hf_settings_load(&ctx, "/nowhere/at/all", &settings), HF_E_NOTFOUND);
    ck_assert_str_eq(ctx.error.text, "there is no configuration folder '/nowhere/at/all'");
    ck_assert_ptr_nonnull(ctx.error.hint);
    ck_assert_ptr_null(settings);
    hf_error_clear(&ctx.error);
    const char *file = scratch_write("a.ini", profile_text("a"), 0644);
    ck_assert_int_lt(hf_settings_load(&ctx, file, &settings), 0);
    hf_error_clear(&ctx.error);
    setenv("HOLDFAST_CONFIG", scratch_folder(), 1);
    ck_assert_int_eq(hf_settings_load(&ctx, NULL, &settings), 0);
    ck_assert_str_eq(settings->folder, scratch_folder());
    ck_assert_uint_eq(settings->profile_count, 1);
    /* A relative folder becomes absolute, so that diagnostics and paths mean the same everywhere. */
    hf_settings_free(settings);
    ck_assert_int_eq(chdir("/tmp"), 0);
    hf_auto_free char *relative = hf_strf("./%s/", hf_path_base(scratch_folder()));
    ck_assert_int_eq(hf_settings_load(&ctx, relative, &settings), 0);
    ck_assert_str_eq(settings->folder, scratch_folder());
}
END_TEST

TCase *settings_case(void)
{
    TCase *tests = tcase_create("settings");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, profiles_sorted);
    tcase_add_test(tests, folder_without_conf_d);
    tcase_add_test(tests, no_profiles);
    tcase_add_test(tests, name_used_twice);
    tcase_add_test(tests, defaults);
    tcase_add_test(tests, holdfast_ini);
    tcase_add_test(tests, which_folder);
    return tests;
}
