/* SPDX-License-Identifier: Apache-2.0
 *
 * The files source: directories, files and globs as one tar.
 *
 * A file is known by its full path without the leading '/', which is also its name in the tar ("etc/app/x.conf").
 */
#ifndef HOLDFAST_FILES_H
#define HOLDFAST_FILES_H

#include "tar.h"
#include <jansson.h>
#include <stdbool.h>
#include <sys/stat.h>

#define FILES_MAX_ROOTS 16384 /* paths, after globs were expanded */

struct files {
    const struct hf_host *host;
    const char *const *paths; /* as configured: absolute, may be globs */
    size_t path_count;
    const char *const *excludes;
    size_t exclude_count;
    bool when_changed, one_file_system, xattrs;
    int outside_links; /* enum files_outside */
};
enum files_outside { FILES_OUTSIDE_AUTO, FILES_OUTSIDE_KEEP, FILES_OUTSIDE_REFUSE };

/* Globs: '*', '?' and '[…]' within a component, "**" for any number of components, also none. A leading dot is nothing
 * special. */
bool glob_has_magic(const char *pattern);
bool glob_match(const char *pattern, const char *path);
/* Calls found() with each path that matches; what a match contains is not looked through for more. unreadable() with
 * each folder that could not be searched. Both: 0 or a failure, which ends the search. */
struct glob_calls {
    int (*found)(void *arg, const char *path);
    int (*unreadable)(void *arg, const char *path, int error);
    void *arg;
};
int glob_expand(const char *pattern, const struct glob_calls *);

/* What is to be backed up: each path once, in byte order. */
struct root {
    char *path; /* "/srv/app", or "" for "/"                                                               */
    char *real; /* the same without the links that lead to it, and without the leading '/'; for opening beneath "/" */
};
struct roots {
    struct root *items;
    size_t count;
};
/* Expands self->paths. A path that does not exist is HF_E_NOTFOUND; a glob that matches nothing is a finding. */
int roots_find(const struct files *, struct hf_ctx *, struct roots *ret_roots);
void roots_clear(struct roots *);
/* The root with that path, or NULL. */
const struct root *roots_get(const struct roots *, const char *path);
/* "//", "/./" and final '/' away: NULL when out of memory, or errno EINVAL for a relative path or one with "..". */
char *path_normal(const char *path);
/* Is `path` what `folder` names, or beneath it? Both normal. */
bool path_within(const char *path, const char *folder);
bool files_excluded(const struct files *, const char *path);

/* Goes through the roots, folders before what they contain, names in byte order. Holds the names of open folders only.
 */
struct walk;
struct walked {
    const struct root *root;
    const char *path; /* "/srv/app/x"; valid until the next call */
    struct stat st;
};
int walk_new(const struct files *, const struct roots *, struct walk **ret_walk);
/* 1: a file, 0: the end, or a failure. */
int walk_next(struct walk *, struct hf_ctx *, struct walked *ret_walked);
void walk_free(struct walk *);
/* Where to open a path of a root beneath "/": into `real`. 0, or -1 when it is too long. */
int walk_real(const struct root *, const char *path, char real[TAR_MAX_PATH + 1]);

/* Files with several names: the first that the walk meets carries the data, the others are hard links to it. If it is
 * gone when it is read, one of the others lends its content. */
struct inode;
struct inodes;
struct inodes *inodes_new(void);
void inodes_free(struct inodes *);
/* The walk met another name of a file: its inode, or NULL when out of memory. *ret_carrier: this name carries the data.
 */
struct inode *inodes_meet(struct inodes *, const struct walked *, bool *ret_carrier);
/* The tar name of the carrier; valid as long as the table. */
const char *inode_carrier(const struct inode *);
/* The carrier is gone: another name of it (the caller frees the path), or false, and the next name that the walk meets
 * becomes the carrier. */
bool inode_other(struct inodes *, struct inode *, char **ret_path, const struct root **ret_root);
bool inode_is(const struct inode *, const struct stat *);

/* What the artifact holds, as one number: XXH3 of 128 bits over each part's names, kinds, modes, owners, link targets,
 * attributes and contents (not times; blocks of zeros only by their number), then over the parts' sums in order.
 * Everything comes from the entries as they are in the tar, so that the artifact alone gives it again. It tells whether
 * two states are the same, and costs next to nothing; the artifact's SHA-256 is what proves that nobody forged it. */
