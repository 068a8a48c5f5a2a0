/* SPDX-License-Identifier: Apache-2.0
 *
 * A PostgreSQL cluster for tests: made by initdb in a folder of /tmp, run as another user than root, stopped and removed
 * afterwards. When the test program is killed its server ends, too. By its socket everybody is let in; by TCP a password is
 * asked for.
 */
#ifndef HOLDFAST_TEST_POSTGRES_CLUSTER_H
#define HOLDFAST_TEST_POSTGRES_CLUSTER_H

#include <stdbool.h>

/* Starts it; false when no server is installed. Aborts when it does not come up. Superuser: postgres. */
bool cluster_start(void);
void cluster_stop(void);          /* and removes it; also when there is none */
const char *cluster_folder(void); /* its socket lies here, too */
int cluster_port(void);
const char *cluster_bin(void); /* folder of initdb, psql, pg_dump */
/* A port of 127.0.0.1 that nobody listens on. */
int cluster_free_port(void);

#endif
