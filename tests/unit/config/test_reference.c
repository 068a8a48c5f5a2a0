/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "config/option.h"
#include "scratch.h"
#include <string.h>

static const struct hf_option table[] = {
    {.key = "text", .type = HF_STRING},
    {.key = "list", .type = HF_LIST},
    {.key = "password", .type = HF_STRING, .flags = HF_SECRET},
    {.key = "hook", .type = HF_URL, .flags = HF_SECRET},
    {.key = "url", .type = HF_URL},
    {.key = "count", .type = HF_INT},
};

static struct hf_diagnostics diagnostics;
static struct hf_config *config;

static void tear_down(void)
{
    hf_config_free(config);
    config = NULL;
    hf_diagnostics_clear(&diagnostics);
}

static void read_file(const char *line, mode_t mode)
{
    tear_down();
    hf_auto_free char *text = hf_strf("[source]\n%s\n", line);
    const char *path = scratch_write("x.ini", text, mode);
    struct hf_ini *ini = hf_ini_read(path, &diagnostics);
    struct hf_options options = HF_OPTIONS(table);
    config = hf_config_new(path, hf_ini_find(ini, "source"), &options, 1, &diagnostics);
    hf_ini_free(ini);
}

static void good(const char *line, const char *key, const char *text)
{
    read_file(line, 0640);
    expect_count(&diagnostics, 0);
    ck_assert_str_eq(hf_config_text(config, key), text);
}

static void bad(const char *line, mode_t mode, const char *part)
{
    read_file(line, mode);
    expect_count(&diagnostics, 1);
    expect(&diagnostics, HF_ERROR, 2, part);
    hf_auto_free char *path = hf_strf("%s/x.ini", scratch_folder());
    ck_assert_str_eq(diagnostics.items[0].file, path);
}

START_TEST(variables)
{
    setenv("HF_TEST_NAME", "world", 1);
    setenv("HF_TEST_MANY", "/a \"/b c\"", 1);
    setenv("HF_TEST_EMPTY", "", 1);
    unsetenv("HF_TEST_UNSET");
    good("text = hello ${env:HF_TEST_NAME}, ${env:HF_TEST_NAME}!", "text", "hello world, world!");
    ck_assert(hf_config_at(config, "text")->referenced);
    good("text = ${env:HF_TEST_EMPTY}", "text", "");
    read_file("list = ${env:HF_TEST_MANY} /d", 0644);
    ck_assert_uint_eq(hf_config_at(config, "list")->items.count, 3);
    ck_assert_str_eq(hf_config_at(config, "list")->items.items[1], "/b c");
    bad("text = ${env:HF_TEST_UNSET}", 0644, "variable 'HF_TEST_UNSET', which is not set");
    bad("count = ${env:HF_TEST_EMPTY}", 0644, "'count' has no value");
    bad("count = ${env:HF_TEST_NAME}", 0644, "not a whole number");
}
END_TEST

START_TEST(dollars)
{
    good("text = $$", "text", "$");
    good("text = a$b $HOME $", "text", "a$b $HOME $");
    good("text = $${env:HOME}", "text", "${env:HOME}");
    ck_assert(!hf_config_at(config, "text")->referenced);
    good("text = $$$$", "text", "$$");
    bad("text = ${env:HOME", 0644, "'${' without its '}'");
    bad("text = ${HOME}", 0644, "unknown reference '${HOME}'");
    bad("text = ${env:}", 0644, "unknown reference");
    bad("text = ${file:}", 0644, "unknown reference");
    bad("text = ${}", 0644, "unknown reference");
    read_file("text = ${env:HF_NO_1}${env:HF_NO_2}", 0644);
    expect_count(&diagnostics, 2);
}
END_TEST

START_TEST(files)
{
    scratch_write("token", "abc def\n", 0644);
    scratch_write("windows", "abc\r\n", 0644);
    scratch_write("two", "abc\n\n", 0644);
    scratch_write_bytes("binary", "a\0b", 3, 0644);
    good("text = <${file:token}>", "text", "<abc def>");
    good("text = ${file:windows}", "text", "abc");
    good("text = ${file:two}", "text", "abc\n");
    hf_auto_free char *absolute = hf_strf("text = ${file:%s/token}", scratch_folder());
    good(absolute, "text", "abc def");
    bad("text = ${file:gone}", 0644, "no such file");
    bad("text = ${file:.}", 0644, "is a directory");
    bad("text = ${file:binary}", 0644, "NUL");
    hf_auto_free char *big = hf_alloc(70000);
    memset(big, 'x', 70000);
    scratch_write_bytes("big", big, 65536, 0644);
    read_file("text = ${file:big}", 0644);
    ck_assert_uint_eq(strlen(hf_config_text(config, "text")), 65536);
    scratch_write_bytes("big", big, 65537, 0644);
    bad("text = ${file:big}", 0644, "larger than 65536 bytes");
}
END_TEST

START_TEST(secrets_refused)
{
    setenv("HF_TEST_SECRET", "from-environment", 1);
    scratch_write("secret", "from-file\n", 0640);
    scratch_write("open-secret", "from-file\n", 0644);
    bad("password = literal-one", 0644, "others can read this file");
    ck_assert_ptr_nonnull(strstr(diagnostics.items[0].hint, "chmod 640 "));
    ck_assert_ptr_null(hf_config_text(config, "password"));
    good("password = literal-one", "password", "literal-one");
    read_file("password = ${env:HF_TEST_SECRET}", 0644);
    expect_count(&diagnostics, 0);
    ck_assert_str_eq(hf_config_text(config, "password"), "from-environment");
    read_file("password = ${file:secret}", 0644);
    expect_count(&diagnostics, 0);
    ck_assert_str_eq(hf_config_text(config, "password"), "from-file");
    bad("password = ${file:open-secret}", 0600, "others can read the file");
    bad("hook = https://hooks/T0/abcdef", 0644, "others can read this file");
    /* A password in any URL is a secret. */
    bad("url = postgres://omen:hunter22@db/omen", 0604, "others can read this file");
    good("url = postgres://omen:hunter22@db/omen", "url", "postgres://omen:hunter22@db/omen");
    read_file("url = postgres://omen:${env:HF_TEST_SECRET}@db/omen", 0644);
    expect_count(&diagnostics, 0);
    read_file("url = https://host:8080/path@x", 0644);
    expect_count(&diagnostics, 0);
}
END_TEST

START_TEST(secrets_masked)
{
    read_file("password = correct-horse\nurl = postgres://u:p%40ss%2fword@db/x\nhook = no-url-but-secret", 0600);
    /* A wrong value of a secret option is not shown, either. */
    expect_count(&diagnostics, 1);
    expect(&diagnostics, HF_ERROR, 4, "'hook' is not a URL");
    ck_assert_ptr_null(strstr(diagnostics.items[0].text, "no-url"));
    char *masked = hf_redacted("correct-horse p%40ss%2fword p@ss/word db");
    ck_assert_str_eq(masked, "*** *** *** db");
    free(masked);
    read_file("password = abc", 0600);
    expect_count(&diagnostics, 1);
    expect(&diagnostics, HF_WARNING, 2, "less than 4 bytes");
}
END_TEST

TCase *reference_case(void)
{
    TCase *tests = tcase_create("reference");
    tcase_add_checked_fixture(tests, scratch_set_up, scratch_tear_down);
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, variables);
    tcase_add_test(tests, dollars);
    tcase_add_test(tests, files);
    tcase_add_test(tests, secrets_refused);
    tcase_add_test(tests, secrets_masked);
    return tests;
}
