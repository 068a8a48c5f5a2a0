/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder for each test, and questions about diagnostics.
 */
#ifndef UNIT_CONFIG_SCRATCH_H
#define UNIT_CONFIG_SCRATCH_H

#include "config/profile.h"
#include <check.h>
#include <sys/types.h>

void scratch_set_up(void);
void scratch_tear_down(void);
const char *scratch_folder(void);
/* Writes FOLDER/name (and the folders that it needs); the path is good until the test ends. */
const char *scratch_write(const char *name, const char *text, mode_t mode);
const char *scratch_write_bytes(const char *name, const void *data, size_t size, mode_t mode);

/* There is exactly one diagnostic on this line whose text or hint contains `part`. */
void expect(const struct hf_diagnostics *, int severity, int line, const char *part);
void expect_count(const struct hf_diagnostics *, size_t count);

TCase *ini_case(void);
TCase *option_case(void);
TCase *reference_case(void);
TCase *profile_case(void);
TCase *settings_case(void);

#endif
