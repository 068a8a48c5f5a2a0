/* SPDX-License-Identifier: Apache-2.0
 *
 * A stage under test, driven the way the core does it, and bytes to drive it with. A failure of the kit's own (memory,
 * a tool that cannot be started) fails the test.
 */
#ifndef HOLDFAST_TEST_STAGE_KIT_H
#define HOLDFAST_TEST_STAGE_KIT_H

#include <stdbool.h>

#include "fake_host.h"

struct bytes {
    unsigned char *data;
    size_t size;
};

struct kit {
    const struct hf_stage *stage;
    void *self;
    struct fake *fake;
    struct hf_config *config;
    void (*close)(void *);
};

/* An encoded artifact, and where its blocks lie in it. */
struct encoded {
    struct bytes all;
    size_t *offsets; /* block_count + 1: the last is the trailer's */
    size_t block_count;
};

/* level: as in a profile. */
struct kit kit_open(const struct hf_module *module, const char *level);
/* pairs: any options, as for fake_config_new. */
struct kit kit_open_with(const struct hf_module *module, const char *const *pairs);
void kit_close(struct kit *kit);

/* block: raw bytes of a block; 0: a random size for each. A chunk stage's chunks have the size that they must. */
struct encoded kit_encode(struct kit *kit, struct bytes raw, size_t block);
/* A range of what a chunk stage encoded, through its seek operations. Returns HF_END, or what failed. */
int kit_seek(struct kit *kit, struct bytes whole, uint64_t offset, uint64_t length, struct bytes *ret_out);
/* in_piece, out_piece: what one step gets at most; 0: a random size for each. Every piece is memory of its own, so that
 * a sanitizer sees any access beyond it. Returns HF_END or what step() failed with. */
int kit_decode(struct kit *kit, int mode, struct bytes in, size_t in_piece, size_t out_piece, struct bytes *ret_out);

enum kit_taste { KIT_TEXT, KIT_NOISE, KIT_ZEROS, KIT_MIXED, KIT_TASTES };
struct bytes kit_make(enum kit_taste taste, size_t size, uint64_t seed);
uint64_t kit_random(uint64_t *seed);

struct bytes bytes_copy(const void *data, size_t size);
struct bytes bytes_join(struct bytes first, struct bytes second);
void bytes_free(struct bytes *bytes);
void encoded_free(struct encoded *encoded);
bool bytes_equal(struct bytes one, struct bytes other);

bool kit_has_tool(const char *tool);
/* Runs a shell command with `in` as its standard input. Returns the exit code; ret_out may be NULL. */
int kit_pipe(const char *command, struct bytes in, struct bytes *ret_out);

/* Checks that any compressing stage must pass; each fails the running test. */
void kit_check_round_trips(struct kit *kit, size_t max_size, unsigned rounds);
void kit_check_blocks_alone(struct kit *kit);
void kit_check_truncation(struct kit *kit, struct bytes whole);
void kit_check_runs_truncated(struct kit *kit);
void kit_check_deterministic(struct kit *kit);
/* Every single-bit error is found, or harmless: the decoded bytes are the same. */
void kit_check_bit_flips(struct kit *kit, struct bytes whole, struct bytes raw);
/* Whatever bytes come, there is an answer. */
void kit_check_garbage(struct kit *kit, struct bytes whole, unsigned rounds);

#endif
