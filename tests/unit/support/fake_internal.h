/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the files of the fake host; tests include fake_host.h.
 */
#ifndef HOLDFAST_TEST_FAKE_INTERNAL_H
#define HOLDFAST_TEST_FAKE_INTERNAL_H

#undef NDEBUG /* a test's mistake must not go unseen in a release build */
#include <assert.h>

#include "fake_host.h"

struct hf_ctx {
    struct fake fake; /* the only context that a fake has */
};

struct hf_writer {
    struct fake *fake;
    struct fake_part *part;
    unsigned char *space;
};

struct hf_reader {
    struct fake *fake;
    const unsigned char *data;
    size_t size, at;
};

/* Test support stops the test rather than report. */
void *fake_alloc(void *old, size_t size);
char *fake_dup(const char *);
void fake_pairs_set(struct fake_pairs *, const char *key, const char *value);
const char *fake_pairs_get(const struct fake_pairs *, const char *key);
void fake_pairs_clear(struct fake_pairs *);
void fake_parts_clear(struct fake *);

const char *fake_config_string(const struct hf_config *, const char *key);
int64_t fake_config_int(const struct hf_config *, const char *key);
int fake_config_is_set(const struct hf_config *, const char *key);
size_t fake_config_list(const struct hf_config *, const char *key, const char *const **ret_items);

#endif
