/* SPDX-License-Identifier: Apache-2.0
 *
 * The sqlite source, inside. A backup's way: find (which files), name (their artifacts), database (opened so that
 * nothing about them changes), copy (the online backup API into a scratch file), facts (what the copy holds), backup
 * (its bytes as parts). The way back: image (parts into a file), verify, restore, target (the swap), holders (who has
 * it open).
 */
#ifndef HOLDFAST_SOURCE_SQLITE_H
#define HOLDFAST_SOURCE_SQLITE_H

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "holdfast/plugin.h"

extern const struct hf_host *sq_host; /* set once, in init() */

enum sq_level { SQ_CHECK_NONE, SQ_CHECK_QUICK, SQ_CHECK_FULL };

/* An instance: its options. Strings belong to the config. */
struct sq_source {
    const char *const *paths, *const *excludes;
    size_t path_count, exclude_count;
    int64_t busy_timeout_ms, cache_bytes, step_bytes;
    enum sq_level check;
    bool skip; /* on_error = skip */
};

/* Why one database cannot be backed up. Kept apart from host->fail, because with on_error = skip it is only a finding.
 */
struct sq_problem {
    int code;
    bool fatal; /* concerns the run, not only this database: never skipped */
    char text[1024], hint[320];
};

/* Return `code`. */
int sq_problem(struct sq_problem *, int code, const char *format, ...) HF_PRINTF(3, 4);
int sq_fatal(struct sq_problem *, int code, const char *format, ...) HF_PRINTF(3, 4);
void sq_hint(struct sq_problem *, const char *format, ...) HF_PRINTF(2, 3);
/* What SQLite said about `path`; `db` may be NULL. */
int sq_problem_sqlite(struct sq_problem *, int rc, sqlite3 *db, const char *path);
int sq_problem_errno(struct sq_problem *, int error, const char *doing, const char *path);
/* The problem becomes the call's failure. */
int sq_raise(struct hf_ctx *, const struct sq_problem *);
int sq_code_of_errno(int error);

/* One database that was found. */
struct sq_found {
    char *path;
    char *artifact; /* [A-Za-z0-9.-], unique in the list */
    dev_t device;
    ino_t inode;
    bool is_link;
};

struct sq_list {
    struct sq_found *items;
    size_t count, room;
};

/* Files and globs to a sorted list without doubles, named. What is not there goes to `report`, whose failure stops. */
typedef int sq_report(struct hf_ctx *, void *arg, const char *subject, const struct sq_problem *);
int sq_find(struct hf_ctx *, const struct sq_source *, sq_report *, void *arg, struct sq_list *ret_list);
void sq_list_clear(struct sq_list *);
uint64_t sq_hash_text(const char *text);
int sq_name_all(struct sq_list *); /* 0 or HF_E_NOMEM */
/* Does the pattern match the path? `**` stands for any number of folders; a pattern without '/' is for the base name.
 */
bool sq_match(const char *pattern, const char *path);

/* A live database, opened for reading. */
struct sq_database {
    sqlite3 *db;
    struct hf_ctx *ctx; /* of the call at hand; for the busy handler */
    const char *path;
    char *real; /* without symbolic links: beside it lie -wal and -journal */
    int64_t busy_timeout_ms, busy_since_ms;
    struct stat before;
    char journal_mode[16];
    bool wal, immutable, recovered;
};

/* Opened, and its schema read, so that everything that can be wrong with it is known; no lock is held. */
int sq_database_open(struct hf_ctx *, const struct sq_source *, const char *path, struct sq_database *ret_database,
                     struct sq_problem *);
void sq_database_close(struct sq_database *);
/* A read transaction: a snapshot in WAL mode, a shared lock otherwise. */
int sq_database_hold(struct sq_database *, struct sq_problem *);
void sq_database_release(struct sq_database *);
/* "file:…?immutable=1" for a path; the caller frees. */
char *sq_immutable_uri(const char *path);
int64_t sq_now_ms(void);

/* A consistent copy as the new file `copy_path`. */
int sq_copy(const struct sq_source *, struct sq_database *, const char *copy_path, struct sq_problem *);

/* Interrupts a connection's SQL when the run is stopped. */
struct sq_watch {
    pthread_t thread;
    int cancel_fd, stop_fd;
    sqlite3 *db;
};
int sq_watch_start(struct sq_watch *, struct hf_ctx *, sqlite3 *);
void sq_watch_stop(struct sq_watch *);

