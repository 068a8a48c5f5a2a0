/* SPDX-License-Identifier: Apache-2.0 */
#include "config/option.h"
#include "scratch.h"
#include <string.h>

static const struct hf_option table[] = {
    {.key = "text", .type = HF_STRING},
    {.key = "count", .type = HF_INT, .min = -5, .max = 10, .dflt = "3"},
    {.key = "number", .type = HF_INT},
    {.key = "flag", .type = HF_BOOL, .dflt = "yes"},
    {.key = "limit", .type = HF_SIZE, .min = 1024, .max = INT64_C(1) << 40},
    {.key = "room", .type = HF_SIZE},
    {.key = "wait", .type = HF_DURATION, .min = 1000, .max = INT64_MAX, .dflt = "5s"},
    {.key = "path", .type = HF_PATH},
    {.key = "mode", .type = HF_ENUM, .choices = "fast|safe|paranoid", .dflt = "safe"},
    {.key = "list", .type = HF_LIST, .dflt = "a b"},
    {.key = "url", .type = HF_URL},
    {.key = "old", .type = HF_STRING, .flags = HF_DEPRECATED, .help = "use 'text'"},
};

static struct hf_diagnostics diagnostics;
static struct hf_ini *ini;
static struct hf_config *config;

static void tear_down(void)
{
    hf_config_free(config);
    config = NULL;
    hf_ini_free(ini);
    ini = NULL;
    hf_diagnostics_clear(&diagnostics);
}

static void read_with(struct hf_options options, const char *text)
{
    tear_down();
    hf_auto_free char *whole = hf_strf("[sink x]\n%s\n", text);
    ini = hf_ini_parse("/etc/conf.d/x.ini", whole, strlen(whole), &diagnostics);
    ck_assert_uint_eq(diagnostics.count, 0);
    config = hf_config_new("/etc/conf.d/x.ini", &ini->sections[0], &options, 1, &diagnostics);
}

static void read_text(const char *text)
{
    read_with(HF_OPTIONS(table), text);
}

static void good_number(const char *line, const char *key, int64_t number)
{
    read_text(line);
    expect_count(&diagnostics, 0);
    ck_assert_msg(hf_config_number(config, key) == number, "%s: %lld", line, (long long)hf_config_number(config, key));
}

static void good_text(const char *line, const char *key, const char *text)
{
    read_text(line);
    expect_count(&diagnostics, 0);
    ck_assert_str_eq(hf_config_text(config, key), text);
    ck_assert_int_eq(hf_config_at(config, key)->line, 2);
}

static void bad(const char *line, const char *part)
{
    read_text(line);
    expect_count(&diagnostics, 1);
    expect(&diagnostics, HF_ERROR, 2, part);
    ck_assert_str_eq(diagnostics.items[0].file, "/etc/conf.d/x.ini");
}

START_TEST(defaults)
{
    struct hf_options options = HF_OPTIONS(table);
    config = hf_config_new(NULL, NULL, &options, 1, &diagnostics);
    expect_count(&diagnostics, 0);
    ck_assert_ptr_null(hf_config_text(config, "text"));
    ck_assert_int_eq(hf_config_number(config, "count"), 3);
    ck_assert_int_eq(hf_config_number(config, "number"), 0);
    ck_assert_int_eq(hf_config_number(config, "flag"), 1);
    ck_assert_int_eq(hf_config_number(config, "wait"), 5000);
    ck_assert_str_eq(hf_config_text(config, "mode"), "safe");
    ck_assert_uint_eq(hf_config_at(config, "list")->items.count, 2);
    ck_assert_int_eq(hf_config_at(config, "count")->line, 0);
}
END_TEST

START_TEST(integers)
{
    good_number("count = -5", "count", -5);
    good_number("count = 10", "count", 10);
    good_number("number = 9223372036854775807", "number", INT64_MAX);
    good_number("number = -9223372036854775808", "number", INT64_MIN);
    bad("count = 11", "'count' is 11, but must be from -5 to 10");
    bad("count = -6", "must be from");
    bad("count = ten", "'count' is not a whole number: 'ten'");
    bad("count = 1.0", "not a whole number");
    bad("count = 0x1", "not a whole number");
    bad("count = +", "not a whole number");
    bad("count =", "'count' has no value");
    bad("number = 9223372036854775808", "not a whole number");
    bad("count = 3 # three", "begins with ' ;'");
}
END_TEST

