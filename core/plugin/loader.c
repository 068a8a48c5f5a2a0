/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/loader.h"

#include "base/file.h"
#include "base/log.h"
#include "plugin/host.h"
#include "plugin/vet.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const kind_names[] = {[HF_SOURCE] = "source", [HF_STAGE] = "stage", [HF_SINK] = "sink",
                                         [HF_NOTIFIER] = "notifier"};

/* What this process has loaded: modules are process-wide by nature. */
static struct {
    pthread_mutex_t lock; /* guards all of it */
    struct hf_strings folders;
    struct hf_loaded **items;
    size_t count;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

const char *hf_kind_text(uint32_t kind)
{
    return kind < HF_COUNT(kind_names) && kind_names[kind] ? kind_names[kind] : "plugin";
}

uint32_t hf_kind_parse(const char *text)
{
    for (uint32_t kind = HF_SOURCE; kind < HF_COUNT(kind_names); kind++)
        if (strcmp(text, kind_names[kind]) == 0)
            return kind;
    return 0;
}

static bool exists(const char *folder, const char *name)
{
    hf_auto_free char *path = hf_path_join(folder, name);

    return access(path, F_OK) == 0;
}

void hf_loader_set_path(const struct hf_strings *settings_path)
{
    const char *env = getenv("HOLDFAST_PLUGIN_PATH");
    char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

    pthread_mutex_lock(&registry.lock);
    hf_strings_clear(&registry.folders);
    while (env != NULL && *env != '\0') {
        size_t part = strcspn(env, ":");

        if (part > 0)
            hf_strings_take(&registry.folders, hf_strndup(env, part));
        env += part + (env[part] == ':');
    }
    for (size_t i = 0; settings_path != NULL && i < settings_path->count; i++)
        hf_strings_add(&registry.folders, settings_path->items[i]);
    if (length > 0) {
        hf_auto_free char *tree = NULL;
        char *slash;

        program[length] = '\0';
        slash = strrchr(program, '/');
        if (slash != NULL)
            *slash = '\0';
        tree = hf_path_join(program, "..");
        if (exists(tree, "CMakeCache.txt"))
            hf_strings_take(&registry.folders, hf_path_join(tree, "plugins"));
        else
            hf_strings_take(&registry.folders, hf_path_join(tree, HOLDFAST_LIBDIR "/holdfast/plugins"));
    }
    hf_strings_add(&registry.folders, HOLDFAST_PLUGIN_DIR);
    pthread_mutex_unlock(&registry.lock);
}

/* A file that anybody may write would let anybody run code as whoever makes the backups. */
static int vet_file(struct hf_ctx *ctx, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return hf_fail_errno(ctx, errno, "open");
    if (!S_ISREG(st.st_mode))
        return hf_fail(ctx, HF_E_UNSUPPORTED, "not a regular file");
    if (st.st_mode & S_IWOTH) {
        hf_fail(ctx, HF_E_REFUSED, "everybody may write to it");
        return hf_hint(ctx, "chmod o-w '%s', after a look at what is in it", path);
    }
    return HF_OK;
}

static struct hf_loaded *find_loaded(const char *path, uint32_t kind, const char *name)
{
    for (size_t i = 0; i < registry.count; i++) {
        struct hf_loaded *item = registry.items[i];

        if (strcmp(item->path, path) == 0 &&
            (name == NULL || (item->plugin.kind == kind && strcmp(item->plugin.name, name) == 0)))
            return item;
    }
    return NULL;
}

static void add_loaded(struct hf_loaded *item)
{
    registry.items = hf_realloc_array(registry.items, registry.count + 1, sizeof(*registry.items));
    registry.items[registry.count++] = item;
}

/* Loads a module and adds all of its plugins. The lock is held. */
static int load_module(struct hf_ctx *ctx, const char *path)
{
    struct hf_module module;
    const struct hf_module *(*entry)(void);
    pthread_mutex_t *module_lock;
    struct hf_loaded *loaded;
    void *handle;
    int rc = vet_file(ctx, path);

    if (rc != HF_OK)
        return rc;
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return hf_fail(ctx, HF_E_UNSUPPORTED, "load: %s", dlerror());
    *(void **)&entry = dlsym(handle, "holdfast_module_v1");
    if (entry == NULL) {
        hf_fail(ctx, HF_E_UNSUPPORTED, "it does not export holdfast_module_v1");
        return hf_hint(ctx, "it is no Holdfast plugin, or one for another major version of the plugin interface");
    }
    rc = hf_vet_module(ctx, entry(), &module);
    if (rc != HF_OK)
        return rc;
    loaded = hf_alloc_array(module.plugin_count, sizeof(*loaded));
    for (size_t i = 0; i < module.plugin_count && rc == HF_OK; i++)
        rc = hf_vet_plugin(ctx, module.plugins[i], &loaded[i]);
    if (rc == HF_OK) {
        rc = module.init(hf_host_table());
        if (rc < 0)
            hf_fail(ctx, rc, "its init() failed with code %d", rc);
    }
    if (rc < 0) {
        free(loaded);
        return rc;
    }
    module_lock = hf_alloc(sizeof(*module_lock));
    pthread_mutex_init(module_lock, NULL);
    for (size_t i = 0; i < module.plugin_count; i++) {
        struct hf_loaded *item = hf_alloc(sizeof(*item));

        *item = loaded[i];
        item->path = hf_strdup(path);
        item->license = hf_strdup(module.license ? module.license : "unknown");
        item->module_lock = module_lock;
        add_loaded(item);
    }
    free(loaded);
    return HF_OK;
}

/* "source-sqlite.so" → "source", "sqlite". False for any other name. */
static bool split_file_name(const char *file, uint32_t *ret_kind, char **ret_name)
{
    for (uint32_t kind = HF_SOURCE; kind < HF_COUNT(kind_names); kind++) {
        size_t length = strlen(kind_names[kind]);

        if (strncmp(file, kind_names[kind], length) == 0 && file[length] == '-' && hf_text_ends(file, ".so") &&
            strlen(file) > length + 4) {
            *ret_kind = kind;
            *ret_name = hf_strndup(file + length + 1, strlen(file) - length - 4);
            return true;
        }
    }
    return false;
}

/* Calls each() for every module file in the folders; a name in an earlier folder hides the same one in a later. */
static void each_module(void (*each)(void *arg, const char *path, uint32_t kind, const char *name), void *arg)
{
    hf_auto_strings struct hf_strings seen = {0};

    for (size_t i = 0; i < registry.folders.count; i++) {
        DIR *dir = opendir(registry.folders.items[i]);
        struct dirent *entry;

        while (dir != NULL && (entry = readdir(dir)) != NULL) {
            hf_auto_free char *name = NULL, *path = NULL;
            uint32_t kind;

            if (!split_file_name(entry->d_name, &kind, &name) || hf_strings_have(&seen, entry->d_name))
                continue;
            hf_strings_add(&seen, entry->d_name);
            path = hf_path_join(registry.folders.items[i], entry->d_name);
            each(arg, path, kind, name);
        }
        if (dir != NULL)
            closedir(dir);
    }
}

struct wanted {
    uint32_t kind;
    const char *name;
    char *path; /* found */
    struct hf_strings others; /* names of the same kind */
};

static void look_for(void *arg, const char *path, uint32_t kind, const char *name)
{
    struct wanted *wanted = arg;

    if (kind != wanted->kind)
        return;
    if (strcmp(name, wanted->name) == 0 && wanted->path == NULL)
        wanted->path = hf_strdup(path);
    hf_strings_add(&wanted->others, name);
}

static int fail_not_found(struct hf_ctx *ctx, const struct wanted *wanted)
{
    hf_auto_text struct hf_text folders = {0};
    const char *near =
        hf_text_nearest(wanted->name, (const char *const *)wanted->others.items, wanted->others.count);

    for (size_t i = 0; i < registry.folders.count; i++)
        hf_text_addf(&folders, "%s%s", i ? ", " : "", registry.folders.items[i]);
    hf_fail(ctx, HF_E_NOTFOUND, "no %s plugin '%s' (searched %s)", hf_kind_text(wanted->kind), wanted->name,
            folders.data);
    if (near != NULL)
        return hf_hint(ctx, "did you mean '%s'?", near);
    return hf_hint(ctx, "see which there are with: holdfast plugin list");
}

int hf_loader_find(struct hf_ctx *ctx, uint32_t kind, const char *name, const struct hf_loaded **ret_loaded)
{
    struct wanted wanted = {.kind = kind, .name = name};
    struct hf_loaded *item = NULL;
    int rc = HF_OK;

    pthread_mutex_lock(&registry.lock);
    each_module(look_for, &wanted);
    if (wanted.path == NULL) {
        rc = fail_not_found(ctx, &wanted);
    } else {
        if (find_loaded(wanted.path, 0, NULL) == NULL)
            rc = load_module(ctx, wanted.path);
        if (rc == HF_OK && (item = find_loaded(wanted.path, kind, name)) == NULL)
            rc = hf_fail(ctx, HF_E_UNSUPPORTED, "it holds no %s plugin named '%s'", hf_kind_text(kind), name);
        if (rc != HF_OK)
            hf_wrap(ctx, "plugin module '%s'", wanted.path);
    }
    pthread_mutex_unlock(&registry.lock);
    free(wanted.path);
    hf_strings_clear(&wanted.others);
    if (rc == HF_OK)
        *ret_loaded = item;
    return rc;
}

static void load_each(void *arg, const char *path, uint32_t kind, const char *name)
{
    struct hf_ctx ctx = {0};

    (void)arg, (void)kind, (void)name;
    if (find_loaded(path, 0, NULL) == NULL && load_module(&ctx, path) != HF_OK)
        hf_log(HF_LOG_WARNING, NULL, "plugin module '%s' is left out: %s", path, ctx.error.text);
    hf_error_clear(&ctx.error);
}

static int compare_loaded(const void *a, const void *b)
{
    const struct hf_loaded *x = *(const struct hf_loaded *const *)a, *y = *(const struct hf_loaded *const *)b;

    if (x->plugin.kind != y->plugin.kind)
        return x->plugin.kind < y->plugin.kind ? -1 : 1;
    return strcmp(x->plugin.name, y->plugin.name);
}

int hf_loader_all(struct hf_ctx *ctx, const struct hf_loaded ***ret_items, size_t *ret_count)
{
    const struct hf_loaded **items;

    (void)ctx;
    pthread_mutex_lock(&registry.lock);
    each_module(load_each, NULL);
    items = hf_alloc_array(registry.count + 1, sizeof(*items));
    for (size_t i = 0; i < registry.count; i++)
        items[i] = registry.items[i];
    *ret_count = registry.count;
    pthread_mutex_unlock(&registry.lock);
    if (*ret_count > 1)
        qsort(items, *ret_count, sizeof(*items), compare_loaded);
    *ret_items = items;
    return HF_OK;
}
