/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"
#include <string.h>

#define SOURCE "[source]\nplugin = sqlite\n"
#define SINK "[sink local]\nplugin = dir\n"

static struct hf_profile *profile;

static void tear_down(void)
{
    hf_profile_free(profile);
    profile = NULL;
}

static const struct hf_diagnostics *read_text(const char *text)
{
    tear_down();
    profile = hf_profile_read(scratch_write("p.ini", text, 0644));
    return &profile->diagnostics;
}

START_TEST(complete)
{
    read_text("[profile]\n"
              "name = postgres-main\n"
              "description = the main database\n"
              "every = 6h\n"
              "rpo = 1h\n"
              "rto = 4h\n"
              "workers = 3\n"
              "[source]\n"
              "plugin = postgres\n"
              "url = ${env:NOT_LOOKED_AT_HERE}\n"
              "jobs = 2\n"
              "[stage compress]\n"
              "plugin = gzip\n"
              "[sink local]\n"
              "plugin = dir\n"
              "path = /backups\n"
              "[sink far]\n"
              "plugin = s3\n"
              "required = no\n"
              "[retention]\n"
              "keep = 30d\n"
              "keep_last = 4\n"
              "keep_daily = 7\n"
              "keep_weekly = 5\n"
              "keep_monthly = 12\n"
              "[verify]\n"
              "level = digest\n");
    expect_count(&profile->diagnostics, 0);
    ck_assert_str_eq(profile->name, "postgres-main");
    ck_assert_int_eq(profile->every_ms, 21600000);
    ck_assert_int_eq(profile->rpo_ms, 3600000);
    ck_assert_int_eq(profile->rto_ms, 14400000);
    ck_assert_int_eq(profile->workers, 3);
    ck_assert_int_eq(profile->jobs, 2);
    ck_assert_str_eq(profile->source.plugin, "postgres");
    ck_assert_str_eq(profile->source.name, "");
    ck_assert_uint_eq(profile->source.kind, HF_SOURCE);
    ck_assert_uint_eq(profile->stage_count, 1);
    ck_assert_str_eq(profile->stages[0].name, "compress");
    ck_assert_uint_eq(profile->sink_count, 2);
    ck_assert_str_eq(profile->sinks[0].name, "local");
    ck_assert_str_eq(profile->sinks[1].plugin, "s3");
    ck_assert_uint_eq(profile->sinks[1].kind, HF_SINK);
    ck_assert(profile->retention.set);
    ck_assert_int_eq(profile->retention.keep_ms, INT64_C(2592000000));
    ck_assert_int_eq(profile->retention.keep_last, 4);
    ck_assert_int_eq(profile->retention.keep_daily, 7);
    ck_assert_int_eq(profile->retention.keep_weekly, 5);
    ck_assert_int_eq(profile->retention.keep_monthly, 12);
    ck_assert_int_eq(profile->level, HF_LEVEL_DIGEST);
}
END_TEST

START_TEST(smallest)
{
    read_text("[profile]\nname = a\n" SOURCE SINK);
    expect_count(&profile->diagnostics, 0);
    ck_assert_int_eq(profile->level, HF_LEVEL_CONTENT);
    ck_assert(!profile->retention.set);
    ck_assert_int_eq(profile->workers, 0);
    ck_assert_int_eq(profile->jobs, 0);
    ck_assert_uint_eq(profile->stage_count, 0);
    ck_assert_int_eq(profile->every_ms, 0);
    read_text("[profile]\nname = a\n[source main]\nplugin = x\n" SINK "[retention]\n[verify]\n");
    expect_count(&profile->diagnostics, 0);
    ck_assert_str_eq(profile->source.name, "main");
}
END_TEST

START_TEST(missing_sections)
{
    const struct hf_diagnostics *found = read_text("");
    expect_count(found, 3);
    expect(found, HF_ERROR, 0, "section [profile] is missing");
    expect(found, HF_ERROR, 0, "section [source] is missing");
    expect(found, HF_ERROR, 0, "section [sink] is missing");
    ck_assert_str_eq(profile->name, "p");
    found = read_text("[profile]\n[source]\n[sink local]\n");
    expect_count(found, 3);
    expect(found, HF_ERROR, 1, "option 'name' is missing in [profile]");
    expect(found, HF_ERROR, 2, "option 'plugin' is missing in [source]");
    expect(found, HF_ERROR, 3, "option 'plugin' is missing in [sink local]");
    ck_assert_ptr_null(profile->source.plugin);
    ck_assert_ptr_nonnull(profile->source.ini);
}
END_TEST

