/* SPDX-License-Identifier: Apache-2.0
 *
 * The s3 sink's tests that need no server.
 */
#ifndef HOLDFAST_TEST_S3_SUITES_H
#define HOLDFAST_TEST_S3_SUITES_H

#include <check.h>

Suite *suite_sign(void);
Suite *suite_answers(void);
Suite *suite_sizes(void);
Suite *suite_md5_lanes(void);
Suite *suite_keys(void);
Suite *suite_options(void);
Suite *suite_misbehaving(void);

#endif
