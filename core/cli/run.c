/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run.h"
#include "base/log.h"
#include "cli/output.h"
#include "cli/select.h"
#include "plugin/loader.h"
#include <errno.h>
#include <string.h>

/* Commands on plugins need no configuration, and neither does restoring a file. */
static const struct hf_strings no_strings;
static const struct hf_settings no_settings = {
    .folder = (char *)"/etc/holdfast",
    .state_dir = "/var/lib/holdfast",
    .temp_dir = "/var/tmp",
    .plugin_path = &no_strings,
};

int hf_exit_combine(const int *exits, size_t count, bool damage_first)
{
    bool same = true, some_good = false, damage = false;
    for (size_t i = 0; i < count; i++) {
        if (exits[i] == HF_EXIT_INTERRUPTED)
            return HF_EXIT_INTERRUPTED;
        same = same && exits[i] == exits[0];
        some_good = some_good || exits[i] == HF_EXIT_OK || exits[i] == HF_EXIT_PARTIAL;
        damage = damage || exits[i] == HF_EXIT_DAMAGED;
    }
    if (count == 0)
        return HF_EXIT_OK;
    if (damage && damage_first)
        return HF_EXIT_DAMAGED;
    if (same)
        return exits[0];
    return some_good ? HF_EXIT_PARTIAL : HF_EXIT_FAILED;
}

static void print_diagnostics(const struct hf_diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct hf_diagnostic *item = &diagnostics->items[i];
        hf_auto_text struct hf_text line = {0};
        hf_text_add(&line, item->file ? item->file : "");
        if (item->line > 0)
            hf_text_addf(&line, ":%d", item->line);
        hf_text_addf(&line, ": %s: %s", item->severity == HF_ERROR ? "error" : "warning", item->text);
        hf_print_located(line.data, item->hint);
    }
}

static json_t *diagnostics_json(const struct hf_diagnostics *diagnostics)
{
    json_t *array = json_array();
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct hf_diagnostic *item = &diagnostics->items[i];
        json_t *object = json_object();
        hf_json_set_text(object, "severity", item->severity == HF_ERROR ? "error" : "warning");
        hf_json_set_text(object, "file", item->file);
        hf_json_set_int(object, "line", item->line);
        hf_json_set_text(object, "text", item->text);
        if (item->hint)
            hf_json_set_text(object, "hint", item->hint);
        hf_json_append(array, object);
    }
    return array;
}

int hf_cli_settings(struct hf_cli *cli)
{
    const char *folder = hf_arguments_text(&cli->arguments, HF_FLAG_CONFIG);
    if (hf_settings_load(&cli->ctx, folder, &cli->settings) < 0) {
        /* A folder that is not there is a mistake in the configuration, not a backup that is missing. */
        if (cli->ctx.error.code == HF_E_NOTFOUND)
            cli->ctx.error.code = HF_E_CONFIG;
        return hf_hint(&cli->ctx, "name the folder with the configuration by --config DIR or HOLDFAST_CONFIG");
    }
    cli->world.settings = cli->settings;
    hf_loader_set_path(cli->settings->plugin_path);
    return HF_OK;
}

int hf_cli_settings_if_any(struct hf_cli *cli)
{
    bool named = hf_arguments_have(&cli->arguments, HF_FLAG_CONFIG);
    const char *temp_dir = getenv("TMPDIR");
    cli->fallback = no_settings;
    if (temp_dir && *temp_dir == '/')
        cli->fallback.temp_dir = temp_dir;
    cli->world.settings = &cli->fallback;
    hf_loader_set_path(cli->fallback.plugin_path);
    if (hf_cli_settings(cli) == HF_OK || named)
        return cli->ctx.error.code;
    hf_error_clear(&cli->ctx.error);
    return HF_OK;
}

/* Settings and every profile held against the plugins' tables. What is wrong with a profile is its own affair; what is
 * wrong with the settings concerns all. */
static int load_and_validate(struct hf_cli *cli)
{
    if (hf_cli_settings(cli) < 0)
        return cli->ctx.error.code;
    struct hf_report ignored = {0};
    hf_op_validate(&cli->world, &ignored);
    hf_report_clear(&ignored);
    const struct hf_diagnostics *diagnostics = &cli->settings->diagnostics;
    print_diagnostics(diagnostics);
    if (diagnostics->errors == 0)
        return HF_OK;
    cli->diagnostics = diagnostics_json(diagnostics);
    return hf_fail(&cli->ctx, HF_E_CONFIG, "the configuration in '%s' is not valid", cli->settings->folder);
}

