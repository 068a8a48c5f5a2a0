/* SPDX-License-Identifier: Apache-2.0
 *
 * Stopping a run, from a signal handler or from a thread that failed.
 */
#ifndef HF_BASE_CANCEL_H
#define HF_BASE_CANCEL_H

#include "base/error.h"
#include <stdatomic.h>

struct hf_cancel {
    atomic_int raised; /* enum hf_cancel_reason                                      */
    int event_fd;      /* readable once raised                                       */
    int own_fd;        /* what raising it writes to: event_fd, unless it has a parent */
    _Atomic(const struct hf_cancel *) parent;
};

enum hf_cancel_reason { HF_CANCEL_NO = 0, HF_CANCEL_FAILURE = 1, HF_CANCEL_SIGNAL = 2 };

int hf_cancel_init(struct hf_cancel *, struct hf_ctx *);
/* One that is raised whenever `parent` is, and can be raised alone. The parent (NULL: none) must live as long. */
int hf_cancel_init_below(struct hf_cancel *, struct hf_ctx *, const struct hf_cancel *parent);
void hf_cancel_clear(struct hf_cancel *);
/* Async-signal-safe. A signal outranks a failure. */
void hf_cancel_raise(struct hf_cancel *, int reason);
/* Takes a failure back, so that another run may use the same; a signal stays. */
void hf_cancel_forgive(struct hf_cancel *);
bool hf_cancel_raised(const struct hf_cancel *); /* NULL: false */

/* SIGINT, SIGTERM and SIGHUP raise it from now on; a second SIGINT or SIGTERM kills as usual. SIGPIPE and
 * SIGXFSZ are ignored: the write that fails says so. */
void hf_cancel_on_signals(struct hf_cancel *);
/* The signal that was received, 0 for none. */
int hf_cancel_signal(void);

#endif
