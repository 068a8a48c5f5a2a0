/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/output.h"
#include <string.h>

enum { WIDTH = 80, LABEL_WIDTH = 24 };

/* "  LABEL    text", the text's further lines under its first. */
static void add_entry(struct hf_text *out, const char *label, const char *text)
{
    hf_auto_text struct hf_text body = {0};
    hf_wrap_add(&body, text, LABEL_WIDTH, WIDTH);
    size_t length = strlen(label) + 2;
    if (length + 2 > LABEL_WIDTH || !body.data)
        hf_text_addf(out, "  %s\n%s", label, body.data ? body.data : "");
    else
        hf_text_addf(out, "  %s%s", label, body.data + length);
}

static void add_flag(struct hf_text *out, int id, const char *help)
{
    const struct hf_flag *flag = &hf_flags[id];
    hf_auto_text struct hf_text label = {0};
    if (flag->letter)
        hf_text_addf(&label, "-%c, ", flag->letter);
    hf_text_addf(&label, "--%s%s%s", flag->name, flag->value ? " " : "", flag->value ? flag->value : "");
    add_entry(out, label.data, help);
}

static void add_exit(struct hf_text *out, const struct hf_exit_text *exit)
{
    hf_auto_free char *label = hf_strf("%d", exit->code);
    add_entry(out, label, exit->text);
}

static bool has_exit(const struct hf_command *command, int code)
{
    if (code <= HF_EXIT_USAGE || code == HF_EXIT_INTERRUPTED)
        return true;
    for (size_t i = 0; i < HF_COMMAND_EXITS_MAX && command->exits[i] != 0; i++)
        if (command->exits[i] == code)
            return true;
    return false;
}

static void command_help(struct hf_text *out, const struct hf_command *command)
{
    hf_text_addf(out, "holdfast %s: %s\n\nusage: holdfast %s [FLAGS]%s%s\n\n", command->name, command->summary,
                 command->name, *command->arguments ? " " : "", command->arguments);
    hf_wrap_add(out, command->description, 2, WIDTH);
    if (command->flags[0].help)
        hf_text_add(out, "\nflags\n");
    for (size_t i = 0; i < HF_COMMAND_FLAGS_MAX && command->flags[i].help; i++)
        add_flag(out, command->flags[i].id, command->flags[i].help);
    if (command->kind == HF_ARGUMENT_BACKUP)
        hf_text_add(out, "\na BACKUP is one of\n"
                         "  PROFILE             its latest backup\n"
                         "  ID                  e.g. ledger_20260201_120000\n"
                         "  beginning of an ID  e.g. ledger_20260201, when only one begins like that\n"
                         "  latest              when there is only one profile\n");
    hf_text_add(out, "\nflags of every command\n");
    for (int id = 0; id < HF_FLAG_ID_COUNT; id++)
        if (hf_flags[id].everywhere)
            add_flag(out, id, hf_flags[id].help);
    hf_text_add(out, "\nexit codes\n");
    for (size_t i = 0; i < hf_exit_text_count; i++)
        if (has_exit(command, hf_exit_texts[i].code))
            add_exit(out, &hf_exit_texts[i]);
    hf_text_add(out, "\nexamples\n");
    for (size_t i = 0; i < HF_COMMAND_EXAMPLES_MAX && command->examples[i].line; i++) {
        hf_text_addf(out, "  %s\n", command->examples[i].line);
        hf_wrap_add(out, command->examples[i].text, 6, WIDTH);
    }
}

static void program_help(struct hf_text *out)
{
    hf_text_add(out, "holdfast " HOLDFAST_VERSION ": backups as plain files that ordinary tools can restore\n\n"
                     "usage: holdfast [FLAGS] COMMAND [ARGUMENTS]\n\ncommands\n");
    for (size_t i = 0; i < HF_COMMAND_COUNT; i++)
        add_entry(out, hf_commands[i].name, hf_commands[i].summary);
    hf_text_add(out, "\nflags of every command\n");
    for (int id = 0; id < HF_FLAG_ID_COUNT; id++)
        if (hf_flags[id].everywhere)
            add_flag(out, id, hf_flags[id].help);
    hf_text_add(out, "\nenvironment\n");
    for (size_t i = 0; i < hf_variable_count; i++)
        add_entry(out, hf_variables[i].name, hf_variables[i].text);
    hf_text_add(out, "\nexit codes\n");
    for (size_t i = 0; i < hf_exit_text_count; i++)
        add_exit(out, &hf_exit_texts[i]);
    hf_text_add(out, "\nMore: holdfast help COMMAND, man holdfast\n");
}

int hf_help_add(struct hf_ctx *ctx, struct hf_text *out, const struct hf_strings *words)
{
    if (words->count == 0) {
        program_help(out);
        return HF_OK;
    }
    hf_auto_free char *name =
        words->count > 1 ? hf_strf("%s %s", words->items[0], words->items[1]) : hf_strdup(words->items[0]);
    const struct hf_command *command = hf_command_find(name);
    if (command) {
        command_help(out, command);
        return HF_OK;
    }
    const char *names[HF_COMMAND_COUNT];
    size_t length = strlen(name), group = 0;
    for (size_t i = 0; i < HF_COMMAND_COUNT; i++) {
        names[i] = hf_commands[i].name;
        if (!hf_text_starts(names[i], name) || names[i][length] != ' ')
            continue;
        if (group++ == 0)
            hf_text_addf(out, "holdfast %s: one of\n\n", name);
        add_entry(out, names[i], hf_commands[i].summary);
    }
    if (group > 0)
        return HF_OK;
    hf_fail(ctx, HF_E_CONFIG, "there is no command '%s' to explain", name);
    const char *nearest = hf_text_nearest(name, names, HF_COMMAND_COUNT);
    return nearest ? hf_hint(ctx, "did you mean '%s'?", nearest) : hf_hint(ctx, "see: holdfast help");
}

static void flag_json(json_t *flags, int id, const char *help)
{
    const struct hf_flag *flag = &hf_flags[id];
    json_t *object = json_object();
    hf_auto_free char *name = hf_strf("--%s", flag->name);
    hf_json_set_text(object, "name", name);
    if (flag->letter) {
        hf_auto_free char *letter = hf_strf("-%c", flag->letter);
        hf_json_set_text(object, "short", letter);
    }
    if (flag->value)
        hf_json_set_text(object, "value", flag->value);
    hf_json_set_text(object, "help", help);
    hf_json_append(flags, object);
}

void hf_help_json(json_t *results)
{
    json_t *report = json_object(), *commands = json_array(), *everywhere = json_array();
    for (int id = 0; id < HF_FLAG_ID_COUNT; id++)
        if (hf_flags[id].everywhere)
            flag_json(everywhere, id, hf_flags[id].help);
    for (size_t i = 0; i < HF_COMMAND_COUNT; i++) {
        const struct hf_command *command = &hf_commands[i];
        json_t *object = json_object(), *flags = json_array();
        hf_json_set_text(object, "name", command->name);
        hf_json_set_text(object, "arguments", command->arguments);
        hf_json_set_text(object, "summary", command->summary);
        hf_json_set_text(object, "description", command->description);
        for (size_t j = 0; j < HF_COMMAND_FLAGS_MAX && command->flags[j].help; j++)
            flag_json(flags, command->flags[j].id, command->flags[j].help);
        hf_json_set(object, "flags", flags);
        hf_json_append(commands, object);
    }
    hf_json_set(report, "commands", commands);
    hf_json_set(report, "flags", everywhere);
    hf_json_append(results, report);
}
