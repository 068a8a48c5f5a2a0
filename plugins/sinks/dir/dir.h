/* SPDX-License-Identifier: Apache-2.0
 *
 * The dir sink's rooms: dir.c (the plugin's table and check), folder.c (the folder, failures, names), put.c (writing),
 * publish.c (making visible), objects.c (reading, listing, removing), lock.c (one run at a time), space.c (the
 * reserve), owner.c (owner and permissions).
 */
#ifndef HOLDFAST_SINK_DIR_H
#define HOLDFAST_SINK_DIR_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <holdfast/plugin.h>

/* Hidden, and ending in digits: no pattern that finds backups finds it. */
#define DIR_PARTIAL_PREFIX ".holdfast-partial."
#define DIR_LOCK_PREFIX ".holdfast-lock."
/* So many bytes of a key are part of the temporary name, which must fit into NAME_MAX. */
#define DIR_PARTIAL_KEY_MAX 200
#define DIR_PARTIAL_NAME_MAX 255

/* An instance. Immutable, so that everything else may run in parallel, but for the lock, which sweep() takes when the
 * run begins. */
struct dir {
    char *path, *owner; /* owner NULL: whoever runs Holdfast */
    mode_t mode;
    bool create;
    uint64_t reserve; /* bytes, or parts in 10000 of the file system; 0: none */
    bool reserve_is_share;
    pthread_mutex_t room;  /* held while somebody looks whether there is room for an object, and takes it */
    int lock, lock_folder; /* -1: not locked */
    char lock_name[sizeof(DIR_LOCK_PREFIX) + DIR_PARTIAL_KEY_MAX];
};

extern const struct hf_host *dir_host;

/* Opens the folder. HF_E_NOTFOUND only when it is missing and `create` says that this is fine: nothing is in it yet. */
int dir_folder_open(const struct dir *self, struct hf_ctx *ctx, int *ret_fd);
/* The same, and makes it when it is missing and `create` is set. */
int dir_folder_make(const struct dir *self, struct hf_ctx *ctx, int *ret_fd);
/* Is the folder at the path still the one that was opened? */
int dir_folder_same(const struct dir *self, struct hf_ctx *ctx, int fd);
int dir_folder_sync(const struct dir *self, struct hf_ctx *ctx, int fd);

/* Records "cannot VERB 'PATH/NAME': reason" with the code that fits `error`, and a hint. name may be NULL. Returns the
 * code. */
int dir_fail(const struct dir *self, struct hf_ctx *ctx, int error, const char *verb, const char *name);
bool dir_key_valid(const char *key);
int dir_key_check(struct hf_ctx *ctx, const char *key);
/* A name that nobody else has. name: at least DIR_PARTIAL_NAME_MAX + 1 bytes. */
int dir_partial_name(struct hf_ctx *ctx, const char *key, char *name);
void dir_close(int *fd);
/* Keeps other runs away from the keys that begin with prefix until dir_unlock(). HF_E_BUSY: another run is at work. */
int dir_lock(struct dir *self, struct hf_ctx *ctx, int folder, const char *prefix);
void dir_unlock(struct dir *self);

/* "10%" or "20G". */
int dir_reserve_parse(struct dir *self, struct hf_ctx *ctx, const char *text);
/* Would `bytes` more leave less than the reserve? Fails with `code` then: HF_E_REFUSED before a run, HF_E_NOSPACE in
 * it. */
int dir_reserve_check(const struct dir *self, struct hf_ctx *ctx, int folder, uint64_t bytes, int code);
/* Takes so much of the disk for a file now, where its file system can: what has no room fails before it is written, and
 * two that are written at once do not both run into the end. *ret_taken: whether it did. */
int dir_room_take(const struct dir *self, struct hf_ctx *ctx, int fd, const char *name, uint64_t bytes,
                  bool *ret_taken);
/* Objects that describe others: small, and needed to remove some. The reserve does not hold them up. */
bool dir_is_record(const struct hf_put_request *request);
int dir_expect(void *self, struct hf_ctx *ctx, uint64_t bytes);

/* The ids that `owner` names now. Only when it is set. */
int dir_owner_find(const struct dir *self, struct hf_ctx *ctx, uid_t *ret_user, gid_t *ret_group);
/* Gives an open file its owner and permissions. */
int dir_owner_set(const struct dir *self, struct hf_ctx *ctx, int fd, const char *key);

/* Gives the file `name`, whose inode is *file, the name `key` if nobody has it, and takes the old one away. */
int dir_publish(const struct dir *self, struct hf_ctx *ctx, int folder, const char *name, const char *key,
                const struct stat *file);

int dir_put_begin(void *self, struct hf_ctx *ctx, const struct hf_put_request *request, void **ret_put);
int dir_put_write(void *put, struct hf_ctx *ctx, const struct hf_block *block);
int dir_put_prepare(void *put, struct hf_ctx *ctx);
int dir_put_commit(void *put, struct hf_ctx *ctx);
void dir_put_abort(void *put, struct hf_ctx *ctx);

int dir_get_begin(void *self, struct hf_ctx *ctx, const char *key, uint64_t offset, uint64_t length, void **ret_get);
int64_t dir_get_read(void *get, struct hf_ctx *ctx, void *data, size_t size);
void dir_get_end(void *get);
int dir_stat(void *self, struct hf_ctx *ctx, const char *key, struct hf_object *ret_object);
int dir_list(void *self, struct hf_ctx *ctx, const char *prefix, int (*each)(void *, const struct hf_object *),
             void *arg);
int dir_remove(void *self, struct hf_ctx *ctx, const char *key);
int dir_sweep(void *self, struct hf_ctx *ctx, const char *prefix, int64_t older_than_ms);

#endif