void hf_cli_finish(struct hf_cli *cli, struct hf_report *report, hf_renderer render, bool data)
{
    bool silent = cli->json || (cli->quiet && !data);
    hf_report_redact(report->json);
    hf_report_print_errors(report->json, cli->quiet && !data);
    if (!silent && render) {
        hf_auto_text struct hf_text text = {0};
        render(&text, report->json, &cli->render);
        hf_output_write(text.data);
    }
    hf_json_append(cli->results, hf_steal(report->json));
    hf_report_clear(report);
}

static void report_not_valid(const struct hf_profile *profile, struct hf_report *report)
{
    hf_auto_free char *error = hf_strf("profile '%s': %zu mistake%s in its configuration", profile->name,
                                       profile->diagnostics.errors, profile->diagnostics.errors == 1 ? "" : "s");
    report->exit = HF_EXIT_USAGE;
    report->json = json_object();
    hf_json_set_text(report->json, "profile", profile->name);
    hf_json_set_int(report->json, "exit", HF_EXIT_USAGE);
    hf_json_set_text(report->json, "error", error);
    hf_json_set(report->json, "diagnostics", diagnostics_json(&profile->diagnostics));
}

static int64_t at_ms(const struct hf_cli *cli)
{
    return hf_arguments_have(&cli->arguments, HF_FLAG_AT) ? cli->arguments.flags[HF_FLAG_AT].number : INT64_MAX;
}

static int level(const struct hf_cli *cli)
{
    return hf_arguments_have(&cli->arguments, HF_FLAG_LEVEL) ? (int)cli->arguments.flags[HF_FLAG_LEVEL].number : -1;
}

static void audit(struct hf_cli *cli, struct hf_profile *profile, struct hf_report *report)
{
    const struct hf_strings *texts = &cli->arguments.flags[HF_FLAG_WITH].texts;
    hf_auto_free struct hf_pair *request = hf_alloc_array(texts->count + 1, sizeof(*request));
    hf_auto_strings struct hf_strings keys = {0};
    for (size_t i = 0; i < texts->count; i++) {
        const char *equals = strchr(texts->items[i], '=');
        hf_strings_take(&keys, hf_strndup(texts->items[i], strcspn(texts->items[i], "=")));
        request[i] = (struct hf_pair){keys.items[i], equals ? equals + 1 : NULL};
    }
    struct hf_audit_options options = {.request = request,
                                       .request_count = texts->count,
                                       .all = hf_arguments_have(&cli->arguments, HF_FLAG_ALL)};
    hf_op_audit(&cli->world, profile, &options, report);
}

static void operate(struct hf_cli *cli, const struct hf_target *target, struct hf_report *report)
{
    const struct hf_arguments *arguments = &cli->arguments;
    struct hf_profile *profile = target->profile;
    bool dry_run = hf_arguments_have(arguments, HF_FLAG_DRY_RUN), all = hf_arguments_have(arguments, HF_FLAG_ALL);
    const char *sink = hf_arguments_text(arguments, HF_FLAG_SINK);
    switch (arguments->command - hf_commands) {
    case HF_COMMAND_CHECK:
        hf_op_check(&cli->world, profile, report);
        break;
    case HF_COMMAND_BACKUP:
        hf_op_backup(&cli->world, profile, &(struct hf_backup_options){.dry_run = dry_run, .level = level(cli)},
                     report);
        break;
    case HF_COMMAND_LIST:
        hf_op_list(&cli->world, profile, report);
        break;
    case HF_COMMAND_SHOW:
        hf_op_show(&cli->world, profile, target->backup, at_ms(cli), report);
        break;
    case HF_COMMAND_VERIFY:
        hf_op_verify(&cli->world, profile,
                     &(struct hf_verify_options){
                         .name = target->backup, .at_ms = at_ms(cli), .all = all, .sink = sink, .level = level(cli)},
                     report);
        break;
    case HF_COMMAND_RESTORE:
        hf_op_restore(&cli->world, profile,
                      &(struct hf_restore_options){
                          .name = target->backup,
                          .at_ms = at_ms(cli),
                          .sink = sink,
                          .to = hf_arguments_text(arguments, HF_FLAG_TO),
                          .only = (const char *const *)arguments->flags[HF_FLAG_ONLY].texts.items,
                          .only_count = arguments->flags[HF_FLAG_ONLY].count,
                          .replace = hf_arguments_have(arguments, HF_FLAG_REPLACE),
                          .dry_run = dry_run,
                          .jobs = (int)arguments->flags[HF_FLAG_JOBS].number,
                      },
                      report);
        break;
    case HF_COMMAND_COPY:
        hf_op_copy(&cli->world, profile,
                   &(struct hf_copy_options){
                       .name = target->backup,
                       .at_ms = at_ms(cli),
                       .all = all,
                       .dry_run = dry_run,
                       .replace = hf_arguments_have(arguments, HF_FLAG_REPLACE),
                       .pass_over = all && arguments->words.count == 0,
                       .from = hf_arguments_text(arguments, HF_FLAG_FROM),
                       .to = hf_arguments_text(arguments, HF_FLAG_TO),
                       .level = level(cli),
                       .jobs = (int)arguments->flags[HF_FLAG_JOBS].number,
                   },
                   report);
        break;
    case HF_COMMAND_PRUNE:
        hf_op_prune(&cli->world, profile, &(struct hf_prune_options){.dry_run = dry_run, .sink = sink}, report);
        if (dry_run && report->json)
            hf_json_set(report->json, "dry_run", json_true());
        break;
    case HF_COMMAND_AUDIT:
        audit(cli, profile, report);
        break;
    case HF_COMMAND_CONFIG_SHOW:
        hf_op_config_show(&cli->world, profile, report);
        break;
    default:
        break;
    }
}