START_TEST(names)
{
    static const char *const good[] = {
        "a", "0", "a-b", "config", "sqlite2", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < HF_COUNT(good); i++) {
        hf_auto_free char *text = hf_strf("[profile]\nname = %s\n" SOURCE SINK, good[i]);
        expect_count(read_text(text), 0);
        ck_assert_str_eq(profile->name, good[i]);
    }
    static const char *const bad[][2] = {
        {"a_b", "separates"},   {"-a", "beginning with a letter"},
        {"A", "lower-case"},    {"a b", "lower-case"},
        {"../a", "lower-case"}, {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "longer than 64"},
        {"", "has no value"}};
    for (size_t i = 0; i < HF_COUNT(bad); i++) {
        hf_auto_free char *text = hf_strf("[profile]\nname = %s\n" SOURCE SINK, bad[i][0]);
        const struct hf_diagnostics *found = read_text(text);
        expect_count(found, 1);
        expect(found, HF_ERROR, 2, bad[i][1]);
        ck_assert_str_eq(profile->name, "p");
    }
}
END_TEST

START_TEST(rules_of_each_sink)
{
    const struct hf_diagnostics *found =
        read_text("[profile]\nname = a\nquorum = 2\n" SOURCE SINK "[sink far]\nplugin = dir\npath = /far\n"
                  "[retention far]\nkeep_last = 7\n[retention]\nkeep = 30d\n");
    expect_count(found, 0);
    ck_assert_int_eq(profile->quorum, 2);
    ck_assert_int_eq(hf_profile_retention(profile, "far")->keep_last, 7);
    ck_assert_int_eq(hf_profile_retention(profile, "far")->keep_ms, 0);
    ck_assert_int_eq(hf_profile_retention(profile, "local")->keep_ms, INT64_C(30) * 24 * 3600 * 1000);
    ck_assert_int_eq(hf_profile_retention(profile, "local")->keep_last, 0);
    ck_assert(hf_profile_retains(profile));

    found = read_text("[profile]\nname = a\nquorum = 2\n" SOURCE SINK "[retention farr]\nkeep_last = 0\n"
                      "[retention local]\nkeep_lats = 3\n");
    expect_count(found, 3);
    expect(found, HF_ERROR, 3, "'quorum' is 2, but the profile has only 1 sink");
    expect(found, HF_ERROR, 8, "[retention farr] is of a sink that the profile does not have");
    expect(found, HF_ERROR, 11, "keep_lats");

    read_text("[profile]\nname = a\n" SOURCE SINK "[retention local]\n");
    ck_assert(!hf_profile_retains(profile));
    ck_assert_int_eq(profile->quorum, 0);
}
END_TEST

START_TEST(sections)
{
    const struct hf_diagnostics *found = read_text("[profile]\nname = a\n" SOURCE SINK "[sinks far]\n"
                                                   "[notify mail]\n"
                                                   "[retention far]\n"
                                                   "[drill]\n"
                                                   "[sink]\n"
                                                   "[stage]\n"
                                                   "[sink a b]\n"
                                                   "[Profile]\n"
                                                   "[profile x]\n"
                                                   "[source other]\n");
    expect_count(found, 10);
    expect(found, HF_ERROR, 7, "did you mean [sink far]?");
    expect(found, HF_ERROR, 8, "unknown section [notify mail]");
    expect(found, HF_ERROR, 9, "[retention far] is of a sink that the profile does not have");
    expect(found, HF_ERROR, 10, "unknown section [drill]");
    expect(found, HF_ERROR, 11, "[sink] needs a name");
    expect(found, HF_ERROR, 12, "[stage] needs a name");
    expect(found, HF_ERROR, 13, "does not fit");
    expect(found, HF_ERROR, 14, "did you mean [profile]?");
    expect(found, HF_ERROR, 15, "section [profile x] takes no name");
    expect(found, HF_ERROR, 16, "a second source; the first one is on line 3");
    ck_assert_uint_eq(profile->sink_count, 1);
    for (size_t i = 1; i < found->count; i++)
        ck_assert_int_ge(found->items[i].line, found->items[i - 1].line);
}
END_TEST

