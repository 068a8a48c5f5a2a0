/* SPDX-License-Identifier: Apache-2.0
 *
 * The git sink's rooms: git.c (the plugin's table), options.c, repo.c (the repository, failures), lock.c (one writer at
 * a time), keys.c (objects and refs), blob.c (reading what an object holds), put.c (writing), objects.c (listing,
 * removing), tree.c and unpack.c (a tar as a tree of git), history.c (the readable branch), remote.c, credentials.c
 * and watch.c (the other repository), sync.c (sweeping, and bringing both in step).
 *
 * An object KEY is a commit of one file of that name, and the ref refs/holdfast/KEY. The ref makes it visible: git
 * makes refs one at a time and atomically.
 *
 * refs/heads/holdfast/PROFILE is the readable history, a commit for each backup that has a tar.
 * refs/holdfast-pending/KEY is a commit that is to go onto it once KEY, a manifest, is visible; refs/holdfast-partial/
 * and refs/holdfast-fetched/ hold what is on its way to or from the remote. The files holdfast.lock and
 * holdfast-run.PREFIX are locks.
 */
#ifndef HOLDFAST_SINK_GIT_H
#define HOLDFAST_SINK_GIT_H

#include <git2.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <holdfast/plugin.h>

#define GS_REFS_OBJECTS "refs/holdfast/"
#define GS_REFS_PENDING "refs/holdfast-pending/"
#define GS_REFS_PARTIAL "refs/holdfast-partial/object/"
#define GS_REFS_PARTIAL_COMMIT "refs/holdfast-partial/commit/"
#define GS_REFS_BRANCHES "refs/heads/holdfast/"
#define GS_REFS_FETCHED "refs/holdfast-fetched/object/"
#define GS_REFS_FETCHED_BRANCH "refs/holdfast-fetched/branch/"
enum { GS_KEY_MAX = 240, GS_REF_MAX = 1024 };

struct gs_blob;

/* An instance; the core makes one call into it at a time. */
struct gs {
    char *path, *remote; /* remote NULL: none               */
    char *author_name, *author_email;
    char *username, *password, *ssh_key, *ssh_passphrase, *host_key, *ca_file;
    bool create;
    uint64_t max_object;
    int64_t stall_ms;
    git_repository *repo; /* NULL until it is needed         */
    struct gs_blob *held; /* the object that was read last   */
    int run_lock;         /* -1: not locked                  */
    char run_lock_prefix[GS_KEY_MAX + 1];
};

extern const struct hf_host *gs_host;

enum { GS_OPTION_COUNT = 12 };
extern const struct hf_option gs_options[GS_OPTION_COUNT];
int gs_configure(struct gs *self, struct hf_ctx *ctx, const struct hf_config *config);

/* Opens the repository. HF_E_NOTFOUND, without a message, when there is none and `create` says that this is fine:
 * nothing is in it yet. With `make` it is made then; with a remote it always is, and everything is fetched. */
int gs_repo_open(struct gs *self, struct hf_ctx *ctx, bool make);
/* Records "cannot …: what libgit2 says" with the code that fits libgit2's `rc`, and returns that code. */
int gs_fail(struct gs *self, struct hf_ctx *ctx, int rc, const char *format, ...) HF_PRINTF(4, 5);
/* The code alone. */
int gs_code(int rc);
/* Logs a warning with what libgit2 says. */
void gs_warn(struct hf_ctx *ctx, const char *format, ...) HF_PRINTF(2, 3);
int gs_fail_errno(struct gs *self, struct hf_ctx *ctx, int error, const char *format, ...) HF_PRINTF(4, 5);
int gs_fail_nomem(struct hf_ctx *ctx);

/* The repository's lock, for changes of refs; waits. Tidies up what a crash in such a change left. */
int gs_lock(struct gs *self, struct hf_ctx *ctx, int *ret_lock);
void gs_unlock(int *lock);
/* Keeps other runs away from the keys that begin with prefix until gs_run_unlock(). HF_E_BUSY: another run is at work.
 */
int gs_run_lock(struct gs *self, struct hf_ctx *ctx, const char *prefix);
void gs_run_unlock(struct gs *self);

