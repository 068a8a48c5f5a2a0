/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include <string.h>

static void add_flag_words(struct hf_text *out, const struct hf_command *command)
{
    for (int id = 0; id < HF_FLAG_ID_COUNT; id++)
        if (hf_flags[id].everywhere || (command && hf_command_flag(command, id)))
            hf_text_addf(out, " --%s", hf_flags[id].name);
}

static void add_words_of(struct hf_text *out, int kind)
{
    switch (kind) {
    case HF_ARGUMENT_PROFILE:
    case HF_ARGUMENT_BACKUP:
        hf_text_add(out, " $(holdfast \"${config[@]}\" help --completion profiles 2>/dev/null)");
        break;
    case HF_ARGUMENT_PLUGIN:
        hf_text_add(out, " $(holdfast \"${config[@]}\" help --completion plugins 2>/dev/null)");
        break;
    default:
        break;
    }
}

/* First words of commands; with `group`, the second words of that group's. */
static void add_command_words(struct hf_text *out, const char *group)
{
    hf_auto_strings struct hf_strings seen = {0};
    for (size_t i = 0; i < HF_COMMAND_COUNT; i++) {
        const char *name = hf_commands[i].name;
        size_t length = strcspn(name, " ");
        hf_auto_free char *first = hf_strndup(name, length);
        if (group && (strcmp(group, first) != 0 || name[length] == '\0'))
            continue;
        const char *word = group ? name + length + 1 : first;
        if (hf_strings_have(&seen, word))
            continue;
        hf_strings_add(&seen, word);
        hf_text_addf(out, " %s", word);
    }
}

static void add_value_cases(struct hf_text *out)
{
    hf_text_add(out, "    case $previous in\n");
    for (int id = 0; id < HF_FLAG_ID_COUNT; id++) {
        const struct hf_flag *flag = &hf_flags[id];
        if (flag->type == HF_FLAG_SWITCH)
            continue;
        hf_text_addf(out, "    --%s", flag->name);
        if (flag->letter)
            hf_text_addf(out, " | -%c", flag->letter);
        if (flag->type == HF_FLAG_FOLDER || flag->type == HF_FLAG_PLACE) {
            hf_text_add(out,
                        ") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$current\"); return ;;\n");
        } else if (flag->type == HF_FLAG_FILE) {
            hf_text_add(out,
                        ") compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); return ;;\n");
        } else if (flag->type == HF_FLAG_CHOICE) {
            hf_text_add(out, ") mapfile -t COMPREPLY < <(compgen -W '");
            for (const char *at = flag->choices; *at; at++)
                hf_text_add_bytes(out, *at == '|' ? " " : at, 1);
            hf_text_add(out, "' -- \"$current\"); return ;;\n");
        } else {
            hf_text_add(out, ") return ;;\n");
        }
    }
    hf_text_add(out, "    esac\n");
}

static void add_command_cases(struct hf_text *out)
{
    hf_auto_strings struct hf_strings groups = {0};
    hf_text_add(out, "    case $command in\n    '') words=\"");
    add_command_words(out, NULL);
    add_flag_words(out, NULL);
    hf_text_add(out, "\" ;;\n");
    for (size_t i = 0; i < HF_COMMAND_COUNT; i++) {
        const struct hf_command *command = &hf_commands[i];
        const char *blank = strchr(command->name, ' ');
        if (blank) {
            hf_auto_free char *group = hf_strndup(command->name, (size_t)(blank - command->name));
            if (!hf_strings_have(&groups, group)) {
                hf_strings_add(&groups, group);
                hf_text_addf(out, "    '%s') words=\"", group);
                add_command_words(out, group);
                hf_text_add(out, "\" ;;\n");
            }
        }
        hf_text_addf(out, "    '%s') words=\"", command->name);
        add_flag_words(out, command);
        if (command->kind == HF_ARGUMENT_COMMAND)
            add_command_words(out, NULL);
        add_words_of(out, command->kind);
        hf_text_add(out, "\" ;;\n");
    }
    hf_text_add(out, "    esac\n");
}

static void add_flags_with_value(struct hf_text *out)
{
    bool first = true;
    for (int id = 0; id < HF_FLAG_ID_COUNT; id++) {
        if (hf_flags[id].type == HF_FLAG_SWITCH || id == HF_FLAG_CONFIG)
            continue;
        hf_text_addf(out, "%s--%s", first ? "" : " | ", hf_flags[id].name);
        if (hf_flags[id].letter)
            hf_text_addf(out, " | -%c", hf_flags[id].letter);
        first = false;
    }
}

void hf_completion_add(struct hf_text *out)
{
    hf_text_add(out, "# bash completion for holdfast; made by: holdfast help --completion bash\n"
                     "_holdfast()\n{\n"
                     "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
                     "    local command='' words='' i\n"
                     "    local -a config=()\n"
                     "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                     "        case ${COMP_WORDS[i]} in\n"
                     "        --config | -c) i=$((i + 1)); config=(--config \"${COMP_WORDS[i]}\") ;;\n"
                     "        ");
    add_flags_with_value(out);
    hf_text_add(out, ") i=$((i + 1)) ;;\n"
                     "        -*) ;;\n"
                     "        *)\n"
                     "            case $command in\n"
                     "            '') command=${COMP_WORDS[i]} ;;\n"
                     "            config | plugin) command=\"$command ${COMP_WORDS[i]}\" ;;\n"
                     "            esac ;;\n"
                     "        esac\n"
                     "    done\n");
    add_value_cases(out);
    add_command_cases(out);
    hf_text_add(out, "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
                     "}\ncomplete -F _holdfast holdfast\n");
}
