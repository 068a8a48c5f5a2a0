/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/output.h"
#include "config/profile.h"
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define MANUAL_DATE "November 22, 2026"

enum { LINE_WIDTH = 78 };

static void add_word(struct hf_text *out, const char *word, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (word[i] == '\\')
            hf_text_add(out, "\\e");
        else
            hf_text_add_bytes(out, word + i, 1);
    }
}

static bool ends_sentence(const char *word, size_t length)
{
    while (length > 0 && strchr(")'\"]", word[length - 1]))
        length--;
    return length > 0 && strchr(".!?", word[length - 1]);
}

/* Running text: broken into lines, sentences on lines of their own, empty lines as paragraphs. */
static void add_text(struct hf_text *out, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t newlines = 0;
        for (; *text == ' ' || *text == '\n'; text++)
            newlines += *text == '\n';
        size_t length = strcspn(text, " \n");
        if (length == 0)
            break;
        if (newlines > 1 && column > 0) {
            hf_text_add(out, "\n.Pp\n");
            column = 0;
        } else if (column > 0 && column + 1 + length > LINE_WIDTH) {
            hf_text_add(out, "\n");
            column = 0;
        }
        if (column > 0)
            hf_text_add(out, " ");
        else if (*text == '.' || *text == '\'')
            hf_text_add(out, "\\&");
        add_word(out, text, length);
        column += (column > 0) + length;
        if (ends_sentence(text, length) && text[length] == ' ') {
            hf_text_add(out, "\n");
            column = 0;
        }
        text += length;
    }
    if (column > 0)
        hf_text_add(out, "\n");
}

/* One argument of a macro. */
static void add_argument(struct hf_text *out, const char *text)
{
    hf_text_add(out, " \"\\&");
    for (; *text; text++)
        hf_text_add(out, *text == '"' ? "\\(dq" : *text == '\\' ? "\\e" : (const char[]){*text, '\0'});
    hf_text_add(out, "\"");
}

static void add_flag_macro(struct hf_text *out, int id)
{
    const struct hf_flag *flag = &hf_flags[id];
    hf_text_add(out, ".It");
    if (flag->letter)
        hf_text_addf(out, " Fl %c ,", flag->letter);
    hf_text_addf(out, " Fl -%s", flag->name);
    if (flag->value)
        hf_text_addf(out, " Ar %s", flag->value);
    hf_text_add(out, "\n");
}

static void add_flags(struct hf_text *out, const struct hf_command *command)
{
    hf_text_add(out, ".Bl -tag -width Ds\n");
    for (int id = 0; !command && id < HF_FLAG_ID_COUNT; id++) {
        if (!hf_flags[id].everywhere)
            continue;
        add_flag_macro(out, id);
        add_text(out, hf_flags[id].help);
    }
    for (size_t i = 0; command && i < HF_COMMAND_FLAGS_MAX && command->flags[i].help; i++) {
        add_flag_macro(out, command->flags[i].id);
        add_text(out, command->flags[i].help);
    }
    hf_text_add(out, ".El\n");
}

static void add_command(struct hf_text *out, const struct hf_command *command)
{
    hf_text_addf(out, ".Ss holdfast %s%s%s\\&\n", command->name, *command->arguments ? " " : "", command->arguments);
    hf_auto_free char *summary = hf_strf("%c%s.", toupper((unsigned char)command->summary[0]), command->summary + 1);
    add_text(out, summary);
    hf_text_add(out, ".Pp\n");
    add_text(out, command->description);
    if (command->flags[0].help)
        add_flags(out, command);
}

static void add_options_begin(struct hf_text *out)
{
    hf_text_add(out, ".Bl -tag -width Ds\n");
}

static void add_option(struct hf_text *out, const char *key, const char *facts, const char *help)
{
    hf_text_addf(out, ".It Cm %s", key);
    hf_text_add(out, " Pq");
    add_argument(out, facts);
    hf_text_add(out, "\n");
    add_text(out, help);
}

