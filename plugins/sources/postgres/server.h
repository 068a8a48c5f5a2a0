/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's rooms among themselves: connect, query, problem.
 */
#ifndef HOLDFAST_SOURCE_POSTGRES_SERVER_H
#define HOLDFAST_SOURCE_POSTGRES_SERVER_H

#include "postgres.h"

/* Is it well formed? Registers the secrets in it. No message shows any of it. */
int pg_url_check(struct hf_ctx *, const char *url);

/* Why connecting failed, as this call's failure. begun: the parameters were good. Returns the code. */
int pg_fail_connect(struct pg_conn *, bool begun);

#endif
