/* SPDX-License-Identifier: Apache-2.0
 *
 * Sinks store objects under flat keys ([A-Za-z0-9._-], at most 240 bytes). An object is either absent, or whole and
 * durable; while it is being written it must not be visible under its key, nor under a name that ends like one.
 */
#ifndef HOLDFAST_SINK_H
#define HOLDFAST_SINK_H

#include "host.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hf_object {
    uint32_t size, reserved;
    const char *key;     /* valid during the call that hands it over                                                  */
    uint64_t bytes;
    int64_t modified_ms; /* Unix time when it was committed, by the clock that all who write to the sink see         */
    /* stat only: the sink refuses to remove it before (Unix time); 0: it does not. A plugin sets it when the size that the
     * core gave has room for it. */
    int64_t locked_until_ms;
    /* list only, valid during the call: another text whenever the object was written anew (an ETag, say), so that what was
     * read of it before need not be read again; NULL: the sink has none, and everything is read each time. */
    const char *tag;
};

enum hf_put_flags {
    /* A record that the core removes or replaces before long: not to be locked, archived, or stored in a class that charges
     * for a least time. */
    HF_PUT_PASSING = 1
};

struct hf_put_request {
    uint32_t size;
    uint32_t flags;     /* enum hf_put_flags                                                                         */
    const char *key, *media;
    uint64_t size_hint; /* expected bytes; 0: unknown                                                                */
    const char *owner;  /* not NULL when `key` does not begin as its profile's keys do: one that does, and what a crash
                         * leaves of this put must be found by sweep() as if it were of that key                       */
};

struct hf_sink {
    uint32_t size;
    uint32_t reserved;

    /* Reachable and writable? Leaves nothing behind. Optional. */
    int (*check)(void *self, struct hf_ctx *);

    /* Writing. Calls of one put never overlap, but with HF_PARALLEL several puts are open at once on different threads;
     * otherwise the core makes one call into the instance at a time, and several puts are still open at once.
     * put_prepare (optional): everything durable that can be before it is visible, so that put_commit is short.
     * put_commit: durable and visible under the key, or neither; a key that exists is HF_E_EXISTS, decided atomically.
     * A successful commit ends the put. put_abort ends it otherwise, at any point, and leaves nothing. */
    int (*put_begin)(void *self, struct hf_ctx *, const struct hf_put_request *, void **ret_put);
    int (*put_write)(void *put, struct hf_ctx *, const struct hf_block *);
    int (*put_prepare)(void *put, struct hf_ctx *);
    int (*put_commit)(void *put, struct hf_ctx *);
    void (*put_abort)(void *put, struct hf_ctx *);

    /* Reading. length UINT64_MAX: to the end. get_read: 1 to `size` bytes, 0 at the end of the range, or a failure; an
     * object that ends before the range does is HF_E_CORRUPT. */
    int (*get_begin)(void *self, struct hf_ctx *, const char *key, uint64_t offset, uint64_t length, void **ret_get);
    int64_t (*get_read)(void *get, struct hf_ctx *, void *data, size_t size);
    void (*get_end)(void *get);

    /* HF_E_NOTFOUND when there is none; any other failure means that the answer is not known. */
    int (*stat)(void *self, struct hf_ctx *, const char *key, struct hf_object *ret_object);
    /* Every committed object whose key begins with prefix, in byte order; stops when each() returns non-zero, and returns
     * that. */
    int (*list)(void *self, struct hf_ctx *, const char *prefix, int (*each)(void *arg, const struct hf_object *),
                void *arg);
    /* A missing one is fine; durable. HF_E_REFUSED: the sink does not allow it yet, and the object is as it was. */
    int (*remove)(void *self, struct hf_ctx *, const char *key);
    /* Removes what crashed runs left of uncommitted puts whose keys (their owner, if they have one) begin with prefix. The
     * core holds the lock of the profile that owns the prefix. older_than_ms: for sinks that other machines share, 0: all.
     * HF_ALONE: nor does any run that does not share that lock, as of another machine, write under the prefix, now or before
     * the instance is closed (one that tries gets HF_E_BUSY). Whatever crashed runs left is then tidied up at once. After
     * HF_OK, the core leaves a commit or a removal of other machines alone for six hours (modified_ms), and so should this
     * function with what may be one's that is at work. */
    int (*sweep)(void *self, struct hf_ctx *, const char *prefix, int64_t older_than_ms);

    /* Where a person finds the object ("/backups/x.gz"), in at most `size` bytes with the final NUL. Optional. */
    void (*locate)(void *self, const char *key, char *text, size_t size);

    /* A backup of about `bytes` (0: unknown) is to be stored. Called once for each, before its source is asked for anything,
     * or any of it is read from another sink, and before any put of it: HF_E_REFUSED when it would have no room. Changes
     * nothing. Optional. */
    int (*expect)(void *self, struct hf_ctx *, uint64_t bytes);
};

#ifdef __cplusplus
}
#endif
#endif
