/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands share.
 */
#ifndef HF_CLI_RUN_H
#define HF_CLI_RUN_H

#include "cli/cli.h"

typedef void (*hf_renderer)(struct hf_text *, const json_t *, const struct hf_render *);

int hf_cli_settings(struct hf_cli *);
/* For commands that work without a configuration: one that cannot be read does not stop them unless it was named. */
int hf_cli_settings_if_any(struct hf_cli *);

/* Prints a report, unless it is to be part of the JSON document only, and keeps it. `data`: it is what was asked for,
 * so
 * --quiet does not silence it. `render` NULL: the text comes later. */
void hf_cli_finish(struct hf_cli *, struct hf_report *, hf_renderer render, bool data);

/* Fails: two flags exclude each other. */
int hf_cli_exclude(struct hf_cli *, int first, int second, const char *hint);

int hf_cli_config_validate(struct hf_cli *);
int hf_cli_plugin(struct hf_cli *, const char *name); /* NULL: list them */
int hf_cli_key(struct hf_cli *, const char *path);    /* NULL: make one  */
int hf_cli_help(struct hf_cli *);

#endif