START_TEST(stages_in_their_order)
{
    const struct hf_diagnostics *found =
        read_text("[profile]\nname = a\n" SOURCE "[stage two]\nplugin = gzip\n[stage one]\nplugin = age\n" SINK);
    expect_count(found, 0);
    ck_assert_uint_eq(profile->stage_count, 2);
    ck_assert_str_eq(profile->stages[0].plugin, "gzip");
    ck_assert_str_eq(profile->stages[1].plugin, "age");
}
END_TEST

START_TEST(values)
{
    const struct hf_diagnostics *found = read_text("[profile]\n"
                                                   "name = a\n"
                                                   "every = 0\n"
                                                   "rpo = often\n"
                                                   "workers = 0\n"
                                                   "evry = 1h\n"
                                                   "[source]\n"
                                                   "plugin = ../evil\n"
                                                   "jobs = many\n"
                                                   "[sink x]\n"
                                                   "plugin =\n"
                                                   "[retention]\n"
                                                   "keep = 0\n"
                                                   "keep_last = 0\n"
                                                   "keep_daily = -1\n"
                                                   "keep_hourly = 5\n"
                                                   "[verify]\n"
                                                   "level = contents\n");
    expect(found, HF_ERROR, 3, "'every' is 0s, but must be at least 1s");
    expect(found, HF_ERROR, 4, "not a duration");
    expect(found, HF_ERROR, 5, "'workers' is 0, but must be from 1 to 256");
    expect(found, HF_ERROR, 6, "did you mean 'every'?");
    expect(found, HF_ERROR, 8, "not a plugin's name: '../evil'");
    expect(found, HF_ERROR, 11, "not a plugin's name");
    expect(found, HF_ERROR, 13, "'keep' is 0s");
    expect(found, HF_ERROR, 14, "'keep_last' is 0");
    expect(found, HF_ERROR, 15, "'keep_daily' is -1");
    expect(found, HF_ERROR, 16, "unknown option 'keep_hourly' in [retention]");
    expect(found, HF_ERROR, 18, "did you mean 'content'?");
    expect_count(found, 11);
    ck_assert_int_eq(profile->level, HF_LEVEL_CONTENT);
    ck_assert(!profile->retention.set);
    ck_assert_ptr_null(profile->source.plugin);
    ck_assert_int_eq(profile->jobs, 0);
}
END_TEST

START_TEST(unreadable)
{
    profile = hf_profile_read("/nowhere/lost.ini");
    expect_count(&profile->diagnostics, 1);
    ck_assert_str_eq(profile->name, "lost");
    tear_down();
    static const char binary[] = "\x7f"
                                 "ELF\0\0";
    profile = hf_profile_read(scratch_write_bytes("b.ini", binary, sizeof binary, 0644));
    expect_count(&profile->diagnostics, 1);
    expect(&profile->diagnostics, HF_ERROR, 1, "not a text file");
}
END_TEST

START_TEST(levels)
{
    for (int level = HF_LEVEL_NONE; level <= HF_LEVEL_CONTENT; level++)
        ck_assert_int_eq(hf_level_parse(hf_level_text(level)), level);
    ck_assert_int_eq(hf_level_parse("drill"), -1);
    ck_assert_str_eq(hf_level_text(99), "unknown");
    ck_assert_uint_eq(hf_core_options("nonsense").count, 0);
    static const char *const kinds[] = {"profile", "retention", "verify", "holdfast", "source", "stage", "sink"};
    for (size_t i = 0; i < HF_COUNT(kinds); i++) {
        struct hf_options options = hf_core_options(kinds[i]);
        ck_assert_uint_gt(options.count, 0);
        for (size_t j = 0; j < options.count; j++) {
            struct hf_option option = hf_options_at(options, j);
            ck_assert_ptr_nonnull(option.help);
            ck_assert(!hf_text_ends(option.help, "."));
        }
    }
}
END_TEST

TCase *profile_case(void)
{
    TCase *tests = tcase_create("profile");
    tcase_add_checked_fixture(tests, scratch_set_up, scratch_tear_down);
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, complete);
    tcase_add_test(tests, smallest);
    tcase_add_test(tests, missing_sections);
    tcase_add_test(tests, names);
    tcase_add_test(tests, rules_of_each_sink);
    tcase_add_test(tests, sections);
    tcase_add_test(tests, stages_in_their_order);
    tcase_add_test(tests, values);
    tcase_add_test(tests, unreadable);
    tcase_add_test(tests, levels);
    return tests;
}
