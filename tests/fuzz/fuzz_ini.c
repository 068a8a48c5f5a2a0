/* SPDX-License-Identifier: Apache-2.0
 *
 * INI files and what is made of them: any bytes, against a table with every type of option.
 */
#include "config/option.h"
#include "config/profile.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Without a secret: those would be collected for masking, input by input. */
static const struct hf_option table[] = {
    {.key = "plugin", .type = HF_STRING, .flags = HF_REQUIRED},
    {.key = "count", .type = HF_INT, .min = 1, .max = 9},
    {.key = "flag", .type = HF_BOOL},
    {.key = "limit", .type = HF_SIZE},
    {.key = "wait", .type = HF_DURATION, .dflt = "5s"},
    {.key = "path", .type = HF_PATH},
    {.key = "mode", .type = HF_ENUM, .choices = "fast|safe"},
    {.key = "list", .type = HF_LIST},
    {.key = "old", .type = HF_STRING, .flags = HF_DEPRECATED},
};

static void check_section(const struct hf_ini_section *section, struct hf_diagnostics *diagnostics)
{
    assert(*section->kind && section->line > 0);
    for (size_t i = 0; i < section->count; i++) {
        assert(*section->entries[i].key && section->entries[i].line > section->line);
        assert(hf_ini_entry(section, section->entries[i].key) == &section->entries[i]);
    }
    struct hf_options tables[] = {hf_core_options(section->kind), HF_OPTIONS(table)};
    struct hf_config *config = hf_config_new("/nowhere/fuzz.ini", section, tables, 2, diagnostics);
    size_t errors = diagnostics->errors;
    /* Without complaint, a value that is set is there. */
    for (size_t i = 0; errors == 0 && i < config->count; i++)
        assert(!config->settings[i].line || config->settings[i].text);
    hf_config_free(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* ${file:…} would read whatever the fuzzer thinks of, terminals included. */
    if (memmem(data, size, "${file", 6))
        return 0;
    struct hf_diagnostics diagnostics = {0};
    struct hf_ini *ini = hf_ini_parse("/nowhere/fuzz.ini", (const char *)data, size, &diagnostics);
    for (size_t i = 0; i < ini->count; i++)
        check_section(&ini->sections[i], &diagnostics);
    for (size_t i = 0; i < diagnostics.count; i++)
        assert(diagnostics.items[i].text && strlen(diagnostics.items[i].text) < 4096);
    hf_ini_free(ini);
    hf_diagnostics_clear(&diagnostics);
    return 0;
}