struct digest;
struct digest_part;
struct digest *digest_new(void);
void digest_free(struct digest *);
struct digest_part *digest_part_new(void);
int digest_entry(struct digest_part *, struct archive_entry *);
int digest_data(struct digest_part *, const void *data, size_t size);
int digest_zeros(struct digest_part *, int64_t size); /* takes no time, however large */
/* Takes a part's sum into the whole, and frees it. number: from 1. */
int digest_part_done(struct digest *, struct digest_part *, uint32_t number);
void digest_part_free(struct digest_part *);
/* The value of the fact "content"; NULL on failure. The caller frees it. */
char *digest_fact(struct digest *);
/* Are two such values the same? */
bool digest_same_fact(const char *, const char *);

/* The tar, part by part. */
int files_begin(void *self, struct hf_ctx *, void **ret_session);
int files_next_part(void *session, struct hf_ctx *, struct hf_part *ret_part);
int files_backup_part(void *session, struct hf_ctx *, const struct hf_part *, struct hf_writer *);
int files_end(void *session, struct hf_ctx *, int status);

/* One file into the tar. */
struct entry_job {
    const struct files *self;
    struct hf_ctx *ctx;
    int slash_fd; /* "/" */
    struct inodes *inodes;
    struct tar_out *out;
    struct digest_part *digest;
    struct archive_entry *entry; /* for reuse */
    char *buffer;                /* ENTRY_BUFFER bytes */
};
#define ENTRY_BUFFER (256 * 1024)
struct entry_item {
    const struct root *root;
    char *path;
    mode_t type;
    struct inode *inode; /* when it has several names */
    bool carrier;
};
/* What is reported but does not stop the backup returns HF_OK. */
int entry_write(struct entry_job *, const struct entry_item *);

int files_verify_begin(void *self, struct hf_ctx *, void **ret_session);
int files_verify_part(void *session, struct hf_ctx *, const struct hf_part *, struct hf_reader *);
int files_verify_end(void *session, struct hf_ctx *, int status);

int files_restore_begin(void *self, struct hf_ctx *, const struct hf_restore_request *, void **ret_session);
int files_restore_select(void *session, struct hf_ctx *, const struct hf_part *);
int files_restore_part(void *session, struct hf_ctx *, const struct hf_part *, struct hf_reader *);
int files_restore_end(void *session, struct hf_ctx *, int status);

/* Building beside, then swapping: a set of places, each a name in a folder, that change together or not at all. */
struct swap;
int swap_new(const struct hf_host *, struct hf_ctx *, const char *id, bool replace, struct swap **ret_swap);
/* Adds the place `path` (absolute, normal). Refused when it exists, unless replace. */
int swap_add(struct swap *, struct hf_ctx *, const char *path);
/* Everything that is built in swap_inside_fd goes into the folder `path`, which exists. Instead of swap_add. */
int swap_add_inside(struct swap *, struct hf_ctx *, const char *path);
int swap_inside_fd(const struct swap *);
/* Makes the folders beside. After it, what is to appear at place `index` is to be built as swap_name in swap_fd. */
int swap_prepare(struct swap *, struct hf_ctx *);
int swap_fd(const struct swap *, size_t index);
const char *swap_name(const struct swap *, size_t index);
/* Syncs, and puts everything in its place; a former one is kept as NAME.before-ID. On failure all is as it was. */
int swap_commit(struct swap *, struct hf_ctx *);
/* Is it named like the folder in which a restore builds? */
bool swap_is_beside(const char *name);
/* Removes what was built and not committed. */
void swap_free(struct swap *, struct hf_ctx *);

/* Which part holds which paths: the first path of each part, or of every n-th when they are many. */
struct part_index;
struct part_index *index_new(void);
void index_free(struct part_index *);
/* The first path of a part, in the order of their numbers. */
int index_add(struct part_index *, uint32_t number, const char *path);
json_t *index_to_json(const struct part_index *);
struct part_index *index_from_json(const json_t *); /* NULL: none, or not as it should be */
/* May the part hold `path`, or something in it? */
bool index_holds(const struct part_index *, uint32_t number, char *const *roots, size_t root_count, const char *path);
/* The number in "files-000001", 0 for "end"; -1: neither. */
int part_number(const char *name, uint32_t *ret_number);

/* The context "files": {"paths": […], "parts": {"every": 1, "first": […]}}. A path that is not UTF-8 is {"hex": "…"}.
 * The caller frees the paths and the array; *ret_index may become NULL. */
char *files_context_to_json(const struct roots *, const struct part_index *);
int files_context_from_json(const char *json, char ***ret_paths, size_t *ret_count, struct part_index **ret_index);
json_t *files_list_to_json(char *const *paths, size_t count);
int files_list_from_json(const json_t *, size_t max, char ***ret_paths, size_t *ret_count);
void files_paths_free(char **paths, size_t count);

/* Has the message for errno recorded; ENOSPC, EACCES and the like get codes of their own. */
int files_errno(const struct hf_host *, struct hf_ctx *, const char *doing, const char *path);

#endif
