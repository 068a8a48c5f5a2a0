/* SPDX-License-Identifier: Apache-2.0 */
#include "config/places.h"

#include <string.h>

static void take_quorum(struct hf_profile *profile)
{
    const struct hf_setting *quorum = hf_config_at(profile->profile, "quorum");

    profile->quorum = (int)quorum->number;
    if (profile->sink_count > 0 && profile->quorum > (int)profile->sink_count) {
        hf_auto_free char *hint = hf_strf("set it to %zu or less, or add sinks", profile->sink_count);

        hf_diagnose(&profile->diagnostics, HF_ERROR, profile->path, quorum->line, hint,
                    "'quorum' is %d, but the profile has only %zu sink%s", profile->quorum, profile->sink_count,
                    profile->sink_count == 1 ? "" : "s");
    }
}

static void read_rules(const struct hf_config *config, struct hf_retention *retention)
{
    retention->keep_ms = hf_config_number(config, "keep");
    retention->keep_last = hf_config_number(config, "keep_last");
    retention->keep_daily = hf_config_number(config, "keep_daily");
    retention->keep_weekly = hf_config_number(config, "keep_weekly");
    retention->keep_monthly = hf_config_number(config, "keep_monthly");
    for (size_t i = 0; i < config->count; i++)
        retention->set |= config->settings[i].number != 0;
}

static const struct hf_plugin_section *find_sink(const struct hf_profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->sink_count; i++)
        if (strcmp(profile->sinks[i].name, name) == 0)
            return &profile->sinks[i];
    return NULL;
}

static void diagnose_no_sink(struct hf_profile *profile, const struct hf_ini_section *section)
{
    hf_auto_free const char **names = hf_alloc_array(profile->sink_count + 1, sizeof(*names));
    hf_auto_free char *hint = NULL;
    const char *nearest;

    for (size_t i = 0; i < profile->sink_count; i++)
        names[i] = profile->sinks[i].name;
    nearest = hf_text_nearest(section->name, names, profile->sink_count);
    hint = nearest ? hf_strf("did you mean [retention %s]?", nearest)
                   : hf_strdup("[retention NAME] holds the rules of [sink NAME], [retention] those of the other sinks");
    hf_diagnose(&profile->diagnostics, HF_ERROR, profile->path, section->line, hint,
                "[retention %.64s] is of a sink that the profile does not have", section->name);
}

static void take_retention(struct hf_profile *profile, const struct hf_ini_section *section)
{
    struct hf_options table = hf_core_options("retention");
    struct hf_config *config;

    if (section != NULL && *section->name && find_sink(profile, section->name) == NULL) {
        diagnose_no_sink(profile, section);
        return;
    }
    config = hf_config_new(profile->path, section, &table, 1, &profile->diagnostics);
    if (section == NULL || !*section->name) {
        profile->retention_config = config;
        read_rules(config, &profile->retention);
        return;
    }
    profile->sink_retentions = hf_realloc_array(profile->sink_retentions, profile->sink_retention_count + 1,
                                                sizeof(*profile->sink_retentions));
    profile->sink_retentions[profile->sink_retention_count] =
        (struct hf_sink_retention){.sink = section->name, .config = config};
    read_rules(config, &profile->sink_retentions[profile->sink_retention_count++].retention);
}

void hf_profile_take_places(struct hf_profile *profile)
{
    take_quorum(profile);
    for (size_t i = 0; i < profile->ini->count; i++)
        if (strcmp(profile->ini->sections[i].kind, "retention") == 0)
            take_retention(profile, &profile->ini->sections[i]);
    if (profile->retention_config == NULL)
        take_retention(profile, NULL);
}

void hf_profile_clear_places(struct hf_profile *profile)
{
    hf_config_free(profile->retention_config);
    for (size_t i = 0; i < profile->sink_retention_count; i++)
        hf_config_free(profile->sink_retentions[i].config);
    free(profile->sink_retentions);
}

const struct hf_retention *hf_profile_retention(const struct hf_profile *profile, const char *sink)
{
    for (size_t i = 0; i < profile->sink_retention_count; i++)
        if (strcmp(profile->sink_retentions[i].sink, sink) == 0)
            return &profile->sink_retentions[i].retention;
    return &profile->retention;
}

bool hf_profile_retains(const struct hf_profile *profile)
{
    bool any = profile->retention.set;

    for (size_t i = 0; i < profile->sink_retention_count; i++)
        any = any || profile->sink_retentions[i].retention.set;
    return any;
}

bool hf_sink_required(const struct hf_profile *profile, const struct hf_config *sink)
{
    const struct hf_setting *required = hf_config_at(sink, "required");

    /* Where so many of them suffice, none is more than the others unless it is said. */
    return required->text != NULL ? required->number != 0 : profile->quorum == 0;
}