START_TEST(booleans)
{
    static const char *const words[][2] = {{"yes", "no"}, {"true", "false"}, {"on", "off"}, {"1", "0"}, {"YES", "No"}};
    for (size_t i = 0; i < HF_COUNT(words); i++) {
        for (int no = 0; no < 2; no++) {
            hf_auto_free char *line = hf_strf("flag = %s", words[i][no]);
            good_number(line, "flag", !no);
        }
    }
    bad("flag = maybe", "'flag' is not yes or no: 'maybe'");
    bad("flag = 2", "not yes or no");
}
END_TEST

START_TEST(sizes)
{
    good_number("room = 0", "room", 0);
    good_number("room = 512", "room", 512);
    good_number("room = 512B", "room", 512);
    good_number("limit = 4K", "limit", 4096);
    good_number("limit = 4k", "limit", 4096);
    good_number("limit = 64M", "limit", 64 << 20);
    good_number("limit = 1GiB", "limit", 1 << 30);
    good_number("limit = 2GB", "limit", INT64_C(2) << 30);
    good_number("limit = 1T", "limit", INT64_C(1) << 40);
    bad("limit = 1023", "'limit' is 1023, but must be from 1K to 1T");
    bad("limit = 2T", "'limit' is 2T");
    bad("room = -1", "not a size");
    bad("room = 1.5G", "not a size");
    bad("room = G", "not a size");
    bad("room = 1P", "not a size");
    bad("room = 1Ki", "not a size");
    bad("room = 1 G", "not a size");
    bad("room = 9000000T", "not a size");
    bad("room = 99999999999999999999", "not a size");
}
END_TEST

START_TEST(durations)
{
    good_number("wait = 2w", "wait", INT64_C(1209600000));
    good_number("wait = 90", "wait", 90000);
    bad("wait = 999ms", "'wait' is 999ms, but must be at least 1s");
    bad("wait = soon", "'wait' is not a duration: 'soon'");
    bad("wait = 1h30m", "e.g. 90s, 6h, 30d");
}
END_TEST

START_TEST(paths)
{
    good_text("path = /a/b", "path", "/a/b");
    good_text("path = a/b", "path", "/etc/conf.d/a/b");
    good_text("path = ./a", "path", "/etc/conf.d/a");
    good_text("path = .", "path", "/etc/conf.d");
    good_text("path = ../a", "path", "/etc/conf.d/../a");
    good_text("path = /with space/x", "path", "/with space/x");
    bad("path =", "no value");
    bad("path = /a\n  /b", "one line");
}
END_TEST

START_TEST(enums)
{
    good_text("mode = fast", "mode", "fast");
    good_number("mode = paranoid", "mode", 2);
    bad("mode = sage", "did you mean 'safe'?");
    bad("mode = Safe", "did you mean 'safe'?");
    bad("mode = whatever", "'mode' is not one of fast, safe, paranoid: 'whatever'");
    bad("mode = fast|safe", "not one of");
}
END_TEST

START_TEST(lists)
{
    static const struct {
        const char *line;
        size_t count;
        const char *items[4];
    } cases[] = {{"list = one", 1, {"one"}},
                 {"list = one  two\tthree", 3, {"one", "two", "three"}},
                 {"list =\n  /a\n  \"/b c\" /d", 3, {"/a", "/b c", "/d"}},
                 {"list = /a/\"b c\"/d \"\"", 2, {"/a/b c/d", ""}},
                 {"list = \"s.\"\"Order Lines\"\"\" \"\"\"\" \"\"x\"\"", 3, {"s.\"Order Lines\"", "\"", "x"}}};
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        read_text(cases[i].line);
        expect_count(&diagnostics, 0);
        const struct hf_strings *items = &hf_config_at(config, "list")->items;
        ck_assert_uint_eq(items->count, cases[i].count);
        for (size_t j = 0; j < items->count; j++)
            ck_assert_str_eq(items->items[j], cases[i].items[j]);
    }
    bad("list = \"open", "closing '\"' is missing");
    bad("list = \"open\"\"", "closing '\"' is missing");
    bad("list =", "no value");
}
END_TEST

START_TEST(urls_and_strings)
{
    good_text("url = https://host/x?y=z", "url", "https://host/x?y=z");
    good_text("url = sqlite:/a", "url", "sqlite:/a");
    bad("url = host/x", "'url' is not a URL: 'host/x'");
    bad("url = 1ttp://x", "not a URL");
    bad("url = http:", "not a URL");
    bad("url = http://a b", "not a URL");
    good_text("text = any \"thing\" = goes: 100%", "text", "any \"thing\" = goes: 100%");
    good_text("text =", "text", "");
    good_text("text = one\n  two", "text", "one\ntwo");
}
END_TEST

