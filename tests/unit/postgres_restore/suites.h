/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_TEST_POSTGRES_RESTORE_SUITES_H
#define HOLDFAST_TEST_POSTGRES_RESTORE_SUITES_H

#include <check.h>

Suite *suite_names(void);
Suite *suite_constraint(void);

#endif
