/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys for stages that encrypt: made and explained by their plugins, kept by the core.
 */
#include "ops/run.h"

#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_MAX_BYTES = 64 * 1024 };

/* The stage plugin that makes keys: the one named, or the only one. */
static int find_maker(struct hf_ctx *ctx, const char *plugin, const struct hf_loaded **ret_maker)
{
    hf_auto_text struct hf_text names = {0};
    const struct hf_loaded **items = NULL, *maker = NULL;
    size_t count = 0, makers = 0;
    int rc = plugin ? hf_loader_find(ctx, HF_STAGE, plugin, &maker) : hf_loader_all(ctx, &items, &count);

    for (size_t i = 0; rc == HF_OK && i < count; i++) {
        if (items[i]->plugin.kind != HF_STAGE || items[i]->stage.key_new == NULL)
            continue;
        maker = items[i];
        hf_text_addf(&names, "%s%s", makers++ > 0 ? ", " : "", items[i]->plugin.name);
    }
    free(items);
    if (rc != HF_OK)
        return rc;
    if (maker == NULL)
        return hf_fail(ctx, HF_E_NOTFOUND, "there is no stage plugin that makes keys");
    if (maker->stage.key_new == NULL)
        return hf_fail(ctx, HF_E_UNSUPPORTED, "stage plugin '%s' has no keys", plugin);
    if (makers > 1) {
        hf_fail(ctx, HF_E_CONFIG, "several stage plugins make keys: %s", names.data);
        return hf_hint(ctx, "name one of them: --stage %s", maker->plugin.name);
    }
    *ret_maker = maker;
    return HF_OK;
}

static void wipe(char *text)
{
    if (text != NULL)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

static int sync_folder(struct hf_ctx *ctx, const char *path)
{
    hf_auto_free char *folder = hf_strndup(path, (size_t)(hf_path_base(path) - path));
    int fd = open(*folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = HF_OK;

    if (fd < 0 || fsync(fd) != 0)
        rc = hf_fail_errno(ctx, errno, "sync '%s'", *folder ? folder : ".");
    if (fd >= 0)
        close(fd);
    return rc;
}

/* For its owner only, and never over another. */
static int write_key(struct hf_ctx *ctx, const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rc = HF_OK;
    size_t size = strlen(text), done = 0;

    if (fd < 0 && errno == EEXIST) {
        hf_fail(ctx, HF_E_EXISTS, "'%s' exists, and is not overwritten: it may be the only key to backups", path);
        return hf_hint(ctx, "name another file with --out");
    }
    if (fd < 0) {
        hf_fail_errno(ctx, errno, "create '%s'", path);
        return hf_hint(ctx, "name another file with --out");
    }
    while (rc == HF_OK && done < size) {
        ssize_t wrote = write(fd, text + done, size - done);

        if (wrote < 0 && errno != EINTR)
            rc = hf_fail_errno(ctx, errno, "write '%s'", path);
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    if (rc == HF_OK && (fchmod(fd, 0600) != 0 || fsync(fd) != 0)) /* whatever the umask */
        rc = hf_fail_errno(ctx, errno, "write '%s'", path);
    if (close(fd) != 0 && rc == HF_OK)
        rc = hf_fail_errno(ctx, errno, "write '%s'", path);
    if (rc == HF_OK)
        rc = sync_folder(ctx, path);
    if (rc != HF_OK)
        unlink(path);
    return rc;
}

static void set_public(json_t *json, const char *text)
{
    json_t *array = json_array();

    for (const char *line = text; line && *line; line += strcspn(line, "\n"), line += *line == '\n') {
        hf_auto_free char *one = hf_strndup(line, strcspn(line, "\n"));

        hf_json_append(array, json_string(one));
    }
    hf_json_set(json, "public", array);
}

static int key_new(struct hf_ctx *ctx, const struct hf_world *world, const char *plugin, const char *out, json_t *json)
{
    const struct hf_loaded *maker = NULL;
    hf_auto_free char *path = NULL, *public = NULL;
    char *secret = NULL;
    int rc = find_maker(ctx, plugin, &maker);

    if (rc != HF_OK)
        return rc;
    path = out ? hf_strdup(out) : hf_strf("%s/%s.key", world->settings->folder, maker->plugin.name);
    ctx->who = maker->plugin.name;
    rc = maker->stage.key_new(ctx, &secret, &public);
    ctx->who = NULL;
    if (rc == HF_OK)
        rc = write_key(ctx, path, secret);
    wipe(secret);
    if (rc != HF_OK)
        return rc;
    hf_log(HF_LOG_INFO, NULL, "the secret key is in '%s': keep a copy of it where this machine's end does not reach",
           path);
    hf_json_set_text(json, "stage", maker->plugin.name);
    hf_json_set_text(json, "path", path);
    set_public(json, public);
    return HF_OK;
}

void hf_op_key_new(const struct hf_world *world, const char *plugin, const char *out, struct hf_report *report)
{
    struct hf_ctx ctx = {.cancel = world->cancel};
    int rc;

    hf_report_init(report, NULL);
    rc = key_new(&ctx, world, plugin, out, report->json);
    hf_report_end(report, &ctx, rc == HF_OK ? HF_EXIT_OK : hf_exit_of_code(ctx.error.code ? ctx.error.code : rc));
}

static int key_show(struct hf_ctx *ctx, const char *plugin, const char *path, json_t *json)
{
    const struct hf_loaded *maker = NULL;
    hf_auto_free char *public = NULL;
    struct stat status;
    char *secret = NULL;
    size_t size = 0;
    int rc = find_maker(ctx, plugin, &maker);

    if (rc == HF_OK)
        rc = hf_file_read(ctx, path, KEY_MAX_BYTES, &secret, &size);
    if (rc == HF_OK) {
        ctx->who = maker->plugin.name;
        rc = maker->stage.key_public(ctx, path, secret, size, &public);
        ctx->who = NULL;
    }
    if (rc == HF_OK && stat(path, &status) == 0 && (status.st_mode & 077) != 0)
        hf_log(HF_LOG_WARNING, NULL, "the key '%s' can be read by others: chmod 600 '%s'", path, path);
    if (secret != NULL)
        OPENSSL_cleanse(secret, size);
    free(secret);
    if (rc != HF_OK)
        return rc;
    hf_json_set_text(json, "stage", maker->plugin.name);
    hf_json_set_text(json, "path", path);
    set_public(json, public);
    return HF_OK;
}

void hf_op_key_show(const struct hf_world *world, const char *plugin, const char *path, struct hf_report *report)
{
    struct hf_ctx ctx = {.cancel = world->cancel};
    int rc;

    hf_report_init(report, NULL);
    rc = key_show(&ctx, plugin, path, report->json);
    hf_report_end(report, &ctx, rc == HF_OK ? HF_EXIT_OK : hf_exit_of_code(ctx.error.code ? ctx.error.code : rc));
}
