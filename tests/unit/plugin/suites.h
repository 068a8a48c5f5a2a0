/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_PLUGIN_SUITES_H
#define UNIT_PLUGIN_SUITES_H

#include <check.h>

TCase *vet_case(void);
TCase *host_case(void);
TCase *tempdir_case(void);
TCase *instance_case(void);
TCase *child_case(void);

#endif
