/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"
#include <stdio.h>
#include <string.h>

static struct hf_diagnostics diagnostics;
static struct hf_ini *ini;

static void parse(const char *text)
{
    ini = hf_ini_parse("x.ini", text, strlen(text), &diagnostics);
}

static void tear_down(void)
{
    hf_ini_free(ini);
    ini = NULL;
    hf_diagnostics_clear(&diagnostics);
}

static void expect_value(size_t section, const char *key, int line, const char *value)
{
    ck_assert_uint_lt(section, ini->count);
    const struct hf_ini_entry *entry = hf_ini_entry(&ini->sections[section], key);
    ck_assert_msg(entry != NULL, "no '%s'", key);
    ck_assert_str_eq(entry->value, value);
    ck_assert_int_eq(entry->line, line);
}

START_TEST(well_formed)
{
    parse("# comment\n"
          "; comment\n"
          "\n"
          "[profile]\n"
          "name = x\n"
          "  \t\n"
          "[ sink   local one ] # comment\n"
          "\tpath=/a b/c=d:e \r\n"
          "empty =\n"
          "colon : v ; inline\n"
          "quoted = \"a # b\"\n"
          "[sink other]\n"
          "[last]\n"
          "k = v");
    expect_count(&diagnostics, 0);
    ck_assert_uint_eq(ini->count, 4);
    ck_assert_str_eq(ini->sections[0].kind, "profile");
    ck_assert_str_eq(ini->sections[0].name, "");
    ck_assert_int_eq(ini->sections[0].line, 4);
    ck_assert_str_eq(ini->sections[1].kind, "sink");
    ck_assert_str_eq(ini->sections[1].name, "local one");
    ck_assert_uint_eq(ini->sections[2].count, 0);
    ck_assert_int_eq(ini->sections[2].line, 12);
    expect_value(0, "name", 5, "x");
    expect_value(1, "path", 8, "/a b/c=d:e");
    expect_value(1, "empty", 9, "");
    expect_value(1, "colon", 10, "v");
    expect_value(1, "quoted", 11, "\"a # b\"");
    expect_value(3, "k", 14, "v");
    ck_assert_ptr_eq(hf_ini_find(ini, "sink"), &ini->sections[1]);
    ck_assert_ptr_null(hf_ini_find(ini, "stage"));
}
END_TEST

START_TEST(bom_and_windows_lines)
{
    parse("\xef\xbb\xbf[a]\r\nk = v\r\n\r\nl =\r\n  one\r\n  two\r\n");
    expect_count(&diagnostics, 0);
    expect_value(0, "k", 2, "v");
    expect_value(0, "l", 4, "one\ntwo");
}
END_TEST

START_TEST(continuation)
{
    parse("[a]\n"
          "paths = /one\n"
          "        /two ; why\n"
          "\n"
          "  # between\n"
          "  ; between\n"
          "\t/three\n"
          "k = v\n"
          "[b]\n"
          "  first = may be indented\n"
          "next = x\n");
    expect_count(&diagnostics, 0);
    expect_value(0, "paths", 2, "/one\n/two\n/three");
    expect_value(0, "k", 8, "v");
    expect_value(1, "first", 10, "may be indented");
    expect_value(1, "next", 11, "x");
}
END_TEST

START_TEST(indented_option_is_no_value)
{
    parse("[a]\n"
          "plugin = x\n"
          "  path = /y\n"
          "  [b]\n"
          "  /a=b\n");
    expect_count(&diagnostics, 2);
    expect(&diagnostics, HF_ERROR, 3, "continues the value of 'plugin'");
    expect(&diagnostics, HF_ERROR, 4, "continues the value of 'plugin'");
    expect_value(0, "plugin", 2, "x\n/a=b");
}
END_TEST

START_TEST(every_bad_line_is_named)
{
    parse("early = 1\n"
          "[a]\n"
          "nonsense\n"
          "k = v\n"
          "k = w\n"
          "  and more of the second\n"
          "= x\n"
          "[broken\n"
          "in = broken\n"
          "[]\n"
          "[c] trailing\n"
          "[ ]\n"
          "[a]\n"
          "z = only in the second\n"
          "[d]\n"
          "more nonsense");
    expect(&diagnostics, HF_ERROR, 1, "before the first section");
    expect(&diagnostics, HF_ERROR, 3, "neither an option nor a section");
    expect(&diagnostics, HF_ERROR, 5, "set twice in this section, first on line 4");
    expect(&diagnostics, HF_ERROR, 7, "no name");
    expect(&diagnostics, HF_ERROR, 8, "']' is missing");
    expect(&diagnostics, HF_ERROR, 10, "no name");
    expect(&diagnostics, HF_ERROR, 11, "only a comment");
    expect(&diagnostics, HF_ERROR, 12, "no name");
    expect(&diagnostics, HF_ERROR, 13, "twice, first on line 2");
    expect(&diagnostics, HF_ERROR, 16, "neither an option nor a section");
    expect_count(&diagnostics, 10);
    ck_assert_uint_eq(ini->count, 2);
    expect_value(0, "k", 4, "v");
    ck_assert_ptr_null(hf_ini_entry(&ini->sections[0], "z"));
}
END_TEST

