/* SPDX-License-Identifier: Apache-2.0
 *
 * The files source: what the core sees of it.
 */
#include "files.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct hf_host *host;

static const struct hf_option options[] = {
    {.key = "path",
     .type = HF_LIST,
     .flags = HF_REQUIRED,
     .help =
         "folders, files and globs to back up, as absolute paths; '*', '?' and '[...]' match within a name, '**' any "
         "number of folders, and a leading dot is nothing special"},
    {.key = "exclude",
     .type = HF_LIST,
     .help =
         "globs of what to leave out, with all it contains; without a '/' they are matched against names ('*.tmp'), "
         "with a leading '/' against full paths ('/srv/**/cache'), otherwise against the end of full paths"},
    {.key = "when",
     .type = HF_ENUM,
     .dflt = "always",
     .choices = "always|changed",
     .help = "'changed' stores no new backup while contents, names, modes, owners and attributes are those of the last "
             "one; times alone do not count"},
    {.key = "one_file_system",
     .type = HF_BOOL,
     .dflt = "no",
     .help = "leave out what is mounted below the paths; the mount points themselves are kept"},
    {.key = "xattrs", .type = HF_BOOL, .dflt = "yes", .help = "back up and restore extended attributes and ACLs"},
    {.key = "outside_links",
     .type = HF_ENUM,
     .dflt = "auto",
     .choices = "auto|keep|refuse",
     .help = "symbolic links that lead out of the folder restored to: 'auto' restores them from a backup that has its "
             "manifest and refuses them from a bare archive"},
};

int files_errno(const struct hf_host *the_host, struct hf_ctx *ctx, const char *doing, const char *path)
{
    int error = errno;
    char why[128];
    int code = error == ENOENT                                              ? HF_E_NOTFOUND
               : error == EACCES || error == EPERM || error == EROFS        ? HF_E_AUTH
               : error == ENOSPC || error == EDQUOT                         ? HF_E_NOSPACE
               : error == ENOMEM                                            ? HF_E_NOMEM
               : error == EEXIST || error == ENOTEMPTY                      ? HF_E_EXISTS
               : error == EINVAL || error == ENAMETOOLONG || error == ELOOP ? HF_E_FAIL
                                                                            : HF_E_IO;
    return the_host->fail(ctx, code, "%s '%s': %s", doing, TAR_SHOW(*path ? path : "/"),
                          strerror_r(error, why, sizeof(why)));
}

static json_t *path_to_json(const char *path)
{
    json_t *text = json_string(*path ? path : "/");
    if (text)
        return text;
    /* Not UTF-8, so not a JSON string. */
    size_t length = strlen(path);
    char *hex = malloc(2 * length + 1);
    for (size_t i = 0; hex && i < length; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned char)path[i]);
    json_t *object = hex ? json_pack("{s:s}", "hex", hex) : NULL;
    free(hex);
    return object;
}

