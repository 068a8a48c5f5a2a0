/* SPDX-License-Identifier: Apache-2.0
 *
 * A source of known bytes, a stage that is easy to check, and a pipeline between them and sinks in memory.
 */
#ifndef HF_TEST_RIG_H
#define HF_TEST_RIG_H

#include "base/cancel.h"
#include "memory_sink.h"
#include "pipeline/pipeline.h"
#include "plugin/chain.h"

enum { RIG_PARTS_MAX = 64, RIG_SINKS_MAX = 3, RIG_LAYERS_MAX = 3 };

extern const struct hf_stage rig_layer; /* a chunk stage */

struct rig {
    struct hf_loaded source_loaded, stage_loaded;
    struct hf_instance source, stage, layer;
    struct hf_loaded layer_loaded;
    struct hf_instance *layers[RIG_LAYERS_MAX]; /* all of them the same one */
    size_t layer_count;
    atomic_int seeks_open, seeks_made;
    uint64_t layer_fails_at; /* the chunk that does not encode; UINT64_MAX: none */
    struct memory_sink sinks[RIG_SINKS_MAX];
    struct hf_instance *sink_list[RIG_SINKS_MAX];
    size_t sink_count, quorum;
    struct hf_services services;
    struct hf_cancel cancel;
    struct hf_ctx ctx;
    struct hf_manifest *manifest;
    struct hf_fanout *fanout;

    /* The source: part i has sizes[i] bytes, and belongs to artifacts[i]. */
    size_t sizes[RIG_PARTS_MAX];
    const char *artifacts[RIG_PARTS_MAX];
    char names[RIG_PARTS_MAX][16];
    size_t part_count, listed;
    size_t fail_at;       /* the part that fails midway; SIZE_MAX: none           */
    bool swallow;         /* backup_part ignores what write() says                */
    bool slow_first;      /* the first part dawdles, so that later ones overtake  */
    atomic_int running, most_running;
};

void rig_init(struct rig *, size_t sinks, bool with_stage);
void rig_clear(struct rig *);
int rig_run(struct rig *, int jobs, int workers);
/* The stages of the rig, for reading. Clear them. */
struct hf_chain rig_chain(struct rig *);
/* The byte at `offset` of part `part`. */
unsigned char rig_byte(size_t part, size_t offset);
void rig_fill(size_t part, size_t offset, unsigned char *space, size_t size);

#endif
