/* SPDX-License-Identifier: Apache-2.0
 *
 * The dir sink: objects are files of a folder.
 */
#include "dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { LITTLE_SPACE_PERCENT = 10, OWNER_MAX = 200 };

const struct hf_host *dir_host;

static const struct hf_option options[] = {
    {.key = "path", .type = HF_PATH, .flags = HF_REQUIRED, .help = "folder that holds the backups"},
    {.key = "create",
     .type = HF_BOOL,
     .dflt = "no",
     .help = "make the folder when it is missing; without it a missing folder is an error, so that a disk that is not "
             "mounted is noticed"},
    {.key = "mode", .type = HF_STRING, .dflt = "0640", .help = "permissions of the files, in octal"},
    {.key = "owner",
     .type = HF_STRING,
     .help =
         "USER, USER:GROUP or :GROUP, by name or number, to whom the files are given; needs root. Unset: whoever runs "
         "Holdfast"},
    {.key = "reserve",
     .type = HF_STRING,
     .help =
         "space of the file system to leave free, as a share (10%) or a size (20G): a backup that would need it, going "
         "by the size of the previous one, is refused before it begins, and one that grows into it fails"},
};

static void sink_close(void *opaque)
{
    struct dir *self = opaque;
    if (!self)
        return;
    dir_unlock(self);
    free(self->path);
    free(self->owner);
    pthread_mutex_destroy(&self->room);
    free(self);
}

static int parse_mode(struct hf_ctx *ctx, const char *text, mode_t *ret_mode)
{
    char *end = NULL;
    unsigned long mode = strtoul(text, &end, 8);
    if (*text < '0' || *text > '7' || *end || mode > 0777)
        return dir_host->fail(ctx, HF_E_CONFIG, "mode '%s' is not three octal digits, like 0640", text);
    if (!(mode & 0400))
        return dir_host->fail(ctx, HF_E_CONFIG, "mode '%s' would keep the owner from reading the backups", text);
    *ret_mode = (mode_t)mode;
    return HF_OK;
}

static int parse_owner(struct dir *self, struct hf_ctx *ctx, const char *text)
{
    const char *colon = strchr(text, ':');
    if (!*text || strlen(text) > OWNER_MAX || (colon && (!colon[1] || strchr(colon + 1, ':'))))
        return dir_host->fail(ctx, HF_E_CONFIG, "owner '%s' is not USER, USER:GROUP or :GROUP", text);
    self->owner = strdup(text);
    return self->owner ? HF_OK : dir_host->fail(ctx, HF_E_NOMEM, "out of memory");
}

