/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink in memory, with the contract of include/holdfast/sink.h, that counts its calls and fails or "crashes" at the
 * n-th, or stalls. All of its calls but put_abort, get_read and get_end count. After a crash every further call fails until
 * restarted.
 */
#ifndef HF_TEST_MEMORY_SINK_H
#define HF_TEST_MEMORY_SINK_H

#include "plugin/instance.h"

enum memory_fault {
    MEMORY_FAIL_ONCE = 1, /* the n-th call fails without effect; later ones work                      */
    MEMORY_CRASH_BEFORE,  /* the n-th call and all later ones fail without effect                     */
    MEMORY_CRASH_AFTER    /* the n-th call takes effect and yet fails, as do all later ones, without  */
};

struct memory_object {
    char *key;
    char *data;
    size_t size;
};

struct memory_put;

struct memory_sink {
    struct hf_instance instance; /* what the core is given: &sink.instance */
    struct hf_loaded loaded;
    pthread_mutex_t lock;          /* guards everything below */
    struct memory_object *objects; /* sorted by key */
    size_t count, room;
    struct memory_put *open_puts;
    unsigned calls;    /* since the last restart                 */
    unsigned fault_at; /* 0: none                                */
    enum memory_fault fault;
    unsigned stall_at;     /* this call of a put and all later ones wait; 0: none */
    int stall_ms;          /* so long, or until told to stop                     */
    bool stubborn;         /* not even then, but until `released`                */
    atomic_bool released;
    atomic_uint stalled;   /* calls that wait now */
    unsigned put_calls;
    int fault_code; /* what a failing call returns; HF_E_IO at first */
    unsigned sweeps;
    int sweep_result;     /* HF_OK at first, or HF_ALONE */
    int64_t modified_ms;  /* of every object in listings; 0 at first */
    const char *locked; /* a key that may not be removed; NULL: none */
};

void memory_sink_init(struct memory_sink *, const char *name);
void memory_sink_clear(struct memory_sink *);

/* From the next call on: the n-th (from 1) fails so. */
void memory_sink_fault(struct memory_sink *, unsigned n, enum memory_fault);
/* The machine is up again: no fault, open puts forgotten. Returns how many calls were made since the last restart. */
unsigned memory_sink_restart(struct memory_sink *);

/* Past the counting: what a person does in the sink's folder. */
void memory_sink_set(struct memory_sink *, const char *key, const void *data, size_t size);
void memory_sink_unset(struct memory_sink *, const char *key);
const struct memory_object *memory_sink_at(struct memory_sink *, const char *key); /* NULL: none */
/* All keys and contents as one text, for comparing. Free it. */
char *memory_sink_dump(struct memory_sink *);

#endif
