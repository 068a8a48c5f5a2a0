/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink in a folder, that does as it should until the call that it is told about; then it stalls, fails, is away, or
 * gives wrong bytes. For the tests of several sinks.
 */
#include <holdfast/plugin.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct hf_host *host;

struct odd {
    const struct hf_config *config;
    const char *path;
    atomic_int calls; /* of the kind that it is told about */
};

struct put {
    struct odd *odd;
    int fd;
    char key[256], temporary[600], final[600];
};

struct get {
    struct odd *odd;
    int fd;
    uint64_t left;
    int bounded;
    char key[256];
};

static int ends(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);

    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* The call `at`, about `key`: HF_OK: as it should; HF_END: give wrong bytes. */
static int odd_turn(struct odd *odd, struct hf_ctx *ctx, const char *at, const char *key)
{
    const char *what = host->get_string(odd->config, "what"), *suffix = host->get_string(odd->config, "key");
    int64_t left = host->get_int(odd->config, "time");

    if (strcmp(host->get_string(odd->config, "at"), at) != 0 || (suffix != NULL && !ends(key, suffix)))
        return HF_OK;
    if (atomic_fetch_add(&odd->calls, 1) < host->get_int(odd->config, "after"))
        return HF_OK;
    if (strcmp(what, "fail") == 0)
        return host->fail(ctx, HF_E_IO, "%s '%s' fails, as it was told to", at, key);
    if (strcmp(what, "away") == 0)
        return host->fail(ctx, HF_E_UNREACHABLE, "nobody answers at %s '%s'", at, key);
    if (strcmp(what, "flip") == 0)
        return HF_END;
    if (!host->get_int(odd->config, "stubborn"))
        return host->sleep_ms(ctx, left);
    for (; left > 0; left -= 20)
        usleep(20 * 1000);
    return HF_OK;
}

static void name_it(const struct odd *odd, const char *key, char *out, size_t size)
{
    snprintf(out, size, "%s/%.240s", odd->path, key);
}

static int fail_errno(struct hf_ctx *ctx, const char *what, const char *path)
{
    return host->fail(ctx,
                      errno == ENOENT   ? HF_E_NOTFOUND
                      : errno == EEXIST ? HF_E_EXISTS
                                        : HF_E_IO,
                      "%s '%s': %s", what, path, strerror(errno));
}

static int odd_open(struct hf_ctx *ctx, const struct hf_config *config, void **ret_self)
{
    struct odd *odd = calloc(1, sizeof(*odd));

    if (odd == NULL)
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    odd->config = config;
    odd->path = host->get_string(config, "path");
    *ret_self = odd;
    return HF_OK;
}