/* The sections of a profile that the core itself reads. */
static void add_core_section(struct hf_text *out, const char *kind, const char *title, const char *text)
{
    struct hf_options options = hf_core_options(kind);
    hf_text_addf(out, ".Ss %s\\&\n", title);
    add_text(out, text);
    if (options.count == 0)
        return;
    add_options_begin(out);
    for (size_t i = 0; i < options.count; i++) {
        struct hf_option option = hf_options_at(options, i);
        hf_auto_text struct hf_text facts = {0};
        hf_text_add(&facts, hf_option_type_text(option.type));
        if (option.choices)
            hf_text_addf(&facts, " %s", option.choices);
        if (option.flags & HF_REQUIRED)
            hf_text_add(&facts, ", required");
        if (option.dflt)
            hf_text_addf(&facts, ", default %s", option.dflt);
        if (option.type == HF_INT && (option.min != 0 || option.max != 0))
            hf_text_addf(&facts, ", %" PRId64 " to %" PRId64, option.min, option.max);
        add_option(out, option.key, facts.data, option.help);
    }
    hf_text_add(out, ".El\n");
}

/* Those of every plugin of the kind are told with the profile's sections. */
static bool is_core_option(const char *kind, const char *key)
{
    struct hf_options options = hf_core_options(kind);
    for (size_t i = 0; i < options.count; i++)
        if (strcmp(hf_options_at(options, i).key, key) == 0)
            return true;
    return false;
}

static void add_plugin_option(struct hf_text *out, const json_t *option)
{
    hf_auto_text struct hf_text facts = {0};
    hf_render_option_facts(&facts, option);
    add_option(out, hf_member_text(option, "key"), facts.data, hf_member_text(option, "help"));
}

static void add_plugin(struct hf_text *out, const json_t *plugin)
{
    size_t own = 0;
    const json_t *option;
    size_t index;
    hf_text_addf(out, ".Ss The %s plugin %s\\&\n", hf_member_text(plugin, "kind"), hf_member_text(plugin, "name"));
    hf_auto_free char *summary = hf_strf("%s.", hf_member_text(plugin, "summary"));
    summary[0] = (char)toupper((unsigned char)summary[0]);
    add_text(out, summary);
    if (*hf_member_text(plugin, "description")) {
        hf_text_add(out, ".Pp\n");
        add_text(out, hf_member_text(plugin, "description"));
    }
    json_array_foreach(json_object_get(plugin, "options"), index, option)
    {
        if (is_core_option(hf_member_text(plugin, "kind"), hf_member_text(option, "key")))
            continue;
        if (own++ == 0)
            add_options_begin(out);
        add_plugin_option(out, option);
    }
    hf_text_add(out, own > 0 ? ".El\n" : "");
}

static void add_profiles(struct hf_text *out, const json_t *plugins)
{
    const json_t *plugin;
    size_t index;
    hf_text_add(out, ".Sh PROFILES\n");
    add_text(out,
             "A profile is one INI file in conf.d: one component to protect, and how. Unknown keys, values of a wrong "
             "type and missing ones are errors. ${env:NAME} in a value stands for a variable of the environment, "
             "${file:PATH} for the contents of a file. Sizes take K, M, G or T; durations ms, s, m, h, d or w; lists "
             "are separated by white space or stand on continuation lines. A # or ; begins a comment.");
    add_core_section(out, "profile", "[profile]", "What is protected, and how well it must be.");
    add_core_section(out, "source", "[source]",
                     "Where the data come from. Besides these, the options of the source plugin.");
    add_core_section(out, "stage", "[stage NAME]",
                     "How the data are transformed on their way; may be left out. Besides these, the options of the "
                     "stage plugin.");
    add_core_section(out, "sink", "[sink NAME]",
                     "Where backups are stored; one or more. Besides these, the options of the sink plugin.");
    add_core_section(out, "retention", "[retention], [retention NAME]",
                     "Which backups are kept. A backup stays if any rule keeps it; without rules, all stay. The newest "
                     "verified backup of a sink always stays. [retention NAME] holds the rules of one sink, "
                     "[retention] those of the others.");
    add_core_section(out, "verify", "[verify]", "How a backup is checked after it was made.");
    add_core_section(out, "holdfast", "holdfast.ini: [holdfast]", "Settings of the program, for all profiles.");
    hf_text_add(out, ".Sh PLUGINS\n");
    json_array_foreach(plugins, index, plugin) add_plugin(out, plugin);
}

