/* SPDX-License-Identifier: Apache-2.0
 *
 * The line that a backup's bytes move along: what its rooms (producer, encoder, sequencer) share.
 *
 * A part's bytes fill raw blocks; each block is a pack, queued for encoding, and laid down by the sequencer in the order of
 * parts and blocks. Its raw block stays with the pack until then, since the digest over raw bytes must see them in order: the
 * number of raw blocks is what bounds memory. The part that is next to be laid down (the head) may use them all; others must
 * leave some, so that the head never waits for a block that waits for the head.
 */
#ifndef HF_PIPELINE_LINE_H
#define HF_PIPELINE_LINE_H

#include "pipeline/buffer.h"
#include "pipeline/layers.h"
#include "plugin/host.h"
#include "plugin/instance.h"
#include <xxhash.h>

enum {
    HF_CHUNK_SIZE = 64 * 1024,           /* encoded bytes are kept in pieces of this size            */
    HF_RAW_BLOCK_SIZE = 1024 * 1024,     /* without a stage                                          */
    HF_RAW_WINDOW_BYTES = 16 * 1024 * 1024, /* raw blocks at least, if that is more than one per thread */
    HF_RAW_AHEAD_MAX = 64 * 1024 * 1024,    /* more of them that a source asks for, per job beyond the first */
    HF_SLOTS_MAX = 256                   /* parts being produced or waiting to be laid down           */
};

struct hf_slot;

/* One block on its way. */
struct hf_pack {
    struct hf_pack *next;       /* of the same part, in order */
    struct hf_pack *queue_next; /* waiting for a worker       */
    struct hf_buffer *raw;
    struct hf_buffer **stored; /* encoded pieces; without a stage the raw block itself */
    size_t stored_count, stored_size;
    uint64_t tag;
    bool ready;
};

/* One part on its way. */
struct hf_slot {
    struct hf_slot *next;
    struct hf_part part; /* strings are the source's */
    struct hf_pack *first, *last;
    bool complete; /* all packs are queued; raw_bytes and xxh128 are final */
    uint64_t raw_bytes;
    XXH128_hash_t xxh128;
};

struct hf_line {
    /* Constant while threads run. */
    struct hf_instance *source, *stage; /* the block stage, NULL: none */
    struct hf_layers *layers;           /* the chunk stages, NULL: none; the sequencer's */
    struct hf_services *services;
    struct hf_cancel *cancel;
    void *session;
    struct hf_pool *raw_pool, *chunk_pool;
    size_t leave_for_head; /* raw blocks */

    pthread_mutex_t lock;     /* guards what follows, and every slot and pack */
    pthread_cond_t changed;
    struct hf_slot *head, *tail;
    size_t slot_count;
    bool listed; /* next_part said HF_END */
    struct hf_pack *queue_first, *queue_last;
    bool closed; /* no more packs will come: workers may go */
    bool stopped;
    struct hf_error error; /* the first failure */

    pthread_mutex_t listing; /* held around next_part, so that slots are in its order */
};

int hf_line_init(struct hf_line *, struct hf_ctx *, size_t raw_blocks, size_t block_size);
/* `leave`: somebody who does not come back may still have some of its buffers. */
void hf_line_clear(struct hf_line *, bool leave);

/* Records a failure (taken from the ctx), and stops everything. */
void hf_line_fail(struct hf_line *, struct hf_ctx *);
/* With the lock held: true when everything must stop. */
bool hf_line_stopped(struct hf_line *);
/* With the lock held: waits for a change, a quarter of a second at most, since a signal changes nothing here. */
void hf_line_wait(struct hf_line *);
void hf_pack_free(struct hf_pack *);

/* A ctx for a thread of the line. */
struct hf_ctx hf_line_ctx(struct hf_line *);

/* Thread bodies; `arg` is the line. */
void *hf_producer_run(void *arg);
void *hf_encoder_run(void *arg);

#endif
