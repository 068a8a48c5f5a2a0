/* SPDX-License-Identifier: Apache-2.0
 *
 * The s3 sink: objects are objects of a bucket.
 */
#include "s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

#define MIB ((int64_t)1 << 20)
#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

const struct hf_host *s3_host;

static const struct hf_option options[] = {
    {.key = "bucket", .type = HF_STRING, .flags = HF_REQUIRED, .help = "bucket that holds the backups; it must exist"},
    {.key = "prefix",
     .type = HF_STRING,
     .dflt = "",
     .help = "what keys in the bucket begin with, like a folder: 'omen/prod'. Machines that share a bucket best have a "
             "prefix each"},
    {.key = "endpoint",
     .type = HF_URL,
     .help = "where the server is, like https://s3.example.org; without it Amazon's endpoint of the region"},
    {.key = "region",
     .type = HF_STRING,
     .help =
         "region of the bucket; without it AWS_REGION, AWS_DEFAULT_REGION, the AWS tools' configuration, or us-east-1"},
    {.key = "style",
     .type = HF_ENUM,
     .dflt = "auto",
     .choices = "auto|path|virtual",
     .help =
         "where the bucket's name goes: into the path, or in front of the host's name. auto: virtual for Amazon, path "
         "elsewhere"},
    {.key = "credentials",
     .type = HF_ENUM,
     .dflt = "auto",
     .choices = "auto|options|environment|web_identity|file|container|instance|anonymous",
     .help = "where the keys come from. auto: the first that has some, in this order"},
    {.key = "access_key", .type = HF_STRING, .help = "access key; best ${env:NAME} or ${file:PATH}"},
    {.key = "secret_key", .type = HF_STRING, .flags = HF_SECRET, .help = "secret key"},
    {.key = "session_token", .type = HF_STRING, .flags = HF_SECRET, .help = "token that belongs to temporary keys"},
    {.key = "aws_profile",
     .type = HF_STRING,
     .help = "profile of ~/.aws/credentials and ~/.aws/config to take keys and region from; without it AWS_PROFILE, or "
             "default"},
    {.key = "storage_class",
     .type = HF_STRING,
     .help = "class of artifacts and manifests, like STANDARD_IA or GLACIER_IR; classes that cannot be read at once "
             "are refused"},
    {.key = "sse",
     .type = HF_ENUM,
     .dflt = "none",
     .choices = "none|s3|kms|customer",
     .help =
         "encryption by the server: with its own keys, with those of its key management, or with the one it is sent"},
    {.key = "sse_kms_key", .type = HF_STRING, .help = "key of the server's key management; without it the bucket's"},
    {.key = "sse_customer_key",
     .type = HF_STRING,
     .flags = HF_SECRET,
     .help = "32 bytes in base64; the server forgets them, and nothing can be read without. Needs https"},
    {.key = "tags", .type = HF_LIST, .help = "tags of artifacts and manifests, NAME=VALUE, at most 10"},
    {.key = "lock",
     .type = HF_DURATION,
     .help = "nobody may delete artifacts and manifests for so long, retention neither; the bucket must have been made "
             "with "
             "object lock",
     .min = DAY_MS,
     .max = 36500 * DAY_MS},
    {.key = "lock_mode",
     .type = HF_ENUM,
     .dflt = "governance",
     .choices = "governance|compliance",
     .help = "governance: who has a special permission may still delete; compliance: nobody may"},
    {.key = "payload_signing",
     .type = HF_BOOL,
     .dflt = "no",
     .help = "yes: each part is signed over its SHA-256, as some buckets demand; no: parts that wait for their turn "
             "over their Content-MD5, which costs both ends less. The server checks either, and takes no part that was "
             "altered on its way"},
    {.key = "part_size",
     .type = HF_SIZE,
     .dflt = "8M",
     .help =
         "bytes that are sent at once; larger ones for artifacts of more than 10 GiB. Smaller objects are sent whole",
     .min = 5 * MIB,
     .max = 1024 * MIB},
    {.key = "parallel",
     .type = HF_INT,
     .dflt = "6",
     .help = "parts of an artifact on their way at once; up to seven more wait, to be digested together, unless "
             "payload_signing = yes",
     .min = 1,
     .max = 64},
    {.key = "memory",
     .type = HF_SIZE,
     .dflt = "256M",
     .help =
         "bytes of parts in memory, at most; as parts grow, fewer are in flight, but never less than one and the next",
     .min = 10 * MIB,
     .max = 65536 * MIB},
    {.key = "max_parts",
     .type = HF_INT,
     .dflt = "10000",
     .help = "parts that the server allows an object; some allow 1000",
     .min = 100,
     .max = 10000},
    {.key = "ca_file",
     .type = HF_PATH,
     .help = "certificates in PEM format that the server's must come from, instead of the "
             "system's"},
    {.key = "proxy",
     .type = HF_URL,
     .help = "http, https or socks5 proxy; without it the variables https_proxy, no_proxy …"},
    {.key = "proxy_user", .type = HF_STRING, .help = "user name for the proxy"},
    {.key = "proxy_password", .type = HF_STRING, .flags = HF_SECRET, .help = "password for the proxy"},
    {.key = "rate",
     .type = HF_SIZE,
     .help = "bytes a second that this sink sends and receives at most, all transfers together",
     .min = 1024,
     .max = INT64_MAX / 2000},
    {.key = "connect_timeout",
     .type = HF_DURATION,
     .dflt = "10s",
     .help = "how long to wait for a connection",
     .min = 100,
     .max = 600000},
    {.key = "stall_timeout",
     .type = HF_DURATION,
     .dflt = "60s",
     .help = "how long a transfer may stand still before it is given up and begun anew",
     .min = 1000,
     .max = 3600000},
    {.key = "retries",
     .type = HF_INT,
     .dflt = "7",
     .help = "how often what may go well the next time is tried again, after 0.25 s, 0.5 s, 1 s …, at most 20 s",
     .min = 0,
     .max = 100},
    {.key = "sweep_after",
     .type = HF_DURATION,
     .dflt = "1d",
     .help = "uploads that crashed runs left are taken back when they are so old: more than the longest backup takes. "
             "0: at "
             "once, where no other machine has a profile of the same name and prefix",
     .min = 0,
     .max = 365 * DAY_MS},
};

