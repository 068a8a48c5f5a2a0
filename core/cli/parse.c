/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/time.h"
#include "cli/command.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 256 };

static int known_nowhere(struct hf_ctx *ctx, const struct hf_arguments *arguments, const char *given, const char *name)
{
    const char *names[HF_FLAG_ID_COUNT];
    size_t count = 0;
    for (int id = 0; id < HF_FLAG_ID_COUNT; id++)
        if (hf_flags[id].everywhere || !arguments->command || hf_command_flag(arguments->command, id))
            names[count++] = hf_flags[id].name;
    const char *nearest = hf_text_nearest(name, names, count);
    const char *command = arguments->command ? arguments->command->name : "";
    hf_fail(ctx, HF_E_CONFIG, "unknown flag '%s'", given);
    if (nearest)
        return hf_hint(ctx, "did you mean '--%s'? See: holdfast help%s%s", nearest, *command ? " " : "", command);
    return hf_hint(ctx, "see: holdfast help%s%s", *command ? " " : "", command);
}

static int check_choice(struct hf_ctx *ctx, const struct hf_flag *flag, const char *text, int64_t *ret_place)
{
    hf_auto_free char *copy = hf_strdup(flag->choices);
    const char *words[16];
    size_t count = 0;
    char *rest = copy;
    for (char *word = strsep(&rest, "|"); word && count < HF_COUNT(words); word = strsep(&rest, "|")) {
        if (strcmp(word, text) == 0) {
            *ret_place = (int64_t)count;
            return HF_OK;
        }
        words[count++] = word;
    }
    const char *nearest = hf_text_nearest(text, words, count);
    hf_fail(ctx, HF_E_CONFIG, "'--%s': '%s' is not one of %s", flag->name, text, flag->choices);
    if (nearest)
        return hf_hint(ctx, "did you mean '%s'?", nearest);
    return ctx->error.code;
}

static int check_number(struct hf_ctx *ctx, const struct hf_flag *flag, const char *text, int64_t *ret_number)
{
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 1 || value > NUMBER_MAX)
        return hf_fail(ctx, HF_E_CONFIG, "'--%s': '%s' is not a number from 1 to %d", flag->name, text, NUMBER_MAX);
    *ret_number = value;
    return HF_OK;
}

static int check_pair(struct hf_ctx *ctx, const struct hf_flag *flag, const char *text)
{
    size_t length = strcspn(text, "=");
    if (length > 0 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length)
        return HF_OK;
    hf_fail(ctx, HF_E_CONFIG, "'--%s': '%s' is not KEY or KEY=VALUE", flag->name, text);
    return hf_hint(ctx, "a key is of lower-case letters, digits, '_' and '-'");
}

static int take_value(struct hf_ctx *ctx, struct hf_arguments *arguments, int id, const char *text)
{
    const struct hf_flag *flag = &hf_flags[id];
    struct hf_flag_value *value = &arguments->flags[id];
    hf_auto_free char *taken = NULL;
    int result = HF_OK;
    if (text[0] == '\0') {
        hf_fail(ctx, HF_E_CONFIG, "'--%s' is given an empty value", flag->name);
        return hf_hint(ctx, "give it a %s", flag->value);
    }
    switch (flag->type) {
    case HF_FLAG_FOLDER:
    case HF_FLAG_FILE:
        result = hf_path_absolute(ctx, text, &taken);
        break;
    case HF_FLAG_TIME:
        if (!hf_time_parse(text, &value->number)) {
            hf_fail(ctx, HF_E_CONFIG, "'--%s': '%s' is not a time", flag->name, text);
            result = hf_hint(ctx, "write it as 2026-02-01, '2026-02-01 12:00' (UTC), 2026-02-01T12:00+01:00 or "
                                  "20260201_120000");
        }
        break;
    case HF_FLAG_CHOICE:
        result = check_choice(ctx, flag, text, &value->number);
        break;
    case HF_FLAG_PAIR:
        result = check_pair(ctx, flag, text);
        break;
    case HF_FLAG_NUMBER:
        result = check_number(ctx, flag, text, &value->number);
        break;
    default:
        break;
    }
    if (result < 0)
        return result;
    if (value->count > 0 && !flag->repeats) {
        hf_fail(ctx, HF_E_CONFIG, "'--%s' is given more than once", flag->name);
        return hf_hint(ctx, "give it once");
    }
    value->count++;
    hf_strings_take(&value->texts, taken ? hf_steal(taken) : hf_strdup(text));
    return HF_OK;
}