int gs_key_check(struct hf_ctx *ctx, const char *key);
/* "refs/holdfast/KEY", with dots escaped that git does not take in a ref's name. ret_ref: GS_REF_MAX bytes. */
void gs_key_ref(const char *folder, const char *key, char *ret_ref);
/* The key that a ref names; false when it is none of ours. ret_key: GS_KEY_MAX + 1 bytes. */
bool gs_ref_key(const char *folder, const char *ref, char *ret_key);
/* The parts of PROFILE[_ARTIFACT]_TIME.SUFFIX, or false. */
struct gs_name {
    char profile[GS_KEY_MAX + 1], time[16]; /* time: "20260201_120000" */
    const char *suffix;                     /* in the key             */
};
bool gs_name_parse(const char *key, struct gs_name *ret_name);
/* Unix time of gs_name.time, or 0. */
int64_t gs_name_seconds(const struct gs_name *name);

/* Sorted lists of refs beneath a folder whose keys begin with prefix. */
struct gs_refs {
    struct gs_ref {
        char *ref, *key;
        git_oid oid;
    } * items;
    size_t count, room;
};
int gs_refs_find(struct gs *self, struct hf_ctx *ctx, const char *folder, const char *prefix, struct gs_refs *refs);
void gs_refs_clear(struct gs_refs *refs);
/* Removes a ref; a missing one is fine. */
int gs_ref_remove(struct gs *self, struct hf_ctx *ctx, const char *ref);

/* What an object holds. HF_E_NOTFOUND when there is none. *ret_seconds may be NULL. */
int gs_object_find(struct gs *self, struct hf_ctx *ctx, const char *key, git_oid *ret_blob, uint64_t *ret_bytes,
                   int64_t *ret_seconds);
int gs_object_look(struct gs *self, struct hf_ctx *ctx, const char *key, const git_oid *oid, git_oid *ret_blob,
                   uint64_t *ret_bytes, int64_t *ret_seconds);

/* The bytes of a blob: in memory, or, when it is large, in an unlinked file. Counted. */
int gs_blob_hold(struct gs *self, struct hf_ctx *ctx, const git_oid *oid, uint64_t bytes, struct gs_blob **ret_blob);
void gs_blob_release(struct gs_blob *blob);
/* 1 to size bytes, 0 at the end, or a failure. */
int64_t gs_blob_read(struct gs_blob *blob, struct hf_ctx *ctx, uint64_t offset, void *data, size_t size);
/* An unlinked file in the run's temporary folder. */
int gs_temp_file(struct hf_ctx *ctx, int *ret_fd);
/* Stores size bytes of a file as a blob. */
int gs_blob_store(struct gs *self, struct hf_ctx *ctx, int fd, uint64_t size, git_oid *ret_oid);

/* A tree of git while it is put together. */
struct gs_tree;
struct gs_tree *gs_tree_new(void); /* NULL: out of memory */
void gs_tree_free(struct gs_tree *tree);
/* What path stands for; HF_E_REFUSED when a file of that name is in the way, or it leads out. mode 0: look only, and
 * *oid and *mode are filled when it is there. */
int gs_tree_put(struct gs_tree *tree, struct hf_ctx *ctx, const char *path, const git_oid *oid, git_filemode_t mode);
bool gs_tree_get(const struct gs_tree *tree, const char *path, git_oid *ret_oid, git_filemode_t *ret_mode);
/* Writes it. Names that git takes in no tree, like ".git", are left out, and counted. */
int gs_tree_write(struct gs *self, struct hf_ctx *ctx, const struct gs_tree *tree, git_oid *ret_oid,
                  size_t *ret_left_out);
/* Unpacks the artifact `key` beneath `folder` of the tree ("" : its root). */
int gs_unpack(struct gs *self, struct hf_ctx *ctx, const char *key, const char *folder, struct gs_tree *tree);

