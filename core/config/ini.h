/* SPDX-License-Identifier: Apache-2.0
 *
 * INI files with line numbers, through inih. Sections may carry a name: [sink local].
 * Limits: 1 MiB a file, 64 KiB a line, 4 096 entries.
 */
#ifndef HF_CONFIG_INI_H
#define HF_CONFIG_INI_H

#include "config/diagnostics.h"

struct hf_ini_entry {
    char *key, *value; /* value: as written, continuation lines joined by '\n' */
    int line;
};

struct hf_ini_section {
    char *kind; /* "sink"                        */
    char *name; /* "local"; "" when it has none  */
    int line;
    struct hf_ini_entry *entries;
    size_t count, room;
};

struct hf_ini {
    char *path;
    struct hf_ini_section *sections;
    size_t count, room;
};

/* Reads a file; syntax errors, duplicate sections and duplicate keys become diagnostics. Always yields an hf_ini
 * (perhaps empty), so that what can be checked is checked. */
struct hf_ini *hf_ini_read(const char *path, struct hf_diagnostics *);
/* The same from memory; `path` is for diagnostics. */
struct hf_ini *hf_ini_parse(const char *path, const char *data, size_t size, struct hf_diagnostics *);
/* The first section of this kind, the entry of this key; NULL: none. */
const struct hf_ini_section *hf_ini_find(const struct hf_ini *, const char *kind);
const struct hf_ini_entry *hf_ini_entry(const struct hf_ini_section *, const char *key);
void hf_ini_free(struct hf_ini *);

#endif
