/* SPDX-License-Identifier: Apache-2.0
 *
 * What the git sink's tests share.
 */
#ifndef HOLDFAST_TEST_GIT_H
#define HOLDFAST_TEST_GIT_H

#include <check.h>

#include "fake_host.h"
#include "git.h"

/* A sink over a new repository of its own. */
struct sink {
    struct fake *fake;
    struct hf_config *config;
    const struct hf_sink *ops;
    struct gs *self;
    char base[64], path[96];
};
struct sink sink_new(const char *const *pairs);
void sink_free(struct sink *sink);
struct hf_ctx *sink_ctx(struct sink *sink);
int sink_put(struct sink *sink, const char *key, const void *data, size_t size);
/* Reads a range whole; the result is a code or the number of bytes. */
int64_t sink_get(struct sink *sink, const char *key, uint64_t offset, uint64_t length, void *data, size_t room);

TCase *tree_cases(void);

#endif
