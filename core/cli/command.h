/* SPDX-License-Identifier: Apache-2.0
 *
 * One table of all commands. Parsing, usage errors, help, the manual and shell completion are made from it.
 */
#ifndef HF_CLI_COMMAND_H
#define HF_CLI_COMMAND_H

#include "base/error.h"
#include "base/text.h"

enum hf_flag_id {
    HF_FLAG_CONFIG,
    HF_FLAG_JSON,
    HF_FLAG_QUIET,
    HF_FLAG_VERBOSE,
    HF_FLAG_PROGRESS,
    HF_FLAG_NO_PROGRESS,
    HF_FLAG_HELP,
    HF_FLAG_VERSION,
    HF_FLAG_ALL,
    HF_FLAG_DRY_RUN,
    HF_FLAG_LEVEL,
    HF_FLAG_SINK,
    HF_FLAG_AT,
    HF_FLAG_TO,
    HF_FLAG_FROM,
    HF_FLAG_ONLY,
    HF_FLAG_REPLACE,
    HF_FLAG_JOBS,
    HF_FLAG_ARTIFACT,
    HF_FLAG_SOURCE,
    HF_FLAG_OUT,
    HF_FLAG_STAGE,
    HF_FLAG_WITH,
    HF_FLAG_MAN,
    HF_FLAG_COMPLETION,
    HF_FLAG_ID_COUNT
};

/* How a flag's value is checked, and completed by the shell. */
enum hf_flag_type {
    HF_FLAG_SWITCH, /* takes no value                                        */
    HF_FLAG_TEXT,
    HF_FLAG_PAIR,   /* KEY or KEY=VALUE, the key of [a-z0-9_-]                */
    HF_FLAG_FOLDER, /* made absolute                                         */
    HF_FLAG_FILE,   /* made absolute                                         */
    HF_FLAG_PLACE,  /* a folder, or what else the source takes for a place    */
    HF_FLAG_TIME,   /* hf_time_parse; the number is Unix time in milliseconds */
    HF_FLAG_CHOICE, /* one of `choices`; the number is its place             */
    HF_FLAG_NUMBER  /* 1 to 256                                              */
};

struct hf_flag {
    const char *name; /* without the dashes  */
    char letter;      /* 0: no short form    */
    bool everywhere;  /* every command has it */
    bool repeats;
    int type;            /* enum hf_flag_type   */
    const char *value;   /* what help calls it; NULL for a switch */
    const char *choices; /* words separated by '|' */
    const char *help;    /* of the flags that are everywhere; others are explained where they are used */
};
extern const struct hf_flag hf_flags[HF_FLAG_ID_COUNT];

/* A flag as one command uses it. */
struct hf_flag_use {
    int id;           /* enum hf_flag_id */
    const char *help; /* no full stop    */
};

/* What the positional arguments are, for help and completion. */
enum hf_argument_kind {
    HF_ARGUMENT_NONE,
    HF_ARGUMENT_PROFILE,
    HF_ARGUMENT_BACKUP,
    HF_ARGUMENT_PLUGIN,
    HF_ARGUMENT_COMMAND
};

struct hf_example {
    const char *line, *text;
};

enum hf_command_id {
    HF_COMMAND_CHECK,
    HF_COMMAND_BACKUP,
    HF_COMMAND_LIST,
    HF_COMMAND_SHOW,
    HF_COMMAND_VERIFY,
    HF_COMMAND_RESTORE,
    HF_COMMAND_COPY,
    HF_COMMAND_PRUNE,
    HF_COMMAND_AUDIT,
    HF_COMMAND_CONFIG_SHOW,
    HF_COMMAND_CONFIG_VALIDATE,
    HF_COMMAND_KEY_NEW,
    HF_COMMAND_KEY_SHOW,
    HF_COMMAND_PLUGIN_LIST,
    HF_COMMAND_PLUGIN_INFO,
    HF_COMMAND_HELP,
    HF_COMMAND_COUNT
};

enum { HF_COMMAND_FLAGS_MAX = 10, HF_COMMAND_EXAMPLES_MAX = 5, HF_COMMAND_EXITS_MAX = 10 };

struct hf_command {
    const char *name;                               /* "backup", "config show"                                      */
    const char *arguments;                          /* "[PROFILE...]"                                               */
    int kind;                                       /* enum hf_argument_kind                                        */
    size_t min, max;                                /* how many arguments                                           */
    const char *summary;                            /* one line, lower case                                         */
    const char *description;                        /* paragraphs separated by empty lines                          */
    struct hf_flag_use flags[HF_COMMAND_FLAGS_MAX]; /* ended by one without help              */
    struct hf_example examples[HF_COMMAND_EXAMPLES_MAX];
    int exits[HF_COMMAND_EXITS_MAX]; /* besides 0, 1, 2 and 130; ended by 0                    */
};
extern const struct hf_command hf_commands[HF_COMMAND_COUNT];

struct hf_exit_text {
    int code;
    const char *text;
};
extern const struct hf_exit_text hf_exit_texts[];
extern const size_t hf_exit_text_count;

struct hf_variable {
    const char *name, *text;
};
extern const struct hf_variable hf_variables[]; /* of the environment */
extern const size_t hf_variable_count;

const struct hf_command *hf_command_find(const char *name); /* NULL: none */
/* The command's own entry for a flag; NULL when it has none. */
const struct hf_flag_use *hf_command_flag(const struct hf_command *, int flag_id);

/* One command line, understood. */
struct hf_flag_value {
    size_t count;            /* how often it was given */
    struct hf_strings texts; /* the values             */
    int64_t number;          /* the last one's         */
};
struct hf_arguments {
    const struct hf_command *command; /* NULL: none was named */
    struct hf_strings words;          /* positional           */
    struct hf_flag_value flags[HF_FLAG_ID_COUNT];
};

/* Fails with HF_E_CONFIG and a hint when the command line is not as the table says. What was understood until then
 * stays in `ret_arguments`, which the caller clears in any case. */
int hf_arguments_parse(struct hf_ctx *, int argc, char *const *argv, struct hf_arguments *ret_arguments);
void hf_arguments_clear(struct hf_arguments *);
bool hf_arguments_have(const struct hf_arguments *, int flag_id);
const char *hf_arguments_text(const struct hf_arguments *, int flag_id); /* the last value; NULL: not given */

#endif