static const struct {
    hf_renderer render; /* NULL: all reports at once, at the end */
    bool data;
} renderers[HF_COMMAND_COUNT] = {
    [HF_COMMAND_CHECK] = {hf_render_check, false},
    [HF_COMMAND_BACKUP] = {hf_render_backup, false},
    [HF_COMMAND_LIST] = {NULL, true},
    [HF_COMMAND_SHOW] = {hf_render_show, true},
    [HF_COMMAND_VERIFY] = {hf_render_verify, false},
    [HF_COMMAND_RESTORE] = {hf_render_restore, false},
    [HF_COMMAND_COPY] = {hf_render_copy, false},
    [HF_COMMAND_PRUNE] = {hf_render_prune, false},
    [HF_COMMAND_AUDIT] = {hf_render_audit, false},
    [HF_COMMAND_CONFIG_SHOW] = {hf_render_config_show, true},
};

static void say_not_run(const struct hf_targets *targets, size_t from)
{
    hf_auto_text struct hf_text line = {0};
    hf_text_add(&line, "interrupted; not run: ");
    for (size_t i = from; i < targets->count; i++)
        hf_text_addf(&line, "%s%s", i > from ? ", " : "",
                     targets->items[i].backup ? targets->items[i].backup : targets->items[i].profile->name);
    hf_print_error(line.data, NULL);
}

static void run_each(struct hf_cli *cli, const struct hf_targets *targets)
{
    ptrdiff_t command = cli->arguments.command - hf_commands;
    hf_auto_free int *exits = hf_alloc_array(targets->count + 1, sizeof(*exits));
    size_t done = 0;
    for (size_t i = 0; i < targets->count; i++) {
        struct hf_profile *profile = targets->items[i].profile;
        struct hf_report report = {0};
        bool first = i == 0 || targets->items[i - 1].profile != profile;
        if (hf_cancel_signal() != 0) {
            say_not_run(targets, i);
            exits[done++] = HF_EXIT_INTERRUPTED;
            break;
        }
        if (first)
            print_diagnostics(&profile->diagnostics);
        if (profile->diagnostics.errors > 0)
            report_not_valid(profile, &report);
        else
            operate(cli, &targets->items[i], &report);
        exits[done++] = report.exit;
        hf_cli_finish(cli, &report, renderers[command].render, renderers[command].data);
    }
    cli->exit = hf_exit_combine(exits, done, command == HF_COMMAND_VERIFY || command == HF_COMMAND_AUDIT || command == HF_COMMAND_COPY);
    if (command == HF_COMMAND_LIST && !cli->json) {
        hf_auto_text struct hf_text text = {0};
        hf_render_list(&text, cli->results, &cli->render);
        hf_output_write(text.data);
    }
}

static int run_on_profiles(struct hf_cli *cli, bool all_by_default)
{
    struct hf_targets targets = {0};
    int result = load_and_validate(cli);
    if (result == HF_OK)
        result = hf_select_profiles(&cli->ctx, cli->settings, &cli->arguments, all_by_default, &targets);
    if (result == HF_OK)
        run_each(cli, &targets);
    hf_targets_clear(&targets);
    return result;
}

