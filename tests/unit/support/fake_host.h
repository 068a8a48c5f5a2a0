/* SPDX-License-Identifier: Apache-2.0
 *
 * A host for plugins under test, without the core (but for what stands behind spawn and reap): options from key and value
 * pairs, parts kept in memory, and a record of everything the plugin said. The drivers below run a source the way the core
 * does.
 *
 *     struct fake *fake = fake_new();
 *     module->init(fake_host_table());
 *     struct hf_config *config = fake_config_new(plugin->options, plugin->option_count,
 *                                                (const char *const[]){"path", "/data/x.db", NULL});
 *     plugin->open(fake_ctx(fake), config, &self);
 *     ck_assert_int_eq(fake_backup(fake, plugin->operations, self, 2), HF_OK);
 *     ck_assert_int_eq(fake_verify(fake, plugin->operations, self, 2), HF_OK);
 *     …
 *     fake_config_free(config);
 *     fake_free(fake);
 *
 * All calls of one fake share one hf_ctx, which locks; texts and values stay valid until fake_clear or fake_free.
 */
#ifndef HOLDFAST_TEST_FAKE_HOST_H
#define HOLDFAST_TEST_FAKE_HOST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "holdfast/plugin.h"

struct fake_pair {
    char *key, *value;
};

struct fake_pairs {
    struct fake_pair *items;
    size_t count;
};

struct fake_finding {
    int severity;
    char *code, *subject, *text;
};

/* A part of the last backup, its bytes in memory: tests may damage them. */
struct fake_part {
    char *artifact, *name, *group, *suffix;
    uint32_t phase;
    void *cookie;
    unsigned char *data;
    size_t used, room;
    uint64_t raw_offset; /* within the artifact */
    bool left_out;       /* restore_select said 0 */
};

struct fake {
    pthread_mutex_t lock; /* of everything below but the atomics */
    char *error, *hint;   /* of the calls since fake_clear; NULL: none */
    char *log;            /* one line each: "warning: text" */
    struct fake_finding *findings;
    size_t finding_count;
    struct fake_pairs facts, contexts;                   /* reported since fake_clear */
    struct fake_pairs recorded_facts, recorded_contexts; /* what get_fact and get_context answer */
    struct fake_part **parts;
    size_t part_count;
    char *tempdir;
    size_t block_size;  /* what reserve() lends at once, and the reader gives at most; default 1 MiB */
    atomic_bool cancel; /* set it to stop the run */
    atomic_ullong bytes_read, bytes_written; /* by the plugin, through readers and writers */
    int cancel_pipe[2];
    long long cancel_after; /* stop the run once that many bytes were written; 0: never */
    long long
        fail_write_after; /* host->write and commit fail with HF_E_IO once that many bytes were written; 0: never */
};

struct fake *fake_new(void);
void fake_free(struct fake *);
/* Forgets errors, findings, log, reported facts and the stop; keeps parts and recorded values. */
void fake_clear(struct fake *);
const struct hf_host *fake_host_table(void);
struct hf_ctx *fake_ctx(struct fake *);
void fake_cancel(struct fake *);

/* The error, or "". */
const char *fake_error(struct fake *);
const char *fake_hint(struct fake *);
/* The first finding with that code, NULL when there is none. */
const struct fake_finding *fake_find(struct fake *, const char *code);
/* The most severe finding's severity, 0 when there is none. */
int fake_worst(struct fake *);
/* A fact or context that was reported since fake_clear, or NULL. */
const char *fake_fact(struct fake *, const char *key);
const char *fake_context(struct fake *, const char *key);
/* What get_fact or get_context answer, set by hand; value NULL removes it. */
void fake_set_fact(struct fake *, const char *key, const char *value);
void fake_set_context(struct fake *, const char *key, const char *value);
/* 1 when the facts reported are those recorded, as JSON values. */
int fake_facts_agree(struct fake *);
/* Makes the run's tempdir if needed; number of entries in it. */
int fake_temp_entries(struct fake *);

/* pairs: key, value, key, value, …, NULL. A list's values are separated by white space, "double quotes" keep spaces.
 * Unknown keys, bad values and missing required ones abort: they are mistakes of the test. */
struct hf_config *fake_config_new(const struct hf_option *options, size_t count, const char *const *pairs);
void fake_config_free(struct hf_config *);

/* begin … end. The parts of the last backup are dropped first; what it reports becomes what is recorded, when it
 * succeeds. Returns the first failure, or what end() returned. */
int fake_backup(struct fake *, const struct hf_source *, void *self, unsigned threads);
/* verify_begin … verify_end; HF_E_CORRUPT when facts differ or there is an error finding. */
int fake_verify(struct fake *, const struct hf_source *, void *self, unsigned threads);
/* restore_begin … restore_end; `only` parts are those that restore_select takes. */
int fake_restore(struct fake *, const struct hf_source *, void *self, const struct hf_restore_request *,
                 unsigned threads);
/* Restores one artifact as a single part with HF_PART_WHOLE, without facts, contexts and names. */
int fake_restore_whole(struct fake *, const struct hf_source *, void *self, const struct hf_restore_request *,
                       const char *artifact);

/* The artifact's bytes, put together; the caller frees them. NULL when there is no such artifact. */
unsigned char *fake_artifact(struct fake *, const char *artifact, size_t *ret_size);
const struct fake_part *fake_part(struct fake *, const char *artifact, const char *name);

#endif