/* The commit that a manifest's backup becomes. *ret_made false: it has no tar, or is no manifest. */
int gs_history_prepare(struct gs *self, struct hf_ctx *ctx, const char *key, git_oid *ret_tree, bool *ret_made);
/* Makes the commit, onto what the branch is now. With the lock held. */
int gs_history_commit(struct gs *self, struct hf_ctx *ctx, const char *key, const git_oid *tree, git_oid *ret_commit);
/* Puts the branch onto the commit. With the lock held. What libgit2 returns; nothing is recorded. */
int gs_history_advance(struct gs *self, const char *key, const git_oid *commit);
/* "refs/heads/holdfast/PROFILE" for a key. ret_ref: GS_REF_MAX bytes. */
bool gs_branch_of(const char *key, char *ret_ref);
/* Finishes what crashed runs left between a manifest and its commit. With the lock held. */
int gs_history_resume(struct gs *self, struct hf_ctx *ctx, const char *prefix);

/* One conversation with the remote. */
struct gs_talk {
    struct gs *self;
    struct hf_ctx *ctx;
    git_remote *remote; /* NULL: not open */
    git_remote_callbacks callbacks;
    unsigned tries;       /* credentials that were offered                            */
    bool bad_certificate; /* the other side cannot prove who it is                    */
    char host[256];       /* which it was                                             */
    char refused[256];    /* why it did not take the ref that must be taken           */
    const char *may_fail; /* a ref that it may refuse; NULL: none                     */
    struct gs_watch *watch;
    atomic_bool stalled; /* it was given up since nothing moved */
};
/* Connects; always close it. With the lock held, or while the repository is made. */
int gs_talk_open(struct gs_talk *talk, struct gs *self, struct hf_ctx *ctx, git_direction direction);
void gs_talk_close(struct gs_talk *talk);
/* The refs that the other side has. */
int gs_talk_refs(struct gs_talk *talk, const git_remote_head ***ret_heads, size_t *ret_count);
bool gs_talk_has(struct gs_talk *talk, const char *ref, git_oid *ret_oid);
int gs_talk_push(struct gs_talk *talk, char *const *refspecs, size_t count);
int gs_talk_fetch(struct gs_talk *talk, char *const *refspecs, size_t count);
int gs_talk_fail(struct gs_talk *talk, int rc, const char *doing);
void gs_credentials_set(struct gs_talk *talk);
/* Ends connections that stand still, and all when the run is stopped. Init: once, for libgit2. */
int gs_watch_init(void);
int gs_watch_start(struct gs_talk *talk);
void gs_watch_stop(struct gs_talk *talk);

/* One object, and the commit that goes with it (NULL: none), to the remote. HF_E_EXISTS when it has it. With the lock.
 */
int gs_remote_put(struct gs *self, struct hf_ctx *ctx, const char *key, const git_oid *object, const git_oid *commit);
int gs_remote_remove(struct gs *self, struct hf_ctx *ctx, const char *key);
/* Brings both repositories in step: everything that the remote has, and what it lacks of the keys that begin with
 * prefix (NULL: nothing is sent). */
int gs_sync(struct gs *self, struct hf_ctx *ctx, const char *prefix);

int gs_put_begin(void *self, struct hf_ctx *ctx, const struct hf_put_request *request, void **ret_put);
int gs_put_write(void *put, struct hf_ctx *ctx, const struct hf_block *block);
int gs_put_prepare(void *put, struct hf_ctx *ctx);
int gs_put_commit(void *put, struct hf_ctx *ctx);
void gs_put_abort(void *put, struct hf_ctx *ctx);
int gs_get_begin(void *self, struct hf_ctx *ctx, const char *key, uint64_t offset, uint64_t length, void **ret_get);
int64_t gs_get_read(void *get, struct hf_ctx *ctx, void *data, size_t size);
void gs_get_end(void *get);
int gs_stat(void *self, struct hf_ctx *ctx, const char *key, struct hf_object *ret_object);
int gs_list(void *self, struct hf_ctx *ctx, const char *prefix, int (*each)(void *, const struct hf_object *),
            void *arg);
int gs_remove(void *self, struct hf_ctx *ctx, const char *key);
int gs_sweep(void *self, struct hf_ctx *ctx, const char *prefix, int64_t older_than_ms);

#endif