/* What a check of a whole database file said. */
struct sq_report_text {
    size_t damaged, violated; /* messages: structure; constraints that rows do not keep */
    char damage[600], violation[300], incomplete[200];
};

/* Looks at a file that nobody writes, leaving it and its folder alone. ret_facts: JSON, freed by the caller; NULL when
 * it could not be told. A damaged file is no failure but told in the report; the codes are for everything else. */
int sq_examine(struct hf_ctx *, const char *path, enum sq_level, int64_t cache_bytes, struct sq_report_text *ret_report,
               char **ret_facts, struct sq_problem *);
/* The findings of a report that is no damage. */
void sq_report_minor(struct hf_ctx *, const char *subject, const struct sq_report_text *);
/* Bytes of the database that these facts are about, 0 when they do not say. */
uint64_t sq_facts_bytes(const char *facts);
bool sq_facts_equal(const char *a, const char *b);
/* Any bytes as JSON text: as they are when they are UTF-8, else as "hex:" and hexadecimal digits. The caller frees. */
json_t *sq_text_to_json(const char *text);
char *sq_text_from_json(const json_t *);
/* A database's context: where it was, and what its file was like. */
char *sq_context_json(const struct sq_database *);

/* A database file that is put together from parts. */
struct sq_image {
    char *artifact, *path;
    int fd;
    uint64_t expected; /* bytes; 0: unknown */
    atomic_ullong written;
};
/* Writes the part's bytes to its place; at once from several threads. */
int sq_image_write(struct hf_ctx *, struct sq_image *, const struct hf_part *, struct hf_reader *);

/* Who has any of the database's files open or locked: "process 123 (omen-api)"; false when nobody is seen. */
bool sq_holders(const char *path, char *text, size_t size);

/* Where one artifact is restored to. */
struct sq_target {
    struct sq_image image; /* path: the hidden file beside the target; NULL until it is made */
    char *final, *aside;   /* aside: what the old one is kept as, NULL when there is none */
    sqlite3 *old;          /* during the swap, locks the old database */
    bool exists, held, swapped, moved_wal, moved_journal, moved_shm, kept;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    bool has_owner;
};

int sq_target_make(struct hf_ctx *, struct sq_target *, const char *id); /* the hidden file */
int sq_target_finish(struct hf_ctx *, struct sq_target *);               /* mode, owner, fsync */
int sq_target_swap(struct hf_ctx *, struct sq_target *, const char *id); /* the final name is now the new database's */
void sq_target_undo(struct hf_ctx *, struct sq_target *);                /* as it was; also after a half swap */
void sq_target_clear(struct sq_target *);

/* The operations, see holdfast/source.h. */
int sq_begin(void *self, struct hf_ctx *, void **ret_session);
int sq_next_part(void *session, struct hf_ctx *, struct hf_part *ret_part);
int sq_backup_part(void *session, struct hf_ctx *, const struct hf_part *, struct hf_writer *);
int sq_end(void *session, struct hf_ctx *, int status);
int sq_check(void *self, struct hf_ctx *);
int sq_verify_begin(void *self, struct hf_ctx *, void **ret_session);
int sq_verify_part(void *session, struct hf_ctx *, const struct hf_part *, struct hf_reader *);
int sq_verify_end(void *session, struct hf_ctx *, int status);
int sq_restore_begin(void *self, struct hf_ctx *, const struct hf_restore_request *, void **ret_session);
int sq_restore_select(void *session, struct hf_ctx *, const struct hf_part *);
int sq_restore_part(void *session, struct hf_ctx *, const struct hf_part *, struct hf_reader *);
int sq_restore_end(void *session, struct hf_ctx *, int status);

/* With on_error = skip a finding, and HF_OK; otherwise, or when it concerns the run, the call's failure. */
int sq_skip_or_raise(struct hf_ctx *, void *source, const char *subject, const struct sq_problem *);

static inline void sq_free_text(char **text)
{
    free(*text);
}

static inline void sq_free_json(json_t **json)
{
    json_decref(*json);
}

static inline void sq_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd); /* only ever read from, or closed before with its result looked at */
}

#define SQ_TEXT __attribute__((cleanup(sq_free_text))) char *
#define SQ_JSON __attribute__((cleanup(sq_free_json))) json_t *
#define SQ_FD __attribute__((cleanup(sq_close_fd))) int

#endif
