/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "fake_ops.h"
#include <check.h>
#include <string.h>

static const struct {
    const char *given, *shown;
} unsafe[] = {
    {"plain", "plain"},
    {"a\nb\tc", "a\\nb\\tc"},
    {"\033[2J", "\\x1b[2J"},
    {"\177", "\\x7f"},
    {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
    {"\xc2\x9b"
     "31m",
     "\\x9b31m"}, /* C1 control */
    {"\xe2\x80\xae"
     "gpj.exe",
     "\\u202egpj.exe"}, /* right-to-left override */
    {"\xff\xc3", "\\xff\\xc3"},
    {"\xc0\xaf", "\\xc0\\xaf"},          /* overlong */
    {"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* surrogate */
    {"\xf0\x9f\x92\xbe", "\xf0\x9f\x92\xbe"},
};

START_TEST(text_is_made_safe)
{
    hf_auto_text struct hf_text out = {0};
    hf_safe_add(&out, unsafe[_i].given);
    ck_assert_str_eq(out.data, unsafe[_i].shown);
}
END_TEST

START_TEST(table_aligns)
{
    struct hf_table table = {.columns = 3, .right = 2};
    hf_auto_text struct hf_text out = {0};
    hf_table_row(&table, (const char *const[]){"NAME", "SIZE", "NOTE"});
    hf_table_row(&table, (const char *const[]){"gr\xc3\xbc"
                                               "n",
                                               "7", NULL});
    hf_table_row(&table, (const char *const[]){"a", "12345", "x"});
    hf_table_print(&out, &table, "");
    hf_table_clear(&table);
    ck_assert_str_eq(out.data, "NAME   SIZE  NOTE\ngr\xc3\xbcn      7\na     12345  x\n");
}
END_TEST

START_TEST(text_is_wrapped)
{
    hf_auto_text struct hf_text out = {0};
    hf_wrap_add(&out, "one two three\n\nfour", 2, 10);
    ck_assert_str_eq(out.data, "  one two\n  three\n\n  four\n");
}
END_TEST

static struct hf_text rendered(void (*render)(struct hf_text *, const json_t *, const struct hf_render *),
                               const char *report)
{
    struct hf_text out = {0};
    struct hf_render how = {0};
    hf_auto_json json_t *json = json_loads(report, 0, NULL);
    ck_assert_ptr_nonnull(json);
    ck_assert(hf_time_parse("2026-02-01T15:00:00Z", &how.now_ms));
    hf_json_set_text(json, "profile", "ledger");
    render(&out, json, &how);
    return out;
}

START_TEST(backup_is_told)
{
    hf_auto_text struct hf_text out = rendered(hf_render_backup, fake_backup_report);
    ck_assert_ptr_nonnull(strstr(out.data, "ledger_20260201_120000  stored in 1.9 s: 1.0 GiB as "));
    ck_assert_ptr_nonnull(strstr(out.data, "(29 %)\n  /backups/ledger_20260201_120000.tar.gz"));
    ck_assert_ptr_nonnull(strstr(out.data, "  stored in local\n  not stored in nas\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "  error: a\\x1b[2Jb: frame 7 is damaged\n  info: 2026-01-31"));
    ck_assert_ptr_nonnull(strstr(out.data, "  verified content in 1.2 s, nothing wrong\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "  kept 1 backup, removed 1 (ledger_20260102_060000: older than 30d)\n"));
    ck_assert_ptr_null(strchr(out.data, '\033'));
}
END_TEST

START_TEST(dry_run_and_unchanged_are_told)
{
    hf_auto_text struct hf_text would =
        rendered(hf_render_backup,
                 "{\"outcome\": \"would-store\", \"would_store\": [\"a.tar.gz\"], \"would_remove\": [\"old\"]}");
    ck_assert_str_eq(would.data, "ledger  would store\n  a.tar.gz\n  and remove old\n");
    hf_auto_text struct hf_text same = rendered(hf_render_backup, "{\"outcome\": \"unchanged\", \"findings\": []}");
    ck_assert_str_eq(same.data, "ledger  unchanged since its last backup, nothing stored\n");
}
END_TEST

START_TEST(list_is_a_table)
{
    struct hf_text out = {0};
    struct hf_render how = {0};
    ck_assert(hf_time_parse("2026-02-01T15:00:00Z", &how.now_ms));
    hf_auto_json json_t *reports = json_array();
    hf_json_append(reports, json_loads(fake_list_report, 0, NULL));
    hf_render_list(&out, reports, &how);
    ck_assert(hf_text_starts(out.data, "BACKUP "));
    ck_assert_ptr_nonnull(strstr(out.data, "local (not whole)  1 error\n"));
    ck_assert_ptr_nonnull(strstr(out.data, " 3 h "));
    ck_assert_ptr_nonnull(strstr(out.data, "  content, digest  local, nas"));
    ck_assert_ptr_nonnull(strstr(out.data, "not whole: ledger_20260201_060000 in local: artifact is missing\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "without a manifest: local: ledger_20260101_000000.tar.gz\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "not listed: sink nas"));
    hf_text_clear(&out);
}
END_TEST

START_TEST(verify_and_prune_align)
{
    hf_auto_text struct hf_text verify = rendered(hf_render_verify, fake_verify_report);
    ck_assert_ptr_nonnull(strstr(verify.data, "ledger_20260201_120000  local  content  whole, 1.0 KiB in 1.2 s\n"));
    ck_assert_ptr_nonnull(strstr(verify.data, "ledger_20260201_120000  nas    content  DAMAGED\n  error: "));
    hf_auto_text struct hf_text prune = rendered(hf_render_prune, fake_prune_report);
    ck_assert_ptr_nonnull(strstr(prune.data, "ledger_20260102_060000  local  NOT REMOVED  older than 30d\n"));
    ck_assert_ptr_nonnull(strstr(prune.data, "ledger_20260103_060000  local  left alone   manifest cannot be read\n"));
}
END_TEST

START_TEST(audit_is_told)
{
    hf_auto_text struct hf_text good = rendered(hf_render_audit, fake_audit_report);
    ck_assert_str_eq(good.data, "ledger  nothing wrong, audited in 1.2 s against ledger_20260201_120000\n"
                                "  warning: public.orders: 10 rows, and 20 before\n");
    hf_auto_text struct hf_text bad = rendered(hf_render_audit, "{\"exit\": 5, \"audited\": true, \"id\": null}");
    ck_assert_str_eq(bad.data, "ledger  SOMETHING IS WRONG, audited in 0 ms\n");
}
END_TEST

START_TEST(copies_align)
{
    hf_auto_text struct hf_text out =
        rendered(hf_render_copy, "{\"copies\": [{\"id\": \"ledger_1\", \"from\": \"a\", \"outcome\": \"copied\", \"bytes\": 1024,"
                                 " \"seconds\": 1.2, \"verification\": {\"level\": \"digest\"}},"
                                 "{\"id\": \"ledger_22\", \"outcome\": \"unwanted\", \"reason\": \"no rule keeps it\"},"
                                 "{\"id\": \"ledger_3\", \"outcome\": \"there\"},"
                                 "{\"id\": \"ledger_4\", \"outcome\": \"failed\", \"error\": \"disk full\"}]}");
    ck_assert_str_eq(out.data, "ledger_1   copied         from a, 1.0 KiB in 1.2 s, read back at level digest\n"
                               "ledger_22  left out       no rule keeps it\n"
                               "ledger_3   there already\n"
                               "ledger_4   NOT COPIED     disk full\n");
}
END_TEST

START_TEST(empty_reports_do_no_harm)
{
    static void (*const all[])(struct hf_text *, const json_t *, const struct hf_render *) = {
        hf_render_check,       hf_render_backup,      hf_render_show,        hf_render_verify,
        hf_render_restore,     hf_render_prune,       hf_render_config_show, hf_render_config_validate,
        hf_render_plugin_list, hf_render_plugin_info, hf_render_audit,       hf_render_copy};
    for (size_t i = 0; i < HF_COUNT(all); i++) {
        hf_auto_text struct hf_text out = rendered(all[i], "{}");
        hf_auto_text struct hf_text wrong =
            rendered(all[i], "{\"checks\": [1], \"items\": \"x\", \"artifacts\": {\"a\": 1},"
                             " \"id\": 7, \"manifest\": [], \"plugins\": [null]}");
        ck_assert(!out.data || strlen(out.data) == out.length);
        ck_assert(!wrong.data || strlen(wrong.data) == wrong.length);
    }
}
END_TEST

START_TEST(progress_line_says_what_is_known)
{
    hf_auto_text struct hf_text full = {0}, unknown = {0}, preparing = {0}, narrow = {0};
    struct hf_progress_figures figures = {.done = 512 << 20, .total = 1 << 30, .per_second = 256 << 20};
    hf_progress_line(&full, "backing up x", &figures, 100);
    ck_assert_ptr_nonnull(strstr(full.data, "512.0 MiB of 1.0 GiB  50 %  256.0 MiB/s  2"));
    figures.total = 0;
    hf_progress_line(&unknown, "backing up x", &figures, 100);
    ck_assert_ptr_null(strchr(unknown.data, '%'));
    hf_progress_line(&preparing, "x", &(struct hf_progress_figures){.plugin_done = 1, .plugin_total = 4}, 100);
    ck_assert_str_eq(preparing.data, "x  preparing, 25 %");
    /* Parts, once they are all known; costs that are no bytes count in the share and in the time. */
    figures = (struct hf_progress_figures){.done = 512 << 20,
                                           .total = 1 << 30,
                                           .done_extra = 256 << 20,
                                           .total_extra = 1 << 30,
                                           .done_parts = 7,
                                           .total_parts = 40,
                                           .listed = true,
                                           .per_second = 256 << 20,
                                           .elapsed_ms = 6000};
    hf_text_clear(&full);
    hf_progress_line(&full, "x", &figures, 100);
    ck_assert_str_eq(full.data, "x  512.0 MiB of 1.0 GiB  38 %  7 of 40 parts  256.0 MiB/s  10 s left");
    /* Not all are listed: what the source expects is more. */
    figures = (struct hf_progress_figures){
        .done = 256 << 20, .total = 512 << 20, .plugin_total = 1 << 30, .done_parts = 7, .total_parts = 9};
    hf_text_clear(&full);
    hf_progress_line(&full, "x", &figures, 100);
    ck_assert_str_eq(full.data, "x  256.0 MiB of 1.0 GiB  25 %  7 parts");
    figures = (struct hf_progress_figures){
        .done = 5, .total = 5, .done_parts = 2, .total_parts = 2, .listed = true, .plugin_done = 1, .plugin_total = 3};
    hf_text_clear(&full);
    hf_progress_line(&full, "x", &figures, 100);
    ck_assert_str_eq(full.data, "x  5 B of 5 B  100 %  2 of 2 parts  finishing, 33 %");
    hf_progress_line(&narrow, "gr\xc3\xbc\xc3\xbc\xc3\xbc", &figures, 4);
    ck_assert_str_eq(narrow.data, "gr\xc3\xbc\xc3\xbc");
}
END_TEST

START_TEST(rate_is_of_the_last_samples)
{
    struct hf_rate rate = {0};
    ck_assert_uint_eq(hf_rate_per_second(&rate), 0);
    for (int i = 0; i < 100; i++)
        hf_rate_add(&rate, i * 200, i < 50 ? 0 : (uint64_t)(i - 50) * 200);
    ck_assert_uint_eq(hf_rate_per_second(&rate), 1000);
    hf_rate_add(&rate, 100 * 200, 5); /* new work begins */
    ck_assert_uint_eq(hf_rate_per_second(&rate), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli output");
    TCase *tests = tcase_create("output");
    tcase_add_loop_test(tests, text_is_made_safe, 0, (int)HF_COUNT(unsafe));
    tcase_add_test(tests, table_aligns);
    tcase_add_test(tests, text_is_wrapped);
    tcase_add_test(tests, backup_is_told);
    tcase_add_test(tests, dry_run_and_unchanged_are_told);
    tcase_add_test(tests, list_is_a_table);
    tcase_add_test(tests, verify_and_prune_align);
    tcase_add_test(tests, copies_align);
    tcase_add_test(tests, audit_is_told);
    tcase_add_test(tests, empty_reports_do_no_harm);
    tcase_add_test(tests, progress_line_says_what_is_known);
    tcase_add_test(tests, rate_is_of_the_last_samples);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
