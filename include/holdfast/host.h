/* SPDX-License-Identifier: Apache-2.0
 *
 * The services that the core gives to plugins, as a table. A module receives it in init() and keeps the pointer; it lives
 * as long as the process. Every service may be called from any thread, with the hf_ctx of the call being served.
 */
#ifndef HOLDFAST_HOST_H
#define HOLDFAST_HOST_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct hf_writer; /* backup: takes a part's bytes; blocks while the pipeline is full            */
struct hf_reader; /* restore, verify: gives a part's bytes, decoded and checked against its digest */
struct hf_child;  /* a program that spawn() started                                               */

#define HF_HOST_VERSION 2u

/* A program to start. Secrets belong in `env` or in a file of the tempdir, never in `argv`, which everybody can read. */
struct hf_spawn {
    uint32_t size;
    uint32_t reserved;
    const char *const *argv; /* ends with NULL; argv[0] is a path with a '/': no shell, no search                    */
    const char *const *env;  /* ends with NULL; "NAME=value" adds to or replaces in this process's environment, "NAME"
                              * alone takes out. NULL: as it is. Variables that a profile takes a secret or a URL from
                              * by ${env:NAME} are never passed on unless they are named here                         */
};

enum hf_log_level { HF_LOG_DEBUG = 1, HF_LOG_INFO = 2, HF_LOG_WARNING = 3, HF_LOG_ERROR = 4 };

struct hf_host {
    uint32_t size, version;

    /* Messages: lower case, no full stop, the subject in 'quotes'. Secrets are masked before anything is written. */
    void (*log)(struct hf_ctx *, int level, const char *format, ...) HF_PRINTF(3, 4);
    /* Records why the call fails and returns `code`, so `return host->fail(ctx, HF_E_IO, "read '%s': %s", …)` is one
     * line. The first cause wins; a later fail() in the same call adds what it was doing in front of it. It is forgotten
     * if the call succeeds after all. */
    int (*fail)(struct hf_ctx *, int code, const char *format, ...) HF_PRINTF(3, 4);
    /* What the user can do about the failure; printed as a line of its own. Call it after fail(). Returns the failure's
     * code. */
    int (*hint)(struct hf_ctx *, const char *format, ...) HF_PRINTF(2, 3);

    /* 1 when the run is being stopped. Poll at least once a second in loops that neither read nor write. */
    int (*cancelled)(struct hf_ctx *);
    /* A descriptor that becomes readable when the run is stopped, for poll(). The core owns it; never read from it. */
    int (*cancel_fd)(struct hf_ctx *);
    /* Sleeps; HF_E_CANCELLED when woken by a stop. */
    int (*sleep_ms)(struct hf_ctx *, int64_t ms);

    /* Values of validated options. The key must be in the plugin's table: asking for another is a bug, and asserts.
     * Strings and lists live as long as the config. get_int serves int, bool (0, 1), size (bytes) and duration (ms). */
    const char *(*get_string)(const struct hf_config *, const char *key); /* NULL when unset and without default */
    int64_t (*get_int)(const struct hf_config *, const char *key);        /* 0 when unset and without default    */
    int (*is_set)(const struct hf_config *, const char *key);             /* 1 when the profile sets it          */
    size_t (*get_list)(const struct hf_config *, const char *key, const char *const **ret_items);

    /* A part's bytes, to the pipeline. Both ways block for backpressure and return HF_E_CANCELLED when the run stops.
     * write: all of `size` bytes. reserve/commit: lends the rest of the current block's memory (at least one byte), and
     * then takes the first `used` bytes of it, so that a read() can go straight into the block. */
    int (*write)(struct hf_writer *, const void *data, size_t size);
    int (*reserve)(struct hf_writer *, void **ret_space, size_t *ret_size);
    int (*commit)(struct hf_writer *, size_t used);

    /* A part's bytes, from the pipeline. read: 1 to `size` bytes, 0 at the part's end, or a code; the end is only
     * reported after the part's digest was found right. borrow: the next piece without copying (its size, 0 at the end,
     * or a code), valid until the next read or borrow. A plugin need not read to the end: the core does, to check. */
    int64_t (*read)(struct hf_reader *, void *data, size_t size);
    int64_t (*borrow)(struct hf_reader *, const void **ret_data);

    /* What the source learned. `json` is any JSON value; keys are the source's own, at most 200 bytes.
     * fact: exact, and derivable from the artifact alone. In a backup it goes into the manifest; in a verification the
     * source reports each fact again from what it decodes, and the core compares: a difference, a missing or an extra
     * one is damage. context: known only at backup time (an original path, a server's version); recorded, not compared. */
    int (*fact)(struct hf_ctx *, const char *key, const char *json);
    int (*context)(struct hf_ctx *, const char *key, const char *json);
    /* Recorded values as JSON text, NULL when there is none; valid during the call. In a verification or restore: of the
     * backup at hand. In a backup: of the profile's previous backup, if that is still whole. */
    const char *(*get_fact)(struct hf_ctx *, const char *key);
    const char *(*get_context)(struct hf_ctx *, const char *key);
    /* One result of a check. `code` is a stable word-with-dashes for scripts, `subject` the thing it is about. A finding of
     * severity HF_ERROR makes a backup partial (exit 3) and a verification fail (exit 5). */
    int (*finding)(struct hf_ctx *, int severity, const char *code, const char *subject, const char *format, ...)
        HF_PRINTF(5, 6);
    /* Work that the core cannot count by itself: bytes copied before the first part is written, say, or what restore_end does.
     * total 0: unknown. In a backup whose parts are not all listed yet, `total` is also what they are expected to have in all. */
    void (*progress)(struct hf_ctx *, uint64_t done, uint64_t total);

    /* A directory of this run's own, mode 0700, made at the first call and removed after the run, by the next run if this
     * one crashes. NULL: could not be made, and the failure is recorded. */
    const char *(*tempdir)(struct hf_ctx *);
    /* Registers a secret that did not come from an option, for masking. */
    void (*redact)(struct hf_ctx *, const char *secret);

    /* Version 2. Starts a program: standard input empty, no other descriptor of ours, signals reset, a process group of its
     * own, killed when this process dies. *ret_out: its standard output to read until the end (close-on-exec, closed by
     * reap). Its standard error is kept, the last of it, for the failure's text. HF_E_NOTFOUND when there is no such file. */
    int (*spawn)(struct hf_ctx *, const struct hf_spawn *, struct hf_child **ret_child, int *ret_out);
    /* Waits for it, and frees it; call once for each child. Fails with HF_E_FAIL when it ended otherwise than by exit
     * code 0, naming the program, how it ended, and what it last said. kill 1: it is not wanted any more: its group gets
     * SIGTERM, and after a while SIGKILL, and HF_OK is returned however it ends; so it is, too, when the run is being
     * stopped (HF_E_CANCELLED). *ret_errors, if not NULL: what it said on standard error, the last 8 KiB, with secrets
     * masked; free() it. What is left of its process group when it has ended is killed. */
    int (*reap)(struct hf_ctx *, struct hf_child *, int kill, char **ret_errors);
    /* The name of the profile at work, e.g. for how a connection shows itself to the server; NULL when there is none. */
    const char *(*profile)(struct hf_ctx *);
};

#ifdef __cplusplus
}
#endif
#endif
