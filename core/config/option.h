/* SPDX-License-Identifier: Apache-2.0
 *
 * Typed options: an INI section held against option tables.
 */
#ifndef HF_CONFIG_OPTION_H
#define HF_CONFIG_OPTION_H

#include "base/text.h"
#include "config/ini.h"
#include <stdbool.h>

/* A table as a plugin hands it over; `stride` is the size of its struct hf_option. */
struct hf_options {
    const struct hf_option *items;
    size_t count, stride;
};
#define HF_OPTIONS(array) ((struct hf_options){(array), HF_COUNT(array), sizeof((array)[0])})

/* The i-th option, copied into the core's own struct by the growth rules. */
struct hf_option hf_options_at(struct hf_options, size_t index);

struct hf_setting {
    struct hf_option option;
    char *text;              /* after ${…}; NULL: unset without default                      */
    int64_t number;          /* int, bool, size, duration; enum: index of the choice         */
    struct hf_strings items; /* list                                                */
    int line;                /* 0: from the default                                          */
    bool referenced;         /* its text came, in part at least, from ${…}                  */
};

/* Also the public, opaque struct hf_config. */
struct hf_config {
    char *file, *section; /* "source", "sink local"                                */
    struct hf_setting *settings;
    size_t count;
};

/* Checks a section against one or more tables (a kind's common options, then the plugin's): unknown keys with "did you
 * mean", values of the wrong type or range, missing required ones, deprecated ones, secrets in files that others can
 * read. `section` NULL: everything from defaults. ${env:NAME} and ${file:PATH} are resolved here; what a HF_SECRET
 * option holds is registered for redaction. Always yields a config; look at the diagnostics before using it. */
struct hf_config *hf_config_new(const char *file, const struct hf_ini_section *section, const struct hf_options *tables,
                                size_t table_count, struct hf_diagnostics *);
void hf_config_free(struct hf_config *);

/* These assert that the key is in the table. */
const struct hf_setting *hf_config_at(const struct hf_config *, const char *key);
const char *hf_config_text(const struct hf_config *, const char *key);
int64_t hf_config_number(const struct hf_config *, const char *key);

const char *hf_option_type_text(uint32_t type); /* "duration" */

#endif
