/* SPDX-License-Identifier: Apache-2.0
 *
 * An artifact in memory, as a backup writes it.
 */
#ifndef HOLDFAST_TEST_POSTGRES_ARTIFACT_H
#define HOLDFAST_TEST_POSTGRES_ARTIFACT_H

#include <check.h>

#include "fake_host.h"
#include "postgres.h"

extern struct fake *fake;

void artifact_setup(void);
void artifact_teardown(void);

/* Parts follow each other in the order of these calls. */
struct fake_part *add_part(const char *artifact, uint32_t phase, const char *name, const char *group, const char *text);
/* Puts other text in its place. */
void set_text(struct fake_part *, const char *text);
/* The first `was` in the part becomes `is`. */
void change(struct fake_part *, const char *was, const char *is);

int verify(unsigned threads);
/* Verifies what is whole, and records the facts that it shows. */
void learn(void);

Suite *suite_statement(void);
Suite *suite_verify(void);
Suite *suite_damage(void);

#endif
