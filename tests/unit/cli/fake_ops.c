/* SPDX-License-Identifier: Apache-2.0
 *
 * Operations that do nothing but give canned reports and note how they were called. A profile's name decides: one that
 * begins with "fail" fails, one with "damage" is found damaged, one with "some" is partial.
 */
#include "fake_ops.h"
#include <string.h>

struct hf_text fake_calls;

static json_t *canned(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    if (!json)
        abort();
    return json;
}

static void give(struct hf_report *report, const struct hf_profile *profile, const char *text)
{
    const char *name = profile ? profile->name : "";
    report->json = canned(text);
    if (profile)
        hf_json_set_text(report->json, "profile", name);
    report->exit = HF_EXIT_OK;
    if (hf_text_starts(name, "fail")) {
        report->exit = HF_EXIT_UNREACHABLE;
        hf_json_set_text(report->json, "error", "sink local: '/backups' is not there");
        hf_json_set_text(report->json, "hint", "mount it");
        hf_json_set_text(report->json, "outcome", "failed");
    }
    if (hf_text_starts(name, "damage"))
        report->exit = HF_EXIT_DAMAGED;
    if (hf_text_starts(name, "some"))
        report->exit = HF_EXIT_PARTIAL;
    hf_json_set_int(report->json, "exit", report->exit);
}

int hf_exit_of_code(int code)
{
    return code == HF_E_CONFIG ? HF_EXIT_USAGE : code == HF_E_NOTFOUND ? HF_EXIT_NOTFOUND : HF_EXIT_FAILED;
}

void hf_report_clear(struct hf_report *report)
{
    json_decref(report->json);
    report->json = NULL;
}

void hf_op_check(const struct hf_world *world, struct hf_profile *profile, struct hf_report *report)
{
    (void)world;
    hf_text_addf(&fake_calls, "check %s\n", profile->name);
    give(report, profile, "{\"findings\": [], \"free_bytes\": 1073741824}");
}

void hf_op_backup(const struct hf_world *world, struct hf_profile *profile, const struct hf_backup_options *options,
                  struct hf_report *report)
{
    (void)world;
    hf_text_addf(&fake_calls, "backup %s dry=%d level=%d\n", profile->name, options->dry_run, options->level);
    give(report, profile, fake_backup_report);
}

void hf_op_list(const struct hf_world *world, struct hf_profile *profile, struct hf_report *report)
{
    (void)world;
    hf_text_addf(&fake_calls, "list %s\n", profile->name);
    give(report, profile, fake_list_report);
}

void hf_op_show(const struct hf_world *world, struct hf_profile *profile, const char *name, int64_t at_ms,
                struct hf_report *report)
{
    (void)world;
    hf_text_addf(&fake_calls, "show %s %s at=%lld\n", profile->name, name, at_ms == INT64_MAX ? -1 : (long long)at_ms);
    give(report, profile, fake_show_report);
}

void hf_op_verify(const struct hf_world *world, struct hf_profile *profile, const struct hf_verify_options *options,
                  struct hf_report *report)
{
    (void)world;
    hf_text_addf(&fake_calls, "verify %s %s all=%d sink=%s level=%d\n", profile->name,
                 options->name ? options->name : "-", options->all, options->sink ? options->sink : "-",
                 options->level);
    give(report, profile, fake_verify_report);
}

void hf_op_restore(const struct hf_world *world, struct hf_profile *profile, const struct hf_restore_options *options,
                   struct hf_report *report)
{
    (void)world;
    hf_text_addf(&fake_calls, "restore %s %s to=%s only=%zu replace=%d dry=%d jobs=%d\n", profile->name, options->name,
                 options->to ? options->to : "-", options->only_count, options->replace, options->dry_run,
                 options->jobs);
    give(report, profile,
         "{\"id\": \"ledger_20260201_120000\", \"sink\": \"local\", \"outcome\": \"restored\", \"parts\": 4, "
         "\"bytes\": 1073741824, \"seconds\": 0.8, \"findings\": []}");
}

void hf_op_restore_artifact(const struct hf_world *world, const struct hf_artifact_options *options,
                            struct hf_report *report)
{
    (void)world;
    hf_text_addf(&fake_calls, "artifact %s source=%s to=%s\n", options->file, options->source ? options->source : "-",
                 options->to);
    give(report, NULL,
         "{\"id\": \"unknown\", \"outcome\": \"restored\", \"parts\": 1, \"bytes\": 5, \"seconds\": 0.1, "
         "\"findings\": []}");
}

