/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/pipeline.h"

#include "base/cancel.h"
#include "base/memory.h"
#include "base/thread.h"
#include "pipeline/line.h"
#include "pipeline/sequencer.h"

/* How many raw blocks there are: what bounds memory (see docs/memory.md). */
static size_t raw_blocks(const struct hf_pipeline_plan *plan, size_t block_size)
{
    size_t threads = (size_t)plan->jobs + (size_t)plan->workers + 3;
    uint64_t ahead = plan->source->loaded->source.ahead;
    size_t window = HF_RAW_WINDOW_BYTES / block_size;

    if (ahead > HF_RAW_AHEAD_MAX)
        ahead = HF_RAW_AHEAD_MAX;
    window += (size_t)ahead * (size_t)(plan->jobs - 1) / block_size;

    return window > threads ? window : threads;
}

static void start(struct hf_line *line, pthread_t *threads, size_t *count, void *(*body)(void *), int wanted)
{
    for (int i = 0; i < wanted; i++) {
        struct hf_ctx ctx = hf_line_ctx(line);

        if (hf_thread_start(&ctx, &threads[*count], body, line) != HF_OK) {
            hf_line_fail(line, &ctx);
            hf_error_clear(&ctx.error);
            return;
        }
        ++*count;
    }
}

int hf_pipeline_run(const struct hf_pipeline_plan *plan, struct hf_ctx *ctx, struct hf_fanout *fanout,
                    struct hf_manifest *manifest)
{
    size_t block_size = plan->stage ? plan->stage->loaded->stage.block_size : HF_RAW_BLOCK_SIZE;
    /* A source whose calls must not overlap has nothing from more threads. */
    int jobs = plan->source->gate == NULL ? plan->jobs : 1;
    int workers = plan->stage ? plan->workers : 0;
    struct hf_line line = {.source = plan->source,
                           .stage = plan->stage,
                           .layers = hf_layers_new(plan->layers, plan->layer_count),
                           .services = plan->services,
                           .cancel = plan->cancel,
                           .session = plan->session,
                           .leave_for_head = (size_t)plan->workers + 2};
    pthread_t *threads = hf_alloc_array((size_t)(jobs + workers), sizeof(*threads));
    size_t count = 0;
    int rc = hf_line_init(&line, ctx, raw_blocks(plan, block_size), block_size);

    if (workers > 0)
        start(&line, threads, &count, hf_encoder_run, workers);
    start(&line, threads, &count, hf_producer_run, jobs);
    rc = hf_sequencer_run(&line, ctx, fanout, manifest);
    if (rc != HF_OK)
        hf_line_fail(&line, ctx);
    pthread_mutex_lock(&line.lock);
    line.closed = true;
    pthread_cond_broadcast(&line.changed);
    pthread_mutex_unlock(&line.lock);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    if (rc != HF_OK) {
        hf_fanout_stop(fanout);
        hf_error_clear(&ctx->error);
        hf_error_merge(&ctx->error, &line.error);
        if (ctx->error.code == 0)
            hf_fail(ctx, HF_E_CANCELLED, "stopped");
        rc = ctx->error.code;
    }
    hf_layers_free(line.layers, hf_fanout_stalled(fanout));
    hf_line_clear(&line, hf_fanout_stalled(fanout));
    free(threads);
    return rc;
}
