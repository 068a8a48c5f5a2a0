/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands that know no backups: config validate, key, plugin, help.
 */
#include "cli/output.h"
#include "cli/run.h"
#include "cli/select.h"
#include <string.h>

/* Leaves the files of the profiles in `targets`, and what was found in them. */
static size_t keep_selected(json_t *report, const struct hf_targets *targets)
{
    json_t *files = json_object_get(report, "files"), *diagnostics = json_object_get(report, "diagnostics");
    size_t errors = 0;
    for (size_t i = json_array_size(files); i-- > 0;) {
        const char *profile = hf_member_text(json_array_get(files, i), "profile");
        const char *path = hf_member_text(json_array_get(files, i), "path");
        bool selected = false;
        for (size_t j = 0; j < targets->count; j++)
            selected = selected || strcmp(targets->items[j].profile->name, profile) == 0;
        if (selected)
            continue;
        for (size_t j = json_array_size(diagnostics); j-- > 0;)
            if (strcmp(hf_member_text(json_array_get(diagnostics, j), "file"), path) == 0)
                json_array_remove(diagnostics, j);
        json_array_remove(files, i);
    }
    for (size_t i = 0; i < json_array_size(diagnostics); i++)
        errors += strcmp(hf_member_text(json_array_get(diagnostics, i), "severity"), "error") == 0;
    return errors;
}

int hf_cli_config_validate(struct hf_cli *cli)
{
    struct hf_report report = {0};
    struct hf_targets targets = {0};
    if (hf_cli_settings(cli) < 0)
        return cli->ctx.error.code;
    if (cli->arguments.words.count > 0 &&
        hf_select_profiles(&cli->ctx, cli->settings, &cli->arguments, false, &targets) < 0) {
        hf_targets_clear(&targets);
        return cli->ctx.error.code;
    }
    size_t errors = hf_op_validate(&cli->world, &report);
    if (targets.count > 0) {
        errors = keep_selected(report.json, &targets);
        hf_json_set_int(report.json, "exit", errors > 0 ? HF_EXIT_USAGE : HF_EXIT_OK);
    }
    const json_t *item;
    size_t index;
    json_array_foreach(json_object_get(report.json, "diagnostics"), index, item)
    {
        hf_auto_text struct hf_text line = {0};
        hf_text_add(&line, hf_member_text(item, "file"));
        if (hf_member_size(item, "line") > 0)
            hf_text_addf(&line, ":%llu", (unsigned long long)hf_member_size(item, "line"));
        hf_text_addf(&line, ": %s: %s", hf_member_text(item, "severity"), hf_member_text(item, "text"));
        hf_print_located(line.data, hf_member_text(item, "hint"));
    }
    cli->exit = errors > 0 ? HF_EXIT_USAGE : report.exit;
    hf_cli_finish(cli, &report, hf_render_config_validate, false);
    hf_targets_clear(&targets);
    return HF_OK;
}

int hf_cli_plugin(struct hf_cli *cli, const char *name)
{
    struct hf_report report = {0};
    if (hf_cli_settings_if_any(cli) < 0)
        return cli->ctx.error.code;
    if (name)
        hf_op_plugin_info(&cli->world, name, &report);
    else
        hf_op_plugin_list(&cli->world, &report);
    cli->exit = report.exit;
    hf_cli_finish(cli, &report, name ? hf_render_plugin_info : hf_render_plugin_list, true);
    return HF_OK;
}

int hf_cli_key(struct hf_cli *cli, const char *path)
{
    struct hf_arguments *arguments = &cli->arguments;
    const char *stage = hf_arguments_text(arguments, HF_FLAG_STAGE), *out = hf_arguments_text(arguments, HF_FLAG_OUT);
    struct hf_report report = {0};
    if (hf_cli_settings_if_any(cli) < 0)
        return cli->ctx.error.code;
    if (path)
        hf_op_key_show(&cli->world, stage, path, &report);
    else
        hf_op_key_new(&cli->world, stage, out, &report);
    cli->exit = report.exit;
    hf_cli_finish(cli, &report, hf_render_key, true);
    return HF_OK;
}

/* Every plugin's info, one report. */
static json_t *all_plugins(struct hf_cli *cli)
{
    struct hf_report list = {0};
    json_t *plugins = json_array();
    const json_t *item, *full;
    size_t i, j;
    hf_op_plugin_list(&cli->world, &list);
    json_array_foreach(json_object_get(list.json, "plugins"), i, item)
    {
        struct hf_report info = {0};
        hf_auto_free char *name = hf_strf("%s/%s", hf_member_text(item, "kind"), hf_member_text(item, "name"));
        hf_op_plugin_info(&cli->world, name, &info);
        json_array_foreach(json_object_get(info.json, "plugins"), j, full)
            hf_json_append(plugins, json_incref((json_t *)full));
        hf_report_clear(&info);
    }
    hf_report_clear(&list);
    return plugins;
}

static int run_completion(struct hf_cli *cli, struct hf_text *text)
{
    const char *what = hf_arguments_text(&cli->arguments, HF_FLAG_COMPLETION);
    if (strcmp(what, "bash") == 0) {
        hf_completion_add(text);
        return HF_OK;
    }
    if (hf_cli_settings_if_any(cli) < 0)
        return cli->ctx.error.code;
    if (strcmp(what, "profiles") == 0) {
        for (size_t i = 0; i < cli->world.settings->profile_count; i++)
            hf_text_addf(text, "%s\n", cli->world.settings->profiles[i]->name);
        return HF_OK;
    }
    hf_auto_json json_t *plugins = all_plugins(cli);
    for (size_t i = 0; i < json_array_size(plugins); i++)
        hf_text_addf(text, "%s\n", hf_member_text(json_array_get(plugins, i), "name"));
    return HF_OK;
}

int hf_cli_help(struct hf_cli *cli)
{
    struct hf_arguments *arguments = &cli->arguments;
    hf_auto_text struct hf_text text = {0};
    int result = HF_OK;
    if (hf_arguments_have(arguments, HF_FLAG_MAN) && hf_arguments_have(arguments, HF_FLAG_COMPLETION))
        return hf_cli_exclude(cli, HF_FLAG_MAN, HF_FLAG_COMPLETION, "give one of them");
    if (hf_arguments_have(arguments, HF_FLAG_COMPLETION)) {
        result = run_completion(cli, &text);
    } else if (hf_arguments_have(arguments, HF_FLAG_MAN)) {
        result = hf_cli_settings_if_any(cli);
        if (result < 0)
            return result;
        hf_auto_json json_t *plugins = all_plugins(cli);
        hf_manual_add(&text, plugins);
    } else {
        result = hf_help_add(&cli->ctx, &text, &arguments->words);
    }
    if (result == HF_OK && !cli->json)
        hf_output_write(text.data);
    else if (result == HF_OK)
        hf_help_json(cli->results);
    return result;
}
