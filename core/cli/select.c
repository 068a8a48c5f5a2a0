/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/select.h"
#include <string.h>

static void add(struct hf_targets *targets, struct hf_profile *profile, const char *backup)
{
    for (size_t i = 0; i < targets->count; i++)
        if (targets->items[i].profile == profile && hf_text_equal(targets->items[i].backup, backup))
            return;
    if (targets->count == targets->room) {
        targets->room = targets->room > 0 ? targets->room * 2 : 8;
        targets->items = hf_realloc_array(targets->items, targets->room, sizeof(*targets->items));
    }
    targets->items[targets->count++] = (struct hf_target){profile, hf_strdup(backup)};
}

void hf_targets_clear(struct hf_targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        free(targets->items[i].backup);
    free(targets->items);
    memset(targets, 0, sizeof(*targets));
}

static char *names_of(const struct hf_settings *settings)
{
    struct hf_text names = {0};
    for (size_t i = 0; i < settings->profile_count; i++)
        hf_text_addf(&names, "%s%s", i > 0 ? ", " : "", settings->profiles[i]->name);
    return names.data ? names.data : hf_strdup("");
}

static int no_profiles(struct hf_ctx *ctx, const struct hf_settings *settings)
{
    hf_fail(ctx, HF_E_CONFIG, "there are no profiles in '%s'", settings->folder);
    return hf_hint(ctx, "write one into '%s/conf.d'; examples are in " HOLDFAST_EXAMPLES_DIR, settings->folder);
}

static int find_profile(struct hf_ctx *ctx, const struct hf_settings *settings, const char *name,
                        struct hf_profile **ret_profile)
{
    struct hf_profile *profile = hf_settings_profile(settings, name);
    if (profile) {
        *ret_profile = profile;
        return HF_OK;
    }
    if (settings->profile_count == 0)
        return no_profiles(ctx, settings);
    hf_auto_free const char **names = hf_alloc_array(settings->profile_count, sizeof(*names));
    for (size_t i = 0; i < settings->profile_count; i++)
        names[i] = settings->profiles[i]->name;
    const char *nearest = hf_text_nearest(name, names, settings->profile_count);
    hf_fail(ctx, HF_E_NOTFOUND, "there is no profile '%s' in '%s'", name, settings->folder);
    if (nearest)
        return hf_hint(ctx, "did you mean '%s'?", nearest);
    hf_auto_free char *all = names_of(settings);
    return hf_hint(ctx, "there are: %s", all);
}

static int the_only_one(struct hf_ctx *ctx, const struct hf_settings *settings, const struct hf_arguments *arguments,
                        struct hf_profile **ret_profile)
{
    if (settings->profile_count == 0)
        return no_profiles(ctx, settings);
    if (settings->profile_count == 1) {
        *ret_profile = settings->profiles[0];
        return HF_OK;
    }
    hf_auto_free char *all = names_of(settings);
    hf_fail(ctx, HF_E_CONFIG, "'holdfast %s' must be told which profile", arguments->command->name);
    return hf_hint(ctx, "%s: %s",
                   hf_command_flag(arguments->command, HF_FLAG_ALL) ? "give --all, or name some of" : "name one of",
                   all);
}

int hf_select_profiles(struct hf_ctx *ctx, const struct hf_settings *settings, const struct hf_arguments *arguments,
                       bool all_by_default, struct hf_targets *targets)
{
    bool all = hf_arguments_have(arguments, HF_FLAG_ALL);
    struct hf_profile *profile = NULL;
    if (all && arguments->words.count > 0) {
        hf_fail(ctx, HF_E_CONFIG, "'--all' and the name of a profile exclude each other");
        return hf_hint(ctx, "leave out '--all', or '%s'", arguments->words.items[0]);
    }
    if (all || (all_by_default && arguments->words.count == 0)) {
        if (settings->profile_count == 0)
            return no_profiles(ctx, settings);
        for (size_t i = 0; i < settings->profile_count; i++)
            add(targets, settings->profiles[i], NULL);
        return HF_OK;
    }
    if (arguments->words.count == 0) {
        if (the_only_one(ctx, settings, arguments, &profile) < 0)
            return ctx->error.code;
        add(targets, profile, NULL);
    }
    for (size_t i = 0; i < arguments->words.count; i++) {
        if (find_profile(ctx, settings, arguments->words.items[i], &profile) < 0)
            return ctx->error.code;
        add(targets, profile, NULL);
    }
    return HF_OK;
}

int hf_select_backup(struct hf_ctx *ctx, const struct hf_settings *settings, const struct hf_arguments *arguments,
                     const char *word, struct hf_targets *targets)
{
    struct hf_profile *profile = NULL;
    const char *backup = "latest";
    if (strcmp(word, "latest") == 0 && !hf_settings_profile(settings, word)) {
        if (the_only_one(ctx, settings, arguments, &profile) < 0)
            return ctx->error.code;
    } else {
        /* Names of profiles have neither '/' nor '_'. */
        size_t length = strcspn(word, "/_");
        hf_auto_free char *name = hf_strndup(word, length);
        if (word[length] == '_')
            backup = word;
        else if (word[length] == '/')
            backup = word + length + 1;
        if (*backup == '\0') {
            hf_fail(ctx, HF_E_CONFIG, "'%s' names no backup", word);
            return hf_hint(ctx, "write '%s' for the latest, or a backup's id; see: holdfast list", name);
        }
        if (find_profile(ctx, settings, name, &profile) < 0)
            return ctx->error.code;
    }
    if (hf_arguments_have(arguments, HF_FLAG_AT) && strcmp(backup, "latest") != 0) {
        hf_fail(ctx, HF_E_CONFIG, "'%s' names one backup, so '--at' has nothing to choose from", word);
        return hf_hint(ctx, "write '%s' with '--at', or leave out '--at'", profile->name);
    }
    add(targets, profile, backup);
    return HF_OK;
}
