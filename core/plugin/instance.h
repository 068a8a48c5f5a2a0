/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin at work: its operations, its validated options, its state, and the lock that its thread model asks for.
 */
#ifndef HF_PLUGIN_INSTANCE_H
#define HF_PLUGIN_INSTANCE_H

#include "config/profile.h"
#include "plugin/loader.h"
#include <stdatomic.h>

struct hf_instance {
    const struct hf_loaded *loaded;
    struct hf_config *config;
    void *self;
    char *name;           /* of the section: "local"; for a source "" */
    char *who;            /* "sink local", for log lines and error texts */
    bool required;        /* sinks: [sink] required */
    int64_t timeout_ms;   /* sinks: how long a call may last; 0: as long as it likes, as with every required sink */
    atomic_bool given_up; /* a call lasted longer: no new work is begun with it         */
    /* Sinks that are not required: why it failed when it was first asked; nothing more is asked of it in this run, each
     * time to wait for as long again. Code 0: it did not, or was not asked. */
    struct hf_error away;
    char *unswept; /* sinks: why what crashed runs left there could not be taken back; NULL: it could */
    atomic_bool lost;     /* and did not come back even then: it is never closed         */
    atomic_int calls;     /* going on, or waiting for the gate */
    atomic_llong moved_ms; /* when the last one began or ended: hf_time_steady_ms */
    pthread_mutex_t own_lock;
    pthread_mutex_t *gate; /* NULL: calls may overlap */
    char *writer;          /* sinks: whose records it writes, see hf_writer_find; NULL: they do not say */
    struct hf_known *known; /* sinks: what the catalog need not read again; its owner's. NULL: nothing */
};

/* Loads the section's plugin and checks its options; NULL when it could not, and the reason is among the diagnostics.
 * Does not open it. */
struct hf_instance *hf_instance_new(struct hf_ctx *, const struct hf_profile *, const struct hf_plugin_section *,
                                    struct hf_diagnostics *);
/* An instance outside of any profile, with the plugin's defaults; what it requires is given `fill` as its value. */
int hf_instance_default(struct hf_ctx *, uint32_t kind, const char *plugin, const char *fill,
                        struct hf_instance **ret_instance);
int hf_instance_open(struct hf_instance *, struct hf_ctx *);
void hf_instance_free(struct hf_instance *); /* closes, too */

/* Around every call into the instance. `ctx` is told whose call it is. */
void hf_instance_enter(struct hf_instance *, struct hf_ctx *);
/* Around a call that takes no ctx and cannot fail, e.g. get_end. */
void hf_instance_hold(struct hf_instance *);
void hf_instance_release(struct hf_instance *);
/* A call into it goes on, and none has begun or ended for longer than its timeout. */
bool hf_instance_stalled(const struct hf_instance *);
/* "sink NAME: no answer for 60 s". */
int hf_instance_fail_stalled(const struct hf_instance *, struct hf_ctx *);
/* Remembers why it failed, if it is one that the run can do without. */
void hf_instance_set_away(struct hf_instance *, const struct hf_ctx *);
/* Fails if nothing more is to be asked of it: it is away, or did not answer. */
int hf_instance_check(const struct hf_instance *, struct hf_ctx *);
/* Gives `result` back, made sane: a failure without a recorded cause gets one, unknown codes become HF_E_FAIL, and the
 * cause gets "who: " in front. */
int hf_instance_leave(struct hf_instance *, struct hf_ctx *, int result);

#endif
