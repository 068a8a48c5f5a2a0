/* SPDX-License-Identifier: Apache-2.0
 *
 * A world for each test: a folder with a tree in it, the plugin opened on it, and a look at two trees' differences.
 */
#ifndef HOLDFAST_TEST_TREE_H
#define HOLDFAST_TEST_TREE_H

#include "fake_internal.h"
#include "files.h"
#include <check.h>

struct world {
    struct fake *fake;
    char base[64]; /* an empty folder of the test's own */
    struct hf_config *config;
    const struct hf_plugin *plugin;
    const struct hf_source *source;
    void *self;
};
void world_open(struct world *);
void world_close(struct world *);
/* Opens the plugin; pairs as in fake_config_new, and "%" at the beginning of a value stands for the base. */
void world_configure(struct world *, const char *const *pairs);

/* Everything below takes paths beneath the base. */
const char *at(const struct world *, const char *path); /* the full path; a few are kept at a time */
void put_text(const struct world *, const char *path, const char *text);
void put_folder(const struct world *, const char *path);
const char *get_text(const struct world *, const char *path); /* NULL: not there */
bool has(const struct world *, const char *path);
int count(const struct world *, const char *path); /* entries of a folder */
/* A tree with one of everything, at `path`. */
void put_everything(const struct world *, const char *path);
/* Asserts that two trees are the same in all that a backup keeps. */
void same_trees(const struct world *, const char *one, const char *other);

int backup(struct world *, unsigned threads);
int restore_to(struct world *, const char *to, bool replace);
int restore_only(struct world *, const char *to, bool replace, const char *only);
/* The last backup's artifact as a file. */
void save_artifact(struct world *, const char *path);
const char *artifact_names(struct world *); /* of all entries, one a line, in a static buffer */

Suite *backup_suite(void);
Suite *restore_suite(void);

#endif