static int select_backups(struct hf_cli *cli, struct hf_targets *targets)
{
    const struct hf_strings *words = &cli->arguments.words;
    for (size_t i = 0; i < words->count; i++)
        if (hf_select_backup(&cli->ctx, cli->settings, &cli->arguments, words->items[i], targets) < 0)
            return cli->ctx.error.code;
    return words->count > 0 ? HF_OK : hf_select_backup(&cli->ctx, cli->settings, &cli->arguments, "latest", targets);
}

static int run_on_backups(struct hf_cli *cli)
{
    struct hf_targets targets = {0};
    int result = load_and_validate(cli);
    if (result == HF_OK)
        result = select_backups(cli, &targets);
    if (result == HF_OK)
        run_each(cli, &targets);
    hf_targets_clear(&targets);
    return result;
}

int hf_cli_exclude(struct hf_cli *cli, int first, int second, const char *hint)
{
    hf_fail(&cli->ctx, HF_E_CONFIG, "'--%s' and '--%s' exclude each other", hf_flags[first].name,
            hf_flags[second].name);
    return hf_hint(&cli->ctx, "%s", hint);
}

/* Of all profiles, those that have the sinks are meant; but somebody must. */
static int find_sink_anywhere(struct hf_cli *cli, int flag)
{
    const char *name = hf_arguments_text(&cli->arguments, flag);
    if (!name)
        return HF_OK;
    for (size_t i = 0; i < cli->settings->profile_count; i++)
        for (size_t j = 0; j < cli->settings->profiles[i]->sink_count; j++)
            if (strcmp(cli->settings->profiles[i]->sinks[j].name, name) == 0)
                return HF_OK;
    hf_fail(&cli->ctx, HF_E_NOTFOUND, "no profile has a sink '%s'", name);
    return hf_hint(&cli->ctx, "sinks are named in the profiles: [sink NAME]");
}

/* --all means every backup: of the profiles named, or of all. */
static int run_every_backup(struct hf_cli *cli)
{
    struct hf_arguments *arguments = &cli->arguments;
    struct hf_targets targets = {0};
    if (hf_arguments_have(arguments, HF_FLAG_AT))
        return hf_cli_exclude(cli, HF_FLAG_ALL, HF_FLAG_AT,
                              "give '--at' and a profile for one backup, '--all' for every one");
    for (size_t i = 0; i < arguments->words.count; i++) {
        const char *word = arguments->words.items[i];
        if (!strpbrk(word, "/_"))
            continue;
        hf_fail(&cli->ctx, HF_E_CONFIG, "'--all' and the backup '%s' exclude each other", word);
        return hf_hint(&cli->ctx, "name profiles with '--all', or leave out '--all'");
    }
    int result = load_and_validate(cli);
    if (result == HF_OK && hf_command_flag(arguments->command, HF_FLAG_FROM))
        result = find_sink_anywhere(cli, HF_FLAG_FROM) < 0 ? cli->ctx.error.code : find_sink_anywhere(cli, HF_FLAG_TO);
    size_t all = arguments->flags[HF_FLAG_ALL].count;
    if (arguments->words.count > 0)
        arguments->flags[HF_FLAG_ALL].count = 0;
    if (result == HF_OK)
        result = hf_select_profiles(&cli->ctx, cli->settings, arguments, true, &targets);
    arguments->flags[HF_FLAG_ALL].count = all;
    if (result == HF_OK)
        run_each(cli, &targets);
    hf_targets_clear(&targets);
    return result;
}

static int run_verify(struct hf_cli *cli)
{
    if (level(cli) == HF_LEVEL_NONE) {
        hf_fail(&cli->ctx, HF_E_CONFIG, "'--level none' verifies nothing");
        return hf_hint(&cli->ctx, "give quick, digest or content");
    }
    return hf_arguments_have(&cli->arguments, HF_FLAG_ALL) ? run_every_backup(cli) : run_on_backups(cli);
}

