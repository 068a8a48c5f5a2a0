/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_TEST_LIBS3_SUITES_H
#define HOLDFAST_TEST_LIBS3_SUITES_H

#include <check.h>

Suite *suite_misbehaving(void);

#endif
