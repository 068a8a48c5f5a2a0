/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- the source --- */

unsigned char rig_byte(size_t part, size_t offset)
{
    return (unsigned char)(part * 131 + offset * 7 + (offset >> 8) * 13 + (offset >> 16));
}

void rig_fill(size_t part, size_t offset, unsigned char *space, size_t size)
{
    for (size_t i = 0; i < size; i++)
        space[i] = rig_byte(part, offset + i);
}

static int source_begin(void *self, struct hf_ctx *ctx, void **ret_session)
{
    (void)ctx;
    *ret_session = self;
    return HF_OK;
}

static int source_next_part(void *session, struct hf_ctx *ctx, struct hf_part *ret_part)
{
    struct rig *rig = session;
    size_t i = rig->listed;

    (void)ctx;
    if (i == rig->part_count)
        return HF_END;
    rig->listed++;
    snprintf(rig->names[i], sizeof(rig->names[i]), "part-%03zu", i);
    ret_part->name = rig->names[i];
    ret_part->artifact = rig->artifacts[i];
    ret_part->suffix = ".bin";
    ret_part->phase = 1;
    ret_part->cost = 1000 * i;
    ret_part->cookie = &rig->sizes[i];
    return HF_OK;
}

static int write_part(struct rig *rig, struct hf_ctx *ctx, size_t index, struct hf_writer *writer)
{
    size_t size = rig->sizes[index], piece = 1000 + index * 777;

    for (size_t offset = 0; offset < size; offset += piece) {
        unsigned char space[64 * 1024];
        int rc;

        piece = piece < sizeof(space) ? piece : sizeof(space);
        if (index == rig->fail_at && offset > size / 2)
            return hf_host_table()->fail(ctx, HF_E_IO, "the disk is on fire");
        rig_fill(index, offset, space, size - offset < piece ? size - offset : piece);
        rc = hf_host_table()->write(writer, space, size - offset < piece ? size - offset : piece);
        if (rc != HF_OK && !rig->swallow)
            return rc;
        if (index == 0 && rig->slow_first)
            usleep(300);
    }
    return HF_OK;
}

static int source_backup_part(void *session, struct hf_ctx *ctx, const struct hf_part *part, struct hf_writer *writer)
{
    struct rig *rig = session;
    int running = atomic_fetch_add(&rig->running, 1) + 1, most = atomic_load(&rig->most_running);
    int rc;

    while (running > most && !atomic_compare_exchange_weak(&rig->most_running, &most, running)) {
    }
    rc = write_part(rig, ctx, (size_t)((const size_t *)part->cookie - rig->sizes), writer);
    atomic_fetch_sub(&rig->running, 1);
    return rc;
}

static int source_end(void *session, struct hf_ctx *ctx, int status)
{
    (void)session, (void)ctx, (void)status;
    return HF_OK;
}

/* --- the stage: each block is its length (4 bytes) and its bytes, inverted; "<" and ">" around them --- */

enum { BLOCK_SIZE = 64 * 1024 };

static int recognise(const void *head, size_t size)
{
    return size > 0 && *(const char *)head == '<' ? 50 : 0;
}

static int worker_open(void *self, struct hf_ctx *ctx, void **ret_worker)
{
    (void)ctx;
    *ret_worker = self;
    return HF_OK;
}

static void worker_close(void *worker)
{
    (void)worker;
}

static size_t block_bound(void *self, size_t size)
{
    (void)self;
    return size + 4;
}

static int encode_block(void *worker, struct hf_ctx *ctx, const void *in, size_t size, void *out, size_t *out_size,
                        uint64_t *ret_tag)
{
    uint32_t length = (uint32_t)size;
    const unsigned char *from = in;
    unsigned char *to = out;

    (void)worker, (void)ctx;
    memcpy(to, &length, 4);
    for (size_t i = 0; i < size; i++)
        to[4 + i] = (unsigned char)~from[i];
    *out_size = size + 4;
    *ret_tag = length;
    return HF_OK;
}

static int frame_open(void *self, struct hf_ctx *ctx, void **ret_frame)
{
    (void)ctx;
    *ret_frame = self;
    return HF_OK;
}

static int header(void *frame, struct hf_ctx *ctx, void *out, size_t *out_size)
{
    (void)frame, (void)ctx;
    memcpy(out, "<", 1);
    *out_size = 1;
    return HF_OK;
}

static int join(void *frame, struct hf_ctx *ctx, uint64_t tag, size_t raw_size, size_t stored_size)
{
    (void)frame;
    return tag == raw_size && stored_size == raw_size + 4 ? HF_OK : hf_fail(ctx, HF_E_FAIL, "the block is not the tag's");
}

static int trailer(void *frame, struct hf_ctx *ctx, void *out, size_t *out_size)
{
    (void)frame, (void)ctx;
    memcpy(out, ">", 1);
    *out_size = 1;
    return HF_END;
}

static void frame_close(void *frame)
{
    (void)frame;
}

struct decoder {
    unsigned char head[4];
    size_t head_used;
    uint32_t left;
};

static int decode_open(void *self, struct hf_ctx *ctx, int mode, void **ret_stream)
{
    (void)self, (void)ctx, (void)mode;
    *ret_stream = hf_alloc(sizeof(struct decoder));
    return HF_OK;
}

