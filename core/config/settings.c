/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "config/profile.h"
#include "config/value.h"
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Editors leave "x.ini~", ".#x.ini" and "#x.ini#" beside a file. */
static bool is_profile_name(const char *name)
{
    return name[0] != '.' && name[0] != '#' && hf_text_ends(name, ".ini");
}

static int list_profiles(struct hf_ctx *ctx, const char *folder, struct hf_strings *ret_names)
{
    DIR *stream = opendir(folder);
    if (!stream)
        return hf_fail_errno(ctx, errno, "read the configuration folder '%s'", folder);
    int result = HF_OK;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry) {
            if (errno)
                result = hf_fail_errno(ctx, errno, "read the configuration folder '%s'", folder);
            break;
        }
        if (is_profile_name(entry->d_name))
            hf_strings_add(ret_names, entry->d_name);
    }
    closedir(stream);
    hf_strings_sort(ret_names);
    return result;
}

/* NULL when there is no home folder to be found. */
static char *default_state_dir(void)
{
    const char *told = getenv("HOLDFAST_STATE_DIR");
    if (told && *told)
        return hf_path_beside("", told);
    if (geteuid() == 0)
        return hf_strdup("/var/lib/holdfast");
    const char *state = getenv("XDG_STATE_HOME");
    if (state && *state == '/') /* the XDG specification: a relative one is to be ignored */
        return hf_path_join(state, "holdfast");
    const char *home = getenv("HOME");
    if (home && *home == '/')
        return hf_path_join(home, ".local/state/holdfast");
    struct passwd entry, *found = NULL;
    char room[4096];
    if (getpwuid_r(geteuid(), &entry, room, sizeof room, &found) == 0 && found && found->pw_dir &&
        *found->pw_dir == '/')
        return hf_path_join(found->pw_dir, ".local/state/holdfast");
    return NULL;
}

static char *default_temp_dir(void)
{
    const char *told = getenv("TMPDIR");
    return told && *told ? hf_path_beside("", told) : hf_strdup("/var/tmp");
}

static void set_default(struct hf_config *config, const char *key, char *value)
{
    struct hf_setting *setting = (struct hf_setting *)hf_config_at(config, key);
    if (setting->text)
        free(value);
    else
        setting->text = value;
}

static void read_holdfast(struct hf_settings *settings)
{
    hf_auto_free char *path = hf_path_join(settings->folder, "holdfast.ini");
    struct hf_ini *ini = NULL;
    const struct hf_ini_section *section = NULL;
    if (access(path, F_OK) == 0 || errno != ENOENT)
        ini = hf_ini_read(path, &settings->diagnostics);
    for (size_t i = 0; ini && i < ini->count; i++) {
        if (strcmp(ini->sections[i].kind, "holdfast") == 0 && !*ini->sections[i].name)
            section = &ini->sections[i];
        else
            hf_diagnose(&settings->diagnostics, HF_ERROR, path, ini->sections[i].line,
                        "this file holds [holdfast] alone; profiles are in files of their own, in conf.d",
                        "unknown section [%.64s%s%.64s]", ini->sections[i].kind, *ini->sections[i].name ? " " : "",
                        ini->sections[i].name);
    }
    struct hf_options table = hf_core_options("holdfast");
    settings->holdfast = hf_config_new(path, section, &table, 1, &settings->diagnostics);
    hf_ini_free(ini);
    set_default(settings->holdfast, "state_dir", default_state_dir());
    set_default(settings->holdfast, "temp_dir", default_temp_dir());
    settings->state_dir = hf_config_text(settings->holdfast, "state_dir");
    settings->temp_dir = hf_config_text(settings->holdfast, "temp_dir");
    const struct hf_strings *plugin_path = &hf_config_at(settings->holdfast, "plugin_path")->items;
    for (size_t i = 0; i < plugin_path->count; i++) {
        char *absolute = hf_path_beside(path, plugin_path->items[i]);
        free(plugin_path->items[i]);
        plugin_path->items[i] = absolute;
    }
    settings->plugin_path = plugin_path;
    if (!settings->state_dir) {
        set_default(settings->holdfast, "state_dir", hf_strdup("/var/lib/holdfast"));
        settings->state_dir = hf_config_text(settings->holdfast, "state_dir");
        hf_diagnose(&settings->diagnostics, HF_ERROR, path, 0, "set state_dir there, or $HOLDFAST_STATE_DIR",
                    "this user has no home folder for locks and state");
    }
    hf_diagnostics_sort(&settings->diagnostics);
}