/* A command's own flags come after it, so that they can be held against it. */
static int allowed_here(struct hf_ctx *ctx, const struct hf_arguments *arguments, int id)
{
    const struct hf_flag *flag = &hf_flags[id];
    if (flag->everywhere || (arguments->command && hf_command_flag(arguments->command, id)))
        return HF_OK;
    hf_auto_text struct hf_text commands = {0};
    for (size_t i = 0; i < HF_COMMAND_COUNT; i++)
        if (hf_command_flag(&hf_commands[i], id))
            hf_text_addf(&commands, "%s%s", commands.length > 0 ? ", " : "", hf_commands[i].name);
    if (!arguments->command) {
        hf_fail(ctx, HF_E_CONFIG, "'--%s' stands before any command that knows it", flag->name);
        return hf_hint(ctx, "put it behind the command; these have it: %s", commands.data);
    }
    hf_fail(ctx, HF_E_CONFIG, "'holdfast %s' has no flag '--%s'", arguments->command->name, flag->name);
    return hf_hint(ctx, "these have it: %s; see: holdfast help %s", commands.data, arguments->command->name);
}

/* `word` begins with a dash. *place is moved on when the value is the next word. */
static int take_flag(struct hf_ctx *ctx, struct hf_arguments *arguments, int argc, char *const *argv, int *place)
{
    const char *word = argv[*place];
    const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
    hf_auto_free char *name = word[1] == '-'
                                  ? hf_strndup(word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2))
                                  : hf_strdup(word + 1);
    int id = 0;
    for (; id < HF_FLAG_ID_COUNT; id++)
        if (word[1] == '-' ? strcmp(hf_flags[id].name, name) == 0
                           : hf_flags[id].letter == name[0] && name[1] == '\0' && name[0] != '\0')
            break;
    if (id == HF_FLAG_ID_COUNT)
        return known_nowhere(ctx, arguments, word, name);
    if (allowed_here(ctx, arguments, id) < 0)
        return ctx->error.code;
    if (hf_flags[id].type == HF_FLAG_SWITCH) {
        if (equals) {
            hf_fail(ctx, HF_E_CONFIG, "'--%s' takes no value", name);
            return hf_hint(ctx, "leave out '%s'", equals);
        }
        arguments->flags[id].count++;
        return HF_OK;
    }
    if (equals)
        return take_value(ctx, arguments, id, equals + 1);
    if (*place + 1 >= argc) {
        hf_fail(ctx, HF_E_CONFIG, "'%s' needs a value", word);
        return hf_hint(ctx, "write: --%s %s", hf_flags[id].name, hf_flags[id].value);
    }
    return take_value(ctx, arguments, id, argv[++*place]);
}

static bool begins_command(const char *word)
{
    size_t length = strlen(word);
    for (size_t i = 0; i < HF_COMMAND_COUNT; i++)
        if (strncmp(hf_commands[i].name, word, length) == 0 && hf_commands[i].name[length] == ' ')
            return true;
    return false;
}

static int unknown_command(struct hf_ctx *ctx, const char *given, const char *group)
{
    const char *names[HF_COMMAND_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < HF_COMMAND_COUNT; i++)
        if (!group || hf_text_starts(hf_commands[i].name, group))
            names[count++] = hf_commands[i].name;
    const char *nearest = hf_text_nearest(given, names, count);
    hf_fail(ctx, HF_E_CONFIG, "unknown command '%s'", given);
    if (nearest)
        return hf_hint(ctx, "did you mean 'holdfast %s'?", nearest);
    return hf_hint(ctx, "see: holdfast help");
}

/* The next word of a command's name, or the first argument. `group`: the first word of a two-word command, once seen.
 */
