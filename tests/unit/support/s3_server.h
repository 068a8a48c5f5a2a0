/* SPDX-License-Identifier: Apache-2.0
 *
 * The server that does everything wrong, tests/tools/s3/misbehaving-s3.py, on a free port of this machine.
 */
#ifndef HOLDFAST_TEST_S3_SERVER_H
#define HOLDFAST_TEST_S3_SERVER_H

void s3_server_start(void);
void s3_server_stop(void);
int s3_server_port(void);

#endif
