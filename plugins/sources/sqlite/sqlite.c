/* SPDX-License-Identifier: Apache-2.0
 *
 * The sqlite source: live SQLite databases, each as an ordinary database file.
 */
#include "sqlite.h"

#include <string.h>

const struct hf_host *sq_host;

static const struct hf_option options[] = {
    {.key = "path",
     .type = HF_LIST,
     .flags = HF_REQUIRED,
     .help = "absolute paths of database files, and globs, e.g. /data/**/*.db; '**' stands for folders of any depth, "
             "hidden ones and links to "
             "folders are left out, and so are files that end in -wal, -shm or -journal"},
    {.key = "exclude",
     .type = HF_LIST,
     .help = "globs of databases to leave out; one without '/' is compared with the file's name, others with its path"},
    {.key = "on_error",
     .type = HF_ENUM,
     .dflt = "fail",
     .choices = "fail|skip",
     .help = "what a database that cannot be backed up means: the backup fails, or goes on without it and is partial "
             "(exit code 3)"},
    {.key = "busy_timeout",
     .type = HF_DURATION,
     .dflt = "10s",
     .help = "how long to wait for a database that another process has locked",
     .min = 0,
     .max = 86400000},
    {.key = "check",
     .type = HF_ENUM,
     .dflt = "quick",
     .choices = "none|quick|full",
     .help = "how the copy is checked before it is stored: not at all, with SQLite's quick_check, or with its "
             "integrity_check, which takes about three times as long and also compares indexes with their tables"},
    {.key = "cache_size",
     .type = HF_SIZE,
     .dflt = "4M",
     .help =
         "most memory for pages of one open database; a backup has two open at once, verify and restore one for each "
         "database being checked",
     .min = 64 << 10,
     .max = 1 << 30},
    {.key = "step_size",
     .type = HF_SIZE,
     .dflt = "4M",
     .help = "how much of a database that is not in WAL mode is copied before its writers get their turn",
     .min = 64 << 10,
     .max = 1 << 30},
};

static enum sq_level level_of(const char *word)
{
    if (!strcmp(word, "none"))
        return SQ_CHECK_NONE;
    return strcmp(word, "full") ? SQ_CHECK_QUICK : SQ_CHECK_FULL;
}

static int open_source(struct hf_ctx *ctx, const struct hf_config *config, void **ret_self)
{
    struct sq_source *source = calloc(1, sizeof(*source));
    if (!source)
        return sq_host->fail(ctx, HF_E_NOMEM, "out of memory");
    source->path_count = sq_host->get_list(config, "path", &source->paths);
    source->exclude_count = sq_host->get_list(config, "exclude", &source->excludes);
    source->busy_timeout_ms = sq_host->get_int(config, "busy_timeout");
    source->cache_bytes = sq_host->get_int(config, "cache_size");
    source->step_bytes = sq_host->get_int(config, "step_size");
    source->check = level_of(sq_host->get_string(config, "check"));
    source->skip = !strcmp(sq_host->get_string(config, "on_error"), "skip");
    int result = source->path_count > 0 ? HF_OK : sq_host->fail(ctx, HF_E_CONFIG, "'path' names no database");
    for (size_t i = 0; i < source->path_count && result == HF_OK; i++) {
        if (source->paths[i][0] == '/')
            continue;
        (void)sq_host->fail(ctx, HF_E_CONFIG, "path '%s' is not absolute", source->paths[i]);
        result = sq_host->hint(ctx, "write it from '/' on: a restore must find the same place from anywhere");
    }
    if (result == HF_OK)
        *ret_self = source;
    else
        free(source);
    return result;
}

static void close_source(void *self)
{
    free(self);
}

static const struct hf_source operations = {
    .size = sizeof(struct hf_source),
    .check = sq_check,
    .begin = sq_begin,
    .next_part = sq_next_part,
    .backup_part = sq_backup_part,
    .end = sq_end,
    .restore_begin = sq_restore_begin,
    .restore_select = sq_restore_select,
    .restore_part = sq_restore_part,
    .restore_end = sq_restore_end,
    .verify_begin = sq_verify_begin,
    .verify_part = sq_verify_part,
    .verify_end = sq_verify_end,
};

static const struct hf_plugin plugin = {
    .size = sizeof(struct hf_plugin),
    .kind = HF_SOURCE,
    .name = "sqlite",
    .version = "1.0.0",
    .summary = "live SQLite databases, each as an ordinary database file",
    .description =
        "Copies each database with SQLite's online backup API, so that the artifact is consistent while the "
        "application "
        "goes on writing. A database in WAL mode is copied from one snapshot and its writers never wait; the original "
        "is "
        "neither checkpointed nor changed. In other modes writers wait for one step of the copy at a time; when they "
        "make it start over more than three times, they wait until it is done.\n\n"
        "Each database becomes one artifact, PROFILE_NAME_TIME.db, where NAME is the file's name without its last "
        "extension, with '-' for every byte but letters, digits, '.' and '-'. Databases of the same name in several "
        "folders have the names of their folders in front. The copy is made in the run's temporary folder, which needs "
        "room for the largest database, and for two when there are several.\n\n"
        "Verifying decodes each database to a temporary file, runs SQLite's integrity_check and compares page size and "
        "count, the schema's digest, user_version, application_id and the rows of every table with what the backup "
        "recorded.\n\n"
        "Restoring writes a hidden file beside the target, checks it, syncs it and renames it. --only takes artifact "
        "names, file names and original paths. A target that exists is refused without --replace; with it, the old "
        "database and its -wal or -journal are kept as NAME.before-ID. A process that still has the old database open "
        "is named and must be restarted, because what it writes goes to the old file.",
    .threads = HF_PARALLEL,
    .option_stride = sizeof(struct hf_option),
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .open = open_source,
    .close = close_source,
    .operations = &operations,
};

static const struct hf_plugin *const plugins[] = {&plugin};

static int init(const struct hf_host *host)
{
    sq_host = host;
    return HF_OK;
}

static const struct hf_module module = {
    .size = sizeof(struct hf_module),
    .min_host = 1,
    .license = "Apache-2.0",
    .plugins = plugins,
    .plugin_count = sizeof(plugins) / sizeof(*plugins),
    .init = init,
};

const struct hf_module *holdfast_module_v1(void)
{
    return &module;
}
