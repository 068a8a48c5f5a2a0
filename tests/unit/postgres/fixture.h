/* SPDX-License-Identifier: Apache-2.0
 *
 * The plugin's rooms in a fake host, and connections to the test's cluster.
 */
#ifndef HOLDFAST_TEST_POSTGRES_FIXTURE_H
#define HOLDFAST_TEST_POSTGRES_FIXTURE_H

#include <check.h>

#include "fake_host.h"
#include "postgres.h"

extern struct fake *fake;

void setup(void);
void teardown(void); /* also closes the source */

/* Opens an instance with key, value, …, NULL; the one before is closed. */
int open_source(const char *const *pairs);
extern struct pg_source *source;
/* With url = `url`; it must be good. */
void use_url(const char *format, ...) HF_PRINTF(1, 2);
/* As postgres by the socket. */
void use_socket(const char *database);

struct pg_conn *connect_to(const char *database); /* must work */
/* The first value of the first row; valid until the fourth call after it. */
const char *value(struct pg_conn *, const char *sql);
void run_sql(struct pg_conn *, const char *sql);

/* Stops the run from another thread after a while; join it before the test ends. */
pthread_t stop_after_ms(unsigned ms);
double seconds(void);

Suite *suite_text(void);
Suite *suite_rows(void);
Suite *suite_records(void);
Suite *suite_options(void);
Suite *suite_pattern(void);
Suite *suite_pattern_live(void);
Suite *suite_connect(void);
Suite *suite_query(void);
Suite *suite_tools(void);
Suite *suite_tools_live(void);

#endif
