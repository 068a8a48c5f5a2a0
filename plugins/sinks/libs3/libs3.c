/* SPDX-License-Identifier: Apache-2.0
 *
 * The libs3 sink: buckets of servers that take signatures of version 2.
 */
#include "ls.h"

#include <stdlib.h>
#include <string.h>

const struct hf_host *ls_host;

static const struct hf_option options[] = {
    {.key = "endpoint",
     .type = HF_URL,
     .flags = HF_REQUIRED,
     .help = "http://HOST[:PORT] of the server; libs3 verifies no certificate, so https is refused"},
    {.key = "bucket", .type = HF_STRING, .flags = HF_REQUIRED, .help = "bucket that holds the backups"},
    {.key = "prefix", .type = HF_STRING, .help = "folder within the bucket: letters, digits and ._/- only"},
    {.key = "access_key", .type = HF_STRING, .flags = HF_REQUIRED, .help = "access key"},
    {.key = "secret_key", .type = HF_STRING, .flags = HF_REQUIRED | HF_SECRET, .help = "secret key"},
    {.key = "style",
     .type = HF_ENUM,
     .dflt = "path",
     .choices = "path|virtual-host",
     .help = "where the bucket stands in the address: behind the host, or in front of its name"},
    {.key = "segment",
     .type = HF_SIZE,
     .dflt = "64M",
     .min = 1 << 20,
     .max = (int64_t)5 << 30,
     .help = "larger objects are stored in pieces of this size, each put together in temp_dir first"},
    {.key = "retries",
     .type = HF_INT,
     .dflt = "5",
     .min = 0,
     .max = 100,
     .help = "how often a request that failed, and may go well, is tried again"},
    {.key = "stall_timeout",
     .type = HF_DURATION,
     .dflt = "60s",
     .min = 1000,
     .max = 3600 * 1000,
     .help = "a request in which nothing happens for so long has failed"},
    {.key = "sweep_after",
     .type = HF_DURATION,
     .dflt = "1d",
     .help = "pieces that no index names are removed when they are so old: more than the longest run takes. 0: at "
             "once, where "
             "no other machine writes the same profile to the same place"},
};

int ls_fail_nomem(struct hf_ctx *ctx)
{
    return ls_host->fail(ctx, HF_E_NOMEM, "out of memory");
}

static void sink_close(void *opaque)
{
    struct ls *self = opaque;
    if (!self)
        return;
    if (self->secret_key)
        explicit_bzero(self->secret_key, strlen(self->secret_key));
    free(self->bucket);
    free(self->prefix);
    free(self->host);
    free(self->access_key);
    free(self->secret_key);
    free(self);
}

static int take_endpoint(struct ls *self, struct hf_ctx *ctx, const char *url)
{
    static const char scheme[] = "http://";
    if (strncmp(url, "https://", 8) == 0) {
        ls_host->fail(ctx, HF_E_CONFIG,
                      "libs3 verifies no TLS certificate, so anybody on the way could read and change what "
                      "is sent to '%s'",
                      url);
        return ls_host->hint(ctx,
                             "use the sink s3; or http:// to a proxy on this machine that verifies (stunnel), or in a "
                             "network that you trust");
    }
    size_t length = strncmp(url, scheme, strlen(scheme)) == 0 ? strlen(url) - strlen(scheme) : 0;
    while (length > 0 && url[strlen(scheme) + length - 1] == '/')
        length--;
    self->host = strndup(url + strlen(scheme) * (length > 0), length);
    if (!self->host)
        return ls_fail_nomem(ctx);
    if (length == 0 || length > 200 || strpbrk(self->host, "/@?# "))
        return ls_host->fail(ctx, HF_E_CONFIG, "endpoint '%s' is not http://HOST or http://HOST:PORT", url);
    return HF_OK;
}

/* libcurl, below libs3, takes "." and ".." for folders, and would ask for another key than was signed. */
static bool has_dot_segment(const char *prefix)
{
    for (const char *at = prefix; at; at = strchr(at, '/')) {
        at += *at == '/';
        size_t segment = strcspn(at, "/");
        if ((segment == 1 || segment == 2) && strspn(at, ".") >= segment)
            return true;
    }
    return false;
}

/* With one '/' at its end. */
static int take_prefix(struct ls *self, struct hf_ctx *ctx, const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-";
    size_t length = text ? strlen(text) : 0;
    while (length > 0 && text[length - 1] == '/')
        length--;
    if (length > 400 || (text && (text[0] == '/' || strspn(text, allowed) != strlen(text) || strstr(text, "//"))))
        return ls_host->fail(
            ctx, HF_E_CONFIG,
            "prefix '%s' holds something else than letters, digits and ._/-, which libs3 would write wrong", text);
    if (text && has_dot_segment(text))
        return ls_host->fail(ctx, HF_E_CONFIG, "prefix '%s' must have neither '.' nor '..' as a folder", text);
    return asprintf(&self->prefix, "%.*s%s", (int)length, text ? text : "", length ? "/" : "") < 0 ? ls_fail_nomem(ctx)
                                                                                                   : HF_OK;
}

