/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole source plugin, as small as one can be that does everything: it backs up a greeting. Compile with
 *   cc -shared -fPIC $(pkg-config --cflags holdfast) -o source-hello.so source-hello.c
 */
#define _POSIX_C_SOURCE 200809L
#include <holdfast/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct hf_host *host;

static const struct hf_option options[] = {
    {.key = "text", .type = HF_STRING, .dflt = "hello, world", .help = "what to say"},
};

/* An instance: all that one profile's [source] section says. */
struct hello {
    const char *text; /* lives as long as the config */
};

static int hello_open(struct hf_ctx *ctx, const struct hf_config *config, void **ret_self)
{
    struct hello *hello = calloc(1, sizeof(*hello));
    if (!hello)
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    hello->text = host->get_string(config, "text");
    *ret_self = hello;
    return HF_OK;
}

static void hello_close(void *self)
{
    free(self);
}

/* Backup: one artifact of one part. */
struct backup {
    const struct hello *hello;
    int listed;
};

static int begin(void *self, struct hf_ctx *ctx, void **ret_session)
{
    struct backup *backup = calloc(1, sizeof(*backup));
    if (!backup)
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    backup->hello = self;
    *ret_session = backup;
    return HF_OK;
}

static int next_part(void *session, struct hf_ctx *ctx, struct hf_part *ret_part)
{
    struct backup *backup = session;
    (void)ctx;
    if (backup->listed)
        return HF_END;
    backup->listed = 1;
    ret_part->artifact = "";
    ret_part->name = "greeting";
    ret_part->suffix = ".txt";
    ret_part->media = "text/plain";
    ret_part->estimate = strlen(backup->hello->text) + 1;
    return HF_OK;
}

static int report_bytes(struct hf_ctx *ctx, unsigned long long bytes)
{
    char json[32];
    snprintf(json, sizeof(json), "%llu", bytes);
    return host->fact(ctx, "bytes", json);
}

static int backup_part(void *session, struct hf_ctx *ctx, const struct hf_part *part, struct hf_writer *writer)
{
    const char *text = ((struct backup *)session)->hello->text;
    (void)part;
    int result = host->write(writer, text, strlen(text));
    if (result == HF_OK)
        result = host->write(writer, "\n", 1);
    return result == HF_OK ? report_bytes(ctx, strlen(text) + 1) : result;
}

static int end(void *session, struct hf_ctx *ctx, int status)
{
    (void)ctx, (void)status;
    free(session);
    return HF_OK;
}

/* Verify: learns the same fact from the artifact; the core compares it with the recorded one. */
static int verify_part(void *session, struct hf_ctx *ctx, const struct hf_part *part, struct hf_reader *reader)
{
    unsigned long long bytes = 0;
    const void *data;
    int64_t got;
    (void)session, (void)part;
    while ((got = host->borrow(reader, &data)) > 0)
        bytes += (unsigned long long)got;
    return got < 0 ? (int)got : report_bytes(ctx, bytes);
}

/* Restore: writes hello.txt beside, and puts it in place only when everything is right. */
struct restore {
    char path[4096], scratch[4096];
    int fd;
};

static int restore_begin(void *self, struct hf_ctx *ctx, const struct hf_restore_request *request, void **ret_session)
{
    (void)self;
    if (!request->to) {
        host->fail(ctx, HF_E_REFUSED, "a greeting has no original place");
        return host->hint(ctx, "say where to put it with --to DIR");
    }
    struct restore *restore = calloc(1, sizeof(*restore));
    if (!restore)
        return host->fail(ctx, HF_E_NOMEM, "out of memory");
    int length = snprintf(restore->path, sizeof(restore->path), "%s/hello.txt", request->to);
    int scratch = snprintf(restore->scratch, sizeof(restore->scratch), "%s/.hello.txt.%s", request->to, request->id);
    int result = HF_OK;
    if (length >= (int)sizeof(restore->path) || scratch >= (int)sizeof(restore->scratch))
        result = host->fail(ctx, HF_E_CONFIG, "the path '%.100s...' is too long", request->to);
    else if (!request->replace && access(restore->path, F_OK) == 0)
        result = host->fail(ctx, HF_E_REFUSED, "'%s' exists", restore->path);
    else if ((restore->fd = open(restore->scratch, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
        result = host->fail(ctx, HF_E_IO, "create '%s': %s", restore->scratch, strerror(errno));
    if (result < 0)
        free(restore);
    else
        *ret_session = restore;
    return result;
}

static int restore_part(void *session, struct hf_ctx *ctx, const struct hf_part *part, struct hf_reader *reader)
{
    struct restore *restore = session;
    const char *data;
    int64_t got;
    (void)part;
    while ((got = host->borrow(reader, (const void **)&data)) > 0) {
        while (got > 0) {
            ssize_t written = write(restore->fd, data, (size_t)got);
            if (written < 0 && errno != EINTR)
                return host->fail(ctx, HF_E_IO, "write '%s': %s", restore->scratch, strerror(errno));
            if (written > 0) {
                data += written;
                got -= written;
            }
        }
    }
    return (int)got;
}

static int restore_end(void *session, struct hf_ctx *ctx, int status)
{
    struct restore *restore = session;
    int result = HF_OK;
    if (status == HF_OK && fsync(restore->fd) < 0)
        result = host->fail(ctx, HF_E_IO, "write '%s': %s", restore->scratch, strerror(errno));
    if (close(restore->fd) < 0 && status == HF_OK && result == HF_OK)
        result = host->fail(ctx, HF_E_IO, "write '%s': %s", restore->scratch, strerror(errno));
    if (status == HF_OK && result == HF_OK && rename(restore->scratch, restore->path) < 0)
        result = host->fail(ctx, HF_E_IO, "rename to '%s': %s", restore->path, strerror(errno));
    if (status != HF_OK || result != HF_OK)
        unlink(restore->scratch);
    free(restore);
    return result;
}

static const struct hf_source operations = {
    .size = sizeof(operations),
    .begin = begin,
    .next_part = next_part,
    .backup_part = backup_part,
    .end = end,
    .restore_begin = restore_begin,
    .restore_part = restore_part,
    .restore_end = restore_end,
    .verify_part = verify_part,
};

static const struct hf_plugin plugin = {
    .size = sizeof(plugin),
    .kind = HF_SOURCE,
    .name = "hello",
    .version = "1.0",
    .summary = "a greeting, as text",
    .description = "An example for authors of plugins. It backs up what 'text' says.",
    .threads = HF_PER_INSTANCE,
    .option_stride = sizeof(struct hf_option),
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .open = hello_open,
    .close = hello_close,
    .operations = &operations,
};

static int init(const struct hf_host *the_host)
{
    host = the_host;
    return HF_OK;
}

const struct hf_module *holdfast_module_v1(void)
{
    static const struct hf_plugin *const plugins[] = {&plugin};
    static const struct hf_module module = {
        .size = sizeof(module),
        .min_host = 1,
        .license = "Apache-2.0",
        .plugins = plugins,
        .plugin_count = 1,
        .init = init,
    };
    return &module;
}
