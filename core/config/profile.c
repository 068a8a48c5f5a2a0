/* SPDX-License-Identifier: Apache-2.0 */
#include "config/profile.h"
#include "base/file.h"
#include "config/places.h"
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static const struct {
    const char *kind;
    enum { UNNAMED, NAMED, EITHER } named;
} section_kinds[] = {{"profile", UNNAMED}, {"source", EITHER},    {"stage", NAMED},
                     {"sink", NAMED},      {"retention", EITHER}, {"verify", UNNAMED}};

static void complain(struct hf_profile *profile, int line, const char *hint, const char *text)
{
    hf_diagnose(&profile->diagnostics, HF_ERROR, profile->path, line, hint, "%s", text);
}

static char *section_title(const struct hf_ini_section *section)
{
    return hf_strf("[%.64s%s%.64s]", section->kind, *section->name ? " " : "", section->name);
}

static void diagnose_unknown_section(struct hf_profile *profile, const struct hf_ini_section *section)
{
    const char *known[HF_COUNT(section_kinds)];
    for (size_t i = 0; i < HF_COUNT(section_kinds); i++)
        known[i] = section_kinds[i].kind;
    const char *nearest = hf_text_nearest(section->kind, known, HF_COUNT(section_kinds));
    hf_auto_free char *title = section_title(section);
    hf_auto_free char *hint = NULL;
    if (nearest)
        hint = hf_strf("did you mean [%s%s%.64s]?", nearest, *section->name ? " " : "", section->name);
    else
        hint = hf_strdup("sections are [profile], [source], [stage NAME], [sink NAME], [retention], [retention NAME] and [verify]");
    hf_diagnose(&profile->diagnostics, HF_ERROR, profile->path, section->line, hint, "unknown section %s", title);
}

static bool name_fits(const char *name)
{
    size_t length = strlen(name);
    return length && length <= HF_NAME_MAX && name[strspn(name, LOWER UPPER DIGITS "._-")] == '\0' &&
           strchr("._-", *name) == NULL;
}

/* Whether a section is one that profiles have, under a name as its kind wants it. */
static bool section_fits(struct hf_profile *profile, const struct hf_ini_section *section)
{
    size_t i = 0;
    while (i < HF_COUNT(section_kinds) && strcmp(section_kinds[i].kind, section->kind) != 0)
        i++;
    if (i == HF_COUNT(section_kinds)) {
        diagnose_unknown_section(profile, section);
        return false;
    }
    hf_auto_free char *title = section_title(section);
    hf_auto_free char *text = NULL, *hint = NULL;
    if (section_kinds[i].named == NAMED && !*section->name) {
        text = hf_strf("section %s needs a name", title);
        hint = hf_strf("write [%s NAME], e.g. [%s %s]", section->kind, section->kind,
                       strcmp(section->kind, "sink") == 0 ? "local" : "compress");
    } else if (section_kinds[i].named == UNNAMED && *section->name) {
        text = hf_strf("section %s takes no name", title);
        hint = hf_strf("write [%s]", section->kind);
    } else if (*section->name && !name_fits(section->name)) {
        text = hf_strf("the name in section %s does not fit", title);
        hint = hf_strf("use up to %d letters, digits, '.', '_' and '-', beginning with a letter or digit", HF_NAME_MAX);
    }
    if (text)
        complain(profile, section->line, hint, text);
    return !text;
}

static struct hf_plugin_section plugin_section(struct hf_profile *profile, const struct hf_ini_section *ini,
                                               uint32_t kind)
{
    struct hf_plugin_section section = {.ini = ini, .kind = kind, .name = ini->name};
    const struct hf_ini_entry *plugin = hf_ini_entry(ini, "plugin");
    hf_auto_free char *title = section_title(ini);
    hf_auto_free char *text = NULL;
    if (!plugin) {
        text = hf_strf("option 'plugin' is missing in %s", title);
        complain(profile, ini->line, "`holdfast plugin list` shows what there is", text);
    } else if (!*plugin->value || strlen(plugin->value) > HF_NAME_MAX ||
               plugin->value[strspn(plugin->value, LOWER DIGITS "-")]) {
        text = hf_strf("'plugin' is not a plugin's name: '%.64s'", plugin->value);
        complain(profile, plugin->line, "`holdfast plugin list` shows what there is", text);
    } else {
        section.plugin = plugin->value;
    }
    return section;
}

static void take_source(struct hf_profile *profile, const struct hf_ini_section *section)
{
    if (profile->source.ini) {
        hf_auto_free char *title = section_title(section);
        hf_auto_free char *text =
            hf_strf("%s is a second source; the first one is on line %d", title, profile->source.ini->line);
        complain(profile, section->line, "a profile has one source: write a profile of its own for the other", text);
        return;
    }
    profile->source = plugin_section(profile, section, HF_SOURCE);
    /* What is wrong with it is told where the plugin's options are checked. */
    const struct hf_ini_entry *jobs = hf_ini_entry(section, "jobs");
    struct hf_diagnostics ignored = {0};
    struct hf_ini_section only_jobs = *section;
    only_jobs.entries = (struct hf_ini_entry *)jobs;
    only_jobs.count = jobs ? 1 : 0;
    struct hf_options table = hf_core_options("source");
    struct hf_config *config = hf_config_new(profile->path, &only_jobs, &table, 1, &ignored);
    profile->jobs = (int)hf_config_number(config, "jobs");
    hf_config_free(config);
    hf_diagnostics_clear(&ignored);
}

