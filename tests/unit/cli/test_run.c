/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "fake_ops.h"
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/holdfast-cli-XXXXXX";
static char output[sizeof(folder) + 16], messages[sizeof(folder) + 16];

static void write_profile(const char *name, const char *more)
{
    hf_auto_free char *path = hf_strf("%s/conf.d/%s.ini", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_gt(
        fprintf(file, "[profile]\nname = %s\n%s[source]\nplugin = x\n[sink local]\nplugin = y\n", name, more), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void set_up(void)
{
    struct hf_ctx ctx = {0};
    memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    hf_auto_free char *profiles = hf_strf("%s/conf.d", folder);
    ck_assert_int_eq(hf_file_make_dirs(&ctx, profiles, 0700), HF_OK);
    snprintf(output, sizeof(output), "%s/output", folder);
    snprintf(messages, sizeof(messages), "%s/messages", folder);
    hf_text_clear(&fake_calls);
}

static void tear_down(void)
{
    struct hf_ctx ctx = {0};
    ck_assert_int_eq(hf_file_remove_tree(&ctx, folder), HF_OK);
    hf_text_clear(&fake_calls);
}

/* Each test runs in a process of its own, so standard output and error may be sent to files. */
static int run(const char *line)
{
    hf_auto_free char *copy = hf_strf("holdfast --config %s %s", folder, line);
    char *argv[20], *rest = copy;
    int argc = 0;
    for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " "))
        if (*word)
            argv[argc++] = word;
    ck_assert_ptr_nonnull(freopen(output, "w", stdout));
    ck_assert_ptr_nonnull(freopen(messages, "w", stderr));
    int code = hf_cli_main(argc, argv);
    ck_assert_int_eq(fflush(stdout), 0);
    ck_assert_int_eq(fflush(stderr), 0);
    return code;
}

static bool told(const char *path, const char *text)
{
    struct hf_ctx ctx = {0};
    hf_auto_free char *data = NULL;
    size_t size;
    ck_assert_int_eq(hf_file_read(&ctx, path, 1 << 20, &data, &size), HF_OK);
    return strstr(data, text) != NULL;
}

static const char *calls(void)
{
    return fake_calls.data ? fake_calls.data : "";
}

START_TEST(only_profile_is_taken)
{
    write_profile("ledger", "");
    ck_assert_int_eq(run("backup"), 0);
    ck_assert_str_eq(calls(), "backup ledger dry=0 level=-1\n");
    ck_assert(told(output, "stored in 1.9 s"));
}
END_TEST

START_TEST(which_profile_must_be_said)
{
    write_profile("one", "");
    write_profile("two", "");
    ck_assert_int_eq(run("backup"), 2);
    ck_assert(told(messages, "one, two"));
    ck_assert_str_eq(calls(), "");
}
END_TEST

START_TEST(check_is_of_all)
{
    write_profile("one", "");
    write_profile("two", "");
    ck_assert_int_eq(run("check"), 0);
    ck_assert_str_eq(calls(), "check one\ncheck two\n");
}
END_TEST

START_TEST(one_failure_does_not_stop_the_next)
{
    write_profile("failing", "");
    write_profile("ledger", "");
    ck_assert_int_eq(run("backup --all -q"), 3);
    ck_assert_str_eq(calls(), "backup failing dry=0 level=-1\nbackup ledger dry=0 level=-1\n");
    ck_assert(told(messages, "holdfast: profile 'failing': sink local: '/backups' is not there\nhint: mount it\n"));
    ck_assert(!told(output, "stored"));
    ck_assert(told(messages, "frame 7 is damaged"));
}
END_TEST

START_TEST(profile_with_mistakes_is_left_out)
{
    write_profile("bad", "evry = 6h\nworkers = many\n");
    write_profile("good", "");
    ck_assert_int_eq(run("backup --all --json"), 3);
    ck_assert_str_eq(calls(), "backup good dry=0 level=-1\n");
    ck_assert(told(messages, "bad.ini:3: error: "));
    ck_assert(told(messages, "bad.ini:4: error: "));
    hf_auto_json json_t *document = json_load_file(output, 0, NULL);
    ck_assert_ptr_nonnull(document);
    ck_assert_int_eq(json_integer_value(json_object_get(document, "exit")), 3);
    const json_t *first = json_array_get(json_object_get(document, "results"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(first, "exit")), 2);
    ck_assert_uint_eq(json_array_size(json_object_get(first, "diagnostics")), 2);
}
END_TEST

START_TEST(bad_profile_alone_is_a_configuration_error)
{
    write_profile("bad", "evry = 6h\n");
    ck_assert_int_eq(run("backup bad"), 2);
    ck_assert_str_eq(calls(), "");
}
END_TEST

static const struct {
    const char *line, *call;
} names[] = {
    {"show ledger", "show ledger latest at=-1\n"},
    {"show latest", "show ledger latest at=-1\n"},
    {"show ledger/latest", "show ledger latest at=-1\n"},
    {"show ledger/20260201", "show ledger 20260201 at=-1\n"},
    {"show ledger_20260201", "show ledger ledger_20260201 at=-1\n"},
    {"show ledger --at 2026-02-01T00:00Z", "show ledger latest at=1769904000000\n"},
    {"verify", "verify ledger latest all=0 sink=- level=-1\n"},
    {"verify --all --level digest", "verify ledger - all=1 sink=- level=2\n"},
    {"verify ledger --all --sink nas", "verify ledger - all=1 sink=nas level=-1\n"},
    {"copy ledger --to b", "copy ledger latest from=- to=b all=0 dry=0 replace=0 level=-1 jobs=0\n"},
    {"copy --all --from local --to local --level quick -j 3 -n --replace",
     "copy ledger - from=local to=local all=1 dry=1 replace=1 level=1 jobs=3\n"},
    {"restore ledger --to /x --only a --only b --replace -n -j 3",
     "restore ledger latest to=/x only=2 replace=1 dry=1 jobs=3\n"},
    {"restore --artifact /a.gz --to /x --source files", "artifact /a.gz source=files to=/x\n"},
    {"prune -n --sink local", "prune ledger dry=1 sink=local\n"},
    {"audit", "audit ledger all=0\n"},
    {"audit --all --with amcheck --with depth=full --with x=", "audit ledger all=1 amcheck=(null) depth=full x=\n"},
    {"plugin info ledger", "plugin info ledger\n"},
    {"config show", "config show ledger\n"},
};

START_TEST(names_reach_the_operation)
{
    write_profile("ledger", "");
    ck_assert_int_eq(run(names[_i].line), 0);
    ck_assert_str_eq(calls(), names[_i].call);
}
END_TEST

static const struct {
    const char *line;
    int code;
    const char *text;
} refusals[] = {
    {"restore", 2, "which backup"},
    {"copy ledger", 2, "must be told the sink to copy to"},
    {"copy ledger --to b --level none", 2, "nobody has read back"},
    {"copy --all --to b", 6, "no profile has a sink 'b'"},
    {"copy ledger_20260201_120000 --all --to b", 2, "exclude each other"},
    {"restore ledger_2026 --at 2026-02-01", 2, "nothing to choose"},
    {"restore --artifact /a", 2, "needs '--to PLACE'"},
    {"restore --artifact /a --to /b ledger", 2, "exclude each other"},
    {"restore --artifact /a --to /b --only c", 2, "exclude each other"},
    {"restore ledger --source x", 2, "goes with '--artifact'"},
    {"verify --all ledger_2026", 2, "exclude each other"},
    {"verify --all --at 2026-02-01", 2, "exclude each other"},
    {"verify --level none", 2, "verifies nothing"},
    {"audit --with =x", 2, "is not KEY or KEY=VALUE"},
    {"audit --with A", 2, "is not KEY or KEY=VALUE"},
    {"audit --all ledger", 2, "exclude each other"},
    {"backup --all ledger", 2, "exclude each other"},
    {"backup ledgre", 6, "did you mean 'ledger'"},
    {"show other_2026", 6, "no profile 'other'"},
    {"show ledger/", 2, "names no backup"},
    {"help baqup", 2, "did you mean 'backup'"},
};

START_TEST(what_makes_no_sense_is_refused)
{
    write_profile("ledger", "");
    ck_assert_int_eq(run(refusals[_i].line), refusals[_i].code);
    ck_assert_str_eq(calls(), "");
    ck_assert(told(messages, refusals[_i].text));
    ck_assert(told(messages, "hint: "));
}
END_TEST

START_TEST(usage_error_is_json_too)
{
    ck_assert_int_eq(run("bakcup --json"), 2);
    hf_auto_json json_t *document = json_load_file(output, 0, NULL);
    ck_assert_ptr_nonnull(document);
    ck_assert_str_eq(json_string_value(json_object_get(document, "error")), "unknown command 'bakcup'");
    ck_assert_ptr_nonnull(json_object_get(document, "hint"));
    ck_assert_int_eq(json_integer_value(json_object_get(document, "schema")), 1);
}
END_TEST

START_TEST(full_disk_is_noticed)
{
    write_profile("ledger", "");
    hf_auto_free char *config = hf_strdup(folder);
    char *const argv[] = {(char *)"holdfast", (char *)"--config", config, (char *)"list"};
    ck_assert_ptr_nonnull(freopen("/dev/full", "w", stdout));
    ck_assert_ptr_nonnull(freopen(messages, "w", stderr));
    ck_assert_int_eq(hf_cli_main(4, argv), 1);
    ck_assert_int_eq(fflush(stderr), 0);
    ck_assert(told(messages, "standard output"));
}
END_TEST

START_TEST(exits_combine)
{
    ck_assert_int_eq(hf_exit_combine((const int[]){0, 0}, 2, false), 0);
    ck_assert_int_eq(hf_exit_combine((const int[]){0, 8}, 2, false), 3);
    ck_assert_int_eq(hf_exit_combine((const int[]){8, 8}, 2, false), 8);
    ck_assert_int_eq(hf_exit_combine((const int[]){8, 7}, 2, false), 1);
    ck_assert_int_eq(hf_exit_combine((const int[]){8, 3}, 2, false), 3);
    ck_assert_int_eq(hf_exit_combine((const int[]){0, 130, 8}, 3, false), 130);
    ck_assert_int_eq(hf_exit_combine((const int[]){0, 5}, 2, false), 3);
    ck_assert_int_eq(hf_exit_combine((const int[]){0, 5, 8}, 3, true), 5);
    ck_assert_int_eq(hf_exit_combine(NULL, 0, false), 0);
}
END_TEST

START_TEST(progress_watches_a_run)
{
    struct hf_ctx ctx = {0};
    struct hf_progress progress;
    struct hf_services services = {0};
    ck_assert_ptr_nonnull(freopen(messages, "w", stderr));
    ck_assert_int_eq(hf_progress_init(&progress, &ctx, HF_PROGRESS_REDRAW), HF_OK);
    progress.watch.begin(&progress.watch, "backing up x", &services);
    atomic_store(&services.done_bytes, 1 << 20);
    usleep(500000);
    hf_log(HF_LOG_INFO, NULL, "a line between");
    progress.watch.end(&progress.watch);
    hf_progress_clear(&progress);
    ck_assert_int_eq(fflush(stderr), 0);
    ck_assert(told(messages, "\r\033[Kbacking up x  1.0 MiB"));
    ck_assert(told(messages, "a line between"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli run");
    TCase *tests = tcase_create("run");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, only_profile_is_taken);
    tcase_add_test(tests, which_profile_must_be_said);
    tcase_add_test(tests, check_is_of_all);
    tcase_add_test(tests, one_failure_does_not_stop_the_next);
    tcase_add_test(tests, profile_with_mistakes_is_left_out);
    tcase_add_test(tests, bad_profile_alone_is_a_configuration_error);
    tcase_add_loop_test(tests, names_reach_the_operation, 0, (int)HF_COUNT(names));
    tcase_add_loop_test(tests, what_makes_no_sense_is_refused, 0, (int)HF_COUNT(refusals));
    tcase_add_test(tests, usage_error_is_json_too);
    tcase_add_test(tests, full_disk_is_noticed);
    tcase_add_test(tests, exits_combine);
    tcase_add_test(tests, progress_watches_a_run);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