static int compare_profiles(const void *left, const void *right)
{
    const struct hf_profile *a = *(const struct hf_profile *const *)left;
    const struct hf_profile *b = *(const struct hf_profile *const *)right;
    int order = strcmp(a->name, b->name);
    return order ? order : strcmp(a->path, b->path);
}

static bool has_own_name(const struct hf_profile *profile)
{
    return hf_text_equal(hf_config_text(profile->profile, "name"), profile->name);
}

static void diagnose_shared_names(struct hf_settings *settings)
{
    for (size_t i = 1; i < settings->profile_count; i++) {
        const struct hf_profile *first = settings->profiles[i - 1], *second = settings->profiles[i];
        /* One without a name of its own is only called after its file. */
        if (strcmp(first->name, second->name) != 0 || !has_own_name(first) || !has_own_name(second))
            continue;
        hf_diagnose(&settings->diagnostics, HF_ERROR, second->path, hf_config_at(second->profile, "name")->line,
                    "a name belongs to one profile, since its backups' names begin with it",
                    "profile '%s' is also in '%s'", second->name, first->path);
    }
}

static int read_profiles(struct hf_ctx *ctx, struct hf_settings *settings)
{
    hf_auto_free char *folder = hf_path_join(settings->folder, "conf.d");
    struct stat status;
    bool separate = stat(folder, &status) == 0;
    if (!separate && errno != ENOENT)
        return hf_fail_errno(ctx, errno, "read the configuration folder '%s'", folder);
    const char *place = separate ? folder : settings->folder;
    hf_auto_strings struct hf_strings names = {0};
    int result = list_profiles(ctx, place, &names);
    if (result < 0)
        return result;
    settings->profiles = hf_alloc_array(names.count, sizeof(struct hf_profile *));
    for (size_t i = 0; i < names.count; i++) {
        if (!separate && strcmp(names.items[i], "holdfast.ini") == 0)
            continue;
        hf_auto_free char *path = hf_path_join(place, names.items[i]);
        settings->profiles[settings->profile_count++] = hf_profile_read(path);
    }
    if (settings->profile_count > 1)
        qsort(settings->profiles, settings->profile_count, sizeof(struct hf_profile *), compare_profiles);
    diagnose_shared_names(settings);
    return HF_OK;
}

int hf_settings_load(struct hf_ctx *ctx, const char *folder, struct hf_settings **ret_settings)
{
    const char *told = getenv("HOLDFAST_CONFIG");
    if (!folder)
        folder = told && *told ? told : HOLDFAST_CONFIG_DIR;
    struct stat status;
    int failure = stat(folder, &status) < 0 ? errno : S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
    if (failure) {
        if (failure == ENOENT)
            hf_fail(ctx, HF_E_NOTFOUND, "there is no configuration folder '%s'", folder);
        else
            hf_fail_errno(ctx, failure, "read the configuration folder '%s'", folder);
        return hf_hint(ctx, "name the folder that holds conf.d with --config, or with $HOLDFAST_CONFIG");
    }
    struct hf_settings *settings = hf_alloc(sizeof *settings);
    settings->folder = hf_path_beside("", folder);
    for (size_t length = strlen(settings->folder); length > 1 && settings->folder[length - 1] == '/'; length--)
        settings->folder[length - 1] = '\0';
    read_holdfast(settings);
    int result = read_profiles(ctx, settings);
    if (result < 0) {
        hf_settings_free(settings);
        return result;
    }
    *ret_settings = settings;
    return HF_OK;
}

void hf_settings_free(struct hf_settings *settings)
{
    if (!settings)
        return;
    for (size_t i = 0; i < settings->profile_count; i++)
        hf_profile_free(settings->profiles[i]);
    free(settings->profiles);
    hf_config_free(settings->holdfast);
    hf_diagnostics_clear(&settings->diagnostics);
    free(settings->folder);
    free(settings);
}

struct hf_profile *hf_settings_profile(const struct hf_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->profile_count; i++)
        if (strcmp(settings->profiles[i]->name, name) == 0)
            return settings->profiles[i];
    return NULL;
}
