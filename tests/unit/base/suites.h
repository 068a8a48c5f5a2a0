/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_BASE_SUITES_H
#define UNIT_BASE_SUITES_H

#include <check.h>

TCase *cancel_case(void);
TCase *error_case(void);
TCase *file_case(void);
TCase *json_case(void);
TCase *log_case(void);
TCase *text_case(void);
TCase *time_case(void);

#endif
