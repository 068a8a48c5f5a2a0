/* SPDX-License-Identifier: Apache-2.0
 *
 * The zstd stage: ordinary zstd frames, and a seek table that says where they are.
 */
#include "stage.h"

#include <stdlib.h>

const struct hf_host *zstd_host;

static const struct hf_option options[] = {
    {.key = "level",
     .type = HF_INT,
     .dflt = "3",
     .help = "1 is fast, 19 is small; 3 suits nearly everything",
     .min = 1,
     .max = 19},
};

static int zstd_open(struct hf_ctx *ctx, const struct hf_config *config, void **ret_self)
{
    struct zstd *self = calloc(1, sizeof(*self));
    if (!self)
        return zstd_host->fail(ctx, HF_E_NOMEM, "out of memory");
    self->level = (int)zstd_host->get_int(config, "level");
    *ret_self = self;
    return HF_OK;
}

static int recognise(const void *head, size_t size)
{
    const unsigned char *byte = head;
    if (size < 4)
        return 0;
    if (byte[0] == 0x28 && byte[1] == 0xb5 && byte[2] == 0x2f && byte[3] == 0xfd)
        return 100;
    /* A skippable frame may come first; lz4 has the same. */
    return (byte[0] & 0xf0) == 0x50 && byte[1] == 0x2a && byte[2] == 0x4d && byte[3] == 0x18 ? 40 : 0;
}

static const struct hf_stage operations = {
    .size = sizeof(struct hf_stage),
    .suffix = ".zst",
    .block_size = ZSTD_STAGE_BLOCK_SIZE,
    .recognise = recognise,
    .worker_open = zstd_worker_open,
    .worker_close = zstd_worker_close,
    .block_bound = zstd_block_bound,
    .encode_block = zstd_encode_block,
    .frame_open = zstd_frame_open,
    .header = zstd_header,
    .join = zstd_join,
    .trailer = zstd_trailer,
    .frame_close = zstd_frame_close,
    .decode_open = zstd_decode_open,
    .step = zstd_step,
    .decode_close = zstd_decode_close,
};

static const struct hf_plugin plugin = {
    .size = sizeof(struct hf_plugin),
    .kind = HF_STAGE,
    .name = "zstd",
    .version = "1.0.0",
    .summary = "compress to an ordinary zstd file, in parallel",
    .description =
        "The artifact is a row of zstd frames of up to 4 MiB, each with its size and a checksum, and zstd -d reads it. "
        "A "
        "seek table in the official format stands at the end, for programs that want to read from the middle.\n\n"
        "Compressing takes about 1 MiB a processor at level 3 and at most 14 MiB at level 19, besides the blocks; "
        "decompressing takes the window, at most 4 MiB for what this stage wrote and 128 MiB for other files.",
    .threads = HF_PARALLEL,
    .option_stride = sizeof(struct hf_option),
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .open = zstd_open,
    .close = free,
    .operations = &operations,
};

static int init(const struct hf_host *host)
{
    zstd_host = host;
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