START_TEST(unknown_and_deprecated)
{
    bad("pth = /x", "did you mean 'path'?");
    bad("zebra = /x", "options here are: text, count,");
    read_text("zebra = 1\nold = x\nmodee = fast\ntext = a # b");
    expect_count(&diagnostics, 4);
    expect(&diagnostics, HF_ERROR, 2, "unknown option 'zebra' in [sink x]");
    expect(&diagnostics, HF_WARNING, 3, "use 'text'");
    expect(&diagnostics, HF_ERROR, 4, "did you mean 'mode'?");
    expect(&diagnostics, HF_WARNING, 5, "'#' is part of the value of 'text'");
    ck_assert_str_eq(hf_config_text(config, "old"), "x");
}
END_TEST

START_TEST(required)
{
    static const struct hf_option needed[] = {
        {.key = "path", .type = HF_PATH, .flags = HF_REQUIRED, .help = "where to look"},
        {.key = "name", .type = HF_STRING, .flags = HF_REQUIRED, .help = "what to call it"}};
    read_with(HF_OPTIONS(needed), "");
    expect_count(&diagnostics, 2);
    expect(&diagnostics, HF_ERROR, 1, "option 'path' is missing in [sink x]");
    expect(&diagnostics, HF_ERROR, 1, "what to call it");
    read_with(HF_OPTIONS(needed), "path = /a\nname =");
    expect_count(&diagnostics, 1);
    expect(&diagnostics, HF_ERROR, 3, "'name' has no value");
}
END_TEST

START_TEST(tables_of_other_sizes)
{
    /* A plugin of an older ABI, whose options end after `dflt`, and one of a newer, whose options are longer. */
    struct older {
        const char *key;
        uint32_t type, flags;
        const char *dflt;
    } older[] = {{"a", HF_INT, 0, "1"}, {"b", HF_INT, 0, "2"}};
    struct newer {
        struct hf_option known;
        char more[40];
    } newer[] = {{.known = {.key = "c", .type = HF_INT, .dflt = "3"}},
                 {.known = {.key = "a", .type = HF_STRING, .dflt = "hides nothing"}}};
    struct hf_options tables[] = {{(const struct hf_option *)older, 2, sizeof older[0]},
                                  {(const struct hf_option *)newer, 2, sizeof newer[0]}};
    config = hf_config_new(NULL, NULL, tables, 2, &diagnostics);
    expect_count(&diagnostics, 0);
    ck_assert_uint_eq(config->count, 3);
    ck_assert_int_eq(hf_config_number(config, "a"), 1);
    ck_assert_int_eq(hf_config_number(config, "b"), 2);
    ck_assert_int_eq(hf_config_number(config, "c"), 3);
    ck_assert_ptr_null(hf_options_at(tables[0], 1).help);
}
END_TEST

START_TEST(wrong_default_is_no_silence)
{
    static const struct hf_option wrong[] = {{.key = "n", .type = HF_INT, .dflt = "many"}};
    read_with(HF_OPTIONS(wrong), "");
    expect_count(&diagnostics, 2);
    expect(&diagnostics, HF_ERROR, 1, "the plugin's own default of 'n' is wrong");
}
END_TEST

START_TEST(asking_for_another_key_is_a_bug)
{
    read_text("");
    hf_config_at(config, "nonsense");
}
END_TEST

START_TEST(type_names)
{
    ck_assert_str_eq(hf_option_type_text(HF_DURATION), "duration");
    ck_assert_str_eq(hf_option_type_text(HF_URL), "url");
    ck_assert_str_eq(hf_option_type_text(0), "unknown");
    ck_assert_str_eq(hf_option_type_text(1000), "unknown");
}
END_TEST

TCase *option_case(void)
{
    TCase *tests = tcase_create("option");
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, defaults);
    tcase_add_test(tests, integers);
    tcase_add_test(tests, booleans);
    tcase_add_test(tests, sizes);
    tcase_add_test(tests, durations);
    tcase_add_test(tests, paths);
    tcase_add_test(tests, enums);
    tcase_add_test(tests, lists);
    tcase_add_test(tests, urls_and_strings);
    tcase_add_test(tests, unknown_and_deprecated);
    tcase_add_test(tests, required);
    tcase_add_test(tests, tables_of_other_sizes);
    tcase_add_test(tests, wrong_default_is_no_silence);
    tcase_add_test_raise_signal(tests, asking_for_another_key_is_a_bug, 6);
    tcase_add_test(tests, type_names);
    return tests;
}