static int run_copy(struct hf_cli *cli)
{
    if (!hf_arguments_have(&cli->arguments, HF_FLAG_TO)) {
        hf_fail(&cli->ctx, HF_E_CONFIG, "'holdfast copy' must be told the sink to copy to");
        return hf_hint(&cli->ctx, "name it, as in its profile: --to NAME");
    }
    if (level(cli) == HF_LEVEL_NONE) {
        hf_fail(&cli->ctx, HF_E_CONFIG, "'--level none' would trust what nobody has read back");
        return hf_hint(&cli->ctx, "give quick, digest or content");
    }
    return hf_arguments_have(&cli->arguments, HF_FLAG_ALL) ? run_every_backup(cli) : run_on_backups(cli);
}

static int run_restore_artifact(struct hf_cli *cli)
{
    static const int others[] = {HF_FLAG_AT, HF_FLAG_ONLY, HF_FLAG_SINK, HF_FLAG_JOBS, HF_FLAG_DRY_RUN};
    struct hf_arguments *arguments = &cli->arguments;
    for (size_t i = 0; i < HF_COUNT(others); i++)
        if (hf_arguments_have(arguments, others[i]))
            return hf_cli_exclude(cli, HF_FLAG_ARTIFACT, others[i],
                                  "without its manifest, a file can only be restored as a whole");
    if (arguments->words.count > 0) {
        hf_fail(&cli->ctx, HF_E_CONFIG, "'--artifact' and the backup '%s' exclude each other",
                arguments->words.items[0]);
        return hf_hint(&cli->ctx, "leave one of them out");
    }
    if (!hf_arguments_have(arguments, HF_FLAG_TO)) {
        hf_fail(&cli->ctx, HF_E_CONFIG, "'--artifact' needs '--to PLACE'");
        return hf_hint(&cli->ctx, "without its manifest, nobody knows where the file's contents came from");
    }
    if (hf_cli_settings_if_any(cli) < 0)
        return cli->ctx.error.code;
    struct hf_artifact_options options = {
        .file = hf_arguments_text(arguments, HF_FLAG_ARTIFACT),
        .source = hf_arguments_text(arguments, HF_FLAG_SOURCE),
        .to = hf_arguments_text(arguments, HF_FLAG_TO),
        .replace = hf_arguments_have(arguments, HF_FLAG_REPLACE),
    };
    struct hf_report report = {0};
    hf_op_restore_artifact(&cli->world, &options, &report);
    cli->exit = report.exit;
    hf_cli_finish(cli, &report, hf_render_restore, false);
    return HF_OK;
}

static int run_restore(struct hf_cli *cli)
{
    if (hf_arguments_have(&cli->arguments, HF_FLAG_ARTIFACT))
        return run_restore_artifact(cli);
    if (hf_arguments_have(&cli->arguments, HF_FLAG_SOURCE)) {
        hf_fail(&cli->ctx, HF_E_CONFIG, "'--source' goes with '--artifact' only");
        return hf_hint(&cli->ctx, "a backup's manifest says which source made it; leave out '--source'");
    }
    if (cli->arguments.words.count == 0) {
        hf_fail(&cli->ctx, HF_E_CONFIG, "'holdfast restore' must be told which backup");
        return hf_hint(&cli->ctx, "name a profile for its latest, or an id from: holdfast list");
    }
    return run_on_backups(cli);
}

int hf_command_run(struct hf_cli *cli)
{
    switch (cli->arguments.command - hf_commands) {
    case HF_COMMAND_CHECK:
    case HF_COMMAND_LIST:
    case HF_COMMAND_CONFIG_SHOW:
        return run_on_profiles(cli, true);
    case HF_COMMAND_BACKUP:
    case HF_COMMAND_PRUNE:
    case HF_COMMAND_AUDIT:
        return run_on_profiles(cli, false);
    case HF_COMMAND_SHOW:
        return run_on_backups(cli);
    case HF_COMMAND_VERIFY:
        return run_verify(cli);
    case HF_COMMAND_COPY:
        return run_copy(cli);
    case HF_COMMAND_RESTORE:
        return run_restore(cli);
    case HF_COMMAND_CONFIG_VALIDATE:
        return hf_cli_config_validate(cli);
    case HF_COMMAND_KEY_NEW:
        return hf_cli_key(cli, NULL);
    case HF_COMMAND_KEY_SHOW:
        return hf_cli_key(cli, cli->arguments.words.items[0]);
    case HF_COMMAND_PLUGIN_LIST:
        return hf_cli_plugin(cli, NULL);
    case HF_COMMAND_PLUGIN_INFO:
        return hf_cli_plugin(cli, cli->arguments.words.items[0]);
    default:
        return hf_cli_help(cli);
    }
}
