/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOLDFAST_TEST_POSTGRES_SCRIPT_H
#define HOLDFAST_TEST_POSTGRES_SCRIPT_H

#include <check.h>
#include <stddef.h>

/* The input, read in pieces of many sizes, must give these tokens (see render.h), and the same places each time. */
void expect_tokens(const char *input, size_t size, const char *tokens);
void expect(const char *input, const char *tokens);
/* A problem in this line with these words in it, after any tokens. */
void expect_corrupt(const char *input, unsigned line, const char *words);
/* The places, too: "LINE:BEGIN token …END". */
void expect_places(const char *input, const char *tokens);

TCase *statement_tests(void);
TCase *between_tests(void);
TCase *copy_tests(void);
TCase *entry_tests(void);
TCase *memory_tests(void);

#endif
