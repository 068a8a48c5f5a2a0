/* SPDX-License-Identifier: Apache-2.0
 *
 * The gzip stage: one ordinary gzip member made of independent blocks.
 */
#include "gzip.h"

#include <stdlib.h>

const struct hf_host *gzip_host;

static const struct hf_option options[] = {
    {.key = "level",
     .type = HF_INT,
     .dflt = "2",
     .help = "1 to 3 are fast (about the size of gzip -6 on databases and SQL, 12 % more on logs), 4 to 9 are zlib's, "
             "smaller and many times slower",
     .min = 1,
     .max = 9},
};

static int gzip_open(struct hf_ctx *ctx, const struct hf_config *config, void **ret_self)
{
    struct gzip *self = calloc(1, sizeof(*self));
    if (!self)
        return gzip_host->fail(ctx, HF_E_NOMEM, "out of memory");
    self->level = (int)gzip_host->get_int(config, "level");
    *ret_self = self;
    return HF_OK;
}

static int recognise(const void *head, size_t size)
{
    const unsigned char *byte = head;
    if (size < 3 || byte[0] != 0x1f || byte[1] != 0x8b)
        return 0;
    return byte[2] == 8 ? 100 : 50; /* 8 is deflate, the only method ever defined */
}

static const struct hf_stage operations = {
    .size = sizeof(struct hf_stage),
    .suffix = ".gz",
    .block_size = GZIP_BLOCK_SIZE,
    .recognise = recognise,
    .worker_open = gzip_worker_open,
    .worker_close = gzip_worker_close,
    .block_bound = gzip_block_bound,
    .encode_block = gzip_encode_block,
    .frame_open = gzip_frame_open,
    .header = gzip_header,
    .join = gzip_join,
    .trailer = gzip_trailer,
    .frame_close = gzip_frame_close,
    .decode_open = gzip_decode_open,
    .step = gzip_step,
    .decode_close = gzip_decode_close,
};

static const struct hf_plugin plugin = {
    .size = sizeof(struct hf_plugin),
    .kind = HF_STAGE,
    .name = "gzip",
    .version = "1.0.0",
    .summary = "compress to an ordinary gzip file, in parallel",
    .description =
        "The artifact is one gzip member, and gunzip, pigz, zcat or any library reads it. It consists of blocks of 1 "
        "MiB "
        "that do not refer to each other, so they are compressed on all processors at once, and parts of the artifact "
        "can be verified and restored alone.\n\n"
        "Levels 1 to 3 use ISA-L, levels 4 to 9 zlib. The result depends on the data and the level alone: there is no "
        "name and no time in the header.",
    .threads = HF_PARALLEL,
    .option_stride = sizeof(struct hf_option),
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .open = gzip_open,
    .close = free,
    .operations = &operations,
};

static int init(const struct hf_host *host)
{
    gzip_host = host;
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
