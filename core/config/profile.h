/* SPDX-License-Identifier: Apache-2.0
 *
 * Profiles and settings: the files of one configuration folder, read and checked as far as no plugin is needed.
 *
 *   FOLDER/holdfast.ini    [holdfast]  optional
 *   FOLDER/conf.d/(name).ini  one profile each; without a conf.d, FOLDER itself holds the profiles
 */
#ifndef HF_CONFIG_PROFILE_H
#define HF_CONFIG_PROFILE_H

#include "config/option.h"

enum { HF_NAME_MAX = 64 };

/* A section that names a plugin: [source], [stage NAME], [sink NAME]. */
struct hf_plugin_section {
    const struct hf_ini_section *ini; /* the profile's                                                       */
    uint32_t kind;                    /* enum hf_kind                                                        */
    const char *name;                 /* "" for a source without name                                        */
    const char *plugin;               /* value of its `plugin`; NULL when missing (then diagnosed)            */
};

struct hf_retention {
    int64_t keep_ms;                                          /* 0: not set */
    int64_t keep_last, keep_daily, keep_weekly, keep_monthly; /* 0: not set */
    bool set; /* any of them is set; otherwise nothing is ever removed */
};

/* The rules of one sink, where it has its own. */
struct hf_sink_retention {
    const char *sink; /* borrowed */
    struct hf_config *config;
    struct hf_retention retention;
};

enum hf_level { HF_LEVEL_NONE = 0, HF_LEVEL_QUICK, HF_LEVEL_DIGEST, HF_LEVEL_CONTENT };

struct hf_profile {
    char *name; /* [a-z0-9][a-z0-9-]*: no '_', which separates it from the rest of an object's name */
    char *path;
    struct hf_ini *ini;
    struct hf_config *profile, *retention_config, *verify; /* the core's own sections, checked          */
    int64_t every_ms, rpo_ms, rto_ms;                      /* 0: not set                                 */
    int workers;                                           /* [profile] workers; 0: one per core         */
    int jobs;                                              /* [source] jobs; 0: default                  */
    int quorum;                                            /* [profile] quorum; 0: not set               */
    struct hf_retention retention;         /* [retention]                                               */
    struct hf_sink_retention *sink_retentions; /* [retention NAME]                                      */
    size_t sink_retention_count;
    int level;                                /* enum hf_level                              */
    bool level_insists;                       /* the file says it: not merely the default   */
    struct hf_plugin_section source;          /* .ini NULL when missing (then diagnosed)    */
    struct hf_plugin_section *stages, *sinks; /* in the file's order                        */
    size_t stage_count, sink_count;
    struct hf_diagnostics diagnostics; /* of this file                               */
};

struct hf_settings {
    char *folder; /* where it was read                                                   */
    struct hf_config *holdfast;
    const char *state_dir, *temp_dir;     /* locks; large scratch files                                     */
    const struct hf_strings *plugin_path; /* folders searched before the built-in one                   */
    struct hf_profile **profiles;         /* sorted by name; broken ones too, with their diagnostics             */
    size_t profile_count;
    struct hf_diagnostics diagnostics; /* of holdfast.ini, of the folder, and of names used twice        */
};

/* One file; always yields a profile, with its diagnostics. One without a usable name is called after its file. */
struct hf_profile *hf_profile_read(const char *path);
void hf_profile_free(struct hf_profile *);

/* folder NULL: $HOLDFAST_CONFIG, else the built-in /etc/holdfast. A folder that does not exist is a failure
 * (HF_E_NOTFOUND); everything else that is wrong becomes diagnostics. */
int hf_settings_load(struct hf_ctx *, const char *folder, struct hf_settings **ret_settings);
void hf_settings_free(struct hf_settings *);
struct hf_profile *hf_settings_profile(const struct hf_settings *, const char *name); /* NULL: none */

/* What applies in this sink. */
const struct hf_retention *hf_profile_retention(const struct hf_profile *, const char *sink);
bool hf_profile_retains(const struct hf_profile *); /* in any of its sinks */
/* [sink] required, of a sink of this profile. */
bool hf_sink_required(const struct hf_profile *, const struct hf_config *sink);

/* The options that the core itself reads in a section of this kind ("profile", "retention", "verify", "holdfast",
 * "source", "stage", "sink"), e.g. `plugin`, `jobs`, `required`. For validation, `plugin info` and the manual. count 0:
 * no such kind. */
struct hf_options hf_core_options(const char *section_kind);

const char *hf_level_text(int level);
int hf_level_parse(const char *text); /* -1: no such level */

#endif
