/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include <check.h>
#include <string.h>
#include <unistd.h>

static struct hf_ctx ctx;
static struct hf_arguments arguments;

static void set_up(void)
{
    memset(&ctx, 0, sizeof(ctx));
    memset(&arguments, 0, sizeof(arguments));
}

static void tear_down(void)
{
    hf_error_clear(&ctx.error);
    hf_arguments_clear(&arguments);
}

/* Splits at blanks. */
static int parse(const char *line)
{
    hf_auto_free char *copy = hf_strf("holdfast %s", line);
    char *argv[20], *rest = copy;
    int argc = 0;
    for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " "))
        if (*word)
            argv[argc++] = word;
    return hf_arguments_parse(&ctx, argc, argv, &arguments);
}

static const char *hint(void)
{
    return ctx.error.hint ? ctx.error.hint : "";
}

START_TEST(command_with_words_and_flags)
{
    ck_assert_int_eq(parse("backup one --dry-run two --level=quick -q"), HF_OK);
    ck_assert_str_eq(arguments.command->name, "backup");
    ck_assert_uint_eq(arguments.words.count, 2);
    ck_assert_str_eq(arguments.words.items[1], "two");
    ck_assert(hf_arguments_have(&arguments, HF_FLAG_DRY_RUN));
    ck_assert(hf_arguments_have(&arguments, HF_FLAG_QUIET));
    ck_assert_int_eq(arguments.flags[HF_FLAG_LEVEL].number, 1);
}
END_TEST

START_TEST(two_word_command)
{
    ck_assert_int_eq(parse("--json config validate x"), HF_OK);
    ck_assert_str_eq(arguments.command->name, "config validate");
    ck_assert_str_eq(arguments.words.items[0], "x");
}
END_TEST

START_TEST(double_dash_ends_flags)
{
    ck_assert_int_eq(parse("backup -- --all"), HF_OK);
    ck_assert_str_eq(arguments.words.items[0], "--all");
    ck_assert(!hf_arguments_have(&arguments, HF_FLAG_ALL));
}
END_TEST

START_TEST(repeated_flag_collects)
{
    ck_assert_int_eq(parse("restore x --only a --only b"), HF_OK);
    ck_assert_uint_eq(arguments.flags[HF_FLAG_ONLY].count, 2);
    ck_assert_str_eq(arguments.flags[HF_FLAG_ONLY].texts.items[1], "b");
}
END_TEST

START_TEST(folders_become_absolute)
{
    hf_auto_free char *here = getcwd(NULL, 0);
    hf_auto_free char *expected = hf_strf("%s/out", here);
    ck_assert_int_eq(parse("restore --artifact out --to name"), HF_OK);
    ck_assert_str_eq(hf_arguments_text(&arguments, HF_FLAG_ARTIFACT), expected);
    ck_assert_str_eq(hf_arguments_text(&arguments, HF_FLAG_TO), "name"); /* the source decides what that is */
}
END_TEST

static const struct {
    const char *line, *text, *hint;
} mistakes[] = {
    {"", "no command", "holdfast help"},
    {"bakcup", "unknown command 'bakcup'", "'holdfast backup'"},
    {"zzzzzzzz", "unknown command", "holdfast help"},
    {"config", "not a whole command", "config validate"},
    {"config shwo", "unknown command 'config shwo'", "config show"},
    {"backup --dry-rum", "unknown flag '--dry-rum'", "--dry-run"},
    {"backup -x", "unknown flag '-x'", "help backup"},
    {"backup --at 2026-02-01", "has no flag '--at'", "verify"},
    {"--all backup", "'--all' stands before", "behind the command"},
    {"backup --level contnet", "not one of none|quick", "'content'"},
    {"backup --level", "needs a value", "--level LEVEL"},
    {"backup --level=", "empty value", "LEVEL"},
    {"backup --level quick --level digest", "more than once", "once"},
    {"backup --dry-run=yes", "takes no value", "=yes"},
    {"verify --at noon", "not a time", "2026-02-01"},
    {"restore x --jobs 0", "1 to 256", ""},
    {"restore x --jobs 4x", "1 to 256", ""},
    {"restore x --jobs 99999999999999999999", "1 to 256", ""},
    {"show", "needs a BACKUP", "help show"},
    {"show a b", "'b' is one argument too many", "help show"},
    {"plugin list x", "too many", "help plugin list"},
    {"backup --progress --no-progress", "exclude each other", ""},
};

START_TEST(mistake_is_explained)
{
    ck_assert_int_eq(parse(mistakes[_i].line), HF_E_CONFIG);
    ck_assert_msg(strstr(ctx.error.text, mistakes[_i].text), "'%s': %s", mistakes[_i].line, ctx.error.text);
    ck_assert_msg(strstr(hint(), mistakes[_i].hint), "'%s': %s", mistakes[_i].line, hint());
}
END_TEST

START_TEST(every_command_has_what_help_needs)
{
    for (size_t i = 0; i < HF_COMMAND_COUNT; i++) {
        const struct hf_command *command = &hf_commands[i];
        ck_assert_ptr_nonnull(command->name);
        ck_assert_ptr_eq(hf_command_find(command->name), command);
        ck_assert_ptr_nonnull(command->examples[0].line);
        ck_assert(command->summary[strlen(command->summary) - 1] != '.');
        for (size_t j = 0; j < HF_COMMAND_FLAGS_MAX && command->flags[j].help; j++)
            ck_assert(!hf_flags[command->flags[j].id].everywhere);
    }
}
END_TEST

START_TEST(manual_has_every_command_and_flag)
{
    hf_auto_text struct hf_text manual = {0};
    hf_auto_json json_t *plugins = json_array();
    hf_manual_add(&manual, plugins);
    for (size_t i = 0; i < HF_COMMAND_COUNT; i++) {
        hf_auto_free char *title = hf_strf(".Ss holdfast %s", hf_commands[i].name);
        const char *section = strstr(manual.data, title);
        ck_assert_msg(section != NULL, "%s", title);
        for (size_t j = 0; j < HF_COMMAND_FLAGS_MAX && hf_commands[i].flags[j].help; j++) {
            hf_auto_free char *flag = hf_strf("Fl -%s", hf_flags[hf_commands[i].flags[j].id].name);
            ck_assert_msg(strstr(section, flag) != NULL, "%s: %s", title, flag);
        }
    }
    for (int id = 0; id < HF_FLAG_ID_COUNT; id++) {
        hf_auto_free char *flag = hf_strf("Fl -%s", hf_flags[id].name);
        ck_assert_msg(strstr(manual.data, flag) != NULL, "%s", flag);
    }
}
END_TEST

START_TEST(completion_has_every_flag)
{
    hf_auto_text struct hf_text script = {0};
    hf_completion_add(&script);
    for (int id = 0; id < HF_FLAG_ID_COUNT; id++) {
        hf_auto_free char *flag = hf_strf("--%s", hf_flags[id].name);
        ck_assert_msg(strstr(script.data, flag) != NULL, "%s", flag);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli parse");
    TCase *tests = tcase_create("parse");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, command_with_words_and_flags);
    tcase_add_test(tests, two_word_command);
    tcase_add_test(tests, double_dash_ends_flags);
    tcase_add_test(tests, repeated_flag_collects);
    tcase_add_test(tests, folders_become_absolute);
    tcase_add_loop_test(tests, mistake_is_explained, 0, (int)HF_COUNT(mistakes));
    tcase_add_test(tests, every_command_has_what_help_needs);
    tcase_add_test(tests, manual_has_every_command_and_flag);
    tcase_add_test(tests, completion_has_every_flag);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