static void take_sections(struct hf_profile *profile)
{
    const struct hf_ini *ini = profile->ini;
    profile->stages = hf_alloc_array(ini->count, sizeof *profile->stages);
    profile->sinks = hf_alloc_array(ini->count, sizeof *profile->sinks);
    for (size_t i = 0; i < ini->count; i++) {
        const struct hf_ini_section *section = &ini->sections[i];
        if (!section_fits(profile, section))
            continue;
        if (strcmp(section->kind, "source") == 0)
            take_source(profile, section);
        else if (strcmp(section->kind, "stage") == 0)
            profile->stages[profile->stage_count++] = plugin_section(profile, section, HF_STAGE);
        else if (strcmp(section->kind, "sink") == 0)
            profile->sinks[profile->sink_count++] = plugin_section(profile, section, HF_SINK);
    }
}

static struct hf_config *core_config(struct hf_profile *profile, const char *kind)
{
    struct hf_options table = hf_core_options(kind);
    return hf_config_new(profile->path, hf_ini_find(profile->ini, kind), &table, 1, &profile->diagnostics);
}

static void take_name(struct hf_profile *profile)
{
    const struct hf_setting *setting = hf_config_at(profile->profile, "name");
    const char *name = setting->text;
    if (!name)
        return;
    const char *problem = NULL, *hint = NULL;
    size_t length = strlen(name), valid = strspn(name, LOWER DIGITS "-");
    if (length > HF_NAME_MAX)
        problem = "is longer than 64 bytes";
    else if (name[valid] == '_') {
        problem = "holds a '_'";
        hint = "'_' separates the profile's name from the rest of an object's name; use '-' instead";
    } else if (name[valid] || *name == '-') {
        problem = "does not fit";
        hint = "use lower-case letters, digits and '-', beginning with a letter or digit";
    }
    if (problem) {
        hf_diagnose(&profile->diagnostics, HF_ERROR, profile->path, setting->line, hint,
                    "the profile's name '%.80s' %s", name, problem);
        return;
    }
    free(profile->name);
    profile->name = hf_strdup(name);
}

static void take_profile(struct hf_profile *profile)
{
    if (!hf_ini_find(profile->ini, "profile")) {
        /* The config says the same of its required options; once is enough. */
        struct hf_diagnostics ignored = {0};
        struct hf_options table = hf_core_options("profile");
        profile->profile = hf_config_new(profile->path, NULL, &table, 1, &ignored);
        hf_diagnostics_clear(&ignored);
        return;
    }
    profile->profile = core_config(profile, "profile");
    take_name(profile);
    profile->every_ms = hf_config_number(profile->profile, "every");
    profile->rpo_ms = hf_config_number(profile->profile, "rpo");
    profile->rto_ms = hf_config_number(profile->profile, "rto");
    profile->workers = (int)hf_config_number(profile->profile, "workers");
}

static void complain_missing_sections(struct hf_profile *profile)
{
    static const char *const needed[][2] = {{"profile", "add [profile] with `name = NAME`"},
                                            {"source", "add [source] with `plugin = NAME`"},
                                            {"sink", "add [sink local] with `plugin = dir` and `path = FOLDER`"}};
    for (size_t i = 0; i < HF_COUNT(needed); i++)
        if (!hf_ini_find(profile->ini, needed[i][0]))
            hf_diagnose(&profile->diagnostics, HF_ERROR, profile->path, 0, needed[i][1], "section [%s] is missing",
                        needed[i][0]);
}

struct hf_profile *hf_profile_read(const char *path)
{
    struct hf_profile *profile = hf_alloc(sizeof *profile);
    profile->path = hf_strdup(path);
    const char *base = hf_path_base(path);
    profile->name = hf_strndup(base, strlen(base) - (hf_text_ends(base, ".ini") ? 4 : 0));
    profile->ini = hf_ini_read(path, &profile->diagnostics);
    /* A file that could not be read is not blamed for what it lacks. */
    if (profile->ini->count || !profile->diagnostics.errors)
        complain_missing_sections(profile);
    take_profile(profile);
    take_sections(profile);
    hf_profile_take_places(profile);
    profile->verify = core_config(profile, "verify");
    const char *level = hf_config_text(profile->verify, "level");
    profile->level = level ? hf_level_parse(level) : HF_LEVEL_CONTENT;
    profile->level_insists = hf_config_at(profile->verify, "level")->line != 0;
    hf_diagnostics_sort(&profile->diagnostics);
    return profile;
}

void hf_profile_free(struct hf_profile *profile)
{
    if (!profile)
        return;
    hf_config_free(profile->profile);
    hf_profile_clear_places(profile);
    hf_config_free(profile->verify);
    free(profile->stages);
    free(profile->sinks);
    hf_ini_free(profile->ini);
    hf_diagnostics_clear(&profile->diagnostics);
    free(profile->name);
    free(profile->path);
    free(profile);
}