static int take_word(struct hf_ctx *ctx, struct hf_arguments *arguments, const char *word, const char **group)
{
    if (arguments->command) {
        hf_strings_add(&arguments->words, word);
        return HF_OK;
    }
    hf_auto_free char *name = *group ? hf_strf("%s %s", *group, word) : hf_strdup(word);
    arguments->command = hf_command_find(name);
    if (arguments->command)
        return HF_OK;
    if (!*group && begins_command(word)) {
        *group = word;
        return HF_OK;
    }
    return unknown_command(ctx, name, *group);
}

static int check_count(struct hf_ctx *ctx, const struct hf_arguments *arguments)
{
    const struct hf_command *command = arguments->command;
    size_t count = arguments->words.count;
    if (count >= command->min && count <= command->max)
        return HF_OK;
    if (count < command->min)
        hf_fail(ctx, HF_E_CONFIG, "'holdfast %s' needs a %s", command->name, command->arguments);
    else
        hf_fail(ctx, HF_E_CONFIG, "'%s' is one argument too many for 'holdfast %s'",
                arguments->words.items[command->max], command->name);
    return hf_hint(ctx, "write: holdfast %s%s%s; see: holdfast help %s", command->name, *command->arguments ? " " : "",
                   command->arguments, command->name);
}

static int unfinished_command(struct hf_ctx *ctx, const char *group)
{
    hf_auto_text struct hf_text rest = {0};
    size_t length = strlen(group);
    for (size_t i = 0; i < HF_COMMAND_COUNT; i++)
        if (hf_text_starts(hf_commands[i].name, group) && hf_commands[i].name[length] == ' ')
            hf_text_addf(&rest, "%sholdfast %s", rest.length > 0 ? ", " : "", hf_commands[i].name);
    hf_fail(ctx, HF_E_CONFIG, "'holdfast %s' is not a whole command", group);
    return hf_hint(ctx, "write one of: %s", rest.data);
}

int hf_arguments_parse(struct hf_ctx *ctx, int argc, char *const *argv, struct hf_arguments *ret_arguments)
{
    struct hf_arguments *arguments = ret_arguments;
    const char *group = NULL;
    bool words_only = false;
    for (int i = 1; i < argc; i++) {
        int result;
        if (!words_only && strcmp(argv[i], "--") == 0) {
            words_only = true;
            continue;
        }
        if (!words_only && argv[i][0] == '-' && argv[i][1] != '\0')
            result = take_flag(ctx, arguments, argc, argv, &i);
        else
            result = take_word(ctx, arguments, argv[i], &group);
        if (result < 0)
            return result;
    }
    if (hf_arguments_have(arguments, HF_FLAG_HELP) || hf_arguments_have(arguments, HF_FLAG_VERSION)) {
        if (group && !arguments->command)
            hf_strings_add(&arguments->words, group);
        return HF_OK;
    }
    if (group && !arguments->command)
        return unfinished_command(ctx, group);
    if (!arguments->command) {
        hf_fail(ctx, HF_E_CONFIG, "no command is given");
        return hf_hint(ctx, "see: holdfast help");
    }
    if (hf_arguments_have(arguments, HF_FLAG_PROGRESS) && hf_arguments_have(arguments, HF_FLAG_NO_PROGRESS)) {
        hf_fail(ctx, HF_E_CONFIG, "'--progress' and '--no-progress' exclude each other");
        return hf_hint(ctx, "give one of them");
    }
    return check_count(ctx, arguments);
}

void hf_arguments_clear(struct hf_arguments *arguments)
{
    hf_strings_clear(&arguments->words);
    for (int id = 0; id < HF_FLAG_ID_COUNT; id++)
        hf_strings_clear(&arguments->flags[id].texts);
    memset(arguments, 0, sizeof(*arguments));
}

bool hf_arguments_have(const struct hf_arguments *arguments, int flag_id)
{
    return arguments->flags[flag_id].count > 0;
}

const char *hf_arguments_text(const struct hf_arguments *arguments, int flag_id)
{
    const struct hf_strings *texts = &arguments->flags[flag_id].texts;
    return texts->count > 0 ? texts->items[texts->count - 1] : NULL;
}