START_TEST(long_names_are_kept)
{
    parse("[sink a-name-of-more-than-fifty-bytes-which-inih-would-cut-somewhere]\n"
          "a_key_of_more_than_fifty_bytes_which_inih_would_cut_somewhere = 1\n"
          "  2\n"
          "[sink a-name-of-more-than-fifty-bytes-which-inih-would-cut-elsewhere]\n");
    expect_count(&diagnostics, 0);
    ck_assert_uint_eq(ini->count, 2);
    expect_value(0, "a_key_of_more_than_fifty_bytes_which_inih_would_cut_somewhere", 2, "1\n2");
}
END_TEST

START_TEST(long_lines)
{
    enum { FITS = 64 << 10 };
    struct hf_text text = {0};
    hf_text_add(&text, "[a]\nk = ");
    for (int i = 0; i < FITS - 4; i++)
        hf_text_add(&text, "x");
    hf_text_add(&text, "\nl = ");
    for (int i = 0; i < FITS - 3; i++)
        hf_text_add(&text, "x");
    hf_text_add(&text, "\nm = v\n");
    parse(text.data);
    expect_count(&diagnostics, 1);
    expect(&diagnostics, HF_ERROR, 3, "longer than 64 KiB");
    ck_assert_uint_eq(strlen(hf_ini_entry(&ini->sections[0], "k")->value), FITS - 4);
    ck_assert_ptr_null(hf_ini_entry(&ini->sections[0], "l"));
    expect_value(0, "m", 4, "v");
    hf_text_clear(&text);
}
END_TEST

START_TEST(too_much)
{
    struct hf_text text = {0};
    hf_text_add(&text, "[a]\n");
    for (int i = 0; i < 5000; i++)
        hf_text_addf(&text, "k%d = v\n", i);
    parse(text.data);
    expect_count(&diagnostics, 1);
    expect(&diagnostics, HF_ERROR, 4097, "more than 4096 entries");
    hf_text_clear(&text);
    tear_down();

    hf_auto_free char *big = hf_alloc((1 << 20) + 2);
    memset(big, '\n', (1 << 20) + 1);
    parse(big);
    expect_count(&diagnostics, 1);
    expect(&diagnostics, HF_ERROR, 0, "larger than 1 MiB");
    tear_down();

    hf_text_add(&text, "");
    for (int i = 0; i < 1000; i++)
        hf_text_add(&text, "nonsense\n");
    parse(text.data);
    expect_count(&diagnostics, 21);
    expect(&diagnostics, HF_ERROR, 20, "too many errors");
    hf_text_clear(&text);
}
END_TEST

START_TEST(garbage)
{
    static const char binary[] = "[a]\nk = v\n\x7f"
                                 "ELF\0\0\0\n[b]\n";
    ini = hf_ini_parse("x.ini", binary, sizeof binary - 1, &diagnostics);
    expect_count(&diagnostics, 1);
    expect(&diagnostics, HF_ERROR, 3, "NUL");
    ck_assert_uint_eq(ini->count, 1);
    tear_down();
    ini = hf_ini_parse("x.ini", "", 0, &diagnostics);
    expect_count(&diagnostics, 0);
    tear_down();
    parse("\x1b[2Jhidden\n");
    expect_count(&diagnostics, 1);
    tear_down();
    parse("[a]\n\x1b[2J = 1\n\x1b[2J = 2\n");
    expect(&diagnostics, HF_ERROR, 3, "'?[2J' is set twice");
}
END_TEST

START_TEST(files)
{
    ini = hf_ini_read("/nowhere/x.ini", &diagnostics);
    expect_count(&diagnostics, 1);
    expect(&diagnostics, HF_ERROR, 0, "no such file");
    ck_assert_str_eq(diagnostics.items[0].file, "/nowhere/x.ini");
    tear_down();
    ini = hf_ini_read(scratch_write("y.ini", "[a]\nk = v\n", 0644), &diagnostics);
    expect_count(&diagnostics, 0);
    expect_value(0, "k", 2, "v");
    tear_down();
    ini = hf_ini_read(scratch_folder(), &diagnostics);
    expect_count(&diagnostics, 1);
}
END_TEST

TCase *ini_case(void)
{
    TCase *tests = tcase_create("ini");
    tcase_add_checked_fixture(tests, scratch_set_up, scratch_tear_down);
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, well_formed);
    tcase_add_test(tests, bom_and_windows_lines);
    tcase_add_test(tests, continuation);
    tcase_add_test(tests, indented_option_is_no_value);
    tcase_add_test(tests, every_bad_line_is_named);
    tcase_add_test(tests, long_names_are_kept);
    tcase_add_test(tests, long_lines);
    tcase_add_test(tests, too_much);
    tcase_add_test(tests, garbage);
    tcase_add_test(tests, files);
    return tests;
}