static int configure(struct ls *self, struct hf_ctx *ctx, const struct hf_config *config)
{
    int status = take_endpoint(self, ctx, ls_host->get_string(config, "endpoint"));
    if (status == HF_OK)
        status = take_prefix(self, ctx, ls_host->get_string(config, "prefix"));
    if (status != HF_OK)
        return status;
    self->virtual_host = strcmp(ls_host->get_string(config, "style"), "virtual-host") == 0;
    self->segment = (uint64_t)ls_host->get_int(config, "segment");
    self->retries = (int)ls_host->get_int(config, "retries");
    self->stall_ms = ls_host->get_int(config, "stall_timeout");
    self->sweep_after_ms = ls_host->get_int(config, "sweep_after");
    self->bucket = strdup(ls_host->get_string(config, "bucket"));
    self->access_key = strdup(ls_host->get_string(config, "access_key"));
    self->secret_key = strdup(ls_host->get_string(config, "secret_key"));
    if (!self->bucket || !self->access_key || !self->secret_key)
        return ls_fail_nomem(ctx);
    S3Status valid = S3_validate_bucket_name(self->bucket, self->virtual_host ? S3UriStyleVirtualHost : S3UriStylePath);
    if (valid != S3StatusOK)
        return ls_host->fail(ctx, HF_E_CONFIG, "bucket '%s' cannot be the name of one: %s", self->bucket,
                             S3_get_status_name(valid));
    return HF_OK;
}

static int sink_open(struct hf_ctx *ctx, const struct hf_config *config, void **ret_self)
{
    struct ls *self = calloc(1, sizeof(*self));
    if (!self)
        return ls_fail_nomem(ctx);
    int status = configure(self, ctx, config);
    if (status != HF_OK) {
        sink_close(self);
        return status;
    }
    *ret_self = self;
    return HF_OK;
}

static void sink_locate(void *opaque, const char *key, char *text, size_t size)
{
    const struct ls *self = opaque;
    snprintf(text, size, "s3://%s/%s%s", self->bucket, self->prefix, key);
}

static const struct hf_sink operations = {
    .size = sizeof(struct hf_sink),
    .check = ls_check,
    .put_begin = ls_put_begin,
    .put_write = ls_put_write,
    .put_prepare = ls_put_prepare,
    .put_commit = ls_put_commit,
    .put_abort = ls_put_abort,
    .get_begin = ls_get_begin,
    .get_read = ls_get_read,
    .get_end = ls_get_end,
    .stat = ls_stat,
    .list = ls_list,
    .remove = ls_remove,
    .sweep = ls_sweep,
    .locate = sink_locate,
};

static const struct hf_plugin plugin = {
    .size = sizeof(struct hf_plugin),
    .kind = HF_SINK,
    .name = "libs3",
    .version = "1.0.0",
    .summary = "store backups in a bucket of an S3 server that takes signatures of version 2",
    .description =
        "By the library libs3. Choose the sink s3 unless the server knows only the old signatures: old Ceph, old "
        "object "
        "stores, gateways. Amazon has refused them for buckets made since 2020.\n\n"
        "An object larger than segment is stored as numbered objects, KEY.segment-ID-NNNNNN, and becomes visible with "
        "its "
        "index, KEY.segments-ID-COUNT-BYTES; laid end to end in the order of their names, the pieces are the object. "
        "What "
        "was sent is compared with what lies there, by size and MD5; what comes back is counted and compared.\n\n"
        "Only plain http: libs3 verifies no certificate. It cannot ask the server to store an object only if there is "
        "none: of two machines that begin to write a backup of one name in the same second, one yields, or both.",
    .threads = HF_SERIAL,
    .option_stride = sizeof(struct hf_option),
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .open = sink_open,
    .close = sink_close,
    .operations = &operations,
};

static int init(const struct hf_host *host)
{
    ls_host = host;
    return S3_initialize("Holdfast", S3_INIT_ALL, NULL) == S3StatusOK ? HF_OK : HF_E_FAIL;
}

const struct hf_module *holdfast_module_v1(void)
{
    static const struct hf_plugin *const plugins[] = {&plugin};
    static const struct hf_module module = {
        .size = sizeof(struct hf_module),
        .min_host = 1,
        .license = "GPL-3.0-only",
        .plugins = plugins,
        .plugin_count = 1,
        .init = init,
    };
    return &module;
}
