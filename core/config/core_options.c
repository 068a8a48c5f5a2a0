/* SPDX-License-Identifier: Apache-2.0 */
#include "config/profile.h"
#include <string.h>

static const struct hf_option holdfast_options[] = {
    {.key = "state_dir",
     .type = HF_PATH,
     .help = "folder for locks and other state; default /var/lib/holdfast for root, else "
             "$XDG_STATE_HOME/holdfast or ~/.local/state/holdfast; $HOLDFAST_STATE_DIR replaces the default"},
    {.key = "temp_dir", .type = HF_PATH, .help = "folder for large scratch files; default $TMPDIR, else /var/tmp"},
    {.key = "plugin_path", .type = HF_LIST, .help = "folders searched for plugins before the built-in one"},
};

static const struct hf_option profile_options[] = {
    {.key = "name",
     .type = HF_STRING,
     .flags = HF_REQUIRED,
     .help = "name of the profile, with which its backups' names begin: lower-case letters, digits and '-'"},
    {.key = "description", .type = HF_STRING, .help = "what the profile protects, for people"},
    {.key = "every", .type = HF_DURATION, .min = 1000, .max = INT64_MAX, .help = "how often a backup is wanted"},
    {.key = "rpo",
     .type = HF_DURATION,
     .min = 1000,
     .max = INT64_MAX,
     .help = "recovery point objective: how much of the latest work may be lost"},
    {.key = "rto",
     .type = HF_DURATION,
     .min = 1000,
     .max = INT64_MAX,
     .help = "recovery time objective: how long a restore may take"},
    {.key = "workers",
     .type = HF_INT,
     .min = 1,
     .max = 256,
     .help = "threads that encode and decode blocks; default one per processor"},
    {.key = "quorum",
     .type = HF_INT,
     .min = 1,
     .max = 256,
     .help = "how many sinks must hold a backup: with fewer the run fails and nothing is left, with one of the others "
             "missing it is partial; default all that are required, and at least one"},
};

static const struct hf_option source_options[] = {
    {.key = "plugin", .type = HF_STRING, .flags = HF_REQUIRED, .help = "name of the source plugin"},
    {.key = "jobs",
     .type = HF_INT,
     .min = 1,
     .max = 64,
     .help = "parts that are read or restored at once, if the plugin can; default two"},
};

static const struct hf_option stage_options[] = {
    {.key = "plugin", .type = HF_STRING, .flags = HF_REQUIRED, .help = "name of the stage plugin"},
    {.key = "manifest",
     .type = HF_ENUM,
     .choices = "sealed|open",
     .help = "of a stage that encrypts: sealed, the default, encrypts also what the manifest tells of the contents (names, "
             "paths, facts, findings); open leaves it readable"},
};

static const struct hf_option sink_options[] = {
    {.key = "plugin", .type = HF_STRING, .flags = HF_REQUIRED, .help = "name of the sink plugin"},
    {.key = "required",
     .type = HF_BOOL,
     .help = "no: a failure of this sink makes the backup partial instead of failed; default yes, and no in a profile "
             "that sets a quorum"},
    {.key = "timeout",
     .type = HF_DURATION,
     .dflt = "60s",
     .min = 1000,
     .max = 24 * 3600 * 1000,
     .help = "a sink that is not required and does not answer for so long is dropped"},
};

#define KEEP_COUNT(word, what)                                                                                         \
    {                                                                                                                  \
        .key = "keep_" word, .type = HF_INT, .min = 1, .max = 1000000, .help = what                                    \
    }

static const struct hf_option retention_options[] = {
    {.key = "keep", .type = HF_DURATION, .min = 1000, .max = INT64_MAX, .help = "keep backups that are younger"},
    KEEP_COUNT("last", "keep the newest so many backups"),
    KEEP_COUNT("daily", "keep the newest backup of each of so many days"),
    KEEP_COUNT("weekly", "keep the newest backup of each of so many weeks"),
    KEEP_COUNT("monthly", "keep the newest backup of each of so many months"),
};

static const struct hf_option verify_options[] = {
    {.key = "level",
     .type = HF_ENUM,
     .dflt = "content",
     .choices = "none|quick|digest|content",
     .help = "what is checked after each backup: nothing, the objects' sizes, their digests, or all that they contain"},
};

struct hf_options hf_core_options(const char *section_kind)
{
    const struct {
        const char *kind;
        struct hf_options options;
    } tables[] = {
        {"holdfast", HF_OPTIONS(holdfast_options)},   {"profile", HF_OPTIONS(profile_options)},
        {"source", HF_OPTIONS(source_options)},       {"stage", HF_OPTIONS(stage_options)},
        {"sink", HF_OPTIONS(sink_options)},           {"verify", HF_OPTIONS(verify_options)},
        {"retention", HF_OPTIONS(retention_options)},
    };
    for (size_t i = 0; i < HF_COUNT(tables); i++)
        if (strcmp(tables[i].kind, section_kind) == 0)
            return tables[i].options;
    return (struct hf_options){0};
}

static const char *const level_names[] = {
    [HF_LEVEL_NONE] = "none", [HF_LEVEL_QUICK] = "quick", [HF_LEVEL_DIGEST] = "digest", [HF_LEVEL_CONTENT] = "content"};

const char *hf_level_text(int level)
{
    return level >= 0 && (size_t)level < HF_COUNT(level_names) ? level_names[level] : "unknown";
}

int hf_level_parse(const char *text)
{
    for (size_t i = 0; i < HF_COUNT(level_names); i++)
        if (strcmp(level_names[i], text) == 0)
            return (int)i;
    return -1;
}
