/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_PIPELINE_SUITES_H
#define UNIT_PIPELINE_SUITES_H

#include <check.h>

Suite *suite_schedule(void);
Suite *suite_fanout(void);
Suite *suite_copies(void);

#endif