void hf_op_copy(const struct hf_world *world, struct hf_profile *profile, const struct hf_copy_options *options,
                struct hf_report *report)
{
    (void)world;
    hf_text_addf(&fake_calls, "copy %s %s from=%s to=%s all=%d dry=%d replace=%d level=%d jobs=%d\n", profile->name,
                 options->name ? options->name : "-", options->from ? options->from : "-", options->to, options->all,
                 options->dry_run, options->replace, options->level, options->jobs);
    give(report, profile,
         "{\"to\": \"b\", \"copies\": [{\"id\": \"ledger_20260201_120000\", \"from\": \"a\", \"outcome\": \"copied\", "
         "\"bytes\": 1048576, \"seconds\": 2, \"verification\": {\"level\": \"digest\", \"findings\": []}}, "
         "{\"id\": \"ledger_20260202_120000\", \"from\": \"a\", \"outcome\": \"failed\", \"error\": \"disk full\", "
         "\"hint\": \"make room\"}], \"findings\": []}");
}

void hf_op_prune(const struct hf_world *world, struct hf_profile *profile, const struct hf_prune_options *options,
                 struct hf_report *report)
{
    (void)world;
    hf_text_addf(&fake_calls, "prune %s dry=%d sink=%s\n", profile->name, options->dry_run,
                 options->sink ? options->sink : "-");
    give(report, profile, fake_prune_report);
}

void hf_op_audit(const struct hf_world *world, struct hf_profile *profile, const struct hf_audit_options *options,
                 struct hf_report *report)
{
    (void)world;
    hf_text_addf(&fake_calls, "audit %s all=%d", profile->name, options->all);
    for (size_t i = 0; i < options->request_count; i++)
        hf_text_addf(&fake_calls, " %s=%s", options->request[i].key,
                     options->request[i].value ? options->request[i].value : "(null)");
    hf_text_add(&fake_calls, "\n");
    give(report, profile, fake_audit_report);
}

size_t hf_op_validate(const struct hf_world *world, struct hf_report *report)
{
    size_t errors = world->settings->diagnostics.errors;
    for (size_t i = 0; i < world->settings->profile_count; i++)
        errors += world->settings->profiles[i]->diagnostics.errors;
    give(report, NULL, "{\"files\": [], \"diagnostics\": []}");
    return errors;
}

void hf_op_config_show(const struct hf_world *world, struct hf_profile *profile, struct hf_report *report)
{
    (void)world;
    hf_text_addf(&fake_calls, "config show %s\n", profile->name);
    give(report, profile,
         "{\"path\": \"/etc/holdfast/conf.d/ledger.ini\", \"sections\": [{\"section\": \"source\", "
         "\"options\": [{\"key\": \"path\", \"value\": \"/data/ledger\", \"origin\": "
         "\"/etc/holdfast/conf.d/ledger.ini:5\", \"secret\": false}]}]}");
}

void hf_op_key_new(const struct hf_world *world, const char *plugin, const char *out, struct hf_report *report)
{
    (void)world;
    hf_text_addf(&fake_calls, "key new %s %s\n", plugin ? plugin : "-", out ? out : "-");
    give(report, NULL, "{\"stage\": \"lock\", \"path\": \"/k\", \"public\": [\"lock1abc\"]}");
}

void hf_op_key_show(const struct hf_world *world, const char *plugin, const char *path, struct hf_report *report)
{
    (void)world;
    hf_text_addf(&fake_calls, "key show %s %s\n", plugin ? plugin : "-", path);
    give(report, NULL, "{\"stage\": \"lock\", \"path\": \"/k\", \"public\": [\"lock1abc\", \"lock1def\"]}");
}

void hf_op_plugin_list(const struct hf_world *world, struct hf_report *report)
{
    (void)world;
    give(report, NULL,
         "{\"plugins\": [{\"kind\": \"source\", \"name\": \"ledger\", \"version\": \"1\", \"summary\": "
         "\"an append-only ledger\", \"license\": \"Apache-2.0\", \"path\": \"/x.so\"}]}");
}

void hf_op_plugin_info(const struct hf_world *world, const char *name, struct hf_report *report)
{
    (void)world;
    hf_text_addf(&fake_calls, "plugin info %s\n", name);
    give(report, NULL, fake_plugin_report);
}
