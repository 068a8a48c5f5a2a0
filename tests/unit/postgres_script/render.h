/* SPDX-License-Identifier: Apache-2.0
 *
 * A script's tokens as text, so that they can be compared, and what must hold for any script is checked on the way (a
 * violation aborts): tokens follow each other, their text is the input's, and between them are only white space and
 * comments.
 */
#ifndef HOLDFAST_TEST_RENDER_H
#define HOLDFAST_TEST_RENDER_H

#include "script.h"

enum { RENDER_PLACES = 1 }; /* with begin, end and line of each token */

/* Read in pieces of `piece` bytes; 0: of changing sizes. One line per token, pieces of COPY data joined:
 *   entry NAME|TYPE|SCHEMA|OWNER[|data][|table=…][|toc=N,C,O][|needs=N,N]
 *   meta …  sql …  copy …  data …  end  done  corrupt: …
 * with line breaks shown as ¶, carriage returns as ␍. free() it. */
char *render(const char *input, size_t size, size_t piece, int flags);

#endif
