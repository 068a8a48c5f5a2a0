/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger source: an append-only ledger of daily partitions, made of segments of framed records.
 */
#include "ledger.h"

#include "partition.h"
#include "util.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <tar.h>

static const struct hf_host *the_host;

/* Why a path is none for a ledger; NULL: it is one. */
static const char *cannot_be(const char *path, const char *base)
{
    if (strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
        return "does not end in the ledger's name";
    json_t *text = json_string(path); /* the manifest holds it, and knows no other encoding */
    const char *why = text ? NULL : "is not UTF-8";
    json_decref(text);
    return why;
}

static int ledger_open(struct hf_ctx *ctx, const struct hf_config *config, void **ret_self)
{
    const char *path = the_host->get_string(config, "path");
    size_t length = strlen(path);

    while (length && path[length - 1] == '/')
        length--;
    if (!length)
        return the_host->fail(ctx, HF_E_CONFIG, "path '%s' cannot be a ledger", path);
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    char *copy = strndup(path, length);
    if (!ledger || !copy) {
        free(ledger);
        free(copy);
        return the_host->fail(ctx, HF_E_NOMEM, "out of memory");
    }
    const char *slash = strrchr(copy, '/');
    *ledger = (struct ledger){.host = the_host, .path = copy, .base = slash ? slash + 1 : copy};
    const char *why = cannot_be(copy, ledger->base);
    if (why) {
        int code = the_host->fail(ctx, HF_E_CONFIG, "path '%s' %s", TAR_SHOW(copy), why);
        free(copy);
        free(ledger);
        return code;
    }
    *ret_self = ledger;
    return HF_OK;
}

static void ledger_close(void *self)
{
    struct ledger *ledger = self;

    free(ledger->path);
    free(ledger);
}

char *ledger_fact(const char *base, size_t partitions)
{
    json_t *fact = json_pack("{s:s, s:I}", "base", base, "partitions", (json_int_t)partitions);
    char *text = fact ? json_dumps(fact, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    json_decref(fact);
    return text;
}

char *ledger_context(const char *path)
{
    json_t *context = json_pack("{s:s}", "path", path);
    char *text = context ? json_dumps(context, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    json_decref(context);
    return text;
}

/* Can its files be read, and does an open day say which segment is being written? */
static int check_partition(const struct ledger *ledger, struct hf_ctx *ctx, int ledger_fd, const char *name)
{
    const struct hf_host *host = ledger->host;
    struct names names = {0};
    bool segments = false, sealed = false, current = false, gzipped;
    uint32_t ordinal;
    AUTO_FD fd = openat(ledger_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int code = fd < 0 ? -errno : names_list(fd, &names);

    if (code < 0)
        return host->fail(ctx, errno_code(-code), "read partition '%s/%s': %s", ledger->path, name, strerror(-code));
    for (size_t i = 0; i < names.count && code == HF_OK; i++) {
        const char *file = names.items[i];

        if (name_is_left_out(file))
            continue;
        segments |= segment_name_parse(file, &ordinal, &gzipped);
        sealed |= strcmp(file, "_SEALED") == 0;
        current |= strcmp(file, "_CURRENT") == 0;
        if (faccessat(fd, file, R_OK, AT_EACCESS) < 0 && errno != ENOENT) {
            int error = errno;
            code = host->fail(ctx, errno_code(error), "cannot read '%s/%s/%s': %s", ledger->path, name, file,
                              strerror(error));
            host->hint(ctx, "run as a user that may read the ledger");
        }
    }
    names_free(&names);
    if (code == HF_OK && segments && !sealed && !current)
        code =
            host->finding(ctx, HF_WARNING, "no-current", name, "has segments, but no _CURRENT that names the last one");
    return code;
}

int ledger_check(void *self, struct hf_ctx *ctx)
{
    const struct ledger *ledger = self;
    const struct hf_host *host = ledger->host;
    struct names names = {0};
    size_t partitions = 0;
    AUTO_FD fd = open(ledger->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = fd < 0 ? -errno : names_list(fd, &names);

    if (code < 0) {
        code = host->fail(ctx, errno_code(-code), "open ledger '%s': %s", ledger->path, strerror(-code));
        host->hint(ctx, "path must name the folder that holds the daily partitions");
        return code;
    }
    for (size_t i = 0; i < names.count && code == HF_OK; i++) {
        struct stat st;

        if (!partition_name_parse(names.items[i], NULL) || fstatat(fd, names.items[i], &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISDIR(st.st_mode))
            continue;
        partitions++;
        code = check_partition(ledger, ctx, fd, names.items[i]);
    }
    names_free(&names);
    if (code == HF_OK && !partitions)
        code = host->finding(ctx, HF_WARNING, "empty-ledger", ledger->path, "has no partitions");
    return code;
}

static const struct hf_option options[] = {
    {.key = "path",
     .type = HF_PATH,
     .flags = HF_REQUIRED,
     .help = "The ledger's folder, which holds one folder per day; entries of the backup lie under its last component"},
};

static const struct hf_source operations = {
    .size = sizeof(operations),
    .check = ledger_check,
    .begin = ledger_begin,
    .next_part = ledger_next_part,
    .backup_part = ledger_backup_part,
    .end = ledger_end,
    .restore_begin = ledger_restore_begin,
    .restore_select = ledger_restore_select,
    .restore_part = ledger_restore_part,
    .restore_end = ledger_restore_end,
    .verify_begin = ledger_verify_begin,
    .verify_part = ledger_verify_part,
    .verify_end = ledger_verify_end,
};

static const struct hf_plugin plugin = {
    .size = sizeof(plugin),
    .kind = HF_SOURCE,
    .name = "ledger",
    .version = "1.0",
    .summary = "append-only ledger of daily partitions, live or sealed, as tar",
    .description =
        "Backs up a ledger while it is being written. Each partition (one UTC day) is a part of its own. A segment "
        "that is "
        "being appended to is cut at the last whole frame of what was seen, and _CURRENT names a segment that is in "
        "the "
        "backup. Every frame's crc, the sequence of the records, gzipped segments and the manifests of sealed "
        "partitions "
        "are checked on the way: damage is reported as a finding, and the bytes are kept as they are.\n\n"
        "Entries lie under the ledger's base name, so 'tar -xzf ARTIFACT -C /data/' gives /data/ledger. The writer's "
        "_LOCK and temporary files are left out. Links and special files are left out, too, and reported.\n\n"
        "Restore goes to the original place or, with --to DIR, to DIR/NAME, which must be empty or new. --replace "
        "builds "
        "beside, swaps, and keeps the old ledger as NAME.before-ID. --only 2026-01-30 puts single partitions into a "
        "ledger "
        "that has others; with --replace the old ones are kept in its folder _before-ID. In a ledger that is a mount "
        "point, "
        "the same is done within it.",
    .threads = HF_PARALLEL,
    .option_stride = sizeof(struct hf_option),
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .open = ledger_open,
    .close = ledger_close,
    .operations = &operations,
};

static int init(const struct hf_host *host)
{
    the_host = host;
    return HF_OK;
}

static const struct hf_plugin *const plugins[] = {&plugin};

static const struct hf_module module = {
    .size = sizeof(module),
    .min_host = HF_HOST_VERSION,
    .license = "Apache-2.0",
    .plugins = plugins,
    .plugin_count = 1,
    .init = init,
};

const struct hf_module *holdfast_module_v1(void)
{
    return &module;
}
