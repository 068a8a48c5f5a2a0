/* SPDX-License-Identifier: Apache-2.0
 *
 * Tar (pax) streams made of parts, through libarchive, for sources whose artifact is one tar.
 *
 * A tar artifact is the concatenation of its parts' entries and, in the last part, the end-of-archive marker; so each
 * part can be read alone, and all of them in order are an ordinary tar. Names are bytes: they come back as they went
 * in, whatever their encoding and whatever the locale.
 *
 * Results are those of hf_result; a failure has been recorded with host->fail.
 */
#ifndef HOLDFAST_TAR_H
#define HOLDFAST_TAR_H

#include <archive.h>
#include <archive_entry.h>
#include <holdfast/plugin.h>
#include <stdbool.h>
#include <sys/types.h>

#define TAR_MAX_PATH 4095 /* longest name of an entry or link target that is taken                   */
#define TAR_MAX_DEPTH 512 /* most components in it; also bounds the descriptors of tar_remove_tree  */

/* Writing one part. The archive's header and data calls block as the writer does. */
struct tar_out;
int tar_out_open(const struct hf_host *, struct hf_ctx *, struct hf_writer *, struct tar_out **ret_out);
/* Writes an entry's header; its size must be set for regular files. Names are set with archive_entry_set_pathname (and
 * _set_symlink, _set_hardlink), as bytes. A sparse file's map (archive_entry_sparse_add_entry) is left out when the
 * name is one that libarchive would cut short in it; tar_out_data takes the same bytes either way. */
int tar_out_entry(struct tar_out *, struct archive_entry *);
/* Also the bytes of holes, as zeros, of which a map keeps nothing. More than the entry's size is HF_E_FAIL. */
int tar_out_data(struct tar_out *, const void *data, size_t size);
/* Writes what the entry still lacks as zeros. */
int tar_out_entry_end(struct tar_out *);
/* Ends the part; with `last` the end-of-archive marker is written, without it none is. Frees in any case. */
int tar_out_close(struct tar_out *, bool last);
/* Frees after a failure. NULL is fine. */
void tar_out_abort(struct tar_out *);

/* Reading the entries of one part (or of a whole artifact), for verify: HF_END after the last. A part that ends inside
 * an entry is HF_E_CORRUPT; an empty one is HF_END at once. */
struct tar_in;
int tar_in_open(const struct hf_host *, struct hf_ctx *, struct hf_reader *, struct tar_in **ret_in);
int tar_in_next(struct tar_in *, struct archive_entry **ret_entry);
/* The next piece of the entry's data, without copying: HF_END when there is no more. Offsets only grow; between the
 * pieces of a sparse file, and up to its size, lie zeros. */
int tar_in_data(struct tar_in *, const void **ret_data, size_t *ret_size, int64_t *ret_offset);
/* After HF_END of tar_in_next: did the whole end-of-archive marker come? A whole artifact without it was cut short. */
bool tar_in_saw_end(const struct tar_in *);
void tar_in_close(struct tar_in *); /* NULL is fine */

/* Restoring beneath a folder. Nothing is ever written outside `root_fd`: absolute names, "..", and paths through
 * symbolic links are refused (openat2 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS), as are links that lead out, and names
 * that are taken. What is refused is HF_E_REFUSED, with a message that names the entry. Several parts may be unpacked
 * by several threads at once. After a failure the folder holds an unfinished tree, for the caller to remove. */
struct tar_unpack;
struct tar_unpack_options {
    bool owners;        /* give files their recorded owner, and set-uid and set-gid bits (root only)               */
    bool xattrs;        /* extended attributes and ACLs; those of security.* and trusted.* only with `owners`. What the
                         * file system or a lack of privilege does not let be set is counted in a finding           */
    bool devices;       /* make device nodes (root only); otherwise an entry that is one is refused                 */
    bool outside_links; /* make symbolic links that lead out of the root, after everything else, instead of refusing
                         * them: for archives known to be one's own                                                */
    /* Called for each entry with its path as recorded, before anything is made. 1: unpack, 0: leave out, negative:
     * fail. May replace the path by calling archive_entry_set_pathname. NULL: everything. */
    int (*wanted)(void *arg, struct hf_ctx *, struct archive_entry *);
    /* Called with each path to be made and each hard link's target, cleaned of "./", "//" and a final '/'. 1: lies
     * beneath *ret_root_fd (set to root_fd before), at *ret_path (set to `path` before; may point further into it); 0:
     * leave the entry out; negative: fail. Calls from several threads overlap. NULL: all at their path beneath root_fd.
     */
    int (*place)(void *arg, struct hf_ctx *, const char *path, int *ret_root_fd, const char **ret_path);
    void *arg;
};
int tar_unpack_new(const struct hf_host *, int root_fd, const struct tar_unpack_options *,
                   struct tar_unpack **ret_unpack);
int tar_unpack_part(struct tar_unpack *, struct hf_ctx *, struct hf_reader *);
/* Did one of the parts end with the whole end-of-archive marker? */
bool tar_unpack_saw_end(struct tar_unpack *);
/* After all parts: links that lead out, hard links whose target came later, then modes and times of directories, then
 * all that is beneath root_fd to disk (syncfs; other roots of place() are the caller's to sync). */
int tar_unpack_finish(struct tar_unpack *, struct hf_ctx *);
void tar_unpack_free(struct tar_unpack *); /* NULL is fine */

/* Opens beneath a folder without following any symbolic link, not even in the last component, and with neither ".." nor
 * an absolute path: -1 and errno (ELOOP, EXDEV or ENOTDIR for what is refused). */
int tar_open_beneath(int root_fd, const char *path, int flags, mode_t mode);
/* Makes the folders of `path` that are missing, mode 0700, and returns the last one as an O_PATH descriptor; -1 and
 * errno. made(arg, path so far) is told of each. */
int tar_make_folders(int root_fd, const char *path, int (*made)(void *arg, const char *path, size_t length), void *arg);
/* Removes name and everything beneath it, without following links; a missing one is fine. -1 and errno. */
int tar_remove_tree(int dir_fd, const char *name);

/* Extended attributes and ACLs of an entry as one piece of memory, sorted by name; ACLs under the names and in the form
 * that Linux gives them (system.posix_acl_access, system.posix_acl_default). */
struct tar_attrs {
    char *data;
    size_t size;
};
struct tar_attr {
    const char *name;
    const void *value;
    size_t size;
};
/* -1 when out of memory. */
int tar_attrs_take(struct archive_entry *, struct tar_attrs *ret_attrs);
/* Goes through them: start with *position 0; false at the end. */
bool tar_attrs_next(const char *data, size_t size, size_t *position, struct tar_attr *ret_attr);
void tar_attrs_clear(struct tar_attrs *);
/* Adds those of the open file `fd` (also O_PATH) to an entry; a file system without any is fine. -1 and errno. */
int tar_attrs_add(struct archive_entry *, int fd);

/* A name for messages: bytes that are not printable UTF-8 as \xNN, cut to fit. Returns `text`. */
const char *tar_show(const char *name, char *text, size_t size);
#define TAR_SHOW(name) tar_show((name), (char[512]){0}, 512)

#endif
