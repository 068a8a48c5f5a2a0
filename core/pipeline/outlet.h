/* SPDX-License-Identifier: Apache-2.0
 *
 * One sink of a fan-out: its thread, its queue and its open puts. For fanout.c alone.
 *
 * What its thread works with (stop, services) is its own, so that a thread that does not come back from the sink's
 * plugin can be left behind: then nothing that it may still look at is freed.
 */
#ifndef HF_PIPELINE_OUTLET_H
#define HF_PIPELINE_OUTLET_H

#include "base/cancel.h"
#include "pipeline/fanout.h"

#include <pthread.h>

enum hf_item_kind { HF_ITEM_BEGIN, HF_ITEM_DATA, HF_ITEM_END };

struct hf_item {
    struct hf_item *next;
    enum hf_item_kind kind;
    struct hf_buffer *buffer;  /* HF_ITEM_DATA  */
    char *key, *media, *owner; /* HF_ITEM_BEGIN */
};

struct hf_outlet {
    pthread_mutex_t *lock; /* the fan-out's */
    pthread_cond_t *changed;
    struct hf_instance *sink;
    struct hf_cancel cancel; /* below the run's */
    struct hf_services services;
    pthread_t thread;
    bool started;
    void **puts; /* prepared, in order; the last one may still be open */
    size_t put_count, put_room;
    bool open; /* the last put is not prepared yet: the outlet's thread only */
    /* guarded by the lock */
    struct hf_item *first, *last;
    size_t backlog; /* bytes queued                                                        */
    bool closing;   /* no more will come                                                   */
    bool busy;      /* the thread works on an item, or lets go of what it was given        */
    bool ended;     /* the thread is done                                                  */
    bool dropped;   /* out; with the reason in `error`                                     */
    bool stalled;   /* dropped because it did not answer: nobody waits for it              */
    bool forsaken;  /* a call that does not return has the puts: nobody else touches them  */
    struct hf_error error;
};

int hf_outlet_start(struct hf_outlet *, struct hf_ctx *, const struct hf_cancel *, const struct hf_services *);
/* Everything below with the lock held. */
void hf_outlet_queue(struct hf_outlet *, enum hf_item_kind, struct hf_buffer *, const struct hf_put_request *);
/* Takes the ctx's error. */
void hf_outlet_drop(struct hf_outlet *, struct hf_ctx *);
/* Drops it if it does not answer; what waits for it is let go of. */
void hf_outlet_watch(struct hf_outlet *);
/* Waits for its thread to end, unless the sink does not answer: then it is left behind, and false returned. */
bool hf_outlet_end(struct hf_outlet *);
void hf_outlet_clear(struct hf_outlet *); /* without the lock; of one that has ended */


#endif
