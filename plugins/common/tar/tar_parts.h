/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the unpacker share; not for others.
 */
#ifndef HOLDFAST_TAR_PARTS_H
#define HOLDFAST_TAR_PARTS_H

#include "tar.h"
#include <locale.h>
#include <pthread.h>
#include <stdio.h>

/* How names become bytes. The locales are made once and live as long as the process; (locale_t)0: there is none. */
enum tar_charset { TAR_PLAIN, TAR_UTF8 };
locale_t tar_locale(enum tar_charset);

/* What of an entry is set once the thing itself is made. */
struct tar_meta {
    uint32_t mode; /* permission bits only */
    int64_t uid, gid, mtime;
    int64_t mtime_nsec;
    struct tar_attrs attrs;
};
int tar_meta_take(struct archive_entry *, bool with_attrs, struct tar_meta *ret_meta);
void tar_meta_clear(struct tar_meta *);

/* Counts attributes that could not be set. */
struct tar_lost {
    pthread_mutex_t lock; /* protects the rest */
    uint64_t count;
    char first[512];
};
void tar_lost_note(struct tar_lost *, const char *path, const char *attribute, int error);

/* Sets owner, attributes, mode and time, in the order in which none undoes another. `fd`: the open file; -1: by name in
 * parent_fd, for what cannot be opened. Returns 0 or -1 and errno, with *ret_doing for the message. */
int tar_meta_apply(const struct tar_meta *, const struct tar_unpack_options *, struct tar_lost *, const char *path,
                   int fd, const char **ret_doing);
int tar_meta_apply_at(const struct tar_meta *, const struct tar_unpack_options *, struct tar_lost *, const char *path,
                      int parent_fd, const char *name, mode_t type, const char **ret_doing);

/* What waits for the end of the unpacking: a queue in a temporary file, so that memory does not grow with it. */
enum tar_later_kind { TAR_LATER_SYMLINK = 1, TAR_LATER_HARDLINK, TAR_LATER_PARENT, TAR_LATER_FOLDER };
struct tar_later_item {
    uint32_t kind;
    uint32_t depth;                            /* components of path                                              */
    int32_t root_fd, link_fd;                  /* link_fd: the root of a hard link's target                        */
    uint32_t path_size, link_size, attrs_size; /* of the three that follow, with final NUL (attrs: without) */
    struct tar_meta meta;
    const char *path, *link; /* set when read back; valid until the next                         */
};
struct tar_later {
    pthread_mutex_t lock; /* protects the rest, until the reading */
    FILE *file;
    char *buffer;
    size_t buffer_size;
    uint64_t count;
    uint32_t at_depth[TAR_MAX_DEPTH + 1]; /* folders, by depth */
};
/* 0, or -1 and errno. `link` and the root descriptors by kind; path and link are copied. */
int tar_later_add(struct tar_later *, const char *tempdir, const struct tar_later_item *);
int tar_later_rewind(struct tar_later *);
/* 1: an item, 0: the end, -1 and errno. */
int tar_later_next(struct tar_later *, struct tar_later_item *ret_item);
void tar_later_clear(struct tar_later *);

#endif