static int step(void *stream, struct hf_ctx *ctx, const void *in, size_t *in_used, void *out, size_t *out_used, int last)
{
    struct decoder *self = stream;
    const unsigned char *from = in;
    unsigned char *to = out;
    size_t taken = 0, made = 0;

    (void)ctx;
    while (taken < *in_used && made < *out_used) {
        if (self->left > 0) {
            to[made++] = (unsigned char)~from[taken++];
            self->left--;
        } else {
            self->head[self->head_used++] = from[taken++];
            if (self->head_used == 4) {
                memcpy(&self->left, self->head, 4);
                self->head_used = 0;
            }
        }
    }
    last = last && taken == *in_used && self->left == 0 && self->head_used == 0;
    *in_used = taken;
    *out_used = made;
    return last ? HF_END : HF_OK;
}

/* --- the rig --- */

static void instance_init(struct hf_instance *instance, struct hf_loaded *loaded, uint32_t kind, const char *who, void *self)
{
    loaded->plugin.kind = kind;
    loaded->plugin.name = who;
    loaded->plugin.threads = HF_PARALLEL;
    instance->loaded = loaded;
    instance->name = (char *)who;
    instance->who = (char *)who;
    instance->self = self;
}

void rig_init(struct rig *rig, size_t sinks, bool with_stage)
{
    static const char *const names[] = {"one", "two", "three"};

    memset(rig, 0, sizeof(*rig));
    rig->fail_at = SIZE_MAX;
    instance_init(&rig->source, &rig->source_loaded, HF_SOURCE, "source rig", rig);
    rig->source_loaded.source = (struct hf_source){.size = sizeof(struct hf_source),
                                                   .begin = source_begin,
                                                   .next_part = source_next_part,
                                                   .backup_part = source_backup_part,
                                                   .end = source_end};
    instance_init(&rig->stage, &rig->stage_loaded, HF_STAGE, "stage rig", rig);
    rig->stage_loaded.stage = (struct hf_stage){.size = sizeof(struct hf_stage),
                                                .suffix = ".inv",
                                                .block_size = BLOCK_SIZE,
                                                .recognise = recognise,
                                                .worker_open = worker_open,
                                                .worker_close = worker_close,
                                                .block_bound = block_bound,
                                                .encode_block = encode_block,
                                                .frame_open = frame_open,
                                                .header = header,
                                                .join = join,
                                                .trailer = trailer,
                                                .frame_close = frame_close,
                                                .decode_open = decode_open,
                                                .step = step,
                                                .decode_close = free};
    if (!with_stage)
        rig->stage.loaded = NULL;
    instance_init(&rig->layer, &rig->layer_loaded, HF_STAGE, "stage layer", rig);
    rig->layer_loaded.stage = rig_layer;
    rig->layer_fails_at = UINT64_MAX;
    for (size_t i = 0; i < RIG_LAYERS_MAX; i++)
        rig->layers[i] = &rig->layer;
    hf_services_init(&rig->services, "/tmp");
    if (hf_cancel_init(&rig->cancel, &rig->ctx) != HF_OK)
        abort();
    rig->ctx = (struct hf_ctx){.cancel = &rig->cancel, .services = &rig->services};
    rig->sink_count = sinks;
    for (size_t i = 0; i < sinks; i++) {
        memory_sink_init(&rig->sinks[i], names[i]);
        rig->sinks[i].instance.required = true;
        rig->sink_list[i] = &rig->sinks[i].instance;
    }
    rig->manifest = hf_manifest_new();
    rig->manifest->id = hf_strdup("rig_20260201_120000");
    rig->manifest->profile = hf_strdup("rig");
}

void rig_clear(struct rig *rig)
{
    hf_fanout_free(rig->fanout);
    for (size_t i = 0; i < rig->sink_count; i++)
        memory_sink_clear(&rig->sinks[i]);
    hf_manifest_free(rig->manifest);
    hf_services_clear(&rig->services);
    hf_cancel_clear(&rig->cancel);
    hf_error_clear(&rig->ctx.error);
}

struct hf_chain rig_chain(struct rig *rig)
{
    struct hf_chain chain = {0};

    if (rig->stage.loaded != NULL)
        hf_chain_add(&chain, &rig->stage, false);
    for (size_t i = 0; i < rig->layer_count; i++)
        hf_chain_add(&chain, rig->layers[i], false);
    return chain;
}

int rig_run(struct rig *rig, int jobs, int workers)
{
    struct hf_pipeline_plan plan = {.source = &rig->source,
                                    .stage = rig->stage.loaded ? &rig->stage : NULL,
                                    .layers = rig->layers,
                                    .layer_count = rig->layer_count,
                                    .session = rig,
                                    .jobs = jobs,
                                    .workers = workers,
                                    .services = &rig->services,
                                    .cancel = &rig->cancel};

    for (size_t i = 0; i < rig->part_count; i++)
        if (rig->artifacts[i] == NULL)
            rig->artifacts[i] = "";
    rig->fanout = hf_fanout_new(&rig->services, &rig->cancel, rig->sink_list, rig->sink_count, rig->quorum);
    return hf_pipeline_run(&plan, &rig->ctx, rig->fanout, rig->manifest);
}
