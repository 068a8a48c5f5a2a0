/* SPDX-License-Identifier: Apache-2.0
 *
 * Real databases in a folder of each test's own, and the plugin in a fake host.
 */
#ifndef HOLDFAST_TEST_SQLITE_FIXTURE_H
#define HOLDFAST_TEST_SQLITE_FIXTURE_H

#include <check.h>
#include <sqlite3.h>

#include "fake_host.h"

extern struct fake *fake;
extern char folder[64]; /* the test's own */

void setup(void);
void teardown(void);

/* A path below the test's folder; valid until the fourth call after it. */
const char *in_folder(const char *format, ...) HF_PRINTF(1, 2);
void make_folder(const char *path);
/* Runs SQL on a database, which is made if it is not there. */
void run_sql(const char *path, const char *sql);
/* Tables `signals` (rows of about 100 bytes, with an index) and `notes` without rowid. */
void make_database(const char *path, const char *pragmas, int rows);
int64_t query(const char *path, const char *sql);
void write_file(const char *path, const void *data, size_t size);
void remove_file(const char *path);
int exists(const char *path);
int entries(const char *path);

/* No file of this process may become larger, as on a full disk; 0: again without limit. */
void limit_files(unsigned long bytes);

/* The plugin, opened with key, value, …, NULL; closed at the next open and in teardown. */
void *open_plugin(const char *const *pairs);
const struct hf_source *source_operations(void);
int backup(const char *paths, unsigned threads);
int backup_with(unsigned threads, const char *const *pairs);
int verify(unsigned threads);
int restore(const char *to, int replace, const char *only);
extern void *plugin_self;

Suite *suite_find(void);
Suite *suite_backup(void);
Suite *suite_live(void);
Suite *suite_verify(void);
Suite *suite_restore(void);

#endif
