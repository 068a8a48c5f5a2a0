/* SPDX-License-Identifier: Apache-2.0
 *
 * Gzip decoding as a stream, by ISA-L; several members in a row are fine. For looking inside gzipped segments.
 */
#ifndef LEDGER_GUNZIP_H
#define LEDGER_GUNZIP_H

#include <stddef.h>

struct gunzip;

/* NULL: out of memory. */
struct gunzip *gunzip_new(void);
void gunzip_free(struct gunzip *);
/* Decodes a piece; `out` is called with what comes of it, and a failure of it is returned. Damaged input is no failure
 * of this call: it is noted, and all further input is ignored. */
int gunzip_feed(struct gunzip *, const void *data, size_t size, int (*out)(void *arg, const void *, size_t), void *arg);
/* After all input: what is wrong with it, NULL when nothing is. */
const char *gunzip_problem(const struct gunzip *);

#endif
