/* SPDX-License-Identifier: Apache-2.0
 *
 * One run of the program.
 */
#ifndef HF_CLI_CLI_H
#define HF_CLI_CLI_H

#include "base/cancel.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/render.h"
#include "ops/ops.h"

struct hf_cli {
    struct hf_ctx ctx;
    struct hf_arguments arguments;
    struct hf_settings *settings; /* owned; NULL: not loaded       */
    struct hf_settings fallback;  /* for commands that can do without */
    struct hf_cancel cancel;
    struct hf_progress progress;
    struct hf_world world;
    struct hf_render render;
    bool json, quiet;
    json_t *results;     /* the reports                   */
    json_t *diagnostics; /* of the settings; NULL: none   */
    int exit;
};

/* The whole program; gives its exit code. */
int hf_cli_main(int argc, char *const *argv);

/* Runs the command of cli->arguments; a failure of the command line or the settings is recorded in cli->ctx. */
int hf_command_run(struct hf_cli *);

/* What several results come to: 0 when all are; 130 before all else; the same code when all are the same; 3 when some
 * succeeded, at least in part; otherwise 1. `damage_first`: 5 comes before all but 130. */
int hf_exit_combine(const int *exits, size_t count, bool damage_first);

/* Help, completion and the manual, from the table of commands. `words`: a command's name; none: the program. */
int hf_help_add(struct hf_ctx *, struct hf_text *, const struct hf_strings *words);
void hf_help_json(json_t *results);
void hf_completion_add(struct hf_text *);
/* The manual page holdfast(1) in mdoc; `plugins`: reports of hf_op_plugin_info. */
void hf_manual_add(struct hf_text *, const json_t *plugins);

#endif