static void sink_close(void *opaque)
{
    struct s3 *self = opaque;
    if (!self)
        return;
    s3_clients_close(self);
    s3_options_clear(self);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static int sink_open(struct hf_ctx *ctx, const struct hf_config *config, void **ret_self)
{
    struct s3 *self = calloc(1, sizeof(*self));
    if (!self)
        return s3_host->fail(ctx, HF_E_NOMEM, "out of memory");
    pthread_mutex_init(&self->lock, NULL);
    int status = s3_options_read(self, ctx, config);
    if (status != HF_OK) {
        sink_close(self);
        return status;
    }
    *ret_self = self;
    return HF_OK;
}

int s3_key_check(struct hf_ctx *ctx, const char *key)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strlen(key);
    if (length == 0 || length > S3_KEY_MAX || strspn(key, allowed) != length)
        return s3_host->fail(ctx, HF_E_FAIL, "'%s' is no key of an object", key);
    return HF_OK;
}

static void sink_locate(void *opaque, const char *key, char *text, size_t size)
{
    const struct s3 *self = opaque;
    snprintf(text, size, "s3://%s/%s%s", self->bucket, self->prefix, key);
}

static const struct hf_sink operations = {
    .size = sizeof(struct hf_sink),
    .check = s3_check,
    .put_begin = s3_put_begin,
    .put_write = s3_put_write,
    .put_prepare = s3_put_prepare,
    .put_commit = s3_put_commit,
    .put_abort = s3_put_abort,
    .get_begin = s3_get_begin,
    .get_read = s3_get_read,
    .get_end = s3_get_end,
    .stat = s3_stat,
    .list = s3_list,
    .remove = s3_remove,
    .sweep = s3_sweep,
    .locate = sink_locate,
};

static const struct hf_plugin plugin = {
    .size = sizeof(struct hf_plugin),
    .kind = HF_SINK,
    .name = "s3",
    .version = "1.0.0",
    .summary = "store backups as objects of an S3 bucket",
    .description =
        "For Amazon S3, Ceph, MinIO, Cloudflare R2, Backblaze B2, Swift and others that understand S3 with signatures "
        "of "
        "version 4.\n\n"
        "Artifacts are sent in parts, several at once, while they are made; nothing of them is visible before the last "
        "step of "
        "the backup. Every request is signed over the SHA-256 or the MD5 of what it sends, and what was stored is "
        "looked at "
        "afterwards. "
        "An object "
        "never replaces another: by the server's own doing (If-None-Match) where it can, else by looking first; "
        "'check' says "
        "which. Requests that may go well the next time are repeated, and a download that breaks off goes on where it "
        "was.\n\n"
        "Memory: (parallel + 8) parts, with payload_signing = yes (parallel + 1), as long as that is within 'memory'; "
        "then fewer, but at least two. A part has part_size bytes, or a fraction of what was already sent if that is "
        "more (with max_parts = 10000 one 1250th), so that an artifact of any length fits into the parts that the "
        "server "
        "allows.",
    .threads = HF_PARALLEL,
    .option_stride = sizeof(struct hf_option),
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .operations = &operations,
    .open = sink_open,
    .close = sink_close,
};

static int init(const struct hf_host *host)
{
    s3_host = host;
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
