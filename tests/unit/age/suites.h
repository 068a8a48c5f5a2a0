/* SPDX-License-Identifier: Apache-2.0
 *
 * The tests of the age stage, and age files made to measure.
 */
#ifndef HOLDFAST_TEST_AGE_SUITES_H
#define HOLDFAST_TEST_AGE_SUITES_H

#include "age.h"
#include "stage_kit.h"

#include <check.h>

/* The keys that the files are made for, and one that is nobody's. */
#define FORGE_SECRET "AGE-SECRET-KEY-1XMWWC06LY3EE5RYTXM9MFLAZ2U56JJJ36S0MYPDRWSVLUL66MV4QX3S7F6"
#define FORGE_OTHER "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0"
#define FORGE_PASSPHRASE "correct horse battery"

/* Around all tests: a folder for their files. */
void forge_begin(void);
void forge_end(void);
/* A file of this text in that folder, mode 0600; a path there. */
const char *forge_file(const char *name, const char *text);
const char *forge_path(const char *name);

/* An age file with file key "YELLOW SUBMARINE": `header` is what stands between the first and the last line, in which
 * %X is a good recipient for FORGE_SECRET, %O one for FORGE_OTHER, %P one for FORGE_PASSPHRASE (work factor 10), and %B
 * the body alone of a good one of another's. `end`: the last line, in which %M is the right code. */
struct bytes forge_header(const char *header, const char *end);
/* Adds the nonce and chunks of these sizes, the last one marked. Bytes are 0, 1, 2, … of the whole. */
void forge_payload(struct bytes *file, const size_t *sizes, size_t count);
/* One chunk of the payload, numbered and marked as one likes. */
void forge_chunk(struct bytes *file, uint64_t index, bool last, size_t size);
void forge_nonce(struct bytes *file);
void forge_add(struct bytes *file, const void *data, size_t size);

struct kit forge_kit(void);            /* knows FORGE_SECRET             */
struct kit forge_kit_passphrase(void); /* knows FORGE_PASSPHRASE         */

TCase *text_case(void);
TCase *keys_case(void);
TCase *header_case(void);
TCase *stream_case(void);
TCase *tool_case(void);

#endif