static void add_reference(struct hf_text *out)
{
    hf_text_add(out, ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < hf_variable_count; i++) {
        hf_text_addf(out, ".It Ev %s\n", hf_variables[i].name);
        add_text(out, hf_variables[i].text);
    }
    hf_text_add(out, ".El\n.Sh FILES\n.Bl -tag -width Ds\n"
                     ".It Pa /etc/holdfast/holdfast.ini\nsettings of the program; optional\n"
                     ".It Pa /etc/holdfast/conf.d/*.ini\nthe profiles\n"
                     ".It Pa " HOLDFAST_EXAMPLES_DIR "/*.ini\nexamples of profiles\n"
                     ".El\n.Sh EXIT STATUS\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < hf_exit_text_count; i++) {
        hf_text_addf(out, ".It %d\n", hf_exit_texts[i].code);
        add_text(out, hf_exit_texts[i].text);
    }
    hf_text_add(out, ".El\n.Pp\n");
    add_text(out, "Of several profiles: 0 when all are done, 3 when some are, the common code when all fail alike, and "
                  "otherwise 1. Damage that verify finds anywhere, and what audit finds wrong, is always 5.");
    hf_text_add(out, ".Sh EXAMPLES\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < HF_COMMAND_COUNT; i++) {
        for (size_t j = 0; j < HF_COMMAND_EXAMPLES_MAX && hf_commands[i].examples[j].line; j++) {
            const struct hf_example *example = &hf_commands[i].examples[j];
            hf_text_add(out, ".It Li");
            add_argument(out, example->line);
            hf_text_add(out, "\n");
            add_text(out, *example->text ? example->text : hf_commands[i].summary);
        }
    }
    hf_text_add(out, ".El\n.Sh SEE ALSO\n"
                     ".Xr gzip 1 ,\n.Xr sha256sum 1 ,\n.Xr sqlite3 1 ,\n.Xr tar 1 ,\n.Xr zstd 1\n");
}

void hf_manual_add(struct hf_text *out, const json_t *plugins)
{
    hf_text_add(out, ".\\\" SPDX-License-Identifier: Apache-2.0\n"
                     ".\\\" Made by: holdfast help --man\n"
                     ".Dd " MANUAL_DATE "\n.Dt HOLDFAST 1\n.Os\n"
                     ".Sh NAME\n.Nm holdfast\n.Nd backups as plain files that ordinary tools can restore\n"
                     ".Sh SYNOPSIS\n.Nm\n.Op Ar flags\n.Ar command\n.Op Ar arguments\n"
                     ".Sh DESCRIPTION\n");
    add_text(out,
             "Holdfast backs up the parts of a system (databases, ledgers, files) as plain artifacts that ordinary "
             "tools can restore, proves that they restore, and puts them back. Each part has a profile, which names "
             "the plugins that read it out, compress it and store it.\n\n"
             "Data are printed on standard output, messages on standard error. A backup is named by its id, "
             "PROFILE_YYYYMMDD_HHMMSS in UTC, by a unique beginning of that, or by its profile alone, which stands "
             "for the latest one.\n\n"
             "These flags are understood by every command:");
    add_flags(out, NULL);
    hf_text_add(out, ".Sh COMMANDS\n");
    for (size_t i = 0; i < HF_COMMAND_COUNT; i++)
        add_command(out, &hf_commands[i]);
    add_profiles(out, plugins);
    add_reference(out);
}