static int sink_open(struct hf_ctx *ctx, const struct hf_config *config, void **ret_self)
{
    struct dir *self = calloc(1, sizeof(*self));
    if (self) {
        pthread_mutex_init(&self->room, NULL);
        self->lock = self->lock_folder = -1;
        self->path = strdup(dir_host->get_string(config, "path"));
    }
    if (!self || !self->path) {
        sink_close(self);
        return dir_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    self->create = dir_host->get_int(config, "create") != 0;
    const char *owner = dir_host->get_string(config, "owner"), *reserve = dir_host->get_string(config, "reserve");
    int status = parse_mode(ctx, dir_host->get_string(config, "mode"), &self->mode);
    if (status == HF_OK && owner)
        status = parse_owner(self, ctx, owner);
    if (status == HF_OK && reserve)
        status = dir_reserve_parse(self, ctx, reserve);
    if (status != HF_OK) {
        sink_close(self);
        return status;
    }
    *ret_self = self;
    return HF_OK;
}

/* Makes a file that is gone with its descriptor, or nearly. */
static int try_writing(const struct dir *self, struct hf_ctx *ctx, int folder)
{
    char name[DIR_PARTIAL_NAME_MAX + 1];
    int fd = openat(folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)) {
        int status = dir_partial_name(ctx, "check", name);
        if (status != HF_OK)
            return status;
        fd = openat(folder, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        bool made = fd >= 0;
        int error = errno;
        dir_close(&fd); /* before the name goes, as over NFS it would only change otherwise */
        if (!made)
            return dir_fail(self, ctx, error, "write into", NULL);
        return unlinkat(folder, name, 0) == 0 ? HF_OK : dir_fail(self, ctx, errno, "remove", name);
    }
    if (fd < 0)
        return dir_fail(self, ctx, errno, "write into", NULL);
    dir_close(&fd);
    return HF_OK;
}

static int report_space(const struct dir *self, struct hf_ctx *ctx, int folder)
{
    struct statvfs fs;
    if (fstatvfs(folder, &fs) != 0)
        return dir_fail(self, ctx, errno, "ask for the free space of", NULL);
    if (fs.f_blocks == 0 || fs.f_bavail * 100 / fs.f_blocks >= LITTLE_SPACE_PERCENT)
        return HF_OK;
    return dir_host->finding(ctx, HF_WARNING, "little-space", self->path, "only %llu %% (%llu MiB) of '%s' are free",
                             (unsigned long long)(fs.f_bavail * 100 / fs.f_blocks),
                             (unsigned long long)(fs.f_bavail * fs.f_frsize >> 20), self->path);
}

static int sink_check(void *opaque, struct hf_ctx *ctx)
{
    const struct dir *self = opaque;
    uid_t user;
    gid_t group;
    int folder = -1;
    int status = self->owner ? dir_owner_find(self, ctx, &user, &group) : HF_OK;
    if (status == HF_OK)
        status = dir_folder_open(self, ctx, &folder);
    if (status == HF_E_NOTFOUND)
        return dir_host->finding(ctx, HF_INFO, "folder-missing", self->path, "the first backup will make '%s'",
                                 self->path);
    if (status == HF_OK)
        status = try_writing(self, ctx, folder);
    if (status == HF_OK)
        status = dir_reserve_check(self, ctx, folder, 0, HF_E_REFUSED);
    if (status == HF_OK)
        status = report_space(self, ctx, folder);
    dir_close(&folder);
    return status;
}

static void sink_locate(void *opaque, const char *key, char *text, size_t size)
{
    const struct dir *self = opaque;
    snprintf(text, size, "%s/%s", self->path, key);
}

static const struct hf_sink operations = {
    .size = sizeof(struct hf_sink),
    .check = sink_check,
    .put_begin = dir_put_begin,
    .put_write = dir_put_write,
    .put_prepare = dir_put_prepare,
    .put_commit = dir_put_commit,
    .put_abort = dir_put_abort,
    .get_begin = dir_get_begin,
    .get_read = dir_get_read,
    .get_end = dir_get_end,
    .stat = dir_stat,
    .list = dir_list,
    .remove = dir_remove,
    .sweep = dir_sweep,
    .locate = sink_locate,
    .expect = dir_expect,
};

static const struct hf_plugin plugin = {
    .size = sizeof(struct hf_plugin),
    .kind = HF_SINK,
    .name = "dir",
    .version = "1.0.0",
    .summary = "store backups as files of a folder",
    .description =
        "Each object is one file. While it is written it has a hidden name that begins with '" DIR_PARTIAL_PREFIX "'; "
        "when it is complete it is flushed to the disk, renamed without ever replacing another file, and the folder is "
        "flushed, too. What a crashed run leaves is removed by the next. A hidden file, '" DIR_LOCK_PREFIX
        "PROFILE_', is "
        "locked while a run writes, so that runs of several users or machines do not take away each other's files. "
        "Large objects do not stay in the page cache, neither when they are written nor when they are read: it belongs "
        "to the machine's other programs, and what is verified comes from the disk.\n\n"
        "The folder may be a mounted disk or network share; over NFS, where no rename can promise not to replace a "
        "file, objects "
        "become visible by a hard link. When it is missing nothing is written, unless create says "
        "otherwise; when it disappears or is replaced during a backup, the backup fails. Other files in the folder are "
        "left alone.",
    .threads = HF_PARALLEL,
    .option_stride = sizeof(struct hf_option),
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .open = sink_open,
    .close = sink_close,
    .operations = &operations,
};

static int init(const struct hf_host *host)
{
    dir_host = host;
    return HF_OK;
}

const struct hf_module *holdfast_module_v1(void)
{
    static const struct hf_plugin *const plugins[] = {&plugin};
    static const struct hf_module module = {
        .size = sizeof(struct hf_module),
        .min_host = 1,
        .license = "Apache-2.0",
        .plugins = plugins,
        .plugin_count = 1,
        .init = init,
    };
    return &module;
}