json_t *files_list_to_json(char *const *paths, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count && list; i++)
        if (json_array_append_new(list, path_to_json(paths[i])) < 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

static char *path_from_json(const json_t *value)
{
    const char *text = json_string_value(value), *hex = json_string_value(json_object_get(value, "hex"));
    if (text)
        return path_normal(text);
    size_t length = hex ? strlen(hex) : 1;
    char *path = length % 2 ? NULL : malloc(length / 2 + 1), *normal = NULL;
    for (size_t i = 0; path && i < length; i += 2) {
        unsigned byte = 0;
        if (sscanf(hex + i, "%2x", &byte) != 1 || !byte) {
            free(path);
            return NULL;
        }
        path[i / 2] = (char)byte;
    }
    if (path) {
        path[length / 2] = 0;
        normal = path_normal(path);
    }
    free(path);
    return normal;
}

int files_list_from_json(const json_t *list, size_t max, char ***ret_paths, size_t *ret_count)
{
    size_t count = json_array_size(list);
    char **paths = count && count <= max ? calloc(count, sizeof(*paths)) : NULL;
    bool fine = paths != NULL;
    for (size_t i = 0; i < count && fine; i++)
        fine = (paths[i] = path_from_json(json_array_get(list, i))) && strlen(paths[i]) <= TAR_MAX_PATH;
    if (!fine) {
        files_paths_free(paths, paths ? count : 0);
        return -1;
    }
    *ret_paths = paths;
    *ret_count = count;
    return 0;
}

void files_paths_free(char **paths, size_t count)
{
    for (size_t i = 0; paths && i < count; i++)
        free(paths[i]);
    free(paths);
}

char *files_context_to_json(const struct roots *roots, const struct part_index *index)
{
    char **paths = calloc(roots->count, sizeof(*paths));
    for (size_t i = 0; paths && i < roots->count; i++)
        paths[i] = roots->items[i].path;
    json_t *list = paths ? files_list_to_json(paths, roots->count) : NULL;
    json_t *parts = index_to_json(index), *object = NULL;
    if (list && parts)
        object = json_pack("{s:O,s:O}", "paths", list, "parts", parts);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    json_decref(parts);
    json_decref(list);
    free(paths);
    return text;
}

int files_context_from_json(const char *json, char ***ret_paths, size_t *ret_count, struct part_index **ret_index)
{
    json_t *object = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    int r = files_list_from_json(json_object_get(object, "paths"), FILES_MAX_ROOTS, ret_paths, ret_count);
    if (r == 0)
        *ret_index = index_from_json(json_object_get(object, "parts"));
    json_decref(object);
    return r;
}

static int check_path(struct hf_ctx *ctx, const char *path)
{
    char *normal = path_normal(path);
    if (!normal && errno == EINVAL) {
        host->fail(ctx, HF_E_CONFIG, "path '%s': not an absolute path, or one with '..'", TAR_SHOW(path));
        return host->hint(ctx, "write the full path, as in '/srv/app/config'");
    }
    free(normal);
    return normal ? HF_OK : host->fail(ctx, HF_E_NOMEM, "out of memory");
}

static int files_open(struct hf_ctx *ctx, const struct hf_config *config, void **ret_self)
{
    struct files *self = calloc(1, sizeof(*self));
    if (!self)
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    self->host = host;
    self->path_count = host->get_list(config, "path", &self->paths);
    self->exclude_count = host->get_list(config, "exclude", &self->excludes);
    self->when_changed = strcmp(host->get_string(config, "when"), "changed") == 0;
    self->one_file_system = host->get_int(config, "one_file_system") != 0;
    self->xattrs = host->get_int(config, "xattrs") != 0;
    const char *links = host->get_string(config, "outside_links");
    self->outside_links = strcmp(links, "keep") == 0     ? FILES_OUTSIDE_KEEP
                          : strcmp(links, "refuse") == 0 ? FILES_OUTSIDE_REFUSE
                                                         : FILES_OUTSIDE_AUTO;
    int code = self->path_count ? HF_OK : host->fail(ctx, HF_E_CONFIG, "'path' names nothing");
    for (size_t i = 0; i < self->path_count && code == HF_OK; i++)
        code = check_path(ctx, self->paths[i]);
    if (code < 0) {
        free(self);
        return code;
    }
    *ret_self = self;
    return HF_OK;
}

static void files_close(void *self)
{
    free(self);
}

/* Only the paths themselves: what lies below is found out by the backup. */
static int files_check(void *arg, struct hf_ctx *ctx)
{
    const struct files *self = arg;
    struct roots roots;
    int code = roots_find(self, ctx, &roots);
    for (size_t i = 0; code == HF_OK && i < roots.count; i++) {
        const char *path = *roots.items[i].path ? roots.items[i].path : "/";
        struct stat st;
        if (lstat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
            faccessat(AT_FDCWD, path, S_ISDIR(st.st_mode) ? R_OK | X_OK : R_OK, AT_EACCESS) < 0) {
            files_errno(host, ctx, "read", path);
            code = host->hint(ctx, "run as a user who may read it");
        }
    }
    roots_clear(&roots);
    return code;
}

static const struct hf_source source = {
    .size = sizeof(struct hf_source),
    .check = files_check,
    .begin = files_begin,
    .next_part = files_next_part,
    .backup_part = files_backup_part,
    .end = files_end,
    .restore_begin = files_restore_begin,
    .restore_select = files_restore_select,
    .restore_part = files_restore_part,
    .restore_end = files_restore_end,
    .verify_begin = files_verify_begin,
    .verify_part = files_verify_part,
    .verify_end = files_verify_end,
};

static const struct hf_plugin plugin = {
    .size = sizeof(struct hf_plugin),
    .kind = HF_SOURCE,
    .name = "files",
    .version = "0.1.0",
    .summary = "folders, files and globs, as one tar",
    .description =
        "Backs up folders, files and globs as one pax tar that any tar program reads. Entries are named by their full "
        "path without the leading '/'. Modes, owners (as numbers), times, symbolic and hard links, extended "
        "attributes, "
        "ACLs, holes, fifos, devices and names in any encoding come back; sockets are left out and reported.\n"
        "\n"
        "A file that changes or vanishes while it is read is reported as a warning. A file that cannot be read is an "
        "error that makes the backup partial.\n"
        "\n"
        "A restore puts the files where they came from, or with --to DIR beneath that folder, under their full paths: "
        "/srv/app comes back as DIR/srv/app. It refuses what exists already. With --replace the new files are built "
        "beside, and then change places with the old, which are kept as NAME.before-ID. --only PATH restores single "
        "files and folders. Owners, set-uid bits and devices need root. Nothing is written outside the target, "
        "whatever "
        "the archive says.",
    .threads = HF_PARALLEL,
    .option_stride = sizeof(struct hf_option),
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .open = files_open,
    .close = files_close,
    .operations = &source,
};

static int init(const struct hf_host *the_host)
{
    host = the_host;
    return HF_OK;
}

static const struct hf_plugin *const plugins[] = {&plugin};
static const struct hf_module module = {
    .size = sizeof(struct hf_module),
    .min_host = 1,
    .license = "Apache-2.0",
    .plugins = plugins,
    .plugin_count = 1,
    .init = init,
};

const struct hf_module *holdfast_module_v1(void)
{
    return &module;
}