static int odd_begin(void *self, struct hf_ctx *ctx, const struct hf_put_request *request, void **ret_put)
{
    struct odd *odd = self;
    struct put *put;
    int rc = odd_turn(odd, ctx, "begin", request->key);

    if (rc < 0)
        return rc;
    put = calloc(1, sizeof(*put));
    if (put == NULL)
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    put->odd = odd;
    snprintf(put->key, sizeof(put->key), "%s", request->key);
    name_it(odd, request->key, put->final, sizeof(put->final));
    snprintf(put->temporary, sizeof(put->temporary), "%s/.odd.%.240s", odd->path, request->key);
    put->fd = open(put->temporary, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (put->fd < 0) {
        rc = fail_errno(ctx, "make", put->temporary);
        free(put);
        return rc;
    }
    *ret_put = put;
    return HF_OK;
}

static int odd_write(void *opaque, struct hf_ctx *ctx, const struct hf_block *block)
{
    struct put *put = opaque;
    int rc = odd_turn(put->odd, ctx, "write", put->key);

    if (rc < 0)
        return rc;
    for (size_t at = 0; at < block->used;) {
        ssize_t written = write(put->fd, block->data + at, block->used - at);

        if (written < 0)
            return fail_errno(ctx, "write", put->temporary);
        at += (size_t)written;
    }
    return rc == HF_END && pwrite(put->fd, "!", 1, 0) != 1 ? fail_errno(ctx, "write", put->temporary) : HF_OK;
}

static int odd_prepare(void *opaque, struct hf_ctx *ctx)
{
    struct put *put = opaque;

    return odd_turn(put->odd, ctx, "prepare", put->key);
}

static void odd_abort(void *opaque, struct hf_ctx *ctx)
{
    struct put *put = opaque;

    (void)odd_turn(put->odd, ctx, "abort", put->key);
    close(put->fd);
    unlink(put->temporary);
    free(put);
}

static int odd_commit(void *opaque, struct hf_ctx *ctx)
{
    struct put *put = opaque;
    int rc = odd_turn(put->odd, ctx, "commit", put->key);

    if (rc < 0)
        return rc;
    if (link(put->temporary, put->final) != 0)
        return fail_errno(ctx, "link", put->final);
    close(put->fd);
    unlink(put->temporary);
    free(put);
    return HF_OK;
}

static int odd_get_begin(void *self, struct hf_ctx *ctx, const char *key, uint64_t offset, uint64_t length,
                         void **ret_get)
{
    struct odd *odd = self;
    struct get *get;
    char path[600];
    int rc = odd_turn(odd, ctx, "get", key);

    if (rc < 0)
        return rc;
    name_it(odd, key, path, sizeof(path));
    get = calloc(1, sizeof(*get));
    if (get == NULL)
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    get->odd = odd;
    get->left = length;
    get->bounded = length != UINT64_MAX;
    snprintf(get->key, sizeof(get->key), "%s", key);
    get->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (get->fd < 0 || lseek(get->fd, (off_t)offset, SEEK_SET) < 0) {
        rc = fail_errno(ctx, "open", path);
        free(get);
        return rc;
    }
    *ret_get = get;
    return HF_OK;
}

static int64_t odd_read(void *opaque, struct hf_ctx *ctx, void *data, size_t size)
{
    struct get *get = opaque;
    ssize_t got;
    int rc = odd_turn(get->odd, ctx, "read", get->key);

    if (rc < 0)
        return rc;
    got = read(get->fd, data, size < get->left ? size : (size_t)get->left);
    if (got < 0)
        return fail_errno(ctx, "read", get->key);
    if (got == 0 && get->bounded && get->left > 0)
        return host->fail(ctx, HF_E_CORRUPT, "'%s' ends early", get->key);
    if (get->bounded)
        get->left -= (uint64_t)got;
    if (rc == HF_END && got > 0)
        ((char *)data)[got / 2] ^= 1;
    return got;
}

static void odd_get_end(void *opaque)
{
    struct get *get = opaque;

    close(get->fd);
    free(get);
}

static int odd_stat(void *self, struct hf_ctx *ctx, const char *key, struct hf_object *object)
{
    struct stat st;
    char path[600];
    int rc = odd_turn(self, ctx, "stat", key);

    if (rc < 0)
        return rc;
    name_it(self, key, path, sizeof(path));
    if (stat(path, &st) != 0)
        return fail_errno(ctx, "look at", path);
    object->key = key;
    object->bytes = (uint64_t)st.st_size;
    object->modified_ms = (int64_t)st.st_mtim.tv_sec * 1000;
    return HF_OK;
}

static int odd_list(void *self, struct hf_ctx *ctx, const char *prefix, int (*each)(void *, const struct hf_object *),
                    void *arg)
{
    struct odd *odd = self;
    struct dirent **entries = NULL;
    int count, rc = odd_turn(odd, ctx, "list", prefix);

    if (rc < 0)
        return rc;
    count = scandir(odd->path, &entries, NULL, alphasort);
    if (count < 0)
        return host->fail(ctx, HF_E_UNREACHABLE, "list '%s': %s", odd->path, strerror(errno));
    for (int i = 0; i < count; i++) {
        struct hf_object object = {.size = sizeof(object), .key = entries[i]->d_name};
        struct stat st;
        char path[600];

        name_it(odd, entries[i]->d_name, path, sizeof(path));
        if (rc == HF_OK && strncmp(entries[i]->d_name, prefix, strlen(prefix)) == 0 && stat(path, &st) == 0) {
            object.bytes = (uint64_t)st.st_size;
            object.modified_ms = (int64_t)st.st_mtim.tv_sec * 1000;
            rc = each(arg, &object);
        }
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static int odd_remove(void *self, struct hf_ctx *ctx, const char *key)
{
    char path[600];
    int rc = odd_turn(self, ctx, "remove", key);

    if (rc < 0)
        return rc;
    name_it(self, key, path, sizeof(path));
    return unlink(path) == 0 || errno == ENOENT ? HF_OK : fail_errno(ctx, "remove", path);
}

static int odd_sweep(void *self, struct hf_ctx *ctx, const char *prefix, int64_t older_than_ms)
{
    struct odd *odd = self;
    struct dirent **entries = NULL;
    int count, rc = odd_turn(odd, ctx, "sweep", prefix);
    char begins[300];

    (void)older_than_ms;
    if (rc < 0)
        return rc;
    snprintf(begins, sizeof(begins), ".odd.%s", prefix);
    count = scandir(odd->path, &entries, NULL, alphasort);
    if (count < 0)
        return host->fail(ctx, HF_E_UNREACHABLE, "list '%s': %s", odd->path, strerror(errno));
    for (int i = 0; i < count; i++) {
        char path[600];

        name_it(odd, entries[i]->d_name, path, sizeof(path));
        if (strncmp(entries[i]->d_name, begins, strlen(begins)) == 0)
            unlink(path);
        free(entries[i]);
    }
    free(entries);
    return HF_OK;
}

static void odd_locate(void *self, const char *key, char *text, size_t size)
{
    name_it(self, key, text, size);
}

static const struct hf_sink odd_operations = {
    .size = sizeof(struct hf_sink),
    .put_begin = odd_begin,
    .put_write = odd_write,
    .put_prepare = odd_prepare,
    .put_commit = odd_commit,
    .put_abort = odd_abort,
    .get_begin = odd_get_begin,
    .get_read = odd_read,
    .get_end = odd_get_end,
    .stat = odd_stat,
    .list = odd_list,
    .remove = odd_remove,
    .sweep = odd_sweep,
    .locate = odd_locate,
};

static const struct hf_option odd_options[] = {
    {"path", HF_PATH, HF_REQUIRED, NULL, NULL, "the folder", 0, 0},
    {"at", HF_STRING, 0, "nothing", NULL,
     "begin, write, prepare, commit, abort, get, read, stat, list, remove or sweep: the call that goes wrong", 0, 0},
    {"what", HF_ENUM, 0, "fail", "fail|away|stall|flip", "how", 0, 0},
    {"key", HF_STRING, 0, NULL, NULL, "only about keys that end so", 0, 0},
    {"after", HF_INT, 0, "0", NULL, "how many such calls are right", 0, 1000000},
    {"time", HF_DURATION, 0, "30s", NULL, "how long it stalls", 0, 0},
    {"stubborn", HF_BOOL, 0, "no", NULL, "and does not listen meanwhile", 0, 0},
};

static const struct hf_plugin odd_plugin = {
    .size = sizeof(struct hf_plugin),
    .kind = HF_SINK,
    .name = "odd",
    .version = "1.0",
    .summary = "wrong on purpose",
    .description = "For tests.",
    .threads = HF_PARALLEL,
    .option_stride = sizeof(struct hf_option),
    .options = odd_options,
    .option_count = sizeof(odd_options) / sizeof(odd_options[0]),
    .open = odd_open,
    .close = free,
    .operations = &odd_operations,
};

static const struct hf_plugin *const odd_plugins[] = {&odd_plugin};

static int odd_init(const struct hf_host *the_host)
{
    host = the_host;
    return HF_OK;
}

static const struct hf_module odd_module = {
    .size = sizeof(struct hf_module),
    .min_host = 1,
    .license = "Apache-2.0",
    .plugins = odd_plugins,
    .plugin_count = 1,
    .init = odd_init,
};

HF_EXPORT const struct hf_module *holdfast_module_v1(void);
const struct hf_module *holdfast_module_v1(void)
{
    return &odd_module;
}
